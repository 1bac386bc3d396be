# SPDX-License-Identifier: Apache-2.0
"""Every verified fact has a verdict, and every verdict an existing test."""

from __future__ import annotations

import collections
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from glance_compat.metadata.deviations import DEVIATIONS
from tests.conftest import COLLECTED
from tests.facts import FACTS, SECTIONS
from tests.facts.rows import Fact, Verdict

ROOT = Path(__file__).parents[2]


def test_every_test_of_a_fact_exists(pytestconfig: pytest.Config) -> None:
    collected: frozenset[str] = pytestconfig.stash[COLLECTED]
    missing = missing_from(collected)
    if missing:
        # This run may have collected only some of the tests.
        files = {node.partition("::")[0] for _fact, node in missing}
        missing = missing_from(collected.union(collect(sorted(files))))
    assert [f"{fact}: {node}" for fact, node in missing] == []


def missing_from(node_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return the name of a fact and the test that it names, for each test that does not exist."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for node_id in node_ids:
        test, bracket, case = node_id.partition("[")
        found[test].append(case.removesuffix("]") if bracket else "")
    return [(fact.name, node) for fact in FACTS for node in fact.tests if not _exists(node, found)]


def _exists(node: str, collected: dict[str, list[str]]) -> bool:
    test, _, case = node.partition("[")
    wanted = case.removesuffix("]")
    return any(wanted in parameters for parameters in collected.get(test, []))


def collect(files: Iterable[str]) -> list[str]:
    """Return the node ids of all tests of some files, collected by another process."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-m", "functional or not functional", *filter(is_file, files)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    return [line for line in run.stdout.splitlines() if "::" in line]


def is_file(path: str) -> bool:
    """Return whether a test file exists."""
    return (ROOT / path).is_file()


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ({"fact": "no full stop"}, "full stop"),
        ({"seen": ()}, "release"),
        ({"tests": ()}, "tests"),
        ({"tests": ("tests/a.py::test_a",) * 2}, "twice"),
        ({"reason": "said although it is applicable"}, "reason"),
        ({"deviation": "said although it is bridged"}, "deviation"),
        ({"verdict": Verdict.DEVIATION}, "deviation"),
        ({"verdict": Verdict.NOT_APPLICABLE, "tests": ()}, "reason"),
        ({"verdict": Verdict.FIXTURE}, "fixture"),
        ({"tests": ("tests/unit/fixture/test_a.py::test_a",)}, "library"),
    ],
)
def test_incomplete_fact_is_refused(fact: dict[str, Any], message: str) -> None:
    complete: dict[str, Any] = {
        "name": "a",
        "seen": ("33",),
        "fact": "It is so.",
        "verdict": Verdict.BRIDGED,
        "tests": ("tests/a.py::test_a",),
    }
    Fact(**complete)
    with pytest.raises(ValueError, match=message):
        Fact(**{**complete, **fact})


def test_deviations_of_facts_are_the_declared_rows() -> None:
    named = {fact.deviation for fact in FACTS if fact.deviation}
    assert named == {row.name for row in DEVIATIONS}


def test_facts_are_unique() -> None:
    for values in ([fact.name for fact in FACTS], [fact.fact for fact in FACTS]):
        assert [one for one, times in collections.Counter(values).items() if times > 1] == []


def test_every_section_has_facts() -> None:
    modules = {path.stem for path in (ROOT / "tests" / "facts").glob("*.py")}
    assert set(SECTIONS) == modules - {"__init__", "rows"}
    assert all(SECTIONS.values())
