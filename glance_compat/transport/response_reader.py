# SPDX-License-Identifier: Apache-2.0
"""How answers are received: header blocks whole or not at all, and everything within its time.

http.client takes the end of a connection for the end of a header block, so that an answer to HEAD
that was cut between two properties looks whole. And a socket's time-out begins anew with every
octet, so that an answer may drip for ever.

What must live here: what reads an answer from a connection, and the way to it. The caller's
session, its transports and its pools are not altered. A call sees them through views: objects that
share their state, and differ in what a connection reads its answer with as long as the call has
it. Connections are the caller's own, and so are settings, proxies, certificates and subclasses. A
transport that is not made of requests', urllib3's and http.client's is used as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import io
import time
import typing
from collections.abc import Callable, Iterator

import requests
import requests.adapters
import urllib3.connectionpool
from keystoneauth1 import session as ksa_session

from glance_compat.transport.retry import Deadline

# What http.client allows for a line; urllib3 has no limit for that of a chunk's size.
_LINE_BYTES = 65536

Shown = typing.TypeVar("Shown")


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """How long an answer may take.

    :param silence: seconds without an octet, and without data: a header block, and the lines
        between two chunks of data, are whole after so many. It is the time-out of the request.
    :param deadline: until when an answer that begins now must be whole.
    """

    silence: float
    deadline: Callable[[], Deadline]


def within(session: ksa_session.Session, limits: Limits) -> ksa_session.Session:
    """A session as another, over the same connections, whose answers keep within limits."""
    return _view_of(session, _Keystone, limits) if _is_plain(session) else session


def _is_plain(session: ksa_session.Session) -> bool:
    return isinstance(session, ksa_session.Session) and isinstance(
        session.session, requests.Session
    )


# ---------------------------------------------------------------------------------------------
# Reading.


class _Source(io.RawIOBase):
    """What comes from a socket, octets within their time.

    :ivar in_headers: the connection may not end now.
    """

    def __init__(self, raw: io.RawIOBase, sock: typing.Any, limits: Limits) -> None:
        super().__init__()
        self.in_headers = False
        self._raw = raw
        self._sock = sock
        self._silence = self._timeout = limits.silence
        self._deadline = limits.deadline()
        self._in_lines = False
        self._lines_begun: float | None = None
        self._begun = False

    def expect_line(self) -> None:
        """What is read now is no data, and has to end."""
        self._in_lines = True

    def expect_data(self) -> None:
        """What is read now may come as slowly as it likes."""
        self._in_lines, self._lines_begun = False, None

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: typing.Any, /) -> int | None:
        self._wait_no_longer_than(min(self._silence, self._left()))
        count = typing.cast(typing.Any, self._raw).readinto(buffer)
        if count == 0 and self.in_headers and self._begun:
            raise http.client.RemoteDisconnected("Remote end closed connection in a header block")
        self._begun = True
        return typing.cast("int | None", count)

    def close(self) -> None:
        super().close()
        self._raw.close()

    def _wait_no_longer_than(self, seconds: float) -> None:
        if seconds <= 0:
            # As a socket says it.
            raise TimeoutError("timed out")
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds

    def _left(self) -> float:
        left = self._deadline.remaining()
        if not self._in_lines:
            return left
        now = time.monotonic()
        if self._lines_begun is None:
            self._lines_begun = now
        return min(left, self._lines_begun + self._silence - now)


class _Reader(io.BufferedReader):
    """Tells its source what is read: http.client and urllib3 read lines of all but data."""

    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self._source = source

    def readline(self, size: int | None = -1, /) -> bytes:
        self._source.expect_line()
        if size is not None and size >= 0:
            return super().readline(size)
        line = super().readline(_LINE_BYTES + 1)
        if len(line) > _LINE_BYTES:
            raise http.client.LineTooLong("chunk size")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        self._source.expect_data()
        return super().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        self._source.expect_data()
        return super().read1(size)

    def readinto(self, buffer: typing.Any, /) -> int:
        self._source.expect_data()
        return super().readinto(buffer)

    @contextlib.contextmanager
    def header_block(self) -> Iterator[None]:
        """Where the connection may not end."""
        self._source.in_headers = True
        yield
        self._source.in_headers = False


class _Response(http.client.HTTPResponse):
    def begin(self) -> None:
        reader = typing.cast(object, self.fp)
        with reader.header_block() if isinstance(reader, _Reader) else contextlib.nullcontext():
            super().begin()


class _Receiver:
    """What a connection makes a response with, in place of its ``response_class``."""

    def __init__(self, kind: type[http.client.HTTPResponse], limits: Limits) -> None:
        self.kind = kind
        self._limits = limits
        self._response: http.client.HTTPResponse | None = None

    def __call__(
        self, sock: typing.Any, *args: typing.Any, **kwargs: typing.Any
    ) -> http.client.HTTPResponse:
        response: http.client.HTTPResponse = _derived(_Response, self.kind)(sock, *args, **kwargs)
        file = typing.cast(object, response.fp)
        if isinstance(file, io.BufferedReader):
            source = _Source(file.detach(), sock, self._limits)
            response.fp = typing.cast(typing.Any, _Reader(source))
        self._response = response
        return response

    def close(self) -> None:
        """Close what was made last."""
        if self._response is not None:
            self._response.close()


def _attach(connection: typing.Any, limits: Limits) -> _Receiver | None:
    kind = getattr(connection, "response_class", None)
    if not (isinstance(kind, type) and issubclass(kind, http.client.HTTPResponse)):
        return None
    receiver = connection.response_class = _Receiver(kind, limits)
    return receiver


def _detach(connection: typing.Any) -> None:
    receiver = getattr(connection, "response_class", None)
    if isinstance(receiver, _Receiver):
        connection.response_class = receiver.kind


# ---------------------------------------------------------------------------------------------
# The way there.


class _View:
    """Shares the state of what it shows; its own attributes are in slots."""

    __slots__ = ("_receiving_limits", "_receiving_shown")

    _receiving_limits: Limits
    #: What it shows lives as long: pools close their connections when they are not used any more.
    _receiving_shown: object


@functools.lru_cache(maxsize=128)
def _derived(view: type, kind: type) -> typing.Any:
    if issubclass(kind, view):
        return kind
    make: typing.Any = type(kind)
    return make(kind.__name__, (view, kind), {"__module__": kind.__module__})


def _view_of(shown: Shown, view: type[_View], limits: Limits) -> Shown:
    try:
        made = object.__new__(_derived(*typing.cast(typing.Any, (view, type(shown)))))
        made.__dict__ = shown.__dict__
    except (AttributeError, TypeError):
        # Of a class that permits none that is derived from it.
        return shown
    made._receiving_limits, made._receiving_shown = limits, shown
    return typing.cast(Shown, made)


class _Keystone(_View, ksa_session.Session):
    @property
    def session(self) -> requests.Session:  # type: ignore[override]
        shown: requests.Session = vars(self)["session"]
        return _view_of(shown, _Session, self._receiving_limits)

    def __del__(self) -> None:
        # keystoneauth's own closes connections here, which are those of the session that is shown.
        pass


class _Session(_View, requests.Session):
    def get_adapter(self, url: str) -> requests.adapters.BaseAdapter:
        adapter = super().get_adapter(url)
        if not isinstance(adapter, requests.adapters.HTTPAdapter):
            return adapter
        return _view_of(adapter, _Adapter, self._receiving_limits)


class _Adapter(_View, requests.adapters.HTTPAdapter):
    def get_connection_with_tls_context(
        self, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        return self._seen(super().get_connection_with_tls_context(*args, **kwargs))

    def get_connection(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        # What requests before 2.32.2 asks for.
        return self._seen(super().get_connection(*args, **kwargs))

    def _seen(self, pool: object) -> object:
        if not isinstance(pool, urllib3.connectionpool.HTTPConnectionPool):
            return pool
        return _view_of(pool, _Pool, self._receiving_limits)


class _Pool(_View, urllib3.connectionpool.HTTPConnectionPool):
    __slots__ = ("_receiving_receiver",)

    _receiving_receiver: _Receiver | None

    def urlopen(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        self._receiving_receiver = None
        try:
            return super().urlopen(*args, **kwargs)
        except BaseException:
            # urllib3 leaves an answer that it refuses, one with two lengths for example, open.
            if self._receiving_receiver is not None:
                self._receiving_receiver.close()
            raise

    def _get_conn(self, timeout: float | None = None) -> typing.Any:
        connection = super()._get_conn(timeout)
        self._receiving_receiver = _attach(connection, self._receiving_limits)
        return connection

    def _put_conn(self, conn: typing.Any) -> None:
        _detach(conn)
        super()._put_conn(conn)
