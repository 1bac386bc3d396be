# SPDX-License-Identifier: Apache-2.0
"""openstacksdk's image proxy, v2. It verifies downloads with MD5."""

from __future__ import annotations

import os
from typing import Any

import openstack.connection

from benchmarks import bodies
from benchmarks.subjects.keystoneauth import session_of
from benchmarks.subjects.sources import DataFile
from benchmarks.targets import Target


class OpenStackSdk:
    """``Connection.image``."""

    def __init__(self, target: Target, api: str) -> None:
        connection = openstack.connection.Connection(
            session=session_of(target), image_endpoint_override=target.url
        )
        self._proxy: Any = connection.image
        self._target = target

    def show(self) -> Any:
        """Return the image."""
        return self._proxy.get_image(self._target.image_id)

    def list(self) -> list[Any]:
        """Return all images."""
        return list(self._proxy.images(limit=bodies.LARGEST_PAGE))

    def walk(self) -> int:
        """Count all images, keeping none."""
        return sum(1 for _ in self._proxy.images(limit=bodies.LARGEST_PAGE))

    def download(self) -> None:
        """Receive the data into a file that keeps nothing, verified."""
        with open(os.devnull, "wb") as file:
            self._proxy.download_image(
                self._target.image_id, output=file, chunk_size=bodies.BLOCK_BYTES
            )

    def download_unverified(self) -> int:
        """Receive the data as it comes."""
        response = self._proxy.download_image(self._target.image_id, stream=True)
        return sum(map(len, response.iter_content(bodies.BLOCK_BYTES)))

    def upload_unverified(self) -> str:
        """Create an image and send its data."""
        data = DataFile(self._target.size)
        made = self._proxy.create_image(
            data=data, validate_checksum=False, allow_duplicates=True, **bodies.RECORD
        )
        return str(made.id)

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        self._proxy.delete_image(image_id)
