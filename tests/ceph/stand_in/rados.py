# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the librados binding of Ceph 16.2.15."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path


class Error(Exception):
    """Base class of the errors; as in the real binding, messages contain the arguments."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class OSError(Error):  # noqa: A001 - the real name
    """An error with errno but without strerror; not a subclass of Python's OSError."""


class ObjectNotFound(OSError):
    """The object does not exist (errno 2)."""


class TimedOut(OSError):
    """The operation timed out (errno 110)."""


class InvalidArgumentError(Error):
    """An argument is invalid (errno 22)."""


class StuckError(BaseException):
    """Raised where the real binding would hang, or abort the process."""


def text_of_c(name: str) -> str:
    """Return a name as C reads it; a lone surrogate raises UnicodeEncodeError."""
    return name.encode("utf-8").partition(b"\0")[0].decode()


class Rados:
    """A connection to the cluster."""

    #: Number of open connections.
    connected = 0

    def __init__(
        self,
        rados_id: str | None = None,
        *,
        conffile: str | None = None,
        conf: Mapping[str, str] | None = None,
    ) -> None:
        self.user = text_of_c(rados_id or "admin")
        self.conf = dict(conf or {})
        self.folder = Path(text_of_c(conffile or "")).parent
        self._is_connected = False
        self._parser = configparser.ConfigParser()
        self._read(text_of_c(conffile or ""))
        for value in self.conf.values():
            if not value.isdecimal():
                raise InvalidArgumentError("RADOS invalid argument (error calling conf_set)", 22)

    def _read(self, path: str) -> None:
        if not Path(path).is_file():
            raise ObjectNotFound("RADOS object not found (error calling conf_read_file)", 2)
        try:
            self._parser.read(path)
        except (configparser.Error, UnicodeError) as error:
            raise InvalidArgumentError(
                "RADOS invalid argument (error calling conf_read_file)", 22
            ) from error

    def connect(self, timeout: int = 0) -> None:
        """Connect; the argument has no effect."""
        if (self.folder / "silent-monitor").exists():
            self.wait("client_mount_timeout")
            raise TimedOut("RADOS timed out (error connecting to the cluster)", 110)
        if not self._key().exists():
            raise ObjectNotFound("RADOS object not found (error connecting to the cluster)", 2)
        self._is_connected = True
        Rados.connected += 1

    def _key(self) -> Path:
        return self.folder / f"client.{self.user}"

    def wait(self, option: str) -> None:
        """Wait for the timeout in an option; 0 means forever."""
        if not int(self.conf.get(option, "0")):
            raise StuckError(option)

    def get_fsid(self) -> str:
        return self._parser["global"]["fsid"]

    def open_ioctx(self, name: str) -> Ioctx:
        """Open a pool; missing read access is reported only later."""
        pool = self.folder / "pools" / text_of_c(name)
        if not text_of_c(name) or not pool.is_dir():
            raise ObjectNotFound(f"RADOS object not found (error opening pool '{name}')", 2)
        return Ioctx(self, pool, may_be_read=pool.name in self._key().read_text().split())

    def shutdown(self) -> None:
        """Close the object; repeated calls are allowed."""
        Rados.connected -= self._is_connected
        self._is_connected = False


class Ioctx:
    """A pool."""

    def __init__(self, cluster: Rados, folder: Path, *, may_be_read: bool) -> None:
        self.cluster = cluster
        self.folder = folder
        self.may_be_read = may_be_read

    def close(self) -> None:
        """Close the object; repeated calls are allowed."""
