# SPDX-License-Identifier: Apache-2.0
"""This library, pinned to an API, over a keystoneauth1 session."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from benchmarks import bodies
from benchmarks.subjects.keystoneauth import session_of
from benchmarks.targets import Target
from glance_compat import ImageService, Options

_VERSION: dict[str, Literal["1", "2"]] = {"v1": "1", "v2": "2"}


class Library:
    """``ImageService``, with the defaults and with verification off."""

    def __init__(self, target: Target, api: str) -> None:
        session = session_of(target)
        verifying = Options(prefer=_VERSION[api])
        trusting = dataclasses.replace(verifying, verify_downloads="off", verify_uploads=False)
        self._service = ImageService(session, endpoint_override=target.url, options=verifying)
        self._trusting = ImageService(session, endpoint_override=target.url, options=trusting)
        self._target = target

    def show(self) -> Any:
        """Return the image."""
        return self._service.show(None, self._target.image_id)

    def list(self) -> list[Any]:
        """Return all images."""
        return self._service.detail(None)

    def walk(self) -> int:
        """Count all images, keeping none."""
        return sum(1 for _ in self._service.iter_detail(None))

    def download(self) -> int:
        """Receive the data, verified."""
        return self._download(self._service)

    def download_unverified(self) -> int:
        """Receive the data as it comes."""
        return self._download(self._trusting)

    def upload(self) -> str:
        """Create an image with its data, verified."""
        return self._upload(self._service)

    def upload_unverified(self) -> str:
        """Create an image with its data."""
        return self._upload(self._trusting)

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        self._service.delete(None, image_id)

    def _download(self, service: ImageService) -> int:
        blocks = service.download(None, self._target.image_id)
        assert blocks is not None
        return sum(map(len, blocks))

    def _upload(self, service: ImageService) -> str:
        made = service.create(None, bodies.RECORD, bodies.data(self._target.size))
        return str(made["id"])
