# SPDX-License-Identifier: Apache-2.0
"""The table of image attributes in v1 and v2, and conversions between the APIs and image dicts.

What must live here: for each attribute, its names, types and access rights in v1 and v2, and the
rules for property names. What must not: the checks of the caller's metadata (see ``changes``),
I/O, a clock, requests, and the choice between the APIs.

Terms: a *record* is the server's representation of an image (v1: the ``image`` object of a JSON
response, or the headers of a HEAD; v2: the JSON object). An *image* is the library's dict with all
FIELDS that are shown and with ``properties``; ``select_fields`` reduces it to the keys that a
caller gets.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.metadata.converters import (
    ConversionError,
    Converter,
    is_public_to_visibility,
    replace_surrogates,
    to_bool,
    to_datetime,
    to_dict_list,
    to_header_str,
    to_int,
    to_natural,
    to_store_names,
    to_str,
    to_str_list,
    to_visibility,
    visibility_to_is_public,
)
from glance_compat.redaction import quote_value

Image = dict[str, typing.Any]
Version = tuple[int, int]
Record = dict[str, typing.Any]
ReadImage = Callable[[Record], Image]


#: The first minor version of v2 (Glance Folsom). Features of it need no discovery of the version.
FIRST_V2: Version = (2, 0)

V1_META = "x-image-meta-"
V1_PROPERTY = "x-image-meta-property-"

#: Maximum length of a string attribute, a property name and a member id, in characters (Glance
#: 15.0.2 and 33, db/sqlalchemy/models.py). To a longer attribute the server responds with 400 or
#: 403, depending on the API (verified on Glance 15.0.2 and 33).
ATTRIBUTE_CHARACTERS = 255

# ---------------------------------------------------------------------------------------------
# The table.


class Access(enum.Enum):
    """When a caller may set an attribute.

    An attribute that may not be set is ignored, because callers pass whole image dicts to update.
    """

    READ = "read"  # never
    CREATE = "create"  # only when the image is created
    DATA = "data"  # only together with data, as the value that the data must have
    WRITE = "write"  # when the image is created, and in an update


class Part(enum.Enum):
    """When an image dict that a caller gets contains an attribute."""

    ALWAYS = "always"
    LOCATIONS = "locations"
    EXTENDED = "extended"
    NEVER = "never"  # write-only: the source or the store of the data


class Place(enum.Enum):
    """The request that sends an attribute."""

    RECORD = "record"  # the request that creates or updates the image
    DATA = "data"  # only the request that uploads the data
    LOCATION = "location"  # only the request that adds a location
    DERIVED = "derived"  # none: another row of the table writes the same key


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """The representation of an attribute in one of the APIs.

    :param key: the name of the attribute in requests and responses: on v1 the JSON key, and the
        header ``x-image-meta-<key>``, with dashes in requests; on v2 the JSON key.
    :param read: converts the value in a response to the value in an image dict.
    :param since: the first minor version of v2 with the attribute. On an older server the same key
        is an ordinary property, which any user may have set.
    :param place: the request that sends the attribute.
    :param header: the name of the header, if it is not ``x-image-meta-<key>``.
    """

    key: str
    read: Converter
    since: Version = FIRST_V2
    place: Place = Place.RECORD
    header: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """A requirement beyond v2.0: a minor version, or a capability.

    :param since: the first minor version of v2 with the feature.
    :param capability: the name of the feature in ``Discovery.capabilities``, or "" if it has none.
    """

    since: Version
    capability: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute of an image.

    :param name: the key in image dicts.
    :param read: checks and converts a value that a caller passes.
    :param v1: the representation in v1, or None if v1 does not have the attribute.
    :param v2: the representation in v2, or None if v2 does not have the attribute.
    :param access: when a caller may set the attribute.
    :param absent: the value in an image dict if the record has none.
    :param part: when an image dict contains the attribute.
    :param lenient: whether a value of the wrong type counts as absent. Only for attributes whose
        key in a record may be a property (verified on Glance 15.0.2: v1 property ``locations``).
    :param unit: the unit of the values, for the documentation.
    :param clearable: whether the attribute can be set to None. For every other attribute None
        counts as "not passed", because no API can clear it (v1: 400, v2: 400 or 403).
    :param compare_first: whether the server rejects the value that the image already has, so that
        an update fetches the image first (verified on Glance 15.0.2: v1 responds with 403 for
        is_public, v2 with 403 for owner).
    :param max_characters: maximum length of a value that is written, in characters, or None.
    :param capability: the name of the attribute's feature in ``Discovery.capabilities``, or "".
    :param value_features: the features that single values require, by value; v1 has none of them.
    """

    name: str
    read: Converter
    v1: Spelling | None
    v2: Spelling | None
    access: Access
    absent: object = None
    part: Part = Part.ALWAYS
    lenient: bool = False
    unit: str = ""
    clearable: bool = False
    compare_first: bool = False
    max_characters: int | None = None
    capability: str = ""
    value_features: Mapping[str, Feature] = dataclasses.field(default_factory=dict)

    def features(self, value: object) -> list[Feature]:
        """Return the features beyond v2.0 that a server needs to store a value."""
        features = []
        if self.v2 and self.v2.since > FIRST_V2:
            features.append(Feature(self.v2.since, self.capability))
        if isinstance(value, str) and value in self.value_features:
            features.append(self.value_features[value])
        return features


def _same(
    name: str,
    read: Converter,
    access: Access,
    *,
    stored: Converter | None = None,
    **columns: typing.Any,
) -> Field:
    """Return the row of an attribute that has the same key in both APIs.

    :param stored: converts the value in a response, if ``read`` is too strict for that.
    """
    both = Spelling(name, stored or read)
    return Field(name=name, read=read, v1=both, v2=both, access=access, **columns)


def _v2_only(
    name: str,
    read: Converter,
    access: Access,
    part: Part,
    since: Version = FIRST_V2,
    **columns: typing.Any,
) -> Field:
    spelling = Spelling(name, read, since)
    return Field(
        name=name,
        read=read,
        v1=None,
        v2=spelling,
        access=access,
        part=part,
        lenient=True,
        **columns,
    )


def _write_only(
    name: str, v1: Spelling, v2: Spelling | None, access: Access, capability: str = ""
) -> Field:
    """Return the row of a write-only attribute: the source or the store of the data."""
    return Field(
        name=name,
        read=to_header_str,
        v1=v1,
        v2=v2,
        access=access,
        part=Part.NEVER,
        capability=capability,
    )


#: All attributes of an image. ``support`` derives from this table what a server cannot store.
#: Sources: Glance 15.0.2 api/v1/images.py, api/v2/images.py (_get_base_properties), Glance 33
#: api/v2/images.py. v2 has no deleted and deleted_at, because it never returns a deleted image. v2
#: has no copy_from, and would store it as a property without effect; to a checksum it responds
#: with 403 (verified on Glance 15.0.2 and 33). ``create`` with copy_from sends an import instead.
FIELDS: tuple[Field, ...] = (
    _same("id", to_str, Access.CREATE),
    _same(
        "name",
        to_str,
        Access.WRITE,
        clearable=True,
        max_characters=ATTRIBUTE_CHARACTERS,
    ),
    _same("status", to_str, Access.READ),
    Field(
        name="size",
        read=to_natural,
        v1=Spelling("size", to_int),
        v2=Spelling("size", to_int, place=Place.LOCATION),
        access=Access.DATA,
        absent=0,
        unit="bytes",
    ),
    Field(
        name="checksum",
        read=to_str,
        v1=Spelling("checksum", to_str),
        v2=Spelling("checksum", to_str, place=Place.DATA),
        access=Access.DATA,
        unit="MD5, hexadecimal",
    ),
    _same("container_format", to_str, Access.WRITE),
    _same("disk_format", to_str, Access.WRITE),
    _same("min_disk", to_natural, Access.WRITE, stored=to_int, absent=0, unit="GiB"),
    _same("min_ram", to_natural, Access.WRITE, stored=to_int, absent=0, unit="MiB"),
    _same(
        "owner",
        to_str,
        Access.WRITE,
        clearable=True,
        compare_first=True,
        max_characters=ATTRIBUTE_CHARACTERS,
    ),
    Field(
        name="is_public",
        read=to_bool,
        v1=Spelling("is_public", to_bool),
        v2=Spelling("visibility", visibility_to_is_public, place=Place.DERIVED),
        access=Access.WRITE,
        absent=False,
        compare_first=True,
    ),
    _same("created_at", to_datetime, Access.READ),
    _same("updated_at", to_datetime, Access.READ),
    Field(
        name="deleted_at",
        read=to_datetime,
        v1=Spelling("deleted_at", to_datetime),
        v2=None,
        access=Access.READ,
    ),
    Field(
        name="deleted",
        read=to_bool,
        v1=Spelling("deleted", to_bool),
        v2=None,
        access=Access.READ,
        absent=False,
    ),
    _v2_only("locations", to_dict_list, Access.READ, Part.LOCATIONS, absent=()),
    _v2_only("direct_url", to_str, Access.READ, Part.LOCATIONS),
    Field(
        name="visibility",
        read=to_visibility,
        v1=Spelling("is_public", is_public_to_visibility, place=Place.DERIVED),
        v2=Spelling("visibility", to_str),
        access=Access.WRITE,
        part=Part.EXTENDED,
        compare_first=True,
        value_features={"community": Feature((2, 5), "community-visibility")},
    ),
    _same("protected", to_bool, Access.WRITE, part=Part.EXTENDED),
    _v2_only("tags", to_str_list, Access.WRITE, Part.EXTENDED, capability="tags"),
    _same("virtual_size", to_int, Access.READ, part=Part.EXTENDED, unit="bytes"),
    _v2_only("os_hidden", to_bool, Access.WRITE, Part.EXTENDED, (2, 7), capability="hidden"),
    _v2_only("os_hash_algo", to_str, Access.READ, Part.EXTENDED, (2, 7), capability="multihash"),
    _v2_only("os_hash_value", to_str, Access.READ, Part.EXTENDED, (2, 7), capability="multihash"),
    _v2_only("stores", to_store_names, Access.READ, Part.EXTENDED, (2, 8), capability="stores"),
    _write_only(
        "location",
        Spelling("location", to_str),
        Spelling("locations", to_str, place=Place.LOCATION),
        Access.WRITE,
    ),
    _write_only(
        "copy_from",
        Spelling("copy_from", to_str, header="x-glance-api-copy-from"),
        None,
        Access.WRITE,
        capability="copy_from",
    ),
    _write_only(
        "store",
        Spelling("store", to_str),
        Spelling("store", to_str, (2, 8), Place.DATA, header="x-image-meta-store"),
        Access.WRITE,
        capability="stores",
    ),
)

FIELDS_BY_NAME = {field.name: field for field in FIELDS}


def first_version(name: str) -> Version:
    """Return the first minor version of v2 with an attribute, or 2.0 for any other name."""
    field = FIELDS_BY_NAME.get(name)
    return field.v2.since if field and field.v2 else FIRST_V2


#: The attributes that an image dict can contain.
SHOWN_FIELDS = tuple(field for field in FIELDS if field.part is not Part.NEVER)

#: Names of the write-only attributes: the source or the store of the data.
ORIGINS = tuple(field.name for field in FIELDS if field.part is Part.NEVER)


# ---------------------------------------------------------------------------------------------
# Reserved names of properties.

#: Keys of attributes at the top level of a v2 record (Glance 15.0.2 and 33 api/v2/images.py). If a
#: v1 property has such a name, v2 cannot return it: the property is shadowed.
V2_BASE_KEYS = frozenset(field.v2.key for field in SHOWN_FIELDS if field.v2) | {
    "self",
    "file",
    "schema",
}

#: Names of attributes of v1 only, and names that the library itself uses at the top level.
_OTHER_ATTRIBUTES = frozenset(FIELDS_BY_NAME) | {"uri", "properties", "shadowed_properties"}

#: Attributes of the server's internal image object, which a v2 PATCH of that name would change
#: (verified on Glance 15.0.2 and 33: the response is 500 for /extra_properties, and 404 for
#: /image_id).
_SERVER_OBJECT = frozenset({"image_id", "extra_properties"})

#: Prefix of properties that Glance sets itself. To a request that sets or removes one it responds
#: with 403 (verified on Glance 33).
SERVER_OWNED_PREFIX = "os_glance_"

#: Properties whose value is a JSON document, as defined by Nova.
STRUCTURED = frozenset({"block_device_mapping", "mappings"})


def property_to_str(value: object) -> str | None:
    """Return the value of a property in an image dict as a string, or None for None.

    A decoded JSON document is encoded again.
    """
    return value if value is None or isinstance(value, str) else json.dumps(value)


def is_reserved(name: str) -> bool:
    """Return whether callers may not add or change a property of this name, over either API."""
    return (
        name in V2_BASE_KEYS
        or name in _OTHER_ATTRIBUTES
        or name in _SERVER_OBJECT
        or name.startswith(SERVER_OWNED_PREFIX)
    )


#: Maximum nesting depth of a JSON document that is decoded. A block device mapping has depth two.
#: Copying or encoding a deeper one may raise RecursionError if the call stack is deep already.
MAX_NESTING = 100


def decode_structured(name: str, value: str) -> object:
    """Return the value of a property, decoded if it is one of :data:`STRUCTURED`.

    Values of other properties, and invalid or too deeply nested JSON, are returned unchanged.
    """
    if name not in STRUCTURED:
        return value
    try:
        structure = json.loads(value)
    except (ValueError, RecursionError):
        return value
    if not isinstance(structure, (list, dict)) or _is_deep(structure):
        return value
    return structure


def _is_deep(structure: list[object] | dict[str, object]) -> bool:
    level = [structure]
    for _ in range(MAX_NESTING):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for items in inner for one in items if isinstance(one, (list, dict))]
    return bool(level)


# ---------------------------------------------------------------------------------------------
# Reading. A function is compiled once for an API, its minor version and the parts of an image that
# are wanted. It works only on what the table says for these, so that a list is read quickly.
#
# Strings of a record have no lone surrogates: ``transport.messages`` replaces those in JSON, and
# ``parse_v1_headers`` those in headers.

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
# Writing v1.


def fold_name(name: str) -> str:
    """Return the name under which v1 stores a property (Glance 15.0.2).

    It is in lower case, and its dashes are replaced by underscores.
    """
    return name.lower().replace("-", "_")


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


# ---------------------------------------------------------------------------------------------
# Writing v2.


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
