# SPDX-License-Identifier: Apache-2.0
"""A small reverse proxy, which changes requests as nginx and others in front of Glance may."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

#: Headers that concern one connection only (RFC 9110, section 7.6.1), or that are written anew.
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclasses.dataclass(frozen=True)
class Passing:
    """A request on its way to the server.

    :param headers: pairs of name and value, as received.
    """

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def drop_underscores(request: Passing) -> Passing:
    """Drop headers with underscores, as nginx does by default (``underscores_in_headers off``)."""
    kept = tuple((name, value) for name, value in request.headers if "_" not in name)
    return dataclasses.replace(request, headers=kept)


class ReverseProxy:
    """Forwards requests to a server, after they are changed.

    :param upstream: the URL of the server; only its host and port are used.
    :param change: returns the request to forward.
    """

    def __init__(self, upstream: str, change: Callable[[Passing], Passing]) -> None:
        parts = urlsplit(upstream)
        self._change = change
        self._upstream = (parts.hostname or "", parts.port)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}{parts.path}"

    def __enter__(self) -> ReverseProxy:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.001}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forward(self, received: Passing) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body of the server's response."""
        request = self._change(received)
        connection = http.client.HTTPConnection(*self._upstream)
        with contextlib.closing(connection):
            connection.putrequest(
                request.method, request.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in request.headers:
                connection.putheader(name, value)
            if request.body or request.method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()


def _handler_of(proxy: ReverseProxy) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            received = Passing(
                self.command,
                self.path,
                tuple(
                    (name, value)
                    for name, value in self.headers.items()
                    if name.lower() not in _OF_THE_CONNECTION
                ),
                self._body(),
            )
            status, headers, body = proxy.forward(received)
            self.send_response_only(status)
            of_head = {"content-length"} if self.command == "HEAD" else set()
            for name, value in headers:
                if name.lower() not in _OF_THE_CONNECTION - of_head:
                    self.send_header(name, value)
            if self.command != "HEAD" and status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _forward

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = bytearray()
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
