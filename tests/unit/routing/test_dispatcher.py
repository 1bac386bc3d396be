# SPDX-License-Identifier: Apache-2.0
"""The objects that warm calls reuse, and their expiry."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator

import pytest
import requests
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options
from glance_compat.discovery.cache import DISCOVERY_CACHE
from glance_compat.fixture import GlanceFixture
from glance_compat.routing import dispatcher

IMAGES = [{"id": "one", "name": "first"}]


class Clock:
    """A clock that the test controls."""

    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(DISCOVERY_CACHE, "clock", one)
    return one


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    with GlanceFixture(images=IMAGES) as one:
        DISCOVERY_CACHE.forget(one.url)
        yield one
        DISCOVERY_CACHE.forget(one.url)


def service_of(glance: GlanceFixture, **options: typing.Any) -> ImageService:
    session = glance.session()
    glance.mount(session.session)
    return ImageService(session, endpoint_override=glance.url, options=Options(**options))


def paths_of(glance: GlanceFixture, service: ImageService) -> list[str]:
    """Return the paths of the requests that one call makes."""
    before = len(glance.requests)
    service.show(None, "one")
    return [request.path for request in glance.requests[before:]]


V1, V2 = "/v1/images/one", "/v2/images/one"


def test_expired_discovery_renews_version_choice(glance: GlanceFixture, clock: Clock) -> None:
    service = service_of(glance)
    assert paths_of(glance, service) == ["/", V2]
    clock.now += 299
    assert paths_of(glance, service) == [V2]
    clock.now += 1
    assert paths_of(glance, service) == ["/", V2]
    assert paths_of(glance, service) == [V2]


def test_each_service_applies_its_own_ttl(glance: GlanceFixture, clock: Clock) -> None:
    long, short = service_of(glance), service_of(glance, discovery_ttl=10)
    assert paths_of(glance, long) == ["/", V2]
    assert paths_of(glance, short) == [V2]
    clock.now += 10
    assert paths_of(glance, long) == [V2]
    assert paths_of(glance, short) == ["/", V2]


def test_version_choice_is_dropped_with_discovery_result(glance: GlanceFixture) -> None:
    service = service_of(glance)
    service.show(None, "one")
    DISCOVERY_CACHE.forget(glance.url)
    assert paths_of(glance, service) == ["/", V2]


def test_each_service_chooses_by_its_own_options(glance: GlanceFixture) -> None:
    newer, older = service_of(glance), service_of(glance, prefer="1")
    pinned = service_of(glance, api_version="1")
    for discovery in (["/"], []):
        assert paths_of(glance, newer) == [*discovery, V2]
        assert paths_of(glance, older) == [V1]
        assert paths_of(glance, pinned) == [V1]


def test_number_of_prepared_endpoints_is_limited(glance: GlanceFixture) -> None:
    router = service_of(glance)._dispatcher
    for number in range(2 * dispatcher.MOST_ENDPOINTS):
        router._prepare_endpoint(f"http://{number}.example")
    assert len(router._prepared) == dispatcher.MOST_ENDPOINTS


# ---------------------------------------------------------------------------------------------
# Each request uses the current state of the session.


class Recording(requests.adapters.BaseAdapter):
    """Record the arguments of each request."""

    def __init__(self, inner: requests.adapters.BaseAdapter) -> None:
        super().__init__()
        self._inner = inner
        self.sent: dict[str, typing.Any] = {}

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **kwargs: typing.Any
    ) -> requests.Response:
        self.sent = {**kwargs, "headers": dict(request.headers)}
        return self._inner.send(request, **kwargs)

    def close(self) -> None:
        self._inner.close()


def _set_headers(session: ksa_session.Session) -> None:
    session.additional_headers["X-Added"] = "yes"


def _set_environment(session: ksa_session.Session) -> None:
    session.session.trust_env = False


CHANGES: dict[str, tuple[Callable[[ksa_session.Session], object], Callable[..., object]]] = {
    "verify": (
        lambda session: setattr(session, "verify", "/other.pem"),
        lambda sent: sent["verify"] == "/other.pem",
    ),
    "cert": (
        lambda session: setattr(session, "cert", ("/cert", "/key")),
        lambda sent: sent["cert"] == ("/cert", "/key"),
    ),
    "timeout": (
        lambda session: setattr(session, "timeout", 7),
        lambda sent: sent["timeout"] == (7, 7),
    ),
    "headers": (_set_headers, lambda sent: sent["headers"].get("X-Added") == "yes"),
    "user agent": (
        lambda session: setattr(session, "user_agent", "other"),
        lambda sent: sent["headers"]["User-Agent"].startswith("other"),
    ),
    "environment": (_set_environment, lambda sent: "http" not in sent["proxies"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_warm_call_uses_the_session_as_it_is(
    change: str, glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    session = glance.session()
    session.session.trust_env = True
    glance.mount(session.session)
    recording = Recording(session.session.get_adapter(f"{glance.url}/"))
    service = ImageService(session, endpoint_override=glance.url)
    service.show(None, "one")
    session.session.mount(f"{glance.url}/", recording)
    service.show(None, "one")
    alter, shows = CHANGES[change]
    assert recording.sent
    assert not shows(recording.sent)
    alter(session)
    service.show(None, "one")
    assert shows(recording.sent)


def test_warm_call_calls_the_hooks_of_the_session(glance: GlanceFixture) -> None:
    session = glance.session()
    glance.mount(session.session)
    service = ImageService(session, endpoint_override=glance.url)
    service.show(None, "one")
    called: list[int] = []
    session.session.hooks["response"].append(lambda response, **_: called.append(1))
    service.show(None, "one")
    assert called == [1]
