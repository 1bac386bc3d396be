# SPDX-License-Identifier: Apache-2.0
"""Signatures with a verifier and certificates of Nova's kind, and downloads past Glance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography.exceptions
import pytest
from keystoneauth1 import token_endpoint
from nova import service_auth
from nova.storage import rbd_utils

from glance_compat.nova import glance, signatures
from tests.contract import targets
from tests.contract.shape import DATA
from tests.contract.targets import Kind, Target
from tests.nova.sides import Side, World, configured
from tests.nova.test_uploads import Verifier

pytest_plugins = ["tests.contract.conftest"]

RBD = "rbd://cluster/pool/image/snap"


def is_embedded(kind: Kind) -> bool:
    return kind.region is None and not kind.sockets


on_each = targets.only(is_embedded)


@pytest.fixture
def side(target: Target) -> Iterator[Side]:
    with configured(target, enable_rbd_download=True, rbd_user="u", rbd_pool="p") as conf:
        conf.set_override("send_service_user_token", True, group="service_user")
        service_auth._AUTHS["service_user"] = token_endpoint.Token("", "token of the service")
        yield Side(glance, World(target, "", {}))


class Driver:
    """As much of Nova's rbd driver as a download uses; Ceph holds one image."""

    made: list[dict[str, Any]] = []  # noqa: RUF012 - what Nova's driver was made with

    def __init__(self, **arguments: Any) -> None:
        self.made.append(arguments)

    def export_image(self, path: str, image: str, snapshot: str, pool: str) -> None:
        if (pool, image, snapshot) != ("pool", "image", "snap"):
            raise OSError("no such image")
        Path(path).write_bytes(DATA)


@pytest.fixture
def ceph(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    monkeypatch.setattr(rbd_utils, "RBDDriver", Driver)
    Driver.made.clear()
    return Driver


def located(*urls: str) -> dict[str, Any]:
    return {"locations": [{"url": url, "metadata": {}} for url in urls]}


@on_each
def test_an_image_in_ceph_is_exported(side: Side, ceph: type[Driver], tmp_path: Path) -> None:
    path = tmp_path / "image"
    image = located("file:///image", "rbd://wrong", RBD)
    assert signatures.fetched_directly(lambda: image, str(path), Verifier(DATA))
    assert path.read_bytes() == DATA
    assert (ceph.made[0]["user"], ceph.made[0]["pool"]) == ("u", "p")
    assert ceph.made[0]["connect_timeout"] == 5


@on_each
@pytest.mark.parametrize("url", ["rbd://cluster/pool/other/snap", "rbd://cluster", "http://x"])
def test_glance_is_asked_where_ceph_does_not_give_it(
    side: Side, ceph: type[Driver], tmp_path: Path, url: str
) -> None:
    path = tmp_path / "image"
    assert not signatures.fetched_directly(lambda: located(url), str(path), None)
    assert not path.exists()
    image_id = side.make(DATA)
    assert side.api.download(side.context(), image_id, dest_path=str(path)) is None
    assert path.read_bytes() == DATA


@on_each
def test_what_came_past_glance_and_is_not_what_was_signed_does_not_stay(
    side: Side, ceph: type[Driver], tmp_path: Path
) -> None:
    path = tmp_path / "image"
    signed = Verifier(b"other")
    assert not signatures.fetched_directly(lambda: located(RBD), str(path), signed)
    assert not path.exists()


@on_each
def test_rbd_is_left_alone_unless_it_is_configured(
    target: Target, ceph: type[Driver], tmp_path: Path
) -> None:
    with configured(target):
        path = str(tmp_path / "image")
        assert not signatures.fetched_directly(lambda: located(RBD), path, None)
    assert ceph.made == []


@pytest.fixture
def signed_as(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have an image verified as if something had been signed."""

    def become(data: bytes) -> None:
        monkeypatch.setattr(signatures, "verifier_of", lambda *arguments: Verifier(data))

    return become


@on_each
def test_each_form_of_a_download_is_verified(side: Side, signed_as: Any, tmp_path: Path) -> None:
    image_id, context = side.make(DATA), side.context()
    path = tmp_path / "image"
    signed_as(DATA)
    assert b"".join(side.api.download(context, image_id)) == DATA
    side.api.download(context, image_id, dest_path=str(path))
    assert path.read_bytes() == DATA
    path.unlink()

    signed_as(b"other")
    with pytest.raises(cryptography.exceptions.InvalidSignature):
        b"".join(side.api.download(context, image_id))
    with pytest.raises(cryptography.exceptions.InvalidSignature):
        side.api.download(context, image_id, dest_path=str(path))
    assert os.listdir(tmp_path) == []
    with path.open("wb") as file, pytest.raises(cryptography.exceptions.InvalidSignature):
        side.api.download(context, image_id, data=file)
    assert path.read_bytes() == b""


@on_each
def test_the_token_of_the_service_goes_out_beside_that_of_the_user(
    side: Side, target: Target
) -> None:
    image_id, context = side.make(name="x"), side.context()
    with target.counting() as requests:
        side.api.get(context, image_id)
    assert requests
    for one in requests:
        assert one.headers["X-Service-Token"] == "token of the service"
        assert one.headers["X-Auth-Token"] == context.auth_token
