# SPDX-License-Identifier: Apache-2.0
"""python-glanceclient, v1 and v2. It verifies downloads (v1: MD5, v2: the stored hash) only.

Over v1 it returns ``Resource`` objects, over v2 warlock models.
"""

from __future__ import annotations

from typing import Any

import glanceclient

from benchmarks import bodies
from benchmarks.subjects.keystoneauth import session_of
from benchmarks.subjects.sources import DataFile
from benchmarks.targets import Target


class GlanceClient:
    """The images of a ``glanceclient.Client``."""

    def __init__(self, target: Target, api: str) -> None:
        client = glanceclient.Client(
            api[1:], session=session_of(target), endpoint_override=target.url
        )
        self._images = client.images
        self._target, self._api = target, api

    def show(self) -> Any:
        """Return the image."""
        return self._images.get(self._target.image_id)

    def list(self) -> list[Any]:
        """Return all images."""
        return list(self._images.list(page_size=bodies.LARGEST_PAGE))

    def walk(self) -> int:
        """Count all images, keeping none."""
        return sum(1 for _ in self._images.list(page_size=bodies.LARGEST_PAGE))

    def download(self) -> int:
        """Receive the data, verified."""
        return sum(map(len, self._images.data(self._target.image_id)))

    def download_unverified(self) -> int:
        """Receive the data as it comes."""
        return sum(map(len, self._images.data(self._target.image_id, do_checksum=False)))

    def upload_unverified(self) -> str:
        """Create an image and send its data."""
        data = DataFile(self._target.size)
        if self._api == "v1":
            return str(self._images.create(data=data, **bodies.RECORD).id)
        image_id = str(self._images.create(**bodies.RECORD).id)
        self._images.upload(image_id, data)
        return image_id

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        self._images.delete(image_id)
