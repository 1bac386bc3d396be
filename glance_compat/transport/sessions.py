# SPDX-License-Identifier: Apache-2.0
"""Sessions that are derived from the caller's keystoneauth session, which is not modified.

A derived session uses the current settings of the caller's session in each request. It differs
only in its limits for responses, in its timeout for auth plugins, or, after a fork, in its
connections.

A *view* is an object that shares the attributes of another (a session, requests session, adapter
or connection pool) and overrides a few methods. So connections, adapters, proxies, certificates
and subclasses are those of the caller. The views of a session are created once, except that of the
pool, which is created for each request because it stores data of the request.

An object for which no view can be created is refused, and so is a response that http.client read
without the limits of this library. An adapter that does not use http.client, such as one that
calls a WSGI application, is used without a view.

What must live here: the derived sessions, and the views down to the connections. What must not:
reading responses (see ``response_reader``).
"""

from __future__ import annotations

import contextvars
import copy
import dataclasses
import functools
import operator
import os
import types
import typing
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Mapping

import requests
import requests.adapters
import requests.cookies
import urllib3.connectionpool
import urllib3.exceptions
import urllib3.response
import urllib3.util
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.redaction import redact_url
from glance_compat.transport.response_reader import (
    Limits,
    ResponseFactory,
    attach,
    derived_class,
    detach,
    is_read_without_limits,
    limits_in_force,
)
from glance_compat.transport.retry import Deadline
from glance_compat.transport.tls_files import check_tls_files
from glance_compat.urls import keeps_credentials_safe

#: Maximum timeout, in seconds. Longer ones fail, because the operating system stores milliseconds
#: in 32 bits.
LONGEST_SECONDS = 1_000_000.0


class ForkSafeSession:
    """Holds the caller's session; in a forked process, replaces it with one with new connections.

    Processes that share a connection would receive each other's responses. A fork is detected by
    the process id and not with ``os.register_at_fork``, because uWSGI calls such functions only
    if an option is set (uWSGI 2.0, ``py-call-osafterfork``).

    :param session: the caller's session.
    :raises glance_compat.exceptions.InvalidOption: a view of the session cannot be created.
    """

    def __init__(self, session: ksa_session.Session) -> None:
        self._original = self._session = session
        self._prepared = prepared_session(session)
        for adapter in self._prepared.session.adapters.values():
            _adapter_view_of(adapter)
        self._process = os.getpid()

    def get(self) -> ksa_session.Session:
        """Return the session for this process."""
        if self._process != os.getpid():
            self._session = _with_own_connections(self._session)
            self._prepared, self._process = prepared_session(self._session), os.getpid()
        return self._prepared

    def close(self) -> None:
        """Close the connections that were opened after a fork; the caller's session stays open."""
        if self._session is not self._original:
            self._session.session.close()


def _with_own_connections(session: ksa_session.Session) -> ksa_session.Session:
    http = copy.copy(session.session)
    # mount() keeps the adapters sorted by the length of their prefixes, as requests needs them.
    adapters, http.adapters = http.adapters, OrderedDict()
    for prefix, adapter in adapters.items():
        http.mount(prefix, _with_empty_pool(adapter))
    return _copy_of(session, http, session.timeout)


def _with_empty_pool(adapter: requests.adapters.BaseAdapter) -> requests.adapters.BaseAdapter:
    """Return a copy of an adapter without its connections.

    An adapter that is not a requests HTTPAdapter is returned unchanged.
    """
    if not isinstance(adapter, requests.adapters.HTTPAdapter):
        return adapter
    # copy.copy() is not used, because keystoneauth's adapter cannot be created from the state that
    # requests' __getstate__ returns.
    empty = type(adapter).__new__(type(adapter))
    empty.__dict__.update(adapter.__dict__, proxy_manager={})
    # requests creates the pool of an unpickled adapter from the same attributes.
    state = vars(adapter)
    empty.init_poolmanager(
        state["_pool_connections"], state["_pool_maxsize"], block=state["_pool_block"]
    )
    return empty


def auth_session(
    session: ksa_session.Session, timeout: float, seconds: float | None = None
) -> ksa_session.Session:
    """Return a session with which auth plugins send requests to the identity service.

    It always has a timeout: without one, keystoneauth waits forever.

    :param session: the caller's session.
    :param timeout: the timeout, in seconds, if the session has none.
    :param seconds: time limit for each complete response, in seconds, or None for no limit.
    """
    own = session.timeout
    chosen = min(timeout, LONGEST_SECONDS) if own is None else own
    # Each response has its own deadline, because a plugin may keep the session after the call.
    limits = Limits(float(chosen or timeout), lambda: Deadline(seconds))
    limited = identity_session(session, limits, chosen)
    if limited is not session or own is not None:
        return limited
    return _copy_of(session, session.session, chosen)


def _copy_of(
    session: ksa_session.Session, http: requests.Session, timeout: float | None
) -> ksa_session.Session:
    """Return a new session with the settings of another one.

    :param http: the requests session of the new session.
    :param timeout: the timeout of the new session, in seconds, or None.
    """
    made = ksa_session.Session(
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
    made.user_agent = session.user_agent
    return made


# ---------------------------------------------------------------------------------------------
# Views.

Viewed = typing.TypeVar("Viewed")

# The statuses whose Location keystoneauth follows (5.18).
_FOLLOWED = frozenset({301, 302, 303, 305, 307, 308})

# Maximum number of adapters per session whose views are kept. Few sessions have more than two.
_MOST_ADAPTERS = 16


class _View:
    """An object that shares the attributes of another one, and stores its own in slots.

    :ivar _viewed: the other object. The reference keeps it alive, because sessions and pools close
        their connections when they are deleted.
    """

    __slots__ = ("_viewed",)

    _viewed: object


@functools.lru_cache(maxsize=64)
def _view_class(view: type, own: type) -> typing.Any:
    return derived_class(view, own, {"__module__": own.__module__})


@functools.lru_cache(maxsize=16)
def _overridden_by(view: type) -> frozenset[str]:
    """Return the names of the methods that a class of views overrides."""
    own = (vars(base) for base in view.__mro__ if issubclass(base, _View))
    return frozenset(
        name
        for names in own
        for name, value in names.items()
        if isinstance(value, types.FunctionType) and name != "__del__"
    )


def _view_of(viewed: Viewed, view: type[_View]) -> Viewed:
    """Return a view of an object.

    :raises glance_compat.exceptions.InvalidOption: a view of it cannot be created.
    """
    own = type(viewed)
    made: typing.Any = object.__new__(_view_class(*typing.cast(typing.Any, (view, own))))
    try:
        made.__dict__ = attributes = viewed.__dict__
    except (AttributeError, TypeError):
        raise _refused(own, "has no __dict__") from None
    if replaced := _overridden_by(typing.cast(typing.Any, view)) & attributes.keys():
        raise _refused(own, f"has its own attribute {min(replaced)!r}; define it in a subclass")
    made._viewed = viewed
    return typing.cast(Viewed, made)


def _refused(own: type, reason: str) -> exceptions.InvalidOption:
    return exceptions.InvalidOption(
        f"the session cannot be used: an object of {own.__module__}.{own.__qualname__} {reason}."
        " Pass a keystoneauth1 Session whose requests session and adapters can be subclassed."
    )


def image_session(session: ksa_session.Session, limits: Limits) -> ksa_session.Session:
    """Return a view of a session for requests to the image service.

    The view applies limits to responses, and neither stores nor sends cookies. Creating it is
    cheap if the session was returned by :func:`prepared_session`.
    """
    return _limited_view(session, _ImageHttpView, limits, None)


def identity_session(
    session: ksa_session.Session, limits: Limits, timeout: float | None
) -> ksa_session.Session:
    """Return a view of a session for requests to the identity service.

    The view applies limits to responses, and rejects redirects that would send credentials to
    another host.

    :param timeout: the timeout of the view, in seconds, or None for that of the session.
    """
    return _limited_view(session, _IdentityHttpView, limits, timeout)


def _limited_view(
    session: ksa_session.Session, http: type[_HttpView], limits: Limits, timeout: float | None
) -> ksa_session.Session:
    prepared = prepared_session(session)
    made: _KeystoneView = object.__new__(type(prepared))
    made.__dict__ = prepared.__dict__
    made._viewed, made._http_views, made._http_class = prepared, prepared._http_views, http
    made._limits, made._own_timeout = limits, timeout
    return made


def prepared_session(session: ksa_session.Session) -> _KeystoneView:
    """Return a view of a session, from which the views for single requests are created.

    It holds the views of the session's adapters, so that they are created only once.

    :raises glance_compat.exceptions.InvalidOption: a view of the session cannot be created.
    """
    if isinstance(session, _KeystoneView):
        return session
    if not isinstance(session, ksa_session.Session):
        raise _refused(type(session), "is not a session of keystoneauth1")
    made = typing.cast(_KeystoneView, _view_of(session, _KeystoneView))
    made._http_views, made._http_class = {}, _HttpView
    made._limits = made._own_timeout = None
    return made


class _KeystoneView(_View, ksa_session.Session):
    __slots__ = ("_http_class", "_http_views", "_limits", "_own_timeout")

    _http_class: type[_HttpView]
    #: The current requests session and its view, by the class of the view.
    _http_views: dict[type[_HttpView], tuple[requests.Session, requests.Session]]
    _limits: Limits | None
    _own_timeout: float | None

    @property
    def session(self) -> requests.Session:  # type: ignore[override]
        own: requests.Session = vars(self)["session"]
        viewed, view = self._http_views.get(self._http_class, (None, own))
        if viewed is not own:
            view = _http_view_of(own, self._http_class)
            self._http_views[self._http_class] = own, view
        return view

    @property
    def timeout(self) -> float | None:  # type: ignore[override]
        own: float | None = vars(self).get("timeout")
        return own if self._own_timeout is None else self._own_timeout

    def request(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        if self._limits is None:
            return super().request(*args, **kwargs)
        if kwargs.get("authenticated") and "auth" not in kwargs:
            # Only get_version_data of keystoneauth1 asks for a token, after a 401 to a request for
            # the versions of the identity service. The plugin then waits for its own lock, for
            # ever (keystoneauth1 5.18). It reads the version from the URL after this exception.
            raise ksa_exceptions.Unauthorized("the identity service requires a token for a token")
        with limits_in_force(self._limits):
            return super().request(*args, **kwargs)

    def __del__(self) -> None:
        # keystoneauth's method would close the connections of the original session.
        pass


class _HttpView(_View, requests.Session):
    __slots__ = ("_adapter_views", "_merged")

    #: Pairs of an adapter and its view, by the id() of the adapter, which is thereby kept alive.
    _adapter_views: dict[int, tuple[requests.adapters.BaseAdapter, requests.adapters.BaseAdapter]]
    #: The last settings that requests merged, by the origin of the URL.
    _merged: dict[str, _Merged]

    def request(self, method: str, url: str, **kwargs: typing.Any) -> requests.Response:  # type: ignore[override]
        try:
            response = super().request(method, url, **kwargs)
        except OSError:
            verify, cert = kwargs.get("verify"), kwargs.get("cert")
            check_tls_files(url, verify, cert, environment=self.trust_env)
            raise
        if is_read_without_limits(response.raw):
            # The adapter has replaced the methods by which it would use its view.
            response.close()
            adapter = type(super().get_adapter(response.url))
            raise _refused(adapter, "did not send the request with the methods of HTTPAdapter")
        return response

    @property
    def merge_environment_settings(self) -> typing.Any:
        """Return the method of requests, or one that returns its last result if that is the same.

        requests goes through all environment variables for each request, which takes longer than
        the rest of this library's work.
        """
        own = vars(self).get("merge_environment_settings", super().merge_environment_settings)
        method = getattr(own, "__func__", None)
        is_usual = method is requests.Session.merge_environment_settings
        return functools.partial(self._merge, own) if is_usual else own

    def _merge(
        self,
        merge: _Merge,
        url: str,
        proxies: typing.Any,
        stream: typing.Any,
        verify: typing.Any,
        cert: typing.Any,
    ) -> dict[str, typing.Any]:
        environment = _proxy_environment()
        if environment is None or proxies:
            return merge(url, proxies, stream, verify, cert)
        inputs = (stream, verify, cert, self.trust_env, self.stream, self.verify, self.cert)
        # The proxies depend on the host and the port (requests 2.34, should_bypass_proxies).
        origin = "/".join(url.split("/", 3)[:3])
        found = self._merged.get(origin)
        if found is None or not found.is_for(inputs, self.proxies, environment):
            # Copies, because programs change both in place; before merging, so that a change
            # during it is noticed.
            before = (inputs, dict(self.proxies or {}), dict(environment))
            found = _Merged(*before, merge(url, proxies, stream, verify, cert))
            if len(self._merged) >= _MOST_ORIGINS:
                self._merged.clear()
            self._merged[origin] = found
        return found.copy()

    # requests-mock sets the next two on a session, and at the end leaves the methods of its class
    # there (requests-mock 1.12).

    @property
    def send(self) -> typing.Any:
        own = vars(self).get("send")
        usual = types.MethodType(type(typing.cast(typing.Any, self._viewed)).send, self._viewed)
        return super().send if own in (None, usual) else own

    @property
    def get_adapter(self) -> _GetAdapter:
        return self._get_adapter

    @get_adapter.setter
    def get_adapter(self, value: _GetAdapter) -> None:
        vars(self)["get_adapter"] = value

    def _get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        adapter = vars(self).get("get_adapter", super().get_adapter)(url)
        known = self._adapter_views.get(id(adapter))
        if known is None:
            if len(self._adapter_views) >= _MOST_ADAPTERS:
                self._adapter_views.clear()
            known = self._adapter_views[id(adapter)] = (adapter, _adapter_view_of(adapter))
        return known[1]


_GetAdapter = Callable[[str], requests.adapters.BaseAdapter]


def _http_view_of(session: requests.Session, view: type[_HttpView]) -> requests.Session:
    if not isinstance(session, requests.Session):
        raise _refused(type(session), "is not a requests session")
    made = typing.cast(_HttpView, _view_of(session, view))
    made._adapter_views, made._merged = {}, {}
    return made


_Merge = Callable[..., "dict[str, typing.Any]"]

# Maximum number of origins per session whose merged settings are kept.
_MOST_ORIGINS = 16


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class _Merged:
    """The settings of a request that requests merged, and everything that they depend on.

    :param inputs: the arguments and the settings of the session, compared by identity, because
        requests distinguishes True from 1.
    :param proxies: the proxies of the session.
    :param environment: all environment variables.
    :param settings: the result.
    """

    inputs: tuple[object, ...]
    proxies: Mapping[str, str]
    environment: Mapping[typing.Any, typing.Any]
    settings: Mapping[str, typing.Any]

    def is_for(
        self,
        inputs: tuple[object, ...],
        proxies: Mapping[str, str] | None,
        environment: Mapping[typing.Any, typing.Any],
    ) -> bool:
        """Return whether the settings would be the same now."""
        return (
            all(map(operator.is_, self.inputs, inputs))
            and self.proxies == (proxies or {})
            and self.environment == environment
        )

    def copy(self) -> dict[str, typing.Any]:
        """Return the settings with their own dict of proxies, which an adapter may change."""
        return {**self.settings, "proxies": copy.copy(self.settings["proxies"])}


def _proxy_environment() -> Mapping[typing.Any, typing.Any] | None:
    """Return all environment variables, or None if proxies do not come from them alone.

    That is so on Windows and macOS, and if a program has replaced the functions or ``os.environ``.
    The variables are returned as os.environ stores them, because comparing these takes two
    microseconds, and decoding each of them takes longer than what is saved.
    """
    used, plain = typing.cast(typing.Any, requests.utils), typing.cast(typing.Any, urllib.request)
    is_plain = (
        used.getproxies is plain.getproxies_environment
        and used.proxy_bypass is plain.proxy_bypass_environment
    )
    found = getattr(os.environ, "_data", None) if is_plain else None
    return found if isinstance(found, dict) else None


class _NoCookies(requests.cookies.RequestsCookieJar):
    """A cookie jar that stores no cookies."""

    def set_cookie(self, cookie: object, *args: object, **kwargs: object) -> None:
        pass


_NO_COOKIES = _NoCookies()


class _ImageHttpView(_HttpView):
    def request(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        token = _WRITE.set(_Write())
        try:
            return super().request(*args, **kwargs)
        finally:
            _WRITE.reset(token)

    @property
    def cookies(self) -> requests.cookies.RequestsCookieJar:  # type: ignore[override]
        # A cookie from one caller's response must not be sent in another caller's request. Also, a
        # cookie jar would send the cookies of the identity service to all ports of its host.
        return _NO_COOKIES


class _IdentityHttpView(_HttpView):
    def request(self, method: str, url: str, **kwargs: typing.Any) -> requests.Response:  # type: ignore[override]
        response = super().request(method, url, **kwargs)
        location = response.headers.get("location")
        if location is None or response.status_code not in _FOLLOWED:
            return response
        # keystoneauth will follow the redirect, and send the password or token.
        if not keeps_credentials_safe(url, location):
            response.close()
            raise exceptions.BadResponse(
                f"{method} {redact_url(url)} failed: the identity service redirected it to another"
                f" host or from https to http (HTTP {response.status_code}), which would get the"
                " credentials. Set auth_url to the actual URL of the identity service.",
                status=response.status_code,
            )
        return response


class _AdapterView(_View, requests.adapters.HTTPAdapter):
    def get_connection_with_tls_context(
        self, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        return _pool_view_of(super().get_connection_with_tls_context(*args, **kwargs))


def _adapter_view_of(adapter: requests.adapters.BaseAdapter) -> requests.adapters.BaseAdapter:
    if not isinstance(adapter, requests.adapters.HTTPAdapter):
        return adapter
    return _view_of(adapter, _AdapterView)


def _pool_view_of(pool: object) -> object:
    if not isinstance(pool, urllib3.connectionpool.HTTPConnectionPool):
        return pool
    return _view_of(pool, _PoolView)


# The value of an adapter without retries.
_NO_RETRIES = urllib3.util.Retry(0, read=False)


class _PoolView(_View, urllib3.connectionpool.HTTPConnectionPool):
    __slots__ = ("_factory",)

    _factory: ResponseFactory | None

    def urlopen(  # type: ignore[override]
        self,
        method: str,
        url: str,
        body: typing.Any = None,
        headers: typing.Any = None,
        retries: object = None,
        *args: typing.Any,
        **kwargs: typing.Any,
    ) -> urllib3.response.BaseHTTPResponse:
        # Retries of the adapter would send a write again whose response was lost, and wait beyond
        # the deadline. The library retries by itself.
        send = functools.partial(super().urlopen, method, url, body, headers, _NO_RETRIES)
        self._factory = None
        try:
            write = None if method in _SAFE_METHODS else _WRITE.get()
            return send(*args, **kwargs) if write is None else write.send(send, *args, **kwargs)
        except BaseException:
            # urllib3 does not close a response that it rejects, such as one with two lengths.
            if self._factory is not None:
                self._factory.close()
            raise

    def _get_conn(self, timeout: float | None = None) -> typing.Any:
        connection = super()._get_conn(timeout)
        self._factory = attach(connection)
        return connection

    def _put_conn(self, conn: typing.Any) -> None:
        detach(conn)
        super()._put_conn(conn)


_SAFE_METHODS = frozenset({"GET", "HEAD"})

# Responses after which requests sends a request again with credentials (HTTPDigestAuth).
_UNAUTHENTICATED = frozenset({401, 407})


class _Write:
    """A request that changes something: it is sent only once, even if an adapter retries it."""

    def __init__(self) -> None:
        self._failure: Exception | None = None

    def send(
        self,
        send: Callable[..., urllib3.response.BaseHTTPResponse],
        *args: typing.Any,
        **kwargs: typing.Any,
    ) -> urllib3.response.BaseHTTPResponse:
        """Send the request; if it was already sent, raise the exception of the first attempt."""
        if self._failure is not None:
            raise self._failure
        self._failure = urllib3.exceptions.ProtocolError("The request was already sent")
        try:
            response = send(*args, **kwargs)
        except Exception as error:
            self._failure = error
            raise
        if response.status in _UNAUTHENTICATED:
            self._failure = None
        return response


_WRITE: contextvars.ContextVar[_Write | None] = contextvars.ContextVar("write", default=None)
