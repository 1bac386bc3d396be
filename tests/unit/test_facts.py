# SPDX-License-Identifier: Apache-2.0
"""Every measured fact has a verdict, and every verdict a test that exists."""

from __future__ import annotations

import collections
import subprocess
import sys
from pathlib import Path

import pytest

from glance_compat.metadata.deviations import DEVIATIONS
from tests.facts import FACTS, SECTIONS
from tests.facts.page import PAGE, page
from tests.facts.rows import Fact, Verdict

ROOT = Path(__file__).parents[2]

facts = pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)


@pytest.fixture(scope="module")
def collected() -> dict[str, list[str]]:
    """Node id without parameters, to the parameters of each test that pytest finds."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, "-m", "functional or not functional", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
    found: dict[str, list[str]] = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        test, bracket, case = line.partition("[")
        if "::" in test:
            found[test].append(case.removesuffix("]") if bracket else "")
    return dict(found)


def test_every_test_of_a_fact_exists(collected: dict[str, list[str]]) -> None:
    missing = [
        f"{fact.name}: {node}"
        for fact in FACTS
        for node in fact.tests
        if not _exists(node, collected)
    ]
    assert missing == []


def _exists(node: str, collected: dict[str, list[str]]) -> bool:
    test, _, case = node.partition("[")
    wanted = case.removesuffix("]")
    return any(wanted in parameters for parameters in collected.get(test, []))


@facts
def test_a_fact_says_what_it_must(fact: Fact) -> None:
    assert isinstance(fact.verdict, Verdict)
    assert fact.fact.endswith(".")
    assert fact.seen
    assert bool(fact.tests) is (fact.verdict is not Verdict.NOT_APPLICABLE)
    assert len(set(fact.tests)) == len(fact.tests)
    assert bool(fact.reason) is (fact.verdict is Verdict.NOT_APPLICABLE)
    assert bool(fact.deviation) is (fact.verdict is Verdict.DEVIATION)


@facts
def test_a_fact_is_shown_where_it_matters(fact: Fact) -> None:
    # That the embedded server answers like the real one says nothing of the library.
    of_the_fixture = [node for node in fact.tests if node.startswith("tests/unit/fixture/")]
    of_the_library = [node for node in fact.tests if node not in of_the_fixture]
    if fact.verdict is Verdict.FIXTURE:
        assert of_the_fixture
    elif fact.verdict is not Verdict.NOT_APPLICABLE:
        assert of_the_library


def test_every_deviation_is_a_row_and_every_row_has_a_fact() -> None:
    named = {fact.deviation for fact in FACTS if fact.deviation}
    assert named == {row.name for row in DEVIATIONS}


def test_no_fact_is_told_twice() -> None:
    for told in ([fact.name for fact in FACTS], [fact.fact for fact in FACTS]):
        assert [one for one, times in collections.Counter(told).items() if times > 1] == []


def test_no_part_is_empty() -> None:
    modules = {path.stem for path in (ROOT / "tests" / "facts").glob("*.py")}
    assert set(SECTIONS) == modules - {"__init__", "page", "rows"}
    assert all(SECTIONS.values())


def test_the_page_of_the_documentation_is_made_from_the_tables() -> None:
    assert PAGE.read_text() == page(), "python -m tests.facts.page writes it"
