# SPDX-License-Identifier: Apache-2.0
"""documents: the definitions in the JSON of a namespace, and the limits of such JSON."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.definitions import documents
from glance_compat.definitions.documents import MalformedError, Namespace, parse_namespace
from glance_compat.definitions.properties import Definition
from tests.cases import in_one_test
from tests.unit.definitions.namespaces import namespace, schema


def test_every_keyword_is_read() -> None:
    keywords = {
        "title": "A title",
        "description": "A description",
        "type": "array",
        "enum": ["a", 1, 2.5, True],
        "minimum": 1,
        "maximum": 2.5,
        "minLength": 3,
        "maxLength": 4,
        "pattern": "^a$",
        "operators": ["<in>"],
        "items": {"type": "string", "enum": ["x"]},
        "minItems": 5,
        "maxItems": 6,
        "uniqueItems": True,
        # Known, and not checked.
        "default": {"a": 1},
        "readonly": True,
        "confidential": False,
        "additionalItems": True,
        "required": ["x"],
        "name": "p",
    }
    found = parse_namespace(namespace({"p": keywords}))
    definition = Definition(
        name="p",
        namespace="Test::One",
        type="array",
        title="A title",
        description="A description",
        enum=("a", 1, 2.5, True),
        minimum=1,
        maximum=2.5,
        min_length=3,
        max_length=4,
        pattern="^a$",
        operators=("<in>",),
        item_type="string",
        item_enum=("x",),
        min_items=5,
        max_items=6,
        unique_items=True,
    )
    assert found == Namespace("Test::One", (definition,))


def test_null_keywords_count_as_absent() -> None:
    keywords = {"type": "string", "title": None, "enum": None, "pattern": None, "items": None}
    [found] = parse_namespace(namespace({"p": keywords})).definitions
    assert found == Definition("p", "Test::One", "string")


def test_names_have_the_prefix_of_the_resource_type() -> None:
    objects = [{"name": "o", "properties": {"b": schema()}}, {"name": "empty"}]
    found = parse_namespace(namespace({"a": schema()}, prefix="hw_", objects=objects))
    assert [one.name for one in found.definitions] == ["hw_a", "hw_b"]


@in_one_test(
    "associations", [None, [], [{"name": "OS::Nova::Flavor"}], [{"name": "os::glance::image"}]]
)
def test_namespace_of_other_resources_defines_nothing(associations: object) -> None:
    document = namespace({"a": schema()}) | {"resource_type_associations": associations}
    assert parse_namespace(document) == Namespace("Test::One", ())


def test_unknown_keywords_do_not_reach_the_definition() -> None:
    hostile = schema(**{"$ref": "http://example/schema", "allOf": [{}], "format": "regex"})
    found = parse_namespace(namespace({"p": hostile}))
    assert found.definitions == (Definition("p", "Test::One", "string", title="T"),)
    assert found.remarks == ("unknown keywords are ignored: ['$ref', 'allOf', 'format']",)


def test_unsupported_pattern_is_left_out() -> None:
    found = parse_namespace(namespace({"p": schema(pattern="(a+)\\1", maxLength=3)}))
    [definition] = found.definitions
    assert (definition.pattern, definition.max_length) == (None, 3)
    assert found.remarks == ("the pattern of property 'p' is not checked: it has the escape \\1",)


def test_long_descriptions_are_cut() -> None:
    [found] = parse_namespace(namespace({"p": schema(description="d" * 5000)})).definitions
    assert found.description == "d" * 2000


#: Documents that are malformed, and a part of the message.
MALFORMED: dict[str, tuple[object, str]] = {
    "not an object": ([], "the document is not an object"),
    "no name": (namespace({}) | {"namespace": None}, "namespace is not a string of 1 to 255"),
    "name too long": (namespace({}, name="n" * 256), "namespace is not a string of 1 to 255"),
    "properties": (namespace({}) | {"properties": ["p"]}, "properties is not an object"),
    "property": (namespace({"p": "string"}), "property 'p' is not an object"),
    "no type": (namespace({"p": {"title": "T"}}), "property 'p' has no type"),
    "type": (namespace({"p": schema(type="int")}), "is not a type: 'int'"),
    "types": (namespace({"p": schema(type=["string"])}), "is not a type"),
    "associations": (
        namespace({}) | {"resource_type_associations": {"name": "x"}},
        "resource_type_associations is not a list",
    ),
    "association": (
        namespace({}) | {"resource_type_associations": ["OS::Glance::Image"]},
        "a resource type is not an object",
    ),
    "prefix": (namespace({}, prefix="p" * 256), "prefix is not a string of 0 to 255"),
    "objects": (namespace({}, objects={}), "objects is not a list"),
    "object": (namespace({}, objects=["o"]), "an object is not an object"),
    "object's properties": (
        namespace({}, objects=[{"properties": [1]}]),
        "properties of an object is not an object",
    ),
    "empty name of property": (namespace({"": schema()}), "a property's name is not a string"),
    "enum": (namespace({"p": schema(enum="abc")}), "enum of property 'p' is not a list"),
    "enum of lists": (namespace({"p": schema(enum=[["a"]])}), "is not a number"),
    "enum of null": (namespace({"p": schema(enum=[None])}), "is not a number"),
    "long value": (namespace({"p": schema(enum=["a" * 1025])}), "0 to 1024 characters"),
    "many values": (namespace({"p": schema(enum=list(range(1001)))}), "more than 1000 values"),
    "minimum": (namespace({"p": schema(minimum="1")}), "minimum of property 'p' is not a number"),
    "maximum": (namespace({"p": schema(maximum=True)}), "is not a number"),
    "nan": (namespace({"p": schema(minimum=float("nan"))}), "is not a number"),
    "infinity": (namespace({"p": schema(minimum=float("inf"))}), "is not a number"),
    "huge": (namespace({"p": schema(minimum=10**400)}), "is not a number"),
    "length": (namespace({"p": schema(maxLength=-1)}), "is not a whole number of at least 0"),
    "fraction": (namespace({"p": schema(minLength=1.5)}), "is not a whole number"),
    "pattern": (namespace({"p": schema(pattern=["a"])}), "pattern of property 'p' is not a str"),
    "items": (namespace({"p": schema(items=[{}])}), "items of property 'p' is not an object"),
    "items' enum": (namespace({"p": schema(items={"enum": 1})}), "is not a list"),
    "uniqueItems": (namespace({"p": schema(uniqueItems=1)}), "is not a boolean"),
    "operators": (namespace({"p": schema(operators=[1])}), "operators of property 'p'"),
    "title": (namespace({"p": schema(title=1)}), "title of property 'p' is not a string"),
    "many properties": (
        namespace({f"p{number}": schema() for number in range(1001)}),
        "it defines more than 1000 properties",
    ),
}


@in_one_test("name", MALFORMED)
def test_malformed_namespace(name: str) -> None:
    document, message = MALFORMED[name]
    with pytest.raises(MalformedError) as caught:
        parse_namespace(document)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from([*documents._READERS, "x"]), inner)
    ),
    max_leaves=10,
)


@pytest.mark.slow
@hypothesis.given(keywords=JSON, objects=JSON)
def test_any_json_is_parsed_or_malformed(keywords: Any, objects: Any) -> None:
    document = namespace({"p": keywords}, objects=objects)
    try:
        found = parse_namespace(document)
    except MalformedError:
        return
    assert all(isinstance(one.allowed, str) for one in found.definitions)
