# SPDX-License-Identifier: Apache-2.0
"""Run many small cases in one test, where a test for each costs more than the case itself."""

from __future__ import annotations

import functools
import inspect
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any

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


def in_one_test(
    names: str | Sequence[str],
    cases: Iterable[Any],
    ids: Callable[[Any], object] | Iterable[object] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test function for each case, all in one test.

    It takes the place of ``pytest.mark.parametrize``, whose arguments it has, where a case takes
    less time than pytest takes for a test, and where no fixture must be new for each case.

    :param ids: a name for each case, or a function that makes one of each value.
    """
    wanted = names.replace(" ", "").split(",") if isinstance(names, str) else list(names)
    rows = [_row(case, len(wanted)) for case in cases]
    if ids is None or callable(ids):
        named = ["-".join(str((ids or _shown)(value)) for value in row) for row in rows]
    else:
        named = [str(one) for one in ids]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**others: Any) -> None:
            check_each(
                (name, functools.partial(test, **others, **dict(zip(wanted, row, strict=True))))
                for name, row in zip(named, rows, strict=True)
            )

        signature = inspect.signature(test)
        left = [one for one in signature.parameters.values() if one.name not in wanted]
        # pytest takes the parameters that are left for fixtures.
        vars(run)["__signature__"] = signature.replace(parameters=left)
        return run

    return decorate


def _row(case: Any, size: int) -> tuple[Any, ...]:
    if isinstance(case, type(pytest.param())):
        return tuple(case.values)
    return tuple(case) if size > 1 else (case,)


def _shown(value: object) -> str:
    try:
        return repr(value)[:100]
    except ValueError:  # an integer of too many digits
        return type(value).__name__
