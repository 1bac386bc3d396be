# SPDX-License-Identifier: Apache-2.0
"""``glance-compat import``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import typing
from collections.abc import Iterator

from cliff.command import Command

from glance_compat import exceptions
from glance_compat.cli import cloud, progress, sources
from glance_compat.cli.attributes import add_formats
from glance_compat.cli.imports import add_stores, add_timeout, timeout_of
from glance_compat.cli.own_images import add_all_projects
from glance_compat.cli.references import Finder
from glance_compat.cli.usage import UsageError
from glance_compat.service import ImageService
from glance_compat.types import Image

LOG = logging.getLogger(__name__)

_FORMATS = ("disk_format", "container_format")


class Import(Command):
    """Import the data of a queued image, or copy that of an active one to more stores.

    With --uri, the server reads the data. With --file, it is uploaded, and the server stores it in
    all of the stores. With --store or --all-stores alone, the server copies the data that the
    image has. Without --wait, the command ends when the server has accepted the request; but an
    upload into one store is complete when the command ends.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--uri", metavar="URL", help="a URL that the server reads the data from"
        )
        source.add_argument("--file", metavar="PATH", help="the file with the data; - is stdin")
        add_stores(parser)
        add_formats(parser)
        parser.add_argument(
            "--wait",
            action="store_true",
            help="wait until the server has the data; if it cannot get it, the exit code is 1",
        )
        add_timeout(parser)
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Import or copy the data."""
        has_source = parsed_args.uri is not None or parsed_args.file is not None
        if not has_source and not parsed_args.stores and not parsed_args.all_stores:
            raise UsageError(
                "pass --uri or --file for a queued image, --store or --all-stores for an active"
                " one"
            )
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True, **timeout_of(parsed_args))
        finder = Finder(target, service, own_only=not parsed_args.all_projects)
        image = finder.find(parsed_args.image)
        if has_source:
            self._import(service, image, parsed_args)
        else:
            self._copy(service, image["id"], parsed_args)

    def _import(
        self, service: ImageService, image: Image, parsed_args: argparse.Namespace
    ) -> None:
        image_id = image["id"]
        if image["status"] != "queued":
            raise exceptions.ImageNotActive(
                f"image {image_id} is {image['status']}, and only a queued image takes data",
                image_id=image_id,
            )
        known = {name: value for name, value in image.items() if name in _FORMATS and value}
        chosen = {name: value for name in _FORMATS if (value := getattr(parsed_args, name))}
        formats: dict[str, typing.Any] = known | chosen
        several = len(parsed_args.stores) > 1 or parsed_args.all_stores
        with self._open_data(parsed_args.file, formats) as data:
            meta = {name: one for name, one in formats.items() if known.get(name) != one}
            if data is not None and not several:
                if parsed_args.stores:
                    [meta["store"]] = parsed_args.stores
                with progress.transfer(self.app, "Uploading") as report:
                    service.update(None, image_id, meta, data, purge_props=False, progress=report)
                LOG.info("Uploaded the data of image %s", image_id)
                return
            with progress.transfer(self.app, "Importing") as report, _may_go_on(image_id):
                service.import_data(
                    None,
                    image_id,
                    meta,
                    uri=parsed_args.uri,
                    data=data,
                    stores=parsed_args.stores or None,
                    all_stores=parsed_args.all_stores,
                    wait=parsed_args.wait,
                    progress=report,
                )
        LOG.info(
            "Imported the data of image %s"
            if parsed_args.wait
            else "The server imports the data of image %s",
            image_id,
        )

    def _open_data(
        self, path: str | None, formats: dict[str, typing.Any]
    ) -> contextlib.AbstractContextManager[sources.Data | None]:
        if path is not None:
            return sources.open_data(self.app, path, formats)
        formats.setdefault("container_format", sources.BARE)
        if "disk_format" not in formats:
            raise UsageError("--disk-format is needed, because the image has none")
        return contextlib.nullcontext()

    def _copy(self, service: ImageService, image_id: str, parsed_args: argparse.Namespace) -> None:
        with progress.transfer(self.app, "Copying") as report, _may_go_on(image_id):
            service.copy_to_stores(
                None,
                image_id,
                parsed_args.stores or None,
                all_stores=parsed_args.all_stores,
                wait=parsed_args.wait,
                progress=report,
            )
        LOG.info(
            "Copied the data of image %s"
            if parsed_args.wait
            else "The server copies the data of image %s",
            image_id,
        )


@contextlib.contextmanager
def _may_go_on(image_id: str) -> Iterator[None]:
    """Log what an interrupt does not stop."""
    try:
        yield
    except KeyboardInterrupt:
        LOG.warning("The server may go on with image %s", image_id)
        raise
