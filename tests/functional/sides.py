# SPDX-License-Identifier: Apache-2.0
"""One Glance 15.0.2 over v1 and over v2, for tests that compare them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract import targets
from tests.contract.targets import Target
from tests.functional.cloud import Cloud

REGIONS = {"v1": "pike-v1", "v2": "pike-v2"}

Sides = dict[str, Target]


@pytest.fixture(scope="module")
def sides(cloud: Cloud) -> Iterator[Sides]:
    """Provide a target for each API, by API; both use the same images."""
    kinds = {kind.name: kind for kind in targets.KINDS}
    found = {api: targets.real(kinds[region], cloud) for api, region in REGIONS.items()}
    yield found
    for target in found.values():
        target.clean()
