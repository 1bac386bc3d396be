# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the librbd binding of Ceph 16.2.15."""

from __future__ import annotations

from urllib.parse import quote

from tests.ceph.stand_in.rados import Ioctx, StuckError, text_of_c


class Error(Exception):
    """Base class of the errors; as in the real binding, messages contain the arguments."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class OSError(Error):  # noqa: A001 - the real name
    """An error with errno but without strerror; not a subclass of Python's OSError."""


class PermissionError(OSError):  # noqa: A001 - the real name
    """The user may not read the object (errno 1)."""


class ImageNotFound(OSError):
    """The image or snapshot does not exist (errno 2)."""


class InvalidArgument(OSError):
    """An argument is invalid (errno 22), or the image is closed (no errno)."""


class Timeout(OSError):
    """The operation timed out (errno 110)."""


class Image:
    """An open snapshot, or the current data of an image without a snapshot."""

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
        """Return the available part of the range; an empty part raises an error."""
        self._check()
        self._await(f"operation timeout (error reading {offset}~{length})")
        if offset >= len(self._data):
            raise InvalidArgument(f"RBD invalid argument (error reading {offset}~{length})", 22)
        return self._data[offset : offset + length]

    def _check(self) -> None:
        if not self._is_open:
            raise InvalidArgument("RBD invalid argument (image is closed)")

    def close(self) -> None:
        """Close the image; repeated calls are allowed."""
        self._is_open = False
