# SPDX-License-Identifier: Apache-2.0
"""``glance-compat create``."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterable, Sequence

from cliff.show import ShowOne

from glance_compat.cli import cloud, progress, sources
from glance_compat.cli.attributes import add_attributes, read_attributes
from glance_compat.cli.images import LISTED, shown_columns
from glance_compat.cli.imports import add_stores, add_timeout, timeout_of
from glance_compat.cli.usage import UsageError, check_columns
from glance_compat.service import ImageService
from glance_compat.types import Image

LOG = logging.getLogger(__name__)


class Create(ShowOne):
    """Create an image, and upload its data.

    Either the whole image is created, or none: after an error or Ctrl-C it is removed, and if that
    is impossible it is named. Without --file and --import, the image is queued and waits for its
    data.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the name of the new image")
        _add_sources(parser)
        parser.add_argument("--id", metavar="ID", help="the id; default: the server chooses one")
        add_attributes(parser)
        return parser

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[object]]:
        """Create the image; return the names and the values of its attributes."""
        check_columns(parsed_args.columns, LISTED)
        meta = read_attributes(parsed_args)
        if parsed_args.tags:
            meta["tags"] = sorted(set(parsed_args.tags))
        _check_source(parsed_args)
        with self._open_data(parsed_args.file, meta) as data:
            target = cloud.Cloud(self.app.options)
            if parsed_args.project:
                meta["owner"] = target.find_project_id(
                    parsed_args.project, parsed_args.project_domain
                )
            service = target.checked_service(extended=True, **timeout_of(parsed_args))
            image = self._create(service, meta, data, parsed_args)
        LOG.info("Created image %s", image["id"])
        parsed_args.extended = False
        return shown_columns(image, parsed_args)

    def _create(
        self,
        service: ImageService,
        meta: dict[str, object],
        data: sources.Data | None,
        parsed_args: argparse.Namespace,
    ) -> Image:
        if data is None and parsed_args.uri is None:
            return service.create(None, meta)
        if parsed_args.uri is None and not (parsed_args.stores[1:] or parsed_args.all_stores):
            if parsed_args.stores:
                [meta["store"]] = parsed_args.stores
            with progress.transfer(self.app, "Uploading") as report:
                return service.create(None, meta, data, progress=report)
        meta.setdefault("container_format", sources.BARE)
        with progress.transfer(self.app, "Importing") as report:
            return service.import_image(
                None,
                meta,
                uri=parsed_args.uri,
                data=data,
                stores=parsed_args.stores or None,
                all_stores=parsed_args.all_stores,
                wait=parsed_args.wait,
                progress=report,
            )

    def _open_data(
        self, path: str | None, meta: dict[str, object]
    ) -> contextlib.AbstractContextManager[sources.Data | None]:
        return (
            contextlib.nullcontext() if path is None else sources.open_data(self.app, path, meta)
        )


def _add_sources(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--file",
        metavar="PATH",
        help="the file with the data; - is stdin, which is not read otherwise",
    )
    source.add_argument(
        "--import",
        dest="uri",
        metavar="URL",
        help="a URL that the server reads the data from; needs --disk-format",
    )
    add_stores(parser)
    parser.add_argument(
        "--no-wait",
        dest="wait",
        action="store_false",
        help="with --import or several stores: do not wait until the server has the data",
    )
    add_timeout(parser)


def _check_source(parsed_args: argparse.Namespace) -> None:
    has_data = parsed_args.file is not None or parsed_args.uri is not None
    if not has_data and (parsed_args.stores or parsed_args.all_stores):
        raise UsageError("a store is chosen when data is stored: pass --file or --import")
    if parsed_args.uri is not None and not parsed_args.disk_format:
        raise UsageError(
            "--import needs --disk-format: the format is detected only in data that this program"
            " reads"
        )
