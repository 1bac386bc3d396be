# SPDX-License-Identifier: Apache-2.0
"""Create and change images, and send their data: a whole image, or nothing.

What must live here: the plan of a write (with data, empty, or with data from elsewhere), which
writes may be repeated, what a lost response may mean, the comparison of what was stored with what
was sent, and the removal of what a failed call created. What must not: the check of metadata
(``changes``), requests (``backends``), hashing (``streams``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, delete_on_failure
from glance_compat.metadata import changes
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.routing.dispatcher import Call, Dispatcher
from glance_compat.streams.streams import Progress, Upload
from glance_compat.transport import retry
from glance_compat.transport.client import Identity
from glance_compat.transport.retry import Deadline

#: Errors that, without a status, mean that no request was sent or that nothing is left of it.
_REFUSALS = (exceptions.Invalid, exceptions.UnsupportedByVersion)

#: Attributes that describe the data, and the id, which is passed beside the metadata.
_OF_DATA = frozenset({"id", "size", "checksum"})


@dataclasses.dataclass(slots=True)
class Attempt:
    """The current attempt to create a whole image.

    Each attempt has its own id: that of a removed image cannot be used again.

    :param sent: a server may have the request that creates the image.
    :param response_received: the last request has a response.
    :param cleaned_up: nothing is left of the attempt.
    """

    image_id: str = ""
    sent: bool = False
    response_received: bool = True
    cleaned_up: bool = False

    def begin(self) -> None:
        """Start the next attempt, under a new id."""
        self.image_id = str(uuid.uuid4())
        self.sent = self.cleaned_up = False
        self.response_received = True

    def create(self, api: ImagesApi, meta: ImageMeta, upload: Upload | None) -> Image:
        """Send the request that creates the image."""
        self.sent = True
        return api.create(self.image_id, meta, upload)

    def note_failure(self, error: BaseException) -> None:
        """Work out from an error what the server may have."""
        self.response_received = getattr(error, "status", None) is not None
        if isinstance(error, _REFUSALS) and not self.response_received:
            self.sent = False


@dataclasses.dataclass(slots=True)
class _Creation:
    """The creation of an image without data, a call that may be repeated.

    :param has_own_id: the library chose the id, so no other caller's image has it.
    :param may_exist: an earlier attempt may have created the image and lost its response.
    """

    image_id: str
    meta: ImageMeta
    has_own_id: bool
    may_exist: bool = False

    def __call__(self, api: ImagesApi) -> Image:
        try:
            return api.create(self.image_id, self.meta, None)
        except exceptions.Conflict as error:
            if not self.may_exist:
                raise
            return self._find_existing(api, error)
        except exceptions.GlanceCompatError as error:
            self.may_exist = self.may_exist or retry.is_transient(error)
            raise

    def _find_existing(self, api: ImagesApi, conflict: exceptions.Conflict) -> Image:
        found = api.show(self.image_id)
        if self.has_own_id and found["name"] == self.meta.base.get("name"):
            return found
        raise exceptions.OutcomeUnknown(
            f"image {self.image_id} exists, but it is unknown whether this call created it: the"
            " response to an earlier attempt was lost; check the image before you use it",
            image_id=self.image_id,
        ) from conflict


class Uploader:
    """Writes of one image service.

    Data whose transfer failed temporarily is sent again when it can be rewound and the server
    has none of it.
    """

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._options = options

    # -- the plan of a write

    def create(
        self,
        identity: Identity,
        image_meta: Mapping[str, object],
        data: object,
        progress: Progress | None,
    ) -> Image:
        """Create an image, with its data if there is any; see ``ImageService.create``."""
        meta = changes.parse_image_meta(image_meta)
        _refuse_two_sources(meta, data)
        empty = data is None and meta.base.get("size") == 0 and not _has_remote_data(meta)
        meta = changes.fill_in_formats(meta, empty=empty)
        chosen = changes.get_requested_id(meta)
        if empty:
            data = b""
        if data is None:
            # The size of data that the server fetches is compared with what it finds.
            unused = {"id"} if _has_remote_data(meta) else {"id", "size"}
            return self._create_without_data(identity, chosen, meta.without(unused))
        upload = _upload_of(data, meta, progress)
        return self._create_with_data(identity, chosen, meta.without(_OF_DATA), upload)

    def update(
        self,
        identity: Identity,
        image_id: str,
        image_meta: Mapping[str, object],
        data: object,
        progress: Progress | None,
        *,
        purge: bool,
    ) -> Image:
        """Change an image, or give a queued image its data; see ``ImageService.update``."""
        meta = changes.parse_image_meta(image_meta)
        changes.check_id(meta, image_id)
        _refuse_two_sources(meta, data)
        changed = meta.without(_OF_DATA)
        if data is None:
            return self._dispatcher.repeat(
                identity, lambda api: api.update(image_id, changed, purge=purge)
            )
        return self._send_data_to(identity, image_id, changed, _upload_of(data, meta, progress))

    # -- without data

    def _create_without_data(
        self, identity: Identity, chosen: str | None, meta: ImageMeta
    ) -> Image:
        """Create an image without data.

        :param chosen: the caller's id for it, or None. Under the library's own id, a repeated
            creation finds the image that an earlier attempt created.
        """
        if meta.base.get("location") is not None:
            return self._create_at_location(identity, chosen, meta)
        image_id = chosen or str(uuid.uuid4())
        creation = _Creation(image_id, meta, has_own_id=chosen is None)
        try:
            return self._dispatcher.repeat(identity, creation)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # The image may exist, if only the responses were lost or damaged.
            found = self._find(identity, image_id) if chosen is None else None
            if found is None:
                raise
            return found

    def _create_at_location(
        self, identity: Identity, chosen: str | None, meta: ImageMeta
    ) -> Image:
        """Create an image whose data is at a URL, which may take several requests."""
        if chosen is None:
            return self._create_whole(identity, meta, None)
        return self._dispatcher.once(identity, lambda api: api.create(chosen, meta, None))

    def _find(self, identity: Identity, image_id: str) -> Image | None:
        try:
            return self._dispatcher.once(identity, lambda api: api.show(image_id))
        except exceptions.GlanceCompatError:
            return None

    # -- with data

    def _create_with_data(
        self, identity: Identity, chosen: str | None, meta: ImageMeta, upload: Upload
    ) -> Image:
        """Create an image with its data; when that fails, nothing is left of it."""
        if chosen is None:
            return self._create_whole(identity, meta, upload)
        # Under an id of the caller's choice, only a response proves that this call created the
        # record and may remove it.
        store = ImageMeta({name: meta.base[name] for name in ("store",) if name in meta.base}, {})
        self._create_without_data(identity, chosen, meta.without({"store"}))
        with delete_on_failure(chosen, lambda: self._delete(identity, chosen)):
            return self._send_data_to(identity, chosen, store, upload)

    def _send_data_to(
        self, identity: Identity, image_id: str, meta: ImageMeta, upload: Upload
    ) -> Image:
        """Give a queued image its data."""

        def update(api: ImagesApi) -> Image:
            return api.update_with_data(image_id, meta, upload)

        def may_repeat(error: BaseException) -> bool:
            return _can_send_again(error, upload) and self._is_queued(identity, image_id)

        stored = retry.repeat(
            lambda: self._send_once(identity, image_id, upload, update),
            self._options,
            Deadline(None),
            may_repeat,
        )
        return self._verify(stored, upload)

    def _create_whole(self, identity: Identity, meta: ImageMeta, upload: Upload | None) -> Image:
        """Create an image with its data, under a new id for each attempt.

        :param upload: None: the data is at a URL, and the option ``deadline`` bounds the call.
        """
        attempt = Attempt()

        def may_repeat(error: BaseException) -> bool:
            if not attempt.cleaned_up:
                return False
            return retry.is_transient(error) if upload is None else _can_send_again(error, upload)

        return retry.repeat(
            lambda: self._attempt(identity, attempt, meta, upload),
            self._options,
            Deadline(self._options.deadline if upload is None else None),
            may_repeat,
        )

    def _attempt(
        self, identity: Identity, attempt: Attempt, meta: ImageMeta, upload: Upload | None
    ) -> Image:
        """Create an image with its data, or remove what is left of it."""
        attempt.begin()

        def create(api: ImagesApi) -> Image:
            return attempt.create(api, meta, upload)

        with delete_on_failure(attempt.image_id, lambda: self._clean_up(identity, attempt)):
            try:
                if upload is None:
                    return self._dispatcher.once(identity, create)
                stored = self._send_once(identity, attempt.image_id, upload, create)
            except BaseException as error:
                attempt.note_failure(error)
                raise
            return self._verify(stored, upload)

    def _clean_up(self, identity: Identity, attempt: Attempt) -> None:
        """Remove what an attempt has created."""
        with contextlib.suppress(exceptions.ImageNotFound):
            if attempt.sent and attempt.response_received:
                self._delete(identity, attempt.image_id)
            elif attempt.sent:
                # The server may create the record after its connection was cut.
                retry.until_found(lambda: self._delete(identity, attempt.image_id))
        attempt.cleaned_up = True

    def _delete(self, identity: Identity, image_id: str) -> None:
        self._dispatcher.repeat(identity, lambda api: api.delete(image_id))

    # -- after the data was sent

    def _send_once(
        self, identity: Identity, image_id: str, upload: Upload, call: Call[Image]
    ) -> Image:
        """Send the data once; when only the response is lost, GET the image."""
        try:
            return self._dispatcher.once(identity, call, deadline=False)
        except BaseException as error:
            stored = self._find_stored(identity, image_id, upload, error)
            if stored is None:
                raise
            return stored

    def _find_stored(
        self, identity: Identity, image_id: str, upload: Upload, error: BaseException
    ) -> Image | None:
        """Return the image after a lost response, if all of its data is stored.

        :raises glance_compat.exceptions.OutcomeUnknown: the image cannot be fetched.
        """
        if not _may_be_complete(error, upload):
            return None
        try:
            found = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        except exceptions.ImageNotFound:
            return None
        except exceptions.GlanceCompatError as failure:
            raise exceptions.OutcomeUnknown(
                f"the data of image {image_id} was sent, but the response was lost ({error}) and"
                f" a follow-up GET could not establish the outcome ({failure}); check the image"
                " before you send the data again",
                status=getattr(error, "status", None),
                endpoint=failure.endpoint,
                image_id=image_id,
            ) from error
        complete = found["size"] == upload.sent and found["checksum"] == upload.checksum
        return found if found["status"] == "active" and complete else None

    def _is_queued(self, identity: Identity, image_id: str) -> bool:
        """Whether an image accepts data; a server whose connection was cut may still save it."""
        try:
            found = retry.until(
                lambda: self._dispatcher.repeat(identity, lambda api: api.show(image_id)),
                lambda image: image["status"] != "saving",
            )
        except exceptions.GlanceCompatError:
            return False
        return bool(found["status"] == "queued")

    def _verify(self, stored: Image, upload: Upload) -> Image:
        """Compare what the server stored with what was sent."""
        if not self._options.verify_uploads:
            return stored
        same = stored["checksum"] in (None, upload.checksum)
        if stored["status"] == "active" and stored["size"] == upload.sent and same:
            return stored
        raise exceptions.IntegrityError(
            f"image {stored['id']} is {stored['status']} with {stored['size']} bytes and MD5"
            f" {stored['checksum']}, but {upload.sent} bytes with MD5 {upload.checksum} were sent",
            image_id=stored["id"],
        )


def _upload_of(data: object, meta: ImageMeta, progress: Progress | None) -> Upload:
    # Callers that do not know the size pass 0 (Nova's VMware driver).
    size = meta.base.get("size") or None
    return Upload(data, size=size, checksum=meta.base.get("checksum"), progress=progress)


def _has_remote_data(meta: ImageMeta) -> bool:
    """Whether the server gets the data from a URL."""
    return any(meta.base.get(name) is not None for name in ("location", "copy_from"))


def _refuse_two_sources(meta: ImageMeta, data: object) -> None:
    """Refuse data together with a URL of the data.

    v1 responds with 400 and leaves a queued image (verified on Glance 15.0.2); v2 stores whatever
    comes last.
    """
    if data is not None and _has_remote_data(meta):
        raise exceptions.ImageBadRequest(
            "an image takes data, location or copy_from, and only one of them"
        )


def _can_send_again(error: BaseException, upload: Upload) -> bool:
    return retry.is_transient(error) and upload.failure is None and upload.rewind()


def _may_be_complete(error: BaseException, upload: Upload) -> bool:
    """Whether the server may have stored all of the data, and only its response was lost."""
    if upload.failure is not None or not upload.begun:
        return False
    # Any error or unparsable response counts as lost; what matters is whether the stored image is
    # complete.
    return isinstance(error, (exceptions.BadResponse, exceptions.GlanceConnectionFailed))
