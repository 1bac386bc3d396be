# SPDX-License-Identifier: Apache-2.0
"""``glance-compat copy`` and ``glance-compat sync``."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.lister import Lister
from cliff.show import ShowOne

from glance_compat import exceptions
from glance_compat.cli import cloud, formatting, other_cloud, progress
from glance_compat.cli.argument_values import at_least, parse_key_and_value, parse_size
from glance_compat.cli.cloud import Cloud
from glance_compat.cli.images import LISTED, shown_columns
from glance_compat.cli.references import Finder
from glance_compat.cli.several_bars import transfers
from glance_compat.cli.usage import UsageError, argument_type, check_columns
from glance_compat.copying import Report, Step, copy_image, plan, sync
from glance_compat.copying.choices import SOURCE_PROPERTY, Choices

LOG = logging.getLogger(__name__)

#: The exit code if an image was refused, and nothing failed.
EXIT_REFUSED = 3

_COLUMNS = ("action", "source_id", "target_id", "name", "reason")


class Copy(ShowOne):
    """Copy an image to another cloud.

    The data is sent on as it arrives, and compared with the checksums of both clouds. If the
    target has a copy already, it is shown, and no data is sent. If the target cannot store the
    metadata, nothing is sent, and the exit code is 3.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            "--id",
            metavar="ID",
            help="the id of the copy; default: that of the image, or another one if the target has"
            " used it",
        )
        group.add_argument(
            "--keep-id",
            action="store_true",
            help="fail if the target has used the id of the image",
        )
        _add_choices(parser)
        other_cloud.add_options(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Copy the image, and show the copy; return 3 if it was refused."""
        try:
            return super().run(parsed_args)
        except exceptions.Invalid as error:
            # Its subclasses are about arguments, or come from a server.
            if type(error) is not exceptions.Invalid:
                raise
            LOG.error("%s", error)
            return EXIT_REFUSED

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Copy the image; return the names and the values of the copy's attributes."""
        check_columns(parsed_args.columns, LISTED)
        source = cloud.Cloud(self.app.options)
        target = other_cloud.select(self.app.options, parsed_args)
        context = other_cloud.read_context(parsed_args)
        service = source.checked_service(extended=True)
        image = Finder(source, service).find(parsed_args.image)
        with progress.transfer(self.app, "Copying") as report:
            copied = copy_image(
                service,
                image["id"],
                target.checked_service(extended=True),
                target_context=context,
                id=image["id"] if parsed_args.keep_id else parsed_args.id,
                progress=report,
                **_choices_of(parsed_args),
            )
        LOG.info("Copied image %s", image["id"])
        parsed_args.extended = False
        return shown_columns(copied, parsed_args)


class Sync(Lister):
    """Copy the images of a cloud that another cloud does not have.

    The table shows what was done for each image: copy, update, present (nothing to do), refused
    (the target cannot store it), skipped, or failed. A failure does not stop the other images. A
    second run does what is left. The exit code is 1 if an image failed, and 3 if one was refused
    and none failed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--dry-run", action="store_true", help="show the plan, and change nothing"
        )
        parser.add_argument(
            "--workers",
            metavar="NUMBER",
            type=argument_type(at_least(1)),
            default=4,
            help="images that are copied at a time; default: 4",
        )
        _add_filters(parser)
        _add_choices(parser)
        other_cloud.add_options(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the rows; return the exit code described at :class:`Sync`."""
        self._code = 0
        super().run(parsed_args)
        return self._code

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Plan and copy; return the column names and the rows."""
        check_columns(parsed_args.columns, _COLUMNS)
        source = cloud.Cloud(self.app.options)
        target = other_cloud.select(self.app.options, parsed_args)
        steps = plan(
            source.checked_service(),
            target.checked_service(),
            target_context=other_cloud.read_context(parsed_args),
            filters=_filters_of(source, parsed_args),
            **_choices_of(parsed_args),
        )
        report = Report(tuple(steps), {})
        if not parsed_args.dry_run:
            with transfers(self.app) as show:
                report = sync(
                    steps,
                    workers=parsed_args.workers,
                    progress=show and (lambda step, *counts: show(step.source_id, *counts)),
                )
        refused = any(one.action == "refused" for one in report.steps)
        self._code = 1 if report.failed else EXIT_REFUSED if refused else 0
        write = formatting.formatter_for(parsed_args.formatter)
        return _COLUMNS, [[write(one) for one in _row(step, report)] for step in report.steps]


def _row(step: Step, report: Report) -> tuple[object, ...]:
    name = step.job.image["name"] if step.job else None
    error = report.failed.get(step.source_id)
    if error is not None:
        return "failed", step.source_id, None, name, str(error)
    return step.action, step.source_id, step.target_id, name, step.reason


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--visibility",
        choices=("keep", "private"),
        default="keep",
        help="keep: that of the source; private: copies are private; default: keep",
    )
    parser.add_argument(
        "--no-properties",
        dest="with_properties",
        action="store_false",
        help="do not copy properties",
    )
    parser.add_argument(
        "--no-tags", dest="with_tags", action="store_false", help="do not copy tags"
    )
    parser.add_argument(
        "--member",
        dest="members",
        metavar="SOURCE=TARGET",
        type=argument_type(parse_key_and_value),
        action="append",
        help="share copies of images that are shared with the project with the id SOURCE with the"
        " target's project with the id TARGET; may be repeated",
    )
    parser.add_argument(
        "--decode",
        action="store_true",
        help="decode names and values that glanceclient has percent-encoded",
    )
    parser.add_argument(
        "--update", action="store_true", help="change the metadata of copies that differ"
    )
    parser.add_argument(
        "--source-property",
        metavar="NAME",
        default=SOURCE_PROPERTY,
        help=f"the property of a copy that has the id of its source; default: {SOURCE_PROPERTY}",
    )


def _choices_of(parsed_args: argparse.Namespace) -> dict[str, Any]:
    choices: dict[str, Any] = {
        "visibility": parsed_args.visibility,
        "properties": parsed_args.with_properties,
        "tags": parsed_args.with_tags,
        "members": dict(parsed_args.members) if parsed_args.members else None,
        "decode": parsed_args.decode,
        "update": parsed_args.update,
        "source_property": parsed_args.source_property,
    }
    try:
        Choices(**choices)
    except exceptions.Invalid as error:
        raise UsageError(str(error)) from error
    return choices


def _add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "filters", "Without a filter: all images that the user sees, without hidden ones."
    )
    group.add_argument(
        "--owner", metavar="PROJECT", help="only images of this project (name or id)"
    )
    group.add_argument("--name", help="only images with this name")
    group.add_argument("--disk-format", help="only images with this disk format")
    for option in ("--size-min", "--size-max"):
        word = "least" if option.endswith("min") else "most"
        group.add_argument(
            option,
            metavar="SIZE",
            type=argument_type(parse_size),
            help=f"only images of at {word} this size: bytes, or such as 2GiB",
        )
    group.add_argument("--tag", help="only images with this tag")
    group.add_argument(
        "--property",
        dest="filter_properties",
        metavar="KEY=VALUE",
        type=argument_type(parse_key_and_value),
        action="append",
        help="only images with this property; may be repeated",
    )
    group.add_argument("--hidden", action="store_true", help="only hidden images")


def _filters_of(source: Cloud, parsed_args: argparse.Namespace) -> dict[str, object]:
    owner = source.find_project_id(parsed_args.owner) if parsed_args.owner else None
    return {
        "owner": owner,
        "name": parsed_args.name,
        "disk_format": parsed_args.disk_format,
        "size_min": parsed_args.size_min,
        "size_max": parsed_args.size_max,
        "tag": parsed_args.tag,
        "os_hidden": parsed_args.hidden or None,
        **{f"property-{name}": value for name, value in parsed_args.filter_properties or ()},
    }
