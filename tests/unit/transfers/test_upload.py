# SPDX-License-Identifier: Apache-2.0
"""upload: retries of uploads over a transport that fails temporarily."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, cast

import pytest
import requests
import requests.adapters
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture

DATA = bytes(range(256)) * 8192  # 2 MiB, eight blocks
FORMATS = {"disk_format": "raw", "container_format": "bare"}
CHOSEN = "11111111-2222-4333-8444-555555555555"

Failure = Callable[["Failing", requests.PreparedRequest, dict[str, Any]], requests.Response]


class Failing(requests.adapters.HTTPAdapter):
    """An adapter whose first requests with data fail in a certain way."""

    def __init__(self, failure: Failure, times: int) -> None:
        super().__init__()
        self.failure = failure
        self.left = times
        self.attempts = 0

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **arguments: Any
    ) -> requests.Response:
        if request.headers.get("Content-Type") == "application/octet-stream":
            self.attempts += 1
            if self.left:
                self.left -= 1
                return self.failure(self, request, arguments)
        return super().send(request, **arguments)

    def pass_on(
        self, request: requests.PreparedRequest, arguments: dict[str, Any]
    ) -> requests.Response:
        return super().send(request, **arguments)


def blocks_of(request: requests.PreparedRequest) -> Iterator[bytes]:
    return iter(cast(Iterable[bytes], request.body))


def refused(one: Failing, request: requests.PreparedRequest, _: Any) -> requests.Response:
    raise requests.ConnectionError("refused")


def cut(
    one: Failing, request: requests.PreparedRequest, arguments: dict[str, Any]
) -> requests.Response:
    """Send two blocks, then lose the connection."""
    blocks = blocks_of(request)

    def two() -> Iterator[bytes]:
        yield next(blocks)
        yield next(blocks)
        raise ConnectionResetError("reset by peer")

    request.body = two()  # type: ignore[assignment]
    return one.pass_on(request, arguments)


def busy(one: Failing, request: requests.PreparedRequest, _: Any) -> requests.Response:
    """Respond with 503 like a proxy, after reading part of the data."""
    blocks = blocks_of(request)
    for _number in range(2):
        next(blocks)
    answer = requests.Response()
    answer.status_code, answer.request, answer.url = 503, request, str(request.url)
    answer.raw = io.BytesIO(b"")
    return answer


def lost(
    one: Failing, request: requests.PreparedRequest, arguments: dict[str, Any]
) -> requests.Response:
    """Send all data to the server, and lose the response."""
    one.pass_on(request, arguments).close()
    raise requests.ConnectionError("reset by peer")


FAILURES = [refused, cut, busy]


@pytest.fixture(params=["v1", "v2"])
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    with GlanceFixture(apis=(request.param,), fault_injection=False) as one:
        yield one


def service_over(
    glance: GlanceFixture, failure: Failure, times: int = 1, **options: Any
) -> tuple[ImageService, Failing]:
    session = glance.session()
    failing = Failing(failure, times)
    session.session.mount("http://", failing)
    chosen = Options(**{"backoff_max": 0, **options})
    return ImageService(session, endpoint_override=glance.url, options=chosen), failing


def stored(glance: GlanceFixture) -> list[tuple[str, bytes]]:
    """Return name and data of the stored images."""
    living = [image for image in glance.images.values() if image.status != "deleted"]
    return [(str(image.name), bytes(image.data or b"")) for image in living]


@pytest.mark.parametrize(("failure", "times"), [(refused, 1), (cut, 1), (busy, 1), (busy, 3)])
def test_rewindable_data_is_resent(glance: GlanceFixture, failure: Failure, times: int) -> None:
    service, failing = service_over(glance, failure, times)
    created = service.create(None, {"name": "again", **FORMATS}, data=io.BytesIO(DATA))
    assert (created["status"], created["size"]) == ("active", len(DATA))
    assert stored(glance) == [("again", DATA)]
    assert failing.attempts == times + 1


@pytest.mark.parametrize("failure", FAILURES)
def test_retry_starts_at_initial_position(glance: GlanceFixture, failure: Failure) -> None:
    file = io.BytesIO(b"before" + DATA)
    file.seek(6)
    service, _ = service_over(glance, failure)
    service.create(None, {"name": "from there", **FORMATS}, data=file)
    assert stored(glance) == [("from there", DATA)]


class Pipe:
    """A file that can be read only once."""

    def __init__(self) -> None:
        self._file = io.BytesIO(DATA)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


@pytest.mark.parametrize("failure", [cut, busy])
@pytest.mark.parametrize("kind", [Pipe, lambda: iter([DATA[:1000], DATA[1000:]])])
def test_unseekable_data_is_sent_once(
    glance: GlanceFixture, failure: Failure, kind: Callable[[], Any]
) -> None:
    service, failing = service_over(glance, failure)
    with pytest.raises((exceptions.GlanceConnectionFailed, exceptions.BadResponse)):
        service.create(None, {"name": "once", **FORMATS}, data=kind())
    assert failing.attempts == 1
    assert stored(glance) == []


def test_unseekable_data_is_retried_if_not_started(glance: GlanceFixture) -> None:
    service, _ = service_over(glance, refused)
    service.create(None, {"name": "pipe", **FORMATS}, data=Pipe())
    assert stored(glance) == [("pipe", DATA)]


@pytest.mark.slow
@pytest.mark.parametrize("failure", FAILURES)
def test_attempts_are_limited(glance: GlanceFixture, failure: Failure) -> None:
    service, failing = service_over(glance, failure, times=99, max_attempts=2)
    with pytest.raises((exceptions.GlanceConnectionFailed, exceptions.BadResponse)):
        service.create(None, {"name": "never", **FORMATS}, data=DATA)
    assert failing.attempts == 2
    assert stored(glance) == []


def test_upload_with_lost_response_is_not_repeated(glance: GlanceFixture) -> None:
    service, failing = service_over(glance, lost)
    created = service.create(None, {"name": "lost", **FORMATS}, data=DATA)
    assert created["size"] == len(DATA)
    assert stored(glance) == [("lost", DATA)]
    assert failing.attempts == 1


@pytest.mark.parametrize("failure", [refused, busy])
def test_requested_id_is_reused_in_retry(glance: GlanceFixture, failure: Failure) -> None:
    service, failing = service_over(glance, failure)
    created = service.create(None, {"id": CHOSEN, "name": "mine", **FORMATS}, data=DATA)
    assert created["id"] == CHOSEN
    assert stored(glance) == [("mine", DATA)]
    assert failing.attempts == 2


@pytest.mark.parametrize("failure", FAILURES)
def test_retry_uploads_to_queued_image(glance: GlanceFixture, failure: Failure) -> None:
    service, failing = service_over(glance, failure)
    image_id = service.create(None, {"name": "queued", **FORMATS})["id"]
    try:
        updated = service.update(None, image_id, {"name": "filled"}, data=DATA)
    except exceptions.GlanceConnectionFailed:
        # v1 kills an image after an interrupted upload (verified on Glance 15.0.2).
        assert (failure, failing.attempts) == (cut, 1)
        assert glance.images[image_id].status == "killed"
        return
    assert updated["status"] == "active"
    assert stored(glance) == [("filled", DATA)]
    assert failing.attempts == 2


def test_progress_restarts_on_retry(glance: GlanceFixture) -> None:
    told: list[int] = []
    service, _ = service_over(glance, cut)
    service.create(
        None,
        {"name": "told", **FORMATS},
        data=DATA,
        progress=lambda done, total: told.append(done),
    )
    assert told[-1] == len(DATA)
    assert told.count(told[0]) == 2


class CancelledError(Exception):
    """An exception of the caller."""


def cancel(done: int, total: int | None) -> None:
    raise CancelledError


def test_cancelled_upload_is_not_retried(glance: GlanceFixture) -> None:
    service, failing = service_over(glance, lost, times=0)
    with pytest.raises(CancelledError):
        service.create(None, {"name": "cancelled", **FORMATS}, data=DATA, progress=cancel)
    assert failing.attempts == 1
    assert stored(glance) == []


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > len(DATA) // 2:
            raise ConnectionResetError("the caller's own network")
        return super().read(size)


def test_source_error_is_not_retried(glance: GlanceFixture) -> None:
    service, failing = service_over(glance, lost, times=0)
    source: BinaryIO = Broken(DATA)
    with pytest.raises(exceptions.DataSourceError):
        service.create(None, {"name": "broken", **FORMATS}, data=source)
    assert failing.attempts == 1
    assert stored(glance) == []


@pytest.mark.parametrize("version", ["1", "2"])
def test_declared_checksum_ignores_case(version: Any) -> None:
    digest = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    with GlanceFixture() as glance:
        session = ksa_session.Session(auth=token_endpoint.Token(glance.url, "t"))
        service = ImageService(
            session, endpoint_override=glance.url, options=Options(api_version=version)
        )
        created = service.create(None, {**FORMATS, "checksum": digest.upper()}, DATA)
    assert created["checksum"] == digest
