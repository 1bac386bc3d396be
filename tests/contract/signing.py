# SPDX-License-Identifier: Apache-2.0
"""Real keys, certificates and signatures, and a key manager for castellan."""

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

#: The content of the key manager, by id: a DER certificate, or an error to raise.
HELD: dict[str, bytes | BaseException] = {}

#: The contexts that the key manager received.
ASKED: list[object] = []


class KeyManager(key_manager.KeyManager):
    """A key manager with the content of HELD."""

    def __init__(self, configuration: cfg.ConfigOpts) -> None:
        """Accept and ignore the configuration."""

    def get(self, context: object, managed_object_id: str, metadata_only: bool = False) -> Any:
        """Return a certificate, or raise the error that is stored in its place."""
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
    """Select a key manager with castellan's option ``[key_manager] backend``."""
    castellan_options.set_defaults(cfg.CONF)
    cfg.CONF.set_override("backend", backend, group="key_manager")
    try:
        yield
    finally:
        cfg.CONF.clear_override("backend", group="key_manager")


@functools.cache
def key(kind: str) -> Any:
    """Return a private key; cached, because generating one is slow."""
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
    """Store a certificate in the key manager; return its id."""
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
    """Return a certificate for a public key, signed by an authority.

    :param public_key: the key; default: that of the authority with the name of the subject.
    :param days: the start and the end of the validity, in days from today.
    :param authority: whether it may sign other certificates, in chains of that length.
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
    """Store a self-signed authority; return its id."""
    return held(certificate(name, name, authority=True, **other))


def signer(kind: str = "RSA-PSS", issuer: str = "root", **other: Any) -> str:
    """Store a certificate of the key that signs images; return its id."""
    return held(certificate("signer", issuer, key(kind).public_key(), **other))


def signature(data: bytes, kind: str = "RSA-PSS", method: str = "SHA-256") -> bytes:
    """Sign data as described in Glance's documentation."""
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
    """Return the four properties of a signed image."""
    return {
        "img_signature": base64.b64encode(signature(data, kind, method)).decode(),
        "img_signature_hash_method": method,
        "img_signature_key_type": kind,
        "img_signature_certificate_uuid": certificate_id or signer(kind),
    }


def circle(names: Sequence[str]) -> list[str]:
    """Store authorities that sign each other in a circle; return their ids."""
    pairs = zip(names, [*names[1:], names[0]], strict=True)
    return [held(certificate(after, before, authority=True)) for before, after in pairs]
