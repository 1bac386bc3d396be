# SPDX-License-Identifier: Apache-2.0
"""Differences between Nova's own module and the library's on Glance 33, as data: errors of Nova
that docs/nova.rst describes and that the library does not have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Difference(NamedTuple):
    """The outcomes of one case of :mod:`tests.nova.cases`.

    :param novas: the outcome of Nova's own module: the name of the exception, or the result; for
        two mappings, only the values that differ.
    :param ours: the outcome of the library; for a mapping, the relevant part.
    """

    novas: object
    ours: object
    why: str


INVALID = "nova.exception.Invalid"
BAD_REQUEST = "nova.exception.ImageBadRequest"
TYPE_ERROR = "builtins.TypeError"
VALUE_ERROR = "builtins.ValueError"

#: All images that demo sees in a list, newest first.
_ALL = ["blank", "volumes", "accepted", "theirs public", "protected", "public", 'c,d "e"']
_ALL += ["in:x,y", "gt:5", "a:b"]


def _stored(novas: Mapping[str, object], ours: Mapping[str, object], why: str) -> Difference:
    return Difference({"stored": novas}, {"stored": ours}, why)


_KEPT = "an image that is not public stays what it is: private, shared or community"


def _visibility(ours: str, why: str = _KEPT) -> Difference:
    return _stored({"visibility": "private"}, {"visibility": ours}, why)


_STRUCTURE = "a block_device_mapping that is not JSON stays text; no list is lost over it"
_PREFIX = "a property filter loses its prefix, not the letters of it"
_TYPES = "is_public may be None or a bool"
_OPERATORS = "a name with a colon is a name, not an operator"
_SCHEMA = "what the schema does not allow is a bad request, not a Python error"
_NULL = "None is an absent property"
_PATCHED = "whom the locations API refuses is let in by a PATCH, if that finds the data"
_NUMBER = "a number that is none is a bad request"

DIFFERENCES: dict[str, Difference] = {
    **{
        f"get no json{how}": Difference(
            "json.decoder.JSONDecodeError",
            {"properties": {"block_device_mapping": "not json"}},
            _STRUCTURE,
        )
        for how in ("", " with locations", " as admin")
    },
    "list a structure that is none": Difference(
        "json.decoder.JSONDecodeError", ["no json"], _STRUCTURE
    ),
    "list {'name': 'a:b'}": Difference(INVALID, ["a:b"], _OPERATORS),
    "list {'name': 'gt:5'}": Difference(INVALID, ["gt:5"], _OPERATORS),
    "list {'name': 'in:x,y'}": Difference([], ["in:x,y"], _OPERATORS),
    "list {'min_ram': 'many'}": Difference([], INVALID, _NUMBER),
    "list {'status': 'wrong'}": Difference([], INVALID, "no image can have an unknown status"),
    "list {'is_public': 'false'}": Difference(
        ["a:b"], [name for name in _ALL if "public" not in name], "shared images are not public"
    ),
    "list {'is_public': True}": Difference(
        "builtins.AttributeError", ["theirs public", "public"], _TYPES
    ),
    "list {'is_public': None}": Difference("builtins.AttributeError", _ALL, _TYPES),
    "list {'property-os_type': 'linux'}": Difference([], ["in:x,y"], _PREFIX),
    "list {'property-project_id': 'p'}": Difference([], ["public"], _PREFIX),
    "list {'property-type': 'x'}": Difference([], ["in:x,y"], _PREFIX),
    "list {'property-limit': '5'}": Difference(
        _ALL, ["public"], "a property that is called like a parameter is a property"
    ),
    "list {'deleted': 'true'}": Difference(
        _ALL, INVALID, "v2 has no deleted images: not having filtered is not an answer"
    ),
    "list {'tag': 't1'}": Difference([], ["in:x,y", "gt:5"], "a tag is a tag, not its letters"),
    "create is_public False": _visibility("shared", "False is the server's default, as on v1"),
    "update is_public False": _visibility("shared"),
    "update is_public False and purge": _visibility("shared"),
    "send a whole shared image back": _visibility("shared"),
    "send a whole community image back": _visibility("community"),
    "send a whole image back as admin": _visibility("shared"),
    "create a null property": Difference(TYPE_ERROR, {"returned": {"properties": {}}}, _NULL),
    "update a null property": Difference(
        TYPE_ERROR, {"returned": {"properties": {"one": "1", "two": "2"}}}, _NULL
    ),
    "update a null property and purge": Difference(
        TYPE_ERROR, {"returned": {"properties": {}}}, _NULL
    ),
    "create a wrong disk format": Difference(TYPE_ERROR, INVALID, _SCHEMA),
    "create a wrong visibility": Difference(TYPE_ERROR, INVALID, _SCHEMA),
    "create a long name": Difference(TYPE_ERROR, INVALID, _SCHEMA),
    "update a wrong format": Difference(TYPE_ERROR, BAD_REQUEST, _SCHEMA),
    "update a wrong format and purge": Difference(TYPE_ERROR, BAD_REQUEST, _SCHEMA),
    "update a wrong number": Difference(VALUE_ERROR, BAD_REQUEST, _NUMBER),
    "update a wrong number and purge": Difference(VALUE_ERROR, BAD_REQUEST, _NUMBER),
    "create reserved": Difference(
        "nova.exception.Forbidden", INVALID, "a reserved name is refused before any request"
    ),
    "purge one of two of one value": Difference(
        BAD_REQUEST,
        {"returned": {"properties": {"three": "1"}}},
        "a purge is removals, not a move, which Glance refuses",
    ),
    "upload over data": Difference(
        "glanceclient.exc.HTTPConflict",
        "nova.exception.ImageUnacceptable",
        "no error of glanceclient reaches Nova",
    ),
    "create at a location that no store has": Difference(
        "nova.exception.Forbidden", INVALID, _PATCHED
    ),
    "give a location that no store has": Difference(
        "nova.exception.ImageNotAuthorized", BAD_REQUEST, _PATCHED
    ),
    "download a deactivated image as admin": Difference(
        b"four",
        "nova.exception.ImageNotAuthorized",
        "a deactivated image is closed to everybody, as over v1",
    ),
}


def differing(left: object, right: object) -> tuple[object, object]:
    """Return two outcomes without their common values."""
    if not isinstance(left, Mapping) or not isinstance(right, Mapping):
        return left, right
    pairs = {
        name: differing(left.get(name), right.get(name))
        for name in _names(left, right)
        if left.get(name) != right.get(name)
    }
    return (
        {name: one for name, (one, _) in pairs.items()},
        {name: other for name, (_, other) in pairs.items()},
    )


def _names(*mappings: Mapping[str, object]) -> Iterable[str]:
    return {name: None for one in mappings for name in one}


def fits(expected: object, found: object) -> bool:
    """Return whether an outcome matches the expected one, whose mappings have only some keys."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return all(name in found and fits(expected[name], found[name]) for name in expected)
    return expected == found
