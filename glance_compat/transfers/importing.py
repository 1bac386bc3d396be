# SPDX-License-Identifier: Apache-2.0
"""Create or fill an image whose data the server imports, and wait until it has done so.

What must live here: the sequence of calls of an import, and the cleanup after a failure. What must
not: the creation of images (see ``upload``), and the GETs until the end (see ``watching``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import ImportRequest, check_takes_data, delete_on_failure
from glance_compat.metadata import changes
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import ORIGINS, Image
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_url
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams.streams import Progress
from glance_compat.transfers.starting import Start
from glance_compat.transfers.upload import OF_DATA, Attempt, Uploader
from glance_compat.transfers.watching import Watch, is_done
from glance_compat.transport.client import Identity


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The arguments of an import, after the checks that need no request.

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

    def fill(
        self,
        identity: Identity,
        image_id: str,
        image_meta: Mapping[str, object],
        order: Order,
    ) -> Image:
        """Import data into a queued image; see ``ImageService.import_data``."""
        chosen = self._uploader.parse(image_meta).base
        queued = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        check_takes_data(queued, self._dispatcher.discover(identity).endpoint)
        request = order.request
        if not self._dispatcher.repeat(identity, lambda api: api.can_import(request)):
            return self._uploader.update(
                identity, image_id, image_meta, order.data, order.progress, purge=False
            )
        _check_formats({**queued, **chosen}, "the image has none, so pass them in image_meta")
        if order.data is not None:
            # An image with staged data takes no other data, so all stores must exist.
            self._check_stores_exist(identity, request)
        if image_meta:
            queued = self._uploader.update(identity, image_id, image_meta, None, None, purge=False)
        upload = None
        if order.data is None:
            start = Start(
                lambda api: api.import_into(image_id, request, None),
                lambda api: api.has_begun_import(image_id),
            )
            self._dispatcher.repeat(identity, start)
        else:
            upload = self._uploader.upload_of(order.data, ImageMeta({}, {}), order.progress)
            self._dispatcher.once(
                identity, lambda api: api.import_into(image_id, request, upload), deadline=False
            )
        if not order.wait:
            return self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        found = self._wait(identity, queued, order)
        if upload is not None and _has_formats_of(found, queued):
            self._uploader.verify(found, upload)
        return found

    def _check_stores_exist(self, identity: Identity, request: ImportRequest) -> None:
        """Raise ImageImportImpossible if a store does not exist."""
        if not request.stores:
            return
        known = [one["id"] for one in self._dispatcher.repeat(identity, lambda api: api.stores())]
        missing = [one for one in request.stores if one not in known]
        if missing:
            raise exceptions.ImageImportImpossible(
                f"there is no store {', '.join(map(quote_value, missing))}; the stores are:"
                f" {', '.join(known)}"
            )

    def _wait(self, identity: Identity, created: Image, order: Order) -> Image:
        """Wait until the import has ended, and return the image.

        :raises glance_compat.exceptions.ImportFailed: the import has failed.
        :raises glance_compat.exceptions.OutcomeUnknown: it has not ended in time.
        """
        watch = Watch(
            dispatcher=self._dispatcher,
            identity=identity,
            image_id=created["id"],
            request=order.request,
            updated_at=created["updated_at"],
            progress=None if order.request.uri is None else order.progress,
            is_over=is_done,
        )
        watch.wait(order.timeout)
        source = order.describe_source()
        if watch.has_failed():
            raise watch.failure(
                f"import {source} into image {created['id']}",
                "check that the server can read the data, and that its format is the disk_format"
                " of the image",
            )
        if watch.seen is None or not is_done(watch):
            raise watch.unknown(f"imported {source} into image {created['id']}", order.timeout)
        return watch.seen.image


def _check_meta(meta: ImageMeta, order: Order) -> None:
    """Raise ImageBadRequest for metadata that an import cannot use."""
    for name in ORIGINS:
        if meta.base.get(name) is not None:
            raise exceptions.ImageBadRequest(
                f"image_meta must not have {name}: pass uri or data, and stores, to import_image()"
            )
    _check_formats(meta.base, "pass them in image_meta")
    compared = [name for name in ("size", "checksum") if meta.base.get(name)]
    if compared and order.request.uri is not None and not order.wait:
        raise exceptions.ImageBadRequest(
            f"{' and '.join(compared)} can be compared only when the data is imported; pass"
            " wait=True, or leave them out"
        )


def _check_formats(values: Mapping[str, object], advice: str) -> None:
    """Raise ImageBadRequest if an image has not the formats that an import needs."""
    missing = [name for name in ("disk_format", "container_format") if not values.get(name)]
    if missing:
        raise exceptions.ImageBadRequest(f"an import needs {' and '.join(missing)}; {advice}")


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
