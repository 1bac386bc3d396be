# SPDX-License-Identifier: Apache-2.0
"""The exceptions that this library raises. They have a common base class.

::

    GlanceCompatError
    ├── NotFound
    │   ├── ImageNotFound
    │   └── MemberNotFound
    ├── Forbidden
    │   └── ImageNotAuthorized
    ├── NotAuthenticated           no token, or the server rejects the token and a new one
    ├── Invalid
    │   ├── ImageBadRequest
    │   ├── InvalidImageRef        an id or href that is rejected before any request
    │   ├── PropertyNotAllowed     a reserved name, or a property that the API in use cannot store
    │   ├── PropertyInvalid        a value that the property's definition does not allow
    │   └── InvalidOption          (also a ValueError)
    ├── Conflict
    │   ├── ImageDeleteConflict
    │   ├── UpdateConflict
    │   └── ImageNotActive
    ├── ImageUnacceptable          the data is not in the format that the metadata declares
    ├── ImageQuotaExceeded
    ├── ImageImportImpossible
    ├── ImportFailed               the server accepted an import or a copy, but it failed
    ├── IntegrityError             size or checksum of the data is not the expected one
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

What must live here: the exception classes, and for each method the table that maps an HTTP status
to an exception class. What must not: reading responses (see ``transport``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class GlanceCompatError(Exception):
    """Base class of all exceptions of this library.

    :param message: a message for the user: what failed, why, and what to do next. It never
        contains a token or the body of a request.
    :param status: the HTTP status of the response, or None if there was no response.
    :param request_id: the ``x-openstack-request-id`` of that response, or None.
    :param endpoint: the unversioned image endpoint, without credentials, or None.
    :param image_id: the id of the image that the call was about, or None.
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
        #: Seconds to wait before a retry, from the response header Retry-After, or None.
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
    """The caller does not have permission for the call."""


class ImageNotAuthorized(Forbidden):
    """The caller does not have permission for the call on this image."""


class NotAuthenticated(GlanceCompatError):
    """There is no token, or the server rejects both the token and a newly issued one."""


class Invalid(GlanceCompatError):
    """The library or the server rejects the request as invalid."""


class ImageBadRequest(Invalid):
    """The server rejects the image metadata."""


class InvalidImageRef(Invalid):
    """The image id or href is invalid. No request is sent."""


class PropertyNotAllowed(Invalid):
    """A property has a reserved name, or the API in use cannot store it."""


class PropertyInvalid(Invalid):
    """A property has a value that its metadata definition does not allow.

    No request that changes anything was sent. The other parameters are those of the base class.

    :param message: a message for the user.
    :param name: the name of the property.
    :param value: the value, as a string.
    :param namespace: the name of the namespace with the definition.
    :param definition: the definition, a
        :class:`~glance_compat.definitions.properties.Definition`. If several namespaces define the
        property, it is the first one; none of them allows the value.
    :param allowed: a description of the allowed values, such as "one of 'ide', 'scsi'".
    """

    def __init__(
        self,
        message: str,
        *,
        name: str = "",
        value: str = "",
        namespace: str = "",
        definition: object = None,
        allowed: str = "",
        status: int | None = None,
        request_id: str | None = None,
        endpoint: str | None = None,
        image_id: str | None = None,
    ) -> None:
        super().__init__(
            message, status=status, request_id=request_id, endpoint=endpoint, image_id=image_id
        )
        self.name = name
        self.value = value
        self.namespace = namespace
        self.definition = definition
        self.allowed = allowed


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
    """The server rejects the import of an image, or the copy of its data to a store."""


class ImportFailed(GlanceCompatError):
    """The server accepted an import or a copy, but could not complete it.

    :param reasons: the reasons that the server reports, in its own words.
    :param failed_stores: names of the stores that did not get the data.
    """

    def __init__(
        self,
        message: str,
        *,
        reasons: tuple[str, ...] = (),
        failed_stores: tuple[str, ...] = (),
        status: int | None = None,
        request_id: str | None = None,
        endpoint: str | None = None,
        image_id: str | None = None,
    ) -> None:
        super().__init__(
            message, status=status, request_id=request_id, endpoint=endpoint, image_id=image_id
        )
        self.reasons = reasons
        self.failed_stores = failed_stores


class IntegrityError(GlanceCompatError):
    """The size or the checksum of the data is not the expected one: data was lost or changed."""


class SignatureVerificationError(GlanceCompatError):
    """The signature of an image could not be verified."""


class SignatureUnusable(SignatureVerificationError):
    """The image has no signature, or a malformed one."""


class KeyManagerFailed(SignatureVerificationError):
    """The key manager did not return the certificate of the signature."""


class CertificateValidationFailed(SignatureVerificationError):
    """The certificate is not issued by a trusted certificate, or is not valid today."""


class InvalidSignature(SignatureVerificationError, IntegrityError):
    """The data does not match the signature of the image."""


class OutcomeUnknown(GlanceCompatError):
    """The response was lost, and a GET did not establish whether the call took effect."""


class UnreadableImage(GlanceCompatError):
    """The image's metadata breaks the headers of v1 responses, and the list of images does not
    contain the image either."""


class DataSourceError(GlanceCompatError):
    """The caller's own data could not be read, or does not have the declared size."""


class UnsupportedByVersion(GlanceCompatError):
    """The API in use does not have what the call needs.

    :param needed: what the call needs: the name of a capability, such as "the capability hidden
        (os_hidden)", or a version.
    :param offered: the versions that the endpoint offers.
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
            f"the call needs {needed}, but the image endpoint {endpoint or 'in use'} offers"
            f" {offered}. Leave that out of the call, or use an endpoint that has it; discover()"
            " returns what an endpoint offers.",
            endpoint=endpoint,
            image_id=image_id,
        )
        # copy and pickle pass these to the constructor.
        self.args = (needed, offered)
        self.needed = needed
        self.offered = offered


class NoUsableVersion(GlanceCompatError):
    """There is no endpoint, or it offers no Images API version that the options allow."""


class BadResponse(GlanceCompatError):
    """The server reported an error, or the response is not one that Glance would send."""

    #: Whether a retry may succeed although the status (500) does not mean that: over v1, a server
    #: whose glance-registry is down responds with 500 to every request.
    may_pass: bool = False


class GlanceConnectionFailed(GlanceCompatError):
    """No response was received: connecting, TLS, sending or receiving failed in all attempts."""

    #: Whether a retry may succeed. It cannot if one side rejects the other's certificate.
    is_transient: bool = True


class DeadlineExceeded(GlanceConnectionFailed):
    """The call did not finish within its deadline."""


StatusErrors = Mapping[int, type[GlanceCompatError]]

# The statuses that all methods map alike. A status that is in no table becomes BadResponse.
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

#: The exception class for each HTTP status, per method of ImageService. 410 (v2) and 412 (v1) mean
#: that the image was deleted during the upload of its data (Glance 15.0.2,
#: api/v1/upload_utils.py and api/v2/image_data.py).
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
        "stores": _LIST,
        "definitions": _LIST,
        # 409: the image is not active, or the store does not exist; 400: the store has the data
        # already (verified on Glance 33).
        "import": {**_ANY, 409: ImageImportImpossible},
    }
)
