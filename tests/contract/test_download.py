# SPDX-License-Identifier: Apache-2.0
"""download(): as an iterator, to a path or to a file; and images without data."""

from __future__ import annotations

import gzip
import io
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract.shape import DATA
from tests.contract.targets import Target, everywhere, on_pike, only

VERIFY = ("auto", "strong", "off")


@pytest.fixture(scope="module")
def image_id(target: Target) -> str:
    """Return the id of an image of demo with DATA."""
    return target.make(name="to download", data=DATA)


@everywhere
@pytest.mark.parametrize("verify", VERIFY)
def test_download_iterates_over_blocks(target: Target, image_id: str, verify: str) -> None:
    found = target.service(verify_downloads=verify).download(None, image_id)
    assert iter(found) is found
    blocks = list(found)
    assert {type(block) for block in blocks} == {bytes}
    assert b"".join(blocks) == DATA
    assert list(found) == []


@everywhere
def test_download_can_be_closed_early(target: Target, image_id: str) -> None:
    found = target.service().download(None, image_id)
    found.close()
    found.close()
    assert target.service().show(None, image_id)["status"] == "active"


@everywhere
@pytest.mark.parametrize("verify", VERIFY)
def test_download_writes_to_file_object(target: Target, image_id: str, verify: str) -> None:
    file = io.BytesIO(b"before")
    file.seek(0, io.SEEK_END)
    service = target.service(verify_downloads=verify)
    assert service.download(None, image_id, data=file) is None
    assert file.getvalue() == b"before" + DATA


@everywhere
@pytest.mark.parametrize("verify", VERIFY)
def test_download_writes_to_path(
    target: Target, image_id: str, verify: str, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    service = target.service(verify_downloads=verify)
    assert service.download(None, image_id, dst_path=str(path)) is None
    assert path.read_bytes() == DATA
    usual = tmp_path.parent / f"{tmp_path.name}-usual"
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode
    assert [one.name for one in tmp_path.iterdir()] == ["image"]


def test_download_mode_sets_permissions(target: Target, image_id: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    target.service(download_mode=0o600).download(None, image_id, dst_path=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_download_replaces_file(target: Target, image_id: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"old and longer" * 1000)
    path.chmod(0o604)
    target.service().download(None, image_id, dst_path=str(path))
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_download_to_file_and_path_is_refused(
    target: Target, image_id: str, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    with target.counting() as exchanges, pytest.raises(exceptions.Invalid):
        target.service().download(None, image_id, data=io.BytesIO(), dst_path=str(path))
    assert exchanges == []
    assert not path.exists()


@everywhere
@pytest.mark.parametrize("user", ["demo", "admin"])
def test_progress_is_reported(target: Target, image_id: str, user: str) -> None:
    told: list[tuple[int, int | None]] = []
    found = target.service(user).download(
        None, image_id, progress=lambda done, total: told.append((done, total))
    )
    assert b"".join(found) == DATA
    assert told == sorted(told)
    assert told[-1] == (len(DATA), len(DATA))


class CancelledError(Exception):
    """An exception class of the caller."""


def cancel(done: int, total: int | None) -> None:
    raise CancelledError


def test_progress_exception_leaves_old_file(target: Target, image_id: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"old")
    with pytest.raises(CancelledError):
        target.service().download(None, image_id, dst_path=str(path), progress=cancel)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]


def queued(target: Target) -> str:
    return target.make(name="queued")


def deactivated(target: Target) -> str:
    image_id = target.make(name="deactivated", data=DATA)
    target.deactivate(image_id)
    return image_id


def deleted(target: Target) -> str:
    image_id = target.make(name="deleted", data=DATA)
    assert target.send("DELETE", f"/v2/images/{image_id}").status_code == 204
    return image_id


def missing(target: Target) -> str:
    return "00000000-0000-4000-8000-000000000000"


def private(target: Target) -> str:
    return target.make("stranger", name="private", data=DATA, visibility="private")


NOTHING: tuple[tuple[Callable[[Target], str], str, type[exceptions.GlanceCompatError]], ...] = (
    (queued, "demo", exceptions.ImageNotActive),
    (queued, "admin", exceptions.ImageNotActive),
    (deactivated, "demo", exceptions.ImageNotAuthorized),
    # v2 would serve the data to an admin; v1 serves it to no caller.
    (deactivated, "admin", exceptions.ImageNotAuthorized),
    (deleted, "demo", exceptions.ImageNotFound),
    (deleted, "admin", exceptions.ImageNotFound),
    (missing, "demo", exceptions.ImageNotFound),
    (private, "demo", exceptions.ImageNotFound),
)


@everywhere
@pytest.mark.parametrize(
    ("make", "user", "error"),
    NOTHING,
    ids=lambda value: value.__name__ if callable(value) else str(value),
)
def test_undownloadable_image_is_an_error(
    target: Target,
    make: Callable[[Target], str],
    user: str,
    error: type[exceptions.GlanceCompatError],
    tmp_path: Path,
) -> None:
    image_id = make(target)
    service = target.service(user)
    path = tmp_path / "image"
    path.write_bytes(b"old")
    # The call itself raises, not the first next().
    for into in ({}, {"data": io.BytesIO()}, {"dst_path": str(path)}):
        arguments: dict[str, Any] = dict(into)
        with pytest.raises(error) as caught:
            service.download(None, image_id, **arguments)
        assert type(caught.value) is error
        assert caught.value.image_id == image_id
        assert image_id in str(caught.value)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]


def test_only_admin_downloads_private_image_of_others(target: Target, image_id: str) -> None:
    with pytest.raises(exceptions.ImageNotFound):
        target.service("other").download(None, image_id)
    assert b"".join(target.service("admin").download(None, image_id)) == DATA


@everywhere
@pytest.mark.parametrize("verify", VERIFY)
def test_empty_image_downloads_no_bytes(target: Target, verify: str, tmp_path: Path) -> None:
    service = target.service(verify_downloads=verify)
    image_id = service.create(None, {"name": "empty", "size": 0})["id"]
    path = tmp_path / "image"
    assert service.download(None, image_id, dst_path=str(path)) is None
    assert path.read_bytes() == b""
    assert list(service.download(None, image_id)) == []


@on_pike
@pytest.mark.parametrize("user", ["demo", "admin"])
def test_image_without_location_downloads_no_bytes(target: Target, user: str) -> None:
    # Activated without data over v1; v2 responds with 204.
    headers = {"x-image-meta-name": "empty", "x-image-meta-size": "0"}
    image_id = target.send("POST", "/v1/images", headers=headers).json()["image"]["id"]
    assert list(target.service(user).download(None, image_id)) == []


@on_pike
def test_killed_image_is_an_error(target: Target, name: str) -> None:
    headers = {
        "x-image-meta-name": name,
        "x-image-meta-disk_format": "raw",
        "x-image-meta-container_format": "bare",
        "x-image-meta-size": "1",
        "Content-Type": "application/octet-stream",
    }
    answer = target.send("POST", "/v1/images", headers=headers, data=b"longer")
    assert answer.status_code == 400
    status, killed = target.leftovers(name)[0].split()
    assert status == "killed"
    target.made.append(killed)
    with pytest.raises(exceptions.ImageNotActive) as caught:
        target.service().download(None, killed)
    assert "killed" in str(caught.value)


@on_pike
@pytest.mark.parametrize("checked", [True, False])
def test_content_is_inspected_if_enabled(target: Target, checked: bool, tmp_path: Path) -> None:
    # Pike accepts any data for any format.
    image_id = target.make(name="no qcow2", disk_format="qcow2", data=DATA)
    service = target.service(check_format=checked)
    path = tmp_path / "image"
    if not checked:
        service.download(None, image_id, dst_path=str(path))
        assert path.read_bytes() == DATA
        return
    with pytest.raises(exceptions.ImageUnacceptable) as caught:
        service.download(None, image_id, dst_path=str(path))
    assert "qcow2" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("disk_format", "container_format"),
    [("vmdk", "ova"), ("qcow2", "docker"), ("qcow2", "ovf"), ("ami", "ami")],
)
def test_only_bare_images_are_inspected(
    target: Target,
    disk_format: str,
    container_format: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As on Glance 33, which accepts them (tests/unit/fixture/test_inspection.py)."""
    image_id = target.make(data=DATA, disk_format=disk_format, container_format=container_format)
    service = target.service(check_format=True)
    with caplog.at_level("WARNING", "glance_compat.transfers.download"):
        assert b"".join(service.download(None, image_id)) == DATA
    said = [one.message for one in caplog.records if one.name.endswith("transfers.download")]
    assert said == [
        f"The data of image {image_id} is not inspected: its container_format is"
        f" '{container_format}', and check_format applies to bare images only"
    ]


@only(lambda kind: kind.release == "33")
def test_compressed_image_is_not_inspected(target: Target) -> None:
    data = gzip.compress(b"QFI\xfb" + DATA, mtime=0)
    image_id = target.make(data=data, disk_format="qcow2", container_format="compressed")
    assert b"".join(target.service(check_format=True).download(None, image_id)) == data


@pytest.mark.parametrize("disk_format", ["aki", "ari"])
def test_kernel_with_boot_signature_is_downloaded(target: Target, disk_format: str) -> None:
    data = b"kernel".ljust(510, b"\1") + b"\x55\xaa" + DATA
    image_id = target.make(data=data, disk_format=disk_format, container_format=disk_format)
    service = target.service(check_format=True)
    assert b"".join(service.download(None, image_id)) == data


@on_pike
def test_bare_kernel_with_boot_signature_is_downloaded(target: Target) -> None:
    """Glance 33 rejects its upload: it requires aki to be an Amazon container."""
    data = b"kernel".ljust(510, b"\1") + b"\x55\xaa" + DATA
    image_id = target.make(data=data, disk_format="aki", container_format="bare")
    service = target.service(check_format=True)
    assert b"".join(service.download(None, image_id)) == data


def test_content_of_declared_format_passes(target: Target, image_id: str) -> None:
    service = target.service(check_format=True)
    assert b"".join(service.download(None, image_id)) == DATA


#: v1 sends each of them as a header, and http.client reads at most 100.
MANY = {f"property_{number}": "x" for number in range(95)}


@only(lambda kind: kind.name != "mounted-v1")
def test_image_with_many_properties_downloads(target: Target) -> None:
    image_id = target.make(name="many", data=DATA, properties=MANY)
    assert b"".join(target.service().download(None, image_id)) == DATA


@only(lambda kind: kind.name == "mounted-v1")
def test_many_properties_on_v1_need_sockets(target: Target) -> None:
    # Without sockets the response reader is not used, and http.client reads at most 100 headers.
    image_id = target.make(name="many", data=DATA, properties=MANY)
    with pytest.raises(exceptions.BadResponse, match="headers are too long"):
        target.service(max_attempts=1).download(None, image_id)
    found = target.service().detail(None, filters={"property-property_0": "x"})
    assert MANY in [image["properties"] for image in found]


def test_unsigned_image_with_trusted_certs_is_refused(target: Target, image_id: str) -> None:
    with pytest.raises(exceptions.SignatureUnusable):
        target.service().download(None, image_id, trusted_certs=["certificate"])
    assert b"".join(target.service().download(None, image_id, trusted_certs=None)) == DATA
