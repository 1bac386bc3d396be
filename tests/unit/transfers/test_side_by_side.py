# SPDX-License-Identifier: Apache-2.0
"""download_connections: ranges side by side give the same file as one stream, or one error."""

from __future__ import annotations

import _thread
import dataclasses
import hashlib
import os
import random
import signal
import threading
import time
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import requests.adapters

from glance_compat import ImageService, Options, exceptions
from glance_compat.backends.protocol import OpenedData
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.streams.streams import Expected
from glance_compat.transfers import side_by_side
from glance_compat.transfers.side_by_side import SideBySide
from glance_compat.transport import retry

RANGE = 64 * 1024
DATA = random.Random(5).randbytes(8 * RANGE + 1000)  # noqa: S311 - not a secret
MD5 = hashlib.new("md5", DATA, usedforsecurity=False).hexdigest()
IMAGE = "aaaaaaaa-0000-4000-8000-000000000001"
FILE = "images/*/file"


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "RANGE_BYTES", RANGE)


@pytest.fixture(scope="module")
def server() -> Iterator[GlanceFixture]:
    formats = {"disk_format": "raw", "container_format": "bare"}
    with GlanceFixture(images=[{"id": IMAGE, "data": DATA, **formats}]) as one:
        yield one


@pytest.fixture
def glance(server: GlanceFixture) -> Iterator[GlanceFixture]:
    yield server
    server.faults.clear()
    server.reset()


def service_of(
    glance: GlanceFixture, connections: int = 4, *, user: str = "", **options: typing.Any
) -> ImageService:
    options = {"api_version": "2", "connect_timeout": 30, "stall_timeout": 60, **options}
    return ImageService(
        glance.session(),
        endpoint_override=glance.url,
        options=Options(download_connections=connections, **options),
    )


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "glance_compat-range"]


def ranges_of(glance: GlanceFixture) -> list[str]:
    return sorted(
        (one.headers.get("Range") or "all")
        for one in glance.requests
        if one.path.endswith("/file") or (one.method, one.path) == ("GET", f"/v1/images/{IMAGE}")
    )


def header(start: int, end: int) -> str:
    return f"bytes={start}-{end - 1}"


@pytest.mark.parametrize("connections", [2, 3, 8])
def test_file_has_the_data_and_each_range_is_requested_once(
    glance: GlanceFixture, tmp_path: Path, connections: int
) -> None:
    path = tmp_path / "image"
    done: list[int] = []
    service_of(glance, connections).download(
        None, IMAGE, dst_path=path, progress=lambda count, total: done.append(count)
    )
    assert path.read_bytes() == DATA
    assert done == sorted(done)
    assert done[-1] == len(DATA)
    assert [one.path for one in glance.requests] == [f"/v2/images/{IMAGE}/file"] * 9
    assert ranges_of(glance) == sorted(
        header(start, min(start + RANGE, len(DATA))) for start in range(0, len(DATA), RANGE)
    )
    assert threads() == []


@pytest.mark.parametrize(
    ("size", "verify"),
    [
        *((size, "auto") for size in (0, 1, RANGE, RANGE + 1, 2 * RANGE)),
        (RANGE + 1, "strong"),
        (RANGE + 1, "off"),
    ],
)
def test_data_of_any_size_arrives(
    glance: GlanceFixture, tmp_path: Path, size: int, verify: str
) -> None:
    service = service_of(glance, verify_downloads=verify)
    data = DATA[:size]
    image = service.create(None, {"disk_format": "raw", "container_format": "bare"}, data=data)
    service.download(None, image["id"], dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == data


def test_small_image_takes_one_request(glance: GlanceFixture, tmp_path: Path) -> None:
    service = service_of(glance)
    image = service.create(
        None, {"disk_format": "raw", "container_format": "bare"}, data=DATA[:RANGE]
    )
    glance.requests.clear()
    service.download(None, image["id"], dst_path=tmp_path / "image")
    assert ranges_of(glance) == [header(0, RANGE)]


def test_v1_and_other_destinations_use_one_stream(glance: GlanceFixture, tmp_path: Path) -> None:
    service_of(glance, api_version="1").download(None, IMAGE, dst_path=tmp_path / "v1")
    assert (tmp_path / "v1").read_bytes() == DATA
    service = service_of(glance)
    assert b"".join(service.download(None, IMAGE)) == DATA
    with (tmp_path / "file").open("wb") as file:
        service.download(None, IMAGE, data=file)
    assert (tmp_path / "file").read_bytes() == DATA
    service_of(glance, connections=1).download(None, IMAGE, dst_path=tmp_path / "one")
    assert ranges_of(glance) == ["all"] * 4


def test_green_threads_use_one_stream(
    glance: GlanceFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: pytest.fail("not to be called"))
    service_of(glance).download(None, IMAGE, dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == DATA
    assert ranges_of(glance) == ["all"]


def test_without_threads_the_ranges_are_fetched_one_by_one(
    glance: GlanceFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    service = service_of(glance)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        found = service._downloader.open(
            service._dispatcher.read_identity(None), None, IMAGE, (), None, to_path=True
        )
    with found:
        assert b"".join(found) == DATA
    assert len(ranges_of(glance)) == 9


# ---------------------------------------------------------------------------------------------
# Faults in one of the ranges.

HARMLESS = [
    faults.ResetBefore(),
    faults.Closed(),
    faults.ResponseLost(),
    faults.Status(503),
    faults.BodyReset(),
    faults.BodyShortened(),
    faults.BodyLengthened(),
    faults.BodyCorrupted(),
    faults.HeadersTruncated(),
    faults.HeaderMissing("Content-Range"),
    faults.WithoutLength(),
]


@pytest.mark.parametrize("fault", HARMLESS, ids=lambda fault: fault.name())
@pytest.mark.parametrize("nth", [1, 3])
def test_failed_range_is_fetched_again(
    glance: GlanceFixture, tmp_path: Path, fault: faults.Fault, nth: int
) -> None:
    glance.faults.add(fault, "GET", FILE, nth=nth)
    path = tmp_path / "image"
    with retry.without_pauses():
        service_of(glance).download(None, IMAGE, dst_path=path)
    assert len(glance.faults.happened) == 1
    assert path.read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [path]
    assert threads() == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", [faults.Stalled(), faults.BodyStalled()], ids=str)
def test_stalled_range_is_fetched_again(
    glance: GlanceFixture, tmp_path: Path, fault: faults.Fault
) -> None:
    glance.faults.add(fault, "GET", FILE, nth=3)
    with retry.without_pauses():
        service_of(glance, stall_timeout=2).download(None, IMAGE, dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == DATA
    assert threads() == []


@pytest.mark.parametrize("status", [404, 500])
def test_permanent_error_leaves_the_old_file(
    glance: GlanceFixture, tmp_path: Path, status: int
) -> None:
    glance.faults.add(faults.Status(status), "GET", FILE, nth=3, times=None)
    path = tmp_path / "image"
    path.write_bytes(b"old")
    error = exceptions.ImageNotFound if status == 404 else exceptions.BadResponse
    with retry.without_pauses(), pytest.raises(error):
        service_of(glance).download(None, IMAGE, dst_path=path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]
    assert threads() == []


def test_rest_comes_over_one_connection_after_a_failure(
    glance: GlanceFixture, tmp_path: Path
) -> None:
    glance.faults.add(faults.BodyReset(), "GET", FILE, nth=3)
    with retry.without_pauses():
        service_of(glance, connections=2).download(None, IMAGE, dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == DATA
    assert len([one for one in ranges_of(glance) if one.endswith("-")]) == 1


class WithoutRange(requests.adapters.HTTPAdapter):
    """Drops the header Range of one request, as a proxy may do.

    :param nth: number of the request of data, from 1.
    """

    def __init__(self, nth: int) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._nth = nth

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, **kwargs: typing.Any
    ) -> requests.Response:
        if "Range" in request.headers:
            with self._lock:
                self._nth -= 1
                if not self._nth:
                    del request.headers["Range"]
        return super().send(request, **kwargs)


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_ignored_range_does_no_harm(glance: GlanceFixture, tmp_path: Path, nth: int) -> None:
    session = glance.session()
    session.session.mount("http://", WithoutRange(nth))
    options = Options(api_version="2", download_connections=4)
    service = ImageService(session, endpoint_override=glance.url, options=options)
    with retry.without_pauses():
        service.download(None, IMAGE, dst_path=tmp_path / "image")
    assert (tmp_path / "image").read_bytes() == DATA
    assert threads() == []


# ---------------------------------------------------------------------------------------------
# Downloads that end early.


class CancelledError(Exception):
    """The program cancels the download."""


@pytest.mark.parametrize("error", [CancelledError(), KeyboardInterrupt()], ids=repr)
def test_cancelled_download_leaves_no_thread(
    glance: GlanceFixture, tmp_path: Path, error: BaseException
) -> None:
    glance.faults.add(faults.Stalled(), "GET", FILE, nth=2, times=None)

    def cancel(done: int, total: int | None) -> None:
        until = time.monotonic() + 60
        while len(glance.faults.happened) < 3:
            os.sched_yield()
            assert time.monotonic() < until, "the other ranges were not requested"
        raise error

    with pytest.raises(type(error)):
        service_of(glance).download(None, IMAGE, dst_path=tmp_path / "image", progress=cancel)
    assert threads() == []
    assert list(tmp_path.iterdir()) == []


def test_kept_part_is_continued(glance: GlanceFixture, tmp_path: Path) -> None:
    path = tmp_path / "image"

    def cancel(done: int, total: int | None) -> None:
        if done > 3 * RANGE:
            raise CancelledError

    service = service_of(glance)
    with pytest.raises(CancelledError):
        service.download(None, IMAGE, dst_path=path, progress=cancel, resume=True)
    [part] = tmp_path.iterdir()
    kept = part.stat().st_size
    assert part.read_bytes() == DATA[:kept]
    glance.requests.clear()
    service.download(None, IMAGE, dst_path=path, resume=True)
    assert path.read_bytes() == DATA
    starts = [int(one[6:].split("-")[0]) for one in ranges_of(glance)]
    assert min(starts) == kept > 0


# ---------------------------------------------------------------------------------------------
# The ranges themselves.


class Source:
    """Data that is served in ranges.

    :param data: all data.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.opened: list[int] = []
        self.lock = threading.Lock()

    def open(self, start: int, end: int, deadline: object = None) -> OpenedData:
        with self.lock:
            self.opened.append(start)
        blocks = (self.data[at : min(at + 4096, end)] for at in range(start, end, 4096))
        expected = Expected(len(self.data), "md5", MD5)
        return OpenedData(blocks, lambda: None, expected, None, None, start=start, end=end)


@pytest.mark.parametrize("connections", [2, 4])
def test_ranges_ahead_are_bounded(connections: int) -> None:
    source = Source(DATA)
    found = SideBySide(source.open(0, RANGE), len(DATA), source.open, connections, IMAGE)
    received = 0
    for block in found:
        # The range of this block, and those ahead of it.
        with source.lock:
            most = max(source.opened)
        assert most <= (received // RANGE + connections - 1) * RANGE
        received += len(block)
        with found._changed:
            waiting = sum(len(one) for ahead in found._following for one in ahead.blocks)
        assert waiting <= (connections - 1) * RANGE
    assert received == len(DATA)
    found.close()
    assert threads() == []


def test_range_of_other_data_is_an_error() -> None:
    source = Source(DATA)

    def open_other(start: int, end: int, deadline: object) -> OpenedData:
        found = source.open(start, end)
        return dataclasses.replace(found, expected=Expected(len(DATA), "md5", "0" * 32))

    found = SideBySide(source.open(0, RANGE), len(DATA), open_other, 2, IMAGE)
    received: list[bytes] = []
    with pytest.raises(exceptions.IntegrityError, match="changed while it was read"):
        received.extend(found)
    assert b"".join(received) == DATA[:RANGE]
    found.close()
    assert threads() == []


@pytest.mark.slow
def test_forked_process_gets_an_error() -> None:
    source = Source(DATA)
    found = SideBySide(source.open(0, RANGE), len(DATA), source.open, 2, IMAGE)
    blocks = iter(found)
    next(blocks)
    child = os.fork()
    if not child:
        signal.alarm(60)
        try:
            list(blocks)
        except exceptions.Invalid as error:
            found.close()
            os._exit(0 if "forked" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert sum(map(len, blocks)) == len(DATA) - 4096
    found.close()
