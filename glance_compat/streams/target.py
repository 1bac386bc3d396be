# SPDX-License-Identifier: Apache-2.0
"""Where a download is written: a file object of the caller's, or a path.

What must live here: checking what a caller gives, and writing to it. What must not: where the data
comes from and what it must turn out to be (``transfer``).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
import typing
from collections.abc import Iterable, Iterator

from glance_compat import exceptions
from glance_compat.redaction import quote_value

#: Where a download is written. It is entered before any request, so that what cannot be written
#: costs none, and left with the error when the data did not come.
Destination = contextlib.AbstractContextManager[typing.IO[bytes]]


def destination_of(data: object, dst_path: object) -> Destination | None:
    """Check where a caller wants a download.

    :param data: a file object that takes bytes, or None.
    :param dst_path: a path, as text or as an object that has one (PathLike), or None.
    :returns: None if both are.
    :raises glance_compat.exceptions.Invalid: it is neither, or both.
    """
    if data is not None and dst_path is not None:
        raise exceptions.Invalid("give data or dst_path, not both")
    if data is not None:
        return contextlib.nullcontext(_writable(data))
    return None if dst_path is None else _at_path(_path_of(dst_path))


def _writable(data: object) -> typing.IO[bytes]:
    if isinstance(data, io.TextIOBase):
        raise exceptions.Invalid("data is a text stream; image data is bytes: open it with 'wb'")
    if isinstance(data, type) or not callable(getattr(data, "write", None)):
        raise exceptions.Invalid(
            f"data must be a file object to write to, not {type(data).__name__}"
        )
    file = typing.cast(typing.IO[bytes], data)
    if isinstance(data, io.IOBase) and (file.closed or not file.writable()):
        raise exceptions.Invalid("data is a file that is closed or not open for writing")
    return file


def _path_of(dst_path: object) -> str:
    # Not bytes, and never a number: that would be a file descriptor of somebody else's.
    path = os.fspath(dst_path) if isinstance(dst_path, os.PathLike) else dst_path
    if not isinstance(path, str) or not path or "\0" in path:
        raise exceptions.Invalid(f"dst_path must be a path, not {quote_value(dst_path)}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise exceptions.Invalid(
            f"dst_path {quote_value(path)} is no path of this system"
        ) from None
    return path


def write_to_file(blocks: Iterable[bytes], file: typing.IO[bytes]) -> None:
    """Write data into a file object, where it stands.

    :raises OSError: the file does not take it.
    """
    for block in blocks:
        _write(block, file)
    with contextlib.suppress(AttributeError):
        file.flush()


def _write(block: bytes, file: typing.IO[bytes]) -> None:
    """Write a whole block. Of all files only one without a buffer may take a part of it."""
    rest = block
    while rest:
        taken = file.write(rest)
        if not isinstance(file, io.RawIOBase):
            return
        if not taken:
            raise BlockingIOError(errno.EAGAIN, "the file does not take any more")
        rest = rest[taken:]


def write_to_path(blocks: Iterable[bytes], path: str) -> None:
    """Put data at a path so that the path never holds a part of it.

    :raises OSError: the path cannot be written.
    """
    with _at_path(path) as file:
        write_to_file(blocks, file)


@contextlib.contextmanager
def _at_path(path: str) -> Iterator[typing.IO[bytes]]:
    """A file to write in, which the path becomes at the end and never holds a part of.

    It is a new file of mode 0600 beside the path, synchronised, and renamed over it. What is there
    and is not a regular file (a device, a FIFO) is written in place.

    :raises OSError: the path cannot be written.
    """
    if _is_special(path):
        with open(path, "wb") as device:
            yield device
        return
    folder, name = os.path.split(os.path.abspath(path))
    # A name has 255 bytes at most, of which a character may take four.
    part = os.path.join(folder, f".{name[:50]}.{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(part, flags, 0o600), "wb") as file:
            yield file
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        raise
    _synchronise(folder)


def _is_special(path: str) -> bool:
    """Whether something is at a path that no new file can take the place of.

    :raises OSError: it can be no file's path.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.basename(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from None
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return not stat.S_ISREG(mode)


def _synchronise(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
