# SPDX-License-Identifier: Apache-2.0
"""The port: what an Images API does for the facade, whichever version it is.

What must live here: the protocol that ``v1`` and ``v2`` implement, and the rules that both share.
What must not: requests. Images that pass here are the library's own dicts (see
``metadata.fields``), with all fields; the facade decides what to show of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import typing
from collections.abc import Callable, Iterator, Sequence

from glance_compat import exceptions
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.streams.streams import HASHES, Expected, Upload
from glance_compat.types import Member

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, as the server sent it.

    :param images: in the server's order.
    :param more: whether another page may follow; None: the API does not say.
    :param requested: how many images were requested.
    """

    images: Sequence[Image]
    more: bool | None
    requested: int


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedData:
    """An open download.

    :param blocks: the data; iterating raises the errors of the connection.
    :param close: releases the connection.
    :param expected: what the data must turn out to be.
    :param disk_format: of the image; None where it is unknown.
    :param start: bytes of the image before the first block.
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

    #: For messages: "Images API v1".
    api_name: str

    #: Whether :meth:`show` can return locations.
    shows_locations: bool

    def show(self, image_id: str) -> Image:
        """Return an image, deleted or not, as far as the API shows it."""

    def page(self, query: Query, marker: str | None, size: int, left: int | None) -> Page:
        """Return one page of at most ``size`` images after ``marker``.

        :param left: how many images the caller still wants, or None for all. Where the server
            alone filters, no more are requested.
        """

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        """Return one page exactly as the server wrote it: JSON objects, each with an id."""

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        """Create an image under that id, with its data if there is any."""

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        """Change metadata."""

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        """Change the metadata of a queued image and upload its data; nothing is purged."""

    def delete(self, image_id: str) -> None:
        """Delete the image."""

    def open_data(self, image_id: str, *, start: int = 0) -> OpenedData:
        """Begin to download the data of an active image.

        :param start: bytes to skip, where the API can. ``OpenedData.start`` is what was skipped.
        """

    def copy_to_stores(self, image_id: str, stores: Sequence[str]) -> None:
        """Make the server begin to copy the data into further stores."""

    def members(self, image_id: str) -> list[Member]:
        """Return all members: ``{"member_id", "can_share", "status"}``."""

    def add_member(self, image_id: str, member_id: str) -> Member:
        """Share the image; adding a member again changes nothing."""

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        """Accept, reject or reset a share."""

    def remove_member(self, image_id: str, member_id: str) -> None:
        """Stop sharing the image with a member."""


def choose_expected(
    verify: str,
    image: Image | None,
    *,
    subject: str,
    size: int | None = None,
    md5: str | None = None,
) -> Expected:
    """Return what a download must turn out to be.

    :param verify: the option ``verify_downloads``.
    :param image: as far as it was read; its size and digests win, the strongest digest first.
    :param subject: the request, for the log.
    :param size: bytes, where the image was not read.
    :param md5: of the response, in hexadecimal.
    """
    if image is not None:
        size = image["size"]
    if verify == "off":
        return Expected(size)
    if image is not None and image["os_hash_algo"] in HASHES and image["os_hash_value"]:
        return Expected(size, image["os_hash_algo"], image["os_hash_value"])
    md5 = md5 or (image["checksum"] if image is not None else None)
    if md5:
        return Expected(size, "md5", md5)
    LOG.warning("%s: the image has no checksum, so its data is not verified", subject)
    return Expected(size)


def check_takes_data(image: Image, endpoint: str) -> None:
    """Refuse data for an image that is not queued.

    :raises glance_compat.exceptions.ImageNotActive: it is not.
    """
    if image["status"] != "queued":
        raise exceptions.ImageNotActive(
            f"image {image['id']} takes no data: its status is {image['status']}, not queued",
            status=409,
            endpoint=endpoint,
            image_id=image["id"],
        )


@contextlib.contextmanager
def delete_on_failure(image_id: str, delete: Callable[[], object]) -> Iterator[None]:
    """Delete an image that is being created when the block fails; the error goes on.

    After OutcomeUnknown the image may be complete, so it stays.

    :param delete: deletes the image. When that fails as well, the error carries the id and its
        message says so.
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
                error.message += f"; image {image_id} could not be deleted, delete it yourself"
        raise
