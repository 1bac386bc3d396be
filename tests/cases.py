# SPDX-License-Identifier: Apache-2.0
"""Run many small cases in one test, where a test for each costs more than the case itself."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable

import pytest


def check_each(cases: Iterable[tuple[str, Callable[[], object]]]) -> None:
    """Run every case, and then fail with the names and tracebacks of all that failed.

    :param cases: the name of each case, and a function that runs it.
    """
    failures = []
    count = 0
    for name, run in cases:
        count += 1
        try:
            run()
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - reported, whatever it is
            failures.append(f"--- {name}\n{traceback.format_exc()}")
    assert count, "no cases"
    if failures:
        pytest.fail(f"{len(failures)} of {count} cases:\n{''.join(failures)}", pytrace=False)
