# SPDX-License-Identifier: Apache-2.0
"""Options that set attributes of an image, with the names that ``openstack image`` has for them.

What must live here: options that several commands share. What must not: requests.
"""

from __future__ import annotations

import argparse

from glance_compat.cli import projects
from glance_compat.cli.argument_values import at_least, parse_key_and_value
from glance_compat.cli.usage import argument_type

_VISIBILITIES = {
    "public": "all projects can see and use the image",
    "private": "only the project of the image can see it",
    "community": "all projects can use the image, but it is in no list by default; needs v2",
    "shared": "the image can be shared with other projects; needs v2",
}

#: The attributes, by the name of the parsed option.
_ATTRIBUTES = (
    *("name", "disk_format", "container_format", "min_disk", "min_ram", "protected"),
    *("visibility", "os_hidden", "id"),
)


def add_attributes(parser: argparse.ArgumentParser) -> None:
    """Add the options for attributes that both commands can set."""
    add_formats(parser)
    parser.add_argument(
        "--min-disk",
        metavar="GIB",
        type=argument_type(at_least(0)),
        help="the smallest disk that can boot the image, in GiB",
    )
    parser.add_argument(
        "--min-ram",
        metavar="MIB",
        type=argument_type(at_least(0)),
        help="the smallest memory that can boot the image, in MiB",
    )
    _add_protection(parser)
    _add_visibilities(parser)
    parser.add_argument(
        "--property",
        dest="properties",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        type=argument_type(parse_key_and_value),
        help="a property to set; may be repeated",
    )
    parser.add_argument(
        "--tag",
        dest="tags",
        metavar="TAG",
        action="append",
        default=[],
        help="a tag to add; may be repeated; needs v2",
    )
    parser.add_argument(
        "--project",
        "--owner",
        metavar="PROJECT",
        help="the project that owns the image (name or id); only an admin may choose another one",
    )
    projects.add_domain(parser)


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options for the formats."""
    parser.add_argument(
        "--disk-format", metavar="FORMAT", help="the disk format, such as qcow2 or raw"
    )
    parser.add_argument(
        "--container-format", metavar="FORMAT", help="the container format, such as bare or ova"
    )


def _add_protection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--protected",
        action="store_true",
        default=None,
        help="prevent the image from being deleted",
    )
    group.add_argument(
        "--unprotected",
        dest="protected",
        action="store_false",
        default=None,
        help="allow the image to be deleted",
    )


def _add_visibilities(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    for name, text in _VISIBILITIES.items():
        group.add_argument(
            f"--{name}", dest="visibility", action="store_const", const=name, help=text
        )


def read_attributes(parsed_args: argparse.Namespace) -> dict[str, object]:
    """Return the attributes that the options set, as an argument of ``create`` and ``update``.

    The tags and the project are not among them: they need a request.
    """
    given = {name: getattr(parsed_args, name, None) for name in _ATTRIBUTES}
    meta: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if parsed_args.properties:
        meta["properties"] = dict(parsed_args.properties)
    return meta
