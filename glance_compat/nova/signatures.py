# SPDX-License-Identifier: Apache-2.0
"""Image signatures and downloads past Glance, as Nova has them: its options, errors, and rbd.

What verifies a signature is :mod:`glance_compat.transfers.signatures`. Nova and cursive
are imported by the functions, when they are called.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import typing
import urllib.parse
from collections.abc import Callable, Iterable, Iterator

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.nova import host
from glance_compat.transfers import signatures

LOG = logging.getLogger(__name__)


class Verifier(typing.Protocol):
    """What verifies data."""

    def update(self, block: bytes) -> None:
        """More of the data."""

    def verify(self) -> None:
        """Raise an error when it is not what was signed."""


def verifier_of(
    context: object, show: Callable[[], Image], trusted_certs: typing.Any
) -> Verifier | None:
    """What verifies an image's data, or None where nobody asks for that.

    :param show: gives the image; called only if a signature is wanted.
    :param trusted_certs: ``nova.objects.TrustedCerts`` or None; where there is none, the default
        of ``[glance]default_trusted_certificate_ids`` counts.
    :raises cursive.exception.SignatureVerificationError: there is no signature that could be
        verified.
    :raises nova.exception.CertificateValidationFailed: its certificate is not trusted.
    """
    settings = host.configuration().glance
    trusted = list(trusted_certs.ids) if trusted_certs else []
    if not trusted and settings.enable_certificate_validation:
        trusted = list(settings.default_trusted_certificate_ids)
    if not trusted and not settings.verify_glance_signatures:
        return None
    image = show()
    with _errors_of_nova(image):
        verifier = signatures.create_verifier(image, context, trusted)
    if settings.enable_certificate_validation and not trusted:
        raise host.nova_exceptions().CertificateValidationFailed(
            "Image signature certificate validation enabled, but no trusted certificate IDs were"
            " provided. Unable to validate the certificate used to verify the image signature."
        )
    return verifier


@contextlib.contextmanager
def _errors_of_nova(image: Image) -> Iterator[None]:
    """Raise what Nova's own module raises: cursive's errors, and one of its own."""
    try:
        yield
    except exceptions.CertificateValidationFailed as error:
        raise host.nova_exceptions().CertificateValidationFailed(
            cert_uuid=image["properties"].get(signatures.CERTIFICATE), reason=str(error)
        ) from error
    except exceptions.SignatureVerificationError as error:
        from cursive import exception as of_cursive

        raise of_cursive.SignatureVerificationError(reason=str(error)) from error


def verified(blocks: Iterable[bytes], verifier: Verifier | None) -> Iterator[bytes]:
    """Pass data through, and verify it before the end.

    :raises cryptography.exceptions.InvalidSignature: in place of the end.
    """
    for block in blocks:
        if verifier is not None:
            verifier.update(block)
        yield block
    if verifier is not None:
        _verify(verifier)


def _verify(verifier: Verifier) -> None:
    try:
        verifier.verify()
    except exceptions.InvalidSignature as error:
        # cryptography's own, which Nova expects.
        raise error.__cause__ or error from None


@contextlib.contextmanager
def emptied_on_failure(file: typing.IO[bytes], verifier: Verifier | None) -> Iterator[None]:
    """Leave nothing in a file of data whose signature is wrong."""
    try:
        yield
    except Exception:
        if verifier is not None:
            with contextlib.suppress(AttributeError, io.UnsupportedOperation):
                file.truncate(0)
        raise


# ---------------------------------------------------------------------------------------------
# Past Glance.


def fetched_directly(show: Callable[[], Image], path: str, verifier: Verifier | None) -> bool:
    """Whether the data was got from a location that Nova reads by itself: rbd, where
    ``[glance]enable_rbd_download`` says so.

    :param show: gives the image with its locations.
    """
    if not host.configuration().glance.enable_rbd_download:
        return False
    for location in show().get("locations", ()):
        url = urllib.parse.urlsplit(location["url"])
        if url.scheme == "rbd" and _fetched(url, path, verifier):
            return True
    return False


def _fetched(url: urllib.parse.SplitResult, path: str, verifier: Verifier | None) -> bool:
    try:
        rbd_download(url, path)
        if verifier is not None:
            with open(path, "rb") as file:
                for _ in verified(iter(lambda: file.read(1 << 20), b""), verifier):
                    pass
    except Exception:
        LOG.exception("An image could not be downloaded past Glance")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return False
    return True


def rbd_download(url: urllib.parse.SplitResult, path: str) -> None:
    """Export an image out of Ceph with Nova's own driver.

    :param url: its path is ``<cluster>/<pool>/<image>/<snapshot>``.
    :raises nova.exception.InvalidParameterValue: it is not.
    :raises nova.exception.CouldNotFetchImage: Ceph does not give it.
    """
    from nova.storage import rbd_utils

    parts = urllib.parse.unquote(f"{url.netloc}{url.path}").split("/")
    if len(parts) != 4:
        raise host.nova_exceptions().InvalidParameterValue(f"Invalid RBD URL: {url.geturl()}")
    _, pool, image, snapshot = parts
    settings = host.configuration().glance
    driver = rbd_utils.RBDDriver(
        user=settings.rbd_user,
        pool=settings.rbd_pool,
        ceph_conf=settings.rbd_ceph_conf,
        connect_timeout=settings.rbd_connect_timeout,
    )
    try:
        driver.export_image(path, image, snapshot, pool)
    except Exception as error:
        raise host.nova_exceptions().CouldNotFetchImage(image_id=image) from error
