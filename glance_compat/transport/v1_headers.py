# SPDX-License-Identifier: Apache-2.0
"""Spell metadata headers: text as UTF-8 bytes, through http.client's latin-1.

v1 carries metadata in headers, as raw UTF-8 in both directions and never percent-encoded (verified
on Glance 15.0.2). Python's http.client encodes and decodes headers as latin-1.
"""

from __future__ import annotations

from collections.abc import Sequence

Headers = Sequence[tuple[str, str]]


def to_wire(text: str) -> str:
    """Spell text so that http.client, which encodes latin-1, sends its UTF-8 bytes."""
    return text.encode("utf-8").decode("latin-1")


def from_wire(value: str) -> str:
    """Undo http.client's latin-1; return a value that is not UTF-8 unchanged."""
    try:
        # Python 2, on which Glance 15.0.2 runs, also writes half a surrogate pair.
        return value.encode("latin-1").decode("utf-8", "surrogatepass")
    except UnicodeError:
        return value
