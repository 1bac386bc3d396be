# SPDX-License-Identifier: Apache-2.0
"""Recognise each kind of finding in the records of an image.

What must live here: one function for each kind. ``find_...`` yields matches; ``describe_...``
returns the details of a match, or None. What must not: the texts that explain a kind (``kinds``),
I/O.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterator, Mapping

from glance_compat.audit.percent_encoding import (
    Decoding,
    decode_property_name,
    decode_text,
    is_of_other_client,
)
from glance_compat.audit.records import IMAGE, NAME, PROPERTY, ImageRecords, Match
from glance_compat.metadata.changes import UUID
from glance_compat.metadata.converters import replace_surrogates
from glance_compat.metadata.fields import ATTRIBUTE_CHARACTERS, FIELDS, SHOWN_FIELDS
from glance_compat.metadata.property_names import (
    SERVER_OWNED_PREFIX,
    V2_BASE_KEYS,
    fold_name,
    is_reserved,
)
from glance_compat.metadata.v1_limits import (
    V1_BLOCK_BYTES,
    V1_LINE_BYTES,
    count_line_bytes,
    is_header_name,
)
from glance_compat.redaction import quote_value

Detector = Callable[[ImageRecords], Iterator[Match]]

#: Maximum number of characters of a string that are inspected. A longer string is not decoded.
#: Glance on MySQL stores at most 65535 bytes, but other databases and hostile servers have no
#: limit.
INSPECTED_CHARACTERS = 65_536


# ---------------------------------------------------------------------------------------------
# Create detectors from functions that describe one property, one string, or one image.


def for_each_property(describe: Callable[[str, str | None], str | None]) -> Detector:
    """Return a detector that checks each property.

    :param describe: a function of a property's name and value that returns the details of a
        match, or None.
    """

    def find(image: ImageRecords) -> Iterator[Match]:
        for name, text in image.properties.items():
            details = describe(name, text)
            if details is not None:
                yield Match(PROPERTY + name, details, text)

    return find


def for_each_text(describe: Callable[[str], str | None]) -> Detector:
    """Return a detector that checks the image's name and the value of each property.

    :param describe: a function of one string that returns the details of a match, or None.
    """

    def find(image: ImageRecords) -> Iterator[Match]:
        for subject, text in image.texts.items():
            details = describe(text[:INSPECTED_CHARACTERS])
            if details is not None:
                yield Match(subject, details, text)

    return find


def for_image(describe: Callable[[ImageRecords], str | None]) -> Detector:
    """Return a detector that checks the image as a whole.

    :param describe: a function of the image's records that returns the details of a match, or
        None.
    """

    def find(image: ImageRecords) -> Iterator[Match]:
        details = describe(image)
        if details is not None:
            yield Match(IMAGE, details)

    return find


# ---------------------------------------------------------------------------------------------
# Property names that have a special meaning for a server.

#: Attributes that v2 has only since some version, or only with certain settings. Without the
#: attribute, v2 shows a property of that name in its place.
SPOOFABLE = frozenset(field.name for field in FIELDS if field.v1 is None and field.v2) - {"tags"}


def find_shadowed_properties(image: ImageRecords) -> Iterator[Match]:
    if image.v1 is None:
        return
    for name in sorted((V2_BASE_KEYS - SPOOFABLE) & image.properties.keys()):
        text = image.properties[name]
        over_v2 = f", v2 shows {quote_value(image.v2.get(name))}" if image.v2 else ""
        yield Match(PROPERTY + name, f"v1 shows {quote_value(text)}{over_v2}", text)


def find_spoofed_attributes(image: ImageRecords) -> Iterator[Match]:
    if image.v1 is not None:
        stored: Mapping[str, object] = image.properties
    else:
        # Without v1, only a value of the wrong type proves that it is a property.
        expected = {"locations": list, "os_hidden": bool}
        stored = {
            name: image.attribute(name)
            for name, right_type in expected.items()
            if image.attribute(name) is not None
            and not isinstance(image.attribute(name), right_type)
        }
    for name in sorted(SPOOFABLE & stored.keys()):
        yield Match(PROPERTY + name, f"has the value {quote_value(stored[name])}", stored[name])


def describe_reserved_name(name: str, text: str | None) -> str | None:
    if name in V2_BASE_KEYS or name.startswith(SERVER_OWNED_PREFIX) or not is_reserved(name):
        return None
    return f"has the value {quote_value(text)}"


def describe_server_owned(name: str, text: str | None) -> str | None:
    return f"has the value {quote_value(text)}" if name.startswith(SERVER_OWNED_PREFIX) else None


# ---------------------------------------------------------------------------------------------
# Percent-encoding.


def find_encoded_texts(texts: Mapping[str, str]) -> Iterator[tuple[str, str, Decoding]]:
    """Find the strings of one image that python-glanceclient percent-encoded.

    :param texts: the image's strings, by subject; see
        :attr:`~glance_compat.audit.records.ImageRecords.texts`.
    :returns: an iterator of the subject, the stored string, and its decoding.
    """
    # An encoded string never proves another client itself, so one check of all strings suffices.
    has_other_client = any(map(is_of_other_client, texts.values()))
    for subject, text in texts.items():
        if len(text) > INSPECTED_CHARACTERS:
            continue
        decoding = decode_text(text, has_other_client=has_other_client)
        if decoding is not None:
            yield subject, text, decoding


def find_percent_encoding(image: ImageRecords) -> Iterator[Match]:
    for subject, text, decoding in find_encoded_texts(image.texts):
        yield Match(subject, _describe_decoding(text, decoding), text, decoding)


def find_percent_encoded_names(image: ImageRecords) -> Iterator[Match]:
    for name, text in image.properties.items():
        decoding = decode_property_name(name[:INSPECTED_CHARACTERS])
        if decoding is not None:
            yield Match(PROPERTY + name, _describe_decoding(name, decoding), text, decoding)


def _describe_decoding(text: str, decoding: Decoding) -> str:
    return (
        f"{quote_value(text)} was probably {quote_value(decoding.text)}"
        f" ({decoding.confidence.value} confidence: {decoding.why})"
    )


# ---------------------------------------------------------------------------------------------
# Empty values.


def describe_null(name: str, text: str | None) -> str | None:
    return "v1 returns null, v2 returns ''" if text is None else None


def find_missing_name(image: ImageRecords) -> Iterator[Match]:
    if image.attribute(NAME) is None:
        yield Match(NAME, "is null")


def find_empty_name(image: ImageRecords) -> Iterator[Match]:
    if image.attribute(NAME) == "":
        yield Match(NAME, "is ''", "")


def describe_none_string(text: str) -> str | None:
    return "is the string 'None'" if text == "None" else None


# ---------------------------------------------------------------------------------------------
# Attributes.


def describe_non_uuid(image: ImageRecords) -> str | None:
    return None if UUID.fullmatch(image.image_id) else f"the id is {quote_value(image.image_id)}"


#: Statuses of images that have data.
WITH_DATA = frozenset({"active", "deactivated"})


def describe_missing_formats(image: ImageRecords) -> str | None:
    missing = [
        name for name in ("disk_format", "container_format") if image.attribute(name) is None
    ]
    if not missing or image.status not in WITH_DATA:
        return None
    return f"has no {' and no '.join(missing)}"


def describe_missing_checksum(image: ImageRecords) -> str | None:
    has_hash = image.is_multihash and image.attribute("os_hash_value")
    if image.attribute("checksum") or has_hash or image.status not in WITH_DATA:
        return None
    size = image.attribute("size")
    return f"{size} bytes without a checksum" if size else None


def describe_missing_data(image: ImageRecords) -> str | None:
    is_empty = image.status == "active" and not image.size
    return "is active without data" if is_empty and not image.attribute("checksum") else None


def describe_declared_size(image: ImageRecords) -> str | None:
    if image.status != "queued" or not image.size:
        return None
    return f"declares {image.size} bytes, has no data"


def describe_deleted(image: ImageRecords) -> str | None:
    is_deleted = image.v1 is not None and bool(image.v1.get("deleted"))
    return f"its status is {image.status}" if is_deleted else None


def describe_half_deleted(image: ImageRecords) -> str | None:
    is_half = image.status in ("deleted", "pending_delete") and describe_deleted(image) is None
    return f"is listed with the status {image.status}" if is_half else None


def match_status(*statuses: str) -> Callable[[ImageRecords], str | None]:
    """Return a function that describes an image if it has one of these statuses."""

    def describe(image: ImageRecords) -> str | None:
        return f"its status is {image.status}" if image.status in statuses else None

    return describe


def match_visibility(visibility: str) -> Callable[[ImageRecords], str | None]:
    """Return a function that describes an image if v2 shows it with this visibility."""

    def describe(image: ImageRecords) -> str | None:
        matches = image.v2 is not None and image.v2.get("visibility") == visibility
        return f"its visibility is {visibility}" if matches else None

    return describe


def describe_hidden(image: ImageRecords) -> str | None:
    return "os_hidden is true" if image.attribute("os_hidden") is True else None


def describe_tags(image: ImageRecords) -> str | None:
    tags = image.v2.get("tags") if image.v2 is not None else None
    if not isinstance(tags, list) or not tags:
        return None
    return f"has the tags {', '.join(sorted(map(str, tags)))}"


def describe_stores(image: ImageRecords) -> str | None:
    stores = image.text("stores") if image.is_multihash else None
    return f"its data is in {stores}" if stores and "," in stores else None


def describe_locations(image: ImageRecords) -> str | None:
    locations = image.v2.get("locations") if image.v2 is not None else None
    if not isinstance(locations, list) or len(locations) < 2:
        return None
    return f"has {len(typing.cast('list[object]', locations))} locations"


def describe_missing_owner(image: ImageRecords) -> str | None:
    return "has no owner" if image.attribute("owner") is None else None


# ---------------------------------------------------------------------------------------------
# Values that HTTP headers, and therefore v1, cannot represent.

# One line break is enough: matching several with "[\r\n]+" would take quadratic time.
_INJECTED = re.compile(r"[\r\n][ \t]*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):")


def describe_line_break(text: str) -> str | None:
    if not re.search(r"[\r\n\0]", text):
        return None
    injected = _INJECTED.search(text)
    if injected:
        return f"contains a line break and what looks like the header {injected['name']!r}"
    return "contains a line break or NUL"


def describe_outer_whitespace(text: str) -> str | None:
    has_whitespace = text.strip() != text and not describe_line_break(text)
    return f"is {quote_value(text)}" if has_whitespace else None


#: The reasons why a property's name is not a valid HTTP header name.
_INVALID_NAME = (
    (re.compile(r"\A\Z"), "the name is empty"),
    (re.compile(r":"), "the name contains a colon"),
    (re.compile(r"[\x00-\x20\x7f]"), "the name contains a space or a control character"),
    (re.compile(r"[^\x00-\x7f]"), "the name contains characters outside ASCII"),
)


def describe_invalid_header_name(name: str, text: str | None) -> str | None:
    if is_header_name(name):
        return None
    reasons = (reason for wrong, reason in _INVALID_NAME if wrong.search(name))
    return next(reasons, "the name contains a separator")


def describe_long_value(name: str, text: str | None) -> str | None:
    size = count_line_bytes(name, replace_surrogates(text or ""))
    return f"{size} bytes in one header" if size > V1_LINE_BYTES else None


def describe_large_metadata(image: ImageRecords) -> str | None:
    size = sum(
        count_line_bytes(name, replace_surrogates(text or ""))
        for name, text in image.properties.items()
    )
    return f"{size} bytes of properties" if size > V1_BLOCK_BYTES else None


#: Maximum number of headers that Python's http.client reads: 100 lines minus the empty last line.
_READABLE_HEADERS = 99
#: Number of other headers that Glance sends with the metadata: Connection, Content-Length,
#: Content-Type, Date, X-Openstack-Request-Id (verified on Glance 15.0.2).
_OTHER_HEADERS = 5


def count_v1_headers(image: ImageRecords) -> int:
    """Return the number of headers that v1 sends for an image.

    Attributes that are null have no header (verified on Glance 15.0.2).
    """
    base = [
        field.v1.key
        for field in SHOWN_FIELDS
        if field.v1 and field.name not in ("visibility", "deleted")
    ]
    if image.v1 is not None:
        count = sum(image.v1.get(key) is not None for key in base)
    else:
        count = sum(image.attribute(key) is not None for key in base) + len(["is_public"])
    properties = sum(text is not None for text in image.properties.values())
    # The checksum is also sent as the ETag.
    etag = image.attribute("checksum") is not None
    return _OTHER_HEADERS + count + len(["deleted"]) + properties + etag


def describe_too_many_headers(image: ImageRecords) -> str | None:
    count = count_v1_headers(image)
    return f"{count} headers" if count > _READABLE_HEADERS else None


def _group_folded_names(image: ImageRecords) -> dict[str, list[str]]:
    """Return the property names of an image, grouped by the name that v1 stores for them.

    Names that are not valid HTTP header names are omitted.
    """
    groups: dict[str, list[str]] = {}
    for name in image.properties:
        if is_header_name(name):
            groups.setdefault(fold_name(name), []).append(name)
    return groups


def find_folded_names(image: ImageRecords) -> Iterator[Match]:
    for stored, names in _group_folded_names(image).items():
        if names != [stored] and len(names) == 1 and not is_reserved(stored):
            yield Match(PROPERTY + names[0], f"v1 writes it as {stored!r}", names[0])


def find_colliding_names(image: ImageRecords) -> Iterator[Match]:
    for stored, names in _group_folded_names(image).items():
        if len(names) > 1 and not is_reserved(stored):
            listed = " and ".join(repr(name) for name in sorted(names))
            yield Match(PROPERTY + stored, f"{listed} are the same on v1", sorted(names))


def find_names_folded_to_reserved(image: ImageRecords) -> Iterator[Match]:
    for stored, names in _group_folded_names(image).items():
        for name in names:
            if name != stored and is_reserved(stored):
                details = f"v1 writes it as {stored!r}, the name of an attribute"
                yield Match(PROPERTY + name, details, name)


# ---------------------------------------------------------------------------------------------
# Broken records.


def describe_lone_surrogate(text: str) -> str | None:
    return "contains half of a surrogate pair" if replace_surrogates(text) != text else None


def describe_long_name(name: str, text: str | None) -> str | None:
    return f"its name has {len(name)} characters" if len(name) > ATTRIBUTE_CHARACTERS else None


def find_partly_inspected(image: ImageRecords) -> Iterator[Match]:
    for subject, text in image.texts.items():
        if len(text) > INSPECTED_CHARACTERS:
            details = f"{INSPECTED_CHARACTERS} of {len(text)} characters were inspected"
            yield Match(subject, details)


def describe_unreadable(image: ImageRecords) -> str | None:
    """Describe a record in a form that Glance never sends.

    In a v2 record, a value that is not a string belongs to an attribute, not to a property.
    """
    for record in (image.v1, image.v2):
        if record is not None and not isinstance(record.get(NAME), (str, type(None))):
            return "its name is not a string"
    if image.v1 is None:
        return None
    stored = image.v1.get("properties")
    if not isinstance(stored, Mapping):
        return "its properties are not an object"
    wrong = len(stored) - len(image.properties)
    return f"{wrong} of its properties are not strings" if wrong else None
