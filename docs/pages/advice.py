# SPDX-License-Identifier: Apache-2.0
"""What a user should do after each exception of the library.

What must live here: the next step. What must not: what an exception means, which its class says.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from glance_compat import exceptions
from glance_compat.exceptions import GlanceCompatError

Advice = Mapping[type[GlanceCompatError], str]

#: Situation to the exceptions, and to what a user should do next.
ADVICE: Mapping[str, Advice] = {
    "The call may have taken effect": {
        exceptions.OutcomeUnknown: (
            "Call ``show()`` with the ``image_id`` of the exception a little later. After an"
            " upload the image was kept: use it if it is active, otherwise delete it and begin"
            " again."
        ),
        exceptions.GlanceConnectionFailed: (
            "Check the endpoint and the network. All attempts have failed; repeat the call when"
            " the endpoint responds again. If ``is_transient`` is False, mend the certificate"
            " first. Fetch the image before you repeat a change whose last response was lost."
        ),
        exceptions.DeadlineExceeded: (
            "As after GlanceConnectionFailed. If the endpoint is slow but works, raise the option"
            " ``deadline``."
        ),
        exceptions.BadResponse: (
            "Read ``status`` and the message. After 500 to 504, give ``request_id`` to the"
            " operator of the cloud, who finds it in the log of Glance. If the response does not"
            " come from Glance, check the URL of the endpoint, and the proxies on the way."
        ),
    },
    "The data is not what it should be": {
        exceptions.IntegrityError: (
            "After a download: discard what was received, and download again. If that fails too,"
            " the data in the store is damaged: ask the owner of the image. After ``create`` no"
            " image is left: repeat the call. After ``update`` the message names what was lost:"
            " fetch the image, and check the proxies on the way."
        ),
        exceptions.ImageUnacceptable: (
            "Create the image with the ``disk_format`` of the data, or convert the data."
        ),
        exceptions.DataSourceError: (
            "Check the caller's own file or stream: the error that it raised is the cause of the"
            " exception. If the size was declared, declare the right one."
        ),
        exceptions.UnreadableImage: (
            'Use ``api_version="2"`` if the endpoint offers v2, and remove the property with'
            " control characters or a very long value."
        ),
        exceptions.SignatureVerificationError: (
            "Do not use the data. The subclasses say what is wrong."
        ),
        exceptions.SignatureUnusable: (
            "Ask the owner of the image for the four ``img_signature`` properties, or do not"
            " require signatures."
        ),
        exceptions.KeyManagerFailed: (
            "Check that the key manager can be reached, and that the caller may read the"
            " certificate that the image names."
        ),
        exceptions.CertificateValidationFailed: (
            "Add the id of the issuer's certificate to ``trusted_certs``, if you trust it, or ask"
            " the owner to sign with a valid certificate."
        ),
        exceptions.InvalidSignature: "Do not use the data, and tell the owner of the image.",
    },
    "The state of the image or the cloud does not permit the call": {
        exceptions.NotFound: "Check the id, and the project of the caller.",
        exceptions.ImageNotFound: (
            "Check the id, and the project of the caller: an image of another project is not found"
            " either, unless it is public or shared with the caller."
        ),
        exceptions.MemberNotFound: "Check the id of the project, and call ``members()``.",
        exceptions.Conflict: "Call ``show()``, and repeat the call if it still makes sense.",
        exceptions.ImageDeleteConflict: (
            "Delete what uses the image first, such as volumes or instances that were cloned from"
            " it."
        ),
        exceptions.UpdateConflict: "Call ``show()``, and repeat the change on the image as it is.",
        exceptions.ImageNotActive: (
            "Call ``show()``. A ``queued`` image has no data yet; wait for one that is ``saving``"
            " or ``importing``; ask an admin about one that is ``deactivated``."
        ),
        exceptions.ImageQuotaExceeded: "Delete what is not needed, or ask for a larger quota.",
        exceptions.ImageImportImpossible: (
            "Read the message. Check that the site enables the import method, and that the image"
            " is in a status that permits it."
        ),
        exceptions.ImportFailed: (
            "Read ``reasons`` and ``failed_stores``. Check that Glance, not only the caller, can"
            " read the URL."
        ),
    },
    "The caller is not allowed": {
        exceptions.NotAuthenticated: "Check the credentials, and log in again.",
        exceptions.Forbidden: "Ask an admin, or use a token with the role that the site requires.",
        exceptions.ImageNotAuthorized: (
            "Use the token of the image's project. Only its owner and admins change an image."
        ),
    },
    "The arguments are wrong": {
        exceptions.Invalid: "Correct what the message names.",
        exceptions.ImageBadRequest: "Correct what the message names.",
        exceptions.InvalidImageRef: "Pass the id of an image, or an href of this image service.",
        exceptions.PropertyNotAllowed: "Choose another name for the property.",
        exceptions.PropertyInvalid: "Choose one of the values in ``allowed``.",
        exceptions.InvalidOption: "Correct the option that the message names.",
    },
    "The cloud cannot do it": {
        exceptions.UnsupportedByVersion: (
            "Leave out what ``needed`` names, or use an endpoint that has it"
            " (:doc:`capabilities`)."
        ),
        exceptions.NoUsableVersion: (
            "Check the URL of the endpoint: run ``glance-compat discover``. Check the options"
            " ``api_version`` and ``allow_experimental`` (:doc:`choosing`)."
        ),
    },
}


def advice() -> Iterator[str]:
    """Yield the list of exceptions, in reStructuredText."""
    for situation, errors in ADVICE.items():
        yield f"{situation}\n{'-' * len(situation)}\n\n"
        for error, following in errors.items():
            yield (
                f":class:`~glance_compat.exceptions.{error.__name__}`\n"
                f"    {meaning(error)}\n\n    *Next:* {following}\n\n"
            )


def meaning(error: type[GlanceCompatError]) -> str:
    """Return the first paragraph of the docstring of an exception."""
    return " ".join(inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0].split())
