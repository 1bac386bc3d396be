# SPDX-License-Identifier: Apache-2.0
"""A Ceph cluster for tests: a real one where its programs are installed, and one that stands in.

Both do what a test asks of :class:`Ceph`. The one that stands in is a folder, which two modules
read that behave as the real ``rados`` and ``rbd`` do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Protocol

#: The pools that there are; READER may read the first one alone.
POOLS = ("images", "volumes")
READER = "reader"


class Ceph(Protocol):
    """A cluster, and its modules."""

    fsid: str
    #: The configuration file, as librados reads it.
    conf: Path
    rados: ModuleType
    rbd: ModuleType

    def put(self, pool: str, image: str, data: bytes, snapshot: str = "snap") -> None:
        """Make an image with a snapshot."""

    def overwrite(self, pool: str, image: str, data: bytes) -> None:
        """Change what an image holds; its snapshots stay."""

    def silent_storage(self) -> AbstractContextManager[None]:
        """Inside, nothing that is stored can be read; nobody says so."""

    def silent_monitor(self) -> AbstractContextManager[None]:
        """Inside, nobody can connect; nobody says so."""

    def is_connected(self) -> bool:
        """Whether this process is connected to a cluster."""
