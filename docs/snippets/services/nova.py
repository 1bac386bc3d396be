# SPDX-License-Identifier: Apache-2.0
"""What Nova's image module does with stores and locations, in calls of this library."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from glance_compat import ImageService, exceptions


class ImageModule:
    def __init__(self, images: ImageService) -> None:
        self._images = images

    def copy_image_to_store(self, context: object, image_id: str, stores: Sequence[str]) -> None:
        """As ``API.copy_image_to_store``: Nova polls the image until the stores have it."""
        # ImageBadRequest: the store has the data already.
        with contextlib.suppress(exceptions.ImageBadRequest):
            self._images.copy_to_stores(context, image_id, stores, wait=True)

    def locations_of(self, context: object, image_id: str) -> Sequence[Mapping[str, Any]]:
        """As ``show`` with ``include_locations=True``; empty if the server shows none."""
        try:
            return self._images.locations(context, image_id)
        except (exceptions.UnsupportedByVersion, exceptions.Forbidden):
            return []

    def snapshot_at(self, context: object, image_id: str, url: str) -> Any:
        """As the rbd backend's direct snapshot: the queued image gets the URL of its data."""
        return self._images.add_location(context, image_id, url)
