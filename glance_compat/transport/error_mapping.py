# SPDX-License-Identifier: Apache-2.0
"""Convert the exceptions of other libraries to exceptions of this library.

What must live here: the conversion of the exceptions of requests, urllib3, http.client and
keystoneauth, and the advice at the end of error messages. What must not: the conversion of HTTP
statuses (see ``exceptions.STATUS_ERRORS``).
"""

from __future__ import annotations

import contextlib
import http.client
import re
import ssl
import typing
from collections.abc import Iterator, Sequence

import keystoneauth1.exceptions
import requests
import urllib3.exceptions

from glance_compat import exceptions
from glance_compat.redaction import describe_error, redact_text, redact_url
from glance_compat.streams.streams import Upload
from glance_compat.transport.retry import parse_retry_after

_NO_TOKEN = (
    keystoneauth1.exceptions.Unauthorized,
    keystoneauth1.exceptions.AuthorizationFailure,
    keystoneauth1.exceptions.MissingAuthPlugin,
    keystoneauth1.exceptions.AuthPluginException,
)
_NO_ENDPOINT = (
    keystoneauth1.exceptions.EndpointNotFound,
    keystoneauth1.exceptions.EmptyCatalog,
    keystoneauth1.exceptions.CatalogException,
    keystoneauth1.exceptions.ImpliedVersionMismatch,
    keystoneauth1.exceptions.ImpliedMinVersionMismatch,
    keystoneauth1.exceptions.ImpliedMaxVersionMismatch,
)
# The request is invalid, and was not sent.
_NOT_SENT = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)
_UNREADABLE = (
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidJSONError,
    urllib3.exceptions.DecodeError,
)
_NO_RESPONSE = (
    keystoneauth1.exceptions.ConnectionError,
    keystoneauth1.exceptions.RetriableConnectionFailure,
    keystoneauth1.exceptions.DiscoveryFailure,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
_BELOW: tuple[tuple[tuple[type[Exception], ...], type[exceptions.GlanceCompatError]], ...] = (
    (_NO_TOKEN, exceptions.NotAuthenticated),
    (_NO_ENDPOINT, exceptions.NoUsableVersion),
    (_NOT_SENT, exceptions.Invalid),
    (_UNREADABLE, exceptions.BadResponse),
    (_NO_RESPONSE, exceptions.GlanceConnectionFailed),
    ((keystoneauth1.exceptions.ClientException, ValueError), exceptions.BadResponse),
)

# Exceptions of keystoneauth for a malformed response from the identity service.
_MALFORMED_IDENTITY = (AttributeError, IndexError, KeyError, TypeError)

_HttpError = keystoneauth1.exceptions.HttpError
_REQUEST_ID = re.compile(r"[!-~]{1,128}")

_IDENTITY = "identity service"
_BUSY_STATUS = frozenset({429, 500, 502, 503, 504})
_ADVICE: tuple[tuple[type[exceptions.GlanceCompatError], str], ...] = (
    (exceptions.NotAuthenticated, "Check the credentials, and whether the token has expired."),
    (exceptions.Forbidden, "Check the caller's roles, and who owns the image."),
    (exceptions.NotFound, "Check the id, and whether the caller may see the image."),
    (exceptions.ImageQuotaExceeded, "Ask the operator of the cloud for a larger quota."),
    (exceptions.Conflict, "Show the image to see its current state."),
    (
        exceptions.ImageImportImpossible,
        "Check the names of the stores, and the status of the image.",
    ),
    (exceptions.Invalid, "Correct the request."),
    (exceptions.NoUsableVersion, "Check the service catalog, or set the endpoint directly."),
    (exceptions.DeadlineExceeded, "Check the endpoint, or raise the option deadline."),
    (exceptions.GlanceConnectionFailed, "Check that the {} can be reached from this host."),
)


# A server without TLS 1.3 sends handshake_failure if it needs a client certificate.
_REJECTIONS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
_CERTIFICATES = (
    "Check the URL and the certificate of the {}, and the CA file and the client certificate of"
    " the session."
)


def advice_for(
    error: type[exceptions.GlanceCompatError],
    status: int | None = None,
    service: str = "image service",
) -> str:
    """Return a sentence that tells the user what to do about an error.

    :param error: the class of the exception.
    :param status: the HTTP status of the response, or None if there was no response.
    :param service: the name of the service that the request was sent to.
    """
    if status in _BUSY_STATUS:
        return "Try again later; if it persists, give the request id to the cloud's operator."
    found = (advice for kind, advice in _ADVICE if issubclass(error, kind))
    return next(found, "Check that the URL is that of the {}.").format(service)


@contextlib.contextmanager
def translated_errors(
    subject: str,
    upload: Upload | None = None,
    service: str = "image service",
    handled: BaseException | None = None,
    **details: typing.Any,
) -> Iterator[None]:
    """Convert exceptions of other libraries to exceptions of this library.

    :param subject: the description of the request, for the message, such as "GET http://...".
    :param upload: the data that is sent, or None. If reading it failed, the exception of that
        failure is raised instead.
    :param service: the name of the service that the request is sent to, for the message.
    :param handled: the exception that the caller was handling when the call began, or None. It is
        left as it is, although Python makes it the context of those that are converted.
    :param details: attributes of the exception (``endpoint``, ``image_id``).
    """
    try:
        yield
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        if upload is not None and upload.failure is not None:
            raise upload.failure from error
        ours = _ours_for(error, handled)
        if ours is None:
            raise
        # The message of an exception about an invalid request contains the request with the token.
        # Frames of http.client have it in local variables, which some tracebacks show.
        cause = None if ours is exceptions.Invalid else error
        chain = list(chain_of(error, handled))
        for below in chain:
            below.__traceback__ = None
        status = error.http_status if isinstance(error, _HttpError) else None
        is_rejected = ours is exceptions.GlanceConnectionFailed and any(
            map(_is_certificate_rejected, chain)
        )
        usual = advice_for(ours, status, service)
        advice = _CERTIFICATES.format(service) if is_rejected else usual
        # The subject names the request to the image service, but not those of an auth plugin.
        request = _request_of(chain) if service == _IDENTITY else ""
        failure = ours(
            f"{subject} failed: {request}{_reason(chain)}. {advice}",
            status=status,
            **details,
        )
        if isinstance(failure, exceptions.GlanceConnectionFailed):
            failure.is_transient = not is_rejected
        failure.retry_after = _retry_after(error)
        raise failure from cause


@contextlib.contextmanager
def plugin_errors(
    action: str, handled: BaseException | None = None, **details: typing.Any
) -> Iterator[None]:
    """Convert the exceptions of auth plugins, like :func:`translated_errors`.

    :param action: the description of the action, for the message, such as "getting a token".
    :param handled: as of :func:`translated_errors`.
    :param details: attributes of the exception (``endpoint``, ``image_id``).
    """
    try:
        with translated_errors(action, service=_IDENTITY, handled=handled, **details):
            yield
    except _MALFORMED_IDENTITY as error:
        raise exceptions.BadResponse(
            f"{action} failed: the identity service sent a malformed response"
            f" ({type(error).__name__}). {advice_for(exceptions.BadResponse, service=_IDENTITY)}",
            **details,
        ) from error
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        # keystoneauth1 raises Exception itself if a password is missing (generic.Password).
        raise exceptions.NotAuthenticated(
            f"{action} failed: {_words_of_plugin(error)}."
            f" {advice_for(exceptions.NotAuthenticated)}",
            **details,
        ) from error


def _words_of_plugin(error: Exception) -> str:
    """Return the message of an exception if keystoneauth1 raised it, else the class name.

    Messages of other plugins may contain credentials.
    """
    traceback = error.__traceback__
    module = ""
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__"))
        traceback = traceback.tb_next
    if not module.startswith("keystoneauth1."):
        return f"the auth plugin raised {type(error).__name__}"
    message = redact_text(str(error)[:_EXAMINED_CHARACTERS])[:_SHOWN_CHARACTERS]
    shown = message if message.isprintable() else ascii(message)
    return f"the auth plugin reports: {shown.rstrip('.') or type(error).__name__}"


def chain_of(error: BaseException, handled: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, the innermost cause last.

    It ends before ``handled``, the exception that the caller was handling when the call began:
    Python makes it the context of the first one that is raised, but it is not the cause.

    urllib3 and requests store the cause of some exceptions only in ``args``. The chain may be
    circular, because a stored exception that is raised again may get an exception that it caused
    as its context.
    """
    seen = {id(handled)}
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        context = None if current.__context__ is handled else current.__context__
        in_args = (one for one in current.args if isinstance(one, BaseException))
        current = current.__cause__ or context or next(in_args, None)


def _ours_for(
    error: Exception, handled: BaseException | None
) -> type[exceptions.GlanceCompatError] | None:
    # keystoneauth wraps unknown exceptions.
    original = getattr(error, "original", None)
    known = original if isinstance(original, Exception) else error
    if any(isinstance(inner, urllib3.exceptions.InvalidHeader) for inner in known.args):
        # requests raises the same exception for an invalid header of a request and for a response
        # with two lengths. This is the latter.
        return exceptions.GlanceConnectionFailed
    if any(map(_is_too_long, chain_of(known, handled))):
        return exceptions.BadResponse
    return next((ours for classes, ours in _BELOW if isinstance(known, classes)), None)


def _is_certificate_rejected(error: BaseException) -> bool:
    """Return whether the certificate of the server or of the client was rejected, or is needed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return True
    # Alerts of the server, such as TLSV13_ALERT_CERTIFICATE_REQUIRED (RFC 8446, section 6.2).
    reason = str(getattr(error, "reason", "")) if isinstance(error, ssl.SSLError) else ""
    return "ALERT" in reason and any(word in reason for word in _REJECTIONS)


def _is_too_long(error: BaseException) -> bool:
    """Return whether http.client rejected a response because its headers are too large."""
    if isinstance(error, http.client.LineTooLong):
        return True
    of_http = isinstance(error, http.client.HTTPException)
    return of_http and any("got more than" in str(one) for one in error.args)


def _retry_after(error: Exception) -> float | None:
    """Return the seconds in the Retry-After header of the identity service's response, or None."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return parse_retry_after(headers.get("Retry-After"), headers.get("Date"))


_EXAMINED_CHARACTERS = 4000
_SHOWN_CHARACTERS = 300


def _describe_response(error: _HttpError) -> str:
    """Describe an error response of the identity service: URL, status, message and request id."""
    # keystoneauth sets them when it raises; an exception that was copied may lack them.
    method, url, said, request_id = (
        str(getattr(error, name, None) or "")
        for name in ("method", "url", "message", "request_id")
    )
    # keystoneauth1 appends the status and the request id to the service's own message.
    said = said.removesuffix(f" (Request-ID: {request_id})")
    said = said.removesuffix(f" (HTTP {error.http_status})")
    message = redact_text(said[:_EXAMINED_CHARACTERS])[:_SHOWN_CHARACTERS]
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in message)
    asked = f"{method} {redact_url(url)} returned " if url else ""
    identified = f" (request id {request_id})" if _REQUEST_ID.fullmatch(request_id) else ""
    return f"{asked}{error.http_status} {shown}".rstrip(" .") + identified


def _request_of(chain: Sequence[BaseException]) -> str:
    """Return the method and the URL of the request that was not answered, with a colon, or ""."""
    requested = (getattr(one, "request", None) for one in chain)
    found = next((one for one in requested if isinstance(one, requests.PreparedRequest)), None)
    return f"{found.method} {redact_url(found.url)}: " if found and found.url else ""


def _reason(chain: Sequence[BaseException]) -> str:
    """Return a description of the innermost cause, the last of a chain.

    The messages of the outer exceptions are not used, because they contain URLs with queries.
    """
    if any(map(_is_too_long, chain)):
        return "the response's headers are too long"
    response = next((one for one in chain if isinstance(one, _HttpError)), None)
    if response is not None:
        return _describe_response(response)
    error, inner, described = chain[0], chain[-1], describe_error(chain[-1])
    if inner is error or described != type(inner).__name__:
        return described
    return f"{described} ({type(error).__name__})"
