# SPDX-License-Identifier: Apache-2.0
"""Images over v1: reading, creating, updating and deleting them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import typing
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping

from glance_compat import exceptions
from glance_compat.backends.pagination import Listing, walk
from glance_compat.backends.protocol import (
    OpenedData,
    Page,
    check_stored,
    check_takes_data,
    choose_expected,
    close_on_error,
    delete_on_failure,
)
from glance_compat.metadata import (
    changes,
    fields,
    filters,
    image_records,
    property_names,
    support,
)
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image
from glance_compat.metadata.filters import Query
from glance_compat.metadata.image_records import ALL_PARTS, Parts
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import Upload
from glance_compat.transport.client import Transport
from glance_compat.transport.messages import Request, Response

LOG = logging.getLogger(__name__)

_ERRORS = exceptions.STATUS_ERRORS
_PURGE = "x-glance-registry-purge-props"

#: Errors whose status alone is ambiguous: the status, a phrase in the message of Glance 15.0.2
#: (api/v1/images.py), and the exception to raise. In the first case v2 responds with 413; in the
#: second, v2 accepts the actual size.
_ERROR_PHRASES: tuple[tuple[int, str, type[exceptions.GlanceCompatError]], ...] = (
    (400, "Denying attempt to upload image larger than", exceptions.ImageQuotaExceeded),
    (409, "Provided image size must match", exceptions.IntegrityError),
)

#: Start of the message of a 500 that Glance sends if a user who is not an admin deletes the image
#: during the upload of its data. A 500 may have other causes as well.
_FAILED_UPLOAD = "Failed to upload image"

#: What a 500 may mean, for its message.
_REGISTRY = (
    " If all calls over v1 fail like this one, the glance-registry of the server is probably down;"
    " ask the operator to start it."
)

#: Number of images to search for one whose name could not be read from its damaged headers.
_SEARCHED_IMAGES = 100_000


class V1Images:
    """The Images API v1 of one endpoint."""

    api_name = support.V1_API
    shows_locations = False
    creates_before_upload = False

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._options = transport.options

    def _send(self, request: Request) -> Response:
        """Send a request; explain a 500, and permit a retry after it.

        v1 responds with 500 to every request if the registry, which it needs, is down, and nothing
        in the response says so (verified on Glance 15.0.2). v2 does not need the registry.
        """
        try:
            return self._transport.send(request)
        except exceptions.BadResponse as error:
            if error.status == 500 and _FAILED_UPLOAD not in error.message:
                error.may_pass = True
                error.message += _REGISTRY
            raise

    # -- reading

    def show(self, image_id: str, sent: Iterable[str] = ()) -> Image:
        """Return an image, with a HEAD request.

        If the headers of the response are damaged, or with the option ``v1_exact_show``, the image
        is read from the list of images as well: the list is JSON and loses no metadata.
        """
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
        response = self._send(
            Request(
                method="HEAD",
                path=image_path(image_id),
                errors=_ERRORS["show"],
                image_id=image_id,
            )
        )
        return _image_of_headers(response, image_id)

    def _find_in_list(self, image_id: str, name: str | None) -> Image | None:
        """Search the list of images for an image: first filtered by name, then the whole list.

        :returns: the image, or None if it was not found.
        """
        searches: list[dict[str, object]] = [{"name": name}] if name else []
        for search in (*searches, {}):
            # In damaged headers the name may be part of a property's value, and may be an invalid
            # filter.
            with contextlib.suppress(exceptions.BadResponse, exceptions.Invalid):
                for one in self._iter_listed(filters.parse_query(search)):
                    if one["id"] == image_id:
                        return one
        return None

    def _iter_listed(self, query: Query) -> Iterator[Image]:
        return walk(
            Listing(query, None, _SEARCHED_IMAGES, None),
            lambda marker, size, left: self.page(query, marker, size, None),
        )

    def page(
        self,
        query: Query,
        marker: str | None,
        size: int,
        left: int | None,
        parts: Parts = ALL_PARTS,
    ) -> Page:
        response, requested = self._list(query, marker, size, left)
        read = image_records.v1_reader(parts)
        with response.named_in_errors():
            images = [read(record) for record in response.objects_at("images")]
        return Page(images, more=None, requested=requested)

    def records(self, query: Query, marker: str | None, size: int) -> Page:
        response, requested = self._list(query, marker, size, None)
        records = response.records_in(response.raw_json_object())
        return Page(records, more=None, requested=requested)

    def _list(
        self, query: Query, marker: str | None, size: int, left: int | None
    ) -> tuple[Response, int]:
        """Request one page. Return the response, and the number of images that were requested."""
        sent = filters.to_v1_query(query)
        requested = filters.page_limit(sent, size, left)
        params = [*sent.params, ("limit", str(requested))]
        if marker is not None:
            params.append(("marker", marker))
        response = self._send(
            Request(
                method="GET",
                path="/v1/images/detail",
                params=params,
                errors=_ERRORS["detail"],
            )
        )
        return response, requested

    def open_data(self, image_id: str, *, start: int = 0, end: int | None = None) -> OpenedData:
        """Start a download with one request.

        v1 never serves the data of deactivated images, so no preliminary GET is needed. The data
        always starts at 0, because v1 ignores Range (verified on Glance 15.0.2).
        """
        request = Request(
            method="GET",
            path=image_path(image_id),
            stream=True,
            errors=_ERRORS["download"],
            image_id=image_id,
        )
        try:
            response = self._send(request)
        except exceptions.ImageNotFound:
            self._explain_no_data(image_id)
            raise
        with close_on_error(response.close):
            found, complete = _image_of_headers(response, image_id)
        if not complete:
            response.close()
            found = self.show(image_id)
            response = self._send(request)
            self._check_length_known(response, image_id)
        blocks = self._transport.blocks(request, response)
        verify = self._options.verify_downloads
        with close_on_error(response.close):
            expected = choose_expected(verify, found, subject=response.subject)
        return OpenedData(
            blocks, response.close, expected, found["disk_format"], found["container_format"]
        )

    def open_range(self, image_id: str, start: int, end: int) -> OpenedData:
        return self.open_data(image_id)

    def _check_length_known(self, response: Response, image_id: str) -> None:
        """Raise an exception if the headers of a response ended early, before Content-Length.

        A property value with an empty line ends the headers, and the remaining headers would be
        read as data.

        :raises glance_compat.exceptions.UnreadableImage: the response has no Content-Length.
        """
        if response.header("content-length") is None:
            response.close()
            raise exceptions.UnreadableImage(
                f"cannot read the data of image {image_id} over v1: its own metadata damages the"
                " response headers; read it over v2",
                endpoint=self._transport.endpoint,
                image_id=image_id,
            )

    def _explain_no_data(self, image_id: str) -> None:
        """Raise ImageNotActive if the image exists.

        v1 responds to a download with 404 both if there is no image and if the image has no data
        (verified on Glance 15.0.2).
        """
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
        sent = image_records.to_v1_headers(base, meta.properties)
        try:
            created = self._send_image("POST", "/v1/images", sent, upload, image_id, "create")
        except exceptions.IntegrityError:
            # Glance creates the image before it compares its size with the data at the location.
            with delete_on_failure(image_id, lambda: self.delete(image_id)):
                raise
        except exceptions.BadResponse as error:
            if error.status == 500 and _FAILED_UPLOAD in error.message:
                self._current(image_id)
            raise
        with delete_on_failure(image_id, lambda: self.delete(image_id)):
            self._check_stored(created, base, meta.properties)
            self._check_owner(_without_none(meta.base), created, exceptions.Forbidden)
        return created

    def check_sent(self, image: Image, meta: ImageMeta) -> None:
        is_public = changes.get_requested_is_public(meta.base)
        base = _without_none({**meta.base, "is_public": is_public})
        self._check_stored(image, base, meta.properties)
        self._check_owner(base, image)

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
            # If only the response was lost, the image is no longer queued and a retry would be
            # rejected, so the image is fetched.
            if current is None or "location" not in change.base or current["status"] != "queued":
                raise
            found = self._current(image_id)
            if found["status"] == "queued":
                raise
            self.check_sent(found, ImageMeta(change.base, change.properties))
            return found

    def update_with_data(self, image_id: str, meta: ImageMeta, upload: Upload) -> Image:
        meta = self._check_attributes(meta)
        needs_current = changes.needs_current_image(meta, purge=False)
        current = self._current(image_id) if needs_current else None
        change = self._plan_change(meta, current, purge=False)
        try:
            return self._send_change(image_id, meta, change, current, upload)
        except (exceptions.ImageNotAuthorized, exceptions.ImageNotActive):
            # Glance responds with 403 if the image has data and its size is not the declared one,
            # and with 409 to an admin also if the image is pending deletion.
            check_takes_data(self._current(image_id), self._transport.endpoint)
            raise

    def _current(self, image_id: str) -> Image:
        """Fetch an image, and raise ImageNotFound if it is deleted."""
        return self._check_not_deleted(self.show(image_id))

    def _check_not_deleted(self, found: Image) -> Image:
        """Return the image, or raise ImageNotFound if it is deleted.

        v1 returns deleted images to an admin, and updates those that are pending deletion (option
        delayed_delete, verified on Glance 15.0.2); v2 returns them to no caller.
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
        """Return the changes that an update must send, with the library's attribute names."""
        return changes.compute_change(meta, current, purge=purge, match=property_names.fold_name)

    def _send_change(
        self,
        image_id: str,
        meta: ImageMeta,
        change: Change,
        current: Image | None,
        upload: Upload | None,
    ) -> Image:
        """Send an update, and check that the server stored its values."""
        self._check_rewritten(meta, change)
        # v1 cannot remove a property by name. With the purge header it removes all properties that
        # the request does not contain, so those to be kept are sent again.
        kept = _kept(current, change) if current is not None and change.removed else {}
        properties = {**kept, **change.properties}
        changes.check_v1_limits(ImageMeta({}, properties))
        base = _changed_attributes(change.base, current)
        headers = image_records.to_v1_headers(base, properties)
        headers[_PURGE] = "true" if change.removed else "false"
        method = "upload" if upload is not None else "update"
        try:
            changed = self._send_image(
                "PUT", image_path(image_id), headers, upload, image_id, method
            )
        except (exceptions.BadResponse, exceptions.ImageNotAuthorized) as error:
            raise self._explain(error, image_id) from error
        self._check_not_deleted(changed)
        self._check_stored(changed, base, change.properties)
        self._check_owner(change.base, changed)
        return changed

    def _check_rewritten(self, meta: ImageMeta, change: Change) -> None:
        """Raise an exception for properties of the update that v1 would store differently.

        If v1 folds two names to the same one, a value is lost, even if the update sends only one
        of them.
        """
        written = {property_names.fold_name(name) for name in change.properties}
        rewritten = {
            name: value
            for name, value in meta.properties.items()
            if change.removed or property_names.fold_name(name) in written
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
            response = self._send(request)
        except exceptions.GlanceCompatError as error:
            raise _refine_error(error) from error.__cause__
        with response.named_in_errors():
            image = image_records.from_v1(response.object_at("image"))
        response.check_image_id(image["id"], image_id)
        return image

    def _check_supported(self, meta: ImageMeta) -> ImageMeta:
        """Raise an exception for metadata that v1 does not support or cannot transport.

        :returns: the metadata, without attributes that v1 lacks and whose values are empty (None,
            False or an empty list).
        """
        base = support.select_for_v1(meta.base, self._transport.endpoint)
        meta = dataclasses.replace(meta, base=base)
        changes.check_v1_limits(meta, folding=self._options.v1_folding == "fold")
        return meta

    def _check_attributes(self, meta: ImageMeta) -> ImageMeta:
        """Check the attributes, but not the properties, which the update may leave unchanged."""
        supported = self._check_supported(dataclasses.replace(meta, properties={}))
        return dataclasses.replace(meta, base=supported.base)

    def _check_stored(
        self, stored: Image, base: Mapping[str, typing.Any], properties: Mapping[str, str]
    ) -> None:
        """Raise IntegrityError if values in a response differ from those that were sent.

        The owner is left to :meth:`_check_owner`, which knows why it differs.
        """
        for name in properties:
            if name != property_names.fold_name(name):
                _warn_folding(name)
        unstored = changes.find_unstored(
            {name: value for name, value in base.items() if name != "owner"},
            properties,
            stored,
            lambda field: field.v1,
            match=property_names.fold_name,
        )
        check_stored(stored, unstored, self.api_name, self._transport.endpoint)

    def _check_owner(
        self,
        sent: Mapping[str, typing.Any],
        stored: Image,
        error: type[exceptions.Forbidden] = exceptions.ImageNotAuthorized,
    ) -> None:
        """Raise an exception if the server did not store the owner that was sent.

        v1 silently replaces or ignores an owner that the caller may not set.

        :param error: the class of the exception.
        """
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
            method="DELETE", path=image_path(image_id), errors=_ERRORS["delete"], image_id=image_id
        )
        try:
            response = self._send(request)
        except (exceptions.BadResponse, exceptions.ImageNotAuthorized) as error:
            raise self._explain(error, image_id) from error
        if response.body:
            raise response.invalid("is not empty, but Glance's response to a DELETE is")

    def _explain(
        self, error: exceptions.GlanceCompatError, image_id: str
    ) -> exceptions.GlanceCompatError:
        """Return a more specific error for a rejected update or delete; may GET the image.

        Glance responds with 500 if the image is only shared with the caller, because it does not
        catch the registry's 404, and with 403 if the image is pending deletion (verified on Glance
        15.0.2).

        :raises glance_compat.exceptions.ImageNotFound: the image is deleted or pending deletion.
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

    def replace_properties(
        self, image_id: str, properties: Mapping[str, str], removed: frozenset[str]
    ) -> Image:
        """Replace all properties, among them those that v2 hides, with one request.

        :param properties: all properties that the image is to have. Names of attributes, which
            callers may not add, are sent as well.
        :param removed: the names of the stored properties that are not among them.
        :raises glance_compat.exceptions.PropertyNotAllowed: v1 cannot send a property unchanged.
        """
        change = Change({}, properties, removed)
        return self._send_change(image_id, ImageMeta({}, properties), change, None, None)

    # -- hidden images

    def hide(self, image_id: str, properties: Mapping[str, str]) -> Image:
        marks = {**properties, self._hidden_property("hide", image_id): filters.HIDDEN}
        return self.update(image_id, ImageMeta({}, marks), purge=False)

    def unhide(self, image_id: str) -> Image:
        name = self._hidden_property("unhide", image_id)
        current = self._current(image_id)
        if name not in current["properties"]:
            return current
        change = Change({}, {}, frozenset({name}))
        return self._send_change(image_id, ImageMeta({}, {}), change, current, None)

    def _hidden_property(self, verb: str, image_id: str) -> str:
        name = self._options.hidden_property
        if name is None:
            raise self._unsupported("hidden", f"{verb} an image", image_id)
        return name

    def _unsupported(
        self, capability: str, what: str, image_id: str | None = None
    ) -> exceptions.UnsupportedByVersion:
        return exceptions.UnsupportedByVersion(
            support.describe_capability(capability, what, support.V2_API),
            self.api_name,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )


def image_path(image_id: str) -> str:
    if not image_id.isascii():
        # For such an id v1 responds with 500 and v2 with 404; no image can have it.
        raise exceptions.ImageNotFound(
            f"image {quote_value(image_id)} does not exist: its id is not ASCII", image_id=image_id
        )
    return f"/v1/images/{urllib.parse.quote(image_id, safe='')}"


def _image_of_headers(response: Response, image_id: str) -> tuple[Image, bool]:
    """Read an image from the headers of a response.

    :returns: the image, as far as it could be read, and whether the headers are undamaged.
    :raises glance_compat.exceptions.BadResponse: the headers are undamaged, but have no image.
    """
    record, complete = image_records.parse_v1_headers(response.headers)
    # A property value that is only a line break ends the headers, possibly before the id.
    if record == {"properties": {}} and not response.damaged:
        raise response.invalid("has no image headers")
    complete = complete and not response.damaged and record.get("id") == image_id
    try:
        return image_records.from_v1({"id": image_id, **record}), complete
    except exceptions.BadResponse:
        # Glance does not send such a value, so it is part of a property's value.
        name = record.get("name")
        return image_records.from_v1({"id": image_id, "name": name}), False


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


def _without_none(base: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    return {name: value for name, value in base.items() if value is not None}


def _changed_attributes(
    base: Mapping[str, typing.Any], current: Image | None
) -> dict[str, typing.Any]:
    """Return the attributes that an update sends.

    is_public is included only if it changes: v1 rejects an unchanged True, and an unchanged False
    would change a private image to a shared one.
    """
    is_public = changes.get_requested_is_public(base) if current is not None else None
    sent = {name: value for name, value in base.items() if name != "is_public"}
    if current is not None and is_public not in (None, current["is_public"]):
        sent["is_public"] = is_public
    return sent


def _kept(current: Image, change: Change) -> dict[str, str]:
    """Return the stored properties that an update with purge must send again to keep them.

    They include the properties that v2 hides because it has an attribute of the same name.
    """
    sent = {property_names.fold_name(name) for name in change.properties}
    properties = {**current["properties"], **(current["shadowed_properties"] or {})}
    return {
        name: property_names.property_to_str(value) or ""
        for name, value in properties.items()
        if name not in change.removed and property_names.fold_name(name) not in sent
    }


@functools.lru_cache(maxsize=1024)
def _warn_folding(name: str) -> None:
    """Log a warning, once for each name: lru_cache skips further calls with the same name."""
    LOG.warning("Images API v1 stores property %r as %r", name, property_names.fold_name(name))
