# SPDX-License-Identifier: Apache-2.0
"""Servers that import images, embedded and real, for tests of imports and stores.

Importing this module requires importing its fixture ``site``, and ``real_place`` of ``places``.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.contract.places import Place
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Kind, Target

WEB = "http://web.invalid"
SOURCES: dict[str, bytes | int] = {
    f"{WEB}/data": DATA,
    f"{WEB}/missing": 404,
    f"{WEB}/cut": 500,
    f"{WEB}/unreachable": 503,
}


@dataclasses.dataclass(frozen=True)
class Site:
    """A server that imports, and a web server that it can read."""

    target: Target
    source: str

    @property
    def is_v1(self) -> bool:
        return self.target.is_v1

    def import_image(self, name: str, path: str = "/data", **arguments: Any) -> Any:
        """Import an image as the user demo."""
        service = self.target.service(extended=True)
        meta = {"name": name, **FORMATS}
        return service.import_image(None, meta, uri=f"{self.source}{path}", **arguments)


@contextlib.contextmanager
def embedded(api: str) -> Iterator[Site]:
    projects = {user: f"{user}-project" for user in ("admin", "demo")}
    with GlanceFixture(
        (api,), release="pike" if api == "v1" else "33", prefix=f"/imports-{api}", sources=SOURCES
    ) as glance:
        target = Target(
            kind=Kind("mounted", "v1", "pike") if api == "v1" else Kind("mounted", "v2", "33"),
            url=glance.url,
            wide_url=glance.url,
            place={"endpoint_override": glance.url},
            prefer="2",
            connect=lambda user: glance.session(
                f"{user}:{projects[user]}:{'admin' if user == 'admin' else 'member'}"
            ),
            projects=projects,
        )
        yield Site(target, WEB)


REAL = {"pike-v1": "v1", "33-web": "v2"}


@pytest.fixture(
    scope="module",
    params=[
        *("v1", "v2"),
        *(pytest.param(name, marks=pytest.mark.functional) for name in REAL),
    ],
)
def site(request: pytest.FixtureRequest, source: str) -> Iterator[Site]:
    where: str = request.param
    if where == "pike-v1":
        open_target = request.getfixturevalue("open_target")
        yield Site(open_target(Kind(where, "v1", "pike", region=where)), source)
    elif where == "33-web":
        place: Place = request.getfixturevalue("real_place")(where)
        place.target.service().discover()
        yield Site(place.target, source)
    else:
        with embedded(where) as made:
            yield made
