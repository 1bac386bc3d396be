# SPDX-License-Identifier: Apache-2.0
"""Signatures with Nova's options and errors, and downloads that bypass Glance."""

from __future__ import annotations

import concurrent.futures
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cryptography.exceptions
import pytest
from cursive import exception as cursive_exception
from keystoneauth1 import token_endpoint
from nova import exception, objects, service_auth
from nova.storage import rbd_utils

from glance_compat.nova import glance, signatures
from tests.contract import signing, targets
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
    """The part of Nova's rbd driver that a download uses; Ceph has one image."""

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
def test_rbd_image_is_exported(side: Side, ceph: type[Driver], tmp_path: Path) -> None:
    path = tmp_path / "image"
    image = located("file:///image", "rbd://wrong", RBD)
    assert signatures.fetch_directly(lambda: image, str(path), Verifier(DATA), None)
    assert path.read_bytes() == DATA
    assert (ceph.made[0]["user"], ceph.made[0]["pool"]) == ("u", "p")
    assert ceph.made[0]["connect_timeout"] == 5


@on_each
def test_image_from_ceph_has_mode_of_option(
    side: Side, ceph: type[Driver], tmp_path: Path
) -> None:
    path = tmp_path / "image"
    assert signatures.fetch_directly(lambda: located(RBD), str(path), None, 0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@on_each
@pytest.mark.parametrize(
    "url", ["rbd://cluster/pool/other/snap", "rbd://cluster", "http://x", "http://[", "rbd://["]
)
def test_download_falls_back_to_glance_when_ceph_fails(
    side: Side, ceph: type[Driver], tmp_path: Path, url: str
) -> None:
    path = tmp_path / "image"
    assert not signatures.fetch_directly(lambda: located(url), str(path), None, None)
    assert not path.exists()
    image_id = side.make(DATA)
    assert side.api.download(side.context(), image_id, dest_path=str(path)) is None
    assert path.read_bytes() == DATA


@on_each
def test_direct_download_with_wrong_signature_is_removed(
    side: Side, ceph: type[Driver], tmp_path: Path
) -> None:
    path = tmp_path / "image"
    signed = Verifier(b"other")
    assert not signatures.fetch_directly(lambda: located(RBD), str(path), signed, None)
    assert not path.exists()


@on_each
def test_rbd_is_unused_unless_configured(
    target: Target, ceph: type[Driver], tmp_path: Path
) -> None:
    with configured(target):
        path = str(tmp_path / "image")
        assert not signatures.fetch_directly(lambda: located(RBD), path, None, None)
    assert ceph.made == []


@pytest.fixture
def signed_as(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the verifier by one for the signature of some data."""

    def become(data: bytes) -> None:
        monkeypatch.setattr(signatures, "make_verifier", lambda *arguments: Verifier(data))

    return become


@on_each
def test_all_download_forms_are_verified(side: Side, signed_as: Any, tmp_path: Path) -> None:
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


# -- with real certificates


@pytest.fixture
def key_manager() -> Iterator[None]:
    # As all services of Nova do.
    objects.register_all()
    with signing.configured():
        yield


def download(side: Side, image_id: str, trusted: list[str]) -> bytes | BaseException:
    """Return the data, or the exception; fail after a minute."""

    def call() -> bytes:
        certificates = objects.TrustedCerts(ids=trusted) if trusted else None
        return b"".join(side.api.download(side.context(), image_id, trusted_certs=certificates))

    # A thread that hangs is abandoned.
    future: concurrent.futures.Future[bytes] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - it is the outcome
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    error = future.exception(timeout=60)
    return future.result() if error is None else error


@on_each
@pytest.mark.usefixtures("key_manager")
def test_data_signed_by_trusted_certificate_is_returned(side: Side, target: Target) -> None:
    image_id = side.make(DATA, properties=signing.properties(DATA))
    assert download(side, image_id, [signing.root()]) == DATA
    with configured(target, verify_glance_signatures=True):
        assert download(side, image_id, []) == DATA
        other = side.make(DATA, properties=signing.properties(b"other"))
        assert isinstance(download(side, other, []), cryptography.exceptions.InvalidSignature)


@on_each
@pytest.mark.usefixtures("key_manager")
def test_circular_certificate_chain_is_refused(side: Side) -> None:
    # cursive would follow the circle forever.
    properties = signing.properties(DATA, certificate_id=signing.signer(issuer="b"))
    image_id = side.make(DATA, properties=properties)
    found = download(side, image_id, signing.circle(["a", "b", "c"]))
    assert isinstance(found, exception.CertificateValidationFailed), found
    assert "circle" in str(found)


@on_each
@pytest.mark.usefixtures("key_manager")
@pytest.mark.parametrize(
    ("changed", "trusted", "kind"),
    [
        ({}, "another root", exception.CertificateValidationFailed),
        ({}, None, exception.CertificateValidationFailed),
        ({"img_signature": ""}, "root", cursive_exception.SignatureVerificationError),
        (
            {"img_signature_hash_method": "MD5"},
            "root",
            cursive_exception.SignatureVerificationError,
        ),
        ({"img_signature_key_type": "DSA"}, "root", cursive_exception.SignatureVerificationError),
        (
            {"img_signature_certificate_uuid": "../../v1/secrets"},
            "root",
            cursive_exception.SignatureVerificationError,
        ),
        (
            {"img_signature_certificate_uuid": "no-such"},
            "root",
            cursive_exception.SignatureVerificationError,
        ),
    ],
    ids=str,
)
def test_invalid_signatures_raise_nova_exceptions(
    side: Side, changed: dict[str, str], trusted: str | None, kind: type[Exception]
) -> None:
    image_id = side.make(DATA, properties={**signing.properties(DATA), **changed})
    found = download(side, image_id, [signing.root(trusted) if trusted else "no-such-root"])
    assert isinstance(found, kind), found


@on_each
@pytest.mark.parametrize("trusted", [False, True])
def test_certificates_are_validated_if_enabled(side: Side, target: Target, trusted: bool) -> None:
    image_id = side.make(DATA, properties=signing.properties(DATA))
    settings: dict[str, Any] = {
        "verify_glance_signatures": True,
        "enable_certificate_validation": True,
        "default_trusted_certificate_ids": [signing.root()] if trusted else [],
    }
    with configured(target, **settings), signing.configured():
        found = download(side, image_id, [])
    assert found == DATA if trusted else isinstance(found, exception.CertificateValidationFailed)


@on_each
def test_service_token_is_sent_with_user_token(side: Side, target: Target) -> None:
    image_id, context = side.make(name="x"), side.context()
    with target.counting() as requests:
        side.api.get(context, image_id)
    assert requests
    for one in requests:
        assert one.headers["X-Service-Token"] == "token of the service"
        assert one.headers["X-Auth-Token"] == context.auth_token
