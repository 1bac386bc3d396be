# SPDX-License-Identifier: Apache-2.0
"""The embedded server responds like the real ones, with and without sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from glance_compat.fixture import GlanceFixture
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS
from tests.unit.fixture.wire.real import REGIONS, real, tokens_of, web
from tests.unit.fixture.wire.scenarios import SCENARIOS
from tests.unit.fixture.wire.steps import Scenario
from tests.unit.fixture.wire.targets import Difference, Play, Target, differences
from tests.unit.fixture.wire.twins import FRONT_ENDS, embedded, twin

pytestmark = pytest.mark.functional

CASES = [
    pytest.param(server, scenario, id=f"{server}-{scenario.name}")
    for server in REGIONS
    for scenario in SCENARIOS
    if server in scenario.servers
]

#: Maximum number of runs of a scenario.
PLAYS = 4


@pytest.fixture(scope="module")
def every_cloud(cloud: Cloud) -> Callable[[str], Cloud]:
    """Return a function that returns the cloud with a server; start variants on demand."""

    @cache
    def extended() -> Cloud:
        outcome = lifecycle.extend(Layout.from_environment(), print, (*SERVERS, *VARIANTS))
        return Cloud(outcome, cloud.unavailable)

    unusual = {variant.region for variant in VARIANTS}
    return lambda server: extended() if server in unusual else cloud


@pytest.fixture(scope="module")
def tokens(cloud: Cloud) -> dict[str, str]:
    """Provide tokens of the real Keystone, by user."""
    return tokens_of(cloud)


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    """Provide a web server from which the real servers may download."""
    with web() as url:
        yield url


@pytest.fixture(scope="module")
def twins() -> Iterator[Callable[[str], GlanceFixture]]:
    """Provide embedded servers that are configured like the real ones."""
    with ExitStack() as stack:
        yield cache(lambda server: stack.enter_context(twin(server)))


@pytest.mark.parametrize(("server", "scenario"), CASES)
@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_embedded_server_responds_like_the_real_one(
    every_cloud: Callable[[str], Cloud],
    tokens: dict[str, str],
    source: str,
    twins: Callable[[str], GlanceFixture],
    server: str,
    scenario: Scenario,
    front_end: str,
) -> None:
    theirs = real(every_cloud(server), tokens, server, source)
    assert _settled(scenario, theirs, embedded(twins(server), front_end)) == []


def _settled(scenario: Scenario, theirs: Target, ours: Target) -> list[Difference]:
    """Compare the servers, and repeat if only the real server failed.

    SQLite under the real servers sometimes reports "database is locked" when several processes
    write, and Glance responds with 500; this does not happen with other databases.
    """
    found: list[Difference] = []
    for _ in range(PLAYS):
        expected = Play(theirs).answers(scenario)
        found = differences(scenario, expected, Play(ours).answers(scenario))
        if not any(difference.expected.get("status") == 500 for difference in found):
            break
    return found
