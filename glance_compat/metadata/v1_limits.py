# SPDX-License-Identifier: Apache-2.0
"""Limits of property names and values in the headers of v1.

What must live here: these limits, and the check of a single property. What must not: the check of
a caller's complete metadata (see ``changes``).
"""

from __future__ import annotations

import re

from glance_compat.metadata.converters import find_header_obstacle
from glance_compat.metadata.fields import V1_PROPERTY
from glance_compat.metadata.property_names import fold_name, is_reserved
from glance_compat.redaction import quote_value

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2

#: Maximum length of one header line including its name, in bytes. Glance 15.0.2 responds to 16384
#: bytes with 400 (option max_header_line), and accepted a line of 16000 bytes.
V1_LINE_BYTES = 16000

#: Maximum total length of the metadata headers, in bytes. Glance 15.0.2's web server (eventlet)
#: accepts 65536 bytes for all headers, which include the token and others.
V1_BLOCK_BYTES = 57344


def is_header_name(name: str) -> bool:
    """Return whether the name of a property is valid as part of an HTTP header name."""
    return _TOKEN.fullmatch(name) is not None


def count_line_bytes(name: str, value: str) -> int:
    """Return the length, in bytes, of the header line for a property over v1."""
    return len(V1_PROPERTY) + len(name) + len(": ") + len(value.encode("utf-8")) + len("\r\n")


def find_property_obstacle(name: str, value: str, folding: bool) -> str | None:
    """Return the reason why a property cannot be sent over v1, or None if it can.

    :param folding: whether v1 may convert the name to lower case and its dashes to underscores.
    """
    if not is_header_name(name):
        return "the name is not a valid HTTP header name"
    folded = fold_name(name)
    if folded != name and is_reserved(folded):
        return f"v1 would store it as {quote_value(folded)}, which is reserved"
    if not folding and folded != name:
        return f"v1 would store it as {quote_value(folded)}"
    if count_line_bytes(name, value) > V1_LINE_BYTES:
        return f"it is longer than {V1_LINE_BYTES} bytes"
    return find_header_obstacle(value)
