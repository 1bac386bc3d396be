# SPDX-License-Identifier: Apache-2.0
"""Check the metadata that a caller passes, and compute the changes that an update sends.

What must live here: the checks of a caller's ``image_meta``, the formats that Glance fills in,
the comparison with the current image, and the checks against the limits of v1. What must not: the
names and formats in requests (see ``fields``), the attributes of an API version (see
``support``), what fits into one header (see ``v1_limits``), I/O, and requests.
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
    SHOWN_FIELDS,
    Access,
    Field,
    Image,
    Part,
    Place,
    Spelling,
)
from glance_compat.metadata.property_names import (
    STRUCTURED,
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
    """Image metadata to write, after checks and type conversion.

    :param base: values of the attributes that the caller passed, by name.
    :param properties: values of the properties, as strings, by name.
    :param absent: names of the properties that the caller passed with the value None.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    absent: frozenset[str] = frozenset()

    def without(self, names: Set[str]) -> ImageMeta:
        """Return a copy without the attributes of these names."""
        base = {name: value for name, value in self.base.items() if name not in names}
        return dataclasses.replace(self, base=base)


def parse_image_meta(image_meta: Mapping[str, object]) -> ImageMeta:
    """Check and convert the metadata that a caller passes.

    :param image_meta: values of attributes, by name. ``properties`` is a mapping of names to
        values, or None; a property with the value None counts as absent, and other values are
        converted to strings.
    :raises glance_compat.exceptions.ImageBadRequest: an attribute is unknown, or its value is
        invalid.
    :raises glance_compat.exceptions.PropertyNotAllowed: a property cannot be converted to a
        string.
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
    # v1 does not distinguish an empty string from null (verified on Glance 15.0.2), so null is
    # sent to both APIs.
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
    """Return the string to store for the value of a property.

    :param name: the name of the property, for messages and to recognise JSON structures.
    :param value: the value that the caller passes.
    :raises glance_compat.exceptions.PropertyNotAllowed: the value cannot be converted to a string.
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
        # The __str__ of the caller's object may raise any exception.
        raise ConversionError("a value that can be converted to a string") from error


def select_changed_properties(old: Mapping[str, object], new: Mapping[str, str]) -> dict[str, str]:
    """Return the properties in ``new`` that ``old`` does not have with the same value."""
    return {name: text for name, text in new.items() if not has_property(old, name, text)}


def has_property(properties: Mapping[str, object], name: str, text: str) -> bool:
    """Return whether properties contain one with this name and value.

    JSON structures are compared by content, not by formatting.
    """
    return name in properties and _canonical(properties[name]) == _canonical(
        decode_structured(name, text)
    )


def find_unstored(
    base: Mapping[str, typing.Any],
    properties: Mapping[str, str],
    stored: Image,
    spelling_of: Callable[[Field], Spelling | None],
    *,
    match: Callable[[str], str] = str,
) -> list[str]:
    """Return the values that a server did not store as they were sent, as strings for a message.

    Attributes of the data, and those that another request sends, are not compared.

    :param base: the values of the attributes that were sent, by name.
    :param properties: the values of the properties that were sent, by name.
    :param stored: the image in the response.
    :param spelling_of: a function that returns the representation of an attribute in the API.
    :param match: a function that returns the name under which the API stores a property.
    """

    def is_compared(field: Field) -> bool:
        spelling = spelling_of(field)
        in_record = spelling is not None and spelling.place is Place.RECORD
        return in_record and field.access is Access.WRITE and field.part is not Part.NEVER

    unstored = [
        name
        for name, value in base.items()
        if is_compared(FIELDS_BY_NAME[name]) and stored[name] != value
    ]
    return unstored + [
        f"property {quote_value(name)}"
        for name, text in properties.items()
        if not has_property(stored["properties"], match(name), text)
    ]


#: Read-only attributes that do not follow from the data.
_WITHOUT_DATA = frozenset({"created_at", "deleted_at", "deleted"})


def find_ignored(
    image_meta: Mapping[str, object], updated: Image, *, with_data: bool
) -> list[str]:
    """Return the read-only attributes that an update did not set, although their values differ.

    :param image_meta: the metadata that the caller passed.
    :param updated: the image after the update. An attribute that its API does not have is not
        compared.
    :param with_data: whether the call also sent data; then the attributes of the data differ.
    """

    def differs(field: Field) -> bool:
        passed, now = image_meta.get(field.name), updated[field.name]
        if passed is None or passed == now or (now is None and field.part is not Part.ALWAYS):
            return False
        try:
            return bool(field.read(passed) != now)
        except ConversionError:
            return True

    return [
        field.name
        for field in SHOWN_FIELDS
        if field.access in (Access.READ, Access.DATA)
        and field.name != "updated_at"
        and (field.name in _WITHOUT_DATA or not with_data)
        and differs(field)
    ]


def _canonical(value: object) -> str:
    # Compared as JSON, because 1, 1.0 and True are equal in Python.
    return json.dumps(value, sort_keys=True)


#: The largest character allowed in a property name. For a larger one Glance 33 responds with 400
#: and v2 of Glance 15.0.2 with 500, and a v1 header cannot contain it.
_LAST_OF_A_NAME = "\uffff"


def check_property_names(names: Iterable[str]) -> None:
    """Raise an exception if a property of one of these names cannot be added or changed.

    :raises glance_compat.exceptions.PropertyNotAllowed: a name is reserved, or has a character
        outside Unicode's Basic Multilingual Plane.
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


#: Formats of Amazon images. Their disk_format and container_format are the same.
_AMAZON = frozenset({"ami", "ari", "aki"})


def fill_in_formats(meta: ImageMeta, *, empty: bool) -> ImageMeta:
    """Return the metadata with the default formats of v1, so that both APIs create the same image.

    v1 sets the container_format of an Amazon image that has none (Glance 15.0.2,
    api/v1/images.py), and activates an image of size 0 without formats; v2 does neither.

    :param empty: whether the new image is to be active without data.
    :raises glance_compat.exceptions.ImageBadRequest: one format is an Amazon format and the other
        differs. v1 rejects the image; v2 would create it but reject its data.
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
    """Raise an exception if the metadata for an update has the id of another image.

    :param image_id: the id of the image to update.
    :raises glance_compat.exceptions.ImageBadRequest: the ids differ.
    """
    if meta.base.get("id", image_id) != image_id:
        raise exceptions.ImageBadRequest(
            f"image_meta has the id of another image, {quote_value(meta.base['id'])}: pass the"
            " metadata of this image, or metadata without an id",
            image_id=image_id,
        )


UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def get_requested_id(meta: ImageMeta) -> str | None:
    """Return the id that the caller passes for a new image, or None.

    :raises glance_compat.exceptions.ImageBadRequest: the id is not a UUID. v2 requires one; v1
        would accept other ids (verified on Glance 15.0.2).
    """
    image_id: str | None = meta.base.get("id")
    if image_id is not None and not UUID.fullmatch(image_id):
        raise exceptions.ImageBadRequest(
            f"the id of a new image must be a UUID, not {quote_value(image_id)}"
        )
    return image_id


def get_requested_is_public(base: Mapping[str, typing.Any]) -> bool | None:
    """Return whether is_public or visibility requests a public image, or None if neither is set.

    :raises glance_compat.exceptions.ImageBadRequest: the two contradict each other.
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
    """The changes that an update sends.

    :param base: values of the attributes to set, by name.
    :param properties: values of the properties to set, by name.
    :param removed: names of the properties to remove, as they are stored.
    """

    base: Mapping[str, typing.Any]
    properties: Mapping[str, str]
    removed: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.base or self.properties or self.removed)


def needs_current_image(meta: ImageMeta, *, purge: bool) -> bool:
    """Return whether the current image must be fetched to compute the changes of an update.

    It is needed for a purge, to know the names of the stored properties; for attributes that the
    server rejects if they are sent unchanged (``compare_first`` of FIELDS); and for reserved
    properties, which may be kept but not changed.
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
    """Return the changes that an update must send.

    :param meta: the metadata that the caller passes.
    :param current: the current image, or None if :func:`needs_current_image` returns False.
    :param purge: whether to remove the properties that are not in ``meta``.
    :param match: a function that returns the name under which the API stores a property, such as
        :func:`fold_name` for v1.
    :raises glance_compat.exceptions.PropertyNotAllowed: a reserved property is added or changed.
    :raises glance_compat.exceptions.ImageBadRequest: is_public and visibility contradict each
        other.
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
    # v1 reports only the visibility "public". Any other value is taken to be the current one.
    if current["visibility"] is None and changed.get("visibility") != "public":
        changed.pop("visibility", None)
    get_requested_is_public(changed)
    return changed


# ---------------------------------------------------------------------------------------------
# Limits of v1.


def check_v1_limits(meta: ImageMeta, *, folding: bool = True) -> None:
    """Raise an exception for metadata that cannot be sent unchanged over v1.

    :param folding: whether v1 may convert property names to lower case and their dashes to
        underscores.
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
