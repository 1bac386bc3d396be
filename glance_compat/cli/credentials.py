# SPDX-License-Identifier: Apache-2.0
"""Format the credentials of the embedded Glance as openrc, clouds.yaml, or files for Tempest."""

from __future__ import annotations

import configparser
import dataclasses
import io
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

#: The name of the first cloud in clouds.yaml.
CLOUD = "glance-compat"

_DOMAIN = "Default"
#: As devstack writes it; python-glanceclient's functional tests read the id.
_DOMAIN_ID = "default"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The credentials that a client needs to log in.

    :ivar auth_url: URL of the Identity API v3.
    :ivar project_name: name of the project; None: log in to the system.
    :ivar roles: roles of the user.
    """

    auth_url: str
    username: str
    password: str
    project_name: str | None
    region_name: str
    roles: tuple[str, ...] = ("member",)

    def auth(self) -> dict[str, str]:
        """Return the options of keystoneauth's plugin ``password``."""
        scope = {"system_scope": "all"}
        if self.project_name is not None:
            scope = {"project_name": self.project_name, "project_domain_id": _DOMAIN_ID}
        return {
            "auth_url": self.auth_url,
            "username": self.username,
            "password": self.password,
            "user_domain_id": _DOMAIN_ID,
            **scope,
        }


def openrc(clouds: Mapping[str, Credentials]) -> str:
    """Return shell commands that set the OS_* variables of the first cloud."""
    login = next(iter(clouds.values()))
    variables = {
        **{f"OS_{name.upper()}": value for name, value in login.auth().items()},
        "OS_REGION_NAME": login.region_name,
        "OS_IDENTITY_API_VERSION": "3",
    }
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def clouds_yaml(clouds: Mapping[str, Credentials]) -> str:
    """Return a clouds.yaml with all clouds."""
    described = {
        name: {"auth": login.auth(), "region_name": login.region_name, "identity_api_version": 3}
        for name, login in clouds.items()
    }
    text: str = yaml.safe_dump({"clouds": described}, sort_keys=False, allow_unicode=True)
    return text


#: The choices of ``serve --export``, and the function that formats each.
FORMS: Mapping[str, Callable[[Mapping[str, Credentials]], str]] = {
    "openrc": openrc,
    "clouds.yaml": clouds_yaml,
    "none": lambda clouds: "",
}


def write_tempest(
    folder: Path, logins: Sequence[Credentials], *, features: Mapping[str, bool], has_scopes: bool
) -> None:
    """Write the files tempest.conf and accounts.yaml.

    :param folder: an existing directory.
    :param logins: the accounts; those with the role admin are marked as administrators.
    :param features: options of the section ``image-feature-enabled``.
    :param has_scopes: whether the release enforces the scope of tokens.
    :raises OSError: when a file cannot be written.
    """
    accounts = folder / "accounts.yaml"
    _write_private(
        accounts, yaml.safe_dump([_account(login) for login in logins], sort_keys=False)
    )
    settings: dict[str, dict[str, Any]] = {
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {"use_dynamic_credentials": False, "test_accounts_file": accounts},
        "identity": {
            "uri_v3": logins[0].auth_url,
            "auth_version": "v3",
            "region": logins[0].region_name,
        },
        "image-feature-enabled": dict(features),
        "enforce_scope": {"glance": has_scopes},
        "service_available": {
            "glance": True,
            **dict.fromkeys(("nova", "neutron", "cinder", "swift", "horizon"), False),
        },
    }
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(settings)
    text = io.StringIO()
    parser.write(text)
    _write_private(folder / "tempest.conf", text.getvalue())


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; an existing file is replaced."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text)


def _account(login: Credentials) -> dict[str, Any]:
    # Without a domain, with which Tempest would use it for the domain, or any administrator.
    scope: dict[str, Any] = {"system": "all"}
    if login.project_name is not None:
        scope = {
            "domain_name": _DOMAIN,
            "project_name": login.project_name,
            "project_domain_name": _DOMAIN,
        }
    return {
        "username": login.username,
        "password": login.password,
        "user_domain_name": _DOMAIN,
        **scope,
        "roles": list(login.roles),
        # An administrator of the system may not do what one of a project may.
        "types": ["admin"] if login.project_name and "admin" in login.roles else [],
    }
