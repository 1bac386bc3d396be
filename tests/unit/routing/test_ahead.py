# SPDX-License-Identifier: Apache-2.0
"""iter_detail() fetches the next page ahead: one request, which ends with the iterator."""

from __future__ import annotations

import _thread
import contextvars
import itertools
import os
import signal
import socket
import threading
import time
import typing
from collections.abc import Iterator

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.routing.ahead import END_SECONDS, Ahead
from glance_compat.transport import retry
from glance_compat.transport.retry import CancellableDeadline
from glance_compat.types import Image

COUNT = 9
IDS = [f"aaaaaaaa-0000-4000-8000-00000000000{number}" for number in range(COUNT)]
#: The path of a page, as a pattern for faults.
PAGES = {"1": "images/detail", "2": "images"}


@pytest.fixture(scope="module")
def server() -> Iterator[GlanceFixture]:
    with GlanceFixture(images=[{"id": one, "name": one} for one in IDS]) as one:
        yield one


@pytest.fixture(params=["1", "2"], ids=["v1", "v2"])
def api(request: pytest.FixtureRequest) -> str:
    return typing.cast(str, request.param)


@pytest.fixture
def glance(server: GlanceFixture) -> Iterator[GlanceFixture]:
    yield server
    server.reset()
    server.faults.clear()


def service_of(glance: GlanceFixture, api: str, **options: typing.Any) -> ImageService:
    options = {"api_version": api, "connect_timeout": 30, "read_timeout": 60, **options}
    return ImageService(glance.session(), endpoint_override=glance.url, options=Options(**options))


def walk(service: ImageService, limit: int | None = None) -> Iterator[Image]:
    return service.iter_detail(None, None, None, limit, 2, "id", "asc")


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "glance_compat-ahead"]


def join_threads() -> None:
    for thread in threads():
        thread.join(60)
        assert not thread.is_alive()


def pages_of(glance: GlanceFixture) -> list[str]:
    """Return the requests for pages, without what differs between the runs of a test."""
    join_threads()
    return [f"{one.method} {one.path}" for one in glance.requests if "limit=" in one.path]


def read(images: Iterator[Image], count: int | None = None) -> list[str]:
    return [one["id"] for one in itertools.islice(images, count)]


def test_partly_read_list_is_at_most_one_page_ahead(glance: GlanceFixture, api: str) -> None:
    requests = []
    for count in range(COUNT + 1):
        glance.requests.clear()
        found = walk(service_of(glance, api))
        assert read(found, count) == IDS[:count]
        requests.append(len(pages_of(glance)))
        assert read(found) == IDS[count:]
    # Two images in a page. The second image of the second page begins the third page.
    assert requests == [1, 1, 1, 2, 3, 3, 4, 4, 5, 5]


def test_pages_ahead_are_those_that_are_fetched_without_a_thread(
    glance: GlanceFixture, api: str
) -> None:
    service = service_of(glance, api)
    for limit in [None, *range(1, COUNT + 2)]:
        glance.requests.clear()
        found = service.detail(None, None, None, limit, 2, "id", "asc")
        expected = pages_of(glance)
        glance.requests.clear()
        assert list(walk(service, limit)) == found
        assert pages_of(glance) == expected


# ---------------------------------------------------------------------------------------------
# A list that is left early.


def wait_for_fault(glance: GlanceFixture) -> None:
    """Wait until the fault was injected, so that the second thread waits for the response."""
    until = time.monotonic() + 60
    while not glance.faults.happened:
        os.sched_yield()
        assert time.monotonic() < until, "the second thread sent no request"


def begin_page_that_stalls(
    glance: GlanceFixture, service: ImageService, api: str, fault: faults.Fault
) -> Iterator[Image]:
    glance.faults.add(fault, "GET", PAGES[api], nth=3)
    found = walk(service)
    assert read(found, 4) == IDS[:4]
    wait_for_fault(glance)
    [thread] = threads()
    assert thread.is_alive()
    return found


@pytest.mark.parametrize("fault", [faults.Stalled(), faults.BodyStalled()], ids=str)
def test_close_ends_the_request_and_its_thread(
    glance: GlanceFixture, api: str, fault: faults.Fault
) -> None:
    service = service_of(glance, api)
    found = begin_page_that_stalls(glance, service, api, fault)
    typing.cast(typing.Any, found).close()
    assert threads() == []
    assert read(found) == []
    # Its connection is not used again.
    assert read(walk(service)) == IDS


def test_leaving_a_loop_ends_the_request_and_its_thread(glance: GlanceFixture, api: str) -> None:
    service = service_of(glance, api)
    glance.faults.add(faults.Stalled(), "GET", PAGES[api], nth=3)
    for image in walk(service):
        if image["id"] == IDS[3]:
            wait_for_fault(glance)
            break
    assert threads() == []
    assert read(walk(service)) == IDS


def test_cancelled_request_is_not_repeated(glance: GlanceFixture, api: str) -> None:
    found = begin_page_that_stalls(glance, service_of(glance, api), api, faults.Stalled())
    typing.cast(typing.Any, found).close()
    assert len(pages_of(glance)) + len(glance.faults.happened) == 3


def test_end_of_a_response_protects_its_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        deadline = CancellableDeadline(60)
        deadline.begin_response(ours)
        deadline.end_response()
        deadline.cancel()
        assert not deadline.remaining()
        # Another call may use the connection now.
        ours.sendall(b"request")
        assert theirs.recv(100) == b"request"
        CancellableDeadline(60).cancel()
        other = CancellableDeadline(60)
        other.begin_response(ours)
        other.cancel()
        assert theirs.recv(100) == b""


# ---------------------------------------------------------------------------------------------
# Errors.


@pytest.mark.parametrize("fault", [faults.Status(409), faults.BrokenJson()], ids=str)
def test_error_is_raised_after_the_images_before_it(
    glance: GlanceFixture, api: str, fault: faults.Fault
) -> None:
    glance.faults.add(fault, "GET", PAGES[api], nth=3)
    found = walk(service_of(glance, api))
    assert read(found, 4) == IDS[:4]
    join_threads()
    with pytest.raises((exceptions.BadResponse, exceptions.Conflict)):
        next(found)
    assert read(found) == []
    assert len(glance.faults.happened) == 1


TEMPORARY = [faults.Status(503), faults.ResetBefore(), faults.BodyReset()]


@pytest.mark.parametrize("fault", TEMPORARY, ids=lambda fault: fault.name())
def test_temporary_failure_is_retried_by_the_thread_of_the_caller(
    glance: GlanceFixture, api: str, fault: faults.Fault
) -> None:
    retried = []
    retry.set_hooks([lambda retrying: retried.append(threading.current_thread())])
    try:
        glance.faults.add(fault, "GET", PAGES[api], nth=3)
        found = walk(service_of(glance, api))
        assert read(found, 4) == IDS[:4]
        join_threads()
        assert retried == []
        with retry.without_pauses():
            assert read(found) == IDS[4:]
    finally:
        retry.set_hooks([])
    assert retried == [threading.current_thread()]
    assert len(glance.faults.happened) == 1


def test_permanent_failure_uses_every_attempt(glance: GlanceFixture, api: str) -> None:
    glance.faults.add(faults.Status(503), "GET", PAGES[api], nth=3, times=None)
    found = walk(service_of(glance, api, max_attempts=3))
    assert read(found, 4) == IDS[:4]
    with retry.without_pauses(), pytest.raises(exceptions.BadResponse) as caught:
        next(found)
    assert caught.value.status == 503
    assert len(glance.faults.happened) == 3


@pytest.mark.slow
def test_deadline_limits_the_page_ahead(glance: GlanceFixture, api: str) -> None:
    service = service_of(glance, api, deadline=3)
    found = begin_page_that_stalls(glance, service, api, faults.Stalled())
    begun = time.monotonic()
    with pytest.raises(exceptions.DeadlineExceeded):
        next(found)
    assert time.monotonic() - begun < 30
    assert threads() == []


def test_rejected_marker_is_replaced(glance: GlanceFixture, api: str) -> None:
    service = service_of(glance, api)
    found = walk(service)
    assert read(found, 3) == IDS[:3]
    # The last image of the second page, with which the third one is requested.
    service.delete(None, IDS[3])
    assert read(found) == IDS[3:]


# ---------------------------------------------------------------------------------------------
# Processes without such a thread.


def test_green_threads_fetch_no_page_ahead(
    glance: GlanceFixture, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: pytest.fail("not to be called"))
    service = service_of(glance, api)
    found = walk(service)
    assert read(found, 4) == IDS[:4]
    assert len(pages_of(glance)) == 2
    assert read(found) == IDS[4:]


def refuse(*_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_without_a_thread_the_call_is_made_when_its_result_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []

    def call() -> str:
        made.append("called")
        return "result"

    monkeypatch.setattr(threading.Thread, "start", refuse)
    begun = Ahead(call, CancellableDeadline(60), call, lambda *_: pytest.fail("no failure"))
    assert made == []
    assert (begun.result(), made) == ("result", ["called"])
    begun.cancel()


def test_call_has_the_context_variables_of_its_caller() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")
    token = name.set("caller")
    try:
        begun = Ahead(name.get, CancellableDeadline(60), name.get, lambda *_: "failed")
    finally:
        name.reset(token)
    assert begun.result() == "caller"


@pytest.mark.slow
def test_thread_that_does_not_end_does_not_hold_up_its_caller() -> None:
    stopped = threading.Event()
    begun = Ahead(stopped.wait, CancellableDeadline(60), stopped.wait, lambda *_: False)
    started = time.monotonic()
    begun.cancel()
    assert END_SECONDS <= time.monotonic() - started < 30
    stopped.set()
    join_threads()


@pytest.mark.slow
def test_forked_process_continues_the_list_by_itself(glance: GlanceFixture, api: str) -> None:
    service = service_of(glance, api)
    found = begin_page_that_stalls(glance, service, api, faults.ResponseStalled())
    child = os.fork()
    if not child:
        signal.alarm(60)
        os._exit(0 if read(found) == IDS[4:] else 1)
    assert os.waitpid(child, 0)[1] == 0
    # The child has closed nothing that this process uses.
    [thread] = threads()
    assert thread.is_alive()
    typing.cast(typing.Any, found).close()
    assert threads() == []
