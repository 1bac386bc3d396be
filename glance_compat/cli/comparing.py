# SPDX-License-Identifier: Apache-2.0
"""Whether results that should be equal are equal, key by key.

What must live here: pure comparing. What must not: what is compared (see ``life``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping

#: Stands for a time in a dict that is written out by hand.
A_TIME = "a time"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """Something that should be equal and is not.

    :param where: which part of which result.
    :param values: what each side has there, by the side's name.
    """

    where: str
    values: Mapping[str, object]


def comparable(value: object) -> object:
    """A result without what no two servers share: an aware UTC time in whole seconds becomes
    A_TIME, any other time stays what it is."""
    if isinstance(value, datetime.datetime):
        whole = value.tzinfo is datetime.timezone.utc and value.microsecond == 0
        return A_TIME if whole else value
    if isinstance(value, Mapping):
        return {key: comparable(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [comparable(one) for one in value]
    return value


def differences(where: str, results: Mapping[str, object]) -> list[Difference]:
    """Compare results, key by key where all of them are dicts.

    :param where: what they are results of.
    :param results: by the name of the side that gave it.
    """
    sides = {name: comparable(value) for name, value in results.items()}
    dicts = {name: value for name, value in sides.items() if isinstance(value, dict)}
    if len(dicts) < len(sides):
        return [] if _alike(sides.values()) else [Difference(where, sides)]
    found = []
    for key in dict.fromkeys(key for one in dicts.values() for key in one):
        parts = {name: one.get(key, "(no such key)") for name, one in dicts.items()}
        if not _alike(parts.values()):
            found.append(Difference(f"{where}: {key}", parts))
    return found


def _alike(values: Iterable[object]) -> bool:
    typed = [_typed(value) for value in values]
    return all(one == typed[0] for one in typed)


def _typed(value: object) -> object:
    """The value with its type: to Python 0 equals False, to whoever reads a dict it does not."""
    if isinstance(value, dict):
        return {key: _typed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return type(value).__name__, value
