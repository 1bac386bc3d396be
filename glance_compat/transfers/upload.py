# SPDX-License-Identifier: Apache-2.0
"""Making an image whole or not at all: creating, sending data, and what to do when that fails.

What must live here: which writes may be repeated, what a lost answer may have meant, the
comparison of what was stored with what was sent, and the removal of what a failed call made.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, delete_on_failure
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.routing.context import Caller
from glance_compat.routing.dispatcher import Dispatcher, Repeatable
from glance_compat.streams.streams import Upload
from glance_compat.transport import retry
from glance_compat.transport.retry import Deadline

#: Raised without a status, they say that nothing was sent, or that nothing is left of it.
_REFUSALS = (exceptions.Invalid, exceptions.UnsupportedByVersion)


class Uploader:
    """Writes of one image service.

    Data that failed for the moment is sent again when it can be rewound and the server has
    nothing of it.
    """

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._options = options

    def create(self, caller: Caller, chosen: str | None, meta: ImageMeta) -> Image:
        """A new image without data.

        :param chosen: the caller's id for it; the library's own is one that nobody else has, so
            that a repeated creation finds what an earlier one made.
        """
        if meta.base.get("location") is not None:
            return self._create_at_location(caller, chosen, meta)
        image_id = chosen or str(uuid.uuid4())
        try:
            return self._dispatcher.repeat(caller, _creation(image_id, meta, ours=chosen is None))
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # Perhaps it was made, and it was the answers that were lost or damaged.
            found = self._found(caller, image_id) if chosen is None else None
            if found is None:
                raise
            return found

    def _create_at_location(self, caller: Caller, chosen: str | None, meta: ImageMeta) -> Image:
        """A location may need a request of its own, and the id of an image that was removed
        because that failed cannot be used again: the library's own is another in each attempt."""
        if chosen is None:
            return self._create_whole(caller, meta, None)
        return self._dispatcher.once(caller, lambda api: api.create(chosen, meta, None))

    def _found(self, caller: Caller, image_id: str) -> Image | None:
        try:
            return self._dispatcher.once(caller, lambda api: api.show(image_id))
        except exceptions.GlanceCompatError:
            return None

    def create_with_data(
        self, caller: Caller, chosen: str | None, meta: ImageMeta, upload: Upload
    ) -> Image:
        """A new image with its data; nothing is left of it when that fails."""
        if chosen is None:
            return self._create_whole(caller, meta, upload)
        # Under an id of the caller's, only an answer proves that the record is this call's own
        # and may be removed again.
        store = ImageMeta({name: meta.base[name] for name in ("store",) if name in meta.base}, {})
        self.create(caller, chosen, meta.without({"store"}))
        with delete_on_failure(chosen, lambda: self._delete(caller, chosen)):
            return self.update_with_data(caller, chosen, store, upload)

    def update_with_data(
        self, caller: Caller, image_id: str, meta: ImageMeta, upload: Upload
    ) -> Image:
        """Give a queued image its data."""

        def attempt(number: int) -> Image:
            return self._sent(
                caller, image_id, upload, lambda api: api.update_with_data(image_id, meta, upload)
            )

        def again(error: BaseException) -> bool:
            return self._can_send(error, upload) and self._is_queued(caller, image_id)

        stored = retry.repeat(attempt, self._options, Deadline(None), again)
        return self._verified(stored, upload)

    def _create_whole(self, caller: Caller, meta: ImageMeta, upload: Upload | None) -> Image:
        """Every attempt under an id of its own: that of a removed image cannot be used again.

        :param upload: None: the data is elsewhere, and the call bounded by the option deadline.
        """
        left: list[str] = []

        def attempt(number: int) -> Image:
            image_id = str(uuid.uuid4())
            left[:] = [image_id]
            return self._whole(caller, image_id, meta, upload, left.clear)

        def again(error: BaseException) -> bool:
            if left:
                return False
            return retry.is_transient(error) if upload is None else self._can_send(error, upload)

        deadline = Deadline(self._options.deadline if upload is None else None)
        return retry.repeat(attempt, self._options, deadline, again)

    def _whole(
        self,
        caller: Caller,
        image_id: str,
        meta: ImageMeta,
        upload: Upload | None,
        removed: Callable[[], object],
    ) -> Image:
        """One attempt.

        :param removed: told when nothing is left of it.
        """
        asked = False

        def make(api: ImagesApi) -> Image:
            nonlocal asked
            asked = True
            return api.create(image_id, meta, upload)

        def delete() -> None:
            with contextlib.suppress(exceptions.ImageNotFound):
                if asked:
                    self._delete(caller, image_id, at_once=answered)
            removed()

        answered = True
        with delete_on_failure(image_id, delete):
            try:
                if upload is None:
                    return self._dispatcher.once(caller, make)
                stored = self._sent(caller, image_id, upload, make)
            except BaseException as error:
                answered = getattr(error, "status", None) is not None
                asked = asked and (answered or not isinstance(error, _REFUSALS))
                raise
            return self._verified(stored, upload)

    def _sent(
        self,
        caller: Caller,
        image_id: str,
        upload: Upload,
        call: Callable[[ImagesApi], Image],
    ) -> Image:
        """Send the data once; when only the answer is lost, look at what became of it."""
        try:
            return self._dispatcher.once(caller, call, deadline=False)
        except BaseException as error:
            found = self._settled(caller, image_id, upload, error)
            if found is None:
                raise
            return found

    def _delete(self, caller: Caller, image_id: str, *, at_once: bool = True) -> None:
        """:param at_once: False: the record may come to be after its request has failed."""

        def delete() -> None:
            self._dispatcher.repeat(caller, lambda api, attempt: api.delete(image_id))

        if at_once:
            delete()
        else:
            retry.until_found(delete)

    def _can_send(self, error: BaseException, upload: Upload) -> bool:
        return retry.is_transient(error) and upload.failure is None and upload.rewind()

    def _is_queued(self, caller: Caller, image_id: str) -> bool:
        """Whether an image takes data; a server that was cut off may still be saving it."""
        try:
            found = retry.until(
                lambda: self._dispatcher.repeat(caller, lambda api, attempt: api.show(image_id)),
                lambda image: image["status"] != "saving",
            )
        except exceptions.GlanceCompatError:
            return False
        return bool(found["status"] == "queued")

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
        if not self._options.verify_uploads:
            return stored
        same = stored["checksum"] in (None, upload.checksum)
        if stored["status"] == "active" and stored["size"] == upload.sent and same:
            return stored
        raise exceptions.IntegrityError(
            f"image {stored['id']} is {stored['status']} with {stored['size']} bytes and MD5"
            f" {stored['checksum']}, but {upload.sent} bytes of MD5 {upload.checksum} were sent",
            image_id=stored["id"],
        )


def _creation(image_id: str, meta: ImageMeta, *, ours: bool) -> Repeatable[Image]:
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
    # Whatever says that all is not well, or nothing that can be understood: an image that is whole
    # is whole.
    return isinstance(error, (exceptions.BadResponse, exceptions.GlanceConnectionFailed))
