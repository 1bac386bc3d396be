# SPDX-License-Identifier: Apache-2.0
"""The implementation for Images API v2: metadata as JSON, data in separate requests.

What must live here: the requests of v2, and the interpretation of its responses. What must not:
the names and formats of attributes (see ``metadata``), the choice of an API version, and retries.

The facts about the server were verified on Glance 15.0.2 and 33.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import typing
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import (
    OpenedData,
    Page,
    check_stored,
    check_takes_data,
    choose_expected,
    close_on_error,
    delete_on_failure,
)
from glance_compat.metadata import changes, fields, filters, support
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import ALL_PARTS, Image, Parts, Version
from glance_compat.metadata.filters import Query
from glance_compat.metadata.support import Offer
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import HAS_MD5, Expected, Upload
from glance_compat.transport import retry
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.types import Member, Store

_ERRORS = exceptions.STATUS_ERRORS
_PATCH = "application/openstack-images-v2.1-json-patch"

#: Maximum number of attempts of an update, if other clients change the image at the same time.
_UPDATE_ATTEMPTS = 4

#: Statuses of an image whose location the server is still checking in the background.
_UNSETTLED = frozenset({"queued", "importing"})

#: A property that Glance adds to an image while a task processes it, and removes when the task
#: ends, successful or not (verified on Glance 33).
_TASK = "os_glance_import_task"

#: Statuses of a POST to the locations API that mean that the caller may not use it (403), or that
#: the server does not have it (404; 405 during an upgrade; 501, on which Nova 34 also falls back
#: to a PATCH).
_NO_LOCATIONS_API = frozenset({403, 404, 405, 501})

#: The tags that a URL can name. With a slash, Glance responds with 404; with characters that are
#: not ASCII, Glance 33 stores another tag, because it reads the URL as Latin-1 (verified on Glance
#: 33); requests removes a last segment of dots.
_TAG_IN_PATH = re.compile(r"(?!\.{1,2}\Z)[ -.0-~]+")


class V2:
    """The Images API v2 of one endpoint.

    :param transport: sends the requests.
    :param get_offer: a function that returns the newest minor version and the capabilities of the
        endpoint. It may send a request over the transport, once per endpoint and TTL, so it is
        called only if needed.
    """

    api_name = support.V2_API
    shows_locations = True
    creates_before_upload = True

    def __init__(self, transport: Transport, get_offer: Callable[[Transport], Offer]) -> None:
        self._transport = transport
        self._options = transport.options
        self._get_offer = functools.partial(get_offer, transport)

    # -- reading

    def show(self, image_id: str, sent: Iterable[str] = ()) -> Image:
        return self._image(self._send("GET", _path(image_id), "show", image_id), image_id, sent)

    def check_sent(self, image: Image, meta: ImageMeta) -> None:
        base = {name: value for name, value in meta.base.items() if value is not None}
        if changes.get_requested_is_public(base):
            base["visibility"] = "public"
        self._check_stored(image, base, meta.properties)

    def page(
        self,
        query: Query,
        marker: str | None,
        size: int,
        left: int | None,
        parts: Parts = ALL_PARTS,
    ) -> Page:
        response, requested = self._list(query, marker, size, left)
        body = response.json_object()
        records = response.objects_in(body, "images")
        read = fields.v2_reader(self._version(), parts)
        with response.named_in_errors():
            images = [read(record) for record in records]
        return Page(images, more=_has_next(body), requested=requested)

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        response, requested = self._list(query, marker, size, None)
        body = response.raw_json_object()
        return Page(response.records_in(body), more=_has_next(body), requested=requested)

    def _list(
        self, query: Query, marker: str | None, size: int, left: int | None
    ) -> tuple[Response, int]:
        """Request one page. Return the response, and the number of images that were requested."""
        sent = filters.to_v2_query(query, self._version_for(query))
        requested = filters.page_limit(sent, size, left)
        params = [*sent.params, ("limit", str(requested))]
        if marker is not None:
            params.append(("marker", marker))
        # For a marker that the caller may not see, v2 responds with 403 and v1 with 400.
        errors = _ERRORS["detail" if marker is None else "detail after a marker"]
        response = self._transport.send(
            Request(method="GET", path="/v2/images", params=params, errors=errors)
        )
        return response, requested

    def _version(self, sent: Iterable[str] = ()) -> Version:
        """Return the newest minor version of the endpoint, or v2.0 if it does not matter.

        It matters if attributes are read that older minor versions do not have. os_hash_value is
        one: a host without MD5 verifies all data with it.

        :param sent: the names of the attributes that were sent, which are compared with those in
            the response.
        """
        is_compared = any(fields.first_version(name) > fields.FIRST_V2 for name in sent)
        needs_hash = self._options.verify_downloads == "strong" or not HAS_MD5
        if self._options.extended or needs_hash or is_compared:
            return self._get_offer().version
        return fields.FIRST_V2

    def _version_for(self, query: Query) -> Version:
        return self._get_offer().version if query.needs_version else fields.FIRST_V2

    def _image(self, response: Response, image_id: str, sent: Iterable[str] = ()) -> Image:
        version = self._version(sent)
        with response.named_in_errors():
            image = fields.from_v2(response.json_object(), version)
        response.check_image_id(image["id"], image_id)
        return image

    def _send(
        self,
        method: str,
        path: str,
        errors: str,
        image_id: str | None,
        json: object = None,
        json_type: str = "application/json",
        success: int = 200,
    ) -> Response:
        return self._transport.send(
            Request(
                method=method,
                path=path,
                json=json,
                json_type=json_type,
                success=frozenset({success}),
                errors=_ERRORS[errors],
                image_id=image_id,
            )
        )

    def open_data(self, image_id: str, *, start: int = 0) -> OpenedData:
        """Start a download; GET the image first if its status, hashes or format are needed.

        The status is needed if the caller may be an admin: v2 serves the data of a deactivated
        image to an admin, but v1 serves it to no caller.
        """
        needs_hash = self._needs_hash()
        needs_image = self._transport.may_be_admin() or needs_hash or self._options.check_format
        found = self.show(image_id) if needs_image else None
        if found is not None:
            self._check_readable(found)
        request = Request(
            method="GET",
            path=f"{_path(image_id)}/file",
            stream=True,
            success=frozenset({200, 204}),
            errors=_ERRORS["download"],
            image_id=image_id,
        )
        response, part = self._request_from(start, request)
        if response.status == 204:
            response.close()
            return self._no_data(found or self.show(image_id))
        size = part.total if part else _length(response)
        with close_on_error(response.close):
            if found is None and (size is None or self._is_unverifiable(response)):
                found = self.show(image_id)
            expected = choose_expected(
                self._options.verify_downloads,
                found,
                subject=response.subject,
                size=size,
                md5=response.header("content-md5"),
            )
        return OpenedData(
            blocks=self._transport.blocks(request, response),
            close=response.close,
            expected=expected,
            disk_format=found["disk_format"] if found else None,
            container_format=found["container_format"] if found else None,
            start=part.start if part else 0,
        )

    def _needs_hash(self) -> bool:
        """Return whether the image's own hash is needed: the response has only an MD5 checksum."""
        verify = self._options.verify_downloads
        return verify == "strong" or (verify == "auto" and not HAS_MD5)

    def _is_unverifiable(self, response: Response) -> bool:
        """Return whether a response has no checksum, although downloads are to be verified.

        The response for an image without a checksum has no Content-MD5 (verified on Glance 15.0.2
        and 33), but an error page of a proxy has none either.
        """
        verify = self._options.verify_downloads != "off"
        return verify and response.header("content-md5") is None

    def _request_from(self, start: int, request: Request) -> tuple[Response, _Part | None]:
        """Request the data from an offset, or all of it if the server does not support offsets.

        Glance responds to a Range header with 206 (verified on Glance 15.0.2 and 33; RFC 9110,
        section 14), or with 400 if the store, such as the http store, cannot start at an offset.

        :param start: the offset, in bytes.
        :returns: the response, and its range, or None if it has all data.
        """
        if start:
            ranged = dataclasses.replace(
                request,
                headers={"Range": f"bytes={start}-"},
                success=request.success | {206, 400, 416},
            )
            response = self._transport.send(ranged)
            part = _parse_range(response)
            if response.status in request.success:
                return response, None
            if response.status == 206 and part and part.start == start:
                return response, part
            response.close()
        return self._transport.send(request), None

    def _no_data(self, found: Image) -> OpenedData:
        """Return the empty data of a response with status 204.

        Glance responds with 204 if an image is empty or has no data (verified on Glance 15.0.2 and
        33).

        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.BadResponse: the image should have data.
        """
        self._check_readable(found)
        if found["size"]:
            raise exceptions.BadResponse(
                f"image {found['id']} is active and has {found['size']} bytes, but the server"
                " responded with 204 and sent no data",
                status=204,
                endpoint=self._transport.endpoint,
                image_id=found["id"],
            )
        return OpenedData(
            iter(()), bool, Expected(size=0), found["disk_format"], found["container_format"]
        )

    def _check_readable(self, found: Image) -> None:
        if found["status"] == "active":
            return
        error_class = (
            exceptions.ImageNotAuthorized
            if found["status"] == "deactivated"
            else exceptions.ImageNotActive
        )
        raise error_class(
            f"image {found['id']} has no data to download: its status is {found['status']}",
            endpoint=self._transport.endpoint,
            image_id=found["id"],
        )

    # -- writing

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        meta = self._check_supported(meta, uploading=upload is not None)
        changes.check_property_names(meta.properties)
        base = {**meta.base, "id": image_id}
        if changes.get_requested_is_public(base):
            base["visibility"] = "public"
        if "location" in base:
            self._check_formats(base)
        # None asks for the server's default.
        base = {name: value for name, value in base.items() if value is not None}
        record = fields.to_v2_record(base, meta.properties)
        response = self._send("POST", "/v2/images", "create", image_id, record, success=201)
        with delete_on_failure(image_id, lambda: self.delete(image_id)):
            created = self._image_as_sent(response, image_id, base, meta.properties)
            if "location" in base:
                created = self._give_location(image_id, _location_change(base["location"]))
                self._check_location(created, base)
        return created if upload is None else self._upload(image_id, meta, upload)

    def _check_location(self, created: Image, base: Mapping[str, typing.Any]) -> None:
        """Raise IntegrityError if the data at the location does not have the requested size.

        v1 rejects such a location itself (409, verified on Glance 15.0.2), but v2 accepts it.

        :param base: the attributes that were sent.
        """
        if base.get("size") not in (None, created["size"]):
            raise exceptions.IntegrityError(
                f"the data at the location of image {created['id']} has {created['size']} bytes,"
                f" not {base['size']}",
                endpoint=self._transport.endpoint,
                image_id=created["id"],
            )

    def _check_supported(self, meta: ImageMeta, *, uploading: bool) -> ImageMeta:
        """Raise an exception for metadata that v2, or this server, does not support.

        :param uploading: whether the call also uploads data.
        :returns: the metadata, without attributes that the server lacks and whose values are empty
            (None, False or an empty list).
        """
        base = support.select_for_v2(
            meta.base, self._get_offer, uploading=uploading, endpoint=self._transport.endpoint
        )
        meta = dataclasses.replace(meta, base=base)
        if self._options.portable:
            changes.check_v1_limits(meta, folding=False)
        return meta

    def _require(self, capability: str, what: str, image_id: str | None = None) -> None:
        offer = self._get_offer()
        if capability not in offer.capabilities:
            raise exceptions.UnsupportedByVersion(
                support.describe_capability(capability, what),
                support.format_version(offer.version),
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    def _upload(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        headers = fields.to_v2_data_headers(meta.base)
        if upload.size:
            # Glance 33 compares this size with the data; 15.0.2 ignores it.
            headers["x-openstack-image-size"] = str(upload.size)
        self._transport.send(
            Request(
                method="PUT",
                path=f"{_path(image_id)}/file",
                headers=headers,
                upload=upload,
                success=frozenset({204}),
                errors=_ERRORS["upload"],
                image_id=image_id,
            )
        )
        return self.show(image_id)

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        needs_current = changes.needs_current_image(meta, purge=purge) or "location" in meta.base
        for attempt in range(1, _UPDATE_ATTEMPTS + 1):
            current = self.show(image_id) if needs_current else None
            change = self._plan_change(meta, current, purge=purge, uploading=False)
            self._check_takes_location(change, current)
            if current is not None and not change:
                return current
            try:
                updated = self._send_change(image_id, change, current)
            except exceptions.UpdateConflict:
                # Another client has added or removed one of the properties, or is changing the
                # image now; or the server is older than Juno and has one of them already.
                if attempt == _UPDATE_ATTEMPTS:
                    raise
                needs_current = True
                continue
            if not self._options.verify_updates or self._is_still_there(image_id, change):
                return updated
            # The location was added; the server would reject a second one.
            meta = meta.without({"location"})
            needs_current = changes.needs_current_image(meta, purge=purge)
        raise exceptions.UpdateConflict(
            f"could not update image {image_id}: other clients overwrote the update"
            f" {_UPDATE_ATTEMPTS} times; try again when they are done",
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _check_takes_location(self, change: Change, current: Image | None) -> None:
        """Raise ImageBadRequest if a location is sent for an image that is not queued.

        v1 rejects it with 400, but v2 would add a second location.
        """
        if current is not None and "location" in change.base and current["status"] != "queued":
            raise exceptions.ImageBadRequest(
                f"image {current['id']} does not accept a location: its status is"
                f" {current['status']}, not queued",
                endpoint=self._transport.endpoint,
                image_id=current["id"],
            )

    def _send_change(self, image_id: str, change: Change, current: Image | None) -> Image:
        """Send an update, and check that the server stored its values."""
        if "location" not in change.base:
            return self._patch(image_id, change, current)
        self._check_formats({**(current or {}), **change.base})
        if "locations-api" not in self._get_offer().capabilities:
            return self._give_location(image_id, change, current)
        # The location is added last, because it makes the image active.
        base = {name: value for name, value in change.base.items() if name != "location"}
        without_location = dataclasses.replace(change, base=base)
        if without_location:
            self._patch(image_id, without_location, current)
        return self._give_location(image_id, _location_change(change.base["location"]))

    def _check_formats(self, base: Mapping[str, typing.Any]) -> None:
        """Raise ImageBadRequest if a location is sent for an image without formats.

        Glance rejects a PATCH with such a location (400), but the locations API of Glance 33
        stores it, and the image stays queued forever (verified on Glance 33).

        :param base: the attributes that the image will have, with the formats.
        """
        missing = [name for name in ("disk_format", "container_format") if not base.get(name)]
        if missing:
            raise exceptions.ImageBadRequest(
                f"an image accepts a location only after it has {' and '.join(missing)}; pass them"
                " in image_meta",
                endpoint=self._transport.endpoint,
                image_id=base.get("id"),
            )

    def _give_location(self, image_id: str, change: Change, current: Image | None = None) -> Image:
        """Add a location to a queued image, which makes it active with the data at that URL.

        A PATCH can add a location if the server's option show_multiple_locations is on. v2.17
        (Glance 2024.2) has the locations API for it, which does not need this option. Services may
        use that API; other callers only for http URLs, if the server has a store for them. If the
        locations API is forbidden, a PATCH may still succeed.
        """
        try:
            if "locations-api" not in self._get_offer().capabilities:
                return self._patch(image_id, change, current)
            return self._post_location(image_id, change)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # If only the response was lost, the image is no longer queued and a retry would be
            # rejected, so the image is fetched.
            if not _has_location(self.show(image_id)):
                raise
            return self._wait_until_settled(image_id)

    def _post_location(self, image_id: str, change: Change) -> Image:
        path, url = f"{_path(image_id)}/locations", change.base["location"]
        try:
            self._send("POST", path, "update", image_id, {"url": url}, success=202)
        except exceptions.GlanceCompatError as refused:
            if refused.status not in _NO_LOCATIONS_API:
                raise
            try:
                return self._patch(image_id, change, None)
            except exceptions.GlanceCompatError as error:
                error.message += f"; before that, POST {path} failed: {refused.message}"
                raise error from refused
        return self._wait_until_settled(image_id)

    def _wait_until_settled(self, image_id: str) -> Image:
        """Wait until the server has activated the image, and return the image.

        After a request to the locations API, the server checks in the background whether the data
        exists, activates the image, and then computes the hash of the data.

        :raises glance_compat.exceptions.ImageBadRequest: the server found no data, so the image is
            still queued.
        :raises glance_compat.exceptions.OutcomeUnknown: the server needs longer than the option
            ``deadline``, or the image cannot be fetched.
        """
        try:
            found = retry.awaited(
                lambda: self.show(image_id),
                lambda shown: shown["status"] not in _UNSETTLED or not _has_location(shown),
                self._options,
            )
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse) as error:
            raise exceptions.OutcomeUnknown(
                f"a location was added to image {image_id}, but a follow-up GET could not"
                f" establish the outcome: {error}",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from error
        if found["status"] not in _UNSETTLED:
            return found
        if _has_location(found):
            raise exceptions.OutcomeUnknown(
                f"a location was added to image {image_id}, and the server is still checking it;"
                " show the image later",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )
        raise exceptions.ImageBadRequest(
            f"the server found no data for image {image_id} at its location; check the URL",
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _plan_change(
        self, meta: ImageMeta, current: Image | None, *, purge: bool, uploading: bool
    ) -> Change:
        """Return the changes that an update must send, with the library's attribute names.

        :param uploading: whether the call also uploads data.
        """
        supported = self._check_supported(ImageMeta(meta.base, {}), uploading=uploading)
        meta = dataclasses.replace(meta, base=supported.base)
        change = changes.compute_change(meta, current, purge=purge)
        if self._options.portable:
            changes.check_v1_limits(ImageMeta({}, change.properties), folding=False)
        is_public = changes.get_requested_is_public(change.base)
        if current is None or is_public in (None, current["is_public"]):
            return change
        if "visibility" in change.base:
            return change
        visibility = "public" if is_public else self._not_public()
        return dataclasses.replace(change, base={**change.base, "visibility": visibility})

    def _not_public(self) -> str:
        """Return the visibility to set if a public image is made not public.

        It is "shared", as on v1, if the server has this visibility. On older
        servers, which do not, a private image can have members.
        """
        capabilities = self._get_offer().capabilities
        return "shared" if "community-visibility" in capabilities else "private"

    def _patch(self, image_id: str, change: Change, current: Image | None) -> Image:
        """Send an update.

        :param current: the current image, or None if it was not fetched.
        """
        stored = current["properties"] if current is not None else ()
        patch = fields.to_v2_patch(change.base, change.properties, change.removed, stored)
        response = self._send("PATCH", _path(image_id), "update", image_id, patch, _PATCH)
        return self._image_as_sent(response, image_id, change.base, change.properties)

    def _image_as_sent(
        self,
        response: Response,
        image_id: str,
        base: Mapping[str, typing.Any],
        properties: Mapping[str, str],
    ) -> Image:
        """Return the image in a response, or raise IntegrityError if values that were sent differ.

        :param base: the attributes that were sent.
        :param properties: the properties that were sent.
        """
        stored = self._image(response, image_id, base)
        self._check_stored(stored, base, properties)
        return stored

    def _check_stored(
        self, stored: Image, base: Mapping[str, typing.Any], properties: Mapping[str, str]
    ) -> None:
        """Raise IntegrityError if values of an image differ from those that were sent."""
        unstored = changes.find_unstored(base, properties, stored, lambda field: field.v2)
        check_stored(stored, unstored, self.api_name, self._transport.endpoint)

    def _is_still_there(self, image_id: str, change: Change) -> bool:
        """GET the image, and return whether it still has the values of an update.

        Concurrent updates can overwrite each other without an error (verified on Glance 15.0.2 and
        33).
        """
        now = self.show(image_id, change.base)
        lost = changes.find_unstored(change.base, change.properties, now, lambda field: field.v2)
        return not lost and not change.removed & now["properties"].keys()

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        """Update the metadata of a queued image, and upload its data.

        The status is checked first, so that an image with data is not partly updated.
        """
        for attempt in range(1, _UPDATE_ATTEMPTS + 1):
            current = self.show(image_id)
            check_takes_data(current, self._transport.endpoint)
            change = self._plan_change(meta, current, purge=False, uploading=True)
            try:
                if change:
                    self._patch(image_id, change, current)
                break
            except exceptions.UpdateConflict:
                if attempt == _UPDATE_ATTEMPTS:
                    raise
        return self._upload(image_id, meta, upload)

    def delete(self, image_id: str) -> None:
        self._send("DELETE", _path(image_id), "delete", image_id, success=204)

    # -- stores

    def stores(self) -> list[Store]:
        """Return the stores of the site.

        A request for their types is sent if the caller may be an admin: Glance 33 permits it to
        admins and services only.
        """
        self._require("stores", "list the stores")
        if "store-detail" in self._get_offer().capabilities and self._transport.may_be_admin():
            with contextlib.suppress(exceptions.Forbidden, exceptions.NotFound):
                return self._list_stores("/v2/info/stores/detail")
        return self._list_stores("/v2/info/stores")

    def _list_stores(self, path: str) -> list[Store]:
        response = self._send("GET", path, "stores", None)
        return [_store(response, record) for record in response.objects_at("stores")]

    def delete_from_store(self, image_id: str, store: str) -> None:
        self._require("store-delete", "delete data from one store", image_id)
        path = f"/v2/stores/{urllib.parse.quote(store, safe='')}/"
        path += urllib.parse.quote(image_id, safe="")
        try:
            self._send("DELETE", path, "delete", image_id, success=204)
        except (
            exceptions.ImageNotAuthorized,
            exceptions.ImageNotFound,
            exceptions.ImageDeleteConflict,
        ) as error:
            raise self._explain_kept(error, image_id, store) from error

    def _explain_kept(
        self, error: exceptions.GlanceCompatError, image_id: str, store: str
    ) -> exceptions.GlanceCompatError:
        """Return a more specific error for data that was not deleted from a store.

        Glance 33 responds with 403 also if no other store has the data, with 404 also if the store
        does not have it, and with 409 if the store does not exist, the image is not active, or the
        data is in use (api/v2/images.py).
        """
        found = self.show(image_id, sent=("stores",))
        stores = found["stores"] or []
        what = f"cannot delete the data of image {image_id} from store {quote_value(store)}"
        if found["status"] != "active":
            error_class: type[exceptions.GlanceCompatError] = exceptions.ImageNotActive
            why = f"the status of the image is {found['status']}, not active"
        elif store not in stores:
            error_class = exceptions.NotFound
            why = f"the data is in {', '.join(map(quote_value, stores)) or 'no store'}"
        elif stores == [store]:
            error_class = exceptions.ImageDeleteConflict
            why = (
                "no other store has it; copy the data to another store first, or delete the image"
            )
        else:
            return error
        return error_class(
            f"{what}: {why}",
            status=error.status,
            request_id=error.request_id,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def copy_to_stores(self, image_id: str, stores: Sequence[str]) -> None:
        self._require("stores", "a copy of the data in another store", image_id)
        # all_stores_must_succeed is omitted; the server's default is True.
        body = {"method": {"name": "copy-image"}, "stores": list(stores)}
        self._send("POST", f"{_path(image_id)}/import", "import", image_id, body, success=202)

    # -- status and tags

    def deactivate(self, image_id: str) -> Image:
        self._require("deactivate", "deactivate an image", image_id)
        return self._act(image_id, "deactivate")

    def reactivate(self, image_id: str) -> Image:
        self._require("deactivate", "reactivate an image", image_id)
        return self._act(image_id, "reactivate")

    def _act(self, image_id: str, action: str) -> Image:
        path = f"{_path(image_id)}/actions/{action}"
        try:
            self._send("POST", path, "update", image_id, success=204)
        except exceptions.ImageNotAuthorized as error:
            # Glance responds with 403 also if the status of the image does not permit the action
            # (verified on Glance 15.0.2 and 33).
            status = self.show(image_id)["status"]
            if status in ("active", "deactivated"):
                raise
            raise exceptions.ImageNotActive(
                f"cannot {action} image {image_id}: its status is {status}, and only an image"
                " with data can be deactivated and reactivated",
                status=403,
                request_id=error.request_id,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from error
        return self.show(image_id)

    def hide(self, image_id: str, properties: Mapping[str, str]) -> Image:
        base = self._hidden_attribute(True, "hide an image", image_id)
        name = self._options.hidden_property
        marks = {**properties, name: filters.HIDDEN} if name else properties
        return self.update(image_id, ImageMeta(base, marks), purge=False)

    def unhide(self, image_id: str) -> Image:
        base = self._hidden_attribute(False, "unhide an image", image_id)
        name = self._options.hidden_property
        if name is None:
            return self.update(image_id, ImageMeta(base, {}), purge=False)
        for _ in range(1, _UPDATE_ATTEMPTS):
            # Another client may have removed the property, or be changing the image now.
            with contextlib.suppress(exceptions.UpdateConflict):
                return self._unmark(image_id, base, name)
        return self._unmark(image_id, base, name)

    def _unmark(self, image_id: str, base: Mapping[str, bool], name: str) -> Image:
        """Write an attribute and remove a property, if the image has it."""
        current = self.show(image_id)
        change = Change(base, {}, frozenset({name}) & current["properties"].keys())
        return self._patch(image_id, change, current) if change else current

    def _hidden_attribute(self, hidden: bool, what: str, image_id: str) -> dict[str, bool]:
        """Return the attribute to write; none on a server without it, if there is a property."""
        if self._options.hidden_property is None:
            self._require("hidden", what, image_id)
        return {"os_hidden": hidden} if "hidden" in self._get_offer().capabilities else {}

    def add_tag(self, image_id: str, tag: str) -> None:
        if _TAG_IN_PATH.fullmatch(tag):
            self._send("PUT", _tag_path(image_id, tag), "update", image_id, success=204)
        else:
            self._change_tags(image_id, lambda tags: tags | {tag})

    def remove_tag(self, image_id: str, tag: str) -> None:
        if not _TAG_IN_PATH.fullmatch(tag):
            self._change_tags(image_id, lambda tags: tags - {tag})
            return
        try:
            self._send("DELETE", _tag_path(image_id, tag), "update", image_id, success=204)
        except exceptions.ImageNotFound:
            # Glance responds with 404 also if the image does not have the tag.
            self.show(image_id)

    def _change_tags(self, image_id: str, change: Callable[[set[str]], set[str]]) -> None:
        """Change the tags with a GET and a PATCH, because a URL cannot name some tags."""
        current = self.show(image_id)
        before = set(current["tags"] or ())
        tags = change(before)
        if tags != before:
            self._patch(image_id, Change({"tags": sorted(tags)}, {}), current)

    # -- members

    def members(self, image_id: str) -> list[Member]:
        try:
            response = self._send("GET", f"{_path(image_id)}/members", "members", image_id)
        except exceptions.ImageNotAuthorized:
            # Glance responds with 403 also if the image's visibility is not "shared" (verified on
            # Glance 15.0.2 and 33).
            if self.show(image_id)["visibility"] == "shared":
                raise
            return []
        return [_member(response, record) for record in response.objects_at("members")]

    def add_member(self, image_id: str, member_id: str) -> Member:
        path = f"{_path(image_id)}/members"
        try:
            response = self._send("POST", path, "members", image_id, {"member": member_id})
        except exceptions.Conflict:
            response = self._send("GET", _member_path(image_id, member_id), "members", image_id)
        return _member(response, response.json_object())

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        path = _member_path(image_id, member_id)
        try:
            response = self._send("PUT", path, "members", image_id, {"status": status})
        except exceptions.ImageNotFound as error:
            raise self._no_member_error(image_id, member_id, error) from error
        return _member(response, response.json_object())

    def remove_member(self, image_id: str, member_id: str) -> None:
        try:
            self._send(
                "DELETE", _member_path(image_id, member_id), "members", image_id, success=204
            )
        except exceptions.ImageNotFound as error:
            raise self._no_member_error(image_id, member_id, error) from error

    def _no_member_error(
        self, image_id: str, member_id: str, error: exceptions.ImageNotFound
    ) -> exceptions.NotFound:
        try:
            self.show(image_id)
        except exceptions.ImageNotFound:
            return error
        return exceptions.MemberNotFound(
            f"image {image_id} has no member {quote_value(member_id)}",
            status=404,
            request_id=error.request_id,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )


def _location_change(location: str) -> Change:
    return Change({"location": location}, {})


def _has_location(found: Image) -> bool:
    """Return whether an image has a location, or the server is adding one in the background."""
    return found["status"] not in _UNSETTLED or _TASK in found["properties"]


def _has_next(body: Mapping[str, object]) -> bool:
    # The link itself is not used: it omits repeated parameters (verified on Glance 15.0.2 and 33),
    # and it may name any host.
    return bool(body.get("next"))


def _store(response: Response, record: Mapping[str, typing.Any]) -> Store:
    # Glance sends "true" as a string, and omits what is false (verified on Glance 33).
    store_id, description, store_type = (
        record.get(name) for name in ("id", "description", "type")
    )
    if not isinstance(store_id, str) or not store_id:
        raise response.invalid("has an invalid store: it has no id")
    return {
        "id": store_id,
        "description": description if isinstance(description, str) else None,
        "default": record.get("default") in (True, "true"),
        "read_only": record.get("read-only") in (True, "true"),
        "type": store_type if isinstance(store_type, str) else None,
    }


def _member(response: Response, record: Mapping[str, typing.Any]) -> Member:
    member_id, status = record.get("member_id"), record.get("status")
    if not isinstance(member_id, str) or not isinstance(status, (str, type(None))):
        raise response.invalid(
            "has an invalid member: no member_id, or a status that is not a string"
        )
    return {"member_id": member_id, "can_share": False, "status": status}


class _Part(typing.NamedTuple):
    """The range of a response with status 206.

    :param start: the offset of the first byte.
    :param total: the size of all data, in bytes, or None if the server does not know it.
    """

    start: int
    total: int | None


def _parse_range(response: Response) -> _Part | None:
    """Parse the header Content-Range of a response, such as ``bytes 3-9/10``."""
    matched = re.fullmatch(
        r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", response.header("content-range") or ""
    )
    if matched is None:
        return None
    return _Part(int(matched[1]), None if matched[2] == "*" else int(matched[2]))


def _length(response: Response) -> int | None:
    """Return the size of the data, in bytes, from the Content-Length of a response.

    The result is None if there is no Content-Length, or if a proxy has compressed the data.
    """
    if response.header("content-encoding") is not None:
        return None
    length = response.header("content-length")
    return int(length) if length and length.isdecimal() else None


def _path(image_id: str) -> str:
    return f"/v2/images/{urllib.parse.quote(image_id, safe='')}"


def _tag_path(image_id: str, tag: str) -> str:
    return f"{_path(image_id)}/tags/{urllib.parse.quote(tag, safe='')}"


def _member_path(image_id: str, member_id: str) -> str:
    return f"{_path(image_id)}/members/{urllib.parse.quote(member_id, safe='')}"
