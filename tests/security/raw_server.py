# SPDX-License-Identifier: Apache-2.0
"""A server that sends bytes as a test wrote them, over connections that stay open."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing
from collections.abc import Callable, Iterator, Sequence

#: Bytes to send for a request, in parts with a pause between them.
Parts = Sequence[bytes]


class Received(typing.NamedTuple):
    """One request.

    :param connection: the number of its connection, from 1.
    :param head: request line and headers.
    """

    connection: int
    method: str
    path: str
    head: str


class RawServer:
    """Answers each request with what ``answer`` returns for it.

    :param pause: seconds between two parts of a response.
    """

    def __init__(self, answer: Callable[[Received], Parts], pause: float = 0.0) -> None:
        self.received: list[Received] = []
        self._answer = answer
        self._pause = pause
        self._connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> RawServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self._connections += 1
                threading.Thread(
                    target=self._serve, args=(connection, self._connections), daemon=True
                ).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for head in _heads(reader):
                method, path, _ = head.split(" ", 2)
                received = Received(number, method, path, head)
                self.received.append(received)
                for index, part in enumerate(self._answer(received)):
                    if index:
                        time.sleep(self._pause)
                    connection.sendall(part)


def _heads(reader: typing.BinaryIO) -> Iterator[str]:
    """Yield the heads of requests; their bodies are read and forgotten."""
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
