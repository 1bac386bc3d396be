# SPDX-License-Identifier: Apache-2.0
"""What no client can do without: hashing the data once."""

from __future__ import annotations

import hashlib

from benchmarks import bodies
from benchmarks.targets import Target


class Md5:
    """MD5, which is what v1 stores and v2 sends as Content-MD5."""

    algorithm = "md5"

    def __init__(self, target: Target, api: str) -> None:
        self._size = target.size

    def download(self) -> str:
        """Hash as many bytes as a download has."""
        found = hashlib.new(self.algorithm, usedforsecurity=False)
        for block in bodies.data(self._size):
            found.update(block)
        return found.hexdigest()

    upload = download


class Sha512(Md5):
    """SHA-512, which is what v2.7 and later store as well."""

    algorithm = "sha512"
