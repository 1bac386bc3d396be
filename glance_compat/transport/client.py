# SPDX-License-Identifier: Apache-2.0
"""Send requests to one image endpoint.

Requests are sent with the caller's keystoneauth1 session, which is not modified. keystoneauth's
own retries, redirects and re-authentication are turned off, so that it never sends a request body
twice. Every failure is raised as an exception of this library.

What must live here: sending requests, reading responses, redirects, time and size limits, and the
request log. What must not: the classes for requests and responses (see ``messages``), and
differences between v1 and v2.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import hashlib
import json
import logging
import sys
import time
import typing
import urllib.parse
from collections.abc import Iterator, Mapping

import requests
import urllib3.exceptions
import urllib3.response
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.streams.streams import BLOCK_BYTES
from glance_compat.transport import sessions, v1_headers
from glance_compat.transport.error_mapping import advice_for, plugin_errors, translated_errors
from glance_compat.transport.messages import (
    ERROR_TEXT_BYTES,
    Request,
    Response,
    VersionDocumentReceived,
    checked_request_id,
    error_text,
    headers_of,
    is_from_proxy,
    retry_after,
)
from glance_compat.transport.response_reader import Limits, is_damaged
from glance_compat.transport.retry import TOO_LARGE, Deadline, pause
from glance_compat.urls import https_endpoint, redirect_target, without_user_information

LOG = logging.getLogger(__name__)

_MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IMAGE_DATA = "application/octet-stream"

#: Methods whose requests have no body and add nothing that counts against a quota.
_WITHOUT_CONTENT = frozenset({"GET", "HEAD", "DELETE"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The identity of a caller, from the request context.

    :param auth: the auth plugin whose token is sent, or None for the plugin of the session. If the
        session has none either, requests are sent without a token.
    :param service_auth: the auth plugin of the service, or None. For a caller with another plugin,
        only the service catalog of this one is used, never its token.
    :param service_catalog: the service catalog in the context, or None.
    :param roles: the names of the caller's roles, or None if the context does not have them.
    :param request_id: the caller's global request id (``X-OpenStack-Request-ID``), or None.
    :param project_id: the id of the caller's project, or None if the context does not have it.
    """

    auth: ksa_plugin.BaseAuthPlugin | None = None
    service_auth: ksa_plugin.BaseAuthPlugin | None = None
    service_catalog: object = dataclasses.field(default=None, repr=False)
    roles: tuple[str, ...] | None = None
    request_id: str | None = None
    project_id: str | None = None


class Transport:
    """Sends requests to one image endpoint, with the identity of one caller and one deadline.

    :param session: the keystoneauth1 session.
    :param endpoint: the unversioned URL of the endpoint, without a trailing slash. A user name and
        password in it are sent as the Authorization header; messages and logs do not show them.
    :param options: the options of the library.
    :param identity: the identity of the caller.
    :param deadline: limits all requests together.
    """

    def __init__(
        self,
        session: ksa_session.Session,
        endpoint: str,
        options: Options,
        *,
        identity: Identity,
        deadline: Deadline,
    ) -> None:
        self.endpoint = redact_url(endpoint)
        self._base = without_user_information(endpoint)
        self.deadline = deadline
        self.options = options
        self._session = sessions.prepared_session(session)
        self._identity = identity
        name, password = requests.utils.get_auth_from_url(endpoint)
        self._basic = requests.auth.HTTPBasicAuth(name, password) if name or password else None

    def for_call(
        self, session: ksa_session.Session, identity: Identity, deadline: Deadline
    ) -> Transport:
        """Return a copy for one call to the same endpoint.

        :param session: the session of this process.
        :param identity: the identity of the caller.
        :param deadline: the deadline of the call.
        """
        other = self.within(deadline)
        other._session, other._identity = sessions.prepared_session(session), identity
        return other

    def within(self, deadline: Deadline) -> Transport:
        """Return a copy with another deadline."""
        other = copy.copy(self)
        other.deadline = deadline
        return other

    def may_be_admin(self) -> bool:
        """Return whether the caller may be an admin, judged by the names of the roles.

        If the roles are unknown, the result is True.

        :raises glance_compat.exceptions.GlanceCompatError: the roles could not be fetched from the
            identity service.
        """
        roles = self._roles()
        return roles is None or any("admin" in role.lower() for role in roles)

    def _roles(self) -> tuple[str, ...] | None:
        """Return the names of the caller's roles, or None if they are unknown."""
        roles = self._identity.roles
        plugin = typing.cast(typing.Any, self._identity.auth or self._session.auth)
        if roles is None and hasattr(plugin, "get_access"):
            with self._plugin_errors("getting the caller's roles"):
                roles = tuple(plugin.get_access(self._plugin_session()).role_names)
        return roles

    def caller_key(self) -> tuple[object, ...]:
        """Return a key for what the caller may see: the same project and roles, or the same token.

        :raises glance_compat.exceptions.GlanceCompatError: they could not be fetched from the
            identity service.
        """
        project, roles = self.project_id(), self._roles()
        if project is not None and roles is not None:
            return project, frozenset(roles)
        tokens = sorted(self._token().items()) if self._has_auth() else []
        return (hashlib.sha256(repr([(k, str(v)) for k, v in tokens]).encode()).hexdigest(),)

    def project_id(self) -> str | None:
        """Return the id of the caller's project, or None if the token is not for a project."""
        auth = self._identity.auth or self._session.auth
        if self._identity.project_id is not None or auth is None:
            return self._identity.project_id
        with self._plugin_errors("getting the caller's project"):
            return auth.get_project_id(self._plugin_session())

    def authenticate(self) -> None:
        """Get a token from the auth plugin, if there is one, to check that this succeeds.

        :raises glance_compat.exceptions.GlanceCompatError: the plugin returns no token.
        """
        if self._has_auth():
            self._token()

    def send(self, request: Request, *, token: bool = True) -> Response:
        """Send a request, and return its response.

        :param token: whether to send the caller's token. It is not needed if the response does not
            depend on the caller.
        :raises VersionDocumentReceived: the status is 300.
        :raises glance_compat.exceptions.GlanceCompatError: the status is another one that the
            request does not list as success, or the request failed.
        """
        response = self.exchange(request, token=token)
        if response.status in request.success:
            return response
        response.close()
        if response.status == 300:
            raise VersionDocumentReceived
        if 200 <= response.status < 300:
            # Glance never responds to this request with this status, so the server is not Glance.
            raise response.invalid("has a status that Glance never sends here")
        raise self.error_of(request, response)

    def exchange(self, request: Request, *, token: bool = True) -> Response:
        """Send a request like :meth:`send`, and return its response with any status."""
        url = f"{self._base}{request.path}"
        if request.params:
            with translated_errors(self._subject(request), **self._details(request)):
                url += f"?{urllib.parse.urlencode(request.params)}"
        response = self._open(request, url, token)
        for _ in range(_MAX_REDIRECTS):
            if response.status_code not in REDIRECTS:
                break
            response.close()
            url = self._redirect_target(request, response, url)
            pause(retry_after(headers_of(response)) or 0.0, self.options, self.deadline)
            response = self._open(request, url, token)
        if response.status_code not in REDIRECTS:
            return self._read(request, response)
        response.close()
        raise exceptions.BadResponse(
            f"{self._subject(request)} failed: the server redirected it more than"
            f" {_MAX_REDIRECTS} times. Check the endpoint's URL and the proxies in front of it.",
            status=response.status_code,
            **self._details(request),
        )

    # -- sending

    def _open(self, request: Request, url: str, token: bool) -> requests.Response:
        response = self._transmit(request, url, token)
        if response.status_code != 401 or not token or not self._may_send_again(request):
            return response
        response.close()
        return self._transmit(request, url, token)

    def _may_send_again(self, request: Request) -> bool:
        """Get ready to send a request again after a 401; return whether it can be sent again.

        The token is invalidated, and the data is rewound. keystoneauth's own re-authentication is
        not used, because it does not rewind data and would send an empty body.
        """
        if not self._has_auth():
            return False
        with self._plugin_errors("getting a new token"):
            renewed = self._session.invalidate(self._identity.auth)
        return renewed and (request.upload is None or request.upload.rewind())

    def _transmit(self, request: Request, url: str, token: bool) -> requests.Response:
        self._check_deadline(request)
        token_headers = self._token() if token and self._has_auth() else {}
        self._check_deadline(request)
        timeout = self._timeout(request)
        limits = Limits(
            timeout[1], lambda: self.deadline, keep_v1_connections=self.options.v1_keep_connections
        )
        session = sessions.image_session(self._session, limits)
        # The hooks of a request replace those of the session, so both are passed.
        own_hooks = self._session.session.hooks.get("response", ())
        started = time.monotonic()
        with self._errors_of(request):
            response = session.request(
                url,
                request.method,
                auth=self._identity.auth,
                client_name="glance_compat",
                global_request_id=self._identity.request_id,
                headers={**self._headers(request), **token_headers},
                data=self._body(request),
                authenticated=False,
                requests_auth=self._requests_auth(),
                raise_exc=False,
                redirect=False,
                log=False,
                connect_retries=0,
                status_code_retries=0,
                stream=True,
                timeout=timeout,
                hooks={"response": [*own_hooks, _hide_redirect]},
            )
        _log(request, url, response, time.monotonic() - started)
        return response

    def _requests_auth(self) -> typing.Any:
        """Return the ``auth`` argument for requests; without one, requests reads ~/.netrc."""
        return self._basic or (None if self._session.session.auth else _no_auth)

    def _token(self) -> Mapping[str, str]:
        with self._plugin_errors("getting a token"):
            headers = self._plugin_session().get_auth_headers(self._identity.auth)
        if headers is None:
            raise exceptions.NotAuthenticated(
                f"getting a token for {self.endpoint} failed: the auth plugin returned none."
                f" {advice_for(exceptions.NotAuthenticated)}",
                endpoint=self.endpoint,
            )
        return {name: _Secret(value) for name, value in headers.items()}

    def _plugin_session(self) -> ksa_session.Session:
        # A data transfer has no deadline, but its requests to the identity service have one.
        left = min(self.options.deadline, self._left())
        return sessions.auth_session(self._session, min(self.options.read_timeout, left), left)

    def _has_auth(self) -> bool:
        return bool(self._identity.auth or self._session.auth)

    def _body(self, request: Request) -> object:
        if request.upload is not None:
            return request.upload.body()
        return None if request.json is None else json.dumps(request.json).encode("utf-8")

    def _headers(self, request: Request) -> dict[str, str]:
        sent = {"Accept": "application/json"}
        if request.stream:
            # No compression, because sizes and checksums are those of the uncompressed data.
            sent = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if request.upload is not None:
            sent["Content-Type"] = _IMAGE_DATA
        elif request.json is not None:
            sent["Content-Type"] = request.json_type
        return sent | {
            name: text if text.isascii() else v1_headers.to_wire(text)
            for name, text in request.headers.items()
        }

    def _timeout(self, request: Request) -> tuple[float, float]:
        """Return the connect timeout and the read timeout of a request, in seconds."""
        own = self._session.timeout
        connect = self.options.connect_timeout if own is None else own
        read = self.options.read_timeout if own is None else own
        if request.stream or request.upload is not None:
            read = self.options.stall_timeout
        if request.upload is not None:
            # urllib3 has no timeout for sending; the connect timeout applies to each block.
            connect = max(connect, self.options.stall_timeout)
        left = self._left()
        return min(connect, left), min(read, left)

    def _left(self) -> float:
        # Never 0, which sockets treat as no timeout and urllib3 rejects.
        return min(max(self.deadline.remaining(), 0.001), sessions.LONGEST_SECONDS)

    def _redirect_target(self, request: Request, response: requests.Response, url: str) -> str:
        locations = [value for name, value in headers_of(response) if name.lower() == "location"]
        if locations and request.method in {"GET", "HEAD"}:
            target = redirect_target(url, locations[0])
            if target is not None:
                return target
        secure = https_endpoint(self.endpoint, url, locations[0]) if locations else None
        if secure is not None:
            raise exceptions.BadResponse(
                f"{self._subject(request)} failed: the server redirects http to https (HTTP"
                f" {response.status_code}). Set the endpoint to {secure}",
                status=response.status_code,
                **self._details(request),
            )
        raise exceptions.BadResponse(
            f"{self._subject(request)} failed: the server redirected it (HTTP"
            f" {response.status_code}), and redirects are followed only for GET and HEAD,"
            " within the same origin. Set the endpoint to the actual URL of the image service.",
            status=response.status_code,
            **self._details(request),
        )

    # -- reading

    def _read(self, request: Request, response: requests.Response) -> Response:
        body = b""
        if not (request.stream and 200 <= response.status_code < 300):
            body = self._with_deadline()._metadata_body(request, response)
        return Response(
            status=response.status_code,
            headers=headers_of(response),
            body=body,
            damaged=is_damaged(getattr(response.raw, "_original_response", None)),
            http=response,
            subject=self._subject(request),
            details=self._details(request),
        )

    def _with_deadline(self) -> Transport:
        """Return this object, or a copy with the option ``deadline`` if it has no deadline.

        A data transfer has no deadline, but reading an error response needs one.
        """
        has_one = self.deadline.seconds is not None
        return self if has_one else self.within(Deadline(self.options.deadline))

    def _metadata_body(self, request: Request, response: requests.Response) -> bytes:
        body = bytearray()
        with contextlib.closing(response), self._errors_of(request):
            for block in _arriving_blocks(response):
                self._check_deadline(request)
                body += block
                if response.status_code >= 400 and len(body) > ERROR_TEXT_BYTES:
                    # Too long for a message: the rest is not read.
                    break
                if len(body) > self.options.max_response_bytes:
                    raise exceptions.BadResponse(
                        f"{self._subject(request)} failed: the response is larger than"
                        f" {self.options.max_response_bytes} bytes. To read it, increase the"
                        " option max_response_bytes.",
                        status=response.status_code,
                        **self._details(request),
                    )
        return bytes(body)

    def blocks(self, request: Request, response: Response) -> Iterator[bytes]:
        """Yield the image data of a response in blocks, and close the response at the end.

        :raises glance_compat.exceptions.GlanceConnectionFailed: the connection was lost, or no
            byte arrived within the option ``stall_timeout``.
        """
        with contextlib.closing(response), self._errors_of(request):
            yield from response.http.iter_content(BLOCK_BYTES)

    # -- errors

    def _subject(self, request: Request) -> str:
        return f"{request.method} {self.endpoint}{request.path}"

    def _details(self, request: Request) -> dict[str, typing.Any]:
        return {"endpoint": self.endpoint, "image_id": request.image_id}

    @contextlib.contextmanager
    def _plugin_errors(self, action: str) -> Iterator[None]:
        """Convert exceptions of auth plugins to exceptions of this library.

        :param action: the description of the action, for the message.
        """
        handled = sys.exc_info()[1]
        try:
            yield
        except Exception:
            with plugin_errors(f"{action} for {self.endpoint}", handled, endpoint=self.endpoint):
                raise

    @contextlib.contextmanager
    def _errors_of(self, request: Request) -> Iterator[None]:
        """Convert exceptions of other libraries to exceptions of this library.

        An exception that the deadline caused becomes DeadlineExceeded. Message and attributes are
        computed only after an exception, because most requests raise none.
        """
        handled = sys.exc_info()[1]
        try:
            yield
        except Exception:
            with (
                self._deadline_errors(request),
                translated_errors(
                    self._subject(request),
                    request.upload,
                    handled=handled,
                    **self._details(request),
                ),
            ):
                raise

    @contextlib.contextmanager
    def _deadline_errors(self, request: Request) -> Iterator[None]:
        """Log an exception; raise DeadlineExceeded instead of it if the deadline has passed."""
        try:
            yield
        except exceptions.GlanceCompatError as error:
            LOG.debug("%s", error)
            if isinstance(error, exceptions.GlanceConnectionFailed):
                self._check_deadline(request)
            raise

    def _check_deadline(self, request: Request) -> None:
        if not self.deadline.remaining():
            raise exceptions.DeadlineExceeded(
                self.deadline.exceeded(self._subject(request)), **self._details(request)
            )

    def error_of(self, request: Request, response: Response) -> exceptions.GlanceCompatError:
        """Return the exception for a response; ``request.errors`` has its class by the status."""
        kind = request.errors.get(response.status, exceptions.BadResponse)
        seconds = retry_after(response.headers)
        advice = advice_for(kind, response.status)
        if (
            response.status == TOO_LARGE
            and seconds is not None
            and request.method in _WITHOUT_CONTENT
        ):
            # Such a request exceeds no quota, so it is a rate limit.
            kind, advice = exceptions.BadResponse, advice_for(exceptions.BadResponse, 429)
        reason = error_text(response) or "the server gave no reason"
        if is_from_proxy(response):
            reason, advice = _PROXY_LIMIT, _PROXY_ADVICE
        error = kind(
            f"{self._subject(request)} failed: {reason} ({response.summary()}). {advice}",
            status=response.status,
            request_id=response.request_id,
            **self._details(request),
        )
        error.retry_after = seconds
        return error


_PROXY_LIMIT = (
    "a proxy in front of the image service, and not Glance, rejected the size of the request"
)
_PROXY_ADVICE = (
    "Ask the operator of the cloud to raise the limit of the proxy (nginx: client_max_body_size)."
)


class _Secret(str):
    """A header value whose repr is hidden, for tracebacks that show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _log(request: Request, url: str, response: requests.Response, seconds: float) -> None:
    if not LOG.isEnabledFor(logging.DEBUG):
        return
    LOG.debug(
        "%s %s: HTTP %s in %.3f s, request id %s",
        request.method,
        redact_url(url),
        response.status_code,
        seconds,
        checked_request_id(response.headers.get("x-openstack-request-id")),
    )


def _hide_redirect(response: requests.Response, *_: object, **__: object) -> None:
    """Remove the Location header of a redirect, so that requests does not process the redirect.

    Even with ``allow_redirects=False``, requests reads the whole body of a redirect, of any
    length, and fails if Location is not a URL (requests 2.34, ``Session.send``).
    """
    if response.status_code in REDIRECTS:
        response.headers.pop("Location", None)


def _arriving_blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body of a response in blocks as they arrive, of any size.

    So the caller can check the time and size limits in between. ``iter_content`` would wait for a
    full block, even if its bytes arrive very slowly.
    """
    if not isinstance(response.raw, urllib3.response.BaseHTTPResponse):
        # The adapter of the session does not use urllib3.
        yield from response.iter_content(BLOCK_BYTES)
        return
    while block := response.raw.read1(BLOCK_BYTES, decode_content=True):
        yield block
