# SPDX-License-Identifier: Apache-2.0
"""The part of an image that an earlier, interrupted download has left beside its path.

What must live here: opening such a part safely, and reading its data. What must not: its name, and
the file that replaces the path in the end (see ``target``), and requests.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import typing
from collections.abc import Iterator

from glance_compat.streams.streams import BLOCK_BYTES


class Part:
    """The data in an open file that an earlier download has received.

    :param file: the file, open for reading and writing.
    """

    def __init__(self, file: typing.IO[bytes]) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def blocks(self) -> Iterator[bytes]:
        """Yield the data, without a change of the file's position.

        :raises OSError: the file cannot be read.
        """
        position = 0
        while block := os.pread(
            self._file.fileno(), min(BLOCK_BYTES, self.size - position), position
        ):
            yield block
            position += len(block)

    def discard(self) -> None:
        """Remove the data, because it cannot be continued.

        :raises OSError: the file cannot be written.
        """
        self._file.seek(0)
        self._file.truncate()
        self.size = 0


def open_part(path: str) -> typing.IO[bytes] | None:
    """Open the part of an earlier download, and lock it.

    Another user may have created a file of this name, or a hard link to a file of this user, to
    get at its data or to have it overwritten. So only a regular file with one name is used that
    this user owns, and that no other user may read or write.

    :returns: the open file; None if there is no such file, or if it cannot be locked, because
        another download is writing it or the file system has no locks.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        file = stack.enter_context(open(os.open(path, flags), "r+b"))
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(file.fileno())
        if _is_private(found) and os.path.samestat(os.lstat(path), found):
            stack.pop_all()
            return file
    return None


def _is_private(found: os.stat_result) -> bool:
    return (
        stat.S_ISREG(found.st_mode)
        and stat.S_IMODE(found.st_mode) == 0o600
        and found.st_uid == os.geteuid()
        and found.st_nlink == 1
    )
