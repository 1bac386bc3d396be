# SPDX-License-Identifier: Apache-2.0
"""Conversion between image dicts and the records of v1 and v2, in both directions.

A function that reads is compiled once for an API, its minor version and the parts of an image that
are wanted. It works only on what the table says for these, so that a list is read quickly.

Strings of a record have no lone surrogates: ``transport.messages`` replaces those in JSON, and
``parse_v1_headers`` those in headers.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.metadata.converters import (
    ConversionError,
    Converter,
    replace_surrogates,
    to_bool,
    to_str,
)
from glance_compat.metadata.fields import (
    FIELDS_BY_NAME,
    FIRST_V2,
    SHOWN_FIELDS,
    V1_META,
    V1_PROPERTY,
    Field,
    Image,
    Part,
    Place,
    ReadImage,
    Record,
    Spelling,
    Version,
)
from glance_compat.metadata.property_names import STRUCTURED, V2_BASE_KEYS, decode_structured
from glance_compat.redaction import quote_value

Parts = frozenset[Part]

#: All parts of an image that a server can return.
ALL_PARTS: Parts = frozenset(Part) - {Part.NEVER}

#: The type whose values a converter returns unchanged, so that it need not be called for them.
_UNCHANGED: Mapping[Converter, type] = {to_str: str, to_bool: bool}


class _Converted:
    """The type of no value: each value is converted."""


def parts_of(*, include_locations: bool = False, extended: bool = False) -> Parts:
    """Return the parts of an image that a caller gets.

    :param include_locations: whether to include ``locations`` and ``direct_url``.
    :param extended: whether to include the keys of :class:`glance_compat.types.ExtendedImage`.
    """
    wanted = {Part.ALWAYS: True, Part.LOCATIONS: include_locations, Part.EXTENDED: extended}
    return frozenset(part for part, is_wanted in wanted.items() if is_wanted)


def from_v1(record: Record) -> Image:
    """Convert a v1 record to an image with all parts; see :func:`v1_reader`."""
    return v1_reader(ALL_PARTS)(record)


def from_v2(record: Record, version: Version = FIRST_V2) -> Image:
    """Convert a v2 record to an image with all parts; see :func:`v2_reader`."""
    return v2_reader(version, ALL_PARTS)(record.copy())


@functools.lru_cache(maxsize=16)
def v1_reader(parts: Parts) -> ReadImage:
    """Return a function that converts a v1 record to an image.

    A record is the ``image`` object of a JSON response (create, update, detail), or is made of
    headers by :func:`parse_v1_headers`. The values in ``properties`` are strings or null; null is
    converted to '', which v2 returns for it (verified on Glance 15.0.2).

    The function raises :class:`glance_compat.exceptions.BadResponse` if the record has no id, or a
    value of the wrong type.

    :param parts: the parts that the image has. The part ``EXTENDED`` includes
        ``shadowed_properties``; every image has ``properties``.
    """
    read_values = _compile(_rows(lambda field: field.v1, FIRST_V2, parts), parts)
    has_shadowed = Part.EXTENDED in parts

    def read(record: Record) -> Image:
        image = read_values(record.get)
        values = _v1_properties(record.get("properties"))
        shadowed = {}
        if not values.keys().isdisjoint(V2_BASE_KEYS):
            shadowed = {name: values[name] for name in values if name in V2_BASE_KEYS}
            values = {name: values[name] for name in values if name not in V2_BASE_KEYS}
        image["properties"] = _decode_structures(values)
        if has_shadowed:
            image["shadowed_properties"] = shadowed
        return image

    return read


@functools.lru_cache(maxsize=64)
def v2_reader(version: Version, parts: Parts) -> ReadImage:
    """Return a function that converts a v2 record, the JSON object of an image, to an image.

    The function takes the attributes out of the record: what remains of it are the properties.
    The function raises :class:`glance_compat.exceptions.BadResponse` if the record has no id, or a
    value of the wrong type.

    :param version: the newest minor version that the server offers. Attributes of later versions
        are ignored.
    :param parts: as in :func:`v1_reader`; ``shadowed_properties`` is None, because v2 does not
        report them.
    """
    rows = _rows(lambda field: field.v2, version, parts)
    read_values = _compile(rows, parts)
    others = sorted(V2_BASE_KEYS - {spelling.key for _, spelling in rows})
    has_shadowed = Part.EXTENDED in parts

    def read(record: Record) -> Image:
        # What is left after all attributes were taken out are the properties.
        take = record.pop
        image = read_values(take)
        for key in others:
            take(key, None)
        image["properties"] = _decode_structures(_v2_properties(record))
        if has_shadowed:
            image["shadowed_properties"] = None
        return image

    return read


_Row = tuple[Field, Spelling]


def _rows(
    spelling_of: Callable[[Field], Spelling | None], version: Version, parts: Parts
) -> list[_Row]:
    """Return the attributes to read with their representation in an API, by its key.

    :param spelling_of: returns the representation of an attribute in the API.
    """
    found = [(field, spelling_of(field)) for field in SHOWN_FIELDS if field.part in parts]
    rows = [(field, one) for field, one in found if one is not None and one.since <= version]
    return sorted(rows, key=lambda row: row[1].key)


def _compile(
    rows: Sequence[_Row], parts: Parts
) -> Callable[[Callable[[str, None], object]], Image]:
    """Return a function that makes an image.

    Its argument is ``get`` or ``pop`` of a record. It is called once for each key, although a key
    may belong to several attributes.

    :param rows: the attributes with their representation, by its key.
    """
    shown = [field for field in SHOWN_FIELDS if field.part in parts]
    defaults = {field.name: field.absent for field in shown}
    lists = [field.name for field in shown if isinstance(field.absent, tuple)]
    columns = []
    last_key = ""
    for field, one in rows:
        is_new = one.key != last_key
        last_key = one.key
        kind = _UNCHANGED.get(one.read, _Converted)
        columns.append((field.name, one.key, is_new, kind, one.read, (field, one)))

    def read_values(take: Callable[[str, None], object]) -> Image:
        image = defaults.copy()
        value: object = None
        for name, key, is_new, kind, convert, row in columns:
            if is_new:
                value = take(key, None)
            if type(value) is kind:
                image[name] = value
            elif value is not None:
                try:
                    image[name] = convert(value)
                except ConversionError as error:
                    image[name] = _absent_or_error(*row, error)
        if not image["id"]:
            raise exceptions.BadResponse("invalid image in the response: it has no id")
        for name in lists:
            # A list for each image, because the caller may change it.
            image[name] = list(typing.cast("Iterable[object]", image[name]))
        return image

    return read_values


def _absent_or_error(field: Field, spelling: Spelling, error: ConversionError) -> object:
    """Return the default of an attribute for a value of the wrong type, if it is lenient.

    :raises glance_compat.exceptions.BadResponse: it is not.
    """
    if field.lenient:
        return field.absent
    raise exceptions.BadResponse(
        f"invalid image in the response: {spelling.key} is not {error}"
    ) from None


def _v1_properties(properties: object) -> dict[str, typing.Any]:
    if properties is None:
        return {}
    if not isinstance(properties, dict):
        raise exceptions.BadResponse(
            "invalid image in the response: its properties are not an object"
        )
    for value in properties.values():
        if type(value) is not str:
            break
    else:
        return properties.copy()
    if not all(value is None or isinstance(value, str) for value in properties.values()):
        raise exceptions.BadResponse(
            "invalid image in the response: the value of a property is not a string"
        )
    return {name: value or "" for name, value in properties.items()}


def _v2_properties(properties: dict[str, typing.Any]) -> dict[str, typing.Any]:
    for value in properties.values():
        if type(value) is not str:
            break
    else:
        return properties
    # A property is a string, or null if the site's schema permits it. A value of another type is
    # an attribute of a later release.
    return {
        name: value or ""
        for name, value in properties.items()
        if value is None or isinstance(value, str)
    }


def _decode_structures(properties: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """Decode the properties that are JSON documents, in place."""
    for name in STRUCTURED:
        if name in properties:
            properties[name] = decode_structured(name, properties[name])
    return properties


#: Attributes that the headers of every v1 image response have (Glance 15.0.2, api/v1/images.py:
#: all values except null).
V1_ALWAYS = frozenset(
    {"id", "status", "is_public", "protected", "deleted", "min_disk", "min_ram"}
) | {"created_at", "updated_at"}

#: Statuses of an image in which the headers also have the size. The size of an image that was
#: created over v2 and has no data is null.
_V1_WITH_SIZE = frozenset({"active", "deactivated"})


def parse_v1_headers(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, object], bool]:
    """Parse the headers of a v1 response to a HEAD or to a GET of data.

    A property value that was written over v2 may contain line breaks, which end the headers early
    or inject a header (verified on Glance 15.0.2).

    :param headers: pairs of name and decoded value, including repeated headers.
    :returns: a record for :func:`from_v1`, and whether the headers are complete: they have every
        attribute that Glance always sends, and none twice.
    """
    lines = [(name.lower(), value) for name, value in headers]
    meta = [
        (name, value if value.isascii() else replace_surrogates(value))
        for name, value in lines
        if name.startswith(V1_META)
    ]
    properties = {
        name[len(V1_PROPERTY) :]: value for name, value in meta if name.startswith(V1_PROPERTY)
    }
    base: dict[str, object] = {
        name[len(V1_META) :]: value for name, value in meta if not name.startswith(V1_PROPERTY)
    }
    unique = len(base) + len(properties) == len(meta)
    sized = "size" in base or base.get("status") not in _V1_WITH_SIZE
    record = {**base, "properties": properties}
    return record, unique and sized and base.keys() >= V1_ALWAYS


def select_fields(image: Image, parts: Parts) -> Image:
    """Return an image with only those keys that the caller gets.

    :param image: an image with all parts.
    :param parts: the parts that the caller gets; see :func:`parts_of`.
    """
    return {name: image[name] for name in _names(parts)}


@functools.lru_cache(maxsize=16)
def _names(parts: Parts) -> tuple[str, ...]:
    names = [field.name for field in SHOWN_FIELDS if field.part in parts]
    return (*names, "properties", *(["shadowed_properties"] if Part.EXTENDED in parts else []))


# ---------------------------------------------------------------------------------------------
# Requests.


def to_v1_headers(base: Mapping[str, typing.Any], properties: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a v1 request that creates or updates an image.

    Their names have dashes instead of underscores, because nginx, Apache httpd and others drop
    request headers with underscores. Glance stores the same names for both (verified on Glance
    15.0.2 for every attribute and for properties).
    """
    headers = {
        spelling.header or f"{V1_META}{_to_dashes(spelling.key)}": _to_header_value(value)
        for name, value in base.items()
        if (spelling := FIELDS_BY_NAME[name].v1) and spelling.place is Place.RECORD
    }
    return headers | {
        f"{V1_PROPERTY}{_to_dashes(name)}": value for name, value in properties.items()
    }


def _to_dashes(name: str) -> str:
    return name.replace("_", "-")


def _to_header_value(value: object) -> str:
    return "" if value is None else str(value)


def to_v2_record(
    base: Mapping[str, typing.Any], properties: Mapping[str, str]
) -> dict[str, typing.Any]:
    """Return the JSON object of a v2 request that creates an image.

    Attributes that are sent with another request are left out (see :class:`Place`).
    """
    attributes = {
        spelling.key: value
        for name, value in base.items()
        if (spelling := FIELDS_BY_NAME[name].v2) and spelling.place is Place.RECORD
    }
    return {**properties, **attributes}


def to_v2_data_headers(base: Mapping[str, typing.Any]) -> dict[str, str]:
    """Return the headers of a v2 request that uploads data, for attributes sent with the data."""
    return {
        spelling.header: str(value)
        for name, value in base.items()
        if value is not None
        and (spelling := FIELDS_BY_NAME[name].v2)
        and spelling.place is Place.DATA
        and spelling.header
    }


def to_v2_patch(
    base: Mapping[str, typing.Any],
    properties: Mapping[str, str],
    removed: Iterable[str],
    stored: Collection[str] = (),
) -> list[dict[str, typing.Any]]:
    """Return the JSON patch of an update (``application/openstack-images-v2.1-json-patch``).

    The operation ``add`` overwrites an existing property since Juno (verified on Glance 15.0.2 and
    33); before, the server responds with 409. ``replace`` of a property that does not exist is 409
    in every release. So ``add`` is used only if the property is not known to exist.

    :param stored: names of properties that the image is known to have.
    """
    operations: list[dict[str, typing.Any]] = [
        {"op": "replace", "path": f"/{key}", "value": value}
        for key, value in to_v2_record(base, {}).items()
    ]
    if "location" in base:
        entry = {"url": base["location"], "metadata": {}}
        operations.append({"op": "add", "path": "/locations/-", "value": entry})
    for name, value in properties.items():
        operation = "replace" if name in stored else "add"
        operations.append({"op": operation, "path": _to_pointer(name), "value": value})
    operations += [{"op": "remove", "path": _to_pointer(name)} for name in sorted(removed)]
    return operations


def _to_pointer(name: str) -> str:
    """Return the JSON pointer (RFC 6901) to a property.

    :raises glance_compat.exceptions.PropertyNotAllowed: the name begins or ends with a blank.
        Glance strips blanks around a key, so it would not find the property.
    """
    if name != name.strip():
        raise exceptions.PropertyNotAllowed(
            f"cannot change property {quote_value(name)} over v2: its name begins or ends with a"
            " blank; change it over v1"
        )
    return "/" + name.replace("~", "~0").replace("/", "~1")
