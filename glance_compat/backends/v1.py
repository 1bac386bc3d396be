# SPDX-License-Identifier: Apache-2.0
"""The port spoken as the Images API v1: metadata in headers, data in the same request.

Facts are those of Glance 15.0.2, the last release with v1 that can still be installed.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import typing
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.backends.pagination import PAGE_IMAGES
from glance_compat.backends.protocol import OpenedData, Page, delete_on_failure
from glance_compat.metadata import changes, fields, filters
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import Expected, Upload
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.types import Member

LOG = logging.getLogger("glance_compat")

_ERRORS = exceptions.STATUS_ERRORS
_PURGE = "x-glance-registry-purge-props"

#: Where the status alone says too little: what Glance 15.0.2 says (api/v1/images.py), and which
#: error that is. v2 answers 413 to the first, and takes the second for what it finds.
_ERROR_PHRASES: tuple[tuple[int, str, type[exceptions.GlanceCompatError]], ...] = (
    (400, "Denying attempt to upload image larger than", exceptions.ImageQuotaExceeded),
    (409, "Provided image size must match", exceptions.IntegrityError),
)

#: How 500 begins for an image that is deleted while its data arrives, unless an admin sends it; it
#: is 500 for other reasons too.
_FAILED_UPLOAD = "Failed to upload image"

#: Pages that are searched for an image whose name did not survive a damaged header block.
_SEARCHED_PAGES = 100


class V1:
    """Images API v1 at one endpoint."""

    api_name = "Images API v1"
    shows_locations = False

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._options = transport.options

    # -- reading

    def show(self, image_id: str) -> Image:
        """One HEAD; the lossless list as well where that cannot be believed or is not enough."""
        head, complete = self._head(image_id)
        if complete and not self._options.v1_exact_show:
            return head
        exact = self._find_in_list(image_id, head["name"])
        if exact is None and not complete:
            raise exceptions.UnreadableImage(
                f"the v1 headers of image {image_id} are damaged by its own metadata, and it is"
                " not in the list of images",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )
        return exact or head

    def _head(self, image_id: str) -> tuple[Image, bool]:
        response = self._transport.send(
            Request(
                method="HEAD",
                path=_path(image_id),
                errors=_ERRORS["show"],
                image_id=image_id,
            )
        )
        return _image_of_headers(response, image_id)

    def _find_in_list(self, image_id: str, name: str | None) -> Image | None:
        """Look an image up in the list, whose JSON loses nothing: by name, then page by page."""
        searches: list[dict[str, object]] = [{"name": name}] if name else []
        for search in (*searches, {}):
            # The name of a damaged block may be anybody's text, and be refused as a filter.
            with contextlib.suppress(exceptions.BadResponse, exceptions.Invalid):
                for one in self._iter_listed(filters.parse_query(search)):
                    if one["id"] == image_id:
                        return one
        return None

    def _iter_listed(self, query: Query) -> Iterator[Image]:
        marker: str | None = None
        for _ in range(_SEARCHED_PAGES):
            images = self.page(query, marker, PAGE_IMAGES, None).images
            if not images or images[-1]["id"] == marker:
                return
            yield from images
            marker = images[-1]["id"]

    def page(self, query: Query, marker: str | None, size: int, left: int | None) -> Page:
        response, asked = self._list(query, marker, size, left)
        with response.named_in_errors():
            images = [fields.from_v1(record) for record in response.objects_at("images")]
        return Page(images, more=None, asked=asked)

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        response, asked = self._list(query, marker, size, None)
        return Page(response.records(), more=None, asked=asked)

    def _list(
        self, query: Query, marker: str | None, size: int, left: int | None
    ) -> tuple[Response, int]:
        """The answer, and how many images were asked for."""
        sent = filters.to_v1_query(query)
        asked = filters.page_limit(sent, size, left)
        params = [*sent.params, ("limit", str(asked))]
        if marker is not None:
            params.append(("marker", marker))
        response = self._transport.send(
            Request(
                method="GET",
                path="/v1/images/detail",
                params=params,
                errors=_ERRORS["detail"],
            )
        )
        return response, asked

    def open_data(self, image_id: str, *, start: int = 0) -> OpenedData:
        """Nobody can read a deactivated image over v1, so nobody needs a look.

        It always begins at 0: v1 ignores Range (seen on Glance 15.0.2).
        """
        request = Request(
            method="GET",
            path=_path(image_id),
            stream=True,
            errors=_ERRORS["download"],
            image_id=image_id,
        )
        try:
            response = self._transport.send(request)
        except exceptions.ImageNotFound:
            self._explain_no_data(image_id)
            raise
        try:
            found, complete = _image_of_headers(response, image_id)
        except exceptions.BadResponse:
            response.close()
            raise
        if not complete:
            response.close()
            found = self.show(image_id)
            response = self._transport.send(request)
            self._check_length_known(response, image_id)
        blocks = self._transport.blocks(request, response)
        expected = self._expected(found)
        return OpenedData(blocks, response.close, expected, found["disk_format"])

    def _check_length_known(self, response: Response, image_id: str) -> None:
        """A value with an empty line ends the block early, and what is left of it is data then."""
        if response.header("content-length") is None:
            response.close()
            raise exceptions.UnreadableImage(
                f"the data of image {image_id} cannot be read over v1: its own metadata damages"
                " the answer",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    def _expected(self, found: Image) -> Expected:
        if self._options.verify_downloads == "off" or not found["checksum"]:
            return Expected(size=found["size"])
        return Expected(found["size"], "md5", found["checksum"])

    def _explain_no_data(self, image_id: str) -> None:
        """404 on data means no image or no data (seen on Glance 15.0.2)."""
        found = self.show(image_id)
        if not found["deleted"]:
            raise exceptions.ImageNotActive(
                f"image {image_id} has no data: its status is {found['status']}",
                status=404,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    # -- writing

    def create(self, image_id: str, meta: ImageMeta, upload: Upload | None) -> Image:
        self._check_supported(meta)
        changes.check_property_names(meta.properties)
        base = {
            **meta.base,
            "id": image_id,
            "is_public": changes.get_requested_is_public(meta.base),
        }
        sent = fields.to_v1_headers(_without_none(base), meta.properties)
        try:
            created = self._send_image("POST", "/v1/images", sent, upload, image_id, "create")
        except exceptions.IntegrityError:
            # The record was made before its location was looked at.
            with delete_on_failure(image_id, lambda: self.delete(image_id)):
                raise
        except exceptions.BadResponse as error:
            if error.status == 500 and _FAILED_UPLOAD in error.message:
                self._current(image_id)
            raise
        with delete_on_failure(image_id, lambda: self.delete(image_id)):
            self._check_stored(created, meta.properties)
            self._check_owner(_without_none(meta.base), created, exceptions.Forbidden)
        return created

    def update(self, image_id: str, meta: ImageMeta, *, purge: bool) -> Image:
        self._check_supported(ImageMeta(meta.base, {}))
        looked = changes.needs_current_image(meta, purge=purge) or "location" in meta.base
        current = self._current(image_id) if looked else None
        wanted = changes.compute_change(meta, current, purge=purge, match=fields.fold_name)
        if current is not None and not (wanted.base or wanted.properties or wanted.removed):
            return current
        try:
            return self._send_change(image_id, meta, wanted, current, None)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # Where only the answer was lost, an attempt more would find an image that takes none.
            if current is None or "location" not in wanted.base or current["status"] != "queued":
                raise
            found = self._current(image_id)
            if found["status"] == "queued":
                raise
            return found

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        current = (
            self._current(image_id) if changes.needs_current_image(meta, purge=False) else None
        )
        wanted = changes.compute_change(meta, current, purge=False, match=fields.fold_name)
        try:
            return self._send_change(image_id, meta, wanted, current, upload)
        except (exceptions.ImageNotAuthorized, exceptions.ImageNotActive):
            # 403 when the size that is declared is not that of an image with data; 409 also for
            # an admin's image that waits to be deleted.
            self._check_queued(image_id)
            raise

    def _current(self, image_id: str) -> Image:
        """The image to be changed, as it is."""
        return self._check_not_deleted(self.show(image_id))

    def _check_not_deleted(self, found: Image) -> Image:
        """v1 shows an admin deleted images, and changes those that wait to be deleted (option
        delayed_delete, seen on Glance 15.0.2); v2 has none for anybody."""
        if found["deleted"]:
            raise exceptions.ImageNotFound(
                f"image {found['id']} is deleted",
                status=404,
                endpoint=self._transport.endpoint,
                image_id=found["id"],
            )
        return found

    def _check_queued(self, image_id: str) -> None:
        found = self._current(image_id)
        if found["status"] != "queued":
            raise exceptions.ImageNotActive(
                f"image {image_id} takes no data: its status is {found['status']}, not queued",
                status=409,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    def _send_change(
        self,
        image_id: str,
        meta: ImageMeta,
        wanted: Change,
        current: Image | None,
        upload: Upload | None,
    ) -> Image:
        # Names that v1 takes for one lose a value also where only one of them is to be written.
        written = {fields.fold_name(name) for name in wanted.properties}
        rewritten = {
            name: text
            for name, text in meta.properties.items()
            if wanted.removed or fields.fold_name(name) in written
        }
        self._check_supported(ImageMeta(meta.base, rewritten))
        # v1 cannot remove a property by name: it keeps those that are sent, and no others.
        kept = _kept(current, wanted) if current is not None and wanted.removed else {}
        properties = {**kept, **wanted.properties}
        changes.check_v1_limits(ImageMeta({}, properties))
        headers = fields.to_v1_headers(_changed_attributes(wanted.base, current), properties)
        headers[_PURGE] = "true" if wanted.removed else "false"
        method = "upload" if upload is not None else "update"
        try:
            changed = self._send_image("PUT", _path(image_id), headers, upload, image_id, method)
        except (exceptions.BadResponse, exceptions.ImageNotAuthorized) as error:
            raise self._explain(error, image_id) from error
        self._check_not_deleted(changed)
        self._check_stored(changed, wanted.properties)
        self._check_owner(wanted.base, changed)
        return changed

    def _send_image(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        upload: Upload | None,
        image_id: str,
        errors: str,
    ) -> Image:
        sent = dict(headers)
        if upload is not None and upload.size:
            sent[f"{fields.V1_META}size"] = str(upload.size)
        request = Request(
            method=method,
            path=path,
            headers=sent,
            upload=upload,
            success=frozenset({201 if method == "POST" else 200}),
            errors=_ERRORS[errors],
            image_id=image_id,
        )
        try:
            response = self._transport.send(request)
        except exceptions.GlanceCompatError as error:
            raise _refine_error(error) from error.__cause__
        with response.named_in_errors():
            return fields.from_v1(response.object_at("image"))

    def _check_supported(self, meta: ImageMeta) -> None:
        """Refuse what v1 does not have or cannot carry."""
        community = meta.base.get("visibility") == "community"
        for name, given in (
            ("community visibility", community),
            ("tags", bool(meta.base.get("tags"))),
            ("os_hidden", bool(meta.base.get("os_hidden"))),
        ):
            if given:
                raise exceptions.UnsupportedByVersion(
                    f"Images API v2 ({name})", self.api_name, endpoint=self._transport.endpoint
                )
        changes.check_v1_limits(meta, folding=self._options.v1_folding == "fold")

    def _check_stored(self, stored: Image, sent: Mapping[str, str]) -> None:
        """Compare the image that a write answered with with what was sent."""
        for name, text in sent.items():
            if name != fields.fold_name(name):
                _warn_folding(name)
            if not changes.has_property(stored["properties"], fields.fold_name(name), text):
                raise exceptions.IntegrityError(
                    f"property {quote_value(name)} was not stored as it was sent over v1",
                    endpoint=self._transport.endpoint,
                    image_id=stored["id"],
                )

    def _check_owner(
        self,
        sent: Mapping[str, typing.Any],
        stored: Image,
        error: type[exceptions.Forbidden] = exceptions.ImageNotAuthorized,
    ) -> None:
        """v1 replaces or ignores an owner that the caller may not set, and says nothing."""
        if "owner" in sent and sent["owner"] != stored["owner"]:
            raise error(
                f"image {stored['id']} was not given the owner that was asked for",
                endpoint=self._transport.endpoint,
                image_id=stored["id"],
            )

    def delete(self, image_id: str) -> None:
        request = Request(
            method="DELETE", path=_path(image_id), errors=_ERRORS["delete"], image_id=image_id
        )
        try:
            response = self._transport.send(request)
        except (exceptions.BadResponse, exceptions.ImageNotAuthorized) as error:
            raise self._explain(error, image_id) from error
        if response.body:
            raise response.invalid("is not empty, as Glance's answer to a deletion is")

    def _explain(
        self, error: exceptions.GlanceCompatError, image_id: str
    ) -> exceptions.GlanceCompatError:
        """Look at an image to understand a refusal.

        An image that is shared with the caller is answered with 500 (the registry's 404 is not
        caught), and one that waits to be deleted with 403 (seen on Glance 15.0.2).
        """
        if error.status not in (403, 500):
            return error
        found = self._current(image_id)
        return (
            self._foreign_error(image_id)
            if error.status == 500 and self._is_foreign(found)
            else error
        )

    def _foreign_error(self, image_id: str) -> exceptions.ImageNotAuthorized:
        return exceptions.ImageNotAuthorized(
            f"image {image_id} belongs to another project",
            status=403,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _is_foreign(self, found: Image) -> bool:
        mine = self._transport.project_id()
        # An image of nobody is an admin's to change.
        return mine is not None and found["owner"] != mine

    def copy_to_stores(self, image_id: str, stores: Sequence[str]) -> None:
        raise exceptions.UnsupportedByVersion(
            "Images API v2 (a copy of the data in another store)",
            self.api_name,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    # -- members

    def members(self, image_id: str) -> list[Member]:
        response = self._transport.send(
            Request(
                method="GET",
                path=f"{_path(image_id)}/members",
                errors=_ERRORS["members"],
                image_id=image_id,
            )
        )
        with response.named_in_errors():
            found = [
                _member(record.get("member_id"), bool(record.get("can_share")))
                for record in response.objects_at("members")
            ]
        if not found and self._transport.may_be_admin():
            # An admin is told of a deleted image that it has none.
            self._current(image_id)
        return found

    def add_member(self, image_id: str, member_id: str) -> Member:
        # can_share is said: without it, a member that was removed before is not added again, and
        # nothing tells (204, seen on Glance 15.0.2).
        try:
            self._member_request("PUT", image_id, member_id, {"member": {"can_share": False}})
        except exceptions.ImageNotFound as error:
            # Who sees the image, but may not share it, is told that it is not there.
            self._current(image_id)
            raise self._foreign_error(image_id) from error
        return _member(member_id, False)

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        raise exceptions.UnsupportedByVersion(
            "Images API v2 (member status)",
            self.api_name,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def remove_member(self, image_id: str, member_id: str) -> None:
        try:
            self._member_request("DELETE", image_id, member_id, None)
        except exceptions.ImageNotFound as error:
            # Who may not end a share is told that it is not there.
            found = self._current(image_id)
            if self._is_foreign(found) and not self._transport.may_be_admin():
                raise self._foreign_error(image_id) from error
            raise exceptions.MemberNotFound(
                f"image {image_id} has no member {quote_value(member_id)}",
                status=404,
                request_id=error.request_id,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from error

    def _member_request(self, method: str, image_id: str, member_id: str, body: object) -> None:
        self._transport.send(
            Request(
                method=method,
                path=f"{_path(image_id)}/members/{urllib.parse.quote(member_id, safe='')}",
                json=body,
                success=frozenset({204}),
                errors=_ERRORS["members"],
                image_id=image_id,
            )
        )


def _path(image_id: str) -> str:
    if not image_id.isascii():
        # Such an id is 500 on v1 and 404 on v2; no image can have one.
        raise exceptions.ImageNotFound(
            f"there is no image {quote_value(image_id)}", image_id=image_id
        )
    return f"/v1/images/{urllib.parse.quote(image_id, safe='')}"


def _image_of_headers(response: Response, image_id: str) -> tuple[Image, bool]:
    """Read a header block.

    :returns: the image as far as it can be read, and whether the block can be believed.
    :raises glance_compat.exceptions.BadResponse: it holds nothing of an image, and is whole.
    """
    record, complete = fields.parse_v1_headers(response.headers)
    # A value that is a line break ends the block where it stands, before the id perhaps.
    if record == {"properties": {}} and not response.damaged:
        raise response.invalid("has no headers of an image")
    complete = complete and not response.damaged and record.get("id") == image_id
    try:
        return fields.from_v1({"id": image_id, **record}), complete
    except exceptions.BadResponse:
        # A value that is not what Glance writes: somebody's metadata got into its place.
        name = record.get("name")
        return fields.from_v1({"id": image_id, "name": name}), False


def _refine_error(error: exceptions.GlanceCompatError) -> exceptions.GlanceCompatError:
    for status, api_name, kind in _ERROR_PHRASES:
        if error.status == status and api_name in error.message:
            return kind(
                error.message,
                status=status,
                request_id=error.request_id,
                endpoint=error.endpoint,
                image_id=error.image_id,
            )
    return error


def _member(member_id: object, can_share: bool) -> Member:
    if not isinstance(member_id, str):
        raise exceptions.BadResponse("the server sent a member without an id")
    return {"member_id": member_id, "can_share": can_share, "status": None}


def _without_none(base: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    return {name: value for name, value in base.items() if value is not None}


def _changed_attributes(
    base: Mapping[str, typing.Any], current: Image | None
) -> dict[str, typing.Any]:
    """What an update sends of the attributes; a visibility that is as wanted already would be
    refused or, if False, turn a private image into a shared one."""
    public = changes.get_requested_is_public(base) if current is not None else None
    sent = {name: value for name, value in base.items() if name != "is_public"}
    if current is not None and public is not None and public != current["is_public"]:
        sent["is_public"] = public
    return sent


def _kept(current: Image, wanted: Change) -> dict[str, str]:
    """The properties that a purge must send again, shadowed ones too."""
    given = {fields.fold_name(name) for name in wanted.properties}
    properties = {**current["properties"], **(current["shadowed_properties"] or {})}
    return {
        name: fields.property_to_str(value) or ""
        for name, value in properties.items()
        if name not in wanted.removed and fields.fold_name(name) not in given
    }


@functools.lru_cache(maxsize=1024)
def _warn_folding(name: str) -> None:
    """Once for each name: the cache is what remembers it."""
    LOG.warning("v1 stores property %r as %r", name, fields.fold_name(name))
