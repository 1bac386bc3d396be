# SPDX-License-Identifier: Apache-2.0
"""Formatting of values: no control character in metadata reaches a terminal."""

from __future__ import annotations

import csv
import datetime
import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glance_compat.cli import formatting
from glance_compat.discovery.versions import OfferedVersion
from tests.cases import in_one_test

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
TEXT_FORMATS = ("table", "value", "csv", "shell", "a format of another package")


@in_one_test(
    ("text", "written"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x00\x07\x08", "\\x00\\x07\\x08"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x7f", "\\x7f"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("\u202egnp.exe\u202c", "\\u202egnp.exe\\u202c"),
        ("\u2066\u2069\u200f\u200b", "\\u2066\\u2069\\u200f\\u200b"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("café 日本 \U0001f600 a\u0301", "café 日本 \U0001f600 a\u0301"),
        ("C:\\x1b", "C:\\x1b"),
        ("", ""),
    ],
)
def test_control_characters_are_escaped(text: str, written: str) -> None:
    assert formatting.escape_controls(text) == written


@given(ANY_TEXT)
def test_escaping_is_safe_and_idempotent(text: str) -> None:
    written = formatting.escape_controls(text)
    assert {unicodedata.category(one) for one in written} & {"Cc", "Cf", "Cs", "Zl", "Zp"} == set()
    assert formatting.escape_controls(written) == written
    written.encode("utf-8")


@given(st.dictionaries(ANY_TEXT, st.lists(ANY_TEXT, max_size=2) | ANY_TEXT, max_size=3))
@pytest.mark.parametrize("output_format", TEXT_FORMATS)
def test_structure_is_escaped_in_text_formats(
    output_format: str, value: dict[str, object]
) -> None:
    # The table itself adds the line breaks between entries.
    written = str(formatting.formatter_for(output_format)(value)).replace("\n", "")
    assert formatting.escape_controls(written) == written


@given(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3))
def test_structure_is_valid_json_in_value_format(value: dict[str, str]) -> None:
    assert json.loads(str(formatting.formatter_for("value")(value))) == value


@given(ANY_TEXT)
def test_message_becomes_one_safe_line(text: str) -> None:
    written = formatting.to_one_line(text)
    assert formatting.escape_controls(written) == written
    assert len(written.splitlines()) <= 1


def test_lines_of_message_are_joined() -> None:
    assert formatting.to_one_line("  one\n\n  two\r\nthree\x1b") == "one two three\\x1b"


@in_one_test(
    ("value", "written"),
    [
        (
            datetime.datetime(2026, 11, 23, 17, 48, 19, tzinfo=datetime.timezone.utc),
            "2026-11-23T17:48:19Z",
        ),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((2, None), [2, None]),
        ((OfferedVersion("v2.5", "CURRENT"),), [{"id": "v2.5", "status": "CURRENT"}]),
        ({"a": ("b",)}, {"a": ["b"]}),
        ("\x1b", "\x1b"),
        (None, None),
        (True, True),
    ],
)
@in_one_test("output_format", ["json", "yaml"])
def test_json_and_yaml_get_plain_values(
    output_format: str, value: object, written: object
) -> None:
    assert formatting.formatter_for(output_format)(value) == written


def test_table_has_one_line_per_entry() -> None:
    write = formatting.formatter_for("table")
    assert write({"os": "linux", "evil\n": "'\x1b'", "map": [{"a": 1}]}) == (
        "os='linux'\nevil\\n=''\\x1b''\nmap=[{\"a\": 1}]"
    )
    assert write(["one", {"a": "\x7f"}]) == 'one\n{"a": "\\u007f"}'
    assert write(None) is None


def test_csv_keeps_numbers_and_none() -> None:
    write = formatting.formatter_for("csv")
    rows = io.StringIO()
    csv.writer(rows, quoting=csv.QUOTE_NONNUMERIC).writerow([write(17), write("a"), write(None)])
    assert rows.getvalue() == '17,"a",""\r\n'
