# SPDX-License-Identifier: Apache-2.0
"""A long link: a proxy that delivers bytes later, and few of them at a time."""

from __future__ import annotations

import collections
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from benchmarks.targets import command, environment

#: Delay of a request with its response, in seconds: half of it in each direction.
ROUND_TRIP = 0.05

#: Maximum number of bytes of one connection that are on their way in one direction.
WINDOW_BYTES = 512 * 1024

_BLOCK_BYTES = 64 * 1024


class Link:
    """Forwards connections to a server until :meth:`close`.

    :param url: the URL of the server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}{parts.path}"

    def serve(self) -> None:
        """Accept connections until the link is closed."""
        while True:
            try:
                near, _ = self._socket.accept()
            except OSError:
                return
            far = socket.create_connection(self._server)
            for source, target in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _Direction(source, target).start()

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class _Direction:
    """One direction of a connection: blocks, each with the time when it arrives."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source = source
        self._target = target
        self._blocks: collections.deque[tuple[float, bytes]] = collections.deque()
        self._bytes = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        for work in (self._receive, self._send):
            threading.Thread(target=work, daemon=True).start()

    def _receive(self) -> None:
        block = b" "
        while block:
            try:
                block = self._source.recv(_BLOCK_BYTES)
            except OSError:
                block = b""
            with self._changed:
                while self._bytes >= WINDOW_BYTES:
                    self._changed.wait()
                self._blocks.append((time.monotonic() + ROUND_TRIP / 2, block))
                self._bytes += len(block)
                self._changed.notify_all()

    def _send(self) -> None:
        block = b" "
        while block:
            with self._changed:
                while not self._blocks:
                    self._changed.wait()
                due, block = self._blocks[0]
            time.sleep(max(0.0, due - time.monotonic()))
            with contextlib.suppress(OSError):
                if block:
                    self._target.sendall(block)
                else:
                    self._target.shutdown(socket.SHUT_WR)
            with self._changed:
                self._blocks.popleft()
                self._bytes -= len(block)
                self._changed.notify_all()


@contextlib.contextmanager
def started(url: str) -> Iterator[str]:
    """Start a link in a process of its own, and return its URL.

    :param url: the URL of the server.
    """
    with subprocess.Popen(
        command("link", url),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def main(url: str) -> None:
    """Forward until standard input ends; the first line of output is the URL."""
    link = Link(url)
    print(link.url, flush=True)
    threading.Thread(target=link.serve, daemon=True).start()
    sys.stdin.read()
