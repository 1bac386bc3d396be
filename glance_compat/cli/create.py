# SPDX-License-Identifier: Apache-2.0
"""``glance-compat create``."""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import logging
import typing
from collections.abc import Iterable, Iterator, Sequence

from cliff.show import ShowOne

from glance_compat import exceptions
from glance_compat.cli import cloud, progress
from glance_compat.cli.argument_values import STANDARD
from glance_compat.cli.attributes import add_attributes, read_attributes
from glance_compat.cli.images import LISTED, shown_columns
from glance_compat.cli.usage import UsageError, check_columns
from glance_compat.redaction import quote_value
from glance_compat.streams import streams

LOG = logging.getLogger(__name__)

_BARE = "bare"


class Create(ShowOne):
    """Create an image, and upload its data.

    Either the whole image is created, or none: after an error or Ctrl-C it is removed, and if that
    is impossible it is named. Without --file, the image is queued and waits for its data.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", metavar="NAME", help="the name of the new image")
        parser.add_argument(
            "--file",
            metavar="PATH",
            help="the file with the data; - is stdin, which is not read otherwise",
        )
        parser.add_argument("--id", metavar="ID", help="the id; default: the server chooses one")
        parser.add_argument("--store", metavar="STORE", help="the store of the data")
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
        with self._open_source(parsed_args.file) as source:
            data = None if source is None else self._prepare(source, parsed_args, meta)
            target = cloud.Cloud(self.app.options)
            if parsed_args.project:
                meta["owner"] = target.find_project_id(parsed_args.project)
            service = target.checked_service(extended=True)
            if data is None:
                image = service.create(None, meta)
            else:
                with progress.transfer(self.app, "Uploading") as report:
                    image = service.create(None, meta, data, progress=report)
        LOG.info("Created image %s", image["id"])
        parsed_args.extended = False
        return shown_columns(image, parsed_args)

    @contextlib.contextmanager
    def _open_source(self, path: str | None) -> Iterator[typing.IO[bytes] | None]:
        if path is None:
            yield None
        elif path == STANDARD:
            if self.app.stdin.isatty():
                raise UsageError("--file - reads stdin, but that is a terminal: pipe the data in")
            yield typing.cast(typing.TextIO, self.app.stdin).buffer
        else:
            with _open_file(path) as file:
                yield file

    def _prepare(
        self,
        source: typing.IO[bytes],
        parsed_args: argparse.Namespace,
        meta: dict[str, object],
    ) -> typing.IO[bytes] | Iterable[bytes]:
        """Return the data to upload, and add to meta the formats that were not chosen."""
        data, head = _peek(source)
        if not head:
            where = "stdin" if parsed_args.file == STANDARD else quote_value(parsed_args.file)
            raise exceptions.DataSourceError(
                f"{where} holds no data; leave out --file to create a queued image"
            )
        meta.setdefault("container_format", _BARE)
        if "disk_format" not in meta:
            meta["disk_format"] = self._detect(head, str(meta["container_format"]))
        return data

    def _detect(self, head: bytes, container_format: str) -> str:
        if container_format != _BARE:
            raise UsageError(
                "--disk-format is needed, because the disk is inside of a container"
                f" ({quote_value(container_format)})"
            )
        try:
            found = streams.detect_format(head)
        except exceptions.ImageUnacceptable as error:
            raise UsageError(f"--disk-format is needed: {error}") from error
        known = "the content" if found != "raw" else "the content has no other known format"
        if self.app.options.verbose_level:
            self.app.stderr.write(f"disk_format: {found} ({known}; --disk-format overrides it)\n")
        return found


def _open_file(path: str) -> typing.IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise exceptions.DataSourceError(
            f"cannot read {quote_value(path)}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise exceptions.DataSourceError(f"cannot read {quote_value(path)}: {error}") from error


def _peek(source: typing.IO[bytes]) -> tuple[typing.IO[bytes] | Iterable[bytes], bytes]:
    """Return the whole data, and its first bytes.

    The data of a file can be sent again on a retry; that of a pipe only if all of it was read.
    """
    seekable = source.seekable()
    start = source.tell() if seekable else 0
    head = source.read(streams.HEAD_BYTES)
    if seekable:
        source.seek(start)
        return source, head
    if len(head) < streams.HEAD_BYTES:
        return io.BytesIO(head), head
    blocks = iter(lambda: source.read(streams.BLOCK_BYTES), b"")
    return itertools.chain([head], blocks), head
