# SPDX-License-Identifier: Apache-2.0
"""Making an image whole or not at all: creating, sending data, and what to do when that fails.

What must live here: which writes may be repeated, what a lost answer may have meant, the
comparison of what was stored with what was sent, and the removal of what a failed call made.
"""

from __future__ import annotations

from collections.abc import Callable

from glance_compat import exceptions, retry
from glance_compat.api import ImagesApi, removed_on_failure
from glance_compat.caller import Caller
from glance_compat.change import Meta
from glance_compat.dispatch import Dispatcher, Repeatable
from glance_compat.image import Image
from glance_compat.transfer import Upload


class Uploader:
    """Writes of one image service.

    :param verify: compare size and checksum of what was stored.
    """

    def __init__(self, dispatcher: Dispatcher, *, verify: bool) -> None:
        self._dispatcher = dispatcher
        self._verify = verify

    def create(self, caller: Caller, image_id: str, meta: Meta, *, ours: bool) -> Image:
        """A new image without data.

        :param ours: the id was chosen by the library, so a repeated creation finds its own.
        """
        return self._dispatcher.repeat(caller, _creation(image_id, meta, ours))

    def create_with_data(
        self, caller: Caller, image_id: str, meta: Meta, upload: Upload, *, ours: bool
    ) -> Image:
        """A new image with its data; nothing is left of it when that fails."""
        if ours:
            return self._whole(
                caller, image_id, upload, lambda api: api.create(image_id, meta, upload)
            )
        # Under an id of the caller's, only an answer proves that the record is this call's own
        # and may be removed again.
        store = Meta({name: meta.base[name] for name in ("store",) if name in meta.base}, {})
        self.create(caller, image_id, meta.without({"store"}), ours=False)
        return self._whole(
            caller, image_id, upload, lambda api: api.update_with_data(image_id, store, upload)
        )

    def update_with_data(self, caller: Caller, image_id: str, meta: Meta, upload: Upload) -> Image:
        """Give a queued image its data."""
        try:
            stored = self._dispatcher.once(
                caller, lambda api: api.update_with_data(image_id, meta, upload)
            )
        except exceptions.GlanceCompatError as error:
            found = self._settled(caller, image_id, upload, error)
            if found is None:
                raise
            stored = found
        return self._verified(stored, upload)

    def _whole(
        self, caller: Caller, image_id: str, upload: Upload, call: Callable[[ImagesApi], Image]
    ) -> Image:
        def delete() -> None:
            self._dispatcher.repeat(caller, lambda api, attempt: api.delete(image_id))

        asked = False

        def make(api: ImagesApi) -> Image:
            nonlocal asked
            asked = True
            return call(api)

        try:
            stored = self._dispatcher.once(caller, make)
        except BaseException as error:
            if not asked:
                raise
            found = self._settled(caller, image_id, upload, error)
            if found is None:
                answered = getattr(error, "status", None) is not None
                with removed_on_failure(
                    image_id, delete if answered else lambda: retry.until_found(delete)
                ):
                    raise
            stored = found
        with removed_on_failure(image_id, delete):
            return self._verified(stored, upload)

    def _settled(
        self, caller: Caller, image_id: str, upload: Upload, error: BaseException
    ) -> Image | None:
        """After a lost answer, the image as it is stored, if all of it is there.

        :raises glance_compat.exceptions.OutcomeUnknown: nobody can look.
        """
        if not _is_lost(error, upload):
            return None
        try:
            found = self._dispatcher.repeat(caller, lambda api, attempt: api.show(image_id))
        except exceptions.ImageNotFound:
            return None
        except exceptions.GlanceCompatError as unseen:
            raise exceptions.OutcomeUnknown(
                f"the data of image {image_id} was sent, but its answer was lost ({error}) and the"
                f" image cannot be looked at ({unseen})",
                status=getattr(error, "status", None),
                endpoint=unseen.endpoint,
                image_id=image_id,
            ) from error
        complete = found["size"] == upload.sent and found["checksum"] == upload.checksum
        return found if found["status"] == "active" and complete else None

    def _verified(self, stored: Image, upload: Upload) -> Image:
        """Compare what the server stored with what was sent."""
        if not self._verify:
            return stored
        same = stored["checksum"] in (None, upload.checksum)
        if stored["status"] == "active" and stored["size"] == upload.sent and same:
            return stored
        raise exceptions.IntegrityError(
            f"image {stored['id']} is {stored['status']} with {stored['size']} bytes and MD5"
            f" {stored['checksum']}, but {upload.sent} bytes of MD5 {upload.checksum} were sent",
            image_id=stored["id"],
        )


def _creation(image_id: str, meta: Meta, ours: bool) -> Repeatable[Image]:
    """The call that creates an image without data."""

    def call(api: ImagesApi, attempt: int) -> Image:
        try:
            return api.create(image_id, meta, None)
        except exceptions.Conflict as error:
            if attempt == 1:
                raise
            found = api.show(image_id)
            if ours and found["name"] == meta.base.get("name"):
                return found
            raise exceptions.OutcomeUnknown(
                f"there is an image {image_id}, and it cannot be told whether this call made it:"
                " the answer to an earlier attempt was lost",
                image_id=image_id,
            ) from error

    return call


def _is_lost(error: BaseException, upload: Upload) -> bool:
    """Whether the server may have taken all of the data, and only its answer did not come."""
    if upload.failure is not None or not upload.begun:
        return False
    status = getattr(error, "status", None)
    server_failed = isinstance(error, exceptions.BadResponse) and (status is None or status >= 500)
    return server_failed or isinstance(error, exceptions.GlanceConnectionFailed)
