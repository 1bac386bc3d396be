# SPDX-License-Identifier: Apache-2.0
"""The ``target`` fixture."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.contract import targets
from tests.contract.shape import DATA
from tests.contract.targets import Kind, Target
from tests.functional.cloud import Cloud


@pytest.fixture(scope="session")
def embedded_target() -> Iterator[Callable[[Kind], Target]]:
    """Start each embedded server once."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(
            # The images disappear with the server.
            lambda kind: _warm(stack.enter_context(targets.embedded(kind)))
        )


@pytest.fixture(scope="session")
def real_target(cloud: Cloud) -> Iterator[Callable[[Kind], Target]]:
    """Open each real server once; delete its test images before the cloud may stop."""
    with contextlib.ExitStack() as stack:

        def find(kind: Kind) -> Target:
            target = targets.real(kind, cloud)
            stack.callback(target.clean)
            return _warm(target)

        yield functools.cache(find)


def _warm(target: Target) -> Target:
    # Requests are counted after discovery.
    target.service().discover()
    return target


@pytest.fixture(scope="session")
def open_target(request: pytest.FixtureRequest) -> Callable[[Kind], Target]:
    """Return a function that opens each server once, in any order of the tests."""

    def find(kind: Kind) -> Target:
        name = "embedded_target" if kind.region is None else "real_target"
        opened: Target = request.getfixturevalue(name)(kind)
        return opened

    return find


@pytest.fixture(scope="session", params=targets.parameters(targets.is_usual))
def target(request: pytest.FixtureRequest, open_target: Callable[[Kind], Target]) -> Target:
    """Provide each server of the test in turn."""
    return open_target(request.param)


@pytest.fixture
def name() -> str:
    """Return a unique image name."""
    return f"contract {uuid.uuid4()}"


@pytest.fixture(scope="session")
def source() -> Iterator[str]:
    """Return the URL of a web server that serves DATA at /data, and a part of it at /cut."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(b"")

        def do_GET(self) -> None:
            self._answer(DATA[:100] if self.path == "/cut" else DATA)

        def _answer(self, body: bytes) -> None:
            self.send_response(200 if self.path in ("/data", "/cut") else 404)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
