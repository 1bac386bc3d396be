# SPDX-License-Identifier: Apache-2.0
"""Nova's spellings of images, metadata, filters and errors: tables, and functions that walk them.

What must live here: how Nova 34's own module has a thing that the library has otherwise. What
must not: imports of Nova (it is given), I/O.
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

#: Attributes that Nova's module leaves out: the extended ones that every v2 server has.
_KEPT_BACK = frozenset(
    field.name
    for field in SHOWN_FIELDS
    if field.part is Part.EXTENDED and (field.v2 is None or field.v2.since == FIRST_V2)
) | {"shadowed_properties"}

#: The version that added hidden images. Its servers show its attributes even where they are None;
#: older servers do not have them.
_HIDDEN_SINCE = FIELDS_BY_NAME["os_hidden"].v2

_SINCE_HIDDEN = frozenset(
    field.name
    for field in SHOWN_FIELDS
    if field.v2 and _HIDDEN_SINCE and field.v2.since == _HIDDEN_SINCE.since
)

#: Shown only where they have a value: the URL of the data, and what later versions added.
_IF_ANY = {"direct_url"} | {
    field.name
    for field in SHOWN_FIELDS
    if field.v2 and _HIDDEN_SINCE and field.v2.since > _HIDDEN_SINCE.since
}


def to_nova(image: Mapping[str, typing.Any]) -> Image:
    """An image as Nova's own module gives it on the same server.

    :param image: with all that is extended.
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
        # A text, in which Nova's rbd code looks for a name.
        shown["stores"] = ",".join(shown["stores"])
    if "locations" in shown and "direct_url" in shown:
        shown["locations"] = [*shown["locations"], {"url": shown["direct_url"], "metadata": {}}]
    return shown


# ---------------------------------------------------------------------------------------------
# Metadata.

#: What says who owns an instance whose snapshot somebody else takes; never stored.
SHARED_WITH = "instance_owner"

#: Attributes that an update does not write. The size and checksum in Nova's metadata are those of
#: an image that was read.
_NOT_WRITTEN = frozenset(
    field.name for field in FIELDS if field.access in (Access.CREATE, Access.DATA)
)

_KERNEL = frozenset({"kernel_id", "ramdisk_id"})


def from_nova(image_meta: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """What Nova wants written, as the library has it; image_meta is not altered.

    A name that is no attribute is a property: so it is to Nova's module, too.
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


def for_creation(
    image_meta: Mapping[str, typing.Any], *, with_data: bool
) -> dict[str, typing.Any]:
    """:func:`from_nova` for a new image; size 0 without data makes it active and empty."""
    written = from_nova(image_meta)
    empty = not with_data and written.get("size") == 0
    dropped = {"checksum"} if empty else {"checksum", "size"}
    written = {name: value for name, value in written.items() if name not in dropped}
    return {**written, "properties": _without_blank_kernel(written["properties"])}


def for_update(
    image_meta: Mapping[str, typing.Any], current: Mapping[str, typing.Any]
) -> dict[str, typing.Any]:
    """:func:`from_nova` for an update.

    :param current: properties of the image of which a purge must leave those that are not
        written because they are blank.
    """
    written = from_nova(image_meta)
    written = {name: value for name, value in written.items() if name not in _NOT_WRITTEN}
    kept = {name: current[name] for name in blank_kernel(image_meta) if name in current}
    properties = _without_blank_kernel(written["properties"])
    return {**written, "properties": {**properties, **kept}}


def blank_kernel(image_meta: Mapping[str, typing.Any]) -> frozenset[str]:
    """The names of what says that an image has no kernel, or no RAM disk, of its own.

    They are neither written, for where Glance has a schema for them it takes image ids alone, nor
    removed by a purge.
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


def list_arguments(given: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The arguments of ``detail`` that Nova's module passes on: those that are not false."""
    wanted = {name: given[name] for name in _LIST_ARGUMENTS if given.get(name)}
    filters: Mapping[str, typing.Any] = wanted.get("filters", {})
    if not isinstance(filters, Mapping):
        return wanted
    return {**wanted, "filters": dict(_filter(name, filters[name]) for name in filters)}


def accepted_only(arguments: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The same arguments, for shares that were accepted: what v2 lists unless asked, and so what
    Nova's module does. v1 cannot tell which were."""
    filters: Mapping[str, typing.Any] = arguments.get("filters", {})
    if not isinstance(filters, Mapping):
        return dict(arguments)
    return {**arguments, "filters": {"member_status": "accepted", **filters}}


def _filter(name: str, value: typing.Any) -> tuple[str, typing.Any]:
    if name == "changes-since":
        # A v2 filter to Nova: later or at that second, and never a deleted image.
        return "updated_at", f"gte:{value}"
    if name == "is_public":
        # None and "none" do not filter.
        return name, _PUBLIC.get(str(value).lower())
    if name in _KNOWN_FILTERS or name.startswith(PROPERTY_PREFIX):
        return name, value
    return f"{PROPERTY_PREFIX}{name}", value


# ---------------------------------------------------------------------------------------------
# Errors: what this library raises, and what of nova.exception it becomes.


class Failure(typing.NamedTuple):
    """One error of the library that happened in a call.

    :param image_id: of the call, or of the error, or "".
    """

    error: exceptions.GlanceCompatError
    image_id: str


class Row(typing.NamedTuple):
    """What an error becomes.

    :param name: of a class of ``nova.exception``.
    :param arguments: what its message is made of.
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


Errors = Mapping[type[exceptions.GlanceCompatError], Row]

# An error is what the nearest of its own kinds becomes.
_ANY: Errors = {
    exceptions.InvalidImageRef: Row("InvalidImageRef", _reference),
    exceptions.ImageQuotaExceeded: Row("ImageQuotaExceeded", _of_image),
    exceptions.ImageUnacceptable: Row("ImageUnacceptable", _with_reason),
    exceptions.ImageImportImpossible: Row("ImageImportImpossible", _with_reason),
    exceptions.IntegrityError: Row("ImageUnacceptable", _with_reason),
    exceptions.UnreadableImage: Row("ImageUnacceptable", _with_reason),
    exceptions.DataSourceError: Row("CouldNotUploadImage", _of_image),
    exceptions.OutcomeUnknown: Row("CouldNotUploadImage", _of_image),
    exceptions.BadResponse: Row("GlanceConnectionFailed", _server),
    exceptions.NoUsableVersion: Row("GlanceConnectionFailed", _server),
    exceptions.GlanceConnectionFailed: Row("GlanceConnectionFailed", _server),
    exceptions.GlanceCompatError: Row("GlanceConnectionFailed", _server),
}

#: Calls about one image.
OF_ONE_IMAGE: Errors = {
    **_ANY,
    exceptions.NotFound: Row("ImageNotFound", _of_image),
    exceptions.Forbidden: Row("ImageNotAuthorized", _of_image),
    exceptions.NotAuthenticated: Row("ImageNotAuthorized", _of_image),
    exceptions.Invalid: Row("ImageBadRequest", _with_response),
    exceptions.UnsupportedByVersion: Row("ImageBadRequest", _with_response),
    exceptions.ImageDeleteConflict: Row("ImageDeleteConflict", _reason),
    exceptions.ImageNotActive: Row("ImageUnacceptable", _with_reason),
    exceptions.Conflict: Row("ImageBadRequest", _with_response),
}

#: Copying into a store is impossible where there are no stores.
OF_A_COPY: Errors = {
    **OF_ONE_IMAGE,
    exceptions.UnsupportedByVersion: Row("ImageImportImpossible", _with_reason),
}

#: Lists, and images that are not yet.
OF_MANY_IMAGES: Errors = {
    **_ANY,
    exceptions.NotFound: Row("NotFound", _message),
    exceptions.Forbidden: Row("Forbidden", _message),
    exceptions.NotAuthenticated: Row("Forbidden", _message),
    exceptions.Invalid: Row("Invalid", _message),
    exceptions.InvalidImageRef: Row("Invalid", _message),
    exceptions.UnsupportedByVersion: Row("Invalid", _message),
    exceptions.Conflict: Row("Invalid", _message),
}


def row_for(error: exceptions.GlanceCompatError, errors: Errors) -> Row:
    """The row of the nearest kind of an error."""
    kinds = (kind for kind in type(error).__mro__ if kind in errors)
    return errors[next(kinds)]
