# SPDX-License-Identifier: Apache-2.0
"""The errors of this library, as one tree. It raises no others.

::

    GlanceCompatError
    ├── NotFound
    │   ├── ImageNotFound
    │   └── MemberNotFound
    ├── Forbidden
    │   └── ImageNotAuthorized
    ├── NotAuthenticated           no token, or the server rejects it and a new one as well
    ├── Invalid
    │   ├── ImageBadRequest
    │   ├── InvalidImageRef        an id or href that is rejected before any request
    │   ├── PropertyNotAllowed     a reserved name, or a property that the API in use cannot store
    │   └── InvalidOption          (also a ValueError)
    ├── Conflict
    │   ├── ImageDeleteConflict
    │   ├── UpdateConflict
    │   └── ImageNotActive
    ├── ImageUnacceptable          the data is not in the format that the metadata declares
    ├── ImageQuotaExceeded
    ├── ImageImportImpossible
    ├── IntegrityError             size or checksum differ from those sent or declared
    ├── SignatureVerificationError the signature of an image could not be verified
    │   ├── SignatureUnusable      the image has no signature, or a malformed one
    │   ├── KeyManagerFailed       the key manager did not return the certificate
    │   ├── CertificateValidationFailed  the certificate is not trusted, or not valid today
    │   └── InvalidSignature       (also an IntegrityError) the data is not what was signed
    ├── OutcomeUnknown             the response was lost, and a GET did not establish the outcome
    ├── UnreadableImage            the image's metadata damages v1 responses beyond repair
    ├── DataSourceError            the caller's own data could not be read
    ├── UnsupportedByVersion       the API in use does not have what the call needs
    ├── NoUsableVersion            the endpoint offers no API version that the options allow
    ├── BadResponse                a server error, or a response that Glance would not send
    └── GlanceConnectionFailed
        └── DeadlineExceeded

What must live here: the classes, and the tables from HTTP status to class, one per method.
What must not: how a response is read (see ``transport``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class GlanceCompatError(Exception):
    """The root of the tree.

    :param message: for people: what failed, why, and what to do next. It never contains a token
        or the body of a request.
    :param status: the HTTP status of the response, or None if there was no response.
    :param request_id: the ``x-openstack-request-id`` of that response, or None.
    :param endpoint: the unversioned image endpoint, without credentials, or None.
    :param image_id: the image of the call, or None.
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
    """The resource does not exist, or the caller may not see it."""


class ImageNotFound(NotFound):
    """The image does not exist, or the caller may not see it."""


class MemberNotFound(NotFound):
    """The image has no such member."""


class Forbidden(GlanceCompatError):
    """The caller may not do this."""


class ImageNotAuthorized(Forbidden):
    """The caller may not do this to this image."""


class NotAuthenticated(GlanceCompatError):
    """There is no token, or the server rejects it, and a new one as well."""


class Invalid(GlanceCompatError):
    """The request is invalid, for the library or for the server."""


class ImageBadRequest(Invalid):
    """The server rejects the image metadata."""


class InvalidImageRef(Invalid):
    """The id or href is rejected before any request is sent."""


class PropertyNotAllowed(Invalid):
    """A property has a reserved name, or the API in use cannot store it."""


class InvalidOption(Invalid, ValueError):
    """An option, a configuration value or an argument has an invalid value."""


class Conflict(GlanceCompatError):
    """The state of the image does not permit the call."""


class ImageDeleteConflict(Conflict):
    """The image is in use and cannot be deleted."""


class UpdateConflict(Conflict):
    """Another client changed the image at the same time."""


class ImageNotActive(Conflict):
    """The image's status does not permit downloading or uploading its data."""


class ImageUnacceptable(GlanceCompatError):
    """The data is not in the format that the metadata declares."""


class ImageQuotaExceeded(GlanceCompatError):
    """A quota of the cloud is exceeded (properties, tags, members, storage, image size)."""


class ImageImportImpossible(GlanceCompatError):
    """The image cannot be imported into that store."""


class IntegrityError(GlanceCompatError):
    """Data was lost or changed in transit: size or checksum differ."""


class SignatureVerificationError(GlanceCompatError):
    """The signature of an image could not be verified."""


class SignatureUnusable(SignatureVerificationError):
    """The image has no signature, or a malformed one."""


class KeyManagerFailed(SignatureVerificationError):
    """The key manager did not return the certificate of the signature."""


class CertificateValidationFailed(SignatureVerificationError):
    """The certificate is not issued by a trusted one, or is not valid today."""


class InvalidSignature(SignatureVerificationError, IntegrityError):
    """The data is not what was signed."""


class OutcomeUnknown(GlanceCompatError):
    """The response was lost, and a GET did not establish whether the call took effect."""


class UnreadableImage(GlanceCompatError):
    """The image's own metadata damages v1 responses, and the image was not found in the list."""


class DataSourceError(GlanceCompatError):
    """The caller's own data could not be read, or does not have the declared size."""


class UnsupportedByVersion(GlanceCompatError):
    """The API in use does not have what the call needs.

    :param needed: what the call needs ("Images API v2 (community visibility)").
    :param offered: what the endpoint offers.
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
            f"the call needs {needed}, but the image endpoint in use offers {offered}",
            endpoint=endpoint,
            image_id=image_id,
        )
        # Copies and unpickled errors are created from these.
        self.args = (needed, offered)
        self.needed = needed
        self.offered = offered


class NoUsableVersion(GlanceCompatError):
    """The endpoint offers no Images API that the options allow, or there is no endpoint."""


class BadResponse(GlanceCompatError):
    """A server error, or a response that Glance would not send."""


class GlanceConnectionFailed(GlanceCompatError):
    """No response: connecting, TLS, sending or receiving failed, in all attempts."""


class DeadlineExceeded(GlanceConnectionFailed):
    """The call did not finish within its deadline."""


StatusErrors = Mapping[int, type[GlanceCompatError]]

# Common to all methods. A status that is in no table is BadResponse.
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

#: HTTP status to error, one table per method of the facade. 410 (v2) and 412 (v1) mean that the
#: image was deleted during the upload of its data (Glance 15.0.2, api/v1/upload_utils.py and
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
        # 409: not active, or no such store; 400: the store has the data already (verified on
        # Glance 33).
        "import": {**_ANY, 409: ImageImportImpossible},
    }
)
