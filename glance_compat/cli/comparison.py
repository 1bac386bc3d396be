# SPDX-License-Identifier: Apache-2.0
"""Compare results that should be equal, key by key.

What must live here: pure comparing. What must not: what is compared (``demonstration``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

#: Stands for any time in an expected result.
ANY_TIME = "a time"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """Two or more values that should be equal and are not.

    :param where: the result, and the key in it.
    :param values: the value on each side, by the side's name.
    """

    where: str
    values: Mapping[str, object]


def normalize(value: object) -> object:
    """Replace what differs between servers: aware UTC times in whole seconds become ANY_TIME.

    Any other time stays, since the library must not return one.
    """
    if isinstance(value, datetime.datetime):
        is_valid = value.tzinfo is datetime.timezone.utc and value.microsecond == 0
        return ANY_TIME if is_valid else value
    if isinstance(value, Mapping):
        return {key: normalize(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalize(one) for one in value]
    return value


def find_differences(where: str, results: Mapping[str, object]) -> list[Difference]:
    """Compare results, key by key if all of them are dicts.

    :param where: the name of the result, for messages.
    :param results: by the name of the side.
    """
    sides = {name: normalize(value) for name, value in results.items()}
    dicts = {name: value for name, value in sides.items() if isinstance(value, dict)}
    if len(dicts) < len(sides):
        return [] if _are_equal(sides.values()) else [Difference(where, sides)]
    found = []
    for key in dict.fromkeys(key for one in dicts.values() for key in one):
        values = {name: one.get(key, "(no such key)") for name, one in dicts.items()}
        if not _are_equal(values.values()):
            found.append(Difference(f"{where}: {key}", values))
    return found


def _are_equal(values: Iterable[object]) -> bool:
    typed = [_with_type(value) for value in values]
    return all(one == typed[0] for one in typed)


def _with_type(value: object) -> object:
    """Return a value with its type, because in Python 0 equals False and 1 equals 1.0."""
    if isinstance(value, dict):
        return {key: _with_type(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_type(one) for one in value]
    return type(value).__name__, value
