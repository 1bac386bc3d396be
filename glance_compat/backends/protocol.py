# SPDX-License-Identifier: Apache-2.0
"""The interface that the implementations of the Images APIs v1 and v2 share.

What must live here: the protocol class that ``v1`` and ``v2`` implement, and code that both use.
What must not: requests.

Images are dicts of the library's own form with all fields (see ``metadata.fields``); the service
selects the fields that its caller gets.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import logging
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.metadata.image_records import ALL_PARTS, Parts
from glance_compat.streams.streams import HAS_MD5, HASHES, Expected, Upload, is_available
from glance_compat.transport.messages import Response
from glance_compat.types import Location, Member, Store, Task

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, as the server sent it.

    :param images: the images, in the server's order.
    :param more: whether another page may follow, or None if the API does not report it.
    :param requested: number of images that were requested.
    """

    images: Sequence[Image]
    more: bool | None
    requested: int


@dataclasses.dataclass(frozen=True, slots=True)
class OpenedData:
    """The response of a download, whose data has not been read yet.

    :param blocks: an iterator over the data. It raises an exception if the connection fails.
    :param close: a function that releases the connection.
    :param expected: the size and digest that the data must have.
    :param disk_format: the disk_format of the image, or None if it is unknown.
    :param container_format: the container_format of the image, or None if it is unknown.
    :param start: the offset of the first block in the data of the image, in bytes.
    :param end: the offset after the last byte of a range, or None if the response has all data
        from the start on.
    """

    blocks: Iterator[bytes]
    close: Callable[[], object]
    expected: Expected
    disk_format: str | None
    container_format: str | None
    start: int = 0
    end: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """The data that the server imports into a new image, or copies, and the stores for it.

    :param method: the import method of v2.
    :param uri: the URL that the server reads the data from, or None.
    :param stores: names of the stores; if empty, and all_stores is False, the default store.
    :param all_stores: whether the data is for all stores.
    :param all_must_succeed: whether the import fails if one of the stores fails.
    :param argument: the caller's name for the source of the data, for messages.
    """

    method: typing.Literal["web-download", "glance-direct", "copy-image"]
    argument: str
    uri: str | None = None
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_must_succeed: bool = True


class LocationToAdd(typing.NamedTuple):
    """A location to add to an image.

    :param metadata: what the server stores with the URL, or None.
    :param hashes: ``os_hash_algo`` and ``os_hash_value`` of the data; empty if unknown.
    """

    url: str
    metadata: Mapping[str, object] | None
    hashes: Mapping[str, str]


class ImportState(enum.Enum):
    """The progress of an import, as far as the image shows it."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    #: The image is queued: the import has not begun, or it has failed.
    UNCLEAR = "unclear"


@dataclasses.dataclass(frozen=True, slots=True)
class Importing:
    """An image into which the server imports data.

    :param failed_stores: names of the stores that did not get the data.
    """

    image: Image
    state: ImportState
    failed_stores: tuple[str, ...] = ()


class ImagesApi(typing.Protocol):
    """One version of the Images API at one endpoint, used with the identity of one caller.

    Every method raises the errors of :mod:`glance_compat.exceptions` and
    :class:`glance_compat.transport.messages.VersionDocumentReceived`.
    """

    #: The name of the API in messages, such as "Images API v1".
    api_name: str

    #: Whether the API can return the locations of an image.
    shows_locations: bool

    #: Whether :meth:`create` sends one request to create the image, and another one with its data.
    creates_before_upload: bool

    def show(self, image_id: str, sent: Iterable[str] = ()) -> Image:
        """Return an image. A deleted image is returned too, if the API returns it.

        :param sent: the names of the attributes that must be read, whatever the options.
        """

    def check_sent(self, image: Image, meta: ImageMeta) -> None:
        """Compare an image with the values that were sent in a request without a response.

        :param image: the result of :meth:`show` with the names of the attributes.
        :param meta: the values; None is not compared.
        :raises glance_compat.exceptions.IntegrityError: a value differs.
        """

    def page(
        self,
        query: Query,
        marker: str | None,
        size: int,
        left: int | None,
        parts: Parts = ALL_PARTS,
    ) -> Page:
        """Return one page of a list.

        :param query: the filters and the sort order.
        :param marker: the id of the image after which the page starts, or None.
        :param size: maximum number of images in the page.
        :param left: number of images that the caller still wants, or None for all. No more than
            these are requested, unless the library must filter the response itself.
        :param parts: the parts that the images have.
        """

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        """Return one page with the unconverted JSON objects of the response; each has an id."""

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        """Create an image with this id, and upload its data if there is any."""

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        """Update the metadata of an image.

        :param purge: whether to remove the properties that are not in ``meta``.
        """

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        """Update the metadata of a queued image, and upload its data. No property is removed."""

    def delete(self, image_id: str) -> None:
        """Delete the image."""

    def open_data(self, image_id: str, *, start: int = 0, end: int | None = None) -> OpenedData:
        """Start a download of the data of an active image.

        :param start: the offset to start at, in bytes. If the API or the server cannot do that,
            the data starts at 0; ``OpenedData.start`` is the actual offset.
        :param end: the offset to end before, in bytes, or None for the end of the data. If the API
            or the server cannot do that, ``OpenedData.end`` is None.
        """

    def open_range(self, image_id: str, start: int, end: int) -> OpenedData:
        """Start another download of a part of the data that :meth:`open_data` has opened.

        It takes one request. The start and the end are as in :meth:`open_data`.
        """

    def can_import(self, request: ImportRequest) -> bool:
        """Return whether the server can import the data.

        :returns: False if the caller has to upload the data instead.
        :raises glance_compat.exceptions.UnsupportedByVersion: the server can do neither.
        :raises glance_compat.exceptions.Invalid: the API does not support such a URL.
        """

    def create_by_import(
        self, image_id: str, meta: ImageMeta, request: ImportRequest, upload: Upload | None
    ) -> Image:
        """Create an image, and request the server to import its data; return before it is done.

        :param upload: the data, if the method is ``glance-direct``.
        :raises glance_compat.exceptions.ImportFailed: the server cannot read the URL, and has
            created no image. Its cause is the error of the response.
        """

    def import_into(self, image_id: str, request: ImportRequest, upload: Upload | None) -> None:
        """Request the server to import data into a queued image; return before it is done.

        :param upload: the data, if the method is ``glance-direct``.
        :raises glance_compat.exceptions.ImportFailed: the server cannot read the URL. Its cause is
            the error of the response.
        """

    def has_begun_import(self, image_id: str) -> bool:
        """Return whether the server has begun to import data into an image, or is done."""

    def show_import(self, image_id: str, request: ImportRequest) -> Importing:
        """Return an image, and the state of the import into it."""

    def import_messages(self, image_id: str) -> tuple[str, ...]:
        """Return the server's messages about a failed import; empty if it has none."""

    def tasks(self, image_id: str) -> list[Task]:
        """Return the tasks of an image."""

    def locations(self, image_id: str) -> list[Location]:
        """Return the locations of an image."""

    def add_location(self, image_id: str, location: LocationToAdd) -> Image | None:
        """Add a location to an image; return before the server has checked its data.

        :returns: the image, or None if the response does not have it.
        """

    def stores(self) -> list[Store]:
        """Return the stores of the site."""

    def delete_from_store(self, image_id: str, store: str) -> None:
        """Delete the data of the image from one of several stores."""

    def copy_to_stores(self, image_id: str, request: ImportRequest) -> None:
        """Request the server to copy the data to more of its stores; return before it is done."""

    def has_copied(self, image_id: str, request: ImportRequest) -> bool:
        """Return whether the server has begun to copy the data to these stores, or is done."""

    def get_metadefs(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Response:
        """Send a GET for metadata definitions.

        :param path: the percent-encoded path below ``metadefs``.
        :param params: the query parameters.
        """

    def deactivate(self, image_id: str) -> Image:
        """Deactivate the data of an active image. Nothing changes if it is deactivated."""

    def reactivate(self, image_id: str) -> Image:
        """Make a deactivated image active again. Nothing changes if it is active."""

    def hide(self, image_id: str, properties: Mapping[str, str]) -> Image:
        """Hide an image from lists, and set properties in the same request."""

    def unhide(self, image_id: str) -> Image:
        """Show a hidden image in lists again. If it is not hidden, nothing changes."""

    def add_tag(self, image_id: str, tag: str) -> None:
        """Add a tag. If the image has it, nothing changes."""

    def remove_tag(self, image_id: str, tag: str) -> None:
        """Remove a tag. If the image does not have it, nothing changes."""

    def members(self, image_id: str) -> list[Member]:
        """Return all members: ``{"member_id", "can_share", "status"}``."""

    def add_member(self, image_id: str, member_id: str) -> Member:
        """Share the image with a project. If it is already shared, nothing changes."""

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        """Set the status of a member: accepted, rejected or pending."""

    def remove_member(self, image_id: str, member_id: str) -> None:
        """Stop sharing the image with a project."""


def choose_expected(
    verify: str,
    image: Image | None,
    *,
    subject: str,
    size: int | None = None,
    md5: str | None = None,
) -> Expected:
    """Return the size and digest that downloaded data must have.

    The digest is os_hash_value if the image has one, else the MD5 of the response, else the
    checksum of the image.

    :param verify: the value of the option ``verify_downloads``.
    :param image: the image, or None if it was not fetched. Its size overrides ``size``.
    :param subject: the description of the request, for the log.
    :param size: the size in the response, in bytes, or None.
    :param md5: the MD5 checksum in the response, in hexadecimal, or None.
    :raises glance_compat.exceptions.InvalidOption: the option is "strong", but the image has only
        an MD5 checksum, and this host has no MD5.
    """
    if image is not None:
        size = image["size"]
    if verify == "off":
        return Expected(size)
    if image is not None and _is_usable(image["os_hash_algo"]) and image["os_hash_value"]:
        return Expected(size, image["os_hash_algo"], image["os_hash_value"])
    md5 = md5 or (image["checksum"] if image is not None else None)
    if md5 and HAS_MD5:
        return Expected(size, "md5", md5)
    if not md5:
        LOG.warning("%s: the image has no checksum, so its data is not verified", subject)
    elif verify == "strong":
        raise exceptions.InvalidOption(
            f"{subject} failed: verify_downloads is strong, but this host has no MD5 (FIPS mode),"
            " and the image has no other hash. Set verify_downloads to auto to compare the size"
            " only."
        )
    else:
        LOG.warning(
            "%s: only the size of the data is verified, because this host has no MD5 (FIPS mode),"
            " and the image has no other hash",
            subject,
        )
    return Expected(size)


def _is_usable(algorithm: str | None) -> bool:
    return algorithm is not None and algorithm in HASHES and is_available(algorithm)


@contextlib.contextmanager
def close_on_error(close: Callable[[], object]) -> Iterator[None]:
    """Release the connection of a response if the ``with`` block raises an exception.

    :param close: a function that releases the connection.
    """
    try:
        yield
    except BaseException:
        close()
        raise


def check_takes_data(image: Image, endpoint: str) -> None:
    """Raise an exception unless the image is queued, so that its data can be uploaded.

    :raises glance_compat.exceptions.ImageNotActive: the image is not queued.
    """
    if image["status"] != "queued":
        raise exceptions.ImageNotActive(
            f"image {image['id']} does not accept data: its status is {image['status']}, not"
            " queued",
            status=409,
            endpoint=endpoint,
            image_id=image["id"],
        )


def check_stored(image: Image, unstored: Sequence[str], api_name: str, endpoint: str) -> None:
    """Raise an exception if the server stored values that differ from those that were sent.

    :param image: the image in the response.
    :param unstored: the result of :func:`glance_compat.metadata.changes.find_unstored`.
    :raises glance_compat.exceptions.IntegrityError: it is not empty.
    """
    if unstored:
        raise exceptions.IntegrityError(
            f"the stored values of image {image['id']} differ from those that were sent over"
            f" {api_name}: {', '.join(unstored)}; a proxy may drop or change parts of requests, so"
            " check the proxies in front of the endpoint",
            endpoint=endpoint,
            image_id=image["id"],
        )


@contextlib.contextmanager
def delete_on_failure(image_id: str, delete: Callable[[], object]) -> Iterator[None]:
    """Delete a new image if the ``with`` block raises an exception, and raise the exception again.

    After OutcomeUnknown the image is kept, because it may be complete.

    :param image_id: the id of the image.
    :param delete: a function that deletes the image. If it fails too, the image's id is added to
        the exception of the block and to its message.
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
                error.message += f"; image {image_id} could not be deleted; delete it manually"
            else:
                LOG.warning("Image %s could not be deleted; delete it manually", image_id)
        raise
