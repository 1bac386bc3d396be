# SPDX-License-Identifier: Apache-2.0
"""A Ceph cluster for tests: a real one if its programs are installed, and a stand-in.

Both implement :class:`Ceph`. The stand-in is a folder that is read by two modules that behave
like the real ``rados`` and ``rbd``.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Protocol

#: The existing pools; READER may read only the first one.
POOLS = ("images", "volumes")
READER = "reader"


class Ceph(Protocol):
    """A cluster, and its Python modules."""

    fsid: str
    #: The configuration file, as librados reads it.
    conf: Path
    rados: ModuleType
    rbd: ModuleType

    def put(self, pool: str, image: str, data: bytes, snapshot: str = "snap") -> None:
        """Create an image with a snapshot."""

    def overwrite(self, pool: str, image: str, data: bytes) -> None:
        """Overwrite the data of an image; its snapshots keep the old data."""

    def silent_storage(self) -> AbstractContextManager[None]:
        """Make all reads of stored data hang, without an error."""

    def silent_monitor(self) -> AbstractContextManager[None]:
        """Make all connection attempts hang, without an error."""

    def is_connected(self) -> bool:
        """Whether this process is connected to a cluster."""
