# SPDX-License-Identifier: Apache-2.0
"""Convert the string of a property to the type that its definition has.

Glance stores every property as a string. What must live here: the forms of numbers, booleans and
lists in such a string. What must not: the comparison with a definition (see ``checks``).
"""

from __future__ import annotations

import math
import re

#: More digits than any number of a definition has, and fewer than Python refuses to convert.
_DIGITS = 300
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}

#: An operator at the start of a value, such as "<in>".
_OPERATOR = re.compile(r"<[a-z-]{1,20}>")

#: The separator between the values after an operator; None: blanks and commas.
_SEPARATORS = {"<in>": ",", "<or>": "<or>", "<all-in>": None}


class WrongTypeError(Exception):
    """A string is not a value of the type."""


def convert(text: str, to_type: str | None) -> str | int | float | bool:
    """Return the value of a string; a string of a type that is not checked is returned unchanged.

    :param text: the value of a property, or an item of a list.
    :param to_type: "integer", "number", "boolean" or another type.
    :raises WrongTypeError: the string is not a value of this type.
    """
    if to_type == "boolean":
        value = _BOOLEANS.get(text.lower())
        if value is None:
            raise WrongTypeError
        return value
    if to_type == "integer":
        return _to_int(text)
    if to_type == "number":
        return _to_int(text) if _INTEGER.fullmatch(text) else _to_float(text)
    return text


def _to_int(text: str) -> int:
    if len(text) > _DIGITS or not _INTEGER.fullmatch(text):
        raise WrongTypeError
    return int(text)


def _to_float(text: str) -> float:
    if len(text) > _DIGITS or not _NUMBER.fullmatch(text):
        raise WrongTypeError
    number = float(text)
    if not math.isfinite(number):
        raise WrongTypeError
    return number


def split_operator(text: str, operators: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """Split a value into the operator at its start, and the values after it.

    :param text: the value of a property, such as ``<or> a <or> b`` or ``a, b``.
    :param operators: the operators that may be used.
    :returns: the operator, or None, and the values. Without an operator, the values are separated
        by commas.
    """
    found = _OPERATOR.match(text)
    operator = found[0] if found and found[0] in operators else None
    if operator is None or operator not in _SEPARATORS:
        return None, _strip(text.split(","))
    rest, separator = text[len(operator) :], _SEPARATORS[operator]
    if separator is None:
        return operator, rest.replace(",", " ").split()
    return operator, _strip(rest.split(separator))


#: The operators of lists whose definition names none.
LIST_OPERATORS = tuple(_SEPARATORS)


def _strip(values: list[str]) -> list[str]:
    stripped = [one.strip() for one in values]
    return [] if stripped == [""] else stripped
