# SPDX-License-Identifier: Apache-2.0
"""Ironic's ``GlanceImageService``: one for a context, and images by their hrefs."""

from typing import IO, Any

from glance_compat import ImageService, exceptions


class GlanceImageService:
    """:param images: made with ``Options(extended=True)``."""

    def __init__(self, images: ImageService, context: object = None) -> None:
        self._images = images
        self._context = context

    def show(self, href: str) -> dict[str, Any]:
        image = self._images.show(self._context, href.removeprefix("glance://"))
        if image["status"] != "active":
            raise exceptions.ImageUnacceptable(f"{href} is {image['status']}")
        for name in ("created_at", "updated_at"):
            image[name] = image[name].replace(tzinfo=None)
        return image

    def download(self, href: str, data: IO[bytes]) -> None:
        image_id = self.show(href)["id"]
        self._images.download(self._context, image_id, data)

    def get_location(self, href: str) -> str | None:
        image_id = self.show(href)["id"]
        try:
            locations = self._images.locations(self._context, image_id)
        except (exceptions.UnsupportedByVersion, exceptions.Forbidden):
            return None
        return locations[0]["url"] if locations else None
