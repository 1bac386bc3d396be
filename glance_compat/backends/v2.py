# SPDX-License-Identifier: Apache-2.0
"""The port spoken as the Images API v2: JSON records, JSON patches, data in requests of its own.

Facts are those of Glance 15.0.2 and 33.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import typing
import urllib.parse
from collections.abc import Callable, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import OpenedData, Page, delete_on_failure
from glance_compat.metadata import changes, fields, filters
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import HASHES, Expected, Upload
from glance_compat.transport import retry
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.types import Member

LOG = logging.getLogger("glance_compat")

_ERRORS = exceptions.STATUS_ERRORS
_PATCH = "application/openstack-images-v2.1-json-patch"

#: How often an update is worked out again when another writer came between.
_UPDATE_ATTEMPTS = 4

#: Statuses of an image whose location is being looked at behind an answer.
_UNSETTLED = frozenset({"queued", "importing"})

#: Says that a task works on an image; gone when it ends, however it ends (seen on Glance 33).
_TASK = "os_glance_import_task"

#: What the locations API answers to who may not use it (403), and what a server answers that has
#: none (404 and 405 during an upgrade; 501, at which Nova 34 too turns to a PATCH).
_NO_LOCATIONS_API = frozenset({403, 404, 405, 501})

Version = tuple[int, int]
Offered = Callable[[], tuple[Version, frozenset[str]]]


class V2:
    """Images API v2 at one endpoint.

    :param offered: tells the newest minor version and the capabilities; may cost a request, once
        for an endpoint, so it is called when they matter.
    """

    api_name = "Images API v2"
    shows_locations = True

    def __init__(self, transport: Transport, offered: Offered) -> None:
        self._transport = transport
        self._options = transport.options
        self._offered = offered

    # -- reading

    def show(self, image_id: str) -> Image:
        return self._image(self._send("GET", _path(image_id), "show", image_id))

    def page(self, query: Query, marker: str | None, size: int, left: int | None) -> Page:
        response, asked = self._list(query, marker, size, left)
        records = response.objects_at("images")
        version = self._version()
        with response.named_in_errors():
            images = [fields.from_v2(record, version) for record in records]
        return Page(images, more=_has_next(response), asked=asked)

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        response, asked = self._list(query, marker, size, None)
        return Page(response.records(), more=_has_next(response), asked=asked)

    def _list(
        self, query: Query, marker: str | None, size: int, left: int | None
    ) -> tuple[Response, int]:
        """The answer, and how many images were asked for."""
        sent = filters.to_v2_query(query, self._version_for(query))
        asked = filters.page_limit(sent, size, left)
        params = [*sent.params, ("limit", str(asked))]
        if marker is not None:
            params.append(("marker", marker))
        # A marker that the caller may not see is 403 here and 400 on v1.
        errors = _ERRORS["detail" if marker is None else "detail after a marker"]
        response = self._transport.send(
            Request(method="GET", path="/v2/images", params=params, errors=errors)
        )
        return response, asked

    def _version(self) -> Version:
        """The newest minor version, as far as the attributes that are read depend on it."""
        if self._options.extended or self._options.verify_downloads == "strong":
            return self._offered()[0]
        return (2, 0)

    def _version_for(self, query: Query) -> Version:
        return self._offered()[0] if "os_hidden" in query.filters else (2, 0)

    def _image(self, response: Response) -> Image:
        version = self._version()
        with response.named_in_errors():
            return fields.from_v2(response.json_object(), version)

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
        """v2 gives an admin the data of a deactivated image, which v1 gives to nobody."""
        strong = self._options.verify_downloads == "strong"
        look = self._transport.may_be_admin() or strong or self._options.check_format
        found = self.show(image_id) if look else None
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
        if found is None and self._is_unverifiable(response):
            try:
                found = self.show(image_id)
            except exceptions.GlanceCompatError:
                response.close()
                raise
        return OpenedData(
            blocks=self._transport.blocks(request, response),
            close=response.close,
            expected=self._expected(response, found, part.total if part else _length(response)),
            disk_format=found["disk_format"] if found else None,
            start=part.start if part else 0,
        )

    def _is_unverifiable(self, response: Response) -> bool:
        """Whether nothing in an answer tells the data of an image from any other text.

        An image without a checksum has no Content-MD5 (seen on Glance 15.0.2 and 33), but the page
        of a proxy has none either.
        """
        wanted = self._options.verify_downloads != "off"
        return wanted and response.header("content-md5") is None

    def _request_from(self, start: int, request: Request) -> tuple[Response, _Part | None]:
        """Ask for data from a byte on, and for all of it where that is not what comes.

        Range is answered with 206 (seen on Glance 15.0.2 and 33; RFC 9110, section 14), but with
        400 where the store cannot begin in the middle, as that of http.
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
        """204 is an empty image or one without data (seen on Glance 15.0.2 and 33)."""
        self._check_readable(found)
        if found["size"]:
            raise exceptions.BadResponse(
                f"image {found['id']} is active and has {found['size']} bytes, but the server"
                " sends none",
                status=204,
                endpoint=self._transport.endpoint,
                image_id=found["id"],
            )
        return OpenedData(iter(()), bool, Expected(size=0), found["disk_format"])

    def _check_readable(self, found: Image) -> None:
        if found["status"] == "active":
            return
        closed = found["status"] == "deactivated"
        kind = exceptions.ImageNotAuthorized if closed else exceptions.ImageNotActive
        raise kind(
            f"image {found['id']} gives no data: its status is {found['status']}",
            endpoint=self._transport.endpoint,
            image_id=found["id"],
        )

    def _expected(self, response: Response, found: Image | None, size: int | None) -> Expected:
        size = found["size"] if found else size
        if self._options.verify_downloads == "off":
            return Expected(size=size)
        if found and found["os_hash_algo"] in HASHES and found["os_hash_value"]:
            return Expected(size, found["os_hash_algo"], found["os_hash_value"])
        md5 = response.header("content-md5") or (found["checksum"] if found else None)
        if not md5:
            LOG.warning(
                "%s: the image has no checksum, so its data is not verified", response.subject
            )
            return Expected(size=size)
        return Expected(size, "md5", md5)

    # -- writing

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        self._check_supported(meta, uploading=upload is not None)
        changes.check_property_names(meta.properties)
        base = {**self._known_attributes(meta.base), "id": image_id}
        if changes.get_requested_is_public(base):
            base["visibility"] = "public"
        if "location" in base:
            self._check_formats(base)
        record = {
            name: value
            for name, value in fields.to_v2_record(base, meta.properties).items()
            if value is not None
        }
        response = self._send("POST", "/v2/images", "create", image_id, record, success=201)
        with delete_on_failure(image_id, lambda: self.delete(image_id)):
            created = self._check_stored(self._image(response), meta.properties)
            if "location" in base:
                created = self._give_location(image_id, _location_change(base["location"]))
                self._check_location(created, base)
        return created if upload is None else self._upload(image_id, meta, upload)

    def _check_location(self, created: Image, base: Mapping[str, typing.Any]) -> None:
        """v2 takes the size that it finds; v1 compares it (409, seen on Glance 15.0.2)."""
        if base.get("size") not in (None, created["size"]):
            raise exceptions.IntegrityError(
                f"the location of image {created['id']} has {created['size']} bytes, not"
                f" {base['size']}",
                endpoint=self._transport.endpoint,
                image_id=created["id"],
            )

    def _check_supported(self, meta: ImageMeta, *, uploading: bool) -> None:
        """Refuse what v2 does not have; never store it as a property of the same name."""
        base = meta.base
        needed = [name for name in ("copy_from",) if base.get(name) is not None]
        if base.get("checksum") is not None and not uploading:
            needed.append("checksum of an image without data")
        if base.get("store") is not None and not uploading:
            needed.append("store of an image without data")
        if needed:
            raise exceptions.UnsupportedByVersion(
                f"Images API v1 ({needed[0]})", self.api_name, endpoint=self._transport.endpoint
            )
        if base.get("store") is not None:
            self._require("stores", "a store chosen for the data")
        if base.get("os_hidden"):
            self._require("hidden", "os_hidden")
        if base.get("visibility") == "community":
            self._require("community-visibility", "community visibility")
        if self._options.portable:
            changes.check_v1_limits(meta, folding=False)

    def _known_attributes(self, base: Mapping[str, typing.Any]) -> Mapping[str, typing.Any]:
        """Attributes without an os_hidden of False where every image is visible.

        An older server would store a property of that name.
        """
        if "os_hidden" not in base or "hidden" in self._offered()[1]:
            return base
        return {name: value for name, value in base.items() if name != "os_hidden"}

    def _require(self, capability: str, what: str) -> None:
        version, capabilities = self._offered()
        if capability not in capabilities:
            raise exceptions.UnsupportedByVersion(
                f"the capability {capability} ({what})",
                f"Images API v{version[0]}.{version[1]}",
                endpoint=self._transport.endpoint,
            )

    def _upload(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        sent: dict[str, str] = {}
        if upload.size:
            # Glance 33 compares it; 15.0.2 ignores it.
            sent["x-openstack-image-size"] = str(upload.size)
        if meta.base.get("store") is not None:
            sent["x-image-meta-store"] = meta.base["store"]
        self._transport.send(
            Request(
                method="PUT",
                path=f"{_path(image_id)}/file",
                headers=sent,
                upload=upload,
                success=frozenset({204}),
                errors=_ERRORS["upload"],
                image_id=image_id,
            )
        )
        return self.show(image_id)

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        for attempt in range(1, _UPDATE_ATTEMPTS + 1):
            looked = changes.needs_current_image(meta, purge=purge) or "location" in meta.base
            current = self.show(image_id) if looked else None
            wanted = self._plan_change(meta, current, purge=purge, uploading=False)
            self._check_takes_location(wanted, current)
            if current is not None and not (wanted.base or wanted.properties or wanted.removed):
                return current
            try:
                updated = self._send_change(image_id, wanted, current)
            except exceptions.UpdateConflict:
                # A property that was to be removed is gone, or the image is being changed.
                if current is None or attempt == _UPDATE_ATTEMPTS:
                    raise
                continue
            if not self._options.verify_updates or self._is_still_there(image_id, wanted):
                return updated
            # It has its location, and takes no other.
            meta = meta.without({"location"})
        raise exceptions.UpdateConflict(
            f"other writers undid the update of image {image_id} {_UPDATE_ATTEMPTS} times",
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _check_takes_location(self, wanted: Change, current: Image | None) -> None:
        """v2 would add a second location to an image that has data; v1 refuses (400)."""
        if current is not None and "location" in wanted.base and current["status"] != "queued":
            raise exceptions.ImageBadRequest(
                f"image {current['id']} takes no location: its status is {current['status']}, not"
                " queued",
                endpoint=self._transport.endpoint,
                image_id=current["id"],
            )

    def _send_change(self, image_id: str, wanted: Change, current: Image | None) -> Image:
        if "location" not in wanted.base:
            return self._patch(image_id, wanted)
        self._check_formats({**(current or {}), **wanted.base})
        if "locations-api" not in self._offered()[1]:
            return self._give_location(image_id, wanted)
        # Last, since it makes the image active.
        base = {name: value for name, value in wanted.base.items() if name != "location"}
        if base or wanted.properties or wanted.removed:
            self._patch(image_id, dataclasses.replace(wanted, base=base))
        return self._give_location(image_id, _location_change(wanted.base["location"]))

    def _check_formats(self, base: Mapping[str, typing.Any]) -> None:
        """The locations API of Glance 33 takes a location without them, keeps it, and leaves the
        image queued for ever (seen); by a PATCH that is 400."""
        missing = [name for name in ("disk_format", "container_format") if not base.get(name)]
        if missing:
            raise exceptions.ImageBadRequest(
                f"an image takes no location before its {' and '.join(missing)}",
                endpoint=self._transport.endpoint,
                image_id=base.get("id"),
            )

    def _give_location(self, image_id: str, wanted: Change) -> Image:
        """Make a queued image active with the data that is at a URL.

        A PATCH adds a location where show_multiple_locations is on. v2.17 (Glance 2024.2) has an
        API for it that needs no such option. It lets services use it, and others for URLs of http
        where there is a store for them; whom it refuses, the PATCH may still let in.
        """
        try:
            if "locations-api" not in self._offered()[1]:
                return self._patch(image_id, wanted)
            return self._post_location(image_id, wanted)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # Where only the answer was lost, an attempt more would find an image that takes none.
            if not _is_taken(self.show(image_id)):
                raise
            return self._wait_until_settled(image_id)

    def _post_location(self, image_id: str, wanted: Change) -> Image:
        path, url = f"{_path(image_id)}/locations", wanted.base["location"]
        try:
            self._send("POST", path, "update", image_id, {"url": url}, success=202)
        except exceptions.GlanceCompatError as refused:
            if refused.status not in _NO_LOCATIONS_API:
                raise
            try:
                return self._patch(image_id, wanted)
            except exceptions.GlanceCompatError as error:
                error.message += f"; before that, {path}: {refused.message}"
                raise error from refused
        return self._wait_until_settled(image_id)

    def _wait_until_settled(self, image_id: str) -> Image:
        """Wait for what the locations API does behind its answer: it looks whether the data is
        there, makes the image active, and then hashes the data for as long as that takes.

        :raises glance_compat.exceptions.ImageBadRequest: the image is queued as before.
        :raises glance_compat.exceptions.OutcomeUnknown: it takes longer than a call may, or
            nobody can look.
        """
        try:
            found = retry.awaited(
                lambda: self.show(image_id),
                lambda shown: shown["status"] not in _UNSETTLED or not _is_taken(shown),
                self._options,
            )
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse) as unseen:
            raise exceptions.OutcomeUnknown(
                f"image {image_id} was given a location, and cannot be looked at: {unseen}",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from unseen
        if found["status"] not in _UNSETTLED:
            return found
        if _is_taken(found):
            raise exceptions.OutcomeUnknown(
                f"image {image_id} was given a location, and the server still looks at it",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )
        raise exceptions.ImageBadRequest(
            f"the server has no data for image {image_id} at its location",
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _plan_change(
        self, meta: ImageMeta, current: Image | None, *, purge: bool, uploading: bool
    ) -> Change:
        self._check_supported(ImageMeta(meta.base, {}), uploading=uploading)
        meta = dataclasses.replace(meta, base=self._known_attributes(meta.base))
        wanted = changes.compute_change(meta, current, purge=purge)
        if self._options.portable:
            changes.check_v1_limits(ImageMeta({}, wanted.properties), folding=False)
        public = changes.get_requested_is_public(wanted.base)
        if current is None or public is None or public == current["is_public"]:
            return wanted
        if "visibility" in wanted.base:
            return wanted
        base = {**wanted.base, "visibility": "public" if public else self._not_public()}
        return Change(base, wanted.properties, wanted.removed)

    def _not_public(self) -> str:
        """What a public image becomes: open to members, as v1 has it, where that exists."""
        capabilities = self._offered()[1]
        return "shared" if "community-visibility" in capabilities else "private"

    def _patch(self, image_id: str, wanted: Change) -> Image:
        patch = fields.to_v2_patch(wanted.base, wanted.properties, wanted.removed)
        response = self._send("PATCH", _path(image_id), "update", image_id, patch, _PATCH)
        return self._check_stored(self._image(response), wanted.properties)

    def _check_stored(self, stored: Image, sent: Mapping[str, str]) -> Image:
        """Compare the image that a write answered with with what was sent."""
        for name, text in sent.items():
            if not changes.has_property(stored["properties"], name, text):
                raise exceptions.IntegrityError(
                    f"property {quote_value(name)} was not stored as it was sent over v2",
                    endpoint=self._transport.endpoint,
                    image_id=stored["id"],
                )
        return stored

    def _is_still_there(self, image_id: str, wanted: Change) -> bool:
        """Whether an update is still there: concurrent ones can undo each other silently (seen on
        Glance 15.0.2 and 33)."""
        now = self.show(image_id)
        kept = not changes.select_changed_properties(now["properties"], wanted.properties)
        return kept and not wanted.removed & now["properties"].keys()

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        """The status is looked at first, so that an image with data is not half updated."""
        current = self.show(image_id)
        if current["status"] != "queued":
            raise exceptions.ImageNotActive(
                f"image {image_id} takes no data: its status is {current['status']}, not queued",
                status=409,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )
        wanted = self._plan_change(meta, current, purge=False, uploading=True)
        if wanted.base or wanted.properties:
            self._patch(image_id, wanted)
        return self._upload(image_id, meta, upload)

    def delete(self, image_id: str) -> None:
        self._send("DELETE", _path(image_id), "delete", image_id, success=204)

    def copy_to_stores(self, image_id: str, stores: Sequence[str]) -> None:
        self._require("stores", "a copy of the data in another store")
        # Without a word about all_stores_must_succeed the server's default counts, which is True.
        wanted = {"method": {"name": "copy-image"}, "stores": list(stores)}
        self._send("POST", f"{_path(image_id)}/import", "import", image_id, wanted, success=202)

    # -- members

    def members(self, image_id: str) -> list[Member]:
        try:
            response = self._send("GET", f"{_path(image_id)}/members", "members", image_id)
        except exceptions.ImageNotAuthorized:
            # 403 as well for an image that is not shared (seen on Glance 15.0.2 and 33).
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


def _is_taken(found: Image) -> bool:
    """Whether an image has a location, or is being given one."""
    return found["status"] not in _UNSETTLED or _TASK in found["properties"]


def _has_next(response: Response) -> bool:
    # Only whether there is a link counts: repeated parameters are lost in it (seen on Glance
    # 15.0.2 and 33), and it names a host that nobody has checked.
    return bool(response.json_object().get("next"))


def _member(response: Response, record: Mapping[str, typing.Any]) -> Member:
    member_id, status = record.get("member_id"), record.get("status")
    if not isinstance(member_id, str) or not isinstance(status, (str, type(None))):
        raise response.invalid("has a member of another form than Glance's")
    return {"member_id": member_id, "can_share": False, "status": status}


class _Part(typing.NamedTuple):
    """What a 206 says of itself, in bytes; total None where the server does not know."""

    start: int
    total: int | None


def _parse_range(response: Response) -> _Part | None:
    """The range that an answer has: ``bytes 3-9/10``."""
    said = re.fullmatch(
        r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)", response.header("content-range") or ""
    )
    if said is None:
        return None
    return _Part(int(said[1]), None if said[2] == "*" else int(said[2]))


def _length(response: Response) -> int | None:
    length = response.header("content-length")
    return int(length) if length and length.isdecimal() else None


def _path(image_id: str) -> str:
    return f"/v2/images/{urllib.parse.quote(image_id, safe='')}"


def _member_path(image_id: str, member_id: str) -> str:
    return f"{_path(image_id)}/members/{urllib.parse.quote(member_id, safe='')}"
