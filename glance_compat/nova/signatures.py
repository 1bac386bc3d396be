# SPDX-License-Identifier: Apache-2.0
"""Verify image signatures and download from Ceph with Nova's options and errors.

The functions import Nova and cursive when they are called.

What must live here: code that uses Nova's options and errors for signatures, and Nova's rbd
driver. What must not: the verification itself (:mod:`glance_compat.transfers.signatures`).
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
from glance_compat.urls import scheme_of

LOG = logging.getLogger(__name__)


class Verifier(typing.Protocol):
    """Verifies data against a signature."""

    def update(self, block: bytes) -> None:
        """Add the next block of the data."""

    def verify(self) -> None:
        """Raise an error if the signature does not match the data."""


def make_verifier(
    context: object, show: Callable[[], Image], trusted_certs: typing.Any
) -> Verifier | None:
    """Return a verifier for an image's data, or None if the configuration does not require one.

    :param show: a function that returns the image; called only if a signature is required.
    :param trusted_certs: ``nova.objects.TrustedCerts``; None: the certificates in
        ``[glance]default_trusted_certificate_ids``.
    :raises cursive.exception.SignatureVerificationError: the image has no valid signature
        metadata.
    :raises nova.exception.CertificateValidationFailed: the certificate is not trusted.
    """
    settings = host.nova_conf().glance
    trusted = list(trusted_certs.ids) if trusted_certs else []
    if not trusted and settings.enable_certificate_validation:
        trusted = list(settings.default_trusted_certificate_ids)
    if not trusted and not settings.verify_glance_signatures:
        return None
    image = show()
    with _translate_errors(image):
        verifier = signatures.create_verifier(image, context, trusted)
    if settings.enable_certificate_validation and not trusted:
        raise host.nova_exceptions().CertificateValidationFailed(
            "Image signature certificate validation enabled, but no trusted certificate IDs were"
            " provided. Unable to validate the certificate used to verify the image signature."
        )
    return verifier


@contextlib.contextmanager
def _translate_errors(image: Image) -> Iterator[None]:
    """Convert errors to the classes of cursive and Nova that Nova's own module raises."""
    try:
        yield
    except exceptions.CertificateValidationFailed as error:
        raise host.nova_exceptions().CertificateValidationFailed(
            cert_uuid=image["properties"].get(signatures.CERTIFICATE), reason=str(error)
        ) from error
    except exceptions.SignatureVerificationError as error:
        from cursive import exception as of_cursive

        raise of_cursive.SignatureVerificationError(reason=str(error)) from error


def verify_blocks(blocks: Iterable[bytes], verifier: Verifier | None) -> Iterator[bytes]:
    """Yield the blocks, then verify the signature.

    :raises cryptography.exceptions.InvalidSignature: the signature does not match. It is raised
        after the last block.
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
        # Nova handles cryptography's error, not the library's.
        raise error.__cause__ or error from None


@contextlib.contextmanager
def truncate_on_failure(file: typing.IO[bytes], verifier: Verifier | None) -> Iterator[None]:
    """Truncate the file to 0 bytes if the signature of its data is invalid."""
    try:
        yield
    except Exception:
        if verifier is not None:
            with contextlib.suppress(AttributeError, io.UnsupportedOperation):
                file.truncate(0)
        raise


# ---------------------------------------------------------------------------------------------
# Downloads that bypass Glance.


def fetch_directly(
    show: Callable[[], Image], path: str, verifier: Verifier | None, mode: int | None
) -> bool:
    """Download from Ceph with Nova's driver, if ``[glance]enable_rbd_download`` is set.

    :param show: a function that returns the image with its locations.
    :param path: the file to write.
    :param mode: the permissions of the file, or None for those that Nova's driver gives it.
    :returns: whether the data was written; if not, download it from Glance.
    """
    if not host.nova_conf().glance.enable_rbd_download:
        return False
    for location in show().get("locations", ()):
        if scheme_of(location["url"]) == "rbd" and _fetch(location["url"], path, verifier, mode):
            return True
    return False


def _fetch(url: str, path: str, verifier: Verifier | None, mode: int | None) -> bool:
    try:
        rbd_download(urllib.parse.urlsplit(url), path)
        if mode is not None:
            os.chmod(path, mode)
        if verifier is not None:
            with open(path, "rb") as file:
                for _ in verify_blocks(iter(lambda: file.read(1 << 20), b""), verifier):
                    pass
    except Exception:
        LOG.exception("Downloading an image from Ceph failed; downloading it from Glance")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return False
    return True


def rbd_download(url: urllib.parse.SplitResult, path: str) -> None:
    """Export an image from Ceph with Nova's own driver.

    :param url: the rbd URL, with the path ``<cluster>/<pool>/<image>/<snapshot>``.
    :param path: the file to write.
    :raises nova.exception.InvalidParameterValue: the URL does not have this form.
    :raises nova.exception.CouldNotFetchImage: the export failed.
    """
    from nova.storage import rbd_utils

    parts = urllib.parse.unquote(f"{url.netloc}{url.path}").split("/")
    if len(parts) != 4:
        raise host.nova_exceptions().InvalidParameterValue(f"Invalid RBD URL: {url.geturl()}")
    _, pool, image, snapshot = parts
    settings = host.nova_conf().glance
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
