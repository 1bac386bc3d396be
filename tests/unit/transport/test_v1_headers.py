# SPDX-License-Identifier: Apache-2.0
"""v1_headers: UTF-8 strings in http.client's latin-1 headers."""

from __future__ import annotations

import json

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.transport.v1_headers import from_wire, to_wire


@hypothesis.given(text=strategies.text())
def test_header_string_round_trips(text: str) -> None:
    wire = to_wire(text)
    assert wire.encode("latin-1") == text.encode("utf-8")
    assert from_wire(wire) == text


@hypothesis.given(sent=strategies.binary())
def test_any_bytes_decode_to_string(sent: bytes) -> None:
    found = from_wire(sent.decode("latin-1"))
    try:
        assert found == sent.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        assert found == sent.decode("latin-1")


def test_lone_surrogate_is_read_as_json_reads_it() -> None:
    # Glance 15.0.2 on Python 2 sends lone surrogates encoded as UTF-8.
    assert from_wire("\xed\xa0\x80x") == json.loads(b'"\\ud800x"') == "\ud800x"


@pytest.mark.parametrize("text", ["caf\xe9", "\u20ac", "caf\xc3", "\ud800"])
def test_non_utf8_value_is_preserved(text: str) -> None:
    assert from_wire(text) == text
