# SPDX-License-Identifier: Apache-2.0
"""health: unhealthy endpoints are tried last, for a while."""

from __future__ import annotations

from glance_compat.routing import health


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_endpoint_that_rests_is_tried_last_and_not_for_ever() -> None:
    clock = Clock()
    resting = health.EndpointHealth(clock)
    urls = ["http://a", "http://b", "http://c"]
    assert resting.in_turn(urls) == urls
    resting.rest("http://a")
    assert resting.in_turn(urls) == ["http://b", "http://c", "http://a"]
    clock.now += 1
    resting.rest("http://b")
    assert resting.in_turn(urls) == ["http://c", "http://a", "http://b"]
    clock.now += health.UNHEALTHY_SECONDS
    assert resting.in_turn(urls) == urls


def test_an_endpoint_that_answers_rests_no_longer() -> None:
    resting = health.EndpointHealth(Clock())
    resting.rest("http://a")
    resting.answered("http://a")
    resting.answered("http://never-ill")
    assert resting.in_turn(["http://a", "http://b"]) == ["http://a", "http://b"]


def test_all_endpoints_are_tried_even_if_all_of_them_rest() -> None:
    resting = health.EndpointHealth(Clock())
    urls = ["http://a", "http://b"]
    for url in urls:
        resting.rest(url)
    assert sorted(resting.in_turn(urls)) == urls
