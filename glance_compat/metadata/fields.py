# SPDX-License-Identifier: Apache-2.0
"""The table of image attributes: names, types and access rights in v1 and v2.

Terms: a *record* is the server's representation of an image (v1: the ``image`` object of a JSON
response, or the headers of a HEAD; v2: the JSON object). An *image* is the library's dict with all
FIELDS that are shown and with ``properties``; ``image_records`` converts between the two.
"""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable, Mapping

from glance_compat.metadata.converters import (
    Converter,
    is_public_to_visibility,
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


#: The attributes that an image dict can contain.
SHOWN_FIELDS = tuple(field for field in FIELDS if field.part is not Part.NEVER)

#: Names of the write-only attributes: the source or the store of the data.
ORIGINS = tuple(field.name for field in FIELDS if field.part is Part.NEVER)
