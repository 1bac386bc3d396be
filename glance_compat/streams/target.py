# SPDX-License-Identifier: Apache-2.0
"""Write a download to the caller's file object, or to a path.

What must live here: the check of both, and writing. What must not: where the data comes from, and
its verification (``streams``).
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

#: Where a download is written. It is entered before any request, so that an unwritable file costs
#: no request, and left with the error if the download fails.
Destination = contextlib.AbstractContextManager[typing.IO[bytes]]


def check_destination(data: object, dst_path: object) -> Destination | None:
    """Check where to write a download.

    :param data: a file object for bytes, or None.
    :param dst_path: a path (str or PathLike), or None.
    :returns: None if both are None.
    :raises glance_compat.exceptions.Invalid: one is invalid, or both are set.
    """
    if data is not None and dst_path is not None:
        raise exceptions.Invalid("data and dst_path are both set; pass only one of them")
    if data is not None:
        return contextlib.nullcontext(_check_writable(data))
    return None if dst_path is None else _open_path(_check_path(dst_path))


def _check_writable(data: object) -> typing.IO[bytes]:
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


def _check_path(dst_path: object) -> str:
    # Not bytes, and never a number, which would be an open file descriptor.
    path = os.fspath(dst_path) if isinstance(dst_path, os.PathLike) else dst_path
    if not isinstance(path, str) or not path or "\0" in path:
        raise exceptions.Invalid(f"dst_path must be a path, not {quote_value(dst_path)}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise exceptions.Invalid(
            f"dst_path {quote_value(path)} is not a valid path on this system"
        ) from None
    return path


def write_to_file(blocks: Iterable[bytes], file: typing.IO[bytes]) -> None:
    """Write data to a file object, at its current position.

    :raises OSError: the file cannot be written.
    """
    for block in blocks:
        _write(block, file)
    with contextlib.suppress(AttributeError):
        file.flush()


def _write(block: bytes, file: typing.IO[bytes]) -> None:
    """Write a whole block; only an unbuffered file may write a part of it."""
    rest = block
    while rest:
        taken = file.write(rest)
        if not isinstance(file, io.RawIOBase):
            return
        if not taken:
            raise BlockingIOError(errno.EAGAIN, "the file accepts no more data")
        rest = rest[taken:]


def write_to_path(blocks: Iterable[bytes], path: str) -> None:
    """Write data to a path, so that the path never has only a part of it.

    :raises OSError: the path cannot be written.
    """
    with _open_path(path) as file:
        write_to_file(blocks, file)


@contextlib.contextmanager
def _open_path(path: str) -> Iterator[typing.IO[bytes]]:
    """Open a new file that replaces the path at the end, so that it never has a partial file.

    The file has mode 0600, is in the same folder, and is synced before it is renamed. A device or
    a FIFO is written directly.

    :raises OSError: the path cannot be written.
    """
    if _is_special(path):
        with open(path, "wb") as device:
            yield device
        return
    folder, name = os.path.split(os.path.abspath(path))
    # A name has at most 255 bytes, and a character up to four.
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
    _sync_folder(folder)


def _is_special(path: str) -> bool:
    """Whether a path is a device, a FIFO or the like, which a new file must not replace.

    :raises OSError: the path cannot be that of a file.
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


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
