# SPDX-License-Identifier: Apache-2.0
"""Header blocks of v1: text as octets, damage that shows, and answers of more than 100 headers.

v1 carries metadata in headers, as raw UTF-8 octets both ways and never percent-encoded (seen on
Glance 15.0.2). Python's http.client speaks latin-1 and reads at most 100 headers of an answer.
"""

from __future__ import annotations

import http.client
import re
import typing
from collections.abc import Iterator, Sequence

import requests.adapters
import urllib3.connection
import urllib3.connectionpool

Headers = Sequence[tuple[str, str]]


def to_wire(text: str) -> str:
    """Spell text so that http.client, which encodes latin-1, sends its UTF-8 octets."""
    return text.encode("utf-8").decode("latin-1")


def from_wire(value: str) -> str:
    """Undo http.client's latin-1; text that is not UTF-8 after all stays as it is."""
    try:
        # Python 2, on which Glance 15.0.2 runs, writes half a surrogate pair as well.
        return value.encode("latin-1").decode("utf-8", "surrogatepass")
    except UnicodeError:
        return value


def is_too_long(error: BaseException | None) -> bool:
    """Whether an answer was not read because its header block is too long for http.client."""
    return any(
        isinstance(one, http.client.LineTooLong)
        or (isinstance(one, http.client.HTTPException) and "got more than" in str(one))
        for one in _chain(error, set())
    )


def _chain(error: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    """An exception with its causes; urllib3 and requests keep theirs in ``args``."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    inner = [error.__cause__, error.__context__, *error.args]
    for one in inner:
        if isinstance(one, BaseException):
            yield from _chain(one, seen)


# ---------------------------------------------------------------------------------------------
# The private connection.

_ASIDE = b"x-image-meta-property-"
_STATUS_OR_HEADER = re.compile(rb"HTTP/|[!-9;-~]+:")

# Of a header block: an empty line, or the end of the answer.
_ENDS = (b"\r\n", b"\n", b"")

# A server that sends header lines without end must not fill the memory, nor keep us reading.
_ASIDE_BYTES = 16 * 1024 * 1024
_BLOCK_BYTES = 64 * 1024 * 1024
_LINE_BYTES = 1024 * 1024


class _PropertiesAside:
    """A reader that hands http.client every header line but those of properties.

    http.client's limits are process-wide, so they stay; the lines that exceed them are kept here.
    Lines that are no headers, where http.client would stop reading the block, are left out: they
    are the rest of a property's value that holds a line break (seen on Glance 15.0.2). Properties
    that are too large to be kept are left out as well.
    """

    def __init__(self, reader: typing.BinaryIO) -> None:
        self.reader = reader
        self.lines: list[bytes] = []
        self.left_out = False
        self._kept = 0
        self._read = 0

    def readline(self, limit: int = -1) -> bytes:
        while True:
            line = self._line()
            if line not in _ENDS and not _STATUS_OR_HEADER.match(line):
                self.left_out = True
            elif line.lower().startswith(_ASIDE):
                self._keep(line)
            else:
                return line[:limit] if limit >= 0 else line

    def _line(self) -> bytes:
        """The next line, or its beginning where it is too long; the whole of it is read."""
        line = part = self._part()
        while len(part) == _LINE_BYTES and not part.endswith(b"\n"):
            part = self._part()
        return line

    def _part(self) -> bytes:
        part = self.reader.readline(_LINE_BYTES)
        self._read += len(part)
        if self._read > _BLOCK_BYTES:
            raise http.client.LineTooLong("header block")
        return part

    def _keep(self, line: bytes) -> None:
        self._kept += len(line)
        if self._kept > _ASIDE_BYTES or not line.endswith(b"\n"):
            self.left_out = True
        else:
            self.lines.append(line)

    def __getattr__(self, name: str) -> typing.Any:
        return getattr(self.reader, name)


class _LongAnswer(http.client.HTTPResponse):
    left_out = False

    def begin(self) -> None:
        aside = _PropertiesAside(typing.cast(typing.BinaryIO, self.fp))
        self.fp = typing.cast(typing.Any, aside)
        super().begin()
        if typing.cast(object, self.fp) is aside:
            self.fp = typing.cast(typing.Any, aside.reader)
        for line in aside.lines:
            name, _, value = line.decode("latin-1").rstrip("\r\n").partition(":")
            self.headers[name] = value.lstrip(" \t")
        self.left_out = aside.left_out


def is_defective(response: object) -> bool:
    """Whether a header block has lines that are no headers.

    :param response: the http.client response; anything else is taken for whole.
    """
    if not isinstance(response, http.client.HTTPResponse):
        return False
    message = response.msg
    return bool(getattr(response, "left_out", False) or message.defects or message.get_payload())


class _Connection(urllib3.connection.HTTPConnection):
    response_class = _LongAnswer


class _SecureConnection(urllib3.connection.HTTPSConnection):
    response_class = _LongAnswer


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class LongAnswerAdapter(requests.adapters.HTTPAdapter):
    """A requests transport that reads any number of property headers.

    It touches nothing process-wide and none of the caller's own adapters.
    """

    def init_poolmanager(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: typing.Any) -> typing.Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
