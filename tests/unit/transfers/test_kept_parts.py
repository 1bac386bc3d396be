# SPDX-License-Identifier: Apache-2.0
"""download(resume=True): the part of an interrupted download is kept, and continued."""

from __future__ import annotations

import fcntl
import os
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults

DATA = os.urandom(3_000_000)
CUT = 1_000_000
ONE = "70a599e0-31e7-49b7-b260-868f441e862b"
IMAGE = {"id": ONE, "disk_format": "raw", "container_format": "bare", "data": DATA}


@pytest.fixture(params=["v1", "v2"])
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    with GlanceFixture(apis=(request.param,), images=[IMAGE]) as running:
        yield running


@pytest.fixture
def v2() -> Iterator[GlanceFixture]:
    with GlanceFixture(apis=("v2",), images=[IMAGE]) as running:
        yield running


def service_of(glance: GlanceFixture, **options: typing.Any) -> ImageService:
    return ImageService(
        glance.session("t"),
        endpoint_override=glance.url,
        options=Options(**{"max_attempts": 1, "backoff_max": 0.1, **options}),
    )


def data_requests(glance: GlanceFixture) -> list[str | None]:
    """Return the Range header of each request for the data."""
    paths = (f"/v1/images/{ONE}", f"/v2/images/{ONE}/file")
    return [
        one.headers.get("Range")
        for one in glance.requests
        if one.method == "GET" and one.path in paths
    ]


def cut(glance: GlanceFixture, fault: faults.Fault | None = None) -> None:
    for path in (f"v1/images/{ONE}", f"v2/images/{ONE}/file"):
        glance.faults.add(fault or faults.Truncated(after=CUT), "GET", path)


def interrupted(glance: GlanceFixture, path: Path, **options: typing.Any) -> Path:
    """Interrupt a download, and return its part."""
    cut(glance)
    with pytest.raises(exceptions.GlanceConnectionFailed):
        service_of(glance, **options).download(None, ONE, dst_path=path, resume=True)
    assert not path.exists()
    [part] = path.parent.iterdir()
    assert part.stat().st_mode & 0o777 == 0o600
    kept = part.read_bytes()
    assert 0 < len(kept) <= CUT
    assert DATA.startswith(kept)
    glance.reset()
    return part


def is_v1(glance: GlanceFixture) -> bool:
    return service_of(glance).discover().api == "v1"


def test_part_is_continued(
    glance: GlanceFixture, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "image"
    size = interrupted(glance, path).stat().st_size
    assert f"The first {size} bytes are kept in {tmp_path}" in caplog.text
    done: list[int] = []
    service_of(glance).download(
        None, ONE, dst_path=path, resume=True, progress=lambda count, _: done.append(count)
    )
    assert path.read_bytes() == DATA
    assert [one.name for one in tmp_path.iterdir()] == ["image"]
    # v1 ignores Range, so its data is received from the start.
    v1 = is_v1(glance)
    assert data_requests(glance) == [f"bytes={size}-"] if not v1 else [None]
    assert done[-1] == len(DATA)
    assert done == sorted(done)


def test_download_without_resume_does_not_use_the_part(
    glance: GlanceFixture, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    interrupted(glance, path)
    service_of(glance).download(None, ONE, dst_path=path)
    assert path.read_bytes() == DATA
    assert data_requests(glance) == [None]
    assert [one.name for one in tmp_path.iterdir()] == ["image"]


def test_download_without_resume_keeps_no_part(glance: GlanceFixture, tmp_path: Path) -> None:
    cut(glance)
    with pytest.raises(exceptions.GlanceConnectionFailed):
        service_of(glance).download(None, ONE, dst_path=tmp_path / "image")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("attempts", [1, 2])
def test_damaged_part_is_found_and_never_kept(
    v2: GlanceFixture, tmp_path: Path, attempts: int
) -> None:
    path = tmp_path / "image"
    part = interrupted(v2, path)
    damaged = bytearray(part.read_bytes())
    damaged[7] ^= 1
    part.write_bytes(damaged)
    service = service_of(v2, max_attempts=attempts)
    if attempts == 1:
        with pytest.raises(exceptions.IntegrityError):
            service.download(None, ONE, dst_path=path, resume=True)
        assert list(tmp_path.iterdir()) == []
    else:
        service.download(None, ONE, dst_path=path, resume=True)
        assert path.read_bytes() == DATA


@pytest.mark.parametrize("size", [len(DATA), len(DATA) + 5])
def test_part_that_is_too_long_is_discarded(v2: GlanceFixture, tmp_path: Path, size: int) -> None:
    path = tmp_path / "image"
    interrupted(v2, path).write_bytes(bytes(size))
    service_of(v2).download(None, ONE, dst_path=path, resume=True)
    assert path.read_bytes() == DATA


def test_part_is_discarded_where_no_digest_verifies_it(v2: GlanceFixture, tmp_path: Path) -> None:
    path = tmp_path / "image"
    interrupted(v2, path).write_bytes(b"wrong")
    service_of(v2, verify_downloads="off").download(None, ONE, dst_path=path, resume=True)
    assert path.read_bytes() == DATA
    assert data_requests(v2) == ["bytes=5-", None]


def test_two_downloads_do_not_mix(v2: GlanceFixture, tmp_path: Path) -> None:
    path = tmp_path / "image"
    part = interrupted(v2, path)
    kept = part.read_bytes()
    with part.open("r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        service_of(v2).download(None, ONE, dst_path=path, resume=True)
        assert path.read_bytes() == DATA
        # The other one may go on writing.
        assert part.read_bytes() == kept
        path.unlink()
        v2.reset()
        cut(v2)
        with pytest.raises(exceptions.GlanceConnectionFailed):
            service_of(v2).download(None, ONE, dst_path=path, resume=True)
    # Nobody would find a second part.
    assert list(tmp_path.iterdir()) == [part]


@pytest.mark.parametrize("how", ["link", "hard link", "readable", "folder"])
def test_file_that_others_may_have_made_is_not_continued(
    v2: GlanceFixture, tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "image"
    part = interrupted(v2, path)
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    precious.chmod(0o600)
    part.unlink()
    if how == "link":
        part.symlink_to(precious)
    elif how == "hard link":
        part.hardlink_to(precious)
    elif how == "folder":
        part.mkdir()
    else:
        part.write_bytes(DATA[:CUT])
        part.chmod(0o644)
    service_of(v2).download(None, ONE, dst_path=path, resume=True)
    assert path.read_bytes() == DATA
    assert precious.read_bytes() == b"precious"
    assert data_requests(v2) == [None]


def test_interrupt_keeps_the_part(v2: GlanceFixture, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > CUT:
            raise KeyboardInterrupt

    path = tmp_path / "image"
    with pytest.raises(KeyboardInterrupt):
        service_of(v2).download(None, ONE, dst_path=path, resume=True, progress=interrupt)
    [part] = tmp_path.iterdir()
    assert DATA.startswith(part.read_bytes())
    service_of(v2).download(None, ONE, dst_path=path, resume=True)
    assert path.read_bytes() == DATA


def test_missing_image_leaves_no_part(v2: GlanceFixture, tmp_path: Path) -> None:
    path = tmp_path / "image"
    interrupted(v2, path)
    service_of(v2).delete(None, ONE)
    with pytest.raises(exceptions.ImageNotFound):
        service_of(v2).download(None, ONE, dst_path=path, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_resume_needs_a_path(v2: GlanceFixture, tmp_path: Path) -> None:
    service = service_of(v2)
    with pytest.raises(exceptions.Invalid, match="resume needs dst_path"):
        service.download(None, ONE, resume=True)
    with (
        open(tmp_path / "file", "wb") as file,
        pytest.raises(exceptions.Invalid, match="resume needs dst_path"),
    ):
        service.download(None, ONE, data=file, resume=True)
    with pytest.raises(exceptions.Invalid, match="resume must be True or False"):
        service.download(None, ONE, dst_path="x", resume=typing.cast(bool, "yes"))
    # A device keeps no part.
    service.download(None, ONE, dst_path=os.devnull, resume=True)
