# SPDX-License-Identifier: Apache-2.0
"""Image signatures: is this data what the owner of a trusted certificate has signed?

The rules and the arithmetic are cursive's, which the services of OpenStack share; certificates
come from the key manager that castellan is configured for. Both are imported when they are needed.

What must live here: which property says what, and what cursive, castellan and cryptography raise
as errors of this library. What must not: the data on its way (``transfer``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Iterator, Sequence

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.routing.references import segment

LOG = logging.getLogger("glance_compat")

#: The properties of an image that make its signature (Nova, Cinder and Glance have the same).
SIGNATURE = "img_signature"
HASH_METHOD = "img_signature_hash_method"
KEY_TYPE = "img_signature_key_type"
CERTIFICATE = "img_signature_certificate_uuid"

#: The id of a certificate, and the certificate as cryptography has it.
_Named = tuple[str, typing.Any]


class _RefusedError(Exception):
    """Like cursive's own error, for what cursive does not refuse."""


class Verifier:
    """Hashes data while it streams, and tells at the end whether it is what was signed.

    :param verifier: one of cursive's: ``update()`` and ``verify()``.
    """

    def __init__(self, verifier: typing.Any, image_id: str) -> None:
        self._verifier = verifier
        self._image_id = image_id

    def update(self, block: bytes) -> None:
        """Take the next part of the data."""
        self._verifier.update(block)

    def verify(self) -> None:
        """Compare; once, after the last part.

        :raises glance_compat.exceptions.InvalidSignature: it is something else.
        """
        with _as(
            exceptions.InvalidSignature,
            f"the data of image {self._image_id} is not what was signed",
            self._image_id,
        ):
            self._verifier.verify()


def certificate_ids(trusted_certs: object) -> tuple[str, ...]:
    """Check the argument ``trusted_certs``, and that signatures can be verified if they are to be.

    :param trusted_certs: ids of certificates in the key manager; None or none of them: no
        signature is verified.
    :raises glance_compat.exceptions.InvalidOption: something else, or cursive is missing.
    """
    if trusted_certs is None:
        return ()
    # A text is a sequence of texts as well: each letter would be an id.
    if not isinstance(trusted_certs, (list, tuple, set, frozenset)):
        raise exceptions.InvalidOption(
            f"trusted_certs must be a list of certificate ids, not {type(trusted_certs).__name__}"
        )
    try:
        ids = tuple(segment(one, "the id of a certificate") for one in trusted_certs)
    except exceptions.InvalidImageRef as error:
        raise exceptions.InvalidOption(f"trusted_certs: {error}") from None
    if ids:
        _cursive()
    return ids


def verifier_of(found: Image, context: object, trusted: Sequence[str]) -> Verifier:
    """What verifies the data of an image against its signature.

    :param context: for the key manager.
    :param trusted: ids of certificates, of which the signature's must come; none: any will do,
        as with Nova's ``verify_glance_signatures`` alone.
    :raises glance_compat.exceptions.SignatureVerificationError: by its subclasses: there is no
        signature that could be verified.
    """
    image_id = found["id"]
    texts = {name: _property(found, name) for name in (SIGNATURE, HASH_METHOD, KEY_TYPE)}
    certificate_id = _certificate_id(found)
    rules, _ = _cursive()
    with _unusable(SIGNATURE, image_id):
        signature = rules.get_signature(texts[SIGNATURE])
    with _unusable(HASH_METHOD, image_id):
        method = rules.get_hash_method(texts[HASH_METHOD])
    with _unusable(KEY_TYPE, image_id):
        key_type = rules.SignatureKeyType.lookup(texts[KEY_TYPE])
    certificate = _certificate(context, certificate_id, image_id)
    if trusted:
        _validate(context, (certificate_id, certificate), trusted, image_id)
    with _unusable(KEY_TYPE, image_id):
        key = certificate.public_key()
        if not isinstance(key, key_type.public_key_type):
            raise exceptions.SignatureUnusable(
                f"the signature of image {image_id} is of key type {key_type.name}, but the key"
                f" of certificate {certificate_id} is not",
                image_id=image_id,
            )
    with _unusable(SIGNATURE, image_id):
        # cursive gives nothing for an empty signature.
        return Verifier(_not_none(key_type.create_verifier(signature, method, key)), image_id)


def _cursive() -> tuple[typing.Any, typing.Any]:
    """The two modules of cursive.

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


def _property(found: Image, name: str) -> str:
    value = found["properties"].get(name)
    if not value:
        raise exceptions.SignatureUnusable(
            f"image {found['id']} has no signature that could be verified: property {name} is"
            " missing",
            image_id=found["id"],
        )
    return str(value)


def _certificate_id(found: Image) -> str:
    """The image's owner writes it, and key managers make a URL of it."""
    try:
        return segment(_property(found, CERTIFICATE), "the id of a certificate")
    except exceptions.InvalidImageRef as error:
        raise exceptions.SignatureUnusable(
            f"property {CERTIFICATE} of image {found['id']}: {error}", image_id=found["id"]
        ) from None


def _certificate(context: object, certificate_id: str, image_id: str) -> typing.Any:
    rules, _ = _cursive()
    with _as(
        exceptions.KeyManagerFailed,
        f"the key manager did not give certificate {certificate_id}",
        image_id,
    ):
        return _not_none(rules.get_certificate(context, certificate_id))


def _validate(context: object, certificate: _Named, trusted: Sequence[str], image_id: str) -> None:
    """Check that a certificate is valid today and comes from one of the trusted ones.

    :raises glance_compat.exceptions.CertificateValidationFailed: it does not.
    """
    _, validation = _cursive()
    known = list(_trusted(context, trusted, image_id))
    refused = f"certificate {certificate[0]} is not to be trusted"
    if len(known) < len(trusted):
        refused += f" ({len(trusted) - len(known)} of the trusted ones could not be had)"
    with _as(exceptions.CertificateValidationFailed, refused, image_id):
        signing = [one for one in known if _may_sign(one)]
        _check_not_circular(certificate[1], signing)
        chain = validation.CertificateVerificationContext(signing)
        chain.update(certificate[1])
        chain.verify()


def _trusted(context: object, trusted: Sequence[str], image_id: str) -> Iterator[_Named]:
    """The trusted certificates; those that cannot be had are passed over, as cursive does."""
    for one in trusted:
        try:
            yield one, _certificate(context, one, image_id)
        except exceptions.KeyManagerFailed as error:
            LOG.warning("a trusted certificate is passed over: %s", error)


def _may_sign(named: _Named) -> bool:
    _, validation = _cursive()
    certificate_id, certificate = named
    return bool(
        validation.is_within_valid_dates(certificate)
        and validation.can_sign_certificates(certificate, certificate_id)
    )


def _check_not_circular(certificate: typing.Any, signing: Sequence[_Named]) -> None:
    """cursive follows certificates that sign each other in a circle for ever (seen on 0.3.1)."""
    _, validation = _cursive()
    link = certificate
    for _step in range(len(signing) + 1):
        issuer = next((one for _, one in signing if validation.is_issuer(one, link)), None)
        if issuer is None or issuer == link:
            return
        link = issuer
    raise _RefusedError("the trusted certificates sign each other in a circle")


def _not_none(value: typing.Any) -> typing.Any:
    if value is None:
        raise _RefusedError("there is none")
    return value


def _unusable(name: str, image_id: str) -> contextlib.AbstractContextManager[None]:
    return _as(
        exceptions.SignatureUnusable,
        f"property {name} of image {image_id} is of no use",
        image_id,
    )


@contextlib.contextmanager
def _as(
    kind: type[exceptions.SignatureVerificationError], what: str, image_id: str
) -> Iterator[None]:
    """Raise whatever goes wrong inside as one of ours: a key manager may raise anything."""
    try:
        yield
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        raise kind(f"{what}: {_reason(error)}", image_id=image_id) from error


def _reason(error: Exception) -> str:
    """In cursive's words; texts of key managers, and of libraries below them, may hold a token."""
    if not type(error).__module__.startswith(("cursive.", __name__)):
        return type(error).__name__
    text = str(error)[:200]
    return text if text.isprintable() else ascii(text)
