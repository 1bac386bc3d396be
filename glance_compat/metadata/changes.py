# SPDX-License-Identifier: Apache-2.0
"""What a caller wants written, and what has to be sent for it.

What must live here: checking a caller's ``image_meta``, working out what an update changes, and
refusing what an API cannot carry. What must not: how anything is spelt on the wire (``image``),
I/O, requests.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Set

from glance_compat import exceptions
from glance_compat.metadata.converters import ConversionError, Converter, to_str
from glance_compat.metadata.fields import (
    ATTRIBUTE_CHARACTERS,
    FIELDS,
    FIELDS_BY_NAME,
    ORIGINS,
    STRUCTURED,
    Access,
    Image,
    decode_structured,
    fold_name,
    is_reserved,
)
from glance_compat.metadata.v1_limits import (
    V1_BLOCK_BYTES,
    count_line_bytes,
    find_property_obstacle,
    find_value_obstacle,
)
from glance_compat.redaction import quote_value


@dataclasses.dataclass(frozen=True, slots=True)
class ImageMeta:
    """Image metadata to write, checked and in canonical types.

    :param base: attribute to value; what is not to be written is not in it.
    :param properties: name to text.
    :param absent: names of properties that the caller gave as None.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    absent: frozenset[str] = frozenset()

    def without(self, names: Set[str]) -> ImageMeta:
        """The same without some attributes."""
        base = {name: value for name, value in self.base.items() if name not in names}
        return dataclasses.replace(self, base=base)


# None means "not given" for these: no API can clear them (v1: 400, v2: 400 or 403).
_NOT_CLEARED = frozenset({"id", "size", "checksum", "container_format", "disk_format"}) | {
    "min_disk",
    "min_ram",
    "is_public",
    "visibility",
    "protected",
    "tags",
    "os_hidden",
    *ORIGINS,
}


def parse_image_meta(image_meta: Mapping[str, object]) -> ImageMeta:
    """Check what a caller wants written.

    :param image_meta: contract names to values; ``properties`` a mapping (or None) of names to
        values, of which None means absent and everything else becomes text.
    :raises glance_compat.exceptions.ImageBadRequest: an unknown attribute, or a value that its
        attribute cannot have.
    :raises glance_compat.exceptions.PropertyNotAllowed: a property is not text.
    """
    if not isinstance(image_meta, Mapping):
        raise exceptions.ImageBadRequest("image metadata must be a dict")
    base: dict[str, typing.Any] = {}
    for name, value in image_meta.items():
        if name in {"properties", "shadowed_properties"}:
            continue
        field = FIELDS_BY_NAME.get(name)
        if field is None and name not in ORIGINS:
            raise exceptions.ImageBadRequest(f"unknown image attribute {quote_value(name)}")
        if (field is None or field.access is not Access.READ) and _is_given(name, value):
            base[name] = _checked(name, field.read if field else to_str, value)
    properties = image_meta.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, Mapping):
        raise exceptions.ImageBadRequest("properties must be a dict")
    given = {_property_name(name): value for name, value in properties.items()}
    return ImageMeta(
        base,
        {name: check_property(name, value) for name, value in given.items() if value is not None},
        frozenset(name for name, value in given.items() if value is None),
    )


def _property_name(name: object) -> str:
    if not isinstance(name, str):
        raise exceptions.PropertyNotAllowed(
            f"the name of property {quote_value(name)} is not text"
        )
    try:
        return to_str(name)
    except ConversionError as wrong:
        raise exceptions.PropertyNotAllowed(
            f"property {quote_value(name)} must be {wrong}"
        ) from None


# What is longer is 400 or 403, depending on the API (seen on Glance 15.0.2 and 33).
_LIMITED = frozenset({"name", "owner"})


def _is_given(name: str, value: object) -> bool:
    return value is not None or name not in _NOT_CLEARED


def _checked(name: str, read: Converter, value: object) -> object:
    # v1 cannot tell an empty text from none (seen on Glance 15.0.2), so no API is asked to.
    if value is None or (name in {"name", "owner", "checksum"} and value == ""):
        return None
    try:
        checked = read(value)
    except ConversionError as wrong:
        raise exceptions.ImageBadRequest(
            f"{name} must be {wrong}, not {quote_value(value)}"
        ) from None
    if name in _LIMITED and len(typing.cast(str, checked)) > ATTRIBUTE_CHARACTERS:
        raise exceptions.ImageBadRequest(
            f"{name} must have at most {ATTRIBUTE_CHARACTERS} characters, not"
            f" {quote_value(checked)}"
        )
    if isinstance(checked, int) and checked < 0:
        raise exceptions.ImageBadRequest(f"{name} must not be negative")
    # A header of v1, and for a store of v2 as well.
    obstacle = find_value_obstacle(str(checked)) if name in ORIGINS else None
    if obstacle or (name in ORIGINS and not checked):
        raise exceptions.ImageBadRequest(f"{name} cannot be sent: {obstacle or 'it is empty'}")
    return checked


def check_property(name: object, value: object) -> str:
    """The text of a property that a caller gives.

    :raises glance_compat.exceptions.PropertyNotAllowed: there is none.
    """
    name = _property_name(name)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise exceptions.PropertyNotAllowed(f"property {quote_value(name)} is bytes, not text")
    try:
        return to_str(value if isinstance(value, str) else _text_for(name, value))
    except ConversionError as wrong:
        raise exceptions.PropertyNotAllowed(
            f"property {quote_value(name)} must be {wrong}"
        ) from None


def _text_for(name: str, value: object) -> str:
    try:
        return json.dumps(value) if name in STRUCTURED else str(value)
    except Exception as error:
        # The object is the caller's own, and so is what its __str__ raises.
        raise ConversionError("what can be written as text") from error


def select_changed_properties(old: Mapping[str, object], new: Mapping[str, str]) -> dict[str, str]:
    """The properties that are not in an image already, with the same text."""
    return {name: text for name, text in new.items() if not has_property(old, name, text)}


def has_property(properties: Mapping[str, object], name: str, text: str) -> bool:
    """Whether properties hold one of that text, however a structure is spelt."""
    return name in properties and _canonical(properties[name]) == _canonical(
        decode_structured(name, text)
    )


def _canonical(value: object) -> str:
    # As JSON, for Python takes 1, 1.0 and True for equal.
    return json.dumps(value, sort_keys=True)


#: No name has a character beyond: 400 on Glance 33, 500 on v2 of 15.0.2, and v1 cannot send one.
_LAST_OF_A_NAME = "\uffff"


def check_property_names(names: Iterable[str]) -> None:
    """Refuse names that no property may be given, on either API.

    :raises glance_compat.exceptions.PropertyNotAllowed: one of the names is reserved, or beyond
        the first plane of Unicode.
    """
    for name in names:
        if any(letter > _LAST_OF_A_NAME for letter in name):
            raise exceptions.PropertyNotAllowed(
                f"property name {quote_value(name)} has a character that no server takes in a name"
            )
        if is_reserved(name):
            raise exceptions.PropertyNotAllowed(
                f"property name {quote_value(name)} is reserved: it is an attribute of the image"
                " or of Glance"
            )


_AMAZON = frozenset({"ami", "ari", "aki"})


def fill_in_formats(meta: ImageMeta, *, empty: bool) -> ImageMeta:
    """Fill in the formats that v1 fills in, so that both APIs create the same image.

    v1 sets the container format of an Amazon image that has none (Glance 15.0.2,
    api/v1/images.py), and activates an image of size 0 without formats; v2 does neither.

    :param empty: the image is to become active without data.
    :raises glance_compat.exceptions.ImageBadRequest: an Amazon format with another one, which v1
        refuses and v2 could give no data.
    """
    base = dict(meta.base)
    if base.get("disk_format") in _AMAZON:
        base.setdefault("container_format", base["disk_format"])
    formats = {base.get("disk_format"), base.get("container_format")}
    if formats & _AMAZON and len(formats) > 1:
        raise exceptions.ImageBadRequest(
            f"disk_format {base.get('disk_format')} and container_format"
            f" {base.get('container_format')} do not go together"
        )
    if empty:
        base.setdefault("disk_format", "raw")
        base.setdefault("container_format", "bare")
    return dataclasses.replace(meta, base=base)


def check_id(meta: ImageMeta, image_id: str) -> None:
    """Check that metadata for an update is not that of another image.

    :raises glance_compat.exceptions.ImageBadRequest: it is.
    """
    if meta.base.get("id", image_id) != image_id:
        raise exceptions.ImageBadRequest(
            f"image_meta has the id of another image, {quote_value(meta.base['id'])}: pass the"
            " metadata of this image, or metadata without an id",
            image_id=image_id,
        )


UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def get_requested_id(meta: ImageMeta) -> str | None:
    """The id that a caller chose for a new image, or None.

    :raises glance_compat.exceptions.ImageBadRequest: it has not the form that v2 asks for; v1
        would take others (seen on Glance 15.0.2).
    """
    image_id: str | None = meta.base.get("id")
    if image_id is not None and not UUID.fullmatch(image_id):
        raise exceptions.ImageBadRequest(
            f"the id of a new image must be a UUID, not {quote_value(image_id)}"
        )
    return image_id


def get_requested_is_public(base: Mapping[str, typing.Any]) -> bool | None:
    """What is_public and visibility together ask for: True, False, or None for nothing.

    :raises glance_compat.exceptions.ImageBadRequest: they contradict each other.
    """
    if "visibility" not in base:
        return typing.cast("bool | None", base.get("is_public"))
    wanted: bool = base["visibility"] == "public"
    if base.get("is_public", wanted) != wanted:
        raise exceptions.ImageBadRequest("is_public and visibility contradict each other")
    return wanted


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What an update does to an image.

    :param base: attributes to set.
    :param properties: properties to set.
    :param removed: exact names of properties to remove.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    removed: frozenset[str] = frozenset()


def needs_current_image(meta: ImageMeta, *, purge: bool) -> bool:
    """Whether the image must be known before an update can be worked out.

    Purging needs the names that are there; a visibility or owner that is set to what it is
    already would be refused (seen on Glance 15.0.2: v1 403 for is_public, v2 403 for owner); and
    a reserved property may be kept but not changed.
    """
    asked = {"is_public", "visibility", "owner"} & meta.base.keys()
    return purge or bool(asked) or any(is_reserved(name) for name in meta.properties)


def compute_change(
    meta: ImageMeta,
    current: Image | None,
    *,
    purge: bool,
    match: Callable[[str], str] = str,
) -> Change:
    """Work out an update.

    :param current: the image as it is now, or None when :func:`needs_current_image` is false.
    :param purge: whether properties that are not in meta are to be removed.
    :param match: under which name the API in use stores a property (v1: :func:`fold_name`).
    :raises glance_compat.exceptions.PropertyNotAllowed: a reserved property is added or changed.
    :raises glance_compat.exceptions.ImageBadRequest: is_public and visibility contradict.
    """
    base = {name: value for name, value in meta.base.items() if name not in _AT_CREATION}
    if current is None:
        check_property_names(meta.properties)
        return Change(base, dict(meta.properties))
    properties = select_changed_properties(current["properties"], meta.properties)
    check_property_names(properties)
    kept = {match(name) for name in meta.properties} | set(meta.properties)
    removed = {
        name
        for name in current["properties"]
        if purge and name not in kept and not is_reserved(name)
    }
    return Change(_changed_base(base, current), properties, frozenset(removed))


_AT_CREATION = frozenset(field.name for field in FIELDS if field.access is not Access.WRITE)


def _changed_base(base: Mapping[str, typing.Any], current: Image) -> dict[str, typing.Any]:
    changed = {
        name: value for name, value in base.items() if name in ORIGINS or value != current[name]
    }
    # v1 shows no visibility but "public": any other there is no news to an image that is not.
    if current["visibility"] is None and changed.get("visibility") != "public":
        changed.pop("visibility", None)
    get_requested_is_public(changed)
    return changed


# ---------------------------------------------------------------------------------------------
# What v1 cannot carry.


def check_v1_limits(meta_or_change: ImageMeta | Change, *, folding: bool = True) -> None:
    """Refuse what no v1 request can carry unchanged.

    :param folding: whether v1 may fold case and dashes of property names.
    :raises glance_compat.exceptions.ImageBadRequest: an attribute.
    :raises glance_compat.exceptions.PropertyNotAllowed: a property.
    """
    for name, value in meta_or_change.base.items():
        obstacle = find_value_obstacle(value) if isinstance(value, str) else None
        if obstacle:
            raise exceptions.ImageBadRequest(f"{name} cannot be sent over v1: {obstacle}")
    stored: dict[str, str] = {}
    block = 0
    for name, text in meta_or_change.properties.items():
        obstacle = find_property_obstacle(name, text, folding) or (
            f"it folds together with {quote_value(stored[fold_name(name)])}"
            if fold_name(name) in stored
            else None
        )
        if obstacle:
            raise exceptions.PropertyNotAllowed(
                f"property {quote_value(name)} cannot be sent over v1: {obstacle}"
            )
        stored[fold_name(name)] = name
        block += count_line_bytes(name, text)
    if block > V1_BLOCK_BYTES:
        raise exceptions.PropertyNotAllowed(
            f"the properties cannot be sent over v1: {block} bytes, {V1_BLOCK_BYTES} at most"
        )
