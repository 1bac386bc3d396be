# SPDX-License-Identifier: Apache-2.0
"""Names and values of properties: which names are reserved, and which values are documents."""

from __future__ import annotations

import json

from glance_compat.metadata.fields import FIELDS_BY_NAME, SHOWN_FIELDS

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

#: The properties of an image's signature, its hash method, its key type and its certificate (the
#: same in Nova, Cinder and Glance).
SIGNATURE_PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)


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


def fold_name(name: str) -> str:
    """Return the name under which v1 stores a property (Glance 15.0.2).

    It is in lower case, and its dashes are replaced by underscores.
    """
    return name.lower().replace("-", "_")
