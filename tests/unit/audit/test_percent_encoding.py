# SPDX-License-Identifier: Apache-2.0
"""What glanceclient encoded, and what only looks like it."""

from __future__ import annotations

import urllib.parse
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glance_compat.audit.percent_encoding import Sureness, name_reading, reading

SURE, LIKELY, UNSURE = Sureness.SURE, Sureness.LIKELY, Sureness.UNSURE


def encoded_by_client(text: str) -> str:
    """A header's value as the installed python-glanceclient writes it."""
    with warnings.catch_warnings():
        # Some of what it imports is old.
        warnings.simplefilter("ignore")
        from glanceclient.common import http

        [value] = http.encode_headers({"x-image-meta-name": text}).values()
    return bytes(value).decode("ascii")


@pytest.mark.parametrize(
    ("text", "decoded", "sureness"),
    [
        ("my%20image", "my image", SURE),
        ("caf%C3%A9", "café", SURE),
        ("%E6%97%A5%E6%9C%AC", "日本", SURE),
        ("%5B%7B%22a%22%3A1%7D%5D", '[{"a":1}]', SURE),
        ("%7B%7D", "{}", SURE),
        # Before bug 1788942 the colon was encoded too.
        ("key%3A%20value", "key: value", SURE),
        ("key:%20value", "key: value", SURE),
        # Python 3.6 and older encode the tilde.
        ("%7Eroot%20disk", "~root disk", SURE),
        ("100%25", "100%", LIKELY),
        ("c%2B%2B", "c++", LIKELY),
        ("a%2Cb", "a,b", LIKELY),
        ("%7B", "{", LIKELY),
        ("http://h/my%20file", "http://h/my file", UNSURE),
        ("rbd://a/b%2Fc%20d".replace("%2F", "/"), "rbd://a/b/c d", UNSURE),
        ("data:%20text", "data: text", UNSURE),
        ("my%2520image", "my%20image", UNSURE),
        ("100%2525", "100%25", UNSURE),
        ("caf%C3%83%C2%A9", "cafÃ©", UNSURE),
        ("a%0D%0AX-Image-Meta-Name:%20evil", "a\r\nX-Image-Meta-Name: evil", UNSURE),
        ("a%00b", "a\0b", UNSURE),
        ("%1B%5B31m", "\x1b[31m", UNSURE),
        ("a%E2%80%AEb", "a\u202eb", UNSURE),
        ("%20a%20b", " a b", UNSURE),
        ("a%20", "a ", UNSURE),
    ],
)
def test_what_the_client_wrote(text: str, decoded: str, sureness: Sureness) -> None:
    found = reading(text)
    assert found is not None
    assert (found.text, found.sureness) == (decoded, sureness)
    assert found.why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%",
        "my image",
        "100%",
        "100% sure",
        "%d of %s",
        "%zz",
        # Lower case, which the client never writes.
        "caf%c3%a9",
        # The client leaves letters, colons after bug 1788942, and slashes alone.
        "%41bc",
        "a%2Fb",
        "%3Aa:%20b",
        # It would have encoded the blank, the plus sign and the accent as well.
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
def test_what_the_client_cannot_have_written(text: str) -> None:
    assert reading(text) is None


def test_another_client_makes_it_less_sure() -> None:
    assert reading("my%20image", ["plain", "caf%C3%A9", "1.5", "a/b:c_d-e~f"]) == reading(
        "my%20image"
    )
    found = reading("my%20image", ["plain", "written raw"])
    assert found is not None
    assert found.sureness is LIKELY


@pytest.mark.parametrize(
    ("name", "decoded"),
    [("my%20key", "my key"), ("caf%c3%a9", "café"), ("a%2bb_c", "a+b_c")],
)
def test_names_of_properties(name: str, decoded: str) -> None:
    found = name_reading(name)
    assert found is not None
    assert (found.text, found.sureness) == (decoded, UNSURE)


@pytest.mark.parametrize("name", ["key", "my%20Key", "caf%C3%A9", "%41", "a%2fb", "%ff", "100%"])
def test_names_that_v1_cannot_have_written(name: str) -> None:
    assert name_reading(name) is None


@pytest.mark.parametrize(
    "text", ["my image", "café 日本", '[{"a": 1}]', "a+b~c,d:e/f", "100% = 1"]
)
def test_the_client_of_today_is_read(text: str) -> None:
    written = encoded_by_client(text)
    found = reading(written)
    assert written != text
    assert found is not None
    assert (found.text, found.sureness is not UNSURE) == (text, True)


@given(st.text(max_size=20))
def test_whatever_is_read_encodes_to_the_same(text: str) -> None:
    found = reading(urllib.parse.quote(text, "/:"))
    if found is None:
        assert urllib.parse.quote(text, "/:") == text
    else:
        assert found.text == text


@given(st.text(st.characters(codec=None), max_size=20))
def test_any_text_can_be_asked_about(text: str) -> None:
    found = reading(text)
    assert found is None or urllib.parse.unquote(text) == found.text
    assert name_reading(text) is None or "%" in text
