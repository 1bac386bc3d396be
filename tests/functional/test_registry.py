# SPDX-License-Identifier: Apache-2.0
"""A real Glance 15.0.2 whose glance-registry, which only v1 needs, is stopped and started."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glance_compat import exceptions
from glance_compat.transport import retry
from tests.contract import targets
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Kind, Target
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS

pytestmark = pytest.mark.functional

NAME = "pike-alone"
REGISTRY = f"{NAME}-registry"
SERVERS_HERE = (*SERVERS, *(one for one in VARIANTS if one.name in (NAME, REGISTRY)))
QUICK: dict[str, Any] = {"max_attempts": 2, "backoff_max": 0}


@dataclasses.dataclass(frozen=True)
class Site:
    """The server over each API, and its registry."""

    v1: Target
    v2: Target
    stop: Callable[[], None]
    start: Callable[[], object]


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Iterator[Site]:
    layout = Layout.from_environment()

    def start() -> lifecycle.Outcome:
        return lifecycle.extend(layout, print, SERVERS_HERE)

    found = Cloud(start(), cloud.unavailable)
    v1 = targets.real(Kind(NAME, "v1", "pike", region=NAME), found)
    # Another run may request other servers, and the catalog has only those requested last.
    v1 = dataclasses.replace(v1, wide_url=v1.url, prefer="1", place={"endpoint_override": v1.url})
    v2 = dataclasses.replace(v1, kind=Kind(NAME, "v2", "pike", region=NAME), prefer="2")
    yield Site(v1, v2, lambda: lifecycle.stop(layout, REGISTRY), start)
    start()
    v1.clean()
    v2.clean()


@pytest.fixture
def without_registry(site: Site) -> Iterator[Site]:
    site.v1.service().discover()
    site.stop()
    yield site
    site.start()


CALLS: dict[str, Callable[[Target, str], object]] = {
    "show": lambda target, image_id: target.service(**QUICK).show(None, image_id),
    "detail": lambda target, image_id: target.service(**QUICK).detail(None),
    "create": lambda target, image_id: target.service(**QUICK).create(None, {"name": "x"}),
    "update": lambda target, image_id: target.service(**QUICK).update(
        None, image_id, {"name": "y"}
    ),
    "delete": lambda target, image_id: target.service(**QUICK).delete(
        None, image_id, missing_ok=True
    ),
    "download": lambda target, image_id: target.service(**QUICK).download(None, image_id),
    "members": lambda target, image_id: target.service(**QUICK).members(None, image_id),
}

#: The requests of two attempts. After a write, a HEAD finds out whether it was carried out.
REQUESTS = {
    "show": ["HEAD", "HEAD"],
    "detail": ["GET", "GET"],
    "create": ["POST", "POST", "HEAD"],
    "update": ["HEAD", "HEAD"],
    "delete": ["DELETE", "HEAD", "DELETE", "HEAD"],
    "download": ["GET", "GET"],
    "members": ["GET", "GET"],
}


def test_calls_over_v1_name_the_registry(site: Site, name: str) -> None:
    image_id = site.v2.make(name=name, data=DATA)
    site.v1.service().discover()
    site.stop()
    try:
        for call, make in CALLS.items():
            with site.v1.counting() as exchanges, pytest.raises(exceptions.BadResponse) as caught:
                make(site.v1, image_id)
            assert caught.value.status == 500, call
            assert "glance-registry" in str(caught.value), call
            assert [one.method for one in exchanges] == REQUESTS[call], call
        # v2 reads the database itself.
        assert site.v2.service().show(None, image_id)["status"] == "active"
        assert b"".join(site.v2.service().download(None, image_id)) == DATA
    finally:
        site.start()
    assert site.v1.service().show(None, image_id)["name"] == name
    assert site.v1.service().delete(None, image_id) is True


def test_call_is_repeated_until_the_registry_is_back(without_registry: Site, name: str) -> None:
    site = without_registry
    retried: list[int | None] = []

    def start(retrying: retry.Retrying) -> None:
        retried.append(retrying.error.status)
        site.start()

    retry.set_hooks([start])
    try:
        created = site.v1.service().create(None, {"name": name, **FORMATS})
        assert len(retried) == 1
        site.stop()
        assert site.v1.service().show(None, created["id"])["name"] == name
        site.stop()
        stored = site.v1.service().update(None, created["id"], {}, data=DATA)
        assert (stored["status"], stored["size"]) == ("active", len(DATA))
    finally:
        retry.set_hooks([])
    # One retry of create and one of show. update retries the HEAD that follows the failed PUT, and
    # then the PUT.
    assert retried == [500] * 4
