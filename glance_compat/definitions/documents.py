# SPDX-License-Identifier: Apache-2.0
"""Read property definitions from the JSON of a namespace.

A namespace has the same form in a response of Glance and in the files that Glance ships. On some
clouds every tenant may write namespaces, so a document may be hostile: only the keywords that
metadata definitions have are read, each with its type and a bounded size, to a fixed depth.

What must live here: the form and the limits of a namespace. What must not: I/O.

Sources: glance/api/v2/model/metadef_property_type.py and metadef_namespace.py of Glance 15.0.2 and
33, and the files in etc/metadefs of Glance 33.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping

from glance_compat.definitions import patterns
from glance_compat.definitions.properties import Definition, Scalar
from glance_compat.redaction import quote_value

RESOURCE_TYPE = "OS::Glance::Image"

#: Maximum size of the JSON of a namespace, in bytes. The largest that Glance 33 ships has 20 KB.
NAMESPACE_BYTES = 2**20
#: Maximum number of properties that a namespace defines.
MOST_PROPERTIES = 1000
#: Maximum number of values in an enumeration.
_MOST_VALUES = 1000
#: Maximum length of the name of a namespace or property, of a prefix, and of an operator.
#: Glance 15.0.2 limits the names of properties to 255 characters, Glance 33 to 80.
_NAME_CHARACTERS = 255
#: Maximum length of a value in an enumeration, in characters.
_VALUE_CHARACTERS = 1024
#: Number of characters that are kept of a title or description.
_TEXT_CHARACTERS = 2000
#: Maximum absolute value of a number.
_LARGEST = 10**18

_TYPES = frozenset({"array", "boolean", "integer", "number", "object", "string", "null"})

#: Keywords that are known, but not checked.
_NOT_CHECKED = frozenset({"additionalItems", "confidential", "default", "readonly", "required"})


class MalformedError(Exception):
    """A document is not a namespace, or exceeds a limit; the message says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Namespace:
    """What a namespace defines for images.

    :param name: the name of the namespace.
    :param definitions: the definitions; none if it is not associated with images.
    :param remarks: what is in the namespace, but is not checked.
    """

    name: str
    definitions: tuple[Definition, ...]
    remarks: tuple[str, ...] = ()


def parse_namespace(document: object) -> Namespace:
    """Return the definitions in the JSON of a namespace.

    :raises MalformedError: the document is not a namespace, or exceeds a limit.
    """
    whole = _object(document, "the document")
    name = _string(whole.get("namespace"), "namespace", _NAME_CHARACTERS)
    prefix = _find_prefix(whole)
    if prefix is None:
        return Namespace(name, ())
    remarks: list[str] = []
    found: list[Definition] = []
    for property_name, schema in _iter_properties(whole):
        if len(found) >= MOST_PROPERTIES:
            raise MalformedError(f"it defines more than {MOST_PROPERTIES} properties")
        full_name = _string(prefix + property_name, "a property's name", _NAME_CHARACTERS)
        found.append(_parse_property(full_name, name, schema, remarks))
    return Namespace(name, tuple(found), tuple(dict.fromkeys(remarks)))


def _find_prefix(whole: Mapping[str, object]) -> str | None:
    """Return the prefix of image properties, or None if the namespace is not for images."""
    for entry in _list(whole.get("resource_type_associations"), "resource_type_associations"):
        association = _object(entry, "a resource type")
        if association.get("name") == RESOURCE_TYPE:
            prefix = association.get("prefix")
            return "" if prefix is None else _string(prefix, "prefix", _NAME_CHARACTERS, least=0)
    return None


def _iter_properties(whole: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the properties of a namespace, and then those of its objects."""
    yield from _object(whole.get("properties") or {}, "properties").items()
    for entry in _list(whole.get("objects"), "objects"):
        held = _object(entry, "an object")
        yield from _object(held.get("properties") or {}, "properties of an object").items()


def _parse_property(name: str, namespace: str, schema: object, remarks: list[str]) -> Definition:
    keywords = {
        keyword: value
        for keyword, value in _object(schema, f"property {quote_value(name)}").items()
        if value is not None
    }
    unknown = keywords.keys() - _READERS.keys() - _NOT_CHECKED - {"name"}
    if unknown:
        remarks.append(f"unknown keywords are ignored: {quote_value(sorted(unknown))}")
    attributes: dict[str, typing.Any] = {}
    for keyword, (attribute, read) in _READERS.items():
        if keyword in keywords:
            what = f"{keyword} of property {quote_value(name)}"
            attributes[attribute] = read(keywords[keyword], what)
    attributes.update(attributes.pop("items", {}))
    if "type" not in attributes:
        raise MalformedError(f"property {quote_value(name)} has no type")
    pattern = attributes.get("pattern")
    if pattern is not None:
        try:
            patterns.compile_pattern(pattern)
        except patterns.UnsupportedError as error:
            remarks.append(f"the pattern of property {quote_value(name)} is not checked: {error}")
            del attributes["pattern"]
    return Definition(name, namespace, **attributes)


# -- values of keywords


def _object(value: object, what: str) -> Mapping[str, typing.Any]:
    if not isinstance(value, dict):
        raise MalformedError(f"{what} is not an object")
    return value


def _list(value: object, what: str) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError(f"{what} is not a list")
    if len(value) > _MOST_VALUES:
        raise MalformedError(f"{what} has more than {_MOST_VALUES} values")
    return value


def _string(value: object, what: str, most: int, *, least: int = 1) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise MalformedError(f"{what} is not a string of {least} to {most} characters")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"{what} is not a string")
    return value[:_TEXT_CHARACTERS]


def _type(value: object, what: str) -> str:
    if not isinstance(value, str) or value not in _TYPES:
        raise MalformedError(f"{what} is not a type: {quote_value(value)}")
    return value


def _boolean(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise MalformedError(f"{what} is not a boolean")
    return value


def _number(value: object, what: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = typing.cast(float, value)
    # NaN and infinity are not in this range either.
    if not is_number or not abs(number) <= _LARGEST:
        raise MalformedError(f"{what} is not a number of at most {_LARGEST}")
    return number


def _count(value: object, what: str) -> int:
    number = _number(value, what)
    if not isinstance(number, int) or number < 0:
        raise MalformedError(f"{what} is not a whole number of at least 0")
    return number


def _scalars(value: object, what: str) -> tuple[Scalar, ...]:
    return tuple(_scalar(one, what) for one in _list(value, what))


def _scalar(value: object, what: str) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _string(value, what, _VALUE_CHARACTERS, least=0)
    return _number(value, what)


def _operators(value: object, what: str) -> tuple[str, ...]:
    return tuple(_string(one, what, _NAME_CHARACTERS) for one in _list(value, what))


def _pattern(value: object, what: str) -> str:
    return _string(value, what, _VALUE_CHARACTERS)


def _items(value: object, what: str) -> dict[str, typing.Any]:
    items = _object(value, what)
    found: dict[str, typing.Any] = {}
    if items.get("type") is not None:
        found["item_type"] = _type(items["type"], f"type of {what}")
    if items.get("enum") is not None:
        found["item_enum"] = _scalars(items["enum"], f"enum of {what}")
    return found


#: The keywords that are read: the attribute of a definition, and the function that reads a value.
_READERS: Mapping[str, tuple[str, typing.Callable[[object, str], object]]] = {
    "type": ("type", _type),
    "title": ("title", _text),
    "description": ("description", _text),
    "enum": ("enum", _scalars),
    "minimum": ("minimum", _number),
    "maximum": ("maximum", _number),
    "minLength": ("min_length", _count),
    "maxLength": ("max_length", _count),
    "pattern": ("pattern", _pattern),
    "operators": ("operators", _operators),
    "items": ("items", _items),
    "minItems": ("min_items", _count),
    "maxItems": ("max_items", _count),
    "uniqueItems": ("unique_items", _boolean),
}
