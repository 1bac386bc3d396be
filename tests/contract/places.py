# SPDX-License-Identifier: Apache-2.0
"""Servers of v2.17 with an http store, embedded and real, for tests that set locations.

One of them shows locations, so PATCH can add them as well; the other does not.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import tenacity

from glance_compat.fixture import GlanceFixture
from tests.contract import targets
from tests.contract.shape import DATA
from tests.contract.targets import Kind, Target
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS

#: A user with the role service.
SERVICE = "glance"
ROLES = {"admin": "admin", "demo": "member", "other": "member", SERVICE: "service,member"}
PROJECTS = {user: f"{user}-project" for user in ROLES}

Where = Literal["embedded", "embedded-unshown", "33-web", "33-web-unshown"]
REAL: tuple[Where, ...] = ("33-web", "33-web-unshown")


@dataclasses.dataclass(frozen=True)
class Place:
    """A server with an http store.

    :param source: the URL of the web server behind the store, with DATA at /data.
    :param shown: whether locations are shown, so that PATCH can add them.
    :param hashes: whether the server hashes data at a location.
    """

    target: Target
    source: str
    shown: bool
    hashes: bool


@contextlib.contextmanager
def embedded(shown: bool, **settings: Any) -> Iterator[tuple[Place, GlanceFixture]]:
    source = "http://web.invalid"
    with GlanceFixture(
        prefix="shown" if shown else "unshown",
        sockets=False,
        config={"show_multiple_locations": shown, "enabled_backends": ["fast", "web:http"]},
        **{
            "release": "33",
            "sources": {f"{source}/data": DATA, f"{source}/nothing": 404},
            **settings,
        },
    ) as glance:
        target = Target(
            kind=Kind("mounted-33", "v2", "33"),
            url=glance.url,
            wide_url=glance.url,
            place={"endpoint_override": glance.url},
            prefer="2",
            connect=lambda user: glance.session(f"{user}:{PROJECTS[user]}:{ROLES[user]}"),
            projects=PROJECTS,
        )
        yield Place(target, source, shown, hashes=True), glance


@pytest.fixture(scope="module")
def real_place(cloud: Cloud, source: str) -> Iterator[Callable[[Where], Place]]:
    with contextlib.ExitStack() as stack:

        def opened(where: Where) -> Place:
            # Request all usual servers too: the catalog has only those requested last.
            more = [one for one in VARIANTS if one.name in REAL]
            outcome = lifecycle.extend(Layout.from_environment(), print, (*SERVERS, *more))
            found = Cloud(outcome, cloud.unavailable)
            target = targets.real(Kind(where, "v2", "33", region=where), found)
            # Another run may request other servers.
            target = dataclasses.replace(target, place={"endpoint_override": target.url})
            stack.callback(target.clean)
            shown = where == "33-web"
            return Place(target, source, shown, hashes=shown)

        yield opened


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(where, marks=[pytest.mark.functional] if where in REAL else [])
        for where in ("embedded", "embedded-unshown", *REAL)
    ],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    where: Where = request.param
    if where in REAL:
        found: Place = request.getfixturevalue("real_place")(where)
        found.target.service().discover()
        yield found
        return
    with embedded(where == "embedded") as (made, _):
        made.target.service().discover()
        yield made


def patiently(condition: Callable[[], bool]) -> None:
    """Wait for background work of the server."""
    tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda met: not met),
        stop=tenacity.stop_after_delay(60),
        wait=tenacity.wait_fixed(0.05),
    )(condition)
