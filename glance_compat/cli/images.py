# SPDX-License-Identifier: Apache-2.0
"""``glance-compat list`` and ``glance-compat show``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne

from glance_compat.cli import cells, cloud
from glance_compat.cli.usage import checked
from glance_compat.metadata import filters
from glance_compat.metadata.fields import FIELDS, Part

_SHORT = ("id", "name", "status")
_LONG = (
    *("id", "name", "status", "size", "disk_format", "container_format", "checksum"),
    *("is_public", "visibility", "protected", "owner", "tags"),
)
#: What ``-c`` may name: all that a list tells of an image.
_ALL = (
    *(field.name for field in FIELDS if field.part is not Part.LOCATIONS),
    *("properties", "shadowed_properties"),
)

#: Options that are one filter each: the option, the filter, the help.
_FILTERS = (
    ("--name", "name", "images of this name"),
    ("--status", "status", "images of this status, for example active"),
    ("--owner", "owner", "images of this project, by its id"),
    ("--disk-format", "disk_format", "images of this disk format"),
    ("--container-format", "container_format", "images of this container format"),
)
_SIZES = (
    ("--size-min", "size_min", "images of at least so many bytes"),
    ("--size-max", "size_max", "images of at most so many bytes"),
)
_SHARES = ("accepted", "pending", "rejected", "all")


class List(Lister):
    """List images.

    All that the caller may see, pending and rejected shares included, whichever API answers.
    ``csv`` and ``value`` are written as the images arrive.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the filters."""
        parser = super().get_parser(prog_name)
        for option, dest, text in _FILTERS:
            parser.add_argument(option, dest=dest, help=text)
        for option, dest, text in _SIZES:
            parser.add_argument(
                option, dest=dest, metavar="BYTES", type=checked(at_least(0)), help=text
            )
        parser.add_argument(
            "--member-status", choices=_SHARES, help="images that are shared with the caller so"
        )
        _add_visibility(parser)
        parser.add_argument(
            "--property",
            dest="properties",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            type=checked(_key_and_value),
            help="images with this property; may be repeated",
        )
        parser.add_argument(
            "--tag", dest="tags", action="append", help="images with this tag; may be repeated"
        )
        parser.add_argument(
            "--hidden", dest="os_hidden", action="store_true", default=None, help="hidden images"
        )
        _add_order(parser)
        parser.add_argument("--long", action="store_true", help="more columns")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns, and rows as they arrive."""
        columns = _ALL if parsed_args.columns else _LONG if parsed_args.long else _SHORT
        keys, directions = zip(*parsed_args.sort, strict=True)
        found = cloud.service_of(self.app.options, extended=True).iter_detail(
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
        """Add the image."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, or its href")
        parser.add_argument(
            "--extended",
            action="store_true",
            help="with what only newer APIs know: visibility, tags, os_hash_value and others",
        )
        parser.add_argument(
            "--locations", action="store_true", help="with locations and direct_url"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the image's keys and values."""
        service = cloud.service_of(self.app.options, extended=parsed_args.extended)
        found = service.show(None, parsed_args.image, include_locations=parsed_args.locations)
        write = cells.form(parsed_args.formatter)
        return tuple(found), [write(value) for value in found.values()]


def _add_visibility(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--public",
        dest="is_public",
        action="store_true",
        default=None,
        help="public images",
    )
    group.add_argument(
        "--not-public",
        dest="is_public",
        action="store_false",
        default=None,
        help="all others; v1 knows no finer difference",
    )
    for name in ("private", "shared", "community"):
        group.add_argument(
            f"--{name}",
            dest="visibility",
            action="store_const",
            const=name,
            help=f"{name} images, where v2 answers",
        )


def _add_order(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sort",
        metavar="KEY[:DIRECTION],...",
        type=checked(_order),
        default="created_at:desc",
        help="the order of the whole list, by one or several of "
        f"{', '.join(sorted(filters.SORT_KEYS))}; asc (default) or desc",
    )
    parser.add_argument(
        "--limit", metavar="NUMBER", type=checked(at_least(0)), help="images in all"
    )
    parser.add_argument("--marker", metavar="IMAGE", help="begin after the image of this id")
    parser.add_argument(
        "--page-size",
        metavar="NUMBER",
        type=checked(at_least(1)),
        help="images in one answer of the server; default: as many as it grants",
    )


def at_least(minimum: int) -> Callable[[str], int]:
    """Read a whole number of at least so much."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < minimum:
            raise ValueError(f"must be a whole number of at least {minimum}, not {text!r}")
        return number

    return read


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
                f"must be KEY, KEY:asc or KEY:desc, the keys being"
                f" {', '.join(sorted(filters.SORT_KEYS))}, not {one!r}"
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
    images: Iterable[dict[str, Any]], columns: Sequence[str], output_format: str
) -> Iterator[list[object]]:
    write = cells.form(output_format)
    return ([write(one[name]) for name in columns] for one in images)
