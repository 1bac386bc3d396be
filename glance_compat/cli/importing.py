# SPDX-License-Identifier: Apache-2.0
"""``glance-compat import``."""

from __future__ import annotations

import argparse
import logging

from cliff.command import Command

from glance_compat import exceptions
from glance_compat.cli import cloud, progress, sources
from glance_compat.cli.own_images import add_all_projects
from glance_compat.cli.references import Finder

LOG = logging.getLogger(__name__)


class Import(Command):
    """Upload the data of a queued image, or copy that of an active one to more stores.

    With --store, the command ends when the server has accepted the request. To let the server read
    the data of a new image from a URL, use create --import.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        group = parser.add_mutually_exclusive_group(required=True)
        group.add_argument(
            "--file", metavar="PATH", help="the file with the data of a queued image; - is stdin"
        )
        group.add_argument(
            "--store",
            dest="stores",
            metavar="STORE",
            action="append",
            help="a store to copy the data to; may be repeated; needs v2.10",
        )
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Upload or copy the data."""
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        finder = Finder(target, service, own_only=not parsed_args.all_projects)
        image = finder.find(parsed_args.image)
        image_id = image["id"]
        if parsed_args.stores:
            service.copy_to_stores(None, image_id, parsed_args.stores)
            LOG.info("The server copies the data of image %s", image_id)
            return
        if image["status"] != "queued":
            raise exceptions.ImageNotActive(
                f"image {image_id} is {image['status']}, and only a queued image takes data",
                image_id=image_id,
            )
        formats = {
            name: value
            for name, value in image.items()
            if name in ("disk_format", "container_format") and value is not None
        }
        missing: dict[str, object] = dict(formats)
        with (
            sources.open_data(self.app, parsed_args.file, missing) as data,
            progress.transfer(self.app, "Uploading") as report,
        ):
            changed = {name: one for name, one in missing.items() if name not in formats}
            service.update(None, image_id, changed, data, purge_props=False, progress=report)
        LOG.info("Uploaded the data of image %s", image_id)
