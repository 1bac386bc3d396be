# SPDX-License-Identifier: Apache-2.0
"""A small server on a real socket, whose responses a test defines byte by byte.

It does not know Glance. :attr:`ScriptedServer.seen` has the received requests.
"""

from __future__ import annotations

import dataclasses
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable

from glance_compat.fixture.servers.ports import unused

Headers = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Seen:
    """One request.

    :param path: the path as received, without the query.
    :param headers: the headers; names are in lower case.
    :param port: the port of the client; requests of one connection have the same.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    port: int

    @property
    def token(self) -> str | None:
        return self.headers.get("x-auth-token")


@dataclasses.dataclass(frozen=True)
class Reply:
    """One response.

    :param headers: the headers; values are sent as UTF-8.
    :param raw: the complete response as bytes, after which the connection is closed; b"" closes it
        without a response.
    :param length: whether to add Content-Length.
    :param close: whether to close the connection afterwards.
    """

    status: int = 200
    body: bytes = b""
    headers: Headers = ()
    raw: bytes | None = None
    length: bool = True
    close: bool = False

    def octets(self, method: str) -> bytes:
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} Scripted"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.length:
            lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8")
        return head if method == "HEAD" else head + self.body


Answer = Reply | Callable[[Seen], Reply]

NO_ANSWER = Reply(raw=b"")


def json_reply(value: object, status: int = 200, headers: Headers = ()) -> Reply:
    """Return a response with a JSON body."""
    typed = (("Content-Type", "application/json"), *headers)
    return Reply(status, json.dumps(value).encode(), typed)


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status, headers=(("Location", location),))


class ScriptedServer:
    """A server that sends the responses set with :meth:`on`, and 404 for all other requests.

    :param tls: the certificates to serve https with, or None.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        #: While it is cleared, the bodies of requests are not read.
        self.reads_bodies = threading.Event()
        self.reads_bodies.set()
        self._script: dict[tuple[str, str], list[Answer]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self), bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = unused(lambda: socket.create_server(("127.0.0.1", 0), backlog=64))
        self._server.server_address = self._server.socket.getsockname()
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls else "http"
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.001}, daemon=True
        )

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def on(self, method: str, path: str, *answers: Answer) -> None:
        """Respond to a request with each of these in turn, and repeat the last one."""
        with self._lock:
            self._script[method, path] = list(answers)

    def asked(self, method: str | None = None) -> list[str]:
        """Return the requested paths in order; with ``method``, only those of this method."""
        return [one.path for one in list(self.seen) if method in (None, one.method)]

    def answer(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            answers = self._script.get((seen.method, seen.path), [json_reply({}, 404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Reply) else answer(seen)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reads_bodies.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    # A test may leave a connection open or a response unfinished.
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        # In many tests the client disconnects early.
        pass


def _handler_of(server: ScriptedServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            seen = Seen(
                method=self.command,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self._body(),
                port=self.client_address[1],
            )
            reply = server.answer(seen)
            self.wfile.write(reply.octets(self.command))
            self.close_connection = self.close_connection or reply.close or reply.raw is not None

        def _body(self) -> bytes:
            server.reads_bodies.wait(30)
            if self.headers.get("Transfer-Encoding") == "chunked":
                return b"".join(iter(self._chunk, b""))
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _chunk(self) -> bytes:
            size = int(self.rfile.readline(), 16)
            block = self.rfile.read(size)
            self.rfile.readline()
            return block

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            pass

    return Handler
