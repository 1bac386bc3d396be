# SPDX-License-Identifier: Apache-2.0
"""checks: which values a definition allows, and what is said of the others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from glance_compat.definitions.checks import find_problems, make_check
from glance_compat.definitions.documents import parse_namespace
from glance_compat.definitions.properties import Definitions
from tests.cases import in_one_test
from tests.unit.definitions.namespaces import defined, namespace, schema

#: The keywords of a definition, values that it allows, and values that it does not allow.
RULES: tuple[tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]], ...] = (
    ({}, ("", "any", "7"), ("a" * 65_536,)),
    ({"enum": ["a", "b"]}, ("a", "b"), ("", "c", "A", "a ")),
    ({"minLength": 2, "maxLength": 3}, ("ab", "äöü"), ("a", "abcd", "")),
    ({"pattern": "^[a-z]+$"}, ("abc",), ("", "a1", "abc\n", "a" * 2000)),
    ({"type": "integer"}, ("7", "-7", "+7"), ("", "x", "7.0", "true")),
    ({"type": "integer", "minimum": 1, "maximum": 8}, ("1", "8"), ("0", "9", "-1")),
    ({"type": "integer", "enum": ["1", 2]}, ("1", "2", "01"), ("3", "1.0")),
    ({"type": "number", "minimum": 0.5}, ("0.5", "1", "1e3"), ("0.4", "nan", "-1")),
    ({"type": "number", "maximum": 2}, ("2", "-5", "2.0"), ("2.01",)),
    ({"type": "boolean"}, ("true", "False"), ("yes", "1", "")),
    ({"type": "boolean", "enum": [True]}, ("true", "TRUE"), ("false",)),
    ({"type": "object"}, ("", "{}", "x"), ()),
    ({"type": "null"}, ("", "x"), ()),
    # Operators.
    ({"enum": ["a", "b"], "operators": ["<or>"]}, ("a", "<or> a", "<or> a <or> b"), ("<or> c",)),
    ({"enum": ["a"], "operators": ["<or>"]}, ("a",), ("<in> a", "<or>", "<or> a <or> c", "a,a")),
    ({"type": "integer", "operators": ["<or>"]}, ("1", "<or> 1 <or> 2"), ("<or> x",)),
    # Lists.
    ({"type": "array"}, ("", "a", "a,b", "<in> a,b", "<or> a <or> b"), ("a," * 1000,)),
    (
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        ("a", "b, a", "<all-in> a b", ""),
        ("c", "a,c", "a,", "<or> a <or> c"),
    ),
    ({"type": "array", "items": {"type": "integer"}}, ("1,2",), ("1,x",)),
    ({"type": "array", "minItems": 2, "maxItems": 3}, ("a,b", "a,b,c"), ("a", "", "a,b,c,d")),
    ({"type": "array", "uniqueItems": True}, ("a,b",), ("a,b,a",)),
    ({"type": "array", "uniqueItems": False}, ("a,a",), ()),
    ({"type": "array", "operators": ["<or>"], "items": {"enum": ["a"]}}, ("<or> a",), ("<in> a",)),
    # Definitions that contradict themselves allow nothing.
    ({"type": "integer", "minimum": 5, "maximum": 1}, (), ("1", "3", "5")),
    ({"enum": []}, (), ("", "a")),
    ({"type": "integer", "enum": ["one"]}, (), ("1", "one")),
    ({"minLength": 5, "maxLength": 1}, (), ("", "abc", "abcdef")),
)


@in_one_test("keywords, allowed, refused", RULES)
def test_rules(
    keywords: dict[str, Any], allowed: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    definition = defined(**keywords)
    definitions = Definitions([definition])

    def is_allowed(value: str) -> bool:
        return not find_problems(definitions, {"p": value})

    assert [value for value in allowed if not is_allowed(value)] == []
    assert [value[:20] for value in refused if is_allowed(value)] == []
    if not allowed and "enum" not in keywords:
        assert not make_check(definition)("1")


DESCRIPTIONS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "a string"),
    ({"minLength": 1, "maxLength": 3}, "a string with a length from 1 to 3 characters"),
    ({"maxLength": 3}, "a string with a length of at most 3 characters"),
    ({"pattern": "^a$"}, "a string that matches '^a$'"),
    ({"enum": ["a", "\n"]}, "one of 'a', '\\n'"),
    ({"enum": list(map(str, range(30)))}, "'19' and 10 more"),
    ({"enum": []}, "nothing, because the definition contradicts itself"),
    ({"type": "integer", "minimum": 0}, "an integer of at least 0"),
    ({"type": "number", "minimum": 0, "maximum": 1.5}, "a number from 0 to 1.5"),
    ({"type": "boolean"}, "true or false"),
    ({"type": "object"}, "any value"),
    ({"type": "array"}, "a list of items separated by commas"),
    (
        {"type": "array", "minItems": 1, "uniqueItems": True, "items": {"type": "integer"}},
        "a list of different items separated by commas, their number of at least 1, each of the"
        " type integer",
    ),
    (
        {"type": "array", "items": {"enum": ["a"]}},
        "a list of items separated by commas, each one of 'a'",
    ),
)


@in_one_test("keywords, text", DESCRIPTIONS)
def test_descriptions(keywords: dict[str, Any], text: str) -> None:
    assert defined(**keywords).allowed.endswith(text)


def definitions(*documents: dict[str, Any]) -> Definitions:
    found = [parse_namespace(one) for one in documents]
    return Definitions([one for each in found for one in each.definitions])


def test_value_is_allowed_by_one_of_several_namespaces() -> None:
    both = definitions(
        namespace({"model": schema(enum=["a"])}, "A"),
        namespace({"model": schema(enum=["b"])}, "B"),
    )
    assert find_problems(both, {"model": "a"}) == find_problems(both, {"model": "b"}) == []
    [problem] = find_problems(both, {"model": "c"})
    assert (problem.name, problem.value) == ("model", "c")
    assert problem.allowed == "one of 'a', or one of 'b'"
    assert [one.namespace for one in problem.definitions] == ["A", "B"]


def test_description_of_many_definitions_is_short() -> None:
    found = definitions(
        *(namespace({"p": schema(enum=[f"v{one}"])}, f"N{one}") for one in range(20))
    )
    [problem] = find_problems(found, {"p": "x"})
    assert problem.allowed == (
        "one of 'v0', or one of 'v1', or one of 'v2', or what 13 more definitions allow"
    )


def test_properties_without_a_definition_are_not_checked() -> None:
    assert find_problems(definitions(namespace({})), {"p": "x", "": ""}) == []


@in_one_test("name", ["HW_Disk_bus", "hw-disk-bus", "hw_disk_bus"])
def test_names_are_compared_as_v1_stores_them(name: str) -> None:
    found = definitions(namespace({"hw_disk_bus": schema(enum=["ide"])}))
    assert found.find("hw_disk_bus") is found.find(name)
    assert [one.name for one in find_problems(found, {name: "x"})] == [name]


def test_exact_name_precedes_folded_name() -> None:
    found = definitions(namespace({"a_b": schema(enum=["1"]), "A-B": schema(enum=["2"])}))
    assert [one.enum for one in found.find_all("a_b")] == [("1",)]
    assert [one.enum for one in found.find_all("A-B")] == [("2",)]
    assert [one.enum for one in found.find_all("A_B")] == [("1",), ("2",)]


def test_definitions_can_be_searched_and_printed() -> None:
    found = definitions(namespace({"a": schema(enum=["1"]), "b\n": schema()}, "N"))
    assert found.find("none") is None
    assert found.find_all("none") == ()
    assert [one.name for one in found] == ["a", "b\n"]
    assert (len(found), bool(Definitions())) == (2, False)
    assert repr(found) == "<Definitions: 2 in 1 namespaces>"
    assert str(found) == "a: one of '1' (N)\n'b\\n': a string (N)"


@pytest.mark.slow
def test_ten_thousand_checks_take_less_than_a_second() -> None:
    keywords: tuple[dict[str, Any], ...] = (
        {"enum": [f"value{number}" for number in range(20)]},
        {"type": "integer", "minimum": 0, "maximum": 100},
        {"type": "boolean"},
        {"pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        {"type": "array", "items": {"enum": ["a", "b"]}},
    )
    document = namespace({f"p{n}": schema(**one) for n, one in enumerate(keywords)})
    defined_all = definitions(document)
    values = ("value19", "50", "true", "01234567-89ab-cdef-0123-456789abcdef", "<or> a <or> b")
    properties = {f"p{n}": value for n, value in enumerate(values)}
    started = time.thread_time()
    for _ in range(10_000 // len(properties)):
        assert find_problems(defined_all, properties) == []
    assert time.thread_time() - started < 1
