# SPDX-License-Identifier: Apache-2.0
"""download: data that is damaged on its way is downloaded again, if no reader has seen it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.routing.health import ENDPOINT_HEALTH
from glance_compat.transport import retry

IMAGE = "11111111-2222-3333-4444-555555555555"
DATA = bytes(range(256)) * 4096
OLD = b"what was there before"
DAMAGE = (
    faults.BodyCorrupted(700_000),
    faults.BodyShortened(7),
    faults.BodyLengthened(7),
)
DESCRIPTION = {"id": IMAGE, "data": DATA, "disk_format": "raw", "container_format": "bare"}


@pytest.fixture(params=["v1", "v2"])
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def glance(api: str) -> Iterator[GlanceFixture]:
    fixture = GlanceFixture((api,), images=[DESCRIPTION], sockets=False)
    with fixture as one, retry.without_pauses():
        yield one


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "image"
    found.write_bytes(OLD)
    return found


def service_of(glance: GlanceFixture, **options: Any) -> ImageService:
    return ImageService(glance.session(), options=Options(**options))


def damage(glance: GlanceFixture, fault: faults.Fault, times: int | None = 1) -> None:
    # Over v1 this is the request for the data, and over v2 none is sent to it.
    glance.faults.add(fault, "GET", "v1/images/*", times=times)
    glance.faults.add(fault, "GET", "images/*/file", times=times)


def downloads_of(glance: GlanceFixture) -> int:
    return sum(
        one.method == "GET" and one.path.endswith((f"v1/images/{IMAGE}", "/file"))
        for one in glance.requests
    )


@pytest.mark.parametrize("fault", DAMAGE, ids=lambda fault: fault.name())
@pytest.mark.parametrize("times", [1, 3])
def test_damaged_download_to_a_path_is_repeated(
    glance: GlanceFixture, path: Path, fault: faults.Fault, times: int
) -> None:
    damage(glance, fault, times)
    told: list[int] = []
    service_of(glance).download(
        None, IMAGE, dst_path=path, progress=lambda done, total: told.append(done)
    )
    assert path.read_bytes() == DATA
    assert [one.name for one in path.parent.iterdir()] == ["image"]
    assert downloads_of(glance) == times + 1
    assert told.count(told[0]) == times + 1
    assert told[-1] == len(DATA)


def test_always_damaged_download_leaves_old_file(
    glance: GlanceFixture, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(glance, DAMAGE[0], None)
    with pytest.raises(exceptions.IntegrityError):
        service_of(glance, max_attempts=3).download(None, IMAGE, dst_path=path)
    assert path.read_bytes() == OLD
    assert [one.name for one in path.parent.iterdir()] == ["image"]
    assert downloads_of(glance) == 3
    repeated = "A download was damaged and is retried within max_attempts: the data of image"
    assert f"{repeated} {IMAGE} is damaged" in caplog.text


def test_damaged_iterator_is_not_repeated(glance: GlanceFixture) -> None:
    damage(glance, DAMAGE[0])
    with pytest.raises(exceptions.IntegrityError):
        list(service_of(glance).download(None, IMAGE))
    assert downloads_of(glance) == 1


def test_damaged_download_to_a_file_object_is_not_repeated(glance: GlanceFixture) -> None:
    damage(glance, DAMAGE[0])
    with pytest.raises(exceptions.IntegrityError):
        service_of(glance).download(None, IMAGE, data=io.BytesIO())
    assert downloads_of(glance) == 1


def test_damaged_download_to_a_device_is_not_repeated(glance: GlanceFixture) -> None:
    damage(glance, DAMAGE[0])
    with pytest.raises(exceptions.IntegrityError):
        service_of(glance).download(None, IMAGE, dst_path=os.devnull)
    assert downloads_of(glance) == 1


def test_other_errors_are_not_repeated(glance: GlanceFixture, path: Path) -> None:
    with pytest.raises(exceptions.ImageUnacceptable):
        service_of(glance, check_format=True).download(None, wrong_format(glance), dst_path=path)
    assert path.read_bytes() == OLD
    gets = [one for one in glance.requests if one.method == "GET"]
    assert sum(one.path.endswith("/file") or "/v1/images/" in one.path for one in gets) == 1


def wrong_format(glance: GlanceFixture) -> str:
    meta = {"name": "wrong", "disk_format": "qcow2", "container_format": "bare"}
    return str(service_of(glance).create(None, meta, data=DATA)["id"])


def test_data_with_damaged_format_is_downloaded_again(glance: GlanceFixture, path: Path) -> None:
    meta = {"name": "disk", "disk_format": "qcow2", "container_format": "bare"}
    disk = b"QFI\xfb" + bytes([0, 0, 0, 3]) + bytes(2**16 - 8)
    image_id = service_of(glance).create(None, meta, data=disk)["id"]
    damage(glance, faults.BodyCorrupted(0))
    options = {"check_format": True, "verify_downloads": "strong"}
    service_of(glance, **options).download(None, image_id, dst_path=path)
    assert path.read_bytes() == disk


def test_damaged_download_is_repeated_at_another_endpoint(api: str, path: Path) -> None:
    ENDPOINT_HEALTH.reset()
    with (
        retry.without_pauses(),
        GlanceFixture((api,), images=[DESCRIPTION]) as damaged,
        GlanceFixture((api,), images=[DESCRIPTION]) as other,
    ):
        damage(damaged, DAMAGE[0], None)
        service = ImageService(damaged.session(), endpoint_override=[damaged.url, other.url])
        service.download(None, IMAGE, dst_path=path)
        assert downloads_of(damaged) == downloads_of(other) == 1
    assert path.read_bytes() == DATA
