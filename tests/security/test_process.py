# SPDX-License-Identifier: Apache-2.0
"""Process-wide caches: they hold no secrets, and a bounded number of endpoints."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import typing
import weakref

import pytest
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, exceptions
from glance_compat.discovery import cache
from glance_compat.discovery.cache import DISCOVERY_CACHE, CacheKey, DiscoveryCache
from glance_compat.discovery.versions import Facts
from glance_compat.options import Options
from glance_compat.routing import health
from glance_compat.routing.health import ENDPOINT_HEALTH, EndpointHealth
from tests.security.images import PASSWORD, TOKEN, VICTIM_ID, response, service_at
from tests.security.raw_server import RawServer

FAILURES = {
    "status": response([], b"busy", "503 Service Unavailable"),
    "not an Images API": response([], b"none", "404 Not Found"),
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{",
    "not HTTP": b"hello\r\n\r\n",
}


def fail(url: str) -> tuple[weakref.ref[typing.Any], str]:
    """Fail a discovery; return a reference to the caller's auth plugin, and the message."""
    auth = token_endpoint.Token("http://127.0.0.1:1", TOKEN)
    options = Options(max_attempts=1, read_timeout=1, discovery_failure_ttl=1000)
    service = ImageService(ksa_session.Session(auth=auth), endpoint_override=url, options=options)
    with pytest.raises(exceptions.GlanceCompatError) as caught, service:
        service.show(None, VICTIM_ID)
    return weakref.ref(auth), str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FAILURES)
def test_cached_failure_holds_no_reference_to_caller(kind: str) -> None:
    with RawServer(lambda received: [FAILURES[kind]]) as server:
        first, message = fail(server.url)
        requests = len(server.received)
        gc.collect()
        assert first() is None, gc.get_referrers(first())
        second, again = fail(server.url)
        assert again == message
        assert len(server.received) == requests
    gc.collect()
    assert second() is None


def test_each_caller_receives_its_own_failure() -> None:
    """No error has the cause or traceback of another caller's error."""
    discovery = DiscoveryCache()
    raised: list[exceptions.GlanceCompatError] = []

    def fetch() -> Facts:
        error = exceptions.GlanceConnectionFailed("no connection", endpoint="http://glance")
        error.retry_after = 3.0
        raise error from ConnectionError("refused")

    for _ in range(3):
        with pytest.raises(exceptions.GlanceConnectionFailed) as caught:
            discovery.get(CacheKey("http://glance", None), Options(), fetch)
        raised.append(caught.value)
    assert len(set(map(id, raised))) == 3
    assert isinstance(raised[0].__cause__, ConnectionError)
    assert [(one.__cause__, one.__context__) for one in raised[1:]] == [(None, None)] * 2
    assert vars(raised[0]) == vars(raised[1]) == vars(raised[2])


def test_discovery_cache_keeps_a_limited_number_of_endpoints() -> None:
    discovery = DiscoveryCache()
    fetched: list[str] = []

    def get(endpoint: str, version: str | None = None) -> None:
        def fetch() -> Facts:
            fetched.append(endpoint)
            return Facts((), "no document", requests=1, minor_known=False)

        discovery.get(CacheKey(endpoint, version), Options(), fetch)

    get("http://used")
    for number in range(2 * cache.CACHED_ENDPOINTS):
        get(f"http://{number}")
        get("http://used")
    assert fetched.count("http://used") == 1
    get(f"http://{cache.CACHED_ENDPOINTS + 1}")
    assert len(fetched) == 1 + 2 * cache.CACHED_ENDPOINTS
    get("http://0")
    assert fetched.count("http://0") == 2
    for number in range(2 * cache.CACHED_RESULTS):
        get("http://used", f"v2.{number}")
    before = len(fetched)
    get("http://used", "v2.0")
    assert len(fetched) == before + 1


def test_discovery_cache_is_bounded_in_threads() -> None:
    """Threads that evict each other's endpoints neither fail nor wait for each other."""
    discovery = DiscoveryCache()

    def work(number: int) -> int:
        def fetch() -> Facts:
            raise exceptions.GlanceConnectionFailed("no")

        for endpoint in range(cache.CACHED_ENDPOINTS // 2):
            with contextlib.suppress(exceptions.GlanceConnectionFailed):
                discovery.get(CacheKey(f"http://{number}-{endpoint}", None), Options(), fetch)
        return number

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == list(range(8))


def test_health_table_keeps_a_limited_number_of_endpoints() -> None:
    table = EndpointHealth()
    for number in range(2 * health.RECORDED_ENDPOINTS):
        table.mark_unhealthy(f"http://{number}")
        table.mark_unhealthy("http://failing")
    assert len(table.unhealthy_until) == health.RECORDED_ENDPOINTS
    assert table.healthy_first(["http://failing", "http://0"]) == ["http://0", "http://failing"]


def test_tables_of_endpoints_have_no_secret() -> None:
    """The endpoint has a password, and the calls have a token."""
    busy = FAILURES["status"]
    with RawServer(lambda received: [busy]) as server:
        url = server.url
        with pytest.raises(exceptions.BadResponse):
            service_at(url).show(None, VICTIM_ID)
    assert url in ENDPOINT_HEALTH.unhealthy_until
    for table in (vars(ENDPOINT_HEALTH), vars(DISCOVERY_CACHE)):
        assert PASSWORD not in repr(table)
        assert TOKEN not in repr(table)
    with_password = url.replace("://", f"://user:{PASSWORD}@")
    assert ENDPOINT_HEALTH.healthy_first([with_password, "http://b"])[0] == "http://b"
    ENDPOINT_HEALTH.mark_healthy(with_password)
    assert url not in ENDPOINT_HEALTH.unhealthy_until
