# SPDX-License-Identifier: Apache-2.0
"""Create an image whose data the server imports, and wait until it has done so.

What must live here: the sequence of calls of an import, waiting for its end, and the cleanup after
a failure. What must not: what an image shows of an import, and requests (see ``backends``), and
the creation of images (see ``upload``).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import (
    ImagesApi,
    Importing,
    ImportRequest,
    ImportState,
    delete_on_failure,
)
from glance_compat.metadata import changes
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import ORIGINS, Image
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams.streams import Progress
from glance_compat.transfers.upload import OF_DATA, Attempt, Uploader
from glance_compat.transport import retry
from glance_compat.transport.client import Identity

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The arguments of ``import_image``, after the checks that need no request.

    :param request: the source and the stores of the data.
    :param data: the data, if the request has no URL.
    :param wait: whether to wait for the end of the import.
    :param timeout: how long to wait, in seconds.
    :param progress: see ``ImageService.import_image``.
    """

    request: ImportRequest
    data: object
    wait: bool
    timeout: float
    progress: Progress | None

    def describe_source(self) -> str:
        """Return the source of the data for a message, without credentials."""
        return "the uploaded data" if self.request.uri is None else redact_url(self.request.uri)


class Importer:
    """Imports the images of one image service."""

    def __init__(self, dispatcher: Dispatcher, uploader: Uploader, options: Options) -> None:
        self._dispatcher = dispatcher
        self._uploader = uploader
        self._options = options

    def create(
        self,
        identity: Identity,
        image_meta: Mapping[str, object],
        order: Order,
        attempt: Attempt,
    ) -> Image:
        """Create an image, and import its data; see ``ImageService.import_image``.

        :param attempt: a new one, for :meth:`Uploader.remove_interrupted`.
        """
        meta = self._uploader.parse(image_meta)
        _check_meta(meta, order)
        meta = changes.fill_in_formats(meta, empty=False)
        if not self._dispatcher.repeat(identity, lambda api: api.can_import(order.request)):
            return self._uploader.create(identity, image_meta, order.data, order.progress, attempt)
        self._uploader.check_new_properties(identity, meta)
        chosen = changes.get_requested_id(meta)
        upload = None
        if order.data is not None:
            upload = self._uploader.upload_of(order.data, meta, order.progress)
        created = self._uploader.start_import(
            identity, attempt, chosen, meta.without(OF_DATA), order.request, upload
        )
        image_id = created["id"]
        with delete_on_failure(image_id, lambda: self._uploader.clean_up(identity, attempt)):
            if not order.wait:
                return self._dispatcher.repeat(identity, lambda api: api.show(image_id))
            found = self._wait(identity, created, order)
            _check_data(found, meta)
            if upload is not None and _has_formats_of(found, created):
                self._uploader.verify(found, upload)
            return found

    # -- waiting

    def _wait(self, identity: Identity, created: Image, order: Order) -> Image:
        """Wait until the import has ended, and return the image.

        :raises glance_compat.exceptions.ImportFailed: the import has failed.
        :raises glance_compat.exceptions.OutcomeUnknown: it has not ended in time.
        """
        watch = _Watch(self._dispatcher, identity, created, order)
        retry.until_settled(watch.look, bool, order.timeout, first=0.1)
        seen = watch.seen
        if watch.has_failed():
            raise self._failure(identity, created["id"], order, seen)
        if seen is not None and seen.state is ImportState.DONE:
            return seen.image
        status = "unknown" if seen is None else seen.image["status"]
        why = f" ({watch.error})" if watch.error else ""
        raise exceptions.OutcomeUnknown(
            f"image {created['id']} was created, and the server has not imported"
            f" {order.describe_source()} after {order.timeout:g} s (status {status}){why}; show"
            " the image later, or delete it",
            endpoint=getattr(watch.error, "endpoint", None),
            image_id=created["id"],
        )

    def _failure(
        self, identity: Identity, image_id: str, order: Order, seen: Importing | None
    ) -> exceptions.ImportFailed:
        if seen is None:
            return exceptions.ImportFailed(
                f"image {image_id} was deleted while the server imported its data; find out which"
                " client deleted it",
                reasons=("the image was deleted",),
                image_id=image_id,
            )
        reasons = self._dispatcher.once(identity, lambda api: api.import_messages(image_id))
        said = (
            f"the server reports: {'; '.join(reasons)}"
            if reasons
            else "the server gives no reason"
        )
        stores = f"; failed stores: {', '.join(seen.failed_stores)}" if seen.failed_stores else ""
        return exceptions.ImportFailed(
            f"the server could not import {order.describe_source()} into image {image_id}: {said}"
            f"{stores}; check that the server can read the data, and that its format is the"
            " disk_format of the image",
            reasons=reasons or (f"the status of the image is {seen.image['status']}",),
            failed_stores=seen.failed_stores,
            image_id=image_id,
        )


class _Watch:
    """What is known of an import while it is watched.

    :ivar seen: the image at the last successful GET, or None if it is deleted.
    :ivar error: the exception of the last GET if it failed, or None.
    """

    def __init__(
        self, dispatcher: Dispatcher, identity: Identity, created: Image, order: Order
    ) -> None:
        self._dispatcher = dispatcher
        self._identity = identity
        self._created = created
        self._order = order
        self._has_begun = False
        self._is_gone = False
        self.seen: Importing | None = None
        self.error: exceptions.GlanceCompatError | None = None

    def look(self) -> bool:
        """GET the image, and return whether the import has ended or can no longer be watched."""
        if self._order.request.uri is not None and self._order.progress is not None:
            self._order.progress(0, None)
        try:
            self.seen = self._dispatcher.once(self._identity, self._show)
            self.error = None
        except exceptions.ImageNotFound:
            self.seen, self._is_gone = None, True
            return True
        except exceptions.GlanceCompatError as error:
            # A server that restarts will respond again; with other errors, the next GET fails too.
            self.error = error
            may_pass = (exceptions.BadResponse, exceptions.GlanceConnectionFailed)
            return not isinstance(error, may_pass)
        self._has_begun = self._has_begun or self._is_changed(self.seen)
        return self.has_failed() or self.seen.state is ImportState.DONE

    def _show(self, api: ImagesApi) -> Importing:
        return api.show_import(self._created["id"], self._order.request)

    def _is_changed(self, seen: Importing) -> bool:
        is_later = seen.image["updated_at"] != self._created["updated_at"]
        return seen.state is ImportState.RUNNING or is_later

    def has_failed(self) -> bool:
        """Return whether the import has failed: it reports that, or has begun and is no more."""
        if self.seen is None:
            return self._is_gone
        if self.seen.state is ImportState.UNCLEAR:
            return self._has_begun
        return self.seen.state is ImportState.FAILED


def _check_meta(meta: ImageMeta, order: Order) -> None:
    """Raise ImageBadRequest for metadata that an import cannot use."""
    for name in ORIGINS:
        if meta.base.get(name) is not None:
            raise exceptions.ImageBadRequest(
                f"image_meta must not have {name}: pass uri or data, and stores, to import_image()"
            )
    missing = [name for name in ("disk_format", "container_format") if not meta.base.get(name)]
    if missing:
        raise exceptions.ImageBadRequest(
            f"an import needs {' and '.join(missing)}; pass them in image_meta"
        )
    compared = [name for name in ("size", "checksum") if meta.base.get(name)]
    if compared and order.request.uri is not None and not order.wait:
        raise exceptions.ImageBadRequest(
            f"{' and '.join(compared)} can be compared only when the data is imported; pass"
            " wait=True, or leave them out"
        )


def _check_data(found: Image, meta: ImageMeta) -> None:
    """Raise IntegrityError if the imported data has not the size or checksum in the metadata."""
    for name in ("size", "checksum"):
        wanted = meta.base.get(name)
        if wanted and str(wanted).lower() != str(found[name]).lower():
            raise exceptions.IntegrityError(
                f"the imported data of image {found['id']} has the {name} {found[name]}, not"
                f" {wanted}",
                image_id=found["id"],
            )


def _has_formats_of(found: Image, created: Image) -> bool:
    """Return whether the image has the formats with which it was created.

    A site may convert or decompress the data during an import (Glance's image import plugins).
    """
    return all(found[name] == created[name] for name in ("disk_format", "container_format"))
