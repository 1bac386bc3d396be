# SPDX-License-Identifier: Apache-2.0
"""Read responses from connections: with any number of headers, and within time limits.

http.client has four limitations that this module removes:

- It reads at most 100 headers, but v1 sends one header for each property of an image.
- It treats the end of a connection as the end of the headers, so a response to HEAD that was cut
  off between two properties looks complete.
- The timeout of a socket restarts with every byte, so a slow response may take forever.
- It skips only interim responses with status 100, and any number of them; it treats every other
  1xx response as final.

What must live here: the classes that read one response from one connection. What must not: making
the connections of the caller's session use them (see ``sessions``), and the meaning of headers. No
process-wide setting of http.client is changed.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import functools
import http.client
import io
import re
import time
import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.redaction import describe_error
from glance_compat.transport.retry import Deadline

# Limits for headers, so that a server that sends them without end cannot fill the memory or keep
# the call busy forever.
_HEADER_BYTES = 1024 * 1024
_HEADERS_BYTES = 16 * 1024 * 1024
_HEADERS = 65536
_BLOCK_BYTES = 64 * 1024 * 1024
_INTERIM_RESPONSES = 100
_LENGTH_CHARACTERS = 64

_HEADER = re.compile(rb"([!-9;-~]+):[^\r]*\r?\n")
# The empty line at the end of the headers, or the end of the response.
_BLOCK_ENDS = (b"\r\n", b"\n", b"")
_IMAGE_HEADER = b"x-image-meta-"
# The headers that http.client uses to find the end of a response.
_FRAMING = frozenset(
    {b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"transfer-encoding"}
)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of a response, and whether its connection may be reused.

    :param stall_timeout: maximum time without a byte, in seconds. The status line with all
        headers, and the lines between two chunks of data, must be complete within this time.
    :param deadline: a function that returns the deadline for a response that starts now.
    :param keep_v1_connections: whether to reuse a connection after a response with image headers.
    """

    stall_timeout: float
    deadline: Callable[[], Deadline]
    keep_v1_connections: bool = False


_LIMITS: contextvars.ContextVar[Limits | None] = contextvars.ContextVar("limits", default=None)


@contextlib.contextmanager
def limits_in_force(limits: Limits) -> Iterator[None]:
    """Apply limits to the responses of all requests that this thread sends in the context."""
    token = _LIMITS.set(limits)
    try:
        yield
    finally:
        _LIMITS.reset(token)


def is_damaged(response: object) -> bool:
    """Return whether there were lines between the headers of a response that are not headers.

    :param response: the http.client response. For an object of another type the result is False.
    """
    if not isinstance(response, http.client.HTTPResponse):
        return False
    message = response.msg
    return bool(getattr(response, "damaged", False) or message.defects or message.get_payload())


class _TimedSocket(io.RawIOBase):
    """A raw stream that reads from a socket within time limits.

    :param raw: the raw stream of the socket.
    :param sock: the socket, whose timeout is set.
    :param limits: the time limits.
    :ivar in_headers: whether headers are being read; if so, the end of the connection is an error.
    """

    def __init__(self, raw: io.RawIOBase, sock: typing.Any, limits: Limits) -> None:
        super().__init__()
        self.in_headers = False
        self._raw = raw
        self._sock = sock
        self._stall_timeout = self._timeout = limits.stall_timeout
        self._deadline = limits.deadline()
        self._deadline.begin_response(sock)
        self._in_framing = False
        self._framing_begun: float | None = None
        self._received = False

    def begin_framing(self) -> None:
        """Limit the total time of all reads from now on, which are lines of HTTP and not data."""
        self._in_framing = True

    def begin_data(self) -> None:
        """Limit only the time without a byte from now on, because data is read."""
        self._in_framing, self._framing_begun = False, None

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: typing.Any, /) -> int | None:
        self._limit_wait(min(self._stall_timeout, self._left()))
        count = typing.cast(typing.Any, self._raw).readinto(buffer)
        if count == 0 and self.in_headers and self._received:
            raise http.client.RemoteDisconnected("Remote end closed connection in a header block")
        self._received = True
        return typing.cast("int | None", count)

    def close(self) -> None:
        self._deadline.end_response()
        super().close()
        self._raw.close()

    def _limit_wait(self, seconds: float) -> None:
        if seconds <= 0:
            # The same exception that a socket raises after its timeout.
            raise TimeoutError("timed out")
        if seconds != self._timeout:
            self._sock.settimeout(seconds)
            self._timeout = seconds

    def _left(self) -> float:
        left = self._deadline.remaining()
        if not self._in_framing:
            return left
        now = time.monotonic()
        if self._framing_begun is None:
            self._framing_begun = now
        return min(left, self._framing_begun + self._stall_timeout - now)


class _ResponseStream(io.BufferedReader):
    """The bytes of a response.

    It distinguishes data from lines of HTTP by the method that is called: http.client and urllib3
    call ``readline`` for everything except data.
    """

    def __init__(self, source: _TimedSocket) -> None:
        super().__init__(source)
        self._source = source

    def readline(self, size: int | None = -1, /) -> bytes:
        self._source.begin_framing()
        return super().readline(size)

    def read(self, size: int | None = -1, /) -> bytes:
        self._source.begin_data()
        return super().read(size)

    def read1(self, size: int = -1, /) -> bytes:
        self._source.begin_data()
        return super().read1(size)

    def readinto(self, buffer: typing.Any, /) -> int:
        self._source.begin_data()
        return super().readinto(buffer)

    @contextlib.contextmanager
    def header_block(self) -> Iterator[_HeaderBlock]:
        """Return a reader for the status line and headers; the connection must not end in them."""
        self._source.in_headers = True
        self._source.begin_framing()
        yield _HeaderBlock(super().readline)
        self._source.in_headers = False


class _HeaderBlock:
    """A reader for the status line and headers that passes only some of the lines to http.client.

    http.client gets the status line and the headers that it needs to find the end of the response.
    All other headers are stored here, because http.client's limit of their number is process-wide
    and is not changed.

    Interim responses are skipped. Lines that are not headers are skipped too, because http.client
    would stop at the first of them; they come from property values with line breaks (verified on
    Glance 15.0.2). Headers beyond the limits of size and number are skipped as well.

    :param read_line: reads one line; its argument is the maximum number of bytes.
    :ivar headers: the lines of the stored headers.
    :ivar damaged: whether lines were skipped, other than those of interim responses.
    :ivar has_image: whether there are headers of a v1 image.
    """

    def __init__(self, read_line: Callable[[int], bytes]) -> None:
        self.headers: list[bytes] = []
        self.damaged = self.has_image = False
        self._read_line = read_line
        self._status_read = False
        self._kept_bytes = 0
        self._bytes = 0

    def readline(self, limit: int = -1) -> bytes:
        """Return the next line for http.client, cut to the limit that it passes."""
        line = self._next_line() if self._status_read else self._status_line()
        return line[:limit] if limit >= 0 else line

    def close(self) -> None:
        """Do nothing: http.client closes the stream itself."""

    def flush(self) -> None:
        """Do nothing: http.client flushes a response that it closes in an interrupt."""

    def _status_line(self) -> bytes:
        for _ in range(_INTERIM_RESPONSES):
            line = self._line()
            if not _is_interim(line):
                self._status_read = True
                return line
            while self._line() not in _BLOCK_ENDS:
                pass
        raise http.client.BadStatusLine(f"more than {_INTERIM_RESPONSES} interim responses")

    def _next_line(self) -> bytes:
        while (line := self._line()) not in _BLOCK_ENDS:
            header = _HEADER.fullmatch(line)
            if header is None:
                self.damaged = True
            elif header[1].lower() in _FRAMING:
                return line
            else:
                self._keep(line)
        return line

    def _line(self) -> bytes:
        """Read the next line completely; return it, or only its start if it is too long."""
        line = part = self._part()
        while len(part) == _HEADER_BYTES and not part.endswith(b"\n"):
            part = self._part()
        return line

    def _part(self) -> bytes:
        part = self._read_line(_HEADER_BYTES)
        self._bytes += len(part)
        if self._bytes > _BLOCK_BYTES:
            raise http.client.LineTooLong("header block")
        return part

    def _keep(self, line: bytes) -> None:
        self.has_image = self.has_image or line[: len(_IMAGE_HEADER)].lower() == _IMAGE_HEADER
        self._kept_bytes += len(line)
        if self._kept_bytes > _HEADERS_BYTES or len(self.headers) >= _HEADERS:
            self.damaged = True
        else:
            self.headers.append(line)


def _refuse_long_numbers(headers: http.client.HTTPMessage) -> None:
    """Raise an exception if Content-Length has very many digits.

    Python needs quadratic time to convert them, or rejects them.
    """
    if any(len(value) > _LENGTH_CHARACTERS for value in headers.get_all("content-length", ())):
        raise http.client.HTTPException("Content-Length is too long")


def _is_interim(status_line: bytes) -> bool:
    """Return whether a status line is that of an interim response, which a final one follows.

    101 is not interim: another protocol would follow it.
    """
    parts = status_line.split(None, 2)
    return len(parts) > 1 and len(parts[1]) == 3 and parts[1][:1] == b"1" and parts[1] != b"101"


class _Response(http.client.HTTPResponse):
    """An http.client response that reads its headers with :class:`_HeaderBlock`."""

    damaged = False
    keeps_v1_connections = False

    def begin(self) -> None:
        stream = typing.cast(object, self.fp)
        if not isinstance(stream, _ResponseStream):
            super().begin()
            return
        with stream.header_block() as block:
            self.fp = typing.cast(typing.Any, block)
            try:
                super().begin()
            finally:
                self.fp = typing.cast(typing.Any, stream)
        _refuse_long_numbers(self.headers)
        if self.status < 200:
            raise http.client.BadStatusLine(f"final response with interim status {self.status}")
        for line in block.headers:
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            self.headers[name] = value.lstrip(" \t")
        self.damaged = block.damaged
        if block.damaged or self._is_ambiguous() or self._may_continue(block):
            self.will_close = True

    def _is_ambiguous(self) -> bool:
        """Return whether programs could disagree about the end of the response.

        The end is ambiguous if there is more than one Content-Length or Transfer-Encoding.
        """
        names = ("content-length", "transfer-encoding")
        return sum(len(self.headers.get_all(name, ())) for name in names) > 1

    def _may_continue(self, block: _HeaderBlock) -> bool:
        """Return whether more bytes of this response may arrive, which look like another response.

        A property value may contain the end of the headers and a forged response. The client
        cannot tell whether more bytes will arrive, so the connection must not be reused.
        """
        return block.has_image and not self.keeps_v1_connections


class ResponseFactory:
    """Creates the responses of a connection, as a replacement of its ``response_class``.

    :param response_class: the original ``response_class`` of the connection.
    :param limits: the time limits of the responses.
    :raises glance_compat.exceptions.InvalidOption: ``response_class`` cannot be subclassed.
    """

    def __init__(self, response_class: type[http.client.HTTPResponse], limits: Limits) -> None:
        self.response_class = response_class
        self._reading_class = _reading_class(response_class)
        self._limits = limits
        self._response: http.client.HTTPResponse | None = None

    def __call__(
        self, sock: typing.Any, *args: typing.Any, **kwargs: typing.Any
    ) -> http.client.HTTPResponse:
        response = self._reading_class(sock, *args, **kwargs)
        file = typing.cast(object, response.fp)
        if isinstance(file, io.BufferedReader):
            source = _TimedSocket(file.detach(), sock, self._limits)
            response.fp = typing.cast(typing.Any, _ResponseStream(source))
        response.keeps_v1_connections = self._limits.keep_v1_connections
        self._response = response
        return response

    def close(self) -> None:
        """Close the response that was created last."""
        if self._response is not None:
            self._response.close()


@functools.lru_cache(maxsize=16)
def _reading_class(response_class: type[http.client.HTTPResponse]) -> type[_Response]:
    if issubclass(response_class, _Response):
        return response_class
    return typing.cast("type[_Response]", derived_class(_Response, response_class, {}))


def derived_class(first: type, own: type, attributes: dict[str, typing.Any]) -> type:
    """Return a class that is derived from two others, with the name of the second.

    :raises glance_compat.exceptions.InvalidOption: the second class cannot be subclassed.
    """
    metaclass: typing.Any = type(own)
    try:
        return typing.cast(type, metaclass(own.__name__, (first, own), attributes))
    except TypeError as error:
        raise exceptions.InvalidOption(
            f"the session cannot be used: {own.__module__}.{own.__qualname__} cannot be subclassed"
            f" ({describe_error(error, ('builtins',))}). Responses would then be read without"
            " limits. Use a class that can be subclassed."
        ) from None


def is_read_without_limits(response: object) -> bool:
    """Return whether a connection was read without this module, although limits are in force.

    :param response: the urllib3 response. For an object of another type the result is False, and
        for a response that no connection pool received, as in tests.
    """
    original = getattr(response, "_original_response", None)
    is_plain = isinstance(original, http.client.HTTPResponse) and not isinstance(
        original, _Response
    )
    is_received = getattr(response, "_pool", None) is not None
    return is_plain and is_received and _LIMITS.get() is not None


def attach(connection: typing.Any) -> ResponseFactory | None:
    """Make a connection read its next responses with this module, within the current limits.

    :param connection: a connection of urllib3.
    :returns: the factory of the responses, or None if there are no current limits or if the
        connection does not use http.client.
    """
    limits = _LIMITS.get()
    own = getattr(connection, "response_class", None)
    if limits is None or not (isinstance(own, type) and issubclass(own, http.client.HTTPResponse)):
        return None
    factory = connection.response_class = ResponseFactory(own, limits)
    return factory


def detach(connection: typing.Any) -> None:
    """Undo :func:`attach`: restore the ``response_class`` of a connection."""
    factory = getattr(connection, "response_class", None)
    if isinstance(factory, ResponseFactory):
        connection.response_class = factory.response_class
