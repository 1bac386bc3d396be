# SPDX-License-Identifier: Apache-2.0
"""The stored results of real servers, and the comparison with a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, cast

FOLDER = Path(__file__).parent / "results"

#: The longest reason that is stored, in characters; longer ones are output of programs.
_REASON = 160

Status = Literal["passed", "skipped", "failed"]


class Outcome(NamedTuple):
    """What became of a test, and the reason given for a skip or a failure."""

    status: Status
    reason: str = ""


Outcomes = Mapping[str, Outcome]


def read(file: Path) -> Outcomes:
    """Return the outcomes in a JSON file, by the id of the test.

    :raises OSError: when the file cannot be read.
    """
    raw: dict[str, tuple[str, str]] = json.loads(file.read_text())
    return {name: Outcome(cast(Status, status), reason) for name, (status, reason) in raw.items()}


def stored(suite: str) -> Outcomes:
    """Return the outcomes of a suite with a real server.

    :raises OSError: when they were never stored.
    """
    return read(FOLDER / f"{suite}.json")


def store(suite: str, outcomes: Outcomes) -> None:
    """Store the outcomes of a suite with a real server."""
    short = {name: [one.status, one.reason[:_REASON]] for name, one in outcomes.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(short.items())]
    (FOLDER / f"{suite}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def count(outcomes: Outcomes) -> str:
    """Return the numbers of tests for a person, such as ``3 passed, 1 skipped``."""
    numbers = Counter(one.status for one in outcomes.values())
    return ", ".join(f"{number} {status}" for status, number in sorted(numbers.items()))


def differences(real: Outcomes, found: Outcomes, unequal: Mapping[str, str]) -> list[str]:
    """Return a line for each test whose status differs from the one with the real server.

    :param unequal: the reason why a test has to differ, by its id; a test that does not differ
        must not have one.
    """
    lines = []
    nothing = Outcome("skipped", "not run")
    for name in sorted({*real, *found}):
        wanted, got = real.get(name, nothing), found.get(name, nothing)
        differs = wanted.status != got.status
        if differs and name not in unequal:
            lines.append(
                f"{name}: {wanted.status} with the real server ({wanted.reason or 'no reason'}),"
                f" {got.status} here ({got.reason or 'no reason'})"
            )
        elif not differs and name in unequal:
            lines.append(f"{name}: listed in unequal, but {got.status} as with the real server")
    return lines
