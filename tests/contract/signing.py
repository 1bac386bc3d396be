# SPDX-License-Identifier: Apache-2.0
"""Real keys, certificates and signatures, and a key manager that castellan loads by its name."""

from __future__ import annotations

import base64
import functools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from castellan import options as castellan_options
from castellan.common import exception as castellan_errors
from castellan.common.objects import x_509
from castellan.key_manager import key_manager
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from oslo_config import cfg

HASHES: Mapping[str, Any] = {
    "SHA-224": hashes.SHA224(),
    "SHA-256": hashes.SHA256(),
    "SHA-384": hashes.SHA384(),
    "SHA-512": hashes.SHA512(),
}
KEY_TYPES = ("RSA-PSS", "DSA", "ECC_SECP384R1", "ECC_SECP521R1")

#: What the key manager has, by id: a DER certificate, or an error that it raises.
HELD: dict[str, bytes | BaseException] = {}

#: The contexts that the key manager was asked with.
ASKED: list[object] = []


class KeyManager(key_manager.KeyManager):
    """Gives what HELD has."""

    def __init__(self, configuration: cfg.ConfigOpts) -> None:
        """There is nothing to configure."""

    def get(self, context: object, managed_object_id: str, metadata_only: bool = False) -> Any:
        """A certificate, or the error that stands for it."""
        ASKED.append(context)
        found = HELD.get(managed_object_id)
        if found is None:
            raise castellan_errors.ManagedObjectNotFoundError(uuid=managed_object_id)
        if isinstance(found, BaseException):
            raise found
        return x_509.X509(found)

    def _no(self, *arguments: object, **named: object) -> NoReturn:
        raise NotImplementedError

    create_key = create_key_pair = store = copy = delete = list = add_consumer = _no
    remove_consumer = _no


@contextmanager
def configured(backend: str = f"{__name__}.KeyManager") -> Iterator[None]:
    """Let castellan use a key manager, by its own option ``[key_manager] backend``."""
    castellan_options.set_defaults(cfg.CONF)
    cfg.CONF.set_override("backend", backend, group="key_manager")
    try:
        yield
    finally:
        cfg.CONF.clear_override("backend", group="key_manager")


@functools.cache
def key(kind: str) -> Any:
    """A private key; making one takes time."""
    if kind == "RSA-PSS":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if kind == "DSA":
        return dsa.generate_private_key(key_size=2048)
    return ec.generate_private_key(getattr(ec, kind.removeprefix("ECC_"))())


@functools.cache
def _key_of_authority(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def held(certificate: x509.Certificate) -> str:
    """Give a certificate to the key manager; return its id."""
    found = str(uuid.uuid4())
    HELD[found] = certificate.public_bytes(serialization.Encoding.DER)
    return found


def certificate(
    subject: str,
    issuer: str,
    public_key: Any = None,
    *,
    days: tuple[int, int] = (-1, 1),
    authority: bool = False,
    path_length: int | None = 5,
) -> x509.Certificate:
    """A certificate of a public key, signed by an authority.

    :param public_key: default: that of the authority named like the subject.
    :param days: from when and until when it is valid, counted from today.
    :param authority: whether it may sign others, in chains of that path length.
    """
    now = datetime.now(timezone.utc)
    usage = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key or _key_of_authority(subject).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(
            x509.BasicConstraints(authority, path_length if authority else None), critical=True
        )
        .add_extension(x509.KeyUsage(**usage, key_cert_sign=authority), critical=True)
    )
    return builder.sign(_key_of_authority(issuer), hashes.SHA256())


def root(name: str = "root", **other: Any) -> str:
    """An authority that signs itself; return its id."""
    return held(certificate(name, name, authority=True, **other))


def signer(kind: str = "RSA-PSS", issuer: str = "root", **other: Any) -> str:
    """A certificate of the key that signs images; return its id."""
    return held(certificate("signer", issuer, key(kind).public_key(), **other))


def signature(data: bytes, kind: str = "RSA-PSS", method: str = "SHA-256") -> bytes:
    """Sign data as the documentation of Glance has it."""
    algorithm = HASHES[method]
    if kind == "RSA-PSS":
        scheme = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=padding.PSS.MAX_LENGTH)
        return bytes(key(kind).sign(data, scheme, algorithm))
    if kind == "DSA":
        return bytes(key(kind).sign(data, algorithm))
    return bytes(key(kind).sign(data, ec.ECDSA(algorithm)))


def properties(
    data: bytes,
    kind: str = "RSA-PSS",
    method: str = "SHA-256",
    certificate_id: str | None = None,
) -> dict[str, str]:
    """The four properties of a signed image."""
    return {
        "img_signature": base64.b64encode(signature(data, kind, method)).decode(),
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": certificate_id or signer(kind),
    }


def circle(names: Sequence[str]) -> list[str]:
    """Authorities of which each has signed the next one, and the last one the first."""
    pairs = zip(names, [*names[1:], names[0]], strict=True)
    return [held(certificate(after, before, authority=True)) for before, after in pairs]
