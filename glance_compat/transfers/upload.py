# SPDX-License-Identifier: Apache-2.0
"""Create and update images, and upload their data; delete what a failed call has created.

What must live here: the sequence of requests of a write (with data, empty, or with data from a
URL), the decision which writes may be repeated, the recovery after a lost response, the comparison
of the stored data with the sent data, and the cleanup after a failure. What must not: checks of
metadata (see ``changes``), requests (see ``backends``), and hashing (see ``streams``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, ImportRequest, delete_on_failure
from glance_compat.definitions.enforcement import PropertyRules
from glance_compat.metadata import changes, filters
from glance_compat.metadata.changes import ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.routing.dispatcher import Call, Dispatcher
from glance_compat.streams.streams import Progress, Upload
from glance_compat.transfers.outcome import FROM_PROXIES, STORING, LostResponse
from glance_compat.transfers.sources import check_source_url
from glance_compat.transport import retry
from glance_compat.transport.client import Identity
from glance_compat.transport.retry import Deadline

LOG = logging.getLogger(__name__)

#: Exceptions that, if they have no status, mean that the server has no image: either no request
#: was sent, or the image is deleted already.
_REFUSALS = (exceptions.Invalid, exceptions.UnsupportedByVersion)

#: Attributes that are not sent with the metadata: those of the data, and the id, which is passed
#: as an argument.
OF_DATA = frozenset({"id", "size", "checksum"})


@dataclasses.dataclass(slots=True)
class Attempt:
    """The state of the current attempt to create an image.

    Each attempt uses a new image id, because the id of a deleted image cannot be used again.

    :param image_id: the id of the image in this attempt.
    :param is_own: whether it is certain that this call created the image with that id: the
        library chose the id, or a response confirmed the creation.
    :param exists: whether it is certain that the image existed when its data was sent.
    :param gone: whether another client has since deleted the image.
    :param sent: whether the server may have received the request that creates the image.
    :param response_received: whether the server has responded to the last request.
    :param cleaned_up: whether everything that the attempt created is deleted.
    """

    image_id: str = ""
    is_own: bool = True
    exists: bool = False
    gone: bool = False
    sent: bool = False
    response_received: bool = True
    cleaned_up: bool = False

    def begin(self, chosen: str | None = None) -> None:
        """Start the next attempt, with a new image id or the caller's."""
        self.image_id = chosen or str(uuid.uuid4())
        self.is_own = chosen is None
        self.exists = self.gone = self.sent = self.cleaned_up = False
        self.response_received = True

    def create(self, api: ImagesApi, meta: ImageMeta, upload: Upload | None) -> Image:
        """Send the request that creates the image."""
        self._note_request(api)
        return api.create(self.image_id, meta, upload)

    def create_by_import(
        self, api: ImagesApi, meta: ImageMeta, request: ImportRequest, upload: Upload | None
    ) -> Image:
        """Send the requests that create the image and start the import of its data."""
        self._note_request(api)
        return api.create_by_import(self.image_id, meta, request, upload)

    def _note_request(self, api: ImagesApi) -> None:
        self.sent = True
        self.exists = api.creates_before_upload

    def note_failure(self, error: BaseException) -> None:
        """Update the state after an exception of the request."""
        self.response_received = getattr(error, "status", None) not in FROM_PROXIES
        if isinstance(error, _REFUSALS) and not self.response_received:
            self.sent = False


@dataclasses.dataclass(slots=True)
class _Creation:
    """The creation of an image without data, as a call that may be repeated.

    :param image_id: the id of the new image.
    :param meta: the metadata of the new image.
    :param has_own_id: whether the library generated the id, so that no other image has it.
    :param may_exist: whether an earlier attempt, whose response was lost, may have created the
        image.
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
        found = api.show(self.image_id, self.meta.base)
        if self.has_own_id and found["name"] == self.meta.base.get("name"):
            return _check_created(api, found, self.meta)
        raise exceptions.OutcomeUnknown(
            f"image {self.image_id} exists, but it is unknown whether this call created it: the"
            " response to an earlier attempt was lost; check the image before you use it",
            image_id=self.image_id,
        ) from conflict


class Uploader:
    """Creates and updates the images of one image service.

    After a temporary failure the data is sent again, if it can be rewound and the server has
    stored none of it.
    """

    def __init__(self, dispatcher: Dispatcher, options: Options, rules: PropertyRules) -> None:
        self._dispatcher = dispatcher
        self._options = options
        self._rules = rules if options.property_definitions != "off" else None

    # -- the plan of a write

    def create(
        self,
        identity: Identity,
        image_meta: Mapping[str, object],
        data: object,
        progress: Progress | None,
        attempt: Attempt,
    ) -> Image:
        """Create an image, and upload its data if there is any; see ``ImageService.create``.

        :param attempt: a new one, which records what :meth:`remove_interrupted` must remove.
        """
        meta = self.parse(image_meta)
        _refuse_two_sources(meta, data)
        self.check_new_properties(identity, meta)
        empty = data is None and meta.base.get("size") == 0 and not _has_remote_data(meta)
        meta = changes.fill_in_formats(meta, empty=empty)
        chosen = changes.get_requested_id(meta)
        if empty:
            data = b""
        if data is None and meta.base.get("copy_from") is not None:
            url = check_source_url(meta.base["copy_from"], "copy_from")
            request = ImportRequest(method="web-download", argument="copy_from", uri=url)
            meta = meta.without({"id", "copy_from"})
            try:
                return self.start_import(identity, attempt, chosen, meta, request, None)
            except exceptions.ImportFailed as error:
                raise error.__cause__ or error from None
        if data is None:
            # The server compares size with the data only if it fetches the data itself.
            unused = {"id"} if _has_remote_data(meta) else {"id", "size"}
            return self._create_without_data(identity, attempt, chosen, meta.without(unused))
        upload = self.upload_of(data, meta, progress)
        return self._create_with_data(identity, attempt, chosen, meta.without(OF_DATA), upload)

    def parse(self, image_meta: Mapping[str, object]) -> ImageMeta:
        """Check and convert the metadata that a caller passes.

        ``os_hidden`` of a whole dict is left out if the property that says the same is in the
        dict: a server without the attribute would reject it.
        """
        meta = changes.parse_image_meta(image_meta)
        name = self._options.hidden_property
        if name and meta.properties.get(name) == filters.HIDDEN:
            return meta.without({"os_hidden"})
        return meta

    def check_new_properties(self, identity: Identity, meta: ImageMeta) -> None:
        """Check the properties of a new image as the option ``property_definitions`` says.

        :raises glance_compat.exceptions.PropertyInvalid: the definition of a property does not
            allow its value.
        """
        if self._rules:
            self._rules.check_new(identity, meta.properties)

    def remove_interrupted(self, identity: Identity, attempt: Attempt) -> None:
        """Remove the image of a creation that was interrupted, or log its id.

        If the creation itself fails, it cleans up; this method is for interrupts (Ctrl-C, the exit
        of a thread), which may occur at any line.
        """
        if not attempt.sent or attempt.cleaned_up:
            return
        if not attempt.is_own:
            LOG.warning(
                "The creation of image %s was interrupted; check whether the image exists, and"
                " delete it",
                attempt.image_id,
            )
            return
        # Logged first, because another interrupt may occur during the deletion.
        LOG.warning("The creation of image %s was interrupted; deleting it", attempt.image_id)
        try:
            retry.until_found(lambda: self._delete(identity, attempt.image_id))
        except exceptions.ImageNotFound:
            pass
        except exceptions.GlanceCompatError as error:
            LOG.warning(
                "Image %s could not be deleted; delete it manually: %s", attempt.image_id, error
            )

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
        """Update the metadata of an image, and upload its data; see ``ImageService.update``."""
        meta = self.parse(image_meta)
        changes.check_id(meta, image_id)
        _refuse_two_sources(meta, data)
        if self._rules:
            self._rules.check_update(identity, image_id, meta.properties)
        changed = meta.without(OF_DATA)
        if data is None:
            updated = self._dispatcher.repeat(
                identity, lambda api: api.update(image_id, changed, purge=purge)
            )
        else:
            upload = self.upload_of(data, meta, progress)
            updated = self._send_data_to(identity, image_id, changed, upload)
        with_data = data is not None or _has_remote_data(meta)
        _warn_of_ignored(changes.find_ignored(image_meta, updated, with_data=with_data), image_id)
        return updated

    # -- without data

    def _create_without_data(
        self, identity: Identity, attempt: Attempt, chosen: str | None, meta: ImageMeta
    ) -> Image:
        """Create an image without data.

        :param chosen: the id that the caller chose, or None. If the library generates the id, a
            retry can find the image that an earlier attempt has created.
        """
        if meta.base.get("location") is not None:
            return self._create_at_location(identity, attempt, chosen, meta)
        attempt.begin(chosen)
        creation = _Creation(attempt.image_id, meta, has_own_id=chosen is None)
        attempt.sent = True
        try:
            return self._dispatcher.repeat(identity, creation)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # If only the response was lost or damaged, the image exists.
            found = self._find(identity, attempt.image_id, meta) if chosen is None else None
            if found is None:
                raise
            return found

    def _create_at_location(
        self, identity: Identity, attempt: Attempt, chosen: str | None, meta: ImageMeta
    ) -> Image:
        """Create an image whose data is at a URL; this may take several requests.

        :param chosen: the id that the caller chose, or None.
        """

        def send() -> Image:
            return self._dispatcher.once(identity, lambda api: attempt.create(api, meta, None))

        return self._create_anew(identity, attempt, chosen, send)

    def start_import(
        self,
        identity: Identity,
        attempt: Attempt,
        chosen: str | None,
        meta: ImageMeta,
        request: ImportRequest,
        upload: Upload | None,
    ) -> Image:
        """Create an image, and start the import of its data; see ``transfers.importing``.

        :param chosen: the id that the caller chose, or None.
        """

        def create(api: ImagesApi) -> Image:
            return attempt.create_by_import(api, meta, request, upload)

        def send() -> Image:
            return self._dispatcher.once(identity, create, deadline=upload is None)

        created = self._create_anew(identity, attempt, chosen, send, upload)
        attempt.is_own = True
        return created

    def _find(self, identity: Identity, image_id: str, meta: ImageMeta) -> Image | None:
        def find(api: ImagesApi) -> Image:
            return _check_created(api, api.show(image_id, meta.base), meta)

        try:
            return self._dispatcher.once(identity, find)
        except exceptions.IntegrityError:
            raise
        except exceptions.GlanceCompatError:
            return None

    # -- with data

    def _create_with_data(
        self,
        identity: Identity,
        attempt: Attempt,
        chosen: str | None,
        meta: ImageMeta,
        upload: Upload,
    ) -> Image:
        """Create an image with its data, and delete the image if that fails.

        :param chosen: the id that the caller chose, or None.
        """
        if chosen is None:

            def send() -> Image:
                def create(api: ImagesApi) -> Image:
                    return attempt.create(api, meta, upload)

                return self._send_once(identity, attempt, meta, upload, create)

            def verify(stored: Image) -> Image:
                return self.verify(stored, upload)

            return self._create_anew(identity, attempt, None, send, upload, verify)
        # With an id that the caller chose, only a response proves that this call has created the
        # image and may delete it. So the image is created first, without data.
        store = ImageMeta({name: meta.base[name] for name in ("store",) if name in meta.base}, {})
        self._create_without_data(identity, attempt, chosen, meta.without({"store"}))
        attempt.is_own = True
        with delete_on_failure(chosen, lambda: self.clean_up(identity, attempt)):
            return self._send_data_to(identity, chosen, store, upload)

    def _send_data_to(
        self, identity: Identity, image_id: str, meta: ImageMeta, upload: Upload
    ) -> Image:
        """Upload the data of a queued image."""

        def update(api: ImagesApi) -> Image:
            return api.update_with_data(image_id, meta, upload)

        def may_repeat(error: BaseException) -> bool:
            return _can_send_again(error, upload) and self._is_queued(identity, image_id)

        attempt = Attempt(image_id, exists=True)
        stored = retry.repeat(
            lambda: self._send_once(identity, attempt, meta, upload, update),
            self._options,
            Deadline(None),
            may_repeat,
        )
        return self.verify(stored, upload)

    def _create_anew(
        self,
        identity: Identity,
        attempt: Attempt,
        chosen: str | None,
        send: Callable[[], Image],
        upload: Upload | None = None,
        verify: Callable[[Image], Image] = lambda stored: stored,
    ) -> Image:
        """Create an image with its data, and delete the image if that fails.

        A retry uses a new image id. With an id that the caller chose there is no retry, and no
        deletion: the id cannot be used again, and the image may be another client's.

        :param chosen: the id that the caller chose, or None.
        :param send: a function that sends the requests of one attempt.
        :param upload: the data, or None if the data is at a URL. In that case the option
            ``deadline`` limits the call.
        :param verify: a function that checks the stored image.
        """
        if chosen is not None:
            attempt.begin(chosen)
            return send()

        def send_once() -> Image:
            attempt.begin()
            with delete_on_failure(attempt.image_id, lambda: self.clean_up(identity, attempt)):
                try:
                    stored = send()
                except BaseException as error:
                    attempt.note_failure(error)
                    raise
                return verify(stored)

        def may_repeat(error: BaseException) -> bool:
            if not attempt.cleaned_up or attempt.gone:
                return False
            return retry.is_transient(error) if upload is None else _can_send_again(error, upload)

        return retry.repeat(
            send_once,
            self._options,
            Deadline(self._options.deadline if upload is None else None),
            may_repeat,
        )

    def clean_up(self, identity: Identity, attempt: Attempt) -> None:
        """Delete the image that an attempt has created, if there is one."""
        with contextlib.suppress(exceptions.ImageNotFound):
            if attempt.sent and attempt.response_received:
                self._delete(identity, attempt.image_id)
            elif attempt.sent:
                # The server may create the image even after the connection was lost.
                retry.until_found(lambda: self._delete(identity, attempt.image_id))
        attempt.cleaned_up = True

    def _delete(self, identity: Identity, image_id: str) -> None:
        self._dispatcher.repeat(identity, lambda api: api.delete(image_id))

    # -- after the data was sent

    def _send_once(
        self,
        identity: Identity,
        attempt: Attempt,
        meta: ImageMeta,
        upload: Upload,
        call: Call[Image],
    ) -> Image:
        """Send the data once; if the response is lost, GET the image to see if it is complete.

        :raises glance_compat.exceptions.IntegrityError: its attributes or properties are not those
            that were sent.
        :raises glance_compat.exceptions.OutcomeUnknown: the image cannot be fetched, or the server
            is still storing the data after the option ``settle_timeout``.
        """
        try:
            return self._dispatcher.once(identity, call, deadline=False)
        except BaseException as error:
            if not _may_be_complete(error, upload):
                raise
            lost = LostResponse(
                lambda: self._show(identity, attempt.image_id, meta.base),
                attempt.image_id,
                upload,
                error,
                exists=attempt.exists,
            )
            stored = lost.find_stored(self._options.settle_timeout)
            attempt.gone = lost.gone
            if stored is None:
                raise
            self._dispatcher.once(identity, lambda api: api.check_sent(stored, meta))
            return stored

    def _show(self, identity: Identity, image_id: str, sent: Iterable[str] = ()) -> Image:
        return self._dispatcher.repeat(identity, lambda api: api.show(image_id, sent))

    def _is_queued(self, identity: Identity, image_id: str) -> bool:
        """Return whether an image is queued, so that its data can be sent again.

        After a lost connection the server may not have noticed yet that the data is incomplete;
        the method waits for that.
        """
        try:
            found = retry.until(
                lambda: self._show(identity, image_id),
                lambda image: image["status"] not in STORING,
            )
        except exceptions.GlanceCompatError:
            return False
        return bool(found["status"] == "queued")

    def upload_of(self, data: object, meta: ImageMeta, progress: Progress | None) -> Upload:
        """Return the data of an upload, with the size and checksum in the metadata."""
        return Upload(
            data,
            # A size of 0 counts as unknown: Nova's VMware driver passes 0 if it does not know it.
            size=meta.base.get("size") or None,
            checksum=meta.base.get("checksum"),
            progress=progress,
            hashed=self._options.verify_uploads,
        )

    def verify(self, stored: Image, upload: Upload) -> Image:
        """Return the stored image, or raise IntegrityError if its data is not the data sent.

        With ``verify_uploads=False`` nothing is compared.
        """
        if not self._options.verify_uploads and not upload.declares_later:
            return stored
        same = upload.compare(stored["checksum"], stored["os_hash_algo"], stored["os_hash_value"])
        if stored["status"] != "active" or stored["size"] != upload.sent or same is False:
            raise exceptions.IntegrityError(
                f"image {stored['id']} is {stored['status']} with {stored['size']} bytes and"
                f" {_describe_hash(stored, upload)}, but {upload.sent} bytes with"
                f" {str(upload.algorithm).upper()} {upload.digest} were sent",
                image_id=stored["id"],
            )
        if same is None and upload.algorithm != "md5":
            LOG.warning(
                "The data of image %s was verified only by its size: this host has no MD5 (FIPS"
                " mode), and the server stores no hash of algorithm %s",
                stored["id"],
                upload.algorithm,
            )
        return stored


def _describe_hash(stored: Image, upload: Upload) -> str:
    if upload.algorithm == "md5" or not stored["os_hash_value"]:
        return f"MD5 {stored['checksum']}"
    return f"{str(stored['os_hash_algo']).upper()} {stored['os_hash_value']}"


def _warn_of_ignored(names: list[str], image_id: str) -> None:
    if names:
        hint = "; to change the status, call deactivate() or reactivate()"
        LOG.warning(
            "Update of image %s: the read-only attributes %s differ from the image, and were"
            " ignored%s",
            image_id,
            ", ".join(names),
            hint if "status" in names else "",
        )


def _has_remote_data(meta: ImageMeta) -> bool:
    """Return whether the metadata names a URL from which the server gets the data."""
    return any(meta.base.get(name) is not None for name in ("location", "copy_from"))


def _refuse_two_sources(meta: ImageMeta, data: object) -> None:
    """Raise ImageBadRequest if the caller passes both data and a URL of data.

    v1 responds with 400 but keeps a queued image (verified on Glance 15.0.2); v2 stores whichever
    of them arrives last.
    """
    if data is not None and _has_remote_data(meta):
        raise exceptions.ImageBadRequest(
            "data and a location or copy_from are both set; pass only one of them"
        )


def _check_created(api: ImagesApi, found: Image, meta: ImageMeta) -> Image:
    """Return an image that this call created; delete it if a value differs from what was sent."""
    with delete_on_failure(found["id"], lambda: api.delete(found["id"])):
        api.check_sent(found, meta)
    return found


def _can_send_again(error: BaseException, upload: Upload) -> bool:
    return retry.is_transient(error) and upload.failure is None and upload.rewind()


def _may_be_complete(error: BaseException, upload: Upload) -> bool:
    """Return whether the server may have stored all data, so that only the response was lost."""
    if upload.failure is not None or not upload.begun:
        return False
    # Any error or unparsable response counts as lost; what matters is whether the stored image is
    # complete.
    return isinstance(error, (exceptions.BadResponse, exceptions.GlanceConnectionFailed))
