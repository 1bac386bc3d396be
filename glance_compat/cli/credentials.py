# SPDX-License-Identifier: Apache-2.0
"""Format the credentials of the embedded Glance as openrc or clouds.yaml."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable, Mapping

import yaml

#: The name of the cloud in clouds.yaml.
CLOUD = "glance-compat"

_DOMAIN = "Default"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The credentials that a client needs to log in.

    :ivar auth_url: URL of the Identity API v3.
    """

    auth_url: str
    username: str
    password: str
    project_name: str
    region_name: str


def openrc(login: Credentials) -> str:
    """Return shell commands that set the environment variables."""
    variables = {
        **{f"OS_{name.upper()}": value for name, value in dataclasses.asdict(login).items()},
        "OS_USER_DOMAIN_NAME": _DOMAIN,
        "OS_PROJECT_DOMAIN_NAME": _DOMAIN,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def clouds_yaml(login: Credentials) -> str:
    """Return a clouds.yaml with one cloud."""
    auth = dataclasses.asdict(login)
    region = auth.pop("region_name")
    auth |= {"user_domain_name": _DOMAIN, "project_domain_name": _DOMAIN}
    cloud = {"auth": auth, "region_name": region, "identity_api_version": 3}
    text: str = yaml.safe_dump({"clouds": {CLOUD: cloud}}, sort_keys=False, allow_unicode=True)
    return text


#: The choices of ``serve --export``, and the function that formats each.
FORMS: Mapping[str, Callable[[Credentials], str]] = {
    "openrc": openrc,
    "clouds.yaml": clouds_yaml,
    "none": lambda login: "",
}
