# SPDX-License-Identifier: Apache-2.0
"""The recorded outcomes of adding locations match real servers."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS
from tests.unit.fixture.locations import CASES, DATA, add

pytestmark = pytest.mark.functional


class _Source(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(DATA)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Source) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/one"
        server.shutdown()


@pytest.fixture(scope="module")
def web(cloud: Cloud) -> str:
    """Provide the URL of the web server behind Glance 33's http store."""
    server = next(one for one in VARIANTS if one.name == "33-web")
    outcome = lifecycle.extend(Layout.from_environment(), print, (*SERVERS, server))
    return Cloud(outcome, cloud.unavailable).url("33-web")


@pytest.mark.parametrize("name", CASES)
def test_glance_33_checks_an_added_location(cloud: Cloud, web: str, url: str, name: str) -> None:
    case = CASES[name]
    added, suffixes = add(cloud.session("demo"), web, url, case, post=False)
    assert added == case.patch
    assert suffixes == ([case.suffix] if added.status == 200 else [])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.post])
def test_glance_33_checks_a_posted_location(cloud: Cloud, web: str, url: str, name: str) -> None:
    case = CASES[name]
    added, suffixes = add(cloud.session("demo"), web, url, case, post=True)
    assert added == case.post
    assert suffixes == ([case.suffix] if added.status == 202 else [])


@pytest.mark.parametrize("name", CASES)
def test_pike_ignores_validation_data(cloud: Cloud, url: str, name: str) -> None:
    case = CASES[name]
    added, _ = add(cloud.session("demo"), cloud.url("pike"), url, case, post=False)
    assert added == (case.pike or case.patch)
