# SPDX-License-Identifier: Apache-2.0
"""Verify image signatures: did the owner of a trusted certificate sign this data?

The rules and the cryptography are those of cursive, which OpenStack's services share. Certificates
come from the key manager that castellan is configured for. Both are imported when they are used.

What must live here: the properties of a signature, and how errors of cursive, castellan and
cryptography become errors of this library. What must not: the data itself (``streams``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Iterator, Sequence

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.routing.references import check_path_segment

LOG = logging.getLogger(__name__)

#: The properties of an image's signature (the same in Nova, Cinder and Glance).
SIGNATURE = "img_signature"
HASH_METHOD = "img_signature_hash_method"
KEY_TYPE = "img_signature_key_type"
CERTIFICATE = "img_signature_certificate_uuid"

#: The id of a certificate, and the certificate as cryptography has it.
_Named = tuple[str, typing.Any]


class _RefusedError(Exception):
    """Refuses what cursive accepts; like an error of cursive, its message may be logged."""


class Verifier:
    """Hashes data while it streams, and verifies the signature at the end.

    :param verifier: one of cursive's: ``update()`` and ``verify()``.
    """

    def __init__(self, verifier: typing.Any, image_id: str) -> None:
        self._verifier = verifier
        self._image_id = image_id

    def update(self, block: bytes) -> None:
        """Take the next part of the data."""
        self._verifier.update(block)

    def verify(self) -> None:
        """Verify the signature, once, after the last part.

        :raises glance_compat.exceptions.InvalidSignature: other data was signed.
        """
        with _errors_as(
            exceptions.InvalidSignature,
            f"the data of image {self._image_id} is not what was signed",
            self._image_id,
        ):
            self._verifier.verify()


def check_certificate_ids(trusted_certs: object) -> tuple[str, ...]:
    """Check the argument ``trusted_certs``, and that cursive is installed if it is needed.

    :param trusted_certs: ids of certificates in the key manager; None or empty: signatures are
        not verified.
    :raises glance_compat.exceptions.InvalidOption: an id is invalid, or cursive is missing.
    """
    if trusted_certs is None:
        return ()
    # Not a string: each of its characters would be an id.
    if not isinstance(trusted_certs, (list, tuple, set, frozenset)):
        raise exceptions.InvalidOption(
            f"trusted_certs must be a list of certificate ids, not {type(trusted_certs).__name__}"
        )
    try:
        ids = tuple(check_path_segment(one, "the id of a certificate") for one in trusted_certs)
    except exceptions.InvalidImageRef as error:
        raise exceptions.InvalidOption(f"trusted_certs: {error}") from None
    if ids:
        _import_cursive()
    return ids


def create_verifier(found: Image, context: object, trusted: Sequence[str]) -> Verifier:
    """Create what verifies the data of an image against its signature.

    :param context: the caller's context, for the key manager.
    :param trusted: ids of the certificates that must have issued the signature's certificate.
        Empty: any certificate is accepted, as with Nova's ``verify_glance_signatures`` alone.
    :raises glance_compat.exceptions.SignatureVerificationError: one of its subclasses: the image
        has no signature that can be verified.
    """
    image_id = found["id"]
    texts = {name: _get_property(found, name) for name in (SIGNATURE, HASH_METHOD, KEY_TYPE)}
    certificate_id = _get_certificate_id(found)
    rules, _ = _import_cursive()
    with _unusable_property(SIGNATURE, image_id):
        signature = rules.get_signature(texts[SIGNATURE])
    with _unusable_property(HASH_METHOD, image_id):
        method = rules.get_hash_method(texts[HASH_METHOD])
    with _unusable_property(KEY_TYPE, image_id):
        key_type = rules.SignatureKeyType.lookup(texts[KEY_TYPE])
    certificate = _fetch_certificate(context, certificate_id, image_id)
    if trusted:
        _validate_certificate(context, (certificate_id, certificate), trusted, image_id)
    with _unusable_property(KEY_TYPE, image_id):
        key = certificate.public_key()
        if not isinstance(key, key_type.public_key_type):
            raise exceptions.SignatureUnusable(
                f"the signature of image {image_id} is of key type {key_type.name}, but the key"
                f" of certificate {certificate_id} is not",
                image_id=image_id,
            )
    with _unusable_property(SIGNATURE, image_id):
        # cursive returns None for an empty signature.
        return Verifier(_require(key_type.create_verifier(signature, method, key)), image_id)


def _import_cursive() -> tuple[typing.Any, typing.Any]:
    """Import the two modules of cursive.

    :raises glance_compat.exceptions.InvalidOption: it cannot be imported.
    """
    try:
        from cursive import certificate_utils, signature_utils
    except (ImportError, AttributeError) as error:
        # cursive 0.2.3 beside cryptography 47: AttributeError.
        raise exceptions.InvalidOption(
            "image signatures are verified with cursive, which cannot be imported:"
            " install glance-compat[signatures]"
        ) from error
    return signature_utils, certificate_utils


def _get_property(found: Image, name: str) -> str:
    value = found["properties"].get(name)
    if not value:
        raise exceptions.SignatureUnusable(
            f"image {found['id']} has no signature that can be verified: property {name} is"
            " missing",
            image_id=found["id"],
        )
    return str(value)


def _get_certificate_id(found: Image) -> str:
    """Return the id of the signature's certificate.

    The owner of the image writes it, and key managers use it in a URL, so it is checked.
    """
    try:
        return check_path_segment(_get_property(found, CERTIFICATE), "the id of a certificate")
    except exceptions.InvalidImageRef as error:
        raise exceptions.SignatureUnusable(
            f"property {CERTIFICATE} of image {found['id']}: {error}", image_id=found["id"]
        ) from None


def _fetch_certificate(context: object, certificate_id: str, image_id: str) -> typing.Any:
    rules, _ = _import_cursive()
    with _errors_as(
        exceptions.KeyManagerFailed,
        f"certificate {certificate_id} could not be fetched from the key manager",
        image_id,
    ):
        return _require(rules.get_certificate(context, certificate_id))


def _validate_certificate(
    context: object, certificate: _Named, trusted: Sequence[str], image_id: str
) -> None:
    """Check that a certificate is valid today and is issued by one of the trusted ones.

    :raises glance_compat.exceptions.CertificateValidationFailed: it is not.
    """
    _, validation = _import_cursive()
    known = list(_fetch_trusted(context, trusted, image_id))
    refused = f"certificate {certificate[0]} is not trusted"
    if len(known) < len(trusted):
        refused += f" ({len(trusted) - len(known)} trusted certificates could not be fetched)"
    with _errors_as(exceptions.CertificateValidationFailed, refused, image_id):
        signing = [one for one in known if _may_sign(one)]
        _check_not_circular(certificate[1], signing)
        chain = validation.CertificateVerificationContext(signing)
        chain.update(certificate[1])
        chain.verify()


def _fetch_trusted(context: object, trusted: Sequence[str], image_id: str) -> Iterator[_Named]:
    """Fetch the trusted certificates; skip those that cannot be fetched, as cursive does."""
    for one in trusted:
        try:
            yield one, _fetch_certificate(context, one, image_id)
        except exceptions.KeyManagerFailed as error:
            LOG.warning("Skipping a trusted certificate: %s", error)


def _may_sign(named: _Named) -> bool:
    _, validation = _import_cursive()
    certificate_id, certificate = named
    return bool(
        validation.is_within_valid_dates(certificate)
        and validation.can_sign_certificates(certificate, certificate_id)
    )


def _check_not_circular(certificate: typing.Any, signing: Sequence[_Named]) -> None:
    """Refuse certificates that sign each other in a circle, which cursive would follow forever
    (verified on cursive 0.3.1)."""
    _, validation = _import_cursive()
    link = certificate
    for _step in range(len(signing) + 1):
        issuer = next((one for _, one in signing if validation.is_issuer(one, link)), None)
        if issuer is None or issuer == link:
            return
        link = issuer
    raise _RefusedError("the trusted certificates sign each other in a circle")


def _require(value: typing.Any) -> typing.Any:
    if value is None:
        raise _RefusedError("there is none")
    return value


def _unusable_property(name: str, image_id: str) -> contextlib.AbstractContextManager[None]:
    return _errors_as(
        exceptions.SignatureUnusable,
        f"property {name} of image {image_id} is invalid",
        image_id,
    )


@contextlib.contextmanager
def _errors_as(
    kind: type[exceptions.SignatureVerificationError], what: str, image_id: str
) -> Iterator[None]:
    """Convert all exceptions to errors of this library: a key manager may raise any of them."""
    try:
        yield
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        raise kind(f"{what}: {_loggable_reason(error)}", image_id=image_id) from error


def _loggable_reason(error: Exception) -> str:
    """Return cursive's own message; those of key managers and other libraries may hold a token."""
    if not type(error).__module__.startswith(("cursive.", __name__)):
        return type(error).__name__
    text = str(error)[:200]
    return text if text.isprintable() else ascii(text)
