# SPDX-License-Identifier: Apache-2.0
"""Nova's own functional tests, with the library in place of Nova's image module.

``GLANCE_COMPAT_NOVA_TESTS=all`` runs all selected tests; by default only the fast ones run.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.nova import functional, tree
from tests.nova.selection import CANNOT_ON_V1, LEFT_OUT, OFTEN, SELECTED


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the folder of Nova's source."""
    place = os.environ.get("GLANCE_COMPAT_NOVA_SOURCE")
    return tree.unpacked(Path(place) if place else tmp_path_factory.mktemp("nova"))


@pytest.mark.parametrize("api", ["v2", "v1"])
def test_nova_tests_pass_with_replacement(api: str, source: Path) -> None:
    everything = os.environ.get("GLANCE_COMPAT_NOVA_TESTS") == "all"
    names = SELECTED if everything else OFTEN
    found = functional.run(names, "drop-in", api, source, workers=2)
    assert "\n".join(functional.unexpected(names, found, api)) == ""
    assert len(found) >= len(names)


def test_selection_is_large_enough() -> None:
    assert len(set(SELECTED)) == len(SELECTED) >= 100
    assert len(set(OFTEN)) == len(OFTEN) >= 20
    assert set(OFTEN) | set(CANNOT_ON_V1) <= set(SELECTED)
    assert set(LEFT_OUT).isdisjoint(SELECTED)
    assert set(OFTEN).isdisjoint(CANNOT_ON_V1)
