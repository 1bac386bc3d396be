# SPDX-License-Identifier: Apache-2.0
"""The port: what an Images API can do for the facade, whichever it is.

``v1`` and ``v2`` implement it. Images that pass here are the library's own dicts (see ``image``),
with all fields; what is shown of them is the facade's business.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Callable, Iterator, Sequence

from glance_compat import exceptions
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.streams.streams import Expected, Upload
from glance_compat.types import Member


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, as the server sent it.

    :param images: in the server's order.
    :param more: whether another page may follow; None: the API does not say.
    :param asked: how many images were asked for.
    """

    images: Sequence[Image]
    more: bool | None
    asked: int


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedData:
    """Image data that has begun to arrive.

    :param blocks: the data; errors of the connection come out of it.
    :param close: releases the connection.
    :param expected: what the data must turn out to be.
    :param disk_format: of the image, where it is known.
    :param start: bytes of the image that come before the first block.
    """

    blocks: Iterator[bytes]
    close: Callable[[], object]
    expected: Expected
    disk_format: str | None
    start: int = 0


class ImagesApi(typing.Protocol):
    """One Images API at one endpoint, for one identity.

    Every method raises the errors of :mod:`glance_compat.exceptions` and
    :class:`glance_compat.transport.client.LookAgain`.
    """

    #: In words, for messages: "Images API v1".
    api_name: str

    #: Whether :meth:`show` can tell locations.
    shows_locations: bool

    def show(self, image_id: str) -> Image:
        """The image, deleted or not, as far as the API shows it."""

    def page(self, query: Query, marker: str | None, size: int, left: int | None) -> Page:
        """One page of at most ``size`` images after ``marker``.

        :param left: how many the caller still wants, or None for all; no more are asked for
            where the server filters alone.
        """

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        """One page as the server wrote it, nothing read or left out: JSON objects, each with an
        id."""

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        """A new image under that id, with its data if there is any."""

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        """Change metadata."""

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        """Change metadata of a queued image and give it its data; nothing is purged."""

    def delete(self, image_id: str) -> None:
        """Delete the image."""

    def open_data(self, image_id: str, *, start: int = 0) -> OpenedData:
        """Begin to read the data of an active image.

        :param start: bytes that need not come again, where the API can leave them out; what is
            opened tells whether it did.
        """

    def copy_to_stores(self, image_id: str, stores: Sequence[str]) -> None:
        """Have the server begin to copy the data into further stores."""

    def members(self, image_id: str) -> list[Member]:
        """All members: ``{"member_id", "can_share", "status"}``."""

    def add_member(self, image_id: str, member_id: str) -> Member:
        """Share the image; with a member that it is shared with already, change nothing."""

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        """Accept, reject or reset a share."""

    def remove_member(self, image_id: str, member_id: str) -> None:
        """End a share."""


@contextlib.contextmanager
def delete_on_failure(image_id: str, delete: Callable[[], object]) -> Iterator[None]:
    """Remove an image that is being made when that fails; the error goes on.

    An image that may be whole is left as it is.

    :param delete: deletes it. When that fails as well, the error carries the id and says so.
    """
    try:
        yield
    except exceptions.OutcomeUnknown:
        raise
    except BaseException as error:
        try:
            delete()
        except exceptions.ImageNotFound:
            pass
        except exceptions.GlanceCompatError:
            if isinstance(error, exceptions.GlanceCompatError):
                error.image_id = image_id
                error.message += f"; image {image_id} could not be removed again"
        raise
