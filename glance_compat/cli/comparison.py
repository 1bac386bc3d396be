# SPDX-License-Identifier: Apache-2.0
"""Compare results that should be equal, key by key.

What must live here: functions that compare values, without I/O. What must not: the calls whose
results are compared (``demonstration``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

#: Stands for any time in an expected result.
ANY_TIME = "a time"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """Two or more values that should be equal but are not.

    :param where: the name of the result, and the key that differs.
    :param values: the differing values, by the name of the side, for example the server.
    """

    where: str
    values: Mapping[str, object]


def normalize(value: object) -> object:
    """Replace times, which differ between servers, by ANY_TIME.

    Only aware UTC times in whole seconds are replaced. The library must not return any other
    time, so such a time is kept and shows up as a difference.
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
    """Compare results; if all of them are dicts, compare them key by key.

    :param where: the name of the result, for display.
    :param results: the results, by the name of the side, for example the server.
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
    """Pair a value with its type name, because in Python 0 == False and 1 == 1.0."""
    if isinstance(value, dict):
        return {key: _with_type(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_type(one) for one in value]
    return type(value).__name__, value
