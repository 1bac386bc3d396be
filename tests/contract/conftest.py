# SPDX-License-Identifier: Apache-2.0
"""The ``target`` fixture."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.contract import targets
from tests.contract.targets import Kind, Target


@pytest.fixture(scope="session")
def open_target(request: pytest.FixtureRequest) -> Iterator[Callable[[Kind], Target]]:
    """Open each server once, whatever the order of the tests; all are clean in the end."""
    known: dict[Kind, Target] = {}
    with contextlib.ExitStack() as stack:

        def find(kind: Kind) -> Target:
            if kind not in known:
                if kind.region is None:
                    known[kind] = stack.enter_context(targets.embedded(kind))
                else:
                    known[kind] = targets.real(kind, request.getfixturevalue("cloud"))
                stack.callback(known[kind].clean)
                # What requests cost is counted when the versions are known.
                known[kind].service().discover()
            return known[kind]

        yield find


@pytest.fixture(scope="session", params=targets.parameters(targets.is_usual))
def target(request: pytest.FixtureRequest, open_target: Callable[[Kind], Target]) -> Target:
    """A server."""
    return open_target(request.param)


@pytest.fixture
def name() -> str:
    """A name that no other image has."""
    return f"contract {uuid.uuid4()}"
