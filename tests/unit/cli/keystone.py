# SPDX-License-Identifier: Apache-2.0
"""A fake Keystone, for tests of the credentials that it receives."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from keystoneauth1 import fixture

PASSWORD = "a-password-that-is-right"
TOKEN = "a-token-of-the-fake-keystone"
REQUEST_ID = "req-of-the-fake-keystone"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Keystone

    def do_GET(self) -> None:
        if "/projects" in self.path or "/domains" in self.path:
            status, body = self.server.projects.get(self.path, (404, {}))
            self._answer(status, body)
            return
        document = fixture.DiscoveryList(self.server.url, v2=False)
        self._answer(300, document)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body["auth"])
        identity = body["auth"]["identity"]
        password = identity.get("password", {"user": {"password": PASSWORD}})
        if password["user"]["password"] != PASSWORD:
            self._answer(401, {"error": {"code": 401, "message": "Wrong.\x1b[31m"}})
        else:
            self._answer(201, self.server.token)

    def _answer(self, status: int, body: Mapping[str, object]) -> None:
        octets = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(octets)))
        self.send_header("X-Subject-Token", TOKEN)
        self.send_header("X-Openstack-Request-Id", REQUEST_ID)
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class Keystone(http.server.ThreadingHTTPServer):
    """The fake Keystone.

    :ivar asked: the received ``auth`` objects.
    :ivar projects: status and body of the response, by path of a project or a domain; the response
        to others is 404.
    :param endpoints: image endpoints by region and interface.
    """

    def __init__(self, endpoints: Mapping[tuple[str, str], str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.projects: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self.token = fixture.V3Token(project_id="p", user_id="u")
        service = self.token.add_service("image", name="glance")
        for (region, interface), url in endpoints.items():
            service.add_endpoint(interface, url, region=region)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def running(endpoints: Mapping[tuple[str, str], str]) -> Iterator[Keystone]:
    """Run a fake Keystone for the duration of a context."""
    with Keystone(endpoints) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
