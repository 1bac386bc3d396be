# SPDX-License-Identifier: Apache-2.0
"""Image data as a file object, for clients that read files only."""

from __future__ import annotations

from benchmarks import bodies


class DataFile:
    """A file that can be read once and not rewound.

    :param size: bytes.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, and at most a block."""
        wanted = bodies.BLOCK_BYTES if size < 0 else min(size, bodies.BLOCK_BYTES)
        wanted = min(wanted, self._left)
        self._left -= wanted
        return bodies.BLOCK[:wanted]
