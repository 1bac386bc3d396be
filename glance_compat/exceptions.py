# SPDX-License-Identifier: Apache-2.0
"""Everything that this library raises: one tree, nothing else escapes.

::

    GlanceCompatError
    ├── NotFound
    │   ├── ImageNotFound
    │   └── MemberNotFound
    ├── Forbidden
    │   └── ImageNotAuthorized
    ├── NotAuthenticated           a 401 that a new token does not cure
    ├── Invalid
    │   ├── ImageBadRequest
    │   ├── InvalidImageRef        an id or href that is refused before any request
    │   ├── PropertyNotAllowed     a property that the API in use cannot carry, or a reserved name
    │   └── InvalidOption          (also a ValueError)
    ├── Conflict
    │   ├── ImageDeleteConflict
    │   ├── UpdateConflict
    │   └── ImageNotActive
    ├── ImageUnacceptable          the data is not what the server takes it for
    ├── ImageQuotaExceeded
    ├── ImageImportImpossible
    ├── IntegrityError             size or checksum differ from what was sent or promised
    ├── SignatureVerificationError the signature of an image was asked for and is not proved
    │   ├── SignatureUnusable      the image has none, or one that cannot be read
    │   ├── KeyManagerFailed       the certificate could not be had
    │   ├── CertificateValidationFailed  not from a trusted certificate, or not valid today
    │   └── InvalidSignature       (also an IntegrityError) the data is not what was signed
    ├── OutcomeUnknown             the answer was lost and a look at the image did not tell
    ├── UnreadableImage            a v1 answer is damaged and the lossless list did not help
    ├── DataSourceError            the caller's own data could not be read
    ├── UnsupportedByVersion       asked for something that the API in use does not have
    ├── NoUsableVersion            the endpoint offers nothing that the options allow
    ├── BadResponse                a server error, or a shape that is not Glance's
    └── GlanceConnectionFailed
        └── DeadlineExceeded

What must live here: the classes and the tables from HTTP status to class, one per method.
What must not: any knowledge of how an answer is read (see ``wire``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class GlanceCompatError(Exception):
    """The root of the tree.

    :param message: one sentence for people; it names what was tried, never a token or a body.
    :param status: the HTTP status that led to the error, or None when there was no answer.
    :param request_id: Glance's ``x-openstack-request-id`` of that answer, or None.
    :param endpoint: the unversioned image endpoint (without credentials), or None.
    :param image_id: the image that the call was about, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        endpoint: str | None = None,
        image_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.request_id = request_id
        self.endpoint = endpoint
        self.image_id = image_id
        #: Seconds that the server asked to wait (Retry-After), or None.
        self.retry_after: float | None = None

    def __str__(self) -> str:
        return self.message


class NotFound(GlanceCompatError):
    """What was asked for is not there, or not for this caller."""


class ImageNotFound(NotFound):
    """No such image, or the caller may not see it."""


class MemberNotFound(NotFound):
    """The image has no such member."""


class Forbidden(GlanceCompatError):
    """The caller may not do this."""


class ImageNotAuthorized(Forbidden):
    """The caller may not do this with this image."""


class NotAuthenticated(GlanceCompatError):
    """No token, or one that is not accepted and that a new one did not cure."""


class Invalid(GlanceCompatError):
    """The request does not make sense, to the library or to the server."""


class ImageBadRequest(Invalid):
    """The image metadata is refused."""


class InvalidImageRef(Invalid):
    """The id or href is refused before any request."""


class PropertyNotAllowed(Invalid):
    """A property has a reserved name, or cannot be carried by the API in use."""


class InvalidOption(Invalid, ValueError):
    """An option, a configuration value or an argument has a value it cannot have."""


class Conflict(GlanceCompatError):
    """The state of the image does not permit this."""


class ImageDeleteConflict(Conflict):
    """The image is in use and cannot be deleted."""


class UpdateConflict(Conflict):
    """Another writer's change came between."""


class ImageNotActive(Conflict):
    """The image has no data to give, or can take none, in its present status."""


class ImageUnacceptable(GlanceCompatError):
    """The data is not what the metadata says it is."""


class ImageQuotaExceeded(GlanceCompatError):
    """A quota of the cloud is reached (properties, tags, members, storage, image size)."""


class ImageImportImpossible(GlanceCompatError):
    """The image cannot be imported into that store."""


class IntegrityError(GlanceCompatError):
    """Bytes were lost or changed on the way: size or checksum differ."""


class SignatureVerificationError(GlanceCompatError):
    """The signature of an image was to be verified, and nothing is proved."""


class SignatureUnusable(SignatureVerificationError):
    """The image has no signature, or properties of one that cannot be read."""


class KeyManagerFailed(SignatureVerificationError):
    """The key manager did not give the certificate of the signature."""


class CertificateValidationFailed(SignatureVerificationError):
    """The certificate does not come from a trusted one, or is not valid today."""


class InvalidSignature(SignatureVerificationError, IntegrityError):
    """The data is not what was signed."""


class OutcomeUnknown(GlanceCompatError):
    """The answer was lost, and a look at the image did not tell whether the call took effect."""


class UnreadableImage(GlanceCompatError):
    """A v1 answer is damaged by the image's own metadata and could not be repaired."""


class DataSourceError(GlanceCompatError):
    """The caller's own data could not be read, or is not as long as was said."""


class UnsupportedByVersion(GlanceCompatError):
    """The API in use does not have what the call needs.

    :param needed: what the call needs, in words ("Images API v2 (community visibility)").
    :param offered: what the endpoint offers, in words.
    """

    def __init__(
        self,
        needed: str,
        offered: str,
        *,
        endpoint: str | None = None,
        image_id: str | None = None,
    ) -> None:
        super().__init__(
            f"needs {needed}, but the image endpoint in use offers {offered}",
            endpoint=endpoint,
            image_id=image_id,
        )
        # What the class is made from again when it is copied or unpickled.
        self.args = (needed, offered)
        self.needed = needed
        self.offered = offered


class NoUsableVersion(GlanceCompatError):
    """The endpoint offers no Images API that the options allow, or there is no endpoint."""


class BadResponse(GlanceCompatError):
    """A server error, or an answer whose shape is not Glance's."""


class GlanceConnectionFailed(GlanceCompatError):
    """No answer: refused, reset, timed out, or TLS failed, after all attempts."""


class DeadlineExceeded(GlanceConnectionFailed):
    """The deadline for the whole call passed before an answer came."""


StatusErrors = Mapping[int, type[GlanceCompatError]]

# What every method has in common. A status that is in no table is BadResponse.
_ANY: StatusErrors = {
    400: ImageBadRequest,
    401: NotAuthenticated,
    403: ImageNotAuthorized,
    404: ImageNotFound,
    409: Conflict,
    410: ImageNotFound,
    412: ImageNotFound,
    413: ImageQuotaExceeded,
    414: Invalid,
    415: ImageUnacceptable,
    416: Invalid,
    431: ImageBadRequest,
}
_LIST: StatusErrors = {
    **_ANY,
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    410: NotFound,
    431: Invalid,
}

#: HTTP status to error, one table per method of the facade. 410 (v2) and 412 (v1) say that the
#: image was deleted while its data was on the way (Glance 15.0.2, api/v1/upload_utils.py and
#: api/v2/image_data.py).
STATUS_ERRORS: Mapping[str, StatusErrors] = MappingProxyType(
    {
        "show": _ANY,
        "detail": _LIST,
        "detail after a marker": {**_LIST, 403: Invalid},
        "create": {**_ANY, 403: Forbidden, 404: NotFound},
        "upload": {**_ANY, 409: ImageNotActive},
        "update": {**_ANY, 409: UpdateConflict},
        "delete": {**_ANY, 409: ImageDeleteConflict},
        "download": {**_ANY, 409: ImageNotActive},
        "members": {**_ANY, 400: Invalid},
        # 409: not active, or no such store; 400: the data is there already (seen on Glance 33).
        "import": {**_ANY, 409: ImageImportImpossible},
    }
)
