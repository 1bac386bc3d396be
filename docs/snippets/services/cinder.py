# SPDX-License-Identifier: Apache-2.0
"""Cinder's ``GlanceImageService``, where it is more than a method of the same name."""

from collections.abc import Mapping
from typing import Any

from glance_compat import ImageService


class GlanceImageService:
    """:param images: made with ``Options(extended=True)``."""

    def __init__(self, images: ImageService) -> None:
        self._images = images

    def get_location(self, context: object, image_id: str) -> tuple[str | None, list[Any]]:
        image = self._images.show(context, image_id, include_locations=True)
        return image["direct_url"], image["locations"]

    def add_location(self, context: object, image_id: str, url: str) -> dict[str, Any]:
        return self._images.update(context, image_id, {"location": url}, purge_props=False)

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
