# SPDX-License-Identifier: Apache-2.0
"""Translate images, metadata, filters and errors between Nova 34 and this library.

What must live here: tables of the differences between Nova's own module and the library, and the
functions that apply them. What must not: imports of Nova, I/O.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping

from glance_compat import exceptions
from glance_compat.metadata.fields import (
    FIELDS,
    FIELDS_BY_NAME,
    FIRST_V2,
    SHOWN_FIELDS,
    Access,
    Image,
    Part,
)
from glance_compat.metadata.filters import FILTERS, PROPERTY_PREFIX

# ---------------------------------------------------------------------------------------------
# Images.

#: Attributes that Nova's module omits: the extended attributes that every v2 server has.
_KEPT_BACK = frozenset(
    field.name
    for field in SHOWN_FIELDS
    if field.part is Part.EXTENDED and (field.v2 is None or field.v2.since == FIRST_V2)
) | {"shadowed_properties"}

#: The minor version of v2 that added hidden images. Since then images always have the attributes
#: of that version, even if their value is None; on older servers they do not have them.
_HIDDEN_SINCE = FIELDS_BY_NAME["os_hidden"].v2

_SINCE_HIDDEN = frozenset(
    field.name
    for field in SHOWN_FIELDS
    if field.v2 and _HIDDEN_SINCE and field.v2.since == _HIDDEN_SINCE.since
)

#: Attributes that are returned only if they have a value: the URL of the data, and those of later
#: versions.
_IF_ANY = {"direct_url"} | {
    field.name
    for field in SHOWN_FIELDS
    if field.v2 and _HIDDEN_SINCE and field.v2.since > _HIDDEN_SINCE.since
}


def to_nova(image: Mapping[str, typing.Any]) -> Image:
    """Convert an image to the dict that Nova's own module returns for the same server.

    :param image: the library's dict, with the extended attributes.
    """
    hidden_known = image["os_hidden"] is not None
    shown = {
        name: value
        for name, value in image.items()
        if name not in _KEPT_BACK
        and (hidden_known or name not in _SINCE_HIDDEN)
        and (value is not None or name not in _IF_ANY)
    }
    if "stores" in shown:
        # Nova's rbd code searches for a store's name in this string.
        shown["stores"] = ",".join(shown["stores"])
    if "locations" in shown and "direct_url" in shown:
        shown["locations"] = [*shown["locations"], {"url": shown["direct_url"], "metadata": {}}]
    return shown


# ---------------------------------------------------------------------------------------------
# Metadata.

#: Key for the project that owns an instance, when another project creates its snapshot. The image
#: is shared with that project; the key itself is not stored.
SHARED_WITH = "instance_owner"

#: Attributes that an update does not write. Nova passes the size and checksum that it has read.
_NOT_WRITTEN = frozenset(
    field.name for field in FIELDS if field.access in (Access.CREATE, Access.DATA)
)

_KERNEL = frozenset({"kernel_id", "ramdisk_id"})


def from_nova(image_meta: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Convert the metadata that Nova writes to the library's, without changing ``image_meta``.

    A key that is not an attribute becomes a property, as in Nova's own module.
    """
    written: dict[str, typing.Any] = {}
    properties: dict[str, typing.Any] = dict(image_meta.get("properties") or {})
    for name, value in image_meta.items():
        if name in FIELDS_BY_NAME:
            written[name] = value
        elif name != "properties":
            properties[name] = value
    written["properties"] = properties
    return written


def prepare_create(
    image_meta: Mapping[str, typing.Any], *, with_data: bool
) -> dict[str, typing.Any]:
    """Convert the metadata of a new image.

    The size is kept if it is 0 and there is no data, because that creates an active, empty image.
    """
    written = from_nova(image_meta)
    empty = not with_data and written.get("size") == 0
    dropped = {"checksum"} if empty else {"checksum", "size"}
    written = {name: value for name, value in written.items() if name not in dropped}
    return {**written, "properties": _without_blank_kernel(written["properties"])}


def prepare_update(
    image_meta: Mapping[str, typing.Any], current: Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """Convert the metadata of an update.

    :param current: the image's current properties. A kernel or RAM disk property that Nova passes
        as blank keeps its current value.
    """
    written = from_nova(image_meta)
    written = {name: value for name, value in written.items() if name not in _NOT_WRITTEN}
    kept = {name: current[name] for name in find_blank_kernels(image_meta) if name in current}
    properties = _without_blank_kernel(written["properties"])
    return {**written, "properties": {**properties, **kept}}


def find_blank_kernels(image_meta: Mapping[str, typing.Any]) -> frozenset[str]:
    """Return the names of the kernel and RAM disk properties whose value is blank.

    An update does not write them, because Glance's schema allows only image ids, and a purge does
    not remove them.
    """
    properties = image_meta.get("properties") or {}
    return frozenset(name for name in _KERNEL if _is_blank(properties.get(name)))


def _is_blank(value: object) -> bool:
    return isinstance(value, str) and value.strip().lower() in {"", "none"}


def _without_blank_kernel(properties: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    return {
        name: value
        for name, value in properties.items()
        if name not in _KERNEL or not _is_blank(value)
    }


# ---------------------------------------------------------------------------------------------
# Lists.

_LIST_ARGUMENTS = ("filters", "marker", "limit", "page_size", "sort_key", "sort_dir")
_KNOWN_FILTERS = frozenset(row.name for row in FILTERS)
_PUBLIC = {"true": True, "1": True, "false": False, "0": False}


def translate_list_arguments(given: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Convert the arguments of ``detail``; drop false values, as Nova's own module does."""
    wanted = {name: given[name] for name in _LIST_ARGUMENTS if given.get(name)}
    filters: Mapping[str, typing.Any] = wanted.get("filters", {})
    if not isinstance(filters, Mapping):
        return wanted
    return {**wanted, "filters": dict(_filter(name, filters[name]) for name in filters)}


def only_accepted_shares(arguments: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Add the filter for accepted shares to the arguments of a list.

    v2, and therefore Nova's own module, lists only accepted shares by default. v1 does not have
    this filter.
    """
    filters: Mapping[str, typing.Any] = arguments.get("filters", {})
    if not isinstance(filters, Mapping):
        return dict(arguments)
    return {**arguments, "filters": {"member_status": "accepted", **filters}}


def _filter(name: str, value: typing.Any) -> tuple[str, typing.Any]:
    if name == "changes-since":
        # Nova sends this as a v2 filter: images updated at or after that second, none deleted.
        return "updated_at", f"gte:{value}"
    if name == "is_public":
        # With None and "none" the list is not filtered.
        return name, _PUBLIC.get(str(value).lower())
    if name in _KNOWN_FILTERS or name.startswith(PROPERTY_PREFIX):
        return name, value
    return f"{PROPERTY_PREFIX}{name}", value


# ---------------------------------------------------------------------------------------------
# Errors of this library, and the classes of nova.exception that they are converted to.


class Failure(typing.NamedTuple):
    """An error of the library, and the image that it concerns.

    :param image_id: the id of the image in the error or the call, or "" if there is none.
    """

    error: exceptions.GlanceCompatError
    image_id: str


class NovaError(typing.NamedTuple):
    """The Nova error to raise for an error of the library.

    :param name: the name of a class in ``nova.exception``.
    :param arguments: a function that returns the keyword arguments of that class.
    """

    name: str
    arguments: Callable[[Failure], Mapping[str, str]]


def _of_image(failure: Failure) -> Mapping[str, str]:
    return {"image_id": failure.image_id}


def _with_reason(failure: Failure) -> Mapping[str, str]:
    return {"image_id": failure.image_id, "reason": str(failure.error)}


def _with_response(failure: Failure) -> Mapping[str, str]:
    return {"image_id": failure.image_id, "response": str(failure.error)}


def _reason(failure: Failure) -> Mapping[str, str]:
    return {"reason": str(failure.error)}


def _message(failure: Failure) -> Mapping[str, str]:
    return {"message": str(failure.error)}


def _reference(failure: Failure) -> Mapping[str, str]:
    return {"image_href": failure.image_id}


def _server(failure: Failure) -> Mapping[str, str]:
    return {"server": failure.error.endpoint or "glance", "reason": str(failure.error)}


Errors = Mapping[type[exceptions.GlanceCompatError], NovaError]

# Errors of all calls. For an error whose class is not listed, the nearest base class applies.
_ANY: Errors = {
    exceptions.InvalidImageRef: NovaError("InvalidImageRef", _reference),
    exceptions.ImageQuotaExceeded: NovaError("ImageQuotaExceeded", _of_image),
    exceptions.ImageUnacceptable: NovaError("ImageUnacceptable", _with_reason),
    exceptions.ImageImportImpossible: NovaError("ImageImportImpossible", _with_reason),
    exceptions.IntegrityError: NovaError("ImageUnacceptable", _with_reason),
    exceptions.UnreadableImage: NovaError("ImageUnacceptable", _with_reason),
    exceptions.DataSourceError: NovaError("CouldNotUploadImage", _of_image),
    exceptions.OutcomeUnknown: NovaError("CouldNotUploadImage", _of_image),
    exceptions.BadResponse: NovaError("GlanceConnectionFailed", _server),
    exceptions.NoUsableVersion: NovaError("GlanceConnectionFailed", _server),
    exceptions.GlanceConnectionFailed: NovaError("GlanceConnectionFailed", _server),
    exceptions.GlanceCompatError: NovaError("GlanceConnectionFailed", _server),
}

#: Errors of calls for one image.
IMAGE_ERRORS: Errors = {
    **_ANY,
    exceptions.NotFound: NovaError("ImageNotFound", _of_image),
    exceptions.Forbidden: NovaError("ImageNotAuthorized", _of_image),
    exceptions.NotAuthenticated: NovaError("ImageNotAuthorized", _of_image),
    exceptions.Invalid: NovaError("ImageBadRequest", _with_response),
    exceptions.UnsupportedByVersion: NovaError("ImageBadRequest", _with_response),
    exceptions.ImageDeleteConflict: NovaError("ImageDeleteConflict", _reason),
    exceptions.ImageNotActive: NovaError("ImageUnacceptable", _with_reason),
    exceptions.Conflict: NovaError("ImageBadRequest", _with_response),
}

#: Errors of copies into a store, which are impossible on servers without multiple stores.
COPY_ERRORS: Errors = {
    **IMAGE_ERRORS,
    exceptions.UnsupportedByVersion: NovaError("ImageImportImpossible", _with_reason),
}

#: Errors of lists and of the creation of images.
LIST_ERRORS: Errors = {
    **_ANY,
    exceptions.NotFound: NovaError("NotFound", _message),
    exceptions.Forbidden: NovaError("Forbidden", _message),
    exceptions.NotAuthenticated: NovaError("Forbidden", _message),
    exceptions.Invalid: NovaError("Invalid", _message),
    exceptions.InvalidImageRef: NovaError("Invalid", _message),
    exceptions.UnsupportedByVersion: NovaError("Invalid", _message),
    exceptions.Conflict: NovaError("Invalid", _message),
}


def find_nova_error(error: exceptions.GlanceCompatError, errors: Errors) -> NovaError:
    """Return the entry for an error's class, or for its nearest base class that has one."""
    kinds = (kind for kind in type(error).__mro__ if kind in errors)
    return errors[next(kinds)]
