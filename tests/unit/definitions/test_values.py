# SPDX-License-Identifier: Apache-2.0
"""values: the strings of properties, as numbers, booleans and lists."""

from __future__ import annotations

import pytest

from glance_compat.definitions.values import (
    LIST_OPERATORS,
    WrongTypeError,
    convert,
    split_operator,
)
from tests.cases import in_one_test

VALUES = (
    ("7", "integer", 7),
    ("+7", "integer", 7),
    ("-007", "integer", -7),
    ("1.50", "number", 1.5),
    ("-1e3", "number", -1000.0),
    ("12", "number", 12),
    ("9" * 300, "number", int("9" * 300)),
    ("true", "boolean", True),
    ("False", "boolean", False),
    ("TRUE", "boolean", True),
    ("7", "string", "7"),
    ("", "string", ""),
    ("x", "object", "x"),
    ("x", None, "x"),
)


@in_one_test("text, to_type, value", VALUES)
def test_converted_values(text: str, to_type: str | None, value: object) -> None:
    found = convert(text, to_type)
    assert (found, type(found)) == (value, type(value))


WRONG = {
    "integer": (
        "",
        " 7",
        "7 ",
        "7.0",
        "1e3",
        "0x7",
        "\u0667",
        "1_000",
        "--7",
        "9" * 301,
        "true",
        "7\n",
    ),
    "number": (
        "",
        "nan",
        "inf",
        "-Infinity",
        "1e999",
        "1.",
        ".5",
        "1e",
        "\u0667.5",
        "9" * 301,
        "1,5",
    ),
    "boolean": ("", "1", "0", "yes", "no", "on", " true", "none"),
}


@in_one_test("to_type, text", [(name, text) for name, texts in WRONG.items() for text in texts])
def test_string_of_another_type(to_type: str, text: str) -> None:
    with pytest.raises(WrongTypeError):
        convert(text, to_type)


LISTS: tuple[tuple[str, tuple[str | None, list[str]]], ...] = (
    ("<in> a,b", ("<in>", ["a", "b"])),
    ("<or> a <or> b", ("<or>", ["a", "b"])),
    ("<or>a", ("<or>", ["a"])),
    ("<all-in> a b,c", ("<all-in>", ["a", "b", "c"])),
    ("<in>", ("<in>", [])),
    ("a, b", (None, ["a", "b"])),
    ("a", (None, ["a"])),
    ("", (None, [])),
    ("a,", (None, ["a", ""])),
    ("<other> a", (None, ["<other> a"])),
)


@in_one_test("text, split", LISTS)
def test_lists(text: str, split: object) -> None:
    assert split_operator(text, LIST_OPERATORS) == split


def test_operator_that_is_not_defined_is_text() -> None:
    assert split_operator("<in> a,b", ("<or>",)) == (None, ["<in> a", "b"])
    # No form is known for this operator.
    assert split_operator("<= 5", ("<=",)) == (None, ["<= 5"])
