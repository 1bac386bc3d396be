# SPDX-License-Identifier: Apache-2.0
"""What a v1 header cannot carry.

What must live here: the limits of v1's headers, and why a property exceeds them. What must not:
the checks of a caller's whole metadata (``changes``).
"""

from __future__ import annotations

import re

from glance_compat.metadata.converters import find_header_obstacle
from glance_compat.metadata.fields import V1_PROPERTY, fold_name, is_reserved
from glance_compat.redaction import quote_value

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2

#: Bytes of one header line with its name. Glance 15.0.2 answers 400 to 16384 (option
#: max_header_line); a line of 16000 passed.
V1_LINE_BYTES = 16000

#: Bytes of all metadata headers. Glance 15.0.2's web server (eventlet) accepts 65536 for the whole
#: block, which also holds the token and other headers.
V1_BLOCK_BYTES = 57344


def is_header_name(name: str) -> bool:
    """Return whether a property's name can be part of a header's name."""
    return _TOKEN.fullmatch(name) is not None


def count_line_bytes(name: str, value: str) -> int:
    """Return the bytes of the header line that carries a property over v1."""
    return len(V1_PROPERTY) + len(name) + len(": ") + len(value.encode("utf-8")) + len("\r\n")


def find_property_obstacle(name: str, value: str, folding: bool) -> str | None:
    """Return why v1 cannot carry a property, or None if it can.

    :param folding: whether v1 may fold case and dashes of the name.
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
