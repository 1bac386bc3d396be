# SPDX-License-Identifier: Apache-2.0
"""Stands in for librados's binding of Ceph 16.2.15."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path


class Error(Exception):
    """Its texts hold what was asked for, as the real ones do."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno


class OSError(Error):  # noqa: A001 - the real name
    """No kin of Python's own OSError; it has an errno and no strerror."""


class ObjectNotFound(OSError):
    """2."""


class TimedOut(OSError):
    """110."""


class InvalidArgumentError(Error):
    """22."""


class StuckError(BaseException):
    """Where the real one would wait for ever, or end the process: no code can go on."""


def text_of_c(name: str) -> str:
    """What is left of a name that C gets; a lone surrogate is a UnicodeEncodeError."""
    return name.encode("utf-8").partition(b"\0")[0].decode()


class Rados:
    """A connection."""

    #: How many there are.
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
        """The argument does nothing."""
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
        """Wait as long as an option says; 0 is for ever."""
        if not int(self.conf.get(option, "0")):
            raise StuckError(option)

    def get_fsid(self) -> str:
        return self._parser["global"]["fsid"]

    def open_ioctx(self, name: str) -> Ioctx:
        """Whether its user may read there shows later."""
        pool = self.folder / "pools" / text_of_c(name)
        if not text_of_c(name) or not pool.is_dir():
            raise ObjectNotFound(f"RADOS object not found (error opening pool '{name}')", 2)
        return Ioctx(self, pool, may_be_read=pool.name in self._key().read_text().split())

    def shutdown(self) -> None:
        """It may be repeated."""
        Rados.connected -= self._is_connected
        self._is_connected = False


class Ioctx:
    """A pool."""

    def __init__(self, cluster: Rados, folder: Path, *, may_be_read: bool) -> None:
        self.cluster = cluster
        self.folder = folder
        self.may_be_read = may_be_read

    def close(self) -> None:
        """It may be repeated."""
