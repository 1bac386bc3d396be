# SPDX-License-Identifier: Apache-2.0
"""``glance-compat set`` and ``glance-compat unset``."""

from __future__ import annotations

import argparse
import logging
import typing
from collections.abc import Iterable

from cliff.command import Command

from glance_compat import exceptions
from glance_compat.cli import cloud
from glance_compat.cli.attributes import add_attributes, read_attributes
from glance_compat.cli.own_images import add_all_projects
from glance_compat.cli.references import Finder
from glance_compat.cli.usage import UsageError
from glance_compat.redaction import quote_value
from glance_compat.service import ImageService
from glance_compat.types import ExtendedImage, Image

LOG = logging.getLogger(__name__)


class Set(Command):
    """Set attributes of an image, in one update.

    Other properties and tags are kept. What the API in use does not have is an error, and then
    nothing is changed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        parser.add_argument("--name", metavar="NAME", help="the new name")
        add_attributes(parser)
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            "--hidden",
            dest="os_hidden",
            action="store_true",
            default=None,
            help="leave the image out of lists; needs v2.7",
        )
        group.add_argument(
            "--unhidden",
            dest="os_hidden",
            action="store_false",
            default=None,
            help="show the image in lists",
        )
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Change the image."""
        meta = read_attributes(parsed_args)
        if not meta and not parsed_args.tags and parsed_args.project is None:
            raise UsageError("nothing to set: pass an option such as --name or --property")
        target = cloud.Cloud(self.app.options)
        if parsed_args.project is not None:
            meta["owner"] = target.find_project_id(parsed_args.project, parsed_args.project_domain)
        service, image = _find(target, parsed_args)
        if parsed_args.tags:
            meta["tags"] = sorted({*(_tags_of(image) or ()), *parsed_args.tags})
        service.update(None, image["id"], meta, purge_props=False)
        LOG.info("Set %s of image %s", ", ".join(sorted(meta)), image["id"])


class Unset(Command):
    """Remove properties and tags of an image, in one update.

    If the image lacks one of them, that is an error, and then nothing is changed.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        parser.add_argument(
            "--property",
            dest="properties",
            metavar="KEY",
            action="append",
            default=[],
            help="a property to remove; may be repeated",
        )
        parser.add_argument(
            "--tag",
            dest="tags",
            metavar="TAG",
            action="append",
            default=[],
            help="a tag to remove; may be repeated; needs v2",
        )
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Change the image."""
        if not parsed_args.properties and not parsed_args.tags:
            raise UsageError("nothing to unset: pass --property KEY or --tag TAG")
        service, image = _find(cloud.Cloud(self.app.options), parsed_args)
        meta: dict[str, object] = {}
        if parsed_args.tags:
            tags = _tags_of(image)
            if tags is None:
                # v1 has no tags: this raises the error that says so.
                service.remove_tag(None, image["id"], parsed_args.tags[0])
            _check_present(image, "tag", parsed_args.tags, tags or ())
            meta["tags"] = [one for one in tags or () if one not in parsed_args.tags]
        if parsed_args.properties:
            properties = image["properties"]
            _check_present(image, "property", parsed_args.properties, properties)
            meta["properties"] = {
                key: one for key, one in properties.items() if key not in parsed_args.properties
            }
        service.update(None, image["id"], meta, purge_props=bool(parsed_args.properties))
        LOG.info("Removed properties or tags of image %s", image["id"])


def _find(target: cloud.Cloud, parsed_args: argparse.Namespace) -> tuple[ImageService, Image]:
    service = target.checked_service(extended=True)
    finder = Finder(target, service, own_only=not parsed_args.all_projects)
    return service, finder.find(parsed_args.image)


def _tags_of(image: Image) -> list[str] | None:
    return typing.cast("ExtendedImage", image)["tags"]


def _check_present(image: Image, what: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Raise an exception if the image lacks one of its properties or tags.

    :raises glance_compat.exceptions.Invalid: it lacks one.
    """
    missing = ", ".join(quote_value(one) for one in wanted if one not in known)
    if missing:
        raise exceptions.Invalid(
            f"image {image['id']} has no {what} {missing}, and nothing was changed;"
            f" glance-compat show {image['id']} shows what it has"
        )
