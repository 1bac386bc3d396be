# SPDX-License-Identifier: Apache-2.0
"""What a header of v1 cannot carry.

What must live here: the limits of v1's headers, and the reason why a name or a value exceeds them.
What must not: what a caller wants written (``changes``).
"""

from __future__ import annotations

import re

from glance_compat.metadata.fields import V1_PROPERTY, fold_name, is_reserved
from glance_compat.redaction import quote_value

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2


_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]")


#: Octets of one header line with its name. Glance 15.0.2 answers 400 to 16384 (option
#: max_header_line); a line of 16000 passed.
V1_LINE_BYTES = 16000


#: Octets of all metadata headers. Glance 15.0.2's web server (eventlet) takes 65536 for the whole
#: block; a token and other headers need room too.
V1_BLOCK_BYTES = 57344


def is_header_name(name: str) -> bool:
    """Whether a property's name can be part of a header's name."""
    return _TOKEN.fullmatch(name) is not None


def find_value_obstacle(text: str) -> str | None:
    """Why v1 cannot carry a value, or None if it can."""
    if _NOT_IN_A_HEADER.search(text):
        return "it holds CR, LF or NUL"
    if text != text.strip():
        return "it begins or ends with white space"
    return None


def count_line_bytes(name: str, text: str) -> int:
    """Octets of the header line that carries a property over v1."""
    return len(V1_PROPERTY) + len(name) + len(": ") + len(text.encode("utf-8")) + len("\r\n")


def find_property_obstacle(name: str, text: str, folding: bool) -> str | None:
    if not is_header_name(name):
        return "its name is not made of header characters"
    if fold_name(name) != name and is_reserved(fold_name(name)):
        return f"v1 would store it as {quote_value(fold_name(name))}, which is reserved"
    if not folding and fold_name(name) != name:
        return f"v1 would store it as {quote_value(fold_name(name))}"
    if count_line_bytes(name, text) > V1_LINE_BYTES:
        return f"it is longer than {V1_LINE_BYTES} bytes"
    return find_value_obstacle(text)
