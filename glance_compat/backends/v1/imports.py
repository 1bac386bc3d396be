# SPDX-License-Identifier: Apache-2.0
"""Data that a v1 server copies from a URL into an image (copy_from), and locations."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import (
    Importing,
    ImportRequest,
    ImportState,
    LocationToAdd,
)
from glance_compat.backends.v1.images import V1Images
from glance_compat.metadata import support
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.redaction import redact_url
from glance_compat.streams.streams import Upload

#: Parts of the message of a 400 for a URL whose host does not respond, or responds with an error.
#: For a 404 at the URL the status is 404 (verified on Glance 15.0.2; glance_store,
#: _drivers/http.py).
_UNREADABLE = ("The HTTP URL is invalid", "returned a")

#: The state of a copy, by the status of the image; any other status means that it failed. The
#: image is queued, then saving, then active, or killed (verified on Glance 15.0.2).
_STATES = {
    "queued": ImportState.RUNNING,
    "saving": ImportState.RUNNING,
    "active": ImportState.DONE,
    "deactivated": ImportState.DONE,
}


class V1Imports(V1Images):
    """Data that the server copies from a URL, or reads there at each download."""

    def add_location(self, image_id: str, location: LocationToAdd) -> Image | None:
        for name, given in (("metadata", location.metadata), ("os_hash_value", location.hashes)):
            if given:
                raise exceptions.UnsupportedByVersion(
                    f"{support.V2_API} ({name} of a location)",
                    self.api_name,
                    endpoint=self._transport.endpoint,
                    image_id=image_id,
                )
        return self.update(image_id, ImageMeta({"location": location.url}, {}), purge=False)

    def can_import(self, request: ImportRequest) -> bool:
        if request.uri is None:
            raise self._unsupported("glance-direct", f"import with {request.argument}")
        if request.stores or request.all_stores:
            raise self._unsupported("stores", "import with stores")
        return True

    def create_by_import(
        self, image_id: str, meta: ImageMeta, request: ImportRequest, upload: Upload | None
    ) -> Image:
        self.can_import(request)
        base = {**meta.base, "copy_from": request.uri}
        with _unreadable_url(request, (exceptions.NotFound, exceptions.ImageBadRequest)):
            return self.create(image_id, dataclasses.replace(meta, base=base), None)

    def import_into(self, image_id: str, request: ImportRequest, upload: Upload | None) -> None:
        self.can_import(request)
        with _unreadable_url(request, (exceptions.ImageNotFound, exceptions.ImageBadRequest)):
            try:
                self.update(image_id, ImageMeta({"copy_from": request.uri}, {}), purge=False)
            except exceptions.ImageNotFound:
                # The status does not show whether the image or the URL was not found.
                self._current(image_id)
                raise
            except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
                # Only the response may be lost; then a second request would be rejected.
                if not self.has_begun_import(image_id):
                    raise

    def has_begun_import(self, image_id: str) -> bool:
        return str(self.show(image_id)["status"]) != "queued"

    def show_import(self, image_id: str, request: ImportRequest) -> Importing:
        found = self.show(image_id)
        return Importing(found, _STATES.get(found["status"], ImportState.FAILED))

    def import_messages(self, image_id: str) -> tuple[str, ...]:
        # v1 has no tasks, and the image does not say why it was killed.
        return ()


@contextlib.contextmanager
def _unreadable_url(
    request: ImportRequest, errors: tuple[type[exceptions.GlanceCompatError], ...]
) -> Iterator[None]:
    """Convert the server's error for a URL that it cannot read to ImportFailed.

    The server requests the size of the data before it creates or changes the image.

    :param errors: the exceptions that such a response may be.
    """
    try:
        yield
    except errors as error:
        if error.status != 404 and not any(one in error.message for one in _UNREADABLE):
            raise
        source = redact_url(request.uri or "")
        raise exceptions.ImportFailed(
            f"the server cannot read {source} (HTTP {error.status}, request id"
            f" {error.request_id}); check the URL",
            reasons=(error.message,),
            status=error.status,
            request_id=error.request_id,
            endpoint=error.endpoint,
        ) from error
