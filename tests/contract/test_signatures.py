# SPDX-License-Identifier: Apache-2.0
"""download(trusted_certs=...): data signed with a trusted certificate."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import pytest
from castellan.common import exception as castellan_errors
from packaging.version import Version

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture
from tests.contract import signing
from tests.contract.shape import DATA
from tests.contract.targets import Target, on_each_api, on_pike, only

embedded = only(lambda kind: kind.region is None and not kind.sockets)


@pytest.fixture(autouse=True)
def _key_manager() -> Iterator[None]:
    with signing.configured():
        yield


def signed(
    target: Target, changes: Mapping[str, str | None] | None = None, data: bytes = DATA
) -> str:
    """Create an image with a valid signature, apart from the changes; return its id."""
    properties: dict[str, str | None] = {**signing.properties(DATA), **(changes or {})}
    image_id = target.make(name="signed", data=data)
    # Added after the data, because Glance itself verifies uploads to an image with a signature.
    additions = [
        {"op": "add", "path": f"/{name}", "value": value}
        for name, value in properties.items()
        if value is not None
    ]
    target.patch(image_id, *additions)
    return image_id


def test_correctly_signed_data_is_downloaded(target: Target, tmp_path: Path) -> None:
    image_id = signed(target)
    service, trusted, path = target.service(), [signing.root()], tmp_path / "image"
    assert b"".join(service.download(None, image_id, trusted_certs=trusted)) == DATA
    file = io.BytesIO()
    assert service.download(None, image_id, data=file, trusted_certs=trusted) is None
    assert file.getvalue() == DATA
    service.download(None, image_id, dst_path=str(path), trusted_certs=trusted)
    assert path.read_bytes() == DATA


def test_data_with_wrong_signature_is_refused(target: Target, tmp_path: Path) -> None:
    image_id = signed(target, data=DATA[:-1] + b"x")
    service, trusted, path = target.service(), [signing.root()], tmp_path / "image"
    found = service.download(None, image_id, trusted_certs=trusted)
    read: list[bytes] = []
    with pytest.raises(exceptions.InvalidSignature) as caught:
        read.extend(found)
    assert isinstance(caught.value, exceptions.IntegrityError)
    assert caught.value.image_id == image_id
    # The error is raised again.
    with pytest.raises(exceptions.InvalidSignature):
        next(found)
    path.write_bytes(b"old")
    with pytest.raises(exceptions.InvalidSignature):
        service.download(None, image_id, dst_path=str(path), trusted_certs=trusted)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]
    # The caller's file object has the received data.
    file = io.BytesIO()
    with pytest.raises(exceptions.InvalidSignature):
        service.download(None, image_id, data=file, trusted_certs=trusted)
    assert file.getvalue() == DATA[:-1] + b"x"


@pytest.mark.parametrize("none", [None, [], (), set()])
def test_signature_is_not_verified_without_trusted_certs(target: Target, none: Any) -> None:
    image_id = signed(target, {"img_signature_key_type": "no such"}, DATA[:-1] + b"x")
    with target.counting() as exchanges:
        data = b"".join(target.service().download(None, image_id, trusted_certs=none))
    assert data == DATA[:-1] + b"x"
    assert len(exchanges) == 1


def test_signature_verification_sends_one_extra_request(target: Target) -> None:
    image_id, trusted = signed(target), [signing.root()]
    service = target.service()
    with target.counting() as exchanges:
        assert b"".join(service.download(None, image_id, trusted_certs=trusted)) == DATA
    assert len(exchanges) == 2
    assert {exchange.method for exchange in exchanges} == (
        {"HEAD", "GET"} if target.is_v1 else {"GET"}
    )


@pytest.mark.slow
@embedded
@pytest.mark.parametrize("method", signing.HASHES)
@pytest.mark.parametrize("kind", signing.KEY_TYPES)
def test_all_key_types_and_hash_methods_verify(target: Target, kind: str, method: str) -> None:
    properties = signing.properties(DATA, kind, method)
    service, trusted = target.service(), [signing.root()]
    good = signed(target, properties)
    assert b"".join(service.download(None, good, trusted_certs=trusted)) == DATA
    bad = signed(target, properties, b"x" + DATA[1:])
    with pytest.raises(exceptions.InvalidSignature):
        list(service.download(None, bad, trusted_certs=trusted))


@embedded
@pytest.mark.parametrize("empty", [b"", b"x"])
def test_short_data_is_verified(target: Target, empty: bytes) -> None:
    image_id = signed(target, signing.properties(empty), empty)
    found = target.service().download(None, image_id, trusted_certs=[signing.root()])
    assert b"".join(found) == empty


@embedded
@pytest.mark.parametrize("verify", ["auto", "strong", "off"])
def test_signature_verification_combines_with_other_checks(target: Target, verify: str) -> None:
    service = target.service(verify_downloads=verify, check_format=True)
    image_id = signed(target)
    found = service.download(None, image_id, trusted_certs=[signing.root()])
    assert b"".join(found) == DATA


# -- refused before any data is read


PROPERTIES = (
    "img_signature",
    "img_signature_hash_method",
    "img_signature_key_type",
    "img_signature_certificate_uuid",
)

#: Changes to the properties of a signed image that make the signature unusable.
UNUSABLE: tuple[tuple[str, str | None], ...] = (
    *((name, None) for name in PROPERTIES),
    *((name, "") for name in PROPERTIES),
    ("img_signature", "!!!!"),
    ("img_signature", "A"),
    ("img_signature", "ü"),
    ("img_signature_hash_method", "MD5"),
    ("img_signature_hash_method", "sha-256"),
    ("img_signature_hash_method", "SHA_256"),
    ("img_signature_key_type", "RSA"),
    ("img_signature_key_type", "DSA"),
    ("img_signature_key_type", "ECC_SECP384R1"),
    ("img_signature_key_type", "__class__"),
    ("img_signature_certificate_uuid", ".."),
    ("img_signature_certificate_uuid", "../orders/1"),
    ("img_signature_certificate_uuid", "http://elsewhere.example/v1/secrets/1"),
    ("img_signature_certificate_uuid", "1?x=y"),
)


def refused(
    target: Target,
    image_id: str,
    trusted: list[str],
    error: type[exceptions.GlanceCompatError],
    tmp_path: Path,
) -> str:
    """Download in every way; assert that no data is read, and return the error message."""
    service, path, file = target.service(), tmp_path / "image", io.BytesIO()
    path.write_bytes(b"old")
    text = ""
    for into in ({}, {"data": file}, {"dst_path": str(path)}):
        arguments: dict[str, Any] = dict(into)
        with target.counting() as exchanges, pytest.raises(error) as caught:
            service.download(None, image_id, trusted_certs=trusted, **arguments)
        assert type(caught.value) is error
        assert caught.value.image_id == image_id
        assert isinstance(caught.value, exceptions.SignatureVerificationError)
        assert len(exchanges) == 1
        text = str(caught.value)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]
    assert file.getvalue() == b""
    return text


@pytest.mark.slow
@embedded
@pytest.mark.parametrize(("name", "value"), UNUSABLE)
def test_malformed_signature_is_refused(
    target: Target, name: str, value: str | None, tmp_path: Path
) -> None:
    image_id = signed(target, {name: value})
    signing.ASKED.clear()
    text = refused(target, image_id, [signing.root()], exceptions.SignatureUnusable, tmp_path)
    assert name in text or "key type" in text
    if name == "img_signature_certificate_uuid":
        # The id must not reach a key manager, which would use it in a URL.
        assert signing.ASKED == []


def test_unsigned_image_is_refused(target: Target, tmp_path: Path) -> None:
    image_id = target.make(name="unsigned", data=DATA)
    refused(target, image_id, [signing.root()], exceptions.SignatureUnusable, tmp_path)


def untrusted() -> tuple[str, list[str]]:
    return signing.signer(), [signing.root("another root")]


def namesake() -> tuple[str, list[str]]:
    other = signing.certificate(
        "root", "root", signing.key("ECC_SECP384R1").public_key(), authority=True
    )
    return signing.signer(), [signing.held(other)]


def expired() -> tuple[str, list[str]]:
    return signing.signer(days=(-3, -1)), [signing.root()]


def not_yet_valid() -> tuple[str, list[str]]:
    return signing.signer(days=(1, 3)), [signing.root()]


def expired_root() -> tuple[str, list[str]]:
    return signing.signer(), [signing.root(days=(-3, -1))]


def no_authority() -> tuple[str, list[str]]:
    return signing.signer(), [signing.held(signing.certificate("root", "root"))]


def missing_link() -> tuple[str, list[str]]:
    return signing.signer(issuer="middle"), [signing.root()]


def chain_too_long() -> tuple[str, list[str]]:
    links = [("middle", "root"), ("lower", "middle")]
    held = [signing.held(signing.certificate(*one, authority=True)) for one in links]
    return signing.signer(issuer="lower"), [signing.root(path_length=0), *held]


def only_itself() -> tuple[str, list[str]]:
    found = signing.signer()
    return found, [found]


def circle() -> tuple[str, list[str]]:
    return signing.signer(issuer="b"), signing.circle(["a", "b", "c"])


def unknown_root() -> tuple[str, list[str]]:
    return signing.signer(), ["00000000-0000-4000-8000-000000000000"]


@pytest.mark.slow
@embedded
@pytest.mark.parametrize(
    "world",
    [
        *(untrusted, namesake, expired, not_yet_valid, expired_root, no_authority),
        *(missing_link, chain_too_long, only_itself, circle, unknown_root),
    ],
    ids=lambda world: world.__name__,
)
def test_untrusted_certificate_is_refused(
    target: Target, world: Callable[[], tuple[str, list[str]]], tmp_path: Path
) -> None:
    certificate_id, trusted = world()
    image_id = signed(target, {"img_signature_certificate_uuid": certificate_id})
    text = refused(target, image_id, trusted, exceptions.CertificateValidationFailed, tmp_path)
    assert certificate_id in text


@embedded
def test_one_of_several_trusted_certificates_is_enough(target: Target) -> None:
    middle = signing.held(signing.certificate("middle", "root", authority=True))
    image_id = signed(target, {"img_signature_certificate_uuid": signing.signer(issuer="middle")})
    trusted = [signing.root("another root"), "no such", middle, signing.root()]
    found = target.service().download(None, image_id, trusted_certs=trusted)
    assert b"".join(found) == DATA


@embedded
@pytest.mark.skipif(
    Version(metadata.version("cursive")) < Version("0.3"),
    reason="cursive before 0.3 refuses authorities that may sign chains of any length",
)
def test_authority_without_path_length_is_accepted(target: Target) -> None:
    found = target.service().download(
        None, signed(target), trusted_certs=[signing.root(path_length=None)]
    )
    assert b"".join(found) == DATA


class BackendError(Exception):
    """An error of a key manager whose message contains a secret."""


@embedded
@pytest.mark.parametrize(
    "error",
    [
        castellan_errors.KeyManagerError(reason="token-of-somebody"),
        castellan_errors.Forbidden("token-of-somebody"),
        BackendError("token-of-somebody"),
        KeyError("token-of-somebody"),
        OSError("token-of-somebody"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_failing_key_manager_raises_key_manager_failed(
    target: Target, error: Exception, tmp_path: Path
) -> None:
    signing.HELD["broken"] = error
    image_id = signed(target, {"img_signature_certificate_uuid": "broken"})
    text = refused(target, image_id, [signing.root()], exceptions.KeyManagerFailed, tmp_path)
    assert "broken" in text
    assert "token-of-somebody" not in text


@embedded
@pytest.mark.parametrize("held", [b"", b"no certificate"])
def test_malformed_certificate_raises_key_manager_failed(
    target: Target, held: bytes, tmp_path: Path
) -> None:
    signing.HELD["damaged"] = held
    image_id = signed(target, {"img_signature_certificate_uuid": "damaged"})
    refused(target, image_id, [signing.root()], exceptions.KeyManagerFailed, tmp_path)


@embedded
@pytest.mark.parametrize("backend", ["no.such.module", "tests.contract.signing.key", "nonsense"])
def test_missing_key_manager_raises_key_manager_failed(
    target: Target, backend: str, tmp_path: Path
) -> None:
    image_id = signed(target)
    with signing.configured(backend):
        refused(target, image_id, [signing.root()], exceptions.KeyManagerFailed, tmp_path)


@embedded
def test_key_manager_gets_callers_context(target: Target) -> None:
    image_id, context = signed(target), target.context()
    signing.ASKED.clear()
    found = target.service().download(context, image_id, trusted_certs=[signing.root()])
    assert b"".join(found) == DATA
    assert [id(one) for one in signing.ASKED] == [id(context)] * 2


# -- arguments


NO_LISTS: tuple[Any, ...] = (
    *("certificate", b"certificate", 1, 0, "", True, {"a": "b"}),
    *([1], [None], [""], ["a/b"], [".."], ["a\n"]),
)


@on_each_api
@pytest.mark.parametrize("value", NO_LISTS, ids=repr)
def test_invalid_trusted_certs_raise_invalid_option(target: Target, value: Any) -> None:
    with target.counting() as exchanges, pytest.raises(exceptions.InvalidOption) as caught:
        target.service().download(None, "any", trusted_certs=value)
    assert "trusted_certs" in str(caught.value)
    assert not exchanges


@embedded
def test_missing_cursive_raises_invalid_option(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cursive", "cursive.certificate_utils", "cursive.signature_utils"):
        monkeypatch.setitem(sys.modules, name, None)
    with target.counting() as exchanges, pytest.raises(exceptions.InvalidOption) as caught:
        target.service().download(None, "any", trusted_certs=["a"])
    assert "install glance-compat[signatures]" in str(caught.value)
    assert exchanges == []


@on_pike
def test_queued_image_is_not_active(target: Target) -> None:
    image_id = target.make(name="queued", properties=signing.properties(DATA))
    with pytest.raises(exceptions.ImageNotActive):
        target.service().download(None, image_id, trusted_certs=[signing.root()])


# -- images that have no checksum


@pytest.mark.parametrize("release", ["pike", "33"])
@pytest.mark.parametrize("prefer", ["1", "2"])
def test_data_without_checksum_is_verified(release: str, prefer: Literal["1", "2"]) -> None:
    properties = signing.properties(DATA)
    images = [
        {"id": "good", "data": DATA, "checksum": None, "properties": properties},
        {"id": "bad", "data": DATA[::-1], "checksum": None, "properties": properties},
    ]
    with GlanceFixture(release=release, images=images, sockets=False) as glance:
        service = ImageService(glance.session(), options=Options(prefer=prefer))
        trusted = [signing.root()]
        assert b"".join(service.download(None, "good", trusted_certs=trusted)) == DATA
        assert b"".join(service.download(None, "bad")) == DATA[::-1]
        with pytest.raises(exceptions.InvalidSignature):
            list(service.download(None, "bad", trusted_certs=trusted))
