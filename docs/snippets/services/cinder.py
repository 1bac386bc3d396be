# SPDX-License-Identifier: Apache-2.0
"""Cinder's ``GlanceImageService``, where it is more than a method of the same name."""

from collections.abc import Mapping
from typing import Any

from glance_compat import ImageService, exceptions


class GlanceImageService:
    """:param images: made with ``Options(extended=True)``."""

    def __init__(self, images: ImageService) -> None:
        self._images = images

    def get_location(self, context: object, image_id: str) -> tuple[str | None, list[Any]]:
        try:
            locations = self._images.locations(context, image_id)
        except exceptions.UnsupportedByVersion:
            return None, []
        return (locations[0]["url"] if locations else None), locations

    def add_location(
        self, context: object, image_id: str, url: str, metadata: Any = None
    ) -> dict[str, Any]:
        return self._images.add_location(context, image_id, url, metadata=metadata or None)

    def get_stores(self, context: object) -> list[Any]:
        try:
            return self._images.stores(context)
        except exceptions.UnsupportedByVersion:
            return []

    def list_members(self, context: object, image_id: str) -> list[dict[str, Any]]:
        return self._images.members(context, image_id)

    def update(
        self,
        context: object,
        image_id: str,
        image_meta: Mapping[str, Any],
        data: object = None,
        purge_props: bool = True,
        store_id: str | None = None,
    ) -> dict[str, Any]:
        chosen = {**image_meta, "store": store_id} if store_id else image_meta
        changed = self._images.update(context, image_id, chosen, data, purge_props)
        if data is not None and purge_props:
            # With data nothing is purged.
            changed = self._images.update(context, image_id, image_meta)
        return changed
