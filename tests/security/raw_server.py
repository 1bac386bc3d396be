# SPDX-License-Identifier: Apache-2.0
"""Servers that send raw bytes from a test, at times that the test chooses."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing
from collections.abc import Callable, Iterator, Sequence

from glance_compat.fixture.servers.ports import unused

#: Bytes to send for a request, in parts with a pause between them. None closes the connection.
Parts = Sequence[bytes] | None


Own = typing.TypeVar("Own", bound="Listener")


class Listener:
    """Listens on a port of its own, and serves each connection in a thread.

    :param serve: serves one connection; its second argument is the number of the connection,
        from 1.
    """

    def __init__(self, serve: Callable[[socket.socket, int], None]) -> None:
        self._serve = serve
        # The process caches what it knows of the servers that had a port before.
        self._socket = unused(lambda: socket.create_server(("127.0.0.1", 0)))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self: Own) -> Own:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                number += 1
                threading.Thread(
                    target=self._serve_one, args=(connection, number), daemon=True
                ).start()

    def _serve_one(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection, number)


class Received(typing.NamedTuple):
    """One request.

    :param connection: the number of its connection, from 1.
    :param head: request line and headers.
    """

    connection: int
    method: str
    path: str
    head: str


class RawServer(Listener):
    """A server that sends the bytes that ``answer`` returns for a request.

    :param pause: seconds between two parts of a response.
    """

    def __init__(self, answer: Callable[[Received], Parts], pause: float = 0.0) -> None:
        super().__init__(self._answer_requests)
        self.received: list[Received] = []
        self._answer = answer
        self._pause = pause

    def methods(self) -> list[str]:
        """Return the methods of all requests, in order."""
        return [one.method for one in self.received]

    def _answer_requests(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as reader:
            for head in _heads(reader):
                method, path, _ = head.split(" ", 2)
                received = Received(number, method, path, head)
                self.received.append(received)
                parts = self._answer(received)
                if parts is None:
                    return
                send_slowly(connection, parts, self._pause)


class Line(Listener):
    """A slow line to a server: what a response has beyond a window of bytes arrives later.

    :param url: the URL of the server.
    :param window: number of bytes that arrive immediately.
    :param delay: seconds until the rest arrives.
    """

    def __init__(self, url: str, window: int, delay: float) -> None:
        super().__init__(self._relay)
        self._server = address_of(url)
        self._window = window
        self._delay = delay

    def _relay(self, client: socket.socket, _: int) -> None:
        with socket.create_connection(self._server) as server:
            threading.Thread(target=_requests, args=(client, server), daemon=True).start()
            # The server writes a header block with one call.
            while data := server.recv(1024 * 1024):
                parts = [data[: self._window], data[self._window :]]
                send_slowly(client, [part for part in parts if part], self._delay)


def _requests(client: socket.socket, server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := client.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)


def address_of(url: str) -> tuple[str, int]:
    """Return host and port of a URL that has both."""
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def send_slowly(connection: socket.socket, parts: Sequence[bytes], pause: float) -> None:
    """Send parts with a pause between them, in seconds."""
    for index, part in enumerate(parts):
        if index:
            time.sleep(pause)
        connection.sendall(part)


def _heads(reader: typing.BinaryIO) -> Iterator[str]:
    """Yield the heads of requests; discard their bodies."""
    lines: list[str] = []
    length = 0
    for line in reader:
        text = line.decode("latin-1")
        if text.lower().startswith("content-length:"):
            length = int(text.partition(":")[2])
        lines.append(text)
        if not text.strip():
            reader.read(length)
            yield "".join(lines)
            lines, length = [], 0
