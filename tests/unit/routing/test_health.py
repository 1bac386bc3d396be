# SPDX-License-Identifier: Apache-2.0
"""health: unhealthy endpoints are tried last until they recover."""

from __future__ import annotations

from glance_compat.routing import health


class Clock:
    """A clock that the test controls."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_unhealthy_endpoint_is_last_until_it_recovers() -> None:
    clock = Clock()
    health_record = health.EndpointHealth(clock)
    urls = ["http://a", "http://b", "http://c"]
    assert health_record.healthy_first(urls) == urls
    health_record.mark_unhealthy("http://a")
    assert health_record.healthy_first(urls) == ["http://b", "http://c", "http://a"]
    clock.now += 1
    health_record.mark_unhealthy("http://b")
    assert health_record.healthy_first(urls) == ["http://c", "http://a", "http://b"]
    clock.now += health.UNHEALTHY_SECONDS
    assert health_record.healthy_first(urls) == urls


def test_mark_healthy_ends_skipping_of_endpoint() -> None:
    health_record = health.EndpointHealth(Clock())
    health_record.mark_unhealthy("http://a")
    health_record.mark_healthy("http://a")
    health_record.mark_healthy("http://never-ill")
    assert health_record.healthy_first(["http://a", "http://b"]) == ["http://a", "http://b"]


def test_all_endpoints_are_returned_if_all_are_unhealthy() -> None:
    health_record = health.EndpointHealth(Clock())
    urls = ["http://a", "http://b"]
    for url in urls:
        health_record.mark_unhealthy(url)
    assert sorted(health_record.healthy_first(urls)) == urls
