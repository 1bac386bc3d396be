# SPDX-License-Identifier: Apache-2.0
"""The options that choose the other cloud, which gets the copies of images.

What must live here: these options, and the cloud that they select. What must not: the options of
the cloud that a command reads (``cloud_options``), and commands.
"""

from __future__ import annotations

import argparse
import dataclasses

from glance_compat.cli.cloud import Cloud
from glance_compat.cli.cloud_options import parse_endpoint
from glance_compat.cli.usage import UsageError, argument_type


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the cloud that gets the copies."""
    group = parser.add_argument_group(
        "target options",
        "The cloud that gets the copies. OS_* variables and the other options choose the cloud"
        " that is read; none of them counts here.",
    )
    group.add_argument("--to-os-cloud", metavar="CLOUD", help="a cloud of clouds.yaml")
    group.add_argument("--to-region", metavar="REGION", help="the region in its catalog")
    group.add_argument(
        "--to-endpoint",
        dest="to_endpoints",
        metavar="URL",
        type=argument_type(parse_endpoint),
        action="append",
        help="image endpoint URL; overrides the catalog. Without --to-os-cloud and --to-os-token,"
        " requests carry no token",
    )
    group.add_argument(
        "--to-os-token",
        metavar="TOKEN",
        help="a token, which is sent without logging in; needs --to-os-project-id",
    )
    group.add_argument(
        "--to-os-project-id",
        metavar="ID",
        help="the id of the token's project, among whose images earlier copies are found",
    )
    group.add_argument(
        "--to-api-version",
        choices=("auto", "1", "2"),
        default="auto",
        help="auto: discover what the endpoint offers; 1 or 2: use that Images API",
    )


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class TokenContext:
    """The request context of a user who has a token.

    :param auth_token: the token.
    :param project_id: the id of its project.
    """

    auth_token: str
    project_id: str


def read_context(parsed_args: argparse.Namespace) -> TokenContext | None:
    """Return the request context for the cloud that gets the copies.

    :raises glance_compat.cli.usage.UsageError: an option is missing.
    """
    token, project = parsed_args.to_os_token, parsed_args.to_os_project_id
    if (token is None) != (project is None):
        raise UsageError("--to-os-token and --to-os-project-id need each other")
    if token is None:
        return None
    if not parsed_args.to_endpoints:
        raise UsageError("--to-os-token needs --to-endpoint, because it does not log in")
    return TokenContext(token, project)


def select(options: argparse.Namespace, parsed_args: argparse.Namespace) -> Cloud:
    """Return the cloud that gets the copies.

    :param options: the options of the program, which choose the cloud that is read.
    :param parsed_args: the options of the command.
    :raises glance_compat.cli.usage.UsageError: no cloud is selected.
    """
    if parsed_args.to_os_cloud is None and not parsed_args.to_endpoints:
        raise UsageError("choose the cloud that gets the copies: --to-os-cloud or --to-endpoint")
    values = {name: None for name in vars(options) if name.startswith("os_")}
    chosen: dict[str, object] = {
        **vars(options),
        **values,
        "os_cloud": parsed_args.to_os_cloud,
        "os_region_name": parsed_args.to_region,
        "os_api_timeout": options.os_api_timeout,
        "endpoints": parsed_args.to_endpoints,
        "api_version": parsed_args.to_api_version,
        "prefer": None,
    }
    return Cloud(argparse.Namespace(**chosen), with_variables=False)
