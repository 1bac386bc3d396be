# SPDX-License-Identifier: Apache-2.0
"""The definitions of image properties, as values that a program can search and print.

What must live here: these classes, and the description of what a definition allows. What must not:
reading definitions (see ``documents``), and checking values (see ``checks``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from glance_compat.metadata.property_names import fold_name
from glance_compat.redaction import quote_value

#: Maximum number of values in a description of what a definition allows.
_SHOWN_VALUES = 20

Scalar = str | int | float | bool


@dataclasses.dataclass(frozen=True, slots=True)
class Definition:
    """The definition of one image property in one namespace.

    An attribute is None, or an empty tuple, if the namespace does not define it.

    :param name: the name of the property, with the prefix of the resource type.
    :param namespace: the name of the namespace.
    :param type: "string", "integer", "number", "boolean" or "array"; values of another type are
        not checked.
    :param title: a title for people.
    :param description: a description for people.
    :param enum: the allowed values, or None for any.
    :param minimum: the lowest allowed number.
    :param maximum: the highest allowed number.
    :param min_length: the minimum length, in characters.
    :param max_length: the maximum length, in characters.
    :param pattern: the regular expression that a part of the value must match.
    :param operators: the operators that may stand before a value or a list of values.
    :param item_type: the type of the items of an array.
    :param item_enum: the allowed items of an array, or None for any.
    :param min_items: the minimum number of items of an array.
    :param max_items: the maximum number of items of an array.
    :param unique_items: whether the items of an array must be different.
    """

    name: str
    namespace: str
    type: str
    title: str = ""
    description: str = ""
    enum: tuple[Scalar, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    operators: tuple[str, ...] = ()
    item_type: str | None = None
    item_enum: tuple[Scalar, ...] | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False

    @property
    def allowed(self) -> str:
        """A description of the allowed values, such as "one of 'ide', 'scsi'"."""
        if self.type == "array":
            return self._describe_array()
        if self.enum is not None:
            return _describe_choice(self.enum)
        if self.type == "boolean":
            return "true or false"
        if self.type in ("integer", "number"):
            article = "an" if self.type == "integer" else "a"
            return f"{article} {self.type}{_describe_range(self.minimum, self.maximum)}"
        if self.type != "string":
            return "any value"
        characters = _describe_range(self.min_length, self.max_length)
        text = f"a string{f' with a length{characters} characters' if characters else ''}"
        return f"{text} that matches {quote_value(self.pattern)}" if self.pattern else text

    def _describe_array(self) -> str:
        number = _describe_range(self.min_items, self.max_items)
        items = "different items" if self.unique_items else "items"
        text = f"a list of {items} separated by commas"
        if number:
            text += f", their number{number}"
        if self.item_enum is not None:
            text += f", each {_describe_choice(self.item_enum)}"
        elif self.item_type not in (None, "string"):
            text += f", each of the type {self.item_type}"
        return text

    def __str__(self) -> str:
        return f"{_printable(self.name)}: {self.allowed} ({_printable(self.namespace)})"


class Definitions:
    """The definitions of image properties that are in force, in the order of their source.

    Several namespaces may define the same property; a value needs to be allowed by one of them.
    ``str()`` returns one line for each definition.

    :param definitions: the definitions.
    :param source: where they were read, for messages.
    """

    def __init__(self, definitions: Iterable[Definition] = (), source: str = "") -> None:
        self._all = tuple(definitions)
        self.source = source
        self._by_name: dict[str, tuple[Definition, ...]] = {}
        self._by_folded: dict[str, tuple[Definition, ...]] = {}
        for one in self._all:
            for index, key in ((self._by_name, one.name), (self._by_folded, fold_name(one.name))):
                index[key] = (*index.get(key, ()), one)

    def find(self, name: str) -> Definition | None:
        """Return the first definition of a property, or None if there is none."""
        return next(iter(self.find_all(name)), None)

    def find_all(self, name: str) -> tuple[Definition, ...]:
        """Return all definitions of a property.

        If no definition has exactly this name, names are compared as v1 stores them: in lower
        case, and with underscores for dashes.
        """
        return self._by_name.get(name) or self._by_folded.get(fold_name(name), ())

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        namespaces = len({one.namespace for one in self._all})
        return f"<Definitions: {len(self._all)} in {namespaces} namespaces>"

    def __str__(self) -> str:
        return "\n".join(map(str, self._all))


def _describe_choice(values: tuple[Scalar, ...]) -> str:
    if not values:
        return "nothing, because the definition contradicts itself"
    shown = ", ".join(map(quote_value, values[:_SHOWN_VALUES]))
    more = len(values) - _SHOWN_VALUES
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "")


def _describe_range(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return f" of at most {most}" if most is not None else ""


def _printable(text: str) -> str:
    return text if text.isprintable() else quote_value(text)
