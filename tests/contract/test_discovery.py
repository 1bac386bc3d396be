# SPDX-License-Identifier: Apache-2.0
"""discover(): its result, the accepted forms of an endpoint URL, and pinned versions."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from glance_compat import Discovery, ImageService, OfferedVersion, Options, exceptions
from glance_compat.exceptions import ImageNotFound, NoUsableVersion
from glance_compat.fixture import GlanceFixture
from glance_compat.routing.health import ENDPOINT_HEALTH
from tests.contract.targets import Kind, Target, on_pike, on_real, only
from tests.contract.test_wrong_endpoint import answering

MISSING = "00000000-0000-4000-8000-000000000000"


def offered(target: Target) -> list[tuple[str, str]]:
    v1 = [("v1.1", "DEPRECATED"), ("v1.0", "DEPRECATED")]
    v2 = [("v2.5", "CURRENT"), *((f"v2.{minor}", "SUPPORTED") for minor in range(4, -1, -1))]
    if target.kind.region == "pike-v1":
        return v1
    if target.kind.region == "pike-v2":
        return v2
    return v2 + v1


def test_discovery_describes_the_endpoint(target: Target) -> None:
    found = target.service().discover()
    assert type(found) is Discovery
    newest = {"pike": {"v1": (1, 1), "v2": (2, 5)}, "33": {"v2": (2, 17)}}
    assert (found.api, found.version) == (
        target.kind.api,
        newest[target.kind.release][target.kind.api],
    )
    assert found.endpoint == target.url
    assert (found.requests, found.endpoints) == (1, ())
    if target.kind.release == "pike":
        assert [(one.id, one.status) for one in found.offered] == offered(target)
    else:
        assert OfferedVersion("v2.17", "CURRENT") in found.offered
        assert {one.id[:2] for one in found.offered} == {"v2"}
    assert type(found.capabilities) is frozenset
    assert ("tags" in found.capabilities) is (target.kind.api == "v2")
    assert ("multihash" in found.capabilities) is (target.kind.release == "33")
    assert "v1" in found.reason or "v2" in found.reason
    assert "\n" not in found.reason
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.api = "v1"  # type: ignore[misc]


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v2", "/v1/", "/v2/", "/v2.5", "//"])
def test_endpoint_is_found_in_every_spelling(target: Target, ending: str) -> None:
    # A version in the endpoint URL does not pin it.
    known = target.service().discover()
    service = ImageService(
        target.session(),
        endpoint_override=target.url + ending,
        options=Options(prefer=target.prefer),
    )
    with target.counting() as exchanges:
        found = service.discover()
    assert found == known
    # Each form of the URL is discovered once, independently of the others.
    assert [one.path.removeprefix(urlsplit(target.url).path) for one in exchanges] in ([], ["/"])
    with target.counting() as exchanges:
        service.discover()
    assert exchanges == []


@pytest.fixture
def alone() -> Iterator[GlanceFixture]:
    """Provide a server that has not been discovered yet."""
    with GlanceFixture(release="pike", prefix="a/prefix", sockets=False) as glance:
        yield glance


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v2", "/v2/"])
def test_discovery_costs_one_request_without_token(alone: GlanceFixture, ending: str) -> None:
    service = ImageService(alone.session(), endpoint_override=alone.url + ending)
    found = service.discover()
    assert (found.requests, found.endpoint, found.api) == (1, alone.url, "v2")
    assert [(one.method, one.path.rstrip("/")) for one in alone.requests] == [("GET", "/a/prefix")]
    assert "x-auth-token" not in {name.lower() for name in alone.requests[0].headers}
    service.show(None, service.create(None, {})["id"])
    assert len(alone.requests) == 3


def test_constructor_sends_no_request(alone: GlanceFixture) -> None:
    ImageService(alone.session(), endpoint_override=alone.url)
    ImageService(alone.session())
    assert alone.requests == []


@on_pike
@pytest.mark.parametrize("version", ["1", "2"])
def test_preference_and_pin_choose_the_version(target: Target, version: Any) -> None:
    def service(**options: Any) -> ImageService:
        return ImageService(
            target.session(), endpoint_override=target.wide_url, options=Options(**options)
        )

    assert service(prefer=version).discover().api == f"v{version}"
    with target.counting() as exchanges:
        pinned = service(api_version=version).discover()
    assert exchanges == []
    assert (pinned.api, pinned.version, pinned.requests) == (
        f"v{version}",
        (int(version), None),
        0,
    )
    image_id = service(api_version=version).create(None, {"name": "pinned"})["id"]
    assert service(prefer=version).show(None, image_id)["name"] == "pinned"


def is_single(kind: Kind) -> bool:
    """Return whether a server has only one API."""
    return kind.region is not None or kind.name == "mounted-33"


@only(is_single)
def test_pinned_version_not_offered_fails(target: Target) -> None:
    wanted = "2" if target.is_v1 else "1"
    service = target.service(api_version=wanted)
    calls = (
        lambda: service.show(None, MISSING),
        lambda: service.detail(None),
        lambda: service.create(None, {"name": "x"}),
        lambda: service.create(None, {"disk_format": "raw", "container_format": "bare"}, b"x"),
        lambda: service.delete(None, MISSING),
        lambda: service.download(None, MISSING),
        lambda: service.members(None, MISSING),
    )
    for call in calls:
        with pytest.raises(exceptions.NoUsableVersion) as caught:
            call()
        text = str(caught.value)
        newest = target.service().discover().offered[0].id
        for part in (target.url, f"v{wanted}", newest):
            assert part in text


# ---------------------------------------------------------------------------------------------
# The catalog.


@on_real
@pytest.mark.parametrize("interface", ["public", "internal", "admin", ["nothing", "internal"]])
def test_every_interface_finds_the_endpoint(target: Target, interface: Any) -> None:
    service = ImageService(target.session(), **target.place, interface=interface)
    assert service.discover().endpoint == target.url


@on_real
@pytest.mark.parametrize(
    "place",
    [
        {"region_name": "nowhere"},
        {"service_type": "teapot"},
        {"service_name": "other"},
        {"interface": "nothing"},
    ],
    ids=str,
)
def test_missing_catalog_entry_is_named(target: Target, place: dict[str, Any]) -> None:
    service = ImageService(target.session(), **{**target.place, **place})
    with pytest.raises(exceptions.NoUsableVersion) as caught:
        service.show(None, MISSING)
    assert next(iter(place.values())) in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Several endpoints.


@only(lambda kind: kind.name == "pike-v1")
def test_each_endpoint_has_its_own_version(target: Target) -> None:
    v2_url = str(target.session().get_endpoint(service_type="image", region_name="pike-v2"))
    both = [target.url, v2_url]
    service = ImageService(target.session(), endpoint_override=both)
    found = service.discover()
    assert {(one.endpoint, one.api) for one in found.endpoints} == {
        (target.url, "v1"),
        (v2_url, "v2"),
    }
    created = service.create(None, {"name": "rolling", "properties": {"a": "b"}})
    for url in both:
        alone = ImageService(target.session(), endpoint_override=url)
        assert alone.show(None, created["id"]) == created
    assert service.show(None, created["id"]) == created


def test_endpoint_without_image_service_is_skipped(target: Target) -> None:
    page = (200, "text/html", b"<html>It works!</html>")
    with answering(page, page) as url:
        options = Options(prefer=target.prefer, backoff_max=0)
        for first in ("show", "create"):
            ENDPOINT_HEALTH.reset()
            service = ImageService(
                target.session(), endpoint_override=[url, target.url], options=options
            )
            if first == "create":
                assert service.create(None, {"name": "passed over"})["name"] == "passed over"
            else:
                with pytest.raises(ImageNotFound):
                    service.show(None, MISSING)
        ENDPOINT_HEALTH.reset()
        with pytest.raises(NoUsableVersion):
            ImageService(target.session(), endpoint_override=[url, url]).detail(None, limit=1)


def test_unreachable_endpoint_is_skipped(target: Target) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{probe.getsockname()[1]}"
    service = ImageService(
        target.session(),
        endpoint_override=[dead, target.url],
        options=Options(prefer=target.prefer, backoff_max=0),
    )
    created = service.create(None, {"name": "passed over"})
    assert service.show(None, created["id"]) == created
    # The endpoint is unhealthy now, and is skipped for a while.
    with target.counting() as exchanges:
        service.show(None, created["id"])
    assert len(exchanges) == 1
