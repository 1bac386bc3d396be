# SPDX-License-Identifier: Apache-2.0
"""The decorator ``in_one_test`` runs every case, and reports every failed one."""

from __future__ import annotations

import inspect

import pytest

from tests.cases import in_one_test


def test_every_case_runs_and_every_failure_is_reported() -> None:
    seen = []

    @in_one_test("left, right", [(1, 1), (2, 3), pytest.param(4, 5)])
    @in_one_test("double", [False])
    def check(fixture: str, left: int, right: int, double: bool) -> None:
        seen.append((fixture, left, right, double))
        assert left == right

    assert list(inspect.signature(check).parameters) == ["fixture"]
    with pytest.raises(pytest.fail.Exception, match="2 of 3 cases") as failed:
        check(fixture="given")
    assert seen == [("given", 1, 1, False), ("given", 2, 3, False), ("given", 4, 5, False)]
    assert "--- 2-3\n" in str(failed.value)
    assert "--- 4-5\n" in str(failed.value)


def test_no_cases_are_a_failure() -> None:
    @in_one_test("one", [])
    def check(one: int) -> None:
        raise NotImplementedError

    with pytest.raises(AssertionError, match="no cases"):
        check()
