# SPDX-License-Identifier: Apache-2.0
"""What an image is, on both APIs: one declared table, and the functions that walk it.

What must live here: every fact about the spelling, type and rights of an image attribute or
property on v1 and v2. What must not: what a caller may ask for (see ``change``), I/O, a clock,
requests, and any choice between the APIs.

Words: a *record* is what a server sent (v1: the ``image`` object of a JSON answer or the headers
of a HEAD; v2: the JSON object). An *image* is the library's own dict with all FIELDS and with
``properties``; ``select_fields`` reduces it to the contract.
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
    to_int,
    to_store_names,
    to_str,
    to_str_list,
    to_visibility,
    visibility_to_is_public,
)
from glance_compat.redaction import quote_value

Image = dict[str, typing.Any]

# ---------------------------------------------------------------------------------------------
# The table.


class Access(enum.Enum):
    """Who may set an attribute, and when. What may not be set is ignored when it is given, for
    callers send whole image dicts back."""

    READ = "read"
    CREATE = "create"  # at creation only
    DATA = "data"  # together with data: what the caller says of it
    WRITE = "write"  # at creation and in an update


class Part(enum.Enum):
    """When an attribute is shown to a caller."""

    ALWAYS = "always"
    LOCATIONS = "locations"
    EXTENDED = "extended"


@dataclasses.dataclass(frozen=True, slots=True)
class Spelling:
    """How one API writes an attribute.

    :param key: the name on the wire: ``x-image-meta-<key>`` and the JSON key on v1, the JSON
        key on v2.
    :param read: from the wire's value to the contract's.
    :param since: the first minor version of v2 that has it. On an older server the same key is
        an ordinary property that anyone may have set.
    """

    key: str
    read: Converter
    since: tuple[int, int] = (2, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One attribute of an image.

    :param name: the contract's name.
    :param read: checks and converts what a caller gives.
    :param absent: the contract's value when the record has none.
    :param lenient: a value of a wrong type counts as none. Only for attributes that a property
        of the same name can stand in for (seen on Glance 15.0.2: v1 property ``locations``).
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


def _same(
    name: str,
    read: Converter,
    access: Access,
    absent: object = None,
    part: Part = Part.ALWAYS,
    unit: str = "",
) -> Field:
    """An attribute that both APIs call alike."""
    both = Spelling(name, read)
    return Field(name, read, both, both, access, absent, part, unit=unit)


def _v2_only(
    name: str,
    read: Converter,
    access: Access,
    absent: object,
    part: Part,
    since: tuple[int, int] = (2, 0),
) -> Field:
    return Field(name, read, None, Spelling(name, read, since), access, absent, part, lenient=True)


#: Sources: Glance 15.0.2 api/v1/images.py, api/v2/images.py (_get_base_properties), Glance 33
#: api/v2/images.py; deleted and deleted_at are not on the wire of v2, where no deleted image is
#: ever shown.
FIELDS: tuple[Field, ...] = (
    _same("id", to_str, Access.CREATE),
    _same("name", to_str, Access.WRITE),
    _same("status", to_str, Access.READ),
    _same("size", to_int, Access.DATA, absent=0, unit="bytes"),
    _same("checksum", to_str, Access.DATA, unit="MD5, hexadecimal"),
    _same("container_format", to_str, Access.WRITE),
    _same("disk_format", to_str, Access.WRITE),
    _same("min_disk", to_int, Access.WRITE, absent=0, unit="GiB"),
    _same("min_ram", to_int, Access.WRITE, absent=0, unit="MiB"),
    _same("owner", to_str, Access.WRITE),
    Field(
        "is_public",
        to_bool,
        v1=Spelling("is_public", to_bool),
        v2=Spelling("visibility", visibility_to_is_public),
        access=Access.WRITE,
        absent=False,
    ),
    _same("created_at", to_datetime, Access.READ),
    _same("updated_at", to_datetime, Access.READ),
    Field("deleted_at", to_datetime, Spelling("deleted_at", to_datetime), None, Access.READ),
    Field("deleted", to_bool, Spelling("deleted", to_bool), None, Access.READ, absent=False),
    _v2_only("locations", to_dict_list, Access.READ, (), Part.LOCATIONS),
    _v2_only("direct_url", to_str, Access.READ, None, Part.LOCATIONS),
    Field(
        "visibility",
        to_visibility,
        v1=Spelling("is_public", is_public_to_visibility),
        v2=Spelling("visibility", to_str),
        access=Access.WRITE,
        part=Part.EXTENDED,
    ),
    _same("protected", to_bool, Access.WRITE, part=Part.EXTENDED),
    _v2_only("tags", to_str_list, Access.WRITE, None, Part.EXTENDED),
    _same("virtual_size", to_int, Access.READ, part=Part.EXTENDED, unit="bytes"),
    _v2_only("os_hidden", to_bool, Access.WRITE, None, Part.EXTENDED, since=(2, 7)),
    _v2_only("os_hash_algo", to_str, Access.READ, None, Part.EXTENDED, since=(2, 7)),
    _v2_only("os_hash_value", to_str, Access.READ, None, Part.EXTENDED, since=(2, 7)),
    _v2_only("stores", to_store_names, Access.READ, None, Part.EXTENDED, since=(2, 8)),
)

FIELDS_BY_NAME = {field.name: field for field in FIELDS}

#: Characters of any text attribute (Glance 15.0.2 and 33, db/sqlalchemy/models.py).
ATTRIBUTE_CHARACTERS = 255

V1_META = "x-image-meta-"
V1_PROPERTY = "x-image-meta-property-"

#: What every v1 header block holds (Glance 15.0.2, api/v1/images.py: all but null values).
V1_ALWAYS = frozenset(
    {"id", "status", "is_public", "protected", "deleted", "min_disk", "min_ram"}
) | {"created_at", "updated_at"}

#: Where a block also holds the size, which is null in an image that v2 made and nobody filled.
_V1_WITH_SIZE = frozenset({"active", "deactivated"})

#: Attributes that are written and never shown: where the data comes from or goes to.
ORIGINS = ("location", "copy_from", "store")

# ---------------------------------------------------------------------------------------------
# Names that no property may have. Exceptions to the table stand here, as sets.

#: What Glance v2 keeps at the top level of a record (Glance 15.0.2 and 33 api/v2/images.py). A v1
#: property of such a name is shadowed: v2 cannot show it.
V2_BASE_KEYS = frozenset(field.v2.key for field in FIELDS if field.v2) | {"self", "file", "schema"}

#: What only v1 keeps as an attribute, and what the library itself gives a meaning at top level.
_OTHER_ATTRIBUTES = frozenset(FIELDS_BY_NAME) | {
    *ORIGINS,
    "uri",
    "properties",
    "shadowed_properties",
}

#: Attributes of the server's own image object, which a v2 PATCH reaches by name (seen on Glance
#: 15.0.2 and 33: /extra_properties gives 500, /image_id 404).
_SERVER_OBJECT = frozenset({"image_id", "extra_properties"})

#: Written by Glance itself; setting or removing one is 403 (seen on Glance 33).
SERVER_OWNED_PREFIX = "os_glance_"

#: Properties that hold a structure as JSON text, in Nova's contract.
STRUCTURED = frozenset({"block_device_mapping", "mappings"})


def property_to_str(value: object) -> str | None:
    """The text of a property as an image dict has it, structured ones too; None for None."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def is_reserved(name: str) -> bool:
    """Whether no caller may add or change a property of this name, on either API."""
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
    version: tuple[int, int],
) -> Image:
    return {
        field.name: _read_field(field, spelling_of(field), record, version) for field in FIELDS
    }


def _replace_surrogates(value: object) -> object:
    if isinstance(value, list):
        return [replace_surrogates(one) if isinstance(one, str) else one for one in value]
    return replace_surrogates(value) if isinstance(value, str) else value


def _read_field(
    field: Field,
    spelling: Spelling | None,
    record: Mapping[str, object],
    version: tuple[int, int],
) -> object:
    absent = list(field.absent) if isinstance(field.absent, tuple) else field.absent
    if spelling is None or version < spelling.since:
        return absent
    value = _replace_surrogates(record.get(spelling.key))
    if value is None:
        return absent
    try:
        return spelling.read(value)
    except ConversionError as wrong:
        if field.lenient:
            return absent
        raise exceptions.BadResponse(
            f"the server's {spelling.key} of an image is not {wrong}"
        ) from None


def _require_id(image: Image) -> Image:
    if not image["id"]:
        raise exceptions.BadResponse("the server sent an image without an id")
    return image


#: Levels of a structure that is decoded; a block device mapping has two. A deeper one may end in
#: RecursionError wherever it is written again, or copied, with more calls on the stack.
MAX_NESTING = 100


def decode_structured(name: str, value: str) -> object:
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
    """Read the ``image`` object of a v1 JSON answer (create, update, detail).

    :param record: the object; ``properties`` is an object of text or null (null: '', as v2 has
        it, seen on Glance 15.0.2).
    :returns: all FIELDS, ``properties`` and ``shadowed_properties``.
    :raises glance_compat.exceptions.BadResponse: no id, or a value of a wrong type.
    """
    image = _require_id(_read_fields(record, lambda field: field.v1, (2, 0)))
    properties = record.get("properties")
    if properties is None:
        properties = {}
    if not isinstance(properties, Mapping):
        raise exceptions.BadResponse("the server's properties of an image are not an object")
    property_values = {
        replace_surrogates(str(name)): _property_text(value) for name, value in properties.items()
    }
    image["properties"] = {
        name: decode_structured(name, text)
        for name, text in property_values.items()
        if name not in V2_BASE_KEYS
    }
    image["shadowed_properties"] = {
        name: property_values[name] for name in property_values if name in V2_BASE_KEYS
    }
    return image


def parse_v1_headers(headers: Iterable[tuple[str, str]]) -> tuple[dict[str, object], bool]:
    """Read the header block of a v1 HEAD or data GET.

    :param headers: names and UTF-8 text, repeated ones too.
    :returns: a record as :func:`from_v1` takes it, and whether the block is complete: every
        attribute that Glance always sends is there, and nothing is there twice. A value that v2
        wrote can hold line breaks, which damage the block or forge it (seen on Glance 15.0.2).
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


def _property_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return replace_surrogates(value)
    raise exceptions.BadResponse("the server sent a property that is not text")


def from_v2(record: Mapping[str, object], version: tuple[int, int] = (2, 0)) -> Image:
    """Read a v2 record.

    :param version: the newest minor version that the server offers; attributes of later ones
        are not believed.
    :returns: all FIELDS, ``properties`` and ``shadowed_properties`` (None: v2 cannot tell).
    :raises glance_compat.exceptions.BadResponse: no id, or a value of a wrong type.
    """
    image = _require_id(_read_fields(record, lambda field: field.v2, version))
    # A property is text, or null where a site's schema permits it. Anything else at the top
    # level is an attribute of a later release.
    property_values = {
        replace_surrogates(name): replace_surrogates(value or "")
        for name, value in record.items()
        if name not in V2_BASE_KEYS and (value is None or isinstance(value, str))
    }
    image["properties"] = {
        name: decode_structured(name, text) for name, text in property_values.items()
    }
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
    quote_value = {field.name: image[field.name] for field in FIELDS if field.part in parts}
    quote_value["properties"] = image["properties"]
    if extended:
        quote_value["shadowed_properties"] = image["shadowed_properties"]
    return quote_value


# ---------------------------------------------------------------------------------------------
# Writing v1.


def fold_name(name: str) -> str:
    """Under which name v1 stores a property: lower case, dashes as underscores (Glance 15.0.2)."""
    return name.lower().replace("-", "_")


def to_v1_headers(base: Mapping[str, typing.Any], properties: Mapping[str, str]) -> dict[str, str]:
    """The headers that write attributes and properties over v1.

    ``visibility`` is not among them: see :func:`get_requested_is_public`.
    """
    headers = {
        f"{V1_META}{field.v1.key}": _header_text(base[field.name])
        for field in FIELDS
        if field.v1 and field.name in base and field.name != "visibility"
    }
    if "copy_from" in base:
        headers["x-glance-api-copy-from"] = base["copy_from"]
    for name in ("location", "store"):
        if name in base:
            headers[f"{V1_META}{name}"] = base[name]
    return headers | {f"{V1_PROPERTY}{name}": text for name, text in properties.items()}


def _header_text(value: object) -> str:
    return "" if value is None else str(value)


# ---------------------------------------------------------------------------------------------
# Writing v2.


def to_v2_record(
    base: Mapping[str, typing.Any], properties: Mapping[str, str]
) -> dict[str, typing.Any]:
    """The JSON object that creates an image over v2.

    Left out are ``is_public``, which ``visibility`` replaces, and what goes with the data.
    """
    return {
        **properties,
        **{name: value for name, value in base.items() if name not in _NOT_IN_A_RECORD},
    }


_NOT_IN_A_RECORD = frozenset({"is_public", "size", "checksum", *ORIGINS, "deleted", "deleted_at"})


def to_v2_patch(
    base: Mapping[str, typing.Any], properties: Mapping[str, str], removed: Iterable[str]
) -> list[dict[str, typing.Any]]:
    """The JSON patch (``application/openstack-images-v2.1-json-patch``) of an update over v2.

    ``add`` overwrites, so it serves new and old properties (seen on Glance 15.0.2 and 33).
    """
    operations: list[dict[str, typing.Any]] = [
        {"op": "replace", "path": f"/{name}", "value": value}
        for name, value in to_v2_record(base, {}).items()
    ]
    if "location" in base:
        entry = {"url": base["location"], "metadata": {}}
        operations.append({"op": "add", "path": "/locations/-", "value": entry})
    for name, text in properties.items():
        operations.append({"op": "add", "path": _pointer(name), "value": text})
    operations += [{"op": "remove", "path": _pointer(name)} for name in sorted(removed)]
    return operations


def _pointer(name: str) -> str:
    """RFC 6901. Glance strips blanks around a key, so such a key cannot be reached."""
    if name != name.strip():
        raise exceptions.PropertyNotAllowed(
            f"property {quote_value(name)} cannot be changed over v2: its name begins or ends with"
            " a blank"
        )
    return "/" + name.replace("~", "~0").replace("/", "~1")
