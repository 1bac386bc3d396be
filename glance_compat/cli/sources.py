# SPDX-License-Identifier: Apache-2.0
"""The data that a command uploads: a file or stdin, and the format of its content.

What must live here: opening the data, and the formats that follow from it. What must not:
requests.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import typing
from collections.abc import Iterable, Iterator, MutableMapping

from cliff.app import App

from glance_compat import exceptions
from glance_compat.cli.argument_values import STANDARD
from glance_compat.cli.usage import UsageError
from glance_compat.redaction import quote_value
from glance_compat.streams import streams

BARE = "bare"

Data = typing.IO[bytes] | Iterable[bytes]


@contextlib.contextmanager
def open_data(app: App, path: str, meta: MutableMapping[str, object]) -> Iterator[Data]:
    """Open the data, and add to the metadata the formats that it does not have.

    :param path: the path of a file; "-" is stdin.
    :param meta: the attributes of the image; ``disk_format`` and ``container_format`` are added.
    :returns: a context manager for the data.
    :raises glance_compat.exceptions.DataSourceError: the file cannot be read, or is empty.
    :raises glance_compat.cli.usage.UsageError: the disk format must be set.
    """
    with _open_source(app, path) as source:
        data, head = _peek(source)
        if not head:
            where = "stdin" if path == STANDARD else quote_value(path)
            raise exceptions.DataSourceError(
                f"{where} holds no data; leave out --file to create a queued image"
            )
        meta.setdefault("container_format", BARE)
        if "disk_format" not in meta:
            meta["disk_format"] = _detect(app, head, str(meta["container_format"]))
        yield data


@contextlib.contextmanager
def _open_source(app: App, path: str) -> Iterator[typing.IO[bytes]]:
    if path == STANDARD:
        if app.stdin.isatty():
            raise UsageError("--file - reads stdin, but that is a terminal: pipe the data in")
        yield typing.cast(typing.TextIO, app.stdin).buffer
    else:
        with _open_file(path) as file:
            yield file


def _open_file(path: str) -> typing.IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise exceptions.DataSourceError(
            f"cannot read {quote_value(path)}: {error.strerror}"
        ) from error
    except ValueError as error:
        raise exceptions.DataSourceError(f"cannot read {quote_value(path)}: {error}") from error


def _peek(source: typing.IO[bytes]) -> tuple[Data, bytes]:
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


def _detect(app: App, head: bytes, container_format: str) -> str:
    if container_format != BARE:
        raise UsageError(
            "--disk-format is needed, because the disk is inside of a container"
            f" ({quote_value(container_format)})"
        )
    try:
        found = streams.detect_format(head)
    except exceptions.ImageUnacceptable as error:
        raise UsageError(f"--disk-format is needed: {error}") from error
    known = "the content" if found != "raw" else "the content has no other known format"
    if app.options.verbose_level:
        app.stderr.write(f"disk_format: {found} ({known}; --disk-format overrides it)\n")
    return found
