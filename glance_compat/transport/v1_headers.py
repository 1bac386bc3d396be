# SPDX-License-Identifier: Apache-2.0
"""Encode and decode the values of metadata headers.

v1 sends metadata in headers, as raw UTF-8 without percent-encoding, in requests and responses
(verified on Glance 15.0.2). Python's http.client encodes and decodes headers as latin-1, so the
strings that are passed to it must be converted.
"""

from __future__ import annotations

from collections.abc import Sequence

Headers = Sequence[tuple[str, str]]


def to_wire(text: str) -> str:
    """Return a string that http.client, which encodes as latin-1, sends as the UTF-8 of text."""
    return text.encode("utf-8").decode("latin-1")


def from_wire(value: str) -> str:
    """Decode a value that http.client has decoded as latin-1, but that is UTF-8.

    A value that is not valid UTF-8 is returned unchanged.
    """
    try:
        # Glance 15.0.2 runs on Python 2, which also encodes lone surrogates.
        return value.encode("latin-1").decode("utf-8", "surrogatepass")
    except UnicodeError:
        return value
