# SPDX-License-Identifier: Apache-2.0
"""Check the properties of an image against definitions, with jsonschema.

What must live here: the JSON schema of a definition, and the checks. What must not: the conversion
of strings (see ``values``), and what follows from a value that is not allowed (see
``enforcement``).
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping

from glance_compat.definitions import values
from glance_compat.definitions.patterns import UnsupportedError, compile_pattern
from glance_compat.definitions.properties import Definition, Definitions, Scalar

#: Maximum length of a value that is checked, in characters. Glance stores no longer one.
_MOST_CHARACTERS = 65_535
#: Maximum number of items in a list.
_MOST_ITEMS = 1000
#: Maximum number of definitions of one property that a value is compared with.
_MOST_DEFINITIONS = 16

#: Maximum number of definitions whose allowed values are described.
_SHOWN = 3

#: Whether the string of a property is what a definition allows.
Check = Callable[[str], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """A property whose value no definition allows.

    :param name: the name of the property.
    :param value: its value.
    :param definitions: the definitions of the property.
    """

    name: str
    value: str
    definitions: tuple[Definition, ...]

    @property
    def allowed(self) -> str:
        """A description of the allowed values."""
        found = list(dict.fromkeys(one.allowed for one in self.definitions))
        more = (
            [f"what {len(found) - _SHOWN} more definitions allow"] if len(found) > _SHOWN else []
        )
        return ", or ".join(found[:_SHOWN] + more)


def find_problems(definitions: Definitions, properties: Mapping[str, str]) -> list[Problem]:
    """Return the properties whose values no definition allows.

    :param properties: the values of properties, by name.
    """
    return [
        Problem(name, value, defined)
        for name, value in properties.items()
        if (defined := definitions.find_all(name)[:_MOST_DEFINITIONS])
        and not any(_is_allowed(value, one) for one in defined)
    ]


def _is_allowed(value: str, definition: Definition) -> bool:
    return len(value) <= _MOST_CHARACTERS and make_check(definition)(value)


#: Number of checks that are kept, of the definitions that were used last.
_KEPT = 1024


@functools.lru_cache(maxsize=_KEPT)
def make_check(definition: Definition) -> Check:
    """Return the function that checks a value against a definition."""
    if definition.type == "array":
        return _check_array(definition)
    if definition.type not in ("boolean", "integer", "number", "string"):
        return lambda text: True
    schema = _without_none(
        type=definition.type,
        enum=_converted(definition.enum, definition.type),
        minimum=definition.minimum,
        maximum=definition.maximum,
        minLength=definition.min_length,
        maxLength=definition.max_length,
        pattern=definition.pattern,
    )
    is_valid = _validator(schema)

    def check(text: str) -> bool:
        try:
            return is_valid(values.convert(text, definition.type))
        except values.WrongTypeError:
            return False

    if not definition.operators:
        return check
    return functools.partial(_check_alternatives, check, definition.operators)


def _check_alternatives(check: Check, operators: tuple[str, ...], text: str) -> bool:
    """Check a value, or each of the values after an operator, such as ``<or> a <or> b``."""
    operator, parts = values.split_operator(text, operators)
    if operator is None:
        return check(text)
    return 0 < len(parts) <= _MOST_ITEMS and all(map(check, parts))


def _check_array(definition: Definition) -> Check:
    item_type = definition.item_type
    items = _without_none(
        type=item_type if item_type in ("boolean", "integer", "number") else "string",
        enum=_converted(definition.item_enum, item_type),
    )
    is_valid = _validator(
        _without_none(
            type="array",
            items=items,
            minItems=definition.min_items,
            maxItems=definition.max_items,
            uniqueItems=definition.unique_items or None,
        )
    )
    operators = definition.operators or values.LIST_OPERATORS

    def check(text: str) -> bool:
        _, parts = values.split_operator(text, operators)
        if len(parts) > _MOST_ITEMS:
            return False
        try:
            return is_valid([values.convert(one, item_type) for one in parts])
        except values.WrongTypeError:
            return False

    return check


def _without_none(**keywords: object) -> dict[str, object]:
    return {name: value for name, value in keywords.items() if value is not None}


def _converted(enum: Iterable[Scalar] | None, to_type: str | None) -> list[object] | None:
    """Return the values of an enumeration in the type of the property.

    A value that is not of this type is left out: no string of a property is equal to it. Glance
    returns all values as strings (glance/api/v2/model/metadef_property_type.py).
    """
    return None if enum is None else list(_iter_converted(enum, to_type))


def _iter_converted(enum: Iterable[Scalar], to_type: str | None) -> Iterator[object]:
    for one in enum:
        text = str(one).lower() if isinstance(one, bool) else str(one)
        try:
            yield values.convert(text, to_type)
        except values.WrongTypeError:
            continue


def _validator(schema: Mapping[str, object]) -> Callable[[object], bool]:
    return typing.cast("Callable[[object], bool]", _validator_class()(schema).is_valid)


@functools.cache
def _validator_class() -> typing.Any:
    # Imported here, because it is an extra, and takes time.
    import jsonschema

    # The stubs of jsonschema give this function no types.
    extend: typing.Any = jsonschema.validators.extend
    return extend(jsonschema.Draft4Validator, {"pattern": _validate_pattern})


def _validate_pattern(
    validator: object, pattern: str, value: object, schema: object
) -> Iterator[Exception]:
    import jsonschema

    try:
        matches = compile_pattern(pattern).matches(str(value))
    except UnsupportedError:  # pragma: no cover - documents leaves such a pattern out
        return
    if not matches:
        yield jsonschema.ValidationError("does not match")
