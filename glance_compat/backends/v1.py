# SPDX-License-Identifier: Apache-2.0
"""The port over the Images API v1: metadata in headers, data in the same request.

What must live here: the requests of v1 and how its responses are understood. What must not:
spellings of attributes (``metadata``), the choice of an API, retries.

Facts are those of Glance 15.0.2, the last release with v1 that can still be installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import typing
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.backends.pagination import PAGE_IMAGES
from glance_compat.backends.protocol import (
    OpenedData,
    Page,
    check_takes_data,
    choose_expected,
    delete_on_failure,
)
from glance_compat.metadata import changes, fields, filters, support
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import Upload
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.types import Member

LOG = logging.getLogger(__name__)

_ERRORS = exceptions.STATUS_ERRORS
_PURGE = "x-glance-registry-purge-props"

#: Responses whose status alone says too little: the message of Glance 15.0.2 (api/v1/images.py),
#: and the error to raise. v2 answers 413 to the first, and accepts the size that it finds for the
#: second.
_ERROR_PHRASES: tuple[tuple[int, str, type[exceptions.GlanceCompatError]], ...] = (
    (400, "Denying attempt to upload image larger than", exceptions.ImageQuotaExceeded),
    (409, "Provided image size must match", exceptions.IntegrityError),
)

#: How the message of a 500 begins when a user other than an admin deletes an image while its data
#: arrives; 500 has other causes too.
_FAILED_UPLOAD = "Failed to upload image"

#: Pages that are searched for an image whose name did not survive a damaged header block.
_SEARCHED_PAGES = 100


class V1:
    """Images API v1 at one endpoint."""

    api_name = support.V1_API
    shows_locations = False

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._options = transport.options

    # -- reading

    def show(self, image_id: str) -> Image:
        """Send one HEAD, and read the lossless list as well where the HEAD is damaged or the
        option ``v1_exact_show`` is set."""
        head, complete = self._head(image_id)
        if complete and not self._options.v1_exact_show:
            return head
        exact = self._find_in_list(image_id, head["name"])
        if exact is None and not complete:
            raise exceptions.UnreadableImage(
                f"cannot read image {image_id} over v1: its own metadata damages the response"
                " headers, and it is not in the list of images; read it over v2",
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
        """Find an image in the list, whose JSON loses nothing: by name, then page by page."""
        searches: list[dict[str, object]] = [{"name": name}] if name else []
        for search in (*searches, {}):
            # The name in a damaged block may come from any property, and be invalid as a filter.
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
        response, requested = self._list(query, marker, size, left)
        with response.named_in_errors():
            images = [fields.from_v1(record) for record in response.objects_at("images")]
        return Page(images, more=None, requested=requested)

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        response, requested = self._list(query, marker, size, None)
        return Page(response.records(), more=None, requested=requested)

    def _list(
        self, query: Query, marker: str | None, size: int, left: int | None
    ) -> tuple[Response, int]:
        """Return the response, and how many images were requested."""
        sent = filters.to_v1_query(query)
        requested = filters.page_limit(sent, size, left)
        params = [*sent.params, ("limit", str(requested))]
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
        return response, requested

    def open_data(self, image_id: str, *, start: int = 0) -> OpenedData:
        """Open the data with one request.

        v1 never serves the data of deactivated images, so no preliminary GET is needed. The data
        always begins at 0, because v1 ignores Range (verified on Glance 15.0.2).
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
        expected = choose_expected(self._options.verify_downloads, found, subject=response.subject)
        return OpenedData(blocks, response.close, expected, found["disk_format"])

    def _check_length_known(self, response: Response, image_id: str) -> None:
        """Refuse a response whose header block ended early, at a value with an empty line: the
        rest of the block would be read as data."""
        if response.header("content-length") is None:
            response.close()
            raise exceptions.UnreadableImage(
                f"cannot read the data of image {image_id} over v1: its own metadata damages the"
                " response headers; read it over v2",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    def _explain_no_data(self, image_id: str) -> None:
        """Raise ImageNotActive for an image without data: 404 on data means no image or no data
        (verified on Glance 15.0.2)."""
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
        meta = self._check_supported(meta)
        changes.check_property_names(meta.properties)
        is_public = changes.get_requested_is_public(meta.base)
        base = _without_none({**meta.base, "id": image_id, "is_public": is_public})
        sent = fields.to_v1_headers(base, meta.properties)
        try:
            created = self._send_image("POST", "/v1/images", sent, upload, image_id, "create")
        except exceptions.IntegrityError:
            # Glance creates the record before it compares the size at the location.
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
        meta = self._check_attributes(meta)
        needs_current = changes.needs_current_image(meta, purge=purge) or "location" in meta.base
        current = self._current(image_id) if needs_current else None
        change = self._plan_change(meta, current, purge=purge)
        if current is not None and not change:
            return current
        try:
            return self._send_change(image_id, meta, change, current, None)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            # Where only the response was lost, another attempt would find an image that is not
            # queued any more and takes no location.
            if current is None or "location" not in change.base or current["status"] != "queued":
                raise
            found = self._current(image_id)
            if found["status"] == "queued":
                raise
            return found

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        meta = self._check_attributes(meta)
        needs_current = changes.needs_current_image(meta, purge=False)
        current = self._current(image_id) if needs_current else None
        change = self._plan_change(meta, current, purge=False)
        try:
            return self._send_change(image_id, meta, change, current, upload)
        except (exceptions.ImageNotAuthorized, exceptions.ImageNotActive):
            # 403 when the declared size is not that of an image with data; 409 also for an
            # admin's image that is pending deletion.
            check_takes_data(self._current(image_id), self._transport.endpoint)
            raise

    def _current(self, image_id: str) -> Image:
        """Return the image to be changed, as it is now."""
        return self._check_not_deleted(self.show(image_id))

    def _check_not_deleted(self, found: Image) -> Image:
        """Raise ImageNotFound for a deleted image, else return it.

        v1 shows deleted images to an admin, and changes those that are pending deletion (option
        delayed_delete, verified on Glance 15.0.2); v2 shows them to no caller.
        """
        if found["deleted"]:
            raise exceptions.ImageNotFound(
                f"image {found['id']} is deleted",
                status=404,
                endpoint=self._transport.endpoint,
                image_id=found["id"],
            )
        return found

    def _plan_change(self, meta: ImageMeta, current: Image | None, *, purge: bool) -> Change:
        """Compute what an update has to send, in contract terms."""
        return changes.compute_change(meta, current, purge=purge, match=fields.fold_name)

    def _send_change(
        self,
        image_id: str,
        meta: ImageMeta,
        change: Change,
        current: Image | None,
        upload: Upload | None,
    ) -> Image:
        """Send an update, and check what was stored."""
        self._check_rewritten(meta, change)
        # v1 cannot remove a property by name: a purge keeps the properties that are sent, and no
        # others.
        kept = _kept(current, change) if current is not None and change.removed else {}
        properties = {**kept, **change.properties}
        changes.check_v1_limits(ImageMeta({}, properties))
        headers = fields.to_v1_headers(_changed_attributes(change.base, current), properties)
        headers[_PURGE] = "true" if change.removed else "false"
        method = "upload" if upload is not None else "update"
        try:
            changed = self._send_image("PUT", _path(image_id), headers, upload, image_id, method)
        except (exceptions.BadResponse, exceptions.ImageNotAuthorized) as error:
            raise self._explain(error, image_id) from error
        self._check_not_deleted(changed)
        self._check_stored(changed, change.properties)
        self._check_owner(change.base, changed)
        return changed

    def _check_rewritten(self, meta: ImageMeta, change: Change) -> None:
        """Refuse properties that v1 would store differently.

        Two names that v1 folds together lose a value, even where only one of them is written.
        """
        written = {fields.fold_name(name) for name in change.properties}
        rewritten = {
            name: value
            for name, value in meta.properties.items()
            if change.removed or fields.fold_name(name) in written
        }
        self._check_supported(ImageMeta(meta.base, rewritten))

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
            image = fields.from_v1(response.object_at("image"))
        response.check_image_id(image["id"], image_id)
        return image

    def _check_supported(self, meta: ImageMeta) -> ImageMeta:
        """Refuse what v1 does not have or cannot carry; leave out what asks for nothing."""
        base = support.select_for_v1(meta.base, self._transport.endpoint)
        meta = dataclasses.replace(meta, base=base)
        changes.check_v1_limits(meta, folding=self._options.v1_folding == "fold")
        return meta

    def _check_attributes(self, meta: ImageMeta) -> ImageMeta:
        """Check the attributes alone: the properties of an update may be unchanged."""
        supported = self._check_supported(dataclasses.replace(meta, properties={}))
        return dataclasses.replace(meta, base=supported.base)

    def _check_stored(self, stored: Image, sent: Mapping[str, str]) -> None:
        """Compare the properties in the response to a write with what was sent."""
        for name, text in sent.items():
            if name != fields.fold_name(name):
                _warn_folding(name)
            if not changes.has_property(stored["properties"], fields.fold_name(name), text):
                raise exceptions.IntegrityError(
                    f"property {quote_value(name)} of image {stored['id']} was stored with another"
                    " value than was sent over v1; a proxy may have changed the headers",
                    endpoint=self._transport.endpoint,
                    image_id=stored["id"],
                )

    def _check_owner(
        self,
        sent: Mapping[str, typing.Any],
        stored: Image,
        error: type[exceptions.Forbidden] = exceptions.ImageNotAuthorized,
    ) -> None:
        """Check the owner: v1 silently replaces or ignores one that the caller may not set."""
        if "owner" in sent and sent["owner"] != stored["owner"]:
            raise error(
                f"the owner of image {stored['id']} was not set to"
                f" {quote_value(sent['owner'])}: only"
                " an admin may set another owner than the caller's project",
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
            raise response.invalid("is not empty, but Glance's response to a DELETE is")

    def _explain(
        self, error: exceptions.GlanceCompatError, image_id: str
    ) -> exceptions.GlanceCompatError:
        """GET the image to explain a refusal.

        An image that is shared with the caller is answered with 500 (Glance does not catch the
        registry's 404), and one that is pending deletion with 403 (verified on Glance 15.0.2).
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
            f"image {image_id} belongs to another project: only its owner or an admin may"
            " change it",
            status=403,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _is_foreign(self, found: Image) -> bool:
        mine = self._transport.project_id()
        # Only an admin may change an image without an owner.
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
            # For a deleted image, v1 returns an empty list to an admin.
            self._current(image_id)
        return found

    def add_member(self, image_id: str, member_id: str) -> Member:
        # can_share is sent because without it v1 silently does not add a member again that was
        # removed before (204, verified on Glance 15.0.2).
        try:
            self._member_request("PUT", image_id, member_id, {"member": {"can_share": False}})
        except exceptions.ImageNotFound as error:
            # v1 answers 404 to a caller who sees the image but may not share it.
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
            # v1 answers 404 to a caller who may not remove the member.
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
        # Such an id is 500 on v1 and 404 on v2; no image can have it.
        raise exceptions.ImageNotFound(
            f"image {quote_value(image_id)} does not exist: its id is not ASCII", image_id=image_id
        )
    return f"/v1/images/{urllib.parse.quote(image_id, safe='')}"


def _image_of_headers(response: Response, image_id: str) -> tuple[Image, bool]:
    """Read the header block of an image.

    :returns: the image as far as it can be read, and whether the block is intact.
    :raises glance_compat.exceptions.BadResponse: the block is intact and holds no image.
    """
    record, complete = fields.parse_v1_headers(response.headers)
    # A value that is only a line break ends the block there, perhaps before the id.
    if record == {"properties": {}} and not response.damaged:
        raise response.invalid("has no image headers")
    complete = complete and not response.damaged and record.get("id") == image_id
    try:
        return fields.from_v1({"id": image_id, **record}), complete
    except exceptions.BadResponse:
        # Glance does not write such a value: a property has forged it.
        name = record.get("name")
        return fields.from_v1({"id": image_id, "name": name}), False


def _refine_error(error: exceptions.GlanceCompatError) -> exceptions.GlanceCompatError:
    for status, phrase, error_class in _ERROR_PHRASES:
        if error.status == status and phrase in error.message:
            return error_class(
                error.message,
                status=status,
                request_id=error.request_id,
                endpoint=error.endpoint,
                image_id=error.image_id,
            )
    return error


def _member(member_id: object, can_share: bool) -> Member:
    if not isinstance(member_id, str):
        raise exceptions.BadResponse("invalid member in the response: it has no id")
    return {"member_id": member_id, "can_share": can_share, "status": None}


def _without_none(base: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    return {name: value for name, value in base.items() if value is not None}


def _changed_attributes(
    base: Mapping[str, typing.Any], current: Image | None
) -> dict[str, typing.Any]:
    """Return the attributes that an update sends.

    is_public is sent only where it changes: v1 refuses an unchanged True, and an unchanged False
    would turn a private image into a shared one.
    """
    is_public = changes.get_requested_is_public(base) if current is not None else None
    sent = {name: value for name, value in base.items() if name != "is_public"}
    if current is not None and is_public not in (None, current["is_public"]):
        sent["is_public"] = is_public
    return sent


def _kept(current: Image, change: Change) -> dict[str, str]:
    """Return the properties that a purge must send again, shadowed ones included."""
    sent = {fields.fold_name(name) for name in change.properties}
    properties = {**current["properties"], **(current["shadowed_properties"] or {})}
    return {
        name: fields.property_to_str(value) or ""
        for name, value in properties.items()
        if name not in change.removed and fields.fold_name(name) not in sent
    }


@functools.lru_cache(maxsize=1024)
def _warn_folding(name: str) -> None:
    """Warn once for each name: the function's cache suppresses repetitions."""
    LOG.warning("Images API v1 stores property %r as %r", name, fields.fold_name(name))
