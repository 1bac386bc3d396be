# SPDX-License-Identifier: Apache-2.0
"""What an image is, on both APIs: one declared table, and the functions that walk it.

What must live here: every fact about the spelling, type and rights of an image attribute or
property on v1 and v2. What must not: the checks of what a caller passes (``changes``), I/O, a
clock, requests, and any choice between the APIs.

Terms: a *record* is what a server sent (v1: the ``image`` object of a JSON response or the headers
of a HEAD; v2: the JSON object). An *image* is the library's own dict with all shown FIELDS and
with ``properties``; ``select_fields`` reduces it to the contract.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import typing
from collections.abc import Callable, Iterable, Mapping

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

#: The first minor version of v2 (Glance Folsom). Nothing asks for a version document for its sake.
FIRST_V2: Version = (2, 0)

V1_META = "x-image-meta-"
V1_PROPERTY = "x-image-meta-property-"

#: Characters of any text attribute, property name and member id (Glance 15.0.2 and 33,
#: db/sqlalchemy/models.py). A longer attribute is 400 or 403, depending on the API (verified on
#: Glance 15.0.2 and 33).
ATTRIBUTE_CHARACTERS = 255

# ---------------------------------------------------------------------------------------------
# The table.


class Access(enum.Enum):
    """Who may set an attribute, and when.

    An attribute that may not be set is ignored, because callers send whole image dicts back.
    """

    READ = "read"
    CREATE = "create"  # at creation only
    DATA = "data"  # together with data: what the data must turn out to be
    WRITE = "write"  # at creation and in an update


class Part(enum.Enum):
    """When an attribute is shown to a caller."""

    ALWAYS = "always"
    LOCATIONS = "locations"
    EXTENDED = "extended"
    NEVER = "never"  # written only: where the data comes from or goes to


class Place(enum.Enum):
    """Where a request carries an attribute."""

    RECORD = "record"  # the headers of a v1 request; the JSON record or patch of v2
    DATA = "data"  # only the request that uploads the data
    LOCATION = "location"  # only the request that adds a location
    DERIVED = "derived"  # none: the same key is written by another row


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """How one API writes an attribute.

    :param key: the name on the wire: ``x-image-meta-<key>`` and the JSON key on v1, the JSON
        key on v2.
    :param read: converts the wire's value to the contract's.
    :param since: the first minor version of v2 that has it. On an older server the same key is
        an ordinary property that anyone may have set.
    :param place: where a request carries it.
    :param header: the header that carries it, where that is not ``x-image-meta-<key>``.
    """

    key: str
    read: Converter
    since: Version = FIRST_V2
    place: Place = Place.RECORD
    header: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Feature:
    """What a server must offer beyond the first version of v2.

    :param since: the first minor version of v2 that has it.
    :param capability: its name in ``Discovery.capabilities``; empty: it has none.
    """

    since: Version
    capability: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One attribute of an image.

    :param name: the contract's name.
    :param read: checks and converts what a caller passes.
    :param v1: how v1 writes it; None: v1 does not have it.
    :param v2: how v2 writes it; None: v2 does not have it.
    :param absent: the contract's value when the record has none.
    :param lenient: treat a value of a wrong type as absent. Only for attributes that a property
        of the same name can take the place of (verified on Glance 15.0.2: v1 property
        ``locations``).
    :param unit: of its values, for the documentation.
    :param clearable: None may be written. For every other attribute None means "not passed",
        because no API can clear it (v1: 400, v2: 400 or 403).
    :param compare_first: writing the value that the image already has is refused, so an update
        reads the image first (verified on Glance 15.0.2: v1 403 for is_public, v2 403 for owner).
    :param max_characters: longest text that may be written.
    :param capability: the name of the attribute's feature in ``Discovery.capabilities``.
    :param value_features: values that need more than the attribute itself; v1 has none of them.
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
        """Return what a v2 server must offer to store a value, beyond its first version."""
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
    """Declare an attribute that both APIs spell alike.

    :param stored: converts the wire's value, where ``read`` accepts less.
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
    """Declare an attribute that says where the data comes from or goes to."""
    return Field(
        name=name,
        read=to_header_str,
        v1=v1,
        v2=v2,
        access=access,
        part=Part.NEVER,
        capability=capability,
    )


#: The only place that says what is written where; ``support`` derives from it what a server must
#: refuse. Sources: Glance 15.0.2 api/v1/images.py, api/v2/images.py (_get_base_properties), Glance
#: 33 api/v2/images.py; deleted and deleted_at are not on the wire of v2, which never shows a
#: deleted image. v2 has no copy_from and stores it as a property that means nothing; it answers
#: 403 to a checksum (verified on Glance 15.0.2 and 33).
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

#: The rows that an image dict has.
SHOWN_FIELDS = tuple(field for field in FIELDS if field.part is not Part.NEVER)

#: Attributes that are written and never shown: where the data comes from or goes to.
ORIGINS = tuple(field.name for field in FIELDS if field.part is Part.NEVER)

#: What every v1 header block holds (Glance 15.0.2, api/v1/images.py: all but null values).
V1_ALWAYS = frozenset(
    {"id", "status", "is_public", "protected", "deleted", "min_disk", "min_ram"}
) | {"created_at", "updated_at"}

#: Statuses in which a block also holds the size. It is null in an image that was created over v2
#: and has no data.
_V1_WITH_SIZE = frozenset({"active", "deactivated"})

# ---------------------------------------------------------------------------------------------
# Names that no property may have. Exceptions to the table stand here, as sets.

#: What Glance v2 keeps at the top level of a record (Glance 15.0.2 and 33 api/v2/images.py). A v1
#: property of such a name is shadowed: v2 cannot show it.
V2_BASE_KEYS = frozenset(field.v2.key for field in SHOWN_FIELDS if field.v2) | {
    "self",
    "file",
    "schema",
}

#: What only v1 keeps as an attribute, and what the library itself gives a meaning at top level.
_OTHER_ATTRIBUTES = frozenset(FIELDS_BY_NAME) | {"uri", "properties", "shadowed_properties"}

#: Attributes of the server's own image object, which a v2 PATCH reaches by name (verified on
#: Glance 15.0.2 and 33: /extra_properties is answered with 500, /image_id with 404).
_SERVER_OBJECT = frozenset({"image_id", "extra_properties"})

#: Written by Glance itself; setting or removing one is 403 (verified on Glance 33).
SERVER_OWNED_PREFIX = "os_glance_"

#: Properties that hold a structure as JSON text, in Nova's contract.
STRUCTURED = frozenset({"block_device_mapping", "mappings"})


def property_to_str(value: object) -> str | None:
    """Return a property of an image dict as a string, structured ones as JSON; None for None."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def is_reserved(name: str) -> bool:
    """Return whether no caller may add or change a property of this name, on either API."""
    return (
        name in V2_BASE_KEYS
        or name in _OTHER_ATTRIBUTES
        or name in _SERVER_OBJECT
        or name.startswith(SERVER_OWNED_PREFIX)
    )


# ---------------------------------------------------------------------------------------------
# Reading.


def _read_fields(
    record: Mapping[str, object],
    spelling_of: Callable[[Field], Spelling | None],
    version: Version,
) -> Image:
    return {
        field.name: _read_field(field, spelling_of(field), record, version)
        for field in SHOWN_FIELDS
    }


def _replace_surrogates(value: object) -> object:
    if isinstance(value, list):
        return [replace_surrogates(one) if isinstance(one, str) else one for one in value]
    return replace_surrogates(value) if isinstance(value, str) else value


def _read_field(
    field: Field,
    spelling: Spelling | None,
    record: Mapping[str, object],
    version: Version,
) -> object:
    absent = list(field.absent) if isinstance(field.absent, tuple) else field.absent
    if spelling is None or version < spelling.since:
        return absent
    value = _replace_surrogates(record.get(spelling.key))
    if value is None:
        return absent
    try:
        return spelling.read(value)
    except ConversionError as error:
        if field.lenient:
            return absent
        raise exceptions.BadResponse(
            f"invalid image in the response: {spelling.key} is not {error}"
        ) from None


def _require_id(image: Image) -> Image:
    if not image["id"]:
        raise exceptions.BadResponse("invalid image in the response: it has no id")
    return image


#: Nesting levels of a structure that is decoded; a block device mapping has two. A deeper one may
#: end in RecursionError wherever it is serialised again, or copied, with more calls on the stack.
MAX_NESTING = 100


def decode_structured(name: str, value: str) -> object:
    """Decode a property of :data:`STRUCTURED`; return any other, or invalid JSON, unchanged."""
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


def from_v1(record: Mapping[str, object]) -> Image:
    """Read the ``image`` object of a v1 JSON response (create, update, detail).

    :param record: the object; ``properties`` is an object of strings or null (null becomes '', as
        v2 has it, verified on Glance 15.0.2).
    :returns: all shown FIELDS, ``properties`` and ``shadowed_properties``.
    :raises glance_compat.exceptions.BadResponse: no id, or a value of a wrong type.
    """
    image = _require_id(_read_fields(record, lambda field: field.v1, FIRST_V2))
    properties = record.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, Mapping):
        raise exceptions.BadResponse(
            "invalid image in the response: its properties are not an object"
        )
    values = {
        replace_surrogates(str(name)): _read_property(value) for name, value in properties.items()
    }
    image["properties"] = {
        name: decode_structured(name, value)
        for name, value in values.items()
        if name not in V2_BASE_KEYS
    }
    image["shadowed_properties"] = {name: values[name] for name in values if name in V2_BASE_KEYS}
    return image


def parse_v1_headers(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, object], bool]:
    """Parse the header block of a v1 HEAD or data GET.

    :param headers: names and decoded values, repeated headers included.
    :returns: a record for :func:`from_v1`, and whether the block is complete: it has every
        attribute that Glance always sends, and nothing twice. A value that was written over v2
        can hold line breaks, which damage the block or forge a header (verified on Glance
        15.0.2).
    """
    lines = [(name.lower(), value) for name, value in headers]
    meta = [(name, value) for name, value in lines if name.startswith(V1_META)]
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


def _read_property(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return replace_surrogates(value)
    raise exceptions.BadResponse(
        "invalid image in the response: the value of a property is not a string"
    )


def from_v2(record: Mapping[str, object], version: Version = FIRST_V2) -> Image:
    """Read a v2 record.

    :param version: the newest minor version that the server offers; attributes of later versions
        are ignored.
    :returns: all shown FIELDS, ``properties`` and ``shadowed_properties`` (None: unknown on v2).
    :raises glance_compat.exceptions.BadResponse: no id, or a value of a wrong type.
    """
    image = _require_id(_read_fields(record, lambda field: field.v2, version))
    # A property is a string, or null where a site's schema permits it. Anything else at the top
    # level is an attribute of a later release.
    values = {
        replace_surrogates(name): replace_surrogates(value or "")
        for name, value in record.items()
        if name not in V2_BASE_KEYS and (value is None or isinstance(value, str))
    }
    image["properties"] = {name: decode_structured(name, value) for name, value in values.items()}
    image["shadowed_properties"] = None
    return image


def select_fields(
    image: Image, *, include_locations: bool = False, extended: bool = False
) -> Image:
    """Reduce an image to the keys of the contract."""
    parts = {Part.ALWAYS}
    if include_locations:
        parts.add(Part.LOCATIONS)
    if extended:
        parts.add(Part.EXTENDED)
    selected = {field.name: image[field.name] for field in SHOWN_FIELDS if field.part in parts}
    selected["properties"] = image["properties"]
    if extended:
        selected["shadowed_properties"] = image["shadowed_properties"]
    return selected


# ---------------------------------------------------------------------------------------------
# Writing v1.


def fold_name(name: str) -> str:
    """Return the name under which v1 stores a property: in lower case, with underscores for
    dashes (Glance 15.0.2)."""
    return name.lower().replace("-", "_")


def to_v1_headers(base: Mapping[str, typing.Any], properties: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that write attributes and properties over v1."""
    headers = {
        spelling.header or f"{V1_META}{spelling.key}": _to_header_value(value)
        for name, value in base.items()
        if (spelling := FIELDS_BY_NAME[name].v1) and spelling.place is Place.RECORD
    }
    return headers | {f"{V1_PROPERTY}{name}": value for name, value in properties.items()}


def _to_header_value(value: object) -> str:
    return "" if value is None else str(value)


# ---------------------------------------------------------------------------------------------
# Writing v2.


def to_v2_record(
    base: Mapping[str, typing.Any], properties: Mapping[str, str]
) -> dict[str, typing.Any]:
    """Return the JSON object that creates an image over v2.

    Attributes that another request carries are not in it (:class:`Place`).
    """
    attributes = {
        spelling.key: value
        for name, value in base.items()
        if (spelling := FIELDS_BY_NAME[name].v2) and spelling.place is Place.RECORD
    }
    return {**properties, **attributes}


def to_v2_data_headers(base: Mapping[str, typing.Any]) -> dict[str, str]:
    """Return the headers that write attributes together with the data over v2."""
    return {
        spelling.header: str(value)
        for name, value in base.items()
        if value is not None
        and (spelling := FIELDS_BY_NAME[name].v2)
        and spelling.place is Place.DATA
        and spelling.header
    }


def to_v2_patch(
    base: Mapping[str, typing.Any], properties: Mapping[str, str], removed: Iterable[str]
) -> list[dict[str, typing.Any]]:
    """Return the JSON patch (``application/openstack-images-v2.1-json-patch``) of an update.

    ``add`` overwrites, so it serves new and old properties (verified on Glance 15.0.2 and 33).
    """
    operations: list[dict[str, typing.Any]] = [
        {"op": "replace", "path": f"/{key}", "value": value}
        for key, value in to_v2_record(base, {}).items()
    ]
    if "location" in base:
        entry = {"url": base["location"], "metadata": {}}
        operations.append({"op": "add", "path": "/locations/-", "value": entry})
    for name, value in properties.items():
        operations.append({"op": "add", "path": _to_pointer(name), "value": value})
    operations += [{"op": "remove", "path": _to_pointer(name)} for name in sorted(removed)]
    return operations


def _to_pointer(name: str) -> str:
    """Return the JSON pointer (RFC 6901) of a property.

    Glance strips blanks around a key, so it cannot reach a property with such a name.
    """
    if name != name.strip():
        raise exceptions.PropertyNotAllowed(
            f"cannot change property {quote_value(name)} over v2: its name begins or ends with a"
            " blank; change it over v1"
        )
    return "/" + name.replace("~", "~0").replace("/", "~1")
