# SPDX-License-Identifier: Apache-2.0
"""The uploads of Nova's virt drivers, which its fake driver never makes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography.exceptions
import pytest
from nova import exception, objects

from glance_compat.fixture import FaultProxy, faults
from glance_compat.nova import glance, signatures
from tests.contract import targets
from tests.contract.places import Place, patiently
from tests.contract.shape import DATA
from tests.contract.targets import Kind, Target
from tests.nova.sides import MODULES, SNAPSHOT, Side, World, configured

pytest_plugins = ["tests.contract.conftest", "tests.contract.places"]


def is_usual(kind: Kind) -> bool:
    return not kind.sockets


on_each = targets.only(is_usual)


@pytest.fixture
def side(target: Target) -> Iterator[Side]:
    with configured(target):
        yield Side(glance, World(target, "", {}))


def assert_stored(side: Side, image: dict[str, Any], data: bytes = DATA) -> None:
    assert image["status"] == "active"
    assert (image["size"], image["checksum"]) == (
        len(data),
        hashlib.new("md5", data, usedforsecurity=False).hexdigest(),
    )
    again = side.api.get(side.context(), image["id"])
    assert again == image
    assert b"".join(side.api.download(side.context(), image["id"])) == data


@on_each
def test_libvirt_uploads_a_snapshot(side: Side) -> None:
    context = side.context()
    made = side.api.create(context, {"name": "snap", "min_ram": "64", "properties": {"a": "b"}})
    assert (made["status"], made["min_ram"]) == ("queued", 64)
    before = {**SNAPSHOT, "properties": dict(SNAPSHOT["properties"])}
    stored = side.api.update(context, made["id"], SNAPSHOT, io.BytesIO(DATA), purge_props=False)
    assert_stored(side, stored)
    assert before == SNAPSHOT
    assert stored["properties"] == {
        "a": "b",
        "image_location": "snapshot",
        "image_state": "available",
        "owner_id": "demo",
    }


class ReadHandle:
    """A file like oslo.vmware's read handle of a disk: with read(), without seek() and tell()."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, 100))


@on_each
def test_update_treats_vmware_size_0_as_unknown(side: Side) -> None:
    context = side.context()
    made = side.api.create(context, {"name": "snap"})
    meta = {
        "disk_format": "raw",
        "container_format": "bare",
        "name": "snap",
        "status": "active",
        "size": 0,
        "properties": {"vmware_image_version": 1, "vmware_linked_clone": False},
    }
    stored = side.api.update(context, made["id"], meta, ReadHandle(DATA), purge_props=False)
    assert_stored(side, stored)
    assert stored["properties"] == {"vmware_image_version": "1", "vmware_linked_clone": "False"}


@on_each
def test_zvm_uploads_file_opened_as_text(side: Side, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"\xff\xfe\r\n" + DATA)
    context = side.context()
    made = side.api.create(context, {"name": "snap"})
    service, image_id = glance.get_remote_image_service(context, made["id"])
    meta = {"disk_format": "raw", "container_format": "bare"}
    with open(path, encoding="utf-8") as file:
        stored = service.update(context, image_id, meta, file, purge_props=False)
    assert_stored(side, stored, path.read_bytes())


@on_each
def test_create_stores_data(side: Side) -> None:
    meta = {"name": "x", "disk_format": "raw", "container_format": "bare", "size": 5}
    assert_stored(side, side.api.create(side.context(), meta, data=io.BytesIO(DATA)))
    chunks = side.api.create(side.context(), meta, data=iter([DATA[:100], DATA[100:]]))
    assert_stored(side, chunks)


@on_each
def test_broken_stream_is_not_resent(side: Side) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA
        raise OSError("the disk is gone")

    context = side.context()
    made = side.api.create(context, {"name": "snap"})
    with pytest.raises(exception.CouldNotUploadImage):
        side.api.update(context, made["id"], SNAPSHOT, broken(), purge_props=False)
    assert side.api.get(context, made["id"])["size"] in (0, len(DATA))
    assert side.api.get(context, made["id"])["status"] != "active"


@on_each
def test_empty_image_is_active_and_raw(side: Side) -> None:
    context = side.context()
    mapping = [{"boot_index": 0, "snapshot_id": "some"}]
    meta = {"name": "v", "size": 0, "properties": {"block_device_mapping": mapping, "b": True}}
    made = side.api.create(context, meta)
    assert (made["status"], made["size"]) == ("active", 0)
    assert (made["disk_format"], made["container_format"]) == ("raw", "bare")
    assert made["properties"] == {"block_device_mapping": mapping, "b": "True"}
    with pytest.raises(exception.ImageBadRequest, match="force activate"):
        side.api.create(context, {"name": "v", "size": 0, "disk_format": "qcow2"})


@on_each
def test_instance_owner_sees_shared_snapshot(side: Side) -> None:
    member = side.target.projects["other"]
    meta = {"name": "s", "visibility": "shared", "properties": {"instance_owner": member}}
    made = side.api.create(side.context(), meta)
    assert meta["properties"] == {"instance_owner": member}
    assert made["properties"] == {}
    assert side.api.get(side.context("other"), made["id"])["name"] == "s"
    with pytest.raises(exception.ImageNotFound):
        side.api.get(side.context("stranger"), made["id"])


@targets.on_v2
def test_unshareable_image_is_removed(side: Side, target: Target) -> None:
    name = f"private {uuid.uuid4()}"
    meta = {"name": name, "visibility": "private", "properties": {"instance_owner": "some"}}
    with pytest.raises(exception.Forbidden):
        side.api.create(side.context(), meta)
    assert target.leftovers(name) == []


@on_each
def test_exceeded_property_quota_raises_image_quota_exceeded(side: Side) -> None:
    properties = {f"p{number}": "x" for number in range(129)}
    with pytest.raises(exception.ImageQuotaExceeded):
        side.api.create(side.context(), {"name": "x", "properties": properties})


@pytest.mark.parametrize("module", MODULES)
def test_update_sets_location(place: Place, module: str) -> None:
    """Update an image like libvirt's snapshot over rbd, but with data in the http store."""
    with configured(place.target):
        side = Side(MODULES[module], World(place.target, "", {}))
        context = side.context()
        made = side.api.create(context, {"name": "snap"})
        meta = {**SNAPSHOT, "location": f"{place.source}/data"}
        changed = side.api.update(context, made["id"], meta, purge_props=False)
        if module == "drop-in":
            assert changed["status"] == "active"
        patiently(lambda: side.api.get(context, made["id"])["status"] == "active")
        assert b"".join(side.api.download(context, made["id"])) == DATA


def test_unreadable_location_raises_bad_request(place: Place) -> None:
    found = {}
    for name, module in MODULES.items():
        with configured(place.target):
            side = Side(module, World(place.target, "", {}))
            made = side.api.create(side.context(), {"name": "snap"})
            meta = {**SNAPSHOT, "location": f"{place.source}/nothing"}
            try:
                found[name] = side.api.update(side.context(), made["id"], meta)["status"]
            except exception.ImageBadRequest as error:
                found[name] = type(error)
            assert side.api.get(side.context(), made["id"])["status"] == "queued"
    assert found == {"nova": "queued", "drop-in": exception.ImageBadRequest}


@on_each
def test_unknown_location_scheme_is_refused(side: Side) -> None:
    context = side.context()
    made = side.api.create(context, {"name": "snap"})
    meta = {**SNAPSHOT, "location": "rbd://cluster/pool/image/snap"}
    with pytest.raises((exception.ImageBadRequest, exception.ImageNotAuthorized)):
        side.api.update(context, made["id"], meta, purge_props=False)
    assert side.api.get(context, made["id"])["status"] == "queued"


# -- signatures


class Verifier:
    """A verifier like cursive's, for the signature of some data."""

    def __init__(self, signed: bytes) -> None:
        self._signed = signed
        self._read = b""

    def update(self, data: bytes) -> None:
        self._read += data

    def verify(self) -> None:
        if self._read != self._signed:
            raise cryptography.exceptions.InvalidSignature


@pytest.mark.parametrize("signed", [DATA, b"other"])
def test_data_is_verified_before_last_block(signed: bytes) -> None:
    blocks = signatures.verify_blocks(iter([DATA[:10], DATA[10:]]), Verifier(signed))
    assert next(blocks) == DATA[:10]
    if signed == DATA:
        assert b"".join(blocks) == DATA[10:]
    else:
        with pytest.raises(cryptography.exceptions.InvalidSignature):
            list(blocks)


@on_each
def test_unsigned_image_is_refused_if_verification_is_on(
    side: Side, tmp_path: Path, target: Target
) -> None:
    # As all of Nova's services do.
    objects.register_all()
    image_id = side.make(DATA)
    path = tmp_path / "image"
    with configured(target, verify_glance_signatures=True):
        with pytest.raises(Exception, match="signature"):
            side.api.download(side.context(), image_id, dest_path=str(path))
        certificates = objects.TrustedCerts(ids=["some"])
        with pytest.raises(Exception, match="signature"):
            side.api.download(side.context(), image_id, trusted_certs=certificates)
    assert not path.exists()


@on_each
def test_file_with_wrong_signature_is_truncated(side: Side) -> None:
    file = io.BytesIO(b"rest")
    with (
        pytest.raises(cryptography.exceptions.InvalidSignature),
        signatures.truncate_on_failure(file, Verifier(b"other")),
    ):
        raise cryptography.exceptions.InvalidSignature
    assert file.getvalue() == b""


# -- contexts


@on_each
def test_is_available_without_token_checks_owner_properties(side: Side) -> None:
    # The image is passed, because only a Glance without authentication would return it.
    theirs = {"properties": {"project_id": side.target.projects["demo"]}, "is_public": False}
    context = side.context()
    context.auth_token = None
    assert glance._is_available(context, theirs)
    assert not glance._is_available(context, {"properties": {}, "is_public": False})
    assert not glance._is_available(
        context, {"properties": {"project_id": "x"}, "is_public": False}
    )
    assert glance._is_available(context, {"properties": {"user_id": "demo"}, "is_public": False})
    assert glance._is_available(context, {"properties": {}, "is_public": True})


@on_each
def test_nova_request_id_is_sent(side: Side, target: Target) -> None:
    context = side.context(global_request_id="req-11111111-1111-4111-8111-111111111111")
    with target.counting() as requests:
        side.api.get_all(context, filters={"name": "nothing"})
    assert {one.headers["X-OpenStack-Request-ID"] for one in requests} == {context.global_id}


@on_each
def test_foreign_href_is_refused(side: Side, target: Target) -> None:
    image_id = side.make(name="x")
    for version in ("v1", "v2"):
        href = f"{target.url}/{version}/images/{image_id}"
        assert side.api.get(side.context(), href)["id"] == image_id
    with pytest.raises(exception.InvalidImageRef):
        side.api.get(side.context(), f"http://elsewhere.invalid/v2/images/{image_id}")


@on_each
def test_api_servers_of_nova_stays_unchanged(side: Side, target: Target) -> None:
    servers = [target.url, "http://b.invalid:9292/v2", "http://c.invalid:9292/"]
    with configured(target, api_servers=list(servers)) as conf:
        seen = {glance.generate_glance_url(side.context()) for _ in range(200)}
        assert conf.glance.api_servers == servers
    assert seen == {target.url, "http://b.invalid:9292", "http://c.invalid:9292"}


@on_each
def test_max_attempts_follows_nova_num_retries(side: Side, target: Target) -> None:
    from glance_compat.nova import host

    with configured(target, num_retries=7):
        assert host.make_image_service()._options.max_attempts == 8


@targets.only(lambda kind: kind.name == "mounted-v2")
@pytest.mark.parametrize(("use_glance_v1", "api"), [("True", "v1"), ("False", "v2")])
def test_use_glance_v1_selects_api(
    target: Target, tmp_path: Path, use_glance_v1: str, api: str
) -> None:
    # That server offers both APIs.
    path = tmp_path / "nova.conf"
    path.write_text(f"[glance]\nuse_glance_v1 = {use_glance_v1}\n")
    with configured(target, files=[str(path)]):
        side = Side(glance, World(target, "", {}))
        with target.counting() as requests:
            made = side.api.create(side.context(), {"name": "newton"})
            assert side.api.get(side.context(), made["id"])["name"] == "newton"
    assert requests
    assert {f"/{api}/images" in one.path for one in requests} == {True}


@on_each
@pytest.mark.parametrize("before", [None, 0o640, 0o600])
def test_downloaded_file_has_mode_of_nova(side: Side, tmp_path: Path, before: int | None) -> None:
    """Nova's own module uses ``open(path, "wb")``, so that other daemons can read the file."""
    image_id = side.make(DATA)
    ours, novas = tmp_path / "ours", tmp_path / "novas"
    for path in (ours, novas):
        if before is not None:
            path.touch()
            path.chmod(before)
    novas.write_bytes(DATA)
    side.api.download(side.context(), image_id, dest_path=str(ours))
    assert ours.read_bytes() == DATA
    assert ours.stat().st_mode == novas.stat().st_mode


@on_each
def test_downloaded_file_has_mode_of_option(target: Target, tmp_path: Path) -> None:
    path, file = tmp_path / "image", tmp_path / "nova.conf"
    file.write_text("[glance_compat]\ndownload_mode = 0600\n")
    with configured(target, files=[str(file)]):
        side = Side(glance, World(target, "", {}))
        side.api.download(side.context(), side.make(DATA), dest_path=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@targets.only(lambda kind: kind.sockets)
def test_damaged_download_is_repeated(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "image"
    with FaultProxy(target.url) as proxy:
        behind = dataclasses.replace(target, url=proxy.url)
        with configured(behind, num_retries=1):
            side = Side(glance, World(target, "", {}))
            image_id = side.make(DATA)
            for pattern in ("v1/images/*", "images/*/file"):
                proxy.faults.add(faults.BodyCorrupted(), "GET", pattern)
            assert side.api.download(side.context(), image_id, dest_path=str(path)) is None
        assert len(proxy.faults.happened) == 1
    assert path.read_bytes() == DATA
