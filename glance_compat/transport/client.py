# SPDX-License-Identifier: Apache-2.0
"""Send requests to one image endpoint.

Requests go through keystoneauth1's Adapter over the caller's session, which is never altered.
Nothing below replays a body: keystoneauth's retries, redirects and (for data) re-authentication
are off. Every failure leaves here as an error of this library.

What must live here: sending, reading, redirects, limits and the request log. What must not: what a
request and a response contain (``messages``), and anything that differs between v1 and v2.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import logging
import time
import typing
import urllib.parse
from collections.abc import Iterator, Mapping

import requests
import urllib3.exceptions
import urllib3.response
from keystoneauth1 import adapter as ksa_adapter
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.streams.streams import BLOCK_BYTES
from glance_compat.transport import sessions, v1_headers
from glance_compat.transport.error_mapping import advice_for, plugin_errors, translated_errors
from glance_compat.transport.messages import (
    Request,
    Response,
    VersionDocumentReceived,
    checked_request_id,
    error_text,
    headers_of,
    retry_after,
)
from glance_compat.transport.response_reader import Limits, is_damaged
from glance_compat.transport.retry import Deadline
from glance_compat.urls import redirect_target, without_user_information

LOG = logging.getLogger(__name__)

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_IMAGE_DATA = "application/octet-stream"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The caller of one call, as its context describes it.

    :param auth: the plugin whose token is sent; None: the session's own. Requests go without a
        token where there is neither.
    :param service_auth: the service's own plugin. Only its catalog is used for callers that have
        another plugin, never its token.
    :param service_catalog: the context's own service catalog, or None.
    :param roles: names of the caller's roles, or None where the context does not list them.
    :param request_id: the caller's global request id (``X-OpenStack-Request-ID``).
    :param project_id: the caller's project, or None where the context does not name it.
    """

    auth: ksa_plugin.BaseAuthPlugin | None = None
    service_auth: ksa_plugin.BaseAuthPlugin | None = None
    service_catalog: object = None
    roles: tuple[str, ...] | None = None
    request_id: str | None = None
    project_id: str | None = None


class Transport:
    """Send requests to one image endpoint, for one identity, within one deadline.

    :param endpoint: unversioned URL without a slash at its end. A name and a password in it are
        sent as the Authorization header and never shown.
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
        """Return a transport to the same endpoint for one call."""
        other = self.within(deadline)
        other._session, other._identity = sessions.prepared_session(session), identity
        return other

    def within(self, deadline: Deadline) -> Transport:
        """Return the same transport with another deadline."""
        other = copy.copy(self)
        other.deadline = deadline
        return other

    def may_be_admin(self) -> bool:
        """Return whether the caller may have an admin's rights; True if nothing lists the roles.

        :raises glance_compat.exceptions.GlanceCompatError: the identity service failed.
        """
        roles = self._identity.roles
        plugin = typing.cast(typing.Any, self._identity.auth or self._session.auth)
        if roles is None and hasattr(plugin, "get_access"):
            with self._plugin_errors("getting the caller's roles"):
                roles = tuple(plugin.get_access(self._plugin_session()).role_names)
        return roles is None or any("admin" in role.lower() for role in roles)

    def project_id(self) -> str | None:
        """Return the caller's project, or None if the token has none."""
        auth = self._identity.auth or self._session.auth
        if self._identity.project_id is not None or auth is None:
            return self._identity.project_id
        with self._plugin_errors("getting the caller's project"):
            return auth.get_project_id(self._plugin_session())

    def authenticate(self) -> None:
        """Get a token, if there is an auth plugin.

        :raises glance_compat.exceptions.GlanceCompatError: the plugin returns none.
        """
        if self._has_auth():
            self._token()

    def send(self, request: Request, *, token: bool = True) -> Response:
        """Send a request and read its response.

        :param token: False: send no token, because the response does not depend on the caller.
        :raises VersionDocumentReceived: the status is 300.
        :raises glance_compat.exceptions.GlanceCompatError: the status is not a success.
        """
        response = self.exchange(request, token=token)
        if response.status in request.success:
            return response
        response.close()
        if response.status == 300:
            raise VersionDocumentReceived
        if 200 <= response.status < 300:
            # Glance reports success of this request with another status: this is another server.
            raise response.invalid("has a status that Glance never sends here")
        raise self.error_of(request, response)

    def exchange(self, request: Request, *, token: bool = True) -> Response:
        """Send a request like :meth:`send`, and return the response whatever its status."""
        url = f"{self._base}{request.path}"
        if request.params:
            with translated_errors(self._subject(request), **self._details(request)):
                url += f"?{urllib.parse.urlencode(request.params)}"
        response = self._open(request, url, token)
        for _ in range(_MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                break
            response.close()
            url = self._redirect_target(request, response, url)
            response = self._open(request, url, token)
        if response.status_code not in _REDIRECTS:
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
        """Return whether there is a new token and the data sent with the old one was rewound.

        keystoneauth would send again by itself, but replays consumed data as nothing.
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
        adapter = ksa_adapter.Adapter(
            sessions.image_session(self._session, limits),
            auth=self._identity.auth,
            client_name="glance_compat",
            global_request_id=self._identity.request_id,
        )
        # Hooks of a request replace those of the session.
        own_hooks = self._session.session.hooks.get("response", ())
        started = time.monotonic()
        with self._errors_of(request):
            response = adapter.request(
                url,
                request.method,
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
        """Return what requests authenticates with; without it, requests reads ~/.netrc."""
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
        # A transfer of data has no deadline; requests to the identity service meanwhile have one.
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
            # Sizes and checksums are those of the data itself.
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
        """Return the timeouts for connecting and for reading, in seconds."""
        own = self._session.timeout
        connect = self.options.connect_timeout if own is None else own
        read = self.options.read_timeout if own is None else own
        if request.stream or request.upload is not None:
            read = self.options.stall_timeout
        if request.upload is not None:
            # urllib3 sends each block within the timeout for connecting; it has none for sending.
            connect = max(connect, self.options.stall_timeout)
        left = self._left()
        return min(connect, left), min(read, left)

    def _left(self) -> float:
        # Sockets treat a timeout of 0 as none, and urllib3 refuses it.
        return min(max(self.deadline.remaining(), 0.001), sessions.LONGEST_SECONDS)

    def _redirect_target(self, request: Request, response: requests.Response, url: str) -> str:
        locations = [value for name, value in headers_of(response) if name.lower() == "location"]
        if locations and request.method in {"GET", "HEAD"}:
            target = redirect_target(url, locations[0])
            if target is not None:
                return target
        raise exceptions.BadResponse(
            f"{self._subject(request)} failed: the server redirected it (HTTP"
            f" {response.status_code}), and only GET and HEAD are redirected, within the same"
            " origin. Set the endpoint to the URL that the image service really has.",
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
        """Return a transport with a deadline; a transfer of data has none for its own."""
        has_one = self.deadline.seconds is not None
        return self if has_one else self.within(Deadline(self.options.deadline))

    def _metadata_body(self, request: Request, response: requests.Response) -> bytes:
        body = bytearray()
        with contextlib.closing(response), self._errors_of(request):
            for block in _arriving_blocks(response):
                self._check_deadline(request)
                body += block
                if len(body) > self.options.max_response_bytes:
                    raise exceptions.BadResponse(
                        f"{self._subject(request)} failed: the response is larger than"
                        f" {self.options.max_response_bytes} bytes. Raise the option"
                        " max_response_bytes if it should be read.",
                        status=response.status_code,
                        **self._details(request),
                    )
        return bytes(body)

    def blocks(self, request: Request, response: Response) -> Iterator[bytes]:
        """Yield the image data of a response as it arrives.

        :raises glance_compat.exceptions.GlanceConnectionFailed: the connection was cut, or no
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
        """Translate errors of auth plugins."""
        try:
            yield
        except Exception:
            with plugin_errors(f"{action} for {self.endpoint}", endpoint=self.endpoint):
                raise

    @contextlib.contextmanager
    def _errors_of(self, request: Request) -> Iterator[None]:
        """Translate errors from below; one that the deadline caused becomes DeadlineExceeded.

        Nothing is prepared for errors before there is one: most requests have none.
        """
        try:
            yield
        except Exception:
            with self._deadline_errors(request):
                subject = self._subject(request)
                with translated_errors(subject, request.upload, **self._details(request)):
                    raise

    @contextlib.contextmanager
    def _deadline_errors(self, request: Request) -> Iterator[None]:
        """Log an error, and replace it by DeadlineExceeded if the deadline has passed."""
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
        """Return the error that the request's table has for the status of a response."""
        kind = request.errors.get(response.status, exceptions.BadResponse)
        reason = error_text(response) or "the server gave no reason"
        error = kind(
            f"{self._subject(request)} failed: {reason} ({response.summary()})."
            f" {advice_for(kind, response.status)}",
            status=response.status,
            request_id=response.request_id,
            **self._details(request),
        )
        error.retry_after = retry_after(response)
        return error


class _Secret(str):
    """A header's value that tracebacks with local variables do not show."""

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
    """Hide a redirect from requests.

    Even if it must not follow one, it reads all of its body, however long, and fails on a location
    that is not a URL (requests 2.34, ``Session.send``).
    """
    if response.status_code in _REDIRECTS:
        response.headers.pop("Location", None)


def _arriving_blocks(response: requests.Response) -> Iterator[bytes]:
    """Yield a body in whatever blocks arrive, so that time and size are checked in between.

    ``iter_content`` waits for a whole block, however slowly its bytes drip.
    """
    if not isinstance(response.raw, urllib3.response.BaseHTTPResponse):
        # From an adapter that is not made of urllib3's classes.
        yield from response.iter_content(BLOCK_BYTES)
        return
    while block := response.raw.read1(BLOCK_BYTES, decode_content=True):
        yield block
