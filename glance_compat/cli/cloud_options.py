# SPDX-License-Identifier: Apache-2.0
"""The options that choose a cloud, a user and an Images API.

They have the names that keystoneauth1 defines for them.

What must live here: the declaration of the options that all commands share. What must not: what
they select (``cloud``), and imports of packages that ``--help`` does not need.
"""

from __future__ import annotations

import argparse

from glance_compat import exceptions
from glance_compat.cli import cloud_config
from glance_compat.cli.usage import argument_type
from glance_compat.redaction import quote_value, redact_url

#: Options of the connection; each has an environment variable of the same name.
_CONNECTION = (
    ("os-cloud", "CLOUD", "a cloud of clouds.yaml"),
    ("os-region-name", "REGION", "the region in the catalog"),
    ("os-interface", "INTERFACE", "the interface in the catalog: public, internal or admin"),
    ("os-cacert", "FILE", "CA bundle that verifies the server's certificate"),
    ("os-cert", "FILE", "a client certificate"),
    ("os-key", "FILE", "the private key of the client certificate"),
)


def parse_endpoint(text: str) -> str:
    """Return the URL of an endpoint, or raise ValueError if it is invalid."""
    from glance_compat.routing import catalog

    try:
        return catalog.check_endpoints(text)[0]
    except exceptions.InvalidOption:
        shown = quote_value(redact_url(text))
        raise ValueError(f"must be an http or https URL, not {shown}") from None


def _parse_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(f"must be a number of seconds above 0, not {text!r}")
    return seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a cloud, a user and an Images API."""
    _add_auth_options(parser)
    group = parser.add_argument_group(
        "cloud options",
        "Each option overrides its OS_* variable, and each variable its value in clouds.yaml.",
    )
    for name, metavar, text in _CONNECTION:
        variable = name.upper().replace("-", "_")
        group.add_argument(f"--{name}", metavar=metavar, help=f"{text} ({variable})")
    group.add_argument(
        "--endpoint",
        "--os-endpoint",
        metavar="URL",
        dest="endpoints",
        type=argument_type(parse_endpoint),
        action="append",
        help="image endpoint URL; overrides the catalog. Repeat it to list equivalent endpoints."
        " If no credentials are set, requests carry no token",
    )
    group.add_argument(
        "--insecure",
        dest="os_insecure",
        action="store_true",
        default=None,
        help="do not verify the server's certificate",
    )
    group.add_argument(
        "--timeout",
        dest="os_api_timeout",
        metavar="SECONDS",
        type=argument_type(_parse_seconds),
        help="connect and read timeout; default: 10 to connect, 60 to read",
    )
    _add_library_options(parser)


def _add_auth_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "authentication options",
        "Each option has a variable of the same name, for example OS_AUTH_TYPE for --os-auth-type."
        " The default auth type depends on which credentials are set.",
    )
    group.add_argument(
        "--os-auth-type",
        "--os-auth-plugin",
        metavar="NAME",
        help="a keystoneauth plugin; admin_token (or token_endpoint) sends a token without logging"
        " in, none sends no token",
    )
    older: dict[str, list[str]] = {}
    for old, name in cloud_config.ALIASES.items():
        older.setdefault(name, []).append(old)
    for name, text in cloud_config.AUTH_OPTIONS.items():
        flags = (f"--os-{one.replace('_', '-')}" for one in (name, *older.get(name, ())))
        group.add_argument(*flags, dest=f"os_{name}", metavar="VALUE", help=text)


def _add_library_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("images API options")
    group.add_argument(
        "--api-version",
        choices=("auto", "1", "2"),
        default="auto",
        help="auto: discover what the endpoint offers; 1 or 2: use that Images API",
    )
    group.add_argument(
        "--prefer",
        choices=("1", "2"),
        help="the Images API to use when an endpoint offers both; default: image_api_version of"
        " clouds.yaml, else 2",
    )
    group.add_argument(
        "--allow-experimental",
        action="store_true",
        help="allow a version whose status is EXPERIMENTAL",
    )
