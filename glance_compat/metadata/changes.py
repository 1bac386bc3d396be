# SPDX-License-Identifier: Apache-2.0
"""What a caller wants written, checked, and what an update has to send for it.

What must live here: the checks of a caller's ``image_meta``, what an update changes, and the
refusal of what v1 cannot carry. What must not: spellings on the wire (``fields``), what an API
version has (``support``), I/O, requests.
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Set

from glance_compat import exceptions
from glance_compat.metadata.converters import ConversionError, find_header_obstacle, to_str
from glance_compat.metadata.fields import (
    FIELDS,
    FIELDS_BY_NAME,
    ORIGINS,
    STRUCTURED,
    Access,
    Field,
    Image,
    decode_structured,
    fold_name,
    is_reserved,
)
from glance_compat.metadata.v1_limits import (
    V1_BLOCK_BYTES,
    count_line_bytes,
    find_property_obstacle,
)
from glance_compat.redaction import quote_value


@dataclasses.dataclass(frozen=True, slots=True)
class ImageMeta:
    """Image metadata to write, checked and in canonical types.

    :param base: attribute to value; an attribute that was not passed is missing.
    :param properties: name to string.
    :param absent: names of properties that the caller passed as None.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    absent: frozenset[str] = frozenset()

    def without(self, names: Set[str]) -> ImageMeta:
        """Return a copy without some attributes."""
        base = {name: value for name, value in self.base.items() if name not in names}
        return dataclasses.replace(self, base=base)


def parse_image_meta(image_meta: Mapping[str, object]) -> ImageMeta:
    """Check what a caller wants written.

    :param image_meta: contract names to values; ``properties`` a mapping (or None) of names to
        values, where None means absent and every other value is converted to a string.
    :raises glance_compat.exceptions.ImageBadRequest: an unknown attribute, or an invalid value.
    :raises glance_compat.exceptions.PropertyNotAllowed: a property cannot become a string.
    """
    if not isinstance(image_meta, Mapping):
        raise exceptions.ImageBadRequest(
            f"image_meta must be a dict, not {quote_value(image_meta)}"
        )
    base: dict[str, typing.Any] = {}
    for name, value in image_meta.items():
        if name in {"properties", "shadowed_properties"}:
            continue
        field = FIELDS_BY_NAME.get(name)
        if field is None:
            raise exceptions.ImageBadRequest(
                f"unknown image attribute {quote_value(name)}; pass a custom name in properties"
            )
        if field.access is Access.READ:
            continue
        checked = _check_attribute(field, value)
        if checked is not None or field.clearable:
            base[name] = checked
    passed = _check_property_mapping(image_meta.get("properties"))
    return ImageMeta(
        base,
        {name: check_property(name, value) for name, value in passed.items() if value is not None},
        frozenset(name for name, value in passed.items() if value is None),
    )


def _check_property_mapping(properties: object) -> dict[str, object]:
    if properties is None:
        return {}
    if not isinstance(properties, Mapping):
        raise exceptions.ImageBadRequest(
            f"properties must be a dict, not {quote_value(properties)}"
        )
    return {_check_property_name(name): value for name, value in properties.items()}


def _check_property_name(name: object) -> str:
    try:
        return to_str(name)
    except ConversionError as error:
        raise exceptions.PropertyNotAllowed(
            f"the name of property {quote_value(name)} must be {error}"
        ) from None


def _check_attribute(field: Field, value: object) -> object:
    # v1 cannot tell an empty string from none (verified on Glance 15.0.2), so neither API is sent
    # one.
    if value is None or (value == "" and field.read is to_str and _may_be_empty(field)):
        return None
    try:
        checked: object = field.read(value)
    except ConversionError as error:
        raise exceptions.ImageBadRequest(
            f"image attribute {field.name} must be {error}, not {quote_value(value)}"
        ) from None
    if field.max_characters is not None and len(str(checked)) > field.max_characters:
        raise exceptions.ImageBadRequest(
            f"image attribute {field.name} must have at most {field.max_characters} characters,"
            f" not {len(str(checked))}: {quote_value(checked)}"
        )
    return checked


def _may_be_empty(field: Field) -> bool:
    return field.clearable or field.access is Access.DATA


def check_property(name: object, value: object) -> str:
    """Return the string to store for a property that a caller passes.

    :raises glance_compat.exceptions.PropertyNotAllowed: the value cannot become a string.
    """
    name = _check_property_name(name)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise exceptions.PropertyNotAllowed(
            f"property {quote_value(name)} must be a string, not bytes; decode it first"
        )
    try:
        return to_str(value if isinstance(value, str) else _serialise(name, value))
    except ConversionError as error:
        raise exceptions.PropertyNotAllowed(
            f"property {quote_value(name)} must be {error}"
        ) from None


def _serialise(name: str, value: object) -> str:
    try:
        return json.dumps(value) if name in STRUCTURED else str(value)
    except Exception as error:
        # The object is the caller's own, and so is whatever its __str__ raises.
        raise ConversionError("a value that can be converted to a string") from error


def select_changed_properties(old: Mapping[str, object], new: Mapping[str, str]) -> dict[str, str]:
    """Return the properties that an image does not have already, with the same value."""
    return {name: text for name, text in new.items() if not has_property(old, name, text)}


def has_property(properties: Mapping[str, object], name: str, text: str) -> bool:
    """Return whether properties have that value, however the JSON of a structure is formatted."""
    return name in properties and _canonical(properties[name]) == _canonical(
        decode_structured(name, text)
    )


def _canonical(value: object) -> str:
    # As JSON, because 1, 1.0 and True are equal in Python.
    return json.dumps(value, sort_keys=True)


#: The last character that a name may have. One beyond it is 400 on Glance 33 and 500 on v2 of
#: 15.0.2, and no v1 header can carry it.
_LAST_OF_A_NAME = "\uffff"


def check_property_names(names: Iterable[str]) -> None:
    """Refuse names that no property may be added or changed under, on either API.

    :raises glance_compat.exceptions.PropertyNotAllowed: one of the names is reserved, or has a
        character beyond the first plane of Unicode.
    """
    for name in names:
        if any(letter > _LAST_OF_A_NAME for letter in name):
            raise exceptions.PropertyNotAllowed(
                f"property name {quote_value(name)} contains a character beyond U+FFFF, which no"
                " Glance accepts in a name"
            )
        if is_reserved(name):
            raise exceptions.PropertyNotAllowed(
                f"property name {quote_value(name)} is reserved for an attribute of the image or"
                " of Glance; use another name"
            )


#: Formats of Amazon images, where disk and container format are the same.
_AMAZON = frozenset({"ami", "ari", "aki"})


def fill_in_formats(meta: ImageMeta, *, empty: bool) -> ImageMeta:
    """Fill in the formats that v1 fills in, so that both APIs create the same image.

    v1 sets the container format of an Amazon image that has none (Glance 15.0.2,
    api/v1/images.py), and activates an image of size 0 without formats; v2 does neither.

    :param empty: the image is to become active without data.
    :raises glance_compat.exceptions.ImageBadRequest: an Amazon format with a different second
        format. v1 refuses it, and v2 could not give such an image any data.
    """
    base = dict(meta.base)
    if base.get("disk_format") in _AMAZON:
        base.setdefault("container_format", base["disk_format"])
    formats = {base.get("disk_format"), base.get("container_format")}
    if formats & _AMAZON and len(formats) > 1:
        raise exceptions.ImageBadRequest(
            f"disk_format {base.get('disk_format')} and container_format"
            f" {base.get('container_format')} cannot be combined: an Amazon format (ami, ari, aki)"
            " must be both"
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
    """Return the id that a caller chose for a new image, or None.

    :raises glance_compat.exceptions.ImageBadRequest: it is not a UUID, as v2 requires; v1 would
        accept other ids (verified on Glance 15.0.2).
    """
    image_id: str | None = meta.base.get("id")
    if image_id is not None and not UUID.fullmatch(image_id):
        raise exceptions.ImageBadRequest(
            f"the id of a new image must be a UUID, not {quote_value(image_id)}"
        )
    return image_id


def get_requested_is_public(base: Mapping[str, typing.Any]) -> bool | None:
    """Return whether is_public and visibility ask for a public image; None: neither is set.

    :raises glance_compat.exceptions.ImageBadRequest: they contradict each other.
    """
    if "visibility" not in base:
        return typing.cast("bool | None", base.get("is_public"))
    is_public: bool = base["visibility"] == "public"
    if base.get("is_public", is_public) != is_public:
        raise exceptions.ImageBadRequest(
            f"is_public {base['is_public']} and visibility {base['visibility']} contradict each"
            " other; pass one of them"
        )
    return is_public


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What an update sends.

    :param base: attributes to set.
    :param properties: properties to set.
    :param removed: exact names of properties to remove.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    removed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.base or self.properties or self.removed)


def needs_current_image(meta: ImageMeta, *, purge: bool) -> bool:
    """Return whether the image must be read before an update can be computed.

    A purge needs the names of the properties; some attributes are refused when they are written
    unchanged (``compare_first`` of FIELDS); and a reserved property may be kept but not changed.
    """
    compared = any(FIELDS_BY_NAME[name].compare_first for name in meta.base)
    return purge or compared or any(is_reserved(name) for name in meta.properties)


def compute_change(
    meta: ImageMeta,
    current: Image | None,
    *,
    purge: bool,
    match: Callable[[str], str] = str,
) -> Change:
    """Compute what an update has to send.

    :param current: the image as it is now, or None when :func:`needs_current_image` is false.
    :param purge: whether to remove the properties that are not in meta.
    :param match: returns the name under which the API in use stores a property (v1:
        :func:`fold_name`).
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
    # v1 shows no visibility except "public": every other one describes what the image is already.
    if current["visibility"] is None and changed.get("visibility") != "public":
        changed.pop("visibility", None)
    get_requested_is_public(changed)
    return changed


# ---------------------------------------------------------------------------------------------
# What v1 cannot carry.


def check_v1_limits(meta: ImageMeta, *, folding: bool = True) -> None:
    """Refuse what no v1 request can carry unchanged.

    :param folding: whether v1 may fold case and dashes of property names.
    :raises glance_compat.exceptions.ImageBadRequest: an attribute cannot be sent.
    :raises glance_compat.exceptions.PropertyNotAllowed: a property cannot be sent.
    """
    for name, value in meta.base.items():
        obstacle = find_header_obstacle(value) if isinstance(value, str) else None
        if obstacle:
            raise exceptions.ImageBadRequest(
                f"image attribute {name} cannot be sent over v1: {obstacle}"
            )
    _check_v1_properties(meta.properties, folding)


def _check_v1_properties(properties: Mapping[str, str], folding: bool) -> None:
    stored: dict[str, str] = {}
    block = 0
    for name, value in properties.items():
        folded = fold_name(name)
        obstacle = find_property_obstacle(name, value, folding)
        if obstacle is None and folded in stored:
            obstacle = f"v1 would store it under the same name as {quote_value(stored[folded])}"
        if obstacle:
            raise exceptions.PropertyNotAllowed(
                f"property {quote_value(name)} cannot be sent over v1: {obstacle}"
            )
        stored[folded] = name
        block += count_line_bytes(name, value)
    if block > V1_BLOCK_BYTES:
        raise exceptions.PropertyNotAllowed(
            f"the properties cannot be sent over v1: they take {block} bytes of headers, the limit"
            f" is {V1_BLOCK_BYTES}; remove some or shorten their values"
        )
