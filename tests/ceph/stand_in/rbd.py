# SPDX-License-Identifier: Apache-2.0
"""Stands in for librbd's binding of Ceph 16.2.15."""

from __future__ import annotations

from urllib.parse import quote

from tests.ceph.stand_in.rados import Ioctx, StuckError, text_of_c


class Error(Exception):
    """Its texts hold what was asked for, as the real ones do."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class OSError(Error):  # noqa: A001 - the real name
    """No kin of Python's own OSError; it has an errno and no strerror."""


class PermissionError(OSError):  # noqa: A001 - the real name
    """1."""


class ImageNotFound(OSError):
    """2."""


class InvalidArgument(OSError):
    """22; of a closed image, no number."""


class Timeout(OSError):
    """110."""


class Image:
    """An open snapshot, or without one what the image holds now."""

    def __init__(
        self, ioctx: Ioctx, name: str, snapshot: str | None = None, read_only: bool = False
    ) -> None:
        what = f"(error opening image {name!r} at snapshot {snapshot!r})"
        try:
            names = [text_of_c(name), *filter(None, [text_of_c(snapshot or "")])]
        except UnicodeEncodeError as error:
            raise StuckError("the process would end by a segmentation fault") from error
        self._ioctx = ioctx
        self._is_open = True
        self._await("operation timeout " + what)
        if not (ioctx.may_be_read and read_only):
            raise PermissionError(f"RBD permission error {what}", 1)
        if len(names[0]) > 4096:
            raise OSError(what, 36)
        path = ioctx.folder / quote("@".join(names), safe="@")
        if len(path.name) > 255 or not path.exists():
            raise ImageNotFound(f"RBD image not found {what}", 2)
        self._data = path.read_bytes()

    def _await(self, what: str) -> None:
        if (self._ioctx.cluster.folder / "silent-storage").exists():
            self._ioctx.cluster.wait("rados_osd_op_timeout")
            raise Timeout(f"RBD {what}", 110)

    def size(self) -> int:
        self._check()
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """As much as there is of that; nothing is an error."""
        self._check()
        self._await(f"operation timeout (error reading {offset}~{length})")
        if offset >= len(self._data):
            raise InvalidArgument(f"RBD invalid argument (error reading {offset}~{length})", 22)
        return self._data[offset : offset + length]

    def _check(self) -> None:
        if not self._is_open:
            raise InvalidArgument("RBD invalid argument (image is closed)")

    def close(self) -> None:
        """It may be repeated."""
        self._is_open = False
