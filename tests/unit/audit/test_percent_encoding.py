# SPDX-License-Identifier: Apache-2.0
"""Strings that glanceclient encoded, and strings that only look encoded."""

from __future__ import annotations

import urllib.parse
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glance_compat.audit.percent_encoding import (
    Confidence,
    decode_property_name,
    decode_text,
    is_of_other_client,
)
from tests.cases import in_one_test

HIGH, MEDIUM, LOW = Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW


def encoded_by_client(text: str) -> str:
    """Return a header value as encoded by the installed python-glanceclient."""
    with warnings.catch_warnings():
        # Some of its imports are deprecated.
        warnings.simplefilter("ignore")
        from glanceclient.common import http

        [value] = http.encode_headers({"x-image-meta-name": text}).values()
    return bytes(value).decode("ascii")


@in_one_test(
    ("text", "decoded", "confidence"),
    [
        ("my%20image", "my image", HIGH),
        ("caf%C3%A9", "café", HIGH),
        ("%E6%97%A5%E6%9C%AC", "日本", HIGH),
        ("%5B%7B%22a%22%3A1%7D%5D", '[{"a":1}]', HIGH),
        ("%7B%7D", "{}", HIGH),
        # Before bug 1788942 the colon was encoded too.
        ("key%3A%20value", "key: value", HIGH),
        ("key:%20value", "key: value", HIGH),
        # Python 3.6 and older encode the tilde.
        ("%7Eroot%20disk", "~root disk", HIGH),
        ("100%25", "100%", MEDIUM),
        ("c%2B%2B", "c++", MEDIUM),
        ("a%2Cb", "a,b", MEDIUM),
        ("%7B", "{", MEDIUM),
        ("http://h/my%20file", "http://h/my file", LOW),
        ("rbd://a/b%2Fc%20d".replace("%2F", "/"), "rbd://a/b/c d", LOW),
        ("data:%20text", "data: text", LOW),
        ("my%2520image", "my%20image", LOW),
        ("100%2525", "100%25", LOW),
        ("caf%C3%83%C2%A9", "cafÃ©", LOW),
        ("a%0D%0AX-Image-Meta-Name:%20evil", "a\r\nX-Image-Meta-Name: evil", LOW),
        ("a%00b", "a\0b", LOW),
        ("%1B%5B31m", "\x1b[31m", LOW),
        ("a%E2%80%AEb", "a\u202eb", LOW),
        ("%20a%20b", " a b", LOW),
        ("a%20", "a ", LOW),
    ],
)
def test_encoded_string_is_decoded(text: str, decoded: str, confidence: Confidence) -> None:
    found = decode_text(text)
    assert found is not None
    assert (found.text, found.confidence) == (decoded, confidence)
    assert found.why


@in_one_test(
    "text",
    [
        "",
        "%",
        "my image",
        "100%",
        "100% sure",
        "%d of %s",
        "%zz",
        # Lower-case hexadecimal digits, which the client never writes.
        "caf%c3%a9",
        # The client does not encode letters, slashes, and (after bug 1788942) colons.
        "%41bc",
        "a%2Fb",
        "%3Aa:%20b",
        # The client would also have encoded the blank, the plus sign and the accent.
        "my%20other image",
        "a%20b+c",
        "é%20b",
        # Not UTF-8.
        "%FF%FE",
        "%E9",
        "caf%C3",
        "\ud800%20",
    ],
)
def test_string_of_another_client_is_not_decoded(text: str) -> None:
    assert decode_text(text) is None


def test_strings_of_another_client_lower_confidence() -> None:
    encoded = ("plain", "caf%C3%A9", "1.5", "a/b:c_d-e~f", "my%20image")
    assert not any(map(is_of_other_client, encoded))
    assert is_of_other_client("written raw")
    found = decode_text("my%20image", has_other_client=True)
    assert found is not None
    assert found.confidence is MEDIUM


@pytest.mark.parametrize(
    ("name", "decoded"),
    [("my%20key", "my key"), ("caf%c3%a9", "café"), ("a%2bb_c", "a+b_c")],
)
def test_property_name_is_decoded(name: str, decoded: str) -> None:
    found = decode_property_name(name)
    assert found is not None
    assert (found.text, found.confidence) == (decoded, LOW)


@pytest.mark.parametrize("name", ["key", "my%20Key", "caf%C3%A9", "%41", "a%2fb", "%ff", "100%"])
def test_property_name_v1_cannot_store_is_not_decoded(name: str) -> None:
    assert decode_property_name(name) is None


@pytest.mark.parametrize(
    "text", ["my image", "café 日本", '[{"a": 1}]', "a+b~c,d:e/f", "100% = 1"]
)
def test_current_glanceclient_is_decoded(text: str) -> None:
    written = encoded_by_client(text)
    found = decode_text(written)
    assert written != text
    assert found is not None
    assert (found.text, found.confidence is not LOW) == (text, True)


@given(st.text(max_size=20))
def test_decoding_is_inverse_of_encoding(text: str) -> None:
    found = decode_text(urllib.parse.quote(text, "/:"))
    if found is None:
        assert urllib.parse.quote(text, "/:") == text
    else:
        assert found.text == text


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_string_can_be_decoded(text: str) -> None:
    found = decode_text(text)
    assert found is None or urllib.parse.unquote(text) == found.text
    assert decode_property_name(text) is None or "%" in text
