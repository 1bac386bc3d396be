# SPDX-License-Identifier: Apache-2.0
"""The limit: one connection, requests written by hand, nothing checked, nothing translated."""

from __future__ import annotations

import functools
import json
import re
import select
import socket
import ssl
from typing import Any
from urllib.parse import SplitResult, urlsplit

from benchmarks import bodies
from benchmarks.targets import Target

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_OCTETS = "Content-Type: application/octet-stream\r\n"


class RawSocket:
    """HTTP over one socket, as far as Glance needs it."""

    #: Threads that share the socket would read each other's responses.
    is_thread_safe = False

    def __init__(self, target: Target, api: str) -> None:
        place = urlsplit(target.url)
        self._connect = functools.partial(_connected, place)
        self._socket = self._connect()
        self._closes = False
        self._headers = f"Host: {place.netloc}\r\nX-Auth-Token: {target.token}\r\n"
        self._images = f"{place.path}/{api}/images"
        self._list = f"{self._images}/detail" if api == "v1" else self._images
        self._target, self._api = target, api
        self._sink = bytearray(bodies.BLOCK_BYTES)

    def show(self) -> Any:
        """Return the headers of v1 as a dict, or the record of v2."""
        path = f"{self._images}/{self._target.image_id}"
        if self._api == "v2":
            return json.loads(self._exchange("GET", path)[1])
        head, _ = self._exchange("HEAD", path)
        lines = head.decode("latin-1").split("\r\n")[1:-2]
        return dict(line.split(": ", 1) for line in lines)

    def list(self) -> list[Any]:
        """Return the records of all images."""
        images: list[Any] = []
        marker = ""
        while True:
            query = f"?limit={bodies.LARGEST_PAGE}{marker}"
            page = json.loads(self._exchange("GET", self._list + query)[1])["images"]
            images += page
            if len(page) < bodies.LARGEST_PAGE:
                return images
            marker = f"&marker={page[-1]['id']}"

    def download_unverified(self) -> int:
        """Receive the data and throw it away."""
        path = f"{self._images}/{self._target.image_id}"
        self._send("GET", path if self._api == "v1" else f"{path}/file")
        head, left = self._head()
        missing = _length(head) - len(left)
        while missing:
            got = self._socket.recv_into(self._sink, min(missing, bodies.BLOCK_BYTES))
            if not got:
                raise ConnectionError("the server closed the connection in the data")
            missing -= got
        return missing

    def upload_unverified(self) -> str:
        """Create an image and send its data."""
        data = f"{_OCTETS}Content-Length: {self._target.size}\r\n"
        if self._api == "v1":
            record = [f"x-image-meta-{name}: {text}\r\n" for name, text in bodies.RECORD.items()]
            self._send("POST", self._images, data + "".join(record))
            return str(json.loads(self._sent()[1])["image"]["id"])
        body = json.dumps(bodies.RECORD)
        length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        image_id = json.loads(self._exchange("POST", self._images, length, body)[1])["id"]
        self._send("PUT", f"{self._images}/{image_id}/file", data)
        self._sent()
        return str(image_id)

    #: Without a check there is nothing else to an upload.
    upload = upload_unverified

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        self._exchange("DELETE", f"{self._images}/{image_id}")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _sent(self) -> tuple[bytes, bytes]:
        for block in bodies.data(self._target.size):
            self._socket.sendall(block)
        return self._response("POST")

    def _exchange(
        self, method: str, path: str, headers: str = "", body: str = ""
    ) -> tuple[bytes, bytes]:
        self._send(method, path, headers, body)
        return self._response(method)

    def _send(self, method: str, path: str, headers: str = "", body: str = "") -> None:
        # What is readable before a request is the end of a connection that was idle too long.
        if self._closes or select.select([self._socket], [], [], 0)[0]:
            self._socket.close()
            self._socket = self._connect()
        text = f"{method} {path} HTTP/1.1\r\n{self._headers}{headers}\r\n{body}"
        self._socket.sendall(text.encode())

    def _response(self, method: str) -> tuple[bytes, bytes]:
        head, body = self._head()
        missing = 0 if method == "HEAD" else _length(head) - len(body)
        parts = [body]
        while missing > 0:
            parts.append(self._received(missing))
            missing -= len(parts[-1])
        return head, b"".join(parts)

    def _head(self) -> tuple[bytes, bytes]:
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._received(64 * 1024)
        head = received[: end + 4]
        self._closes = _CLOSE.search(head) is not None
        return head, received[end + 4 :]

    def _received(self, size: int) -> bytes:
        found = self._socket.recv(size)
        if not found:
            raise ConnectionError("the server closed the connection in a response")
        return found


def _connected(place: SplitResult) -> socket.socket:
    assert place.hostname is not None
    port = place.port or {"http": 80, "https": 443}[place.scheme]
    made = socket.create_connection((place.hostname, port), timeout=60)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if place.scheme == "https":
        return ssl.create_default_context().wrap_socket(made, server_hostname=place.hostname)
    return made


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found.group(1)) if found else 0
