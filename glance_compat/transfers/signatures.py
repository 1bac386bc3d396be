# SPDX-License-Identifier: Apache-2.0
"""Verify that the data of an image was signed with a trusted certificate.

The library cursive, which OpenStack's services share, implements the rules and the cryptography.
Certificates are fetched from the key manager that castellan is configured for. Both are imported
on first use.

What must live here: reading the signature properties of an image, and converting the errors of
cursive, castellan and cryptography to those of this library. What must not: reading the data (see
``streams``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Iterator, Sequence

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.metadata.property_names import SIGNATURE_PROPERTIES
from glance_compat.redaction import describe_error
from glance_compat.routing.references import check_path_segment

LOG = logging.getLogger(__name__)

SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE = SIGNATURE_PROPERTIES

#: Modules whose exceptions never have credentials in their messages. Messages of key managers and
#: other libraries may contain a token.
_SAFE = ("cursive.", __name__)

#: The id of a certificate, and its cryptography object.
_Named = tuple[str, typing.Any]


class _RefusedError(Exception):
    """Raised for input that cursive accepts but this library does not; its message is loggable."""


class Verifier:
    """Hashes the data block by block, and verifies the signature at the end.

    :param verifier: a verifier of cursive, with the methods ``update()`` and ``verify()``.
    :param image_id: the id of the image, for messages.
    """

    def __init__(self, verifier: typing.Any, image_id: str) -> None:
        self._verifier = verifier
        self._image_id = image_id

    def update(self, block: bytes) -> None:
        """Add the next block of the data."""
        self._verifier.update(block)

    def verify(self) -> None:
        """Verify the signature. Call this once, after the last block.

        :raises glance_compat.exceptions.InvalidSignature: the data does not match the signature.
        """
        with _errors_as(
            exceptions.InvalidSignature,
            f"the data of image {self._image_id} is not what was signed",
            self._image_id,
        ):
            self._verifier.verify()


def check_certificate_ids(trusted_certs: object) -> tuple[str, ...]:
    """Check the argument ``trusted_certs``, and return it as a tuple.

    If it is not empty, cursive must be installed.

    :param trusted_certs: ids of certificates in the key manager. If None or empty, signatures are
        not verified.
    :raises glance_compat.exceptions.InvalidOption: an id is invalid, or cursive is missing.
    """
    if trusted_certs is None:
        return ()
    # A string is rejected, because each of its characters would be treated as an id.
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
    """Return a verifier for the data and the signature of an image.

    :param found: the image.
    :param context: the caller's request context, which is passed to the key manager.
    :param trusted: ids of the trusted certificates, one of which must have issued the signing
        certificate. If empty, any signing certificate is accepted, as with Nova's
        ``verify_glance_signatures`` alone.
    :raises glance_compat.exceptions.SignatureVerificationError: the image has no usable signature,
        or its certificate cannot be fetched or is not trusted. Raised as one of the subclasses.
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
    """Import cursive, and return its modules ``signature_utils`` and ``certificate_utils``.

    :raises glance_compat.exceptions.InvalidOption: cursive cannot be imported.
    """
    try:
        from cursive import certificate_utils, signature_utils
    except (ImportError, AttributeError) as error:
        # With cryptography 47, importing cursive 0.2.3 raises AttributeError.
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
    """Return the id of the signing certificate, from a property of the image.

    It is checked, because the owner of the image sets it and key managers use it in a URL.
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
    """Raise an exception unless a certificate is valid today and issued by a trusted one.

    :raises glance_compat.exceptions.CertificateValidationFailed: the certificate is not valid
        today, or not issued by a trusted certificate.
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
    """Raise an exception if trusted certificates issue each other in a circle.

    cursive would follow such a circle forever (verified on cursive 0.3.1).
    """
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
    """Convert every exception to one of this library; a key manager may raise any exception."""
    try:
        yield
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        raise kind(f"{what}: {describe_error(error, _SAFE)}", image_id=image_id) from error
