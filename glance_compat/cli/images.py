# SPDX-License-Identifier: Apache-2.0
"""``glance-compat list`` and ``glance-compat show``."""

from __future__ import annotations

import argparse
import itertools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cliff.formatters.base import ListFormatter, SingleFormatter
from cliff.lister import Lister
from cliff.show import ShowOne

from glance_compat.cli import cloud, formatting, projects
from glance_compat.cli.argument_values import (
    at_least,
    parse_after,
    parse_age,
    parse_before,
    parse_key_and_value,
    parse_size,
)
from glance_compat.cli.references import Finder, for_each_image
from glance_compat.cli.usage import UsageError, argument_type, check_columns
from glance_compat.metadata import filters
from glance_compat.metadata.converters import STATUSES
from glance_compat.metadata.fields import SHOWN_FIELDS, Part
from glance_compat.types import Image

_SHORT = ("id", "name", "status")
_LONG = (
    *("id", "name", "status", "size", "disk_format", "container_format", "checksum"),
    *("is_public", "visibility", "protected", "owner", "tags"),
)
#: The columns that ``list -c`` can select.
LISTED = (
    *(field.name for field in SHOWN_FIELDS if field.part is not Part.LOCATIONS),
    *("properties", "shadowed_properties"),
)
_LOCATIONS = tuple(field.name for field in SHOWN_FIELDS if field.part is Part.LOCATIONS)
#: The columns that ``show -c`` can select.
_SHOWN = (*LISTED, *_LOCATIONS)
#: The columns that ``show`` shows only with ``--extended``.
_EXTENDED = frozenset({"virtual_size", "os_hash_algo", "os_hash_value", "shadowed_properties"})

#: Options that set one filter each: the option, the name of the filter, the help text.
_FILTERS = (
    ("--name", "name", "only images with this name"),
    ("--disk-format", "disk_format", "only images with this disk format"),
    ("--container-format", "container_format", "only images with this container format"),
)
_SIZES = (
    ("--size-min", "size_min", "only images of at least this size: bytes, or such as 2GiB"),
    ("--size-max", "size_max", "only images of at most this size: bytes, or such as 2GiB"),
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
                option, dest=dest, metavar="SIZE", type=argument_type(parse_size), help=text
            )
        parser.add_argument(
            "--status",
            choices=STATUSES,
            metavar="STATUS",
            help=f"only images with this status: {', '.join(STATUSES)}",
        )
        _add_projects(parser)
        _add_ages(parser)
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
            type=argument_type(parse_key_and_value),
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
        check_columns(parsed_args.columns, LISTED)
        columns = LISTED if parsed_args.columns else _LONG if parsed_args.long else _SHORT
        keys, directions = zip(*parsed_args.sort, strict=True)
        target = cloud.Cloud(self.app.options)
        parsed_args.owner = _find_owner(target, parsed_args)
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
    """Show images.

    Several images are a list in the formats json and yaml, and follow each other in the others. If
    an image cannot be shown, the error is reported, the others are shown, and the exit code is 1.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "images", metavar="IMAGE", nargs="+", help="the image's id, URL or exact name"
        )
        parser.add_argument(
            "--extended",
            action="store_true",
            help="also show virtual_size, os_hash_algo, os_hash_value and shadowed_properties",
        )
        parser.add_argument(
            "--locations", action="store_true", help="show locations and direct_url"
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Show the images; return 1 if one of them failed, else 0."""
        if len(parsed_args.images) == 1:
            return super().run(parsed_args)
        if parsed_args.formatter == "shell":
            # The variables of each image would replace those of the one before.
            raise UsageError("-f shell can show only one image; use -f json for several")
        self.formatter = typing.cast(
            "SingleFormatter", self._formatter_plugins[parsed_args.formatter].obj
        )
        finder = self._create_finder(parsed_args)
        found: list[Image] = []
        results = list(
            for_each_image(
                self.app, parsed_args.images, lambda one: found.append(finder.find(one))
            )
        )
        self._show_several(found, parsed_args)
        return 0 if all(results) else 1

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the names and the values of the image's attributes."""
        [reference] = parsed_args.images
        image = self._create_finder(parsed_args).find(reference)
        return shown_columns(image, parsed_args)

    def _create_finder(self, parsed_args: argparse.Namespace) -> Finder:
        check_columns(parsed_args.columns, _SHOWN)
        parsed_args.locations |= any(one in _LOCATIONS for one in parsed_args.columns)
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        return Finder(target, service, include_locations=parsed_args.locations)

    def _show_several(self, images: Sequence[Image], parsed_args: argparse.Namespace) -> None:
        if parsed_args.formatter not in ("json", "yaml"):
            for image in images:
                self.produce_output(parsed_args, *shown_columns(image, parsed_args))
            return
        rows = [shown_columns(image, parsed_args) for image in images]
        names = rows[0][0] if rows else _SHOWN
        names, selector = self._generate_columns_and_selector(parsed_args, names)
        # cliff's formatters for JSON and YAML write lists as well.
        typing.cast("ListFormatter", self.formatter).emit_list(
            names,
            [list(itertools.compress(row, selector or itertools.repeat(1))) for _, row in rows],
            self.app.stdout,
            parsed_args,
        )


def shown_columns(
    image: Image, parsed_args: argparse.Namespace
) -> tuple[Sequence[str], Sequence[object]]:
    """Return the names and the values of an image's attributes.

    :param image: an extended image dict.
    :param parsed_args: the options of :class:`Show`.
    """
    hidden = frozenset() if parsed_args.extended or parsed_args.columns else _EXTENDED
    shown = {name: value for name, value in image.items() if name not in hidden}
    write = formatting.formatter_for(parsed_args.formatter)
    return tuple(shown), [write(value) for value in shown.values()]


def _find_owner(target: cloud.Cloud, parsed_args: argparse.Namespace) -> str | None:
    if parsed_args.own:
        project_id = target.own_project_id()
        if project_id is None:
            raise UsageError(
                "--own needs credentials of a project, and these do not tell which one; use"
                " --owner PROJECT"
            )
        return project_id
    return (
        target.find_project_id(parsed_args.owner, parsed_args.project_domain)
        if parsed_args.owner
        else None
    )


def _add_projects(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--owner", "--project", metavar="PROJECT", help="only images of this project (name or id)"
    )
    group.add_argument("--own", action="store_true", help="only images of the user's own project")
    group.add_argument(
        "--all-projects",
        action="store_true",
        help="images of all projects that the user may see; this is the default",
    )
    projects.add_domain(parser)


def _add_ages(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--created-before",
        dest="created_at",
        metavar="TIME",
        type=argument_type(parse_before),
        help="only images created before this ISO 8601 date or time; UTC, unless it has an offset",
    )
    group.add_argument(
        "--created-after",
        dest="created_at",
        metavar="TIME",
        type=argument_type(parse_after),
        help="only images created after this time",
    )
    group.add_argument(
        "--older-than",
        dest="created_at",
        metavar="AGE",
        type=argument_type(parse_age),
        help="only images created longer ago than this, such as 90m, 12h, 30d or 8w",
    )


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
    names += [
        "status",
        "owner",
        "created_at",
        "member_status",
        "is_public",
        "visibility",
        "os_hidden",
    ]
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
