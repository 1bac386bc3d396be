# SPDX-License-Identifier: Apache-2.0
"""The most serious faults of the table, injected in front of real servers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import FaultProxy, faults
from glance_compat.fixture.faults import Fault
from tests.functional.cloud import Cloud

pytestmark = pytest.mark.functional

DATA = hashlib.sha256(b"fault").digest() * 40_000
OLD = b"what was there before"
FORMATS = {"disk_format": "raw", "container_format": "bare"}

#: Faults during an upload.
SENDING: tuple[Fault, ...] = (
    faults.ResetBefore(),
    faults.ResetDuring(200_000),
    faults.ResetAfter(),
    faults.ResponseLost(),
    faults.Status(503),
    faults.Status(503, unread=True),
    faults.Closed(),
    faults.HtmlPage(),
    faults.ExpiredToken(),
    faults.Redirect(location="http://127.0.0.2:9{path}"),
)
#: Faults during a download.
READING: tuple[Fault, ...] = (
    faults.Truncated(after=500_000),
    faults.BodyReset(after=500_000),
    faults.BodyShortened(7),
    faults.BodyLengthened(7),
    faults.BodyCorrupted(700_000),
    faults.WithoutLength(1000),
    faults.HtmlPage(),
    faults.HeadersTruncated(after=1),
    faults.NotHttp(),
    faults.Unterminated(),
)
#: Those that the size or the hash of the data shows.
DAMAGED = READING[2:6]


@pytest.fixture(params=["pike-v1", "pike-v2", "glance-33"])
def proxy(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[FaultProxy]:
    with FaultProxy(cloud.url(request.param)) as found:
        yield found


@pytest.fixture
def service(proxy: FaultProxy, cloud: Cloud) -> ImageService:
    options = Options(max_attempts=3, backoff_max=0.1)
    found = ImageService(cloud.session("demo"), endpoint_override=proxy.url, options=options)
    found.discover()
    return found


@pytest.fixture
def name(service: ImageService, proxy: FaultProxy) -> Iterator[str]:
    """Return a unique image name; assert afterwards that no image with it is left."""
    found = f"faults {uuid.uuid4()}"
    yield found
    proxy.faults.clear()
    for image in service.detail(None, filters={"name": found}):
        service.delete(None, image["id"])


@pytest.mark.parametrize("fault", SENDING, ids=lambda fault: fault.name())
def test_fault_during_create(
    proxy: FaultProxy, service: ImageService, name: str, fault: Fault
) -> None:
    is_v1 = service.discover().api == "v1"
    method, path = ("POST", "images") if is_v1 else ("PUT", "images/*/file")
    proxy.faults.add(fault, method, path)
    try:
        made = service.create(None, {"name": name, **FORMATS}, data=DATA)
    except exceptions.GlanceCompatError:
        expected = 0
    else:
        expected = 1
        assert (made["status"], made["size"]) == ("active", len(DATA))
        assert made["checksum"] == hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    assert proxy.faults.happened
    proxy.faults.clear()
    assert len(service.detail(None, filters={"name": name})) == expected


@pytest.mark.parametrize("fault", READING, ids=lambda fault: fault.name())
def test_fault_during_read(
    proxy: FaultProxy, service: ImageService, name: str, tmp_path: Path, fault: Fault
) -> None:
    image = service.create(None, {"name": name, **FORMATS}, data=DATA)
    path = tmp_path / "image"
    path.write_bytes(OLD)
    is_v1 = service.discover().api == "v1"
    proxy.faults.add(fault, "GET", "images/*" if is_v1 else "images/*/file")
    try:
        service.download(None, image["id"], dst_path=str(path))
    except exceptions.GlanceCompatError:
        assert fault not in DAMAGED
        expected = OLD
    else:
        expected = DATA
    assert proxy.faults.happened
    assert path.read_bytes() == expected
    assert [one.name for one in tmp_path.iterdir()] == ["image"]


LIMITED: tuple[faults.Replaced, ...] = (
    faults.Status(413, retry_after=0),
    faults.Status(429, headers=(("Retry-After", "0.1"),)),
    faults.Status(503, headers=(("Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"),)),
)


@pytest.mark.parametrize("fault", LIMITED, ids=lambda fault: str(fault.status))
def test_rate_limit_is_waited_for(
    proxy: FaultProxy, service: ImageService, name: str, fault: faults.Replaced
) -> None:
    image = service.create(None, {"name": name, **FORMATS}, data=DATA)
    for method in ("GET", "HEAD", "DELETE"):
        proxy.faults.add(fault, method)
    assert service.show(None, image["id"]) == image
    assert [one["id"] for one in service.detail(None, filters={"name": name})] == [image["id"]]
    assert service.delete(None, image["id"])
    used = {one.method for one in proxy.faults.happened}
    assert used == {"GET", "DELETE"} | ({"HEAD"} if service.discover().api == "v1" else set())


@pytest.mark.parametrize("updates", [False, True], ids=["create", "update"])
@pytest.mark.parametrize("status", [504, None])
def test_upload_still_saving_is_awaited(
    proxy: FaultProxy, cloud: Cloud, name: str, status: int | None, updates: bool
) -> None:
    """The load balancer's time is over, and the last byte arrives 4 s later."""
    session = cloud.session("demo")
    exchanged: list[tuple[str | None, bool]] = []

    def note(response: requests.Response, *args: object, **kwargs: object) -> None:
        has_data = "octet-stream" in str(response.request.headers.get("Content-Type"))
        exchanged.append((response.request.method, has_data))

    session.session.hooks["response"].append(note)
    options = Options(stall_timeout=3, settle_timeout=60)
    service = ImageService(session, endpoint_override=proxy.url, options=options)
    is_v1 = service.discover().api == "v1"
    with_data = ("PUT" if updates else "POST", "images/*" if updates else "images")
    method, path = with_data if is_v1 else ("PUT", "images/*/file")
    meta = {"name": name, **FORMATS}
    queued = service.create(None, meta) if updates else None
    proxy.faults.add(faults.GatewayTimeout(status, limit=1, seconds=4), method, path)
    if queued is not None:
        made = service.update(None, queued["id"], {"name": name}, data=DATA)
    else:
        made = service.create(None, meta, data=DATA)
    assert proxy.faults.happened
    assert (made["status"], made["size"]) == ("active", len(DATA))
    assert made["checksum"] == hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    [listed] = service.detail(None, filters={"name": name})
    assert listed["id"] == made["id"]
    assert not any(method == "DELETE" for method, _ in exchanged)
    # An upload without a response is not among them.
    responses = 0 if status is None else 1
    assert sum(has_data for _, has_data in exchanged) == responses


def test_unfinished_upload_raises_outcome_unknown(
    proxy: FaultProxy, cloud: Cloud, name: str
) -> None:
    options = Options(settle_timeout=3)
    service = ImageService(cloud.session("demo"), endpoint_override=proxy.url, options=options)
    is_v1 = service.discover().api == "v1"
    method, path = ("POST", "images") if is_v1 else ("PUT", "images/*/file")
    proxy.faults.add(faults.GatewayTimeout(limit=1, seconds=600, completes=False), method, path)
    with pytest.raises(exceptions.OutcomeUnknown) as caught:
        service.create(None, {"name": name, **FORMATS}, data=DATA)
    image_id = caught.value.image_id
    assert image_id
    assert service.show(None, image_id)["status"] == "saving"
