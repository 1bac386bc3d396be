# SPDX-License-Identifier: Apache-2.0
"""What the layers below raise, as errors of this library.

What must live here: the map from exceptions of requests, urllib3, http.client and keystoneauth to
ours. What must not: statuses of answers (see ``exceptions.STATUS_ERRORS``).
"""

from __future__ import annotations

import contextlib
import http.client
import typing
from collections.abc import Iterator

import keystoneauth1.exceptions
import requests
import urllib3.exceptions

from glance_compat import exceptions
from glance_compat.streams.streams import Upload

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
# Of the request itself: no server has seen it.
_NOT_SENT = (
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    urllib3.exceptions.LocationValueError,
    UnicodeError,
)
_NOT_READABLE = (
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidJSONError,
    urllib3.exceptions.DecodeError,
)
_NO_ANSWER = (
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
    (_NOT_READABLE, exceptions.BadResponse),
    (_NO_ANSWER, exceptions.GlanceConnectionFailed),
    ((keystoneauth1.exceptions.ClientException, ValueError), exceptions.BadResponse),
)

# What keystoneauth stumbles with over an answer of another shape than the identity service's.
_STUMBLES = (AttributeError, IndexError, KeyError, TypeError)


@contextlib.contextmanager
def translated_errors(
    what: str, upload: Upload | None = None, **where: typing.Any
) -> Iterator[None]:
    """Turn whatever the layers below raise into errors of this library.

    :param what: what was tried, for the message.
    :param upload: data that was being sent: a failure of its source comes first.
    """
    try:
        yield
    except exceptions.GlanceCompatError:
        raise
    except Exception as error:
        if upload is not None and upload.failure is not None:
            raise upload.failure from error
        ours = _ours_for(error)
        if ours is None:
            raise
        # The text of a request that was refused is in theirs, a token included.
        cause = None if ours is exceptions.Invalid else error
        raise ours(
            f"{what} failed: {_reason(error)}",
            status=error.http_status if isinstance(error, _HttpError) else None,
            **where,
        ) from cause


@contextlib.contextmanager
def plugin_errors(what: str, **where: typing.Any) -> Iterator[None]:
    """Like :func:`translated_errors`, for what auth plugins do and the identity service answers.

    :param what: what was tried, for the message.
    """
    try:
        with translated_errors(what, **where):
            yield
    except _STUMBLES as error:
        raise exceptions.BadResponse(
            f"{what} failed: the identity service's answer is not of its form"
            f" ({type(error).__name__})",
            **where,
        ) from error


_HttpError = keystoneauth1.exceptions.HttpError


def _ours_for(error: Exception) -> type[exceptions.GlanceCompatError] | None:
    # keystoneauth wraps what it does not know.
    original = getattr(error, "original", None)
    known = original if isinstance(original, Exception) else error
    if any(isinstance(inner, urllib3.exceptions.InvalidHeader) for inner in known.args):
        # requests has one name for a header that cannot be sent and for an answer's two lengths.
        return exceptions.GlanceConnectionFailed
    return next((ours for classes, ours in _BELOW if isinstance(known, classes)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from. A chain may lead back into itself: an error that is kept
    and raised again comes from what came from it."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _reason(error: BaseException) -> str:
    """The innermost cause, which says most; lower layers put URLs with queries in theirs."""
    inner = list(_chain(error))[-1]
    text = str(inner) if isinstance(inner, OSError) and inner.strerror else ""
    return text or f"{type(inner).__name__}" + (
        f" ({type(error).__name__})" if inner is not error else ""
    )
