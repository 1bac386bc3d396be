# SPDX-License-Identifier: Apache-2.0
"""The only sender of requests.

It sends on keystoneauth1's Adapter over the caller's session, which is never altered. Bodies are
never replayed by anything below: keystoneauth's retries, redirects and (for data)
re-authentication are off. Every failure leaves here as an error of this library.

What must live here: sending, reading, redirects, limits, and the request log. What must not: what
an exchange says (``message``), and anything that differs between v1 and v2.
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
from glance_compat.transport import response_reader, sessions, v1_headers
from glance_compat.transport.error_mapping import plugin_errors, translated_errors
from glance_compat.transport.messages import (
    Request,
    Response,
    VersionDocumentReceived,
    explanation,
    headers_of,
    retry_after,
)
from glance_compat.transport.retry import Deadline
from glance_compat.urls import joined, origin

LOG = logging.getLogger("glance_compat")

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OCTETS = "application/octet-stream"


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
    """One image endpoint, asked by one identity within one deadline.

    :param endpoint: unversioned URL, no slash at its end. A name and a password in it are sent as
        the Authorization header, and shown to nobody.
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
        self.deadline = deadline
        self.options = options
        self._session = session
        self._identity = identity
        name, password = requests.utils.get_auth_from_url(endpoint)
        self._basic = requests.auth.HTTPBasicAuth(name, password) if name or password else None

    def within(self, deadline: Deadline) -> Transport:
        """The same, with another deadline."""
        other = copy.copy(self)
        other.deadline = deadline
        return other

    def may_be_admin(self) -> bool:
        """Whether the caller may have an admin's rights; True where nothing lists the roles.

        :raises glance_compat.exceptions.GlanceCompatError: the identity service failed.
        """
        roles = self._identity.roles
        plugin = typing.cast(typing.Any, self._identity.auth or self._session.auth)
        if roles is None and hasattr(plugin, "get_access"):
            with self._asking("for the caller's roles"):
                roles = tuple(plugin.get_access(self._for_plugins()).role_names)
        return roles is None or any("admin" in role.lower() for role in roles)

    def project_id(self) -> str | None:
        """The caller's project, or None where the token does not tell."""
        auth = self._identity.auth or self._session.auth
        if self._identity.project_id is not None or auth is None:
            return self._identity.project_id
        with self._asking("for the caller's project"):
            return auth.get_project_id(self._for_plugins())

    def authenticate(self) -> None:
        """Have a token, where there is somebody to ask for one.

        :raises glance_compat.exceptions.GlanceCompatError: there is none.
        """
        if self._has_auth():
            self._token()

    def send(self, request: Request, *, token: bool = True) -> Response:
        """Send a request and read its answer.

        :param token: False: send no token, the answer is the same for everybody.
        :raises LookAgain: 300, a version document in place of the resource.
        :raises glance_compat.exceptions.GlanceCompatError: any other answer than a success.
        """
        answer = self.exchange(request, token=token)
        if answer.status in request.success:
            return answer
        answer.response.close()
        if answer.status == 300:
            raise VersionDocumentReceived
        if 200 <= answer.status < 300:
            # Some page says that all is well; Glance would have said so in another way.
            raise answer.bad(f"has status {answer.status}, which is not Glance's")
        raise self.error_of(request, answer)

    def exchange(self, request: Request, *, token: bool = True) -> Response:
        """Like :meth:`send`, but any status is an answer."""
        url = f"{self.endpoint}{request.path}"
        if request.params:
            with translated_errors(self._what(request), **self._where(request)):
                url += f"?{urllib.parse.urlencode(request.params)}"
        response = self._open(request, url, token)
        for _ in range(_MAX_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                break
            response.close()
            url = self._redirected(request, response, url)
            response = self._open(request, url, token)
        if response.status_code not in _REDIRECTS:
            return self._read(request, response)
        response.close()
        raise exceptions.BadResponse(
            f"{self._what(request)} was redirected more than {_MAX_REDIRECTS} times",
            status=response.status_code,
            **self._where(request),
        )

    # -- sending

    def _open(self, request: Request, url: str, token: bool) -> requests.Response:
        response = self._open_once(request, url, token)
        if response.status_code != 401 or not token or not self._may_send_again(request):
            return response
        response.close()
        return self._open_once(request, url, token)

    def _open_once(self, request: Request, url: str, token: bool) -> requests.Response:
        if request.tolerant:
            return self._open_privately(request, url, token)
        try:
            return self._transmit(request, url, token, self._session)
        except exceptions.GlanceConnectionFailed as error:
            if request.method not in {"GET", "HEAD"} or not v1_headers.is_too_long(error):
                raise
        # Not in there: what fails now does not come of that error.
        return self._open_privately(request, url, token)

    def _open_privately(self, request: Request, url: str, token: bool) -> requests.Response:
        private = sessions.for_long_answers(self._session)
        # The connection in use outlives its pool, until the answer is read.
        with contextlib.closing(private.session):
            try:
                return self._transmit(request, url, token, private)
            except exceptions.GlanceConnectionFailed as error:
                if not v1_headers.is_too_long(error):
                    raise
                raise exceptions.BadResponse(
                    f"the headers of the answer to {self._what(request)} are too long to be read",
                    **self._where(request),
                ) from error

    def _may_send_again(self, request: Request) -> bool:
        """Whether there is a new token, and the data that was refused with the old can be rewound.

        keystoneauth would do this itself, but replays consumed data as nothing.
        """
        if not self._has_auth():
            return False
        with self._asking("for a new token"):
            renewed = self._session.invalidate(self._identity.auth)
        return renewed and (request.upload is None or request.upload.rewind())

    def _transmit(
        self, request: Request, url: str, token: bool, session: ksa_session.Session
    ) -> requests.Response:
        connect, read = self._timeout(request)
        limits = response_reader.Limits(read, lambda: self.deadline)
        adapter = ksa_adapter.Adapter(
            response_reader.within(session, limits),
            auth=self._identity.auth,
            client_name="glance_compat",
            global_request_id=self._identity.request_id,
        )
        self._check_time(request)
        sent_token = self._token() if token and self._has_auth() else {}
        self._check_time(request)
        begun = time.monotonic()
        with self._sending(request):
            response = adapter.request(
                url,
                request.method,
                headers={**self._headers(request), **sent_token},
                data=self._body(request),
                authenticated=False,
                requests_auth=self._basic,
                raise_exc=False,
                redirect=False,
                log=False,
                connect_retries=0,
                status_code_retries=0,
                stream=True,
                timeout=(connect, read),
                hooks={"response": [*sessions.hooks_of(session), _leave_redirects_alone]},
            )
        self._log(request, url, response, time.monotonic() - begun)
        return response

    def _token(self) -> Mapping[str, str]:
        with self._asking("for a token"):
            found = self._for_plugins().get_auth_headers(self._identity.auth)
        if found is None:
            raise exceptions.NotAuthenticated(
                "asking for a token failed: there is none", endpoint=self.endpoint
            )
        return found

    def _for_plugins(self) -> ksa_session.Session:
        # A transfer of data has no deadline, but what it asks the identity service has.
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
            # Lengths and checksums are those of the data itself.
            sent = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if request.upload is not None:
            sent["Content-Type"] = _OCTETS
        elif request.json is not None:
            sent["Content-Type"] = request.json_type
        return sent | {name: v1_headers.to_wire(text) for name, text in request.headers.items()}

    def _timeout(self, request: Request) -> tuple[float, float]:
        own = self._session.timeout
        connect = self.options.connect_timeout if own is None else own
        read = self.options.read_timeout if own is None else own
        if request.stream or request.upload is not None:
            read = self.options.stall_timeout
        if request.upload is not None:
            # urllib3 sends each block within the time-out for connecting; it has none for sending.
            connect = max(connect, self.options.stall_timeout)
        left = self._left()
        return min(connect, left), min(read, left)

    def _left(self) -> float:
        # A time-out of 0 is none at all to sockets, and an error to urllib3.
        return min(max(self.deadline.remaining(), 0.001), sessions.LONGEST_SECONDS)

    def _redirected(self, request: Request, response: requests.Response, url: str) -> str:
        named = [value for name, value in headers_of(response) if name.lower() == "location"]
        target = joined(url, named[0]) if named else url
        if request.method in {"GET", "HEAD"} and origin(target) == origin(url) and target != url:
            return target
        raise exceptions.BadResponse(
            f"{self._what(request)} was redirected, which is not followed"
            " to another origin or for a request that changes something",
            status=response.status_code,
            **self._where(request),
        )

    # -- reading

    def _read(self, request: Request, response: requests.Response) -> Response:
        body = b""
        if not (request.stream and 200 <= response.status_code < 300):
            body = self._bounded()._whole_body(request, response)
        return Response(
            status=response.status_code,
            headers=headers_of(response),
            body=body,
            defective=v1_headers.is_defective(getattr(response.raw, "_original_response", None)),
            response=response,
            what=self._what(request),
            where=self._where(request),
        )

    def _bounded(self) -> Transport:
        """The same; within a transfer of data, which has no end, with one for an answer's text."""
        bounded = self.deadline.seconds is not None
        return self if bounded else self.within(Deadline(self.options.deadline))

    def _whole_body(self, request: Request, response: requests.Response) -> bytes:
        whole = bytearray()
        with contextlib.closing(response), self._sending(request):
            for block in _as_it_arrives(response):
                self._check_time(request)
                whole += block
                if len(whole) > self.options.max_response_bytes:
                    raise exceptions.BadResponse(
                        f"the answer to {self._what(request)} is larger than max_response_bytes"
                        f" ({self.options.max_response_bytes})",
                        status=response.status_code,
                        **self._where(request),
                    )
        return bytes(whole)

    def blocks(self, request: Request, answer: Response) -> Iterator[bytes]:
        """The image data of an answer, as it arrives.

        :raises glance_compat.exceptions.GlanceConnectionFailed: the connection was cut or stalls.
        """
        with contextlib.closing(answer.response), self._sending(request):
            yield from answer.response.iter_content(BLOCK_BYTES)

    # -- errors and the log

    def _what(self, request: Request) -> str:
        return f"{request.method} {self.endpoint}{request.path}"

    def _where(self, request: Request) -> dict[str, typing.Any]:
        return {"endpoint": self.endpoint, "image_id": request.image_id}

    def _asking(self, what: str) -> contextlib.AbstractContextManager[None]:
        return plugin_errors(f"asking {what}", endpoint=self.endpoint)

    @contextlib.contextmanager
    def _sending(self, request: Request) -> Iterator[None]:
        """Errors from below, told apart from those that the deadline made."""
        try:
            with translated_errors(self._what(request), request.upload, **self._where(request)):
                yield
        except exceptions.GlanceCompatError as error:
            LOG.debug("%s", error)
            if isinstance(error, exceptions.GlanceConnectionFailed):
                self._check_time(request)
            raise

    def _check_time(self, request: Request) -> None:
        if not self.deadline.remaining():
            raise exceptions.DeadlineExceeded(
                f"{self._what(request)} did not end within the deadline of"
                f" {self.deadline.seconds:g} seconds",
                **self._where(request),
            )

    def error_of(self, request: Request, answer: Response) -> exceptions.GlanceCompatError:
        """The error that an answer is, by the request's table."""
        kind = request.errors.get(answer.status, exceptions.BadResponse)
        error = kind(
            f"{self._what(request)} was answered with {answer.status}{explanation(answer)}",
            status=answer.status,
            request_id=answer.request_id,
            **self._where(request),
        )
        error.retry_after = retry_after(answer)
        return error

    def _log(self, request: Request, url: str, response: requests.Response, took: float) -> None:
        LOG.debug(
            "%s %s: %s in %.3f s, request id %s",
            request.method,
            redact_url(url),
            response.status_code,
            took,
            response.headers.get("x-openstack-request-id"),
        )


def _leave_redirects_alone(response: requests.Response, *_: object, **__: object) -> None:
    """Hide a redirect from requests.

    Even where it is not to follow one, it reads all of its body, however long, and trips over a
    location that is no URL (requests 2.34, ``Session.send``).
    """
    if response.status_code in _REDIRECTS:
        response.headers.pop("Location", None)


def _as_it_arrives(response: requests.Response) -> Iterator[bytes]:
    """A body in whatever pieces it comes in, so that time and size can be looked at in between.

    ``iter_content`` waits for a whole block, however slowly its bytes drip.
    """
    read = getattr(response.raw, "read1", None)
    if read is None or not isinstance(response.raw, urllib3.response.BaseHTTPResponse):
        # urllib3 before 2.2, or an adapter of the caller's own.
        yield from response.iter_content(BLOCK_BYTES)
        return
    while block := read(BLOCK_BYTES, decode_content=True):
        yield block
