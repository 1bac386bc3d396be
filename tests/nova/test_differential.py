# SPDX-License-Identifier: Apache-2.0
"""The same calls of Nova's own module and of the library's, on Glance 33.

Each difference must be documented, with the exact outcome of both sides.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract import targets
from tests.contract.targets import Kind, Target
from tests.nova.cases import CASES
from tests.nova.differences import DIFFERENCES, differing, fits
from tests.nova.sides import MODULES, Side, World, configured, populate

pytest_plugins = ["tests.contract.conftest"]


def is_33(kind: Kind) -> bool:
    return kind.release == "33" and not kind.sockets


@pytest.fixture(scope="module")
def world(target: Target) -> Iterator[World]:
    with configured(target):
        yield populate(target)


def outcome(name: str, world: World, module: str) -> object:
    """Return the result of a case, or the name of its exception."""
    try:
        return world.label(CASES[name](Side(MODULES[module], world)))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome
        kind = type(error)
        return f"{kind.__module__}.{kind.__name__}"


@targets.only(is_33)
@pytest.mark.parametrize("name", CASES)
def test_results_equal_novas_except_known_differences(name: str, world: World) -> None:
    novas, ours = outcome(name, world, "nova"), outcome(name, world, "drop-in")
    difference = DIFFERENCES.get(name)
    if difference is None:
        assert ours == novas
    else:
        assert ours != novas, f"no longer a difference: {difference.why}"
        left, right = differing(novas, ours)
        assert left == difference.novas, difference.why
        assert fits(difference.ours, right), difference.why


def test_every_known_difference_belongs_to_a_call() -> None:
    assert len(CASES) >= 150
    assert set(DIFFERENCES) <= set(CASES)
