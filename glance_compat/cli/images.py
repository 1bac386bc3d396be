# SPDX-License-Identifier: Apache-2.0
"""``glance-compat list`` and ``glance-compat show``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne

from glance_compat.cli import cloud, formatting
from glance_compat.cli.usage import argument_type
from glance_compat.metadata import filters
from glance_compat.metadata.fields import SHOWN_FIELDS, Part

_SHORT = ("id", "name", "status")
_LONG = (
    *("id", "name", "status", "size", "disk_format", "container_format", "checksum"),
    *("is_public", "visibility", "protected", "owner", "tags"),
)
#: The columns that can be selected with ``-c``.
_ALL = (
    *(field.name for field in SHOWN_FIELDS if field.part is not Part.LOCATIONS),
    *("properties", "shadowed_properties"),
)

#: Options that set one filter each: the option, the name of the filter, the help text.
_FILTERS = (
    ("--name", "name", "only images with this name"),
    ("--status", "status", "only images with this status, for example active"),
    ("--owner", "owner", "only images of this project (name or id)"),
    ("--disk-format", "disk_format", "only images with this disk format"),
    ("--container-format", "container_format", "only images with this container format"),
)
_SIZES = (
    ("--size-min", "size_min", "only images of at least this size, in bytes"),
    ("--size-max", "size_max", "only images of at most this size, in bytes"),
)
_SHARES = ("accepted", "pending", "rejected", "all")


class List(Lister):
    """List images.

    Lists every image that the user may see, over v1 or v2. This includes images shared with the
    user's project that it has not accepted or has rejected. With the output formats ``csv`` and
    ``value``, each row is written as soon as its image is received.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        for option, dest, text in _FILTERS:
            parser.add_argument(option, dest=dest, help=text)
        for option, dest, text in _SIZES:
            parser.add_argument(
                option, dest=dest, metavar="BYTES", type=argument_type(at_least(0)), help=text
            )
        parser.add_argument(
            "--member-status",
            choices=_SHARES,
            help="only images shared with the user's project whose member status is this",
        )
        _add_visibility(parser)
        parser.add_argument(
            "--property",
            dest="properties",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            type=argument_type(_key_and_value),
            help="only images with this property; may be repeated",
        )
        parser.add_argument(
            "--tag",
            dest="tags",
            action="append",
            help="only images with this tag; may be repeated",
        )
        parser.add_argument(
            "--hidden",
            dest="os_hidden",
            action="store_true",
            default=None,
            help="only hidden images",
        )
        _add_order(parser)
        parser.add_argument("--long", action="store_true", help="show more columns")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column names, and an iterator that requests images and yields the rows."""
        columns = _ALL if parsed_args.columns else _LONG if parsed_args.long else _SHORT
        keys, directions = zip(*parsed_args.sort, strict=True)
        target = cloud.Cloud(self.app.options)
        if parsed_args.owner:
            parsed_args.owner = target.find_project_id(parsed_args.owner)
        found = target.checked_service(extended=True).iter_detail(
            None,
            filters=_filters(parsed_args),
            marker=parsed_args.marker,
            limit=parsed_args.limit,
            page_size=parsed_args.page_size,
            sort_key=keys,
            sort_dir=directions,
        )
        return columns, _rows(found, columns, parsed_args.formatter)


class Show(ShowOne):
    """Show one image."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id or its URL")
        parser.add_argument(
            "--extended",
            action="store_true",
            help="show attributes that only v2 has: visibility, tags, os_hash_value and others",
        )
        parser.add_argument(
            "--locations", action="store_true", help="show locations and direct_url"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the names and the values of the image's attributes."""
        service = cloud.make_service(self.app.options, extended=parsed_args.extended)
        found = service.show(None, parsed_args.image, include_locations=parsed_args.locations)
        write = formatting.formatter_for(parsed_args.formatter)
        return tuple(found), [write(value) for value in found.values()]


def _add_visibility(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--public",
        dest="is_public",
        action="store_true",
        default=None,
        help="only public images",
    )
    group.add_argument(
        "--not-public",
        dest="is_public",
        action="store_false",
        default=None,
        help="only images that are not public",
    )
    for name in ("private", "shared", "community"):
        group.add_argument(
            f"--{name}",
            dest="visibility",
            action="store_const",
            const=name,
            help=f"only {name} images; needs v2",
        )


def _add_order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sort",
        metavar="KEY[:DIRECTION],...",
        type=argument_type(_order),
        default="created_at:desc",
        help="sort the list by one or more of these keys:"
        f" {', '.join(sorted(filters.SORT_KEYS))}; DIRECTION is asc (default) or desc",
    )
    parser.add_argument(
        "--limit",
        metavar="NUMBER",
        type=argument_type(at_least(0)),
        help="list at most this many images",
    )
    parser.add_argument("--marker", metavar="IMAGE", help="start after the image with this id")
    parser.add_argument(
        "--page-size",
        metavar="NUMBER",
        type=argument_type(at_least(1)),
        help="images per request; default: as many as the server allows",
    )


def at_least(minimum: int) -> Callable[[str], int]:
    """Return a function that parses an integer and raises ValueError below a minimum."""

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < minimum:
            raise ValueError(f"must be an integer of at least {minimum}, not {text!r}")
        return number

    return parse


def _key_and_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError(f"must be KEY=VALUE, not {text!r}")
    return key, value


def _order(text: str) -> list[tuple[str, str]]:
    order = []
    for one in text.split(","):
        key, _, direction = one.partition(":")
        if key not in filters.SORT_KEYS or direction not in ("", "asc", "desc"):
            raise ValueError(
                f"must be KEY, KEY:asc or KEY:desc, not {one!r}; valid keys:"
                f" {', '.join(sorted(filters.SORT_KEYS))}"
            )
        order.append((key, direction or "asc"))
    return order


def _filters(parsed_args: argparse.Namespace) -> dict[str, object]:
    names = [dest for _, dest, _ in (*_FILTERS, *_SIZES)]
    names += ["member_status", "is_public", "visibility", "os_hidden"]
    given: dict[str, object] = {name: getattr(parsed_args, name) for name in names}
    given["tag"] = parsed_args.tags
    return given | {
        f"{filters.PROPERTY_PREFIX}{key}": value for key, value in parsed_args.properties
    }


def _rows(
    images: Iterable[Mapping[str, Any]], columns: Sequence[str], output_format: str
) -> Iterator[list[object]]:
    write = formatting.formatter_for(output_format)
    return ([write(one[name]) for name in columns] for one in images)
