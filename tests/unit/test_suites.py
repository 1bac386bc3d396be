# SPDX-License-Identifier: Apache-2.0
"""The suites of other projects: their table, their stored results, and the comparison."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.cloud.layout import PINS
from tests.functional.cloud.topology import SERVERS, VARIANTS
from tests.suites import results
from tests.suites.catalog import SUITES
from tests.suites.results import Outcome

PASSED, SKIPPED, FAILED = Outcome("passed"), Outcome("skipped", "not here"), Outcome("failed", "E")

PROGRAM = Path(results.__file__).parent / "program.py"

MODULE = """
import unittest

class Plain(unittest.TestCase):
    def test_passes(self):
        pass

    def test_fails(self):
        self.assertEqual(1, 2)

    def test_is_skipped(self):
        self.skipTest("no server")

class Whole(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise unittest.SkipTest("no store")

    def test_one(self):
        pass

    def test_two(self):
        pass
"""


def test_equal_outcomes_have_no_differences() -> None:
    found = {"a": PASSED, "b": SKIPPED, "c": FAILED}
    assert results.differences(found, {**found, "b": Outcome("skipped", "other words")}, {}) == []


@pytest.mark.parametrize(
    ("real", "found"),
    [
        ({"a": PASSED}, {"a": FAILED}),
        ({"a": PASSED}, {"a": SKIPPED}),
        ({"a": FAILED}, {"a": PASSED}),
        ({"a": PASSED}, {}),
        ({}, {"a": PASSED}),
    ],
)
def test_other_outcome_is_a_difference_unless_it_has_a_reason(
    real: results.Outcomes, found: results.Outcomes
) -> None:
    [line] = results.differences(real, found, {})
    assert line.startswith("a: ")
    assert results.differences(real, found, {"a": "a reason"}) == []


def test_reason_without_a_difference_is_reported() -> None:
    [line] = results.differences({"a": PASSED}, {"a": PASSED}, {"a": "a reason"})
    assert "listed in unequal" in line


def test_program_writes_the_outcome_of_each_test(tmp_path: Path) -> None:
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "test_it.py").write_text(MODULE)
    file = tmp_path / "outcomes.json"
    subprocess.run(
        [sys.executable, str(PROGRAM), str(file), "pack"],
        env={"PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    assert results.read(file) == {
        "pack.test_it.Plain.test_passes": PASSED,
        "pack.test_it.Plain.test_fails": Outcome("failed", "AssertionError: 1 != 2"),
        "pack.test_it.Plain.test_is_skipped": Outcome("skipped", "no server"),
        "pack.test_it.Whole.test_one": Outcome("skipped", "no store"),
        "pack.test_it.Whole.test_two": Outcome("skipped", "no store"),
    }


@pytest.mark.parametrize("name", SUITES)
def test_suite_has_results_of_a_real_server(name: str) -> None:
    suite = SUITES[name]
    stored = results.stored(name)
    assert suite.region in {server.region for server in (*SERVERS, *VARIANTS)}
    assert (PINS / f"{suite.environment}.txt").is_file()
    assert set(suite.unequal) <= set(stored)
    assert sum(one.status == "passed" for one in stored.values()) > 5
    for test, one in stored.items():
        assert one.status == "passed" or one.reason, f"{test}: no reason"
    written = (results.FOLDER / f"{name}.json").read_text()
    assert list(json.loads(written)) == sorted(stored)
