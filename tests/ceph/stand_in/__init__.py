# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a cluster: a folder with a file for each snapshot and each injected failure.

``rados`` and ``rbd`` beside this file stand in for the modules of Ceph 16.2.15 with Python 3.11;
their behaviour was verified there. They have only the functions that a download needs.
"""

from __future__ import annotations

import configparser
import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

from tests.ceph import POOLS, READER
from tests.ceph.stand_in import rados as librados
from tests.ceph.stand_in import rbd as librbd


class StandIn:
    """A :class:`tests.ceph.Ceph`.

    :param folder: a new, empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self.rados: ModuleType = librados
        self.rbd: ModuleType = librbd
        self.fsid = str(uuid.uuid4())
        self.conf = folder / "ceph.conf"
        self._folder = folder
        conf = configparser.ConfigParser()
        conf["global"] = {"fsid": self.fsid}
        with self.conf.open("w") as file:
            conf.write(file)
        for pool in POOLS:
            (folder / "pools" / pool).mkdir(parents=True)
        (folder / "client.admin").write_text(" ".join(POOLS))
        (folder / f"client.{READER}").write_text(POOLS[0])

    def put(self, pool: str, image: str, data: bytes, snapshot: str = "snap") -> None:
        self.overwrite(pool, image, data)
        self._path(pool, f"{image}@{snapshot}").write_bytes(data)

    def overwrite(self, pool: str, image: str, data: bytes) -> None:
        self._path(pool, image).write_bytes(data)

    def _path(self, pool: str, name: str) -> Path:
        return self._folder / "pools" / pool / quote(name, safe="@")

    def silent_storage(self) -> contextlib.AbstractContextManager[None]:
        return self._silent("storage")

    def silent_monitor(self) -> contextlib.AbstractContextManager[None]:
        return self._silent("monitor")

    @contextlib.contextmanager
    def _silent(self, what: str) -> Iterator[None]:
        mark = self._folder / f"silent-{what}"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()

    def is_connected(self) -> bool:
        return librados.Rados.connected > 0
