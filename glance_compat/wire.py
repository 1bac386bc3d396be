# SPDX-License-Identifier: Apache-2.0
"""The only sender of requests.

It sends on keystoneauth1's Adapter over the caller's session, which is never altered. Bodies are
never replayed by anything below: keystoneauth's retries, redirects and (for data)
re-authentication are off. Every failure leaves here as an error of this library.

What must live here: sending, reading, redirects, limits, the request log, and the map from the
lower layers' exceptions to ours. What must not: anything that differs between v1 and v2.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import html
import http.client
import json
import logging
import re
import time
import typing
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence

import keystoneauth1.exceptions
import requests
import urllib3.exceptions
import urllib3.response
from keystoneauth1 import adapter as ksa_adapter
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions, headers
from glance_compat.options import Options
from glance_compat.retry import Deadline
from glance_compat.transfer import BLOCK_BYTES, Upload

LOG = logging.getLogger("glance_compat")

_MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OCTETS = "application/octet-stream"


class LookAgain(Exception):
    """A 300 on a resource: the endpoint does not offer the API that was spoken (any more).

    Seen on Glance 15.0.2 and 33: a disabled API is answered with the version document.
    """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to an image endpoint.

    :param path: from the unversioned endpoint on, quoted ("/v2/images").
    :param params: query parameters, in order.
    :param headers: names and text; the text goes out as UTF-8 octets.
    :param json: an object to send, or None.
    :param json_type: the content type of that object.
    :param upload: image data to send, or None.
    :param stream: leave the body unread, it is image data.
    :param tolerant: read a header block however long or damaged it is, over a private connection.
    :param success: the status, or the statuses, that say that it was done.
    :param errors: status to error, from :data:`glance_compat.exceptions.STATUS_ERRORS`.
    """

    method: str
    path: str
    params: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    json: object = None
    json_type: str = "application/json"
    upload: Upload | None = None
    stream: bool = False
    tolerant: bool = False
    success: frozenset[int] = frozenset({200})
    errors: exceptions.StatusErrors = dataclasses.field(default_factory=dict)
    image_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back, read to its end unless it is image data.

    :param headers: in order, repeated ones too, as UTF-8 text.
    :param body: bytes of a metadata answer.
    :param defective: the header block has lines that are not headers.
    :param what: the request, for messages.
    :param where: what errors about it carry.
    """

    status: int
    headers: headers.Headers
    body: bytes
    defective: bool
    response: requests.Response
    what: str = "the request"
    where: Mapping[str, typing.Any] = dataclasses.field(default_factory=dict)

    def header(self, name: str) -> str | None:
        """The first header of a name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def request_id(self) -> str | None:
        return self.header("x-openstack-request-id")

    def json(self) -> object:
        """:raises glance_compat.exceptions.BadResponse: the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise self.bad("is not JSON") from None

    def json_object(self) -> dict[str, typing.Any]:
        """:raises glance_compat.exceptions.BadResponse: the body is not a JSON object."""
        value = self.json()
        if not isinstance(value, dict):
            raise self.bad("is not a JSON object")
        return value

    def object_at(self, key: str) -> dict[str, typing.Any]:
        """The object of a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        value = self.json_object().get(key)
        if not isinstance(value, dict):
            raise self.bad(f"has no object {key!r}")
        return value

    def objects_at(self, key: str) -> list[dict[str, typing.Any]]:
        """The list of objects of a key.

        :raises glance_compat.exceptions.BadResponse: there is none.
        """
        values = self.json_object().get(key)
        if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
            raise self.bad(f"has no list of objects {key!r}")
        return values

    @contextlib.contextmanager
    def judged(self) -> Iterator[None]:
        """Say of which answer it was that could not be read."""
        try:
            yield
        except exceptions.BadResponse as error:
            if error.status is not None:
                raise
            raise self.bad(f"is not Glance's: {error}") from error

    def bad(self, how: str) -> exceptions.BadResponse:
        """The error of an answer that is not Glance's.

        :param how: the rest of the sentence that begins with "the answer".
        """
        return exceptions.BadResponse(
            f"the answer to {self.what} {how}",
            status=self.status,
            request_id=self.request_id,
            **self.where,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who is asking.

    :param auth: the plugin whose token is sent; None: the session's own; requests go without a
        token where there is neither.
    :param request_id: the caller's global request id (``X-OpenStack-Request-ID``).
    :param project_id: the caller's project, where the caller's context tells.
    """

    auth: ksa_plugin.BaseAuthPlugin | None = None
    request_id: str | None = None
    project_id: str | None = None


class Wire:
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
        self.endpoint = shown(endpoint)
        self.deadline = deadline
        self.options = options
        self._session = session
        self._identity = identity
        name, password = requests.utils.get_auth_from_url(endpoint)
        self._basic = requests.auth.HTTPBasicAuth(name, password) if name or password else None

    def within(self, deadline: Deadline) -> Wire:
        """The same, with another deadline."""
        other = copy.copy(self)
        other.deadline = deadline
        return other

    def project_id(self) -> str | None:
        """The caller's project, or None where the token does not tell."""
        auth = self._identity.auth or self._session.auth
        if self._identity.project_id is not None or auth is None:
            return self._identity.project_id
        with self._asking("for the caller's project"):
            return auth.get_project_id(self._for_plugins())

    def send(self, request: Request, *, token: bool = True) -> Answer:
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
            raise LookAgain
        if 200 <= answer.status < 300:
            # Some page says that all is well; Glance would have said so in another way.
            raise answer.bad(f"has status {answer.status}, which is not Glance's")
        raise self._error(request, answer)

    def exchange(self, request: Request, *, token: bool = True) -> Answer:
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
            if request.method not in {"GET", "HEAD"} or not headers.is_too_long(error):
                raise
            return self._open_privately(request, url, token)

    def _open_privately(self, request: Request, url: str, token: bool) -> requests.Response:
        own = self._session.session
        http = requests.Session()
        http.trust_env, http.proxies = own.trust_env, dict(own.proxies)
        for scheme in ("http://", "https://"):
            http.mount(scheme, headers.LongAnswerAdapter())
        private = _alike(self._session, http, self._session.timeout)
        # The connection in use outlives its pool, until the answer is read.
        with contextlib.closing(http):
            return self._transmit(request, url, token, private)

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
        adapter = ksa_adapter.Adapter(
            session,
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
                timeout=self._timeout(request),
                hooks={"response": [*_hooks_of(session), _leave_redirects_alone]},
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
        return for_plugins(self._session, min(self.options.read_timeout, self._left()))

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
        return sent | {name: headers.to_wire(text) for name, text in request.headers.items()}

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
        return max(self.deadline.remaining(), 0.001)

    def _redirected(self, request: Request, response: requests.Response, url: str) -> str:
        named = [value for name, value in _headers_of(response) if name.lower() == "location"]
        target = _joined(url, named[0]) if named else url
        if request.method in {"GET", "HEAD"} and origin(target) == origin(url) and target != url:
            return target
        raise exceptions.BadResponse(
            f"{self._what(request)} was redirected, which is not followed"
            " to another origin or for a request that changes something",
            status=response.status_code,
            **self._where(request),
        )

    # -- reading

    def _read(self, request: Request, response: requests.Response) -> Answer:
        body = b""
        if not (request.stream and 200 <= response.status_code < 300):
            body = self._whole_body(request, response)
        return Answer(
            status=response.status_code,
            headers=_headers_of(response),
            body=body,
            defective=headers.is_defective(getattr(response.raw, "_original_response", None)),
            response=response,
            what=self._what(request),
            where=self._where(request),
        )

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

    def blocks(self, request: Request, answer: Answer) -> Iterator[bytes]:
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

    def _error(self, request: Request, answer: Answer) -> exceptions.GlanceCompatError:
        kind = request.errors.get(answer.status, exceptions.BadResponse)
        error = kind(
            f"{self._what(request)} was answered with {answer.status}{_explanation(answer)}",
            status=answer.status,
            request_id=answer.request_id,
            **self._where(request),
        )
        error.retry_after = _retry_after(answer)
        return error

    def _log(self, request: Request, url: str, response: requests.Response, took: float) -> None:
        LOG.debug(
            "%s %s: %s in %.3f s, request id %s",
            request.method,
            shown(url),
            response.status_code,
            took,
            response.headers.get("x-openstack-request-id"),
        )


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; two URLs of one origin may share a token.

    What cannot be read has an origin of its own, that of nothing else.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return "", url, None
    if port is None:
        port = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def _joined(url: str, location: str) -> str:
    try:
        return urllib.parse.urljoin(url, location)
    except ValueError:
        return location


def shown(url: str) -> str:
    """A URL, or what claims to be one, fit for messages: no credentials, no query."""
    return re.sub(r"//[^/]*@", "//", re.sub(r"[?#].*", "", url, flags=re.DOTALL))


def for_plugins(session: ksa_session.Session, timeout: float) -> ksa_session.Session:
    """What auth plugins ask the identity service with: the session, or one that ends waiting.

    keystoneauth waits for ever unless the session has a time-out.

    :param timeout: seconds without an answer, where the session has no time-out of its own.
    """
    if session.timeout is not None:
        return session
    return _alike(session, session.session, timeout)


def _alike(
    session: ksa_session.Session, http: requests.Session, timeout: float | None
) -> ksa_session.Session:
    """A session with the settings of another, which is not altered."""
    alike = ksa_session.Session(
        auth=session.auth,
        session=http,
        original_ip=session.original_ip,
        verify=session.verify,
        cert=session.cert,
        timeout=timeout,
        redirect=session.redirect,
        additional_headers=session.additional_headers,
        app_name=session.app_name,
        app_version=session.app_version,
        additional_user_agent=session.additional_user_agent,
    )
    alike.user_agent = session.user_agent
    return alike


def _hooks_of(session: ksa_session.Session) -> list[typing.Any]:
    # Hooks of a request replace those of the session.
    return list(session.session.hooks.get("response", ()))


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


def _headers_of(response: requests.Response) -> headers.Headers:
    raw = getattr(response.raw, "headers", None)
    items = raw.items() if raw is not None else response.headers.items()
    return [(name, headers.from_wire(value)) for name, value in items]


_TAG = re.compile(r"<[^>]*>")
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_EXPLANATION_CHARACTERS = 300


def _explanation(answer: Answer) -> str:
    """What Glance says of an error, as one short line of printable text.

    Only Glance's own form is repeated (JSON with ``message``, which holds HTML; seen on Glance
    15.0.2 and 33): what some proxy says is not ours to show.
    """
    try:
        said = answer.json_object().get("message")
    except exceptions.BadResponse:
        return ""
    if not isinstance(said, str):
        return ""
    text = " ".join(html.unescape(_TAG.sub(" ", said)).split())
    text = _CREDENTIALS.sub("//***@", text)[:_EXPLANATION_CHARACTERS]
    printable = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return f": {printable}" if printable else ""


def _retry_after(answer: Answer) -> float | None:
    """Seconds of a Retry-After header; the form with a date is not sent by Glance."""
    said = answer.header("retry-after") or ""
    return float(said) if re.fullmatch(r"[0-9]{1,6}", said) else None


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
    return next((ours for classes, ours in _BELOW if isinstance(known, classes)), None)


def _reason(error: BaseException) -> str:
    """The innermost cause, which says most; lower layers put URLs with queries in theirs."""
    inner = error
    while inner.__cause__ or inner.__context__:
        inner = typing.cast(BaseException, inner.__cause__ or inner.__context__)
    text = str(inner) if isinstance(inner, OSError) and inner.strerror else ""
    return text or f"{type(inner).__name__}" + (
        f" ({type(error).__name__})" if inner is not error else ""
    )
