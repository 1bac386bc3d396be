# SPDX-License-Identifier: Apache-2.0
"""Follow and set the links between the images of a series.

An image whose property ``Options.successor_property`` is the id of another image is superseded by
it. What must live here: following these links, and the order of the steps in which an image is
superseded. What must not: the requests (see ``backends``).
"""

from __future__ import annotations

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.redaction import quote_value
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.routing.references import check_path_segment
from glance_compat.transport.client import Identity

#: Maximum number of links that are followed.
_MOST_LINKS = 100


class Succession:
    """The links between the images of one image service."""

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._property = options.successor_property

    def find_newest(self, identity: Identity, image_id: str) -> Image:
        """Return the last image of a series that the caller can see.

        :param image_id: the id of an image of the series.
        :raises glance_compat.exceptions.Conflict: the links are a loop, or are too many.
        """
        return self._follow(identity, self._show(identity, image_id))[-1]

    def supersede(self, identity: Identity, old_id: str, new_id: str) -> Image:
        """Link an image to its successor, and hide it. Return the image as it is now.

        :raises glance_compat.exceptions.Invalid: the new image is the old one, or leads to it.
        :raises glance_compat.exceptions.ImageNotActive: the new image has no data.
        """
        if old_id == new_id:
            raise exceptions.Invalid(
                f"image {quote_value(old_id)} cannot be its own successor; pass the id of another"
                " image",
                image_id=old_id,
            )
        new = self._show(identity, new_id)
        if new["status"] != "active":
            raise exceptions.ImageNotActive(
                f"image {new_id} cannot supersede image {old_id}: its status is {new['status']},"
                " not active",
                image_id=new_id,
            )
        chain = self._follow(identity, new)
        if any(one["id"] == old_id for one in chain):
            raise exceptions.Invalid(
                f"image {new_id} cannot supersede image {old_id}, because it is itself superseded"
                f" by it: {_format_chain(chain)}; remove the property {self._property} first",
                image_id=old_id,
            )
        return self._dispatcher.repeat(
            identity, lambda api: api.hide(old_id, {self._property: new["id"]})
        )

    def _follow(self, identity: Identity, first: Image) -> list[Image]:
        """Return an image and its successors, as far as the caller can see them."""
        chain = [first]
        while (following := self._find_next(identity, chain[-1])) is not None:
            looped = any(one["id"] == following["id"] for one in chain)
            chain.append(following)
            if looped or len(chain) > _MOST_LINKS + 1:
                what = "are a loop" if looped else f"are more than {_MOST_LINKS}"
                raise exceptions.Conflict(
                    f"the links from image {first['id']} to its successors {what}:"
                    f" {_format_chain(chain)}; correct the property {self._property} of one of"
                    " these images",
                    image_id=first["id"],
                )
        return chain

    def _find_next(self, identity: Identity, image: Image) -> Image | None:
        """Return the next image, or None if there is none that the caller can see."""
        link = image["properties"].get(self._property)
        try:
            return self._show(identity, check_path_segment(link, "an image id")) if link else None
        except (
            exceptions.ImageNotFound,
            exceptions.ImageNotAuthorized,
            exceptions.InvalidImageRef,
        ):
            return None

    def _show(self, identity: Identity, image_id: str) -> Image:
        found = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        if found["deleted"]:
            # Only v1 returns a deleted image, and only to an admin.
            raise exceptions.ImageNotFound(f"image {image_id} is deleted", image_id=image_id)
        return found


def _format_chain(chain: list[Image]) -> str:
    return " -> ".join(quote_value(one["id"]) for one in chain)
