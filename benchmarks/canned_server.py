# SPDX-License-Identifier: Apache-2.0
"""A server that costs as little as possible: canned responses over plain sockets.

It looks at the request line and at how long the body is, and at nothing else. Every request is
allowed, whatever its token.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs

from benchmarks import bodies
from benchmarks.bodies import Bodies

#: Bytes received at a time while data is thrown away.
_SINK_BYTES = 1024 * 1024

#: Lists that leave out what every image here is.
_ASKS_FOR_OTHERS = re.compile(rb"visibility=community|os_hidden=[Tt]rue|deleted=[Tt]rue")

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_V1_ID = re.compile(rb"\r\nx-image-meta-id: *(\S+)", re.IGNORECASE)


def response(
    status: str, body: bytes = b"", headers: Iterable[tuple[str, str]] = (), *, length: int = -1
) -> bytes:
    """Return a whole response.

    :param length: bytes that the body has; default: those of ``body``.
    """
    kind = "application/json" if body else "application/octet-stream"
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}"]
    head += [f"{name}: {value}" for name, value in headers]
    head += [f"Content-Length: {len(body) if length < 0 else length}"]
    head += ["x-openstack-request-id: req-00000000-0000-4000-8000-000000000000", "", ""]
    return "\r\n".join(head).encode("latin-1") + body


class CannedServer:
    """Serves until :meth:`close`, each connection in a thread.

    :param images: images in the list.
    :param size: bytes of the data of each.
    :param awkward: see :class:`benchmarks.bodies.Bodies`.
    """

    def __init__(self, images: int, size: int, *, awkward: bool = False) -> None:
        self._bodies = Bodies(images, size, awkward=awkward)
        #: Request line to whole response.
        self._ready: dict[bytes, bytes] = {}
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self) -> None:
        """Accept connections until the server is closed."""
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._converse, args=(peer,), daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _converse(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(ConnectionError):
            received = _Received(peer)
            while (head := received.head()) is not None:
                closing = _CLOSE.search(head) is not None
                self._respond(peer, head, received, closing=closing)
                if closing:
                    return

    def _respond(
        self, peer: socket.socket, head: bytes, received: _Received, *, closing: bool
    ) -> None:
        line = head[: head.index(b"\r\n")]
        if not line.startswith((b"GET", b"HEAD")):
            found = self._written(line, head, received.body(head))
        elif line in self._ready:
            found = self._ready[line]
        else:
            found = self._ready[line] = self._read(line)
        if closing:
            found = found.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        peer.sendall(found)
        if line.startswith(b"GET") and _is_data(line):
            for block in bodies.data(self._bodies.size):
                peer.sendall(block)

    def _read(self, line: bytes) -> bytes:
        """Return the response to a GET or HEAD, of data the head alone."""
        path, _, query = line.split(b" ")[1].partition(b"?")
        parts = path.decode().strip("/").split("/")
        if parts == [""]:
            return response("300 Multiple Choices", bodies.versions())
        if parts[:2] == ["v2", "schemas"]:
            return response("200 OK", bodies.schema())
        if parts[1:] in (["images"], ["images", "detail"]):
            return response("200 OK", self._page(parts[0], query))
        if _is_data(line) or parts[0] == "v1":
            return self._data_head(parts, is_head=line.startswith(b"HEAD"))
        return response("200 OK", json.dumps(self._bodies.v2(parts[2])).encode())

    def _data_head(self, parts: list[str], *, is_head: bool) -> bytes:
        if parts[0] == "v2":
            headers = {"Content-MD5": self._bodies.md5}
        else:
            headers = self._bodies.v1_headers(parts[2])
        length = 0 if is_head else self._bodies.size
        return response("200 OK", headers=headers.items(), length=length)

    def _page(self, api: str, query: bytes) -> bytes:
        if _ASKS_FOR_OTHERS.search(query):
            return b'{"images": [], "first": "/v2/images", "schema": "/v2/schemas/images"}'
        asked = parse_qs(query.decode())
        size = min(int(asked.get("limit", [bodies.USUAL_PAGE])[0]), bodies.LARGEST_PAGE)
        marker = asked.get("marker")
        start = 0 if marker is None else bodies.number_of(marker[0]) + 1
        return self._bodies.page(api, start, size)

    def _written(self, line: bytes, head: bytes, body: bytes) -> bytes:
        """Return the response to anything else than GET and HEAD."""
        if not line.startswith(b"POST"):
            return response("200 OK" if b" /v1/" in line else "204 No Content")
        if line.startswith(b"POST /v1"):
            named = _V1_ID.search(head)
            image = named.group(1).decode() if named else bodies.image_id(0)
            created: dict[str, Any] = {"image": {**self._bodies.v1(image), **bodies.RECORD}}
        else:
            image = json.loads(body).get("id", bodies.image_id(0))
            created = {**self._bodies.v2(image, "queued"), **bodies.RECORD}
        return response("201 Created", json.dumps(created).encode())


def _is_data(line: bytes) -> bool:
    path = line.split(b" ")[1].partition(b"?")[0]
    return path.endswith(b"/file") or (
        path.startswith(b"/v1/images/") and path != b"/v1/images/detail"
    )


class _Received:
    """What a connection receives, cut into requests."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._left = b""
        self._sink = bytearray(_SINK_BYTES)

    def head(self) -> bytes | None:
        """Return the next head with its empty line, or None at the end of the connection."""
        return self._until(b"\r\n\r\n")

    def body(self, head: bytes) -> bytes:
        """Return the body that follows a head; of one above a block only its first bytes."""
        if _CHUNKED.search(head):
            return self._chunks()
        length = _LENGTH.search(head)
        return self._take(int(length.group(1))) if length else b""

    def _until(self, mark: bytes) -> bytes | None:
        while (end := self._left.find(mark)) < 0:
            more = self._peer.recv(64 * 1024)
            if not more:
                return None
            self._left += more
        found, self._left = self._left[: end + len(mark)], self._left[end + len(mark) :]
        return found

    def _chunks(self) -> bytes:
        first = b""
        while (line := self._until(b"\r\n")) is not None:
            size = int(line, 16)
            chunk = self._take(size + 2)
            if size == 0:
                break
            first = first or chunk[:-2]
        return first

    def _take(self, length: int) -> bytes:
        """Receive so many bytes; return those that fit into a block."""
        first, self._left = self._left[:length], self._left[length:]
        missing = length - len(first)
        while missing:
            got = self._peer.recv_into(self._sink, min(missing, _SINK_BYTES))
            if not got:
                raise ConnectionError("the client went away")
            if len(first) < bodies.BLOCK_BYTES:
                first += self._sink[:got]
            missing -= got
        return first


def main(images: int, size: int, *, awkward: bool) -> None:
    """Serve until standard input ends; the first line of output is the URL."""
    server = CannedServer(images, size, awkward=awkward)
    print(server.url, flush=True)
    threading.Thread(target=server.serve, daemon=True).start()
    sys.stdin.read()
