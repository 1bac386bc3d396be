# SPDX-License-Identifier: Apache-2.0
"""Run ``glance-compat serve`` under invented requests and slow clients, and watch its memory.

``python -m tests.security.endurance`` sends 20,000 requests while 200 slow clients are connected.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.security.invented_requests import IMAGE, invented

#: Size of the image that slow clients download, in bytes.
_SIZE = 8 * 1024 * 1024
#: Bytes of memory that a new image may take; the invented requests create images.
_PER_IMAGE = 6 * 1024
#: Invented requests between two requests of an honest client.
_HONEST = 100
#: Seconds that a client waits for the server.
_PATIENCE = 30

_HEAD = b"Host: 127.0.0.1\r\nX-Auth-Token: any\r\n"
#: What slow clients begin with: nothing, a part of a request, or a whole one whose response they
#: do not read.
_BEGINNINGS = (
    b"",
    b"GET /v2/ima",
    b"GET /v2/images HTTP/1.1\r\n" + _HEAD + b"X-Slow: ",
    b"POST /v2/images HTTP/1.1\r\n"
    + _HEAD
    + b'Content-Type: application/json\r\nContent-Length: 99999\r\n\r\n{"name": "',
    b"GET /v2/images/" + IMAGE.encode() + b"/file HTTP/1.1\r\n" + _HEAD + b"\r\n",
)


@dataclass
class Found:
    """The outcome of a run.

    :ivar answered: number of invented requests that had a response.
    :ivar honest: seconds that each request of an honest client took.
    :ivar images: number of images at the end.
    :ivar before: memory after the first invented requests, in bytes.
    :ivar after: memory at the end, in bytes.
    :ivar slow_connected: number of slow clients that were connected at the end.
    :ivar code: exit code of the program after SIGTERM.
    :ivar stderr: what the program wrote to stderr.
    """

    answered: int
    honest: list[float]
    images: int
    before: int
    after: int
    slow_connected: int
    code: int = 0
    stderr: str = ""

    @property
    def growth(self) -> int:
        """Growth of the memory beyond that of new images, in bytes."""
        return self.after - self.before - self.images * _PER_IMAGE


class _SlowClients:
    """Clients that send a byte from time to time, in one thread."""

    def __init__(self, address: tuple[str, int], count: int) -> None:
        self._sockets = [
            socket.create_connection(address, timeout=_PATIENCE) for _ in range(count)
        ]
        for number, client in enumerate(self._sockets):
            client.sendall(_BEGINNINGS[number % len(_BEGINNINGS)])
            client.setblocking(False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    @property
    def connected(self) -> int:
        """The number of clients that the server has not disconnected."""
        return len(self._sockets)

    def _drip(self) -> None:
        while not self._ended.wait(1):
            for number, client in enumerate(list(self._sockets)):
                # Those that send nothing or a whole request stay silent.
                if number % len(_BEGINNINGS) in (1, 2, 3):
                    try:
                        client.send(b"x")
                    except OSError:
                        self._sockets.remove(client)

    def __enter__(self) -> _SlowClients:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for client in self._sockets:
            client.close()


def run(requests: int, slow: int, release: str) -> Found:
    """Run the program.

    :param requests: number of invented requests.
    :param slow: number of slow clients, which are connected all the time.
    """
    with _serving(release) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        parts = urlsplit(url)
        address = (parts.hostname or "", parts.port or 0)
        _create_image(url)
        with _SlowClients(address, slow) as clients:
            found = _Run(url, address, program.pid).send(requests)
            found.slow_connected = clients.connected
        program.terminate()
        _, found.stderr = program.communicate(timeout=_PATIENCE)
        found.code = program.returncode
    return found


@contextlib.contextmanager
def _serving(release: str) -> Iterator[subprocess.Popen[str]]:
    arguments = ["serve", "--release", release, "--export", "none"]
    with subprocess.Popen(
        [sys.executable, "-m", "glance_compat.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def _create_image(url: str) -> None:
    headers = {"X-Auth-Token": "any"}
    meta = {"id": IMAGE, "disk_format": "raw", "container_format": "bare", "protected": True}
    made = requests.post(f"{url}/v2/images", json=meta, headers=headers, timeout=_PATIENCE)
    made.raise_for_status()
    sent = requests.put(
        f"{url}/v2/images/{IMAGE}/file",
        data=b"x" * _SIZE,
        headers={**headers, "Content-Type": "application/octet-stream"},
        timeout=_PATIENCE,
    )
    sent.raise_for_status()


class _Run:
    """The invented requests to one server, with honest requests in between."""

    def __init__(self, url: str, address: tuple[str, int], process: int) -> None:
        self._url, self._address, self._process = url, address, process
        self._session = requests.Session()
        self._session.headers["X-Auth-Token"] = "root:project:admin"

    def send(self, count: int) -> Found:
        """Send all requests, one after the other, each over a connection of its own."""
        found = Found(0, [], 0, 0, 0, 0)
        for number, raw in enumerate(invented(14, count)):
            if number % _HONEST == 0:
                found.honest.append(self._honest())
            # The first requests import modules and fill caches.
            if number == count // 5:
                found.before, found.images = self._memory(), -self._count()
            found.answered += self._exchange(raw)
        found.after, found.images = self._memory(), found.images + self._count()
        return found

    def _exchange(self, raw: bytes) -> bool:
        """Send bytes; return whether there was a response."""
        with socket.create_connection(self._address, timeout=_PATIENCE) as client:
            received = b""
            with contextlib.suppress(ConnectionError):
                client.sendall(raw)
                client.shutdown(socket.SHUT_WR)
                while block := client.recv(65536):
                    received = received or block
        return received.startswith(b"HTTP/1.1 ")

    def _honest(self) -> float:
        begun = time.monotonic()
        answer = self._session.get(f"{self._url}/v2/images?limit=10", timeout=_PATIENCE)
        answer.raise_for_status()
        return time.monotonic() - begun

    def _count(self) -> int:
        """Return the number of images."""
        count, path = 0, "/v2/images?limit=1000"
        while path:
            page = self._session.get(self._url + path, timeout=_PATIENCE).json()
            count, path = count + len(page["images"]), page.get("next")
        return count

    def _memory(self) -> int:
        """Return the resident memory of the server, in bytes."""
        text = Path(f"/proc/{self._process}/status").read_text()
        [line] = [line for line in text.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024


def main() -> None:
    """Run from the command line, and print the outcome."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.security.endurance", description=__doc__
    )
    parser.add_argument("--requests", type=int, default=20_000, help="default: %(default)s")
    parser.add_argument("--slow", type=int, default=200, help="default: %(default)s")
    parser.add_argument("--release", default="33", help="default: %(default)s")
    options = parser.parse_args()
    found = run(options.requests, options.slow, options.release)
    worst = sorted(found.honest)
    before, after = (size / 2**20 for size in (found.before, found.after))
    lines = (
        f"{options.requests:,} invented requests, {found.answered:,} had a response",
        f"{options.slow} slow clients, {found.slow_connected} connected at the end",
        f"honest requests: median {worst[len(worst) // 2] * 1e3:.1f} ms, worst"
        f" {worst[-1] * 1e3:.1f} ms",
        f"memory: {before:.1f} MiB after a fifth, {after:.1f} MiB at the end, with"
        f" {found.images:,} more images",
        f"exit code {found.code}, stderr {found.stderr!r}",
    )
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
