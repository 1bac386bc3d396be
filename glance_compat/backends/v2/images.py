# SPDX-License-Identifier: Apache-2.0
"""Images over v2: reading, creating, updating and deleting them, and their locations."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
import urllib.parse
from collections.abc import Callable, Iterable, Mapping

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
from glance_compat.metadata import changes, fields, filters, image_records, support
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image, Version
from glance_compat.metadata.filters import Query
from glance_compat.metadata.image_records import ALL_PARTS, Parts
from glance_compat.metadata.support import Offer
from glance_compat.streams.streams import HAS_MD5, Expected, Upload
from glance_compat.transport import retry
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response

_ERRORS = exceptions.STATUS_ERRORS
PATCH = "application/openstack-images-v2.1-json-patch"

#: Maximum number of attempts of an update, if other clients change the image at the same time.
UPDATE_ATTEMPTS = 4

#: Statuses of an image whose location the server is still checking in the background.
_UNSETTLED = frozenset({"queued", "importing"})

#: A property that Glance adds to an image while a task processes it, and removes when the task
#: ends, successful or not (verified on Glance 33).
TASK = "os_glance_import_task"

#: Statuses of a POST to the locations API that mean that the caller may not use it (403), or that
#: the server does not have it (404; 405 during an upgrade; 501, on which Nova 34 also falls back
#: to a PATCH).
NO_LOCATIONS_API = frozenset({403, 404, 405, 501})


class V2Images:
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
        return self._image(
            self._send("GET", image_path(image_id), "show", image_id), image_id, sent
        )

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
        read = image_records.v2_reader(self._version(), parts)
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
        is_compared = any(support.first_version(name) > fields.FIRST_V2 for name in sent)
        needs_hash = self._options.verify_downloads == "strong" or not HAS_MD5
        if self._options.extended or needs_hash or is_compared:
            return self._get_offer().version
        return fields.FIRST_V2

    def _version_for(self, query: Query) -> Version:
        return self._get_offer().version if query.needs_version else fields.FIRST_V2

    def _image(self, response: Response, image_id: str, sent: Iterable[str] = ()) -> Image:
        version = self._version(sent)
        with response.named_in_errors():
            image = image_records.from_v2(response.json_object(), version)
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

    def open_data(self, image_id: str, *, start: int = 0, end: int | None = None) -> OpenedData:
        """Start a download; GET the image first if its status, hashes or format are needed.

        The status is needed if the caller may be an admin: v2 serves the data of a deactivated
        image to an admin, but v1 serves it to no caller.
        """
        needs_hash = self._needs_hash()
        needs_image = self._transport.may_be_admin() or needs_hash or self._options.check_format
        found = self.show(image_id) if needs_image else None
        if found is not None:
            self._check_readable(found)
        request = _data_request(image_id)
        response, part = self._request_range(start, end, request)
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
            end=part.end if part else None,
        )

    def open_range(self, image_id: str, start: int, end: int) -> OpenedData:
        request = _data_request(image_id)
        response, part = self._request_range(start, end, request)
        # Only compared with what the whole data must have, which was found with the first range.
        expected = Expected(part and part.total, "md5", response.header("content-md5"))
        return OpenedData(
            self._transport.blocks(request, response),
            response.close,
            expected,
            None,
            None,
            start=part.start if part else 0,
            end=part.end if part else None,
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

    def _request_range(
        self, start: int, end: int | None, request: Request
    ) -> tuple[Response, _Part | None]:
        """Request a range of the data, or all of it if the server does not support ranges.

        Glance responds to a Range header with 206 (verified on Glance 15.0.2 and 33; RFC 9110,
        section 14), or with 400 if the store, such as the http store, cannot start at an offset.

        :param start: the offset to start at, in bytes.
        :param end: the offset to end before, in bytes, or None for the end of the data.
        :returns: the response, and its range, or None if it has all data.
        """
        if start or end is not None:
            last = "" if end is None else end - 1
            ranged = dataclasses.replace(
                request,
                headers={"Range": f"bytes={start}-{last}"},
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
        record = image_records.to_v2_record(base, meta.properties)
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
        headers = image_records.to_v2_data_headers(meta.base)
        if upload.size:
            # Glance 33 compares this size with the data; 15.0.2 ignores it.
            headers["x-openstack-image-size"] = str(upload.size)
        self._transport.send(
            Request(
                method="PUT",
                path=f"{image_path(image_id)}/file",
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
        for attempt in range(1, UPDATE_ATTEMPTS + 1):
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
                if attempt == UPDATE_ATTEMPTS:
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
            f" {UPDATE_ATTEMPTS} times; try again when they are done",
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
            if not has_location(self.show(image_id)):
                raise
            return self._wait_until_settled(image_id)

    def _post_location(self, image_id: str, change: Change) -> Image:
        path, url = f"{image_path(image_id)}/locations", change.base["location"]
        try:
            self._send("POST", path, "update", image_id, {"url": url}, success=202)
        except exceptions.GlanceCompatError as refused:
            if refused.status not in NO_LOCATIONS_API:
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
                lambda shown: shown["status"] not in _UNSETTLED or not has_location(shown),
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
        if has_location(found):
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
        patch = image_records.to_v2_patch(change.base, change.properties, change.removed, stored)
        response = self._send("PATCH", image_path(image_id), "update", image_id, patch, PATCH)
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
        for attempt in range(1, UPDATE_ATTEMPTS + 1):
            current = self.show(image_id)
            check_takes_data(current, self._transport.endpoint)
            change = self._plan_change(meta, current, purge=False, uploading=True)
            try:
                if change:
                    self._patch(image_id, change, current)
                break
            except exceptions.UpdateConflict:
                if attempt == UPDATE_ATTEMPTS:
                    raise
        return self._upload(image_id, meta, upload)

    def delete(self, image_id: str) -> None:
        self._send("DELETE", image_path(image_id), "delete", image_id, success=204)


def _location_change(location: str) -> Change:
    return Change({"location": location}, {})


def has_location(found: Image) -> bool:
    """Return whether an image has a location, or the server is adding one in the background."""
    return found["status"] not in _UNSETTLED or TASK in found["properties"]


def _has_next(body: Mapping[str, object]) -> bool:
    # The link itself is not used: it omits repeated parameters (verified on Glance 15.0.2 and 33),
    # and it may name any host.
    return bool(body.get("next"))


class _Part(typing.NamedTuple):
    """The range of a response with status 206.

    :param start: the offset of the first byte.
    :param end: the offset after the last byte.
    :param total: the size of all data, in bytes, or None if the server does not know it.
    """

    start: int
    end: int
    total: int | None


def _parse_range(response: Response) -> _Part | None:
    """Parse the header Content-Range of a response, such as ``bytes 3-9/10``."""
    matched = re.fullmatch(
        r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)",
        response.header("content-range") or "",
    )
    if matched is None:
        return None
    total = None if matched[3] == "*" else int(matched[3])
    return _Part(int(matched[1]), int(matched[2]) + 1, total)


def _length(response: Response) -> int | None:
    """Return the size of the data, in bytes, from the Content-Length of a response.

    The result is None if there is no Content-Length, or if a proxy has compressed the data.
    """
    if response.header("content-encoding") is not None:
        return None
    length = response.header("content-length")
    return int(length) if length and length.isdecimal() else None


def _data_request(image_id: str) -> Request:
    return Request(
        method="GET",
        path=f"{image_path(image_id)}/file",
        stream=True,
        success=frozenset({200, 204}),
        errors=_ERRORS["download"],
        image_id=image_id,
    )


def image_path(image_id: str) -> str:
    return f"/v2/images/{urllib.parse.quote(image_id, safe='')}"
