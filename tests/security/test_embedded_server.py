# SPDX-License-Identifier: Apache-2.0
"""The embedded server: no client stops it or fills its memory, and no browser rebinds it."""

from __future__ import annotations

import contextlib
import http.client
import inspect
import socket
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from glance_compat.fixture import GlanceFixture
from tests.security import endurance
from tests.unit.cli.serving import while_serving

#: Seconds within which a request of an honest client must be served.
PROMPTLY = 10
JSON = {"X-Auth-Token": "any", "Content-Type": "application/json"}


@pytest.fixture(params=[False, True], ids=["server", "behind the proxy"])
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    with GlanceFixture(fault_injection=request.param, fail_on="nothing") as fixture:
        yield fixture


def address_of(glance: GlanceFixture) -> tuple[str, int]:
    parts = urlsplit(glance.url)
    return parts.hostname or "", parts.port or 0


def connect(glance: GlanceFixture) -> socket.socket:
    return socket.create_connection(address_of(glance), timeout=PROMPTLY)


def exchange(glance: GlanceFixture, data: bytes) -> bytes:
    """Send bytes, and return everything that the server sends before it closes."""
    with connect(glance) as client:
        with contextlib.suppress(OSError):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionError):
            while block := client.recv(65536):
                found += block
        return found


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


def assert_serves(glance: GlanceFixture) -> None:
    response = requests.get(
        f"{glance.url}/v2/images", headers={"X-Auth-Token": "honest"}, timeout=PROMPTLY
    )
    assert response.status_code == 200


# ---------------------------------------------------------------------- memory


def test_journal_keeps_a_limited_number_of_requests() -> None:
    with GlanceFixture(sockets=False, recorded_requests=3, fail_on="nothing") as glance:
        session = glance.session()
        for number in range(5):
            session.get(f"{glance.url}/v2/nothing/{number}", raise_exc=False)
        assert [one.path[-1] for one in glance.requests] == ["2", "3", "4"]
        assert [one.path[-1] for one in glance.unknown_requests] == ["2", "3", "4"]
        glance.requests.clear()
        session.get(f"{glance.url}/v2/images")
        assert len(glance.requests) == 1


def test_journal_keeps_a_limited_number_of_bytes() -> None:
    with GlanceFixture(sockets=False, recorded_bytes=100_000) as glance:
        session = glance.session()
        for _ in range(50):
            session.post(f"{glance.url}/v2/images", json={"name": "n" * 200, "x": "y" * 20_000})
        kept = sum(len(one.body) for one in glance.requests)
        assert 40_000 < kept < 100_000
        assert glance.requests[-1].status == 201


@pytest.mark.parametrize("limit", [-1, True, "5"])
def test_journal_refuses_invalid_limits(limit: int) -> None:
    with pytest.raises(ValueError, match="limits of the recorded requests"):
        GlanceFixture(sockets=False, recorded_requests=limit)


def test_served_program_records_no_requests() -> None:
    with GlanceFixture(sockets=False, recorded_requests=0) as glance:
        glance.session().get(f"{glance.url}/v2/images")
        assert glance.requests == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: " + b"x" * 400_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Many: x\r\n" * 40_000,
    ],
    ids=["request line", "one header", "many headers"],
)
def test_large_header_block_is_refused_before_its_end(glance: GlanceFixture, head: bytes) -> None:
    """The header block never ends; the server must not wait for its end."""
    with connect(glance) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(head)
        with contextlib.suppress(ConnectionError):
            assert status_of(client.recv(1000)) in (413, 414)
    assert_serves(glance)


@pytest.mark.parametrize(
    "body",
    [
        b"f" * 400_000,
        b"ffffffffffffffffffffffff\r\nx",
        b"5;" + b"x" * 400_000,
        b"0\r\nX-Trailer: " + b"x" * 400_000,
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello, world\r\n0\r\n\r\n",
    ],
    ids=["size", "huge size", "extension", "trailer", "negative size", "no line break"],
)
def test_malformed_chunks_are_refused(glance: GlanceFixture, body: bytes) -> None:
    head = (
        b"POST /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: any\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    response = exchange(glance, head + body)
    assert response == b"" or status_of(response) in (400, 500)
    assert glance.images == {}
    assert_serves(glance)


def test_trailers_are_not_the_next_request() -> None:
    head = (
        b"POST /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: any\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    )
    trailer = b"2\r\n{}\r\n0\r\nDELETE /v2/images/x HTTP/1.1: x\r\n\r\n"
    with GlanceFixture(fault_injection=False) as glance:
        response = exchange(glance, head + b"\r\n" + trailer)
        assert status_of(response) == 201
        assert [one.method for one in glance.requests] == ["POST"]


@pytest.mark.slow
def test_large_json_body_is_refused(glance: GlanceFixture) -> None:
    tracemalloc.start()
    try:
        for path in ("/v2/images", "/identity/v3/auth/tokens"):
            body = (b" " * 65536 for _ in range(1600))
            response = requests.post(f"{glance.url}{path}", data=body, headers=JSON, timeout=60)
            assert response.status_code == 413
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of the 100 MiB, at most 16 MiB are read, and are in memory twice when they are joined.
    assert peak < 48 * 1024 * 1024, peak


@pytest.mark.parametrize("depth", [150, 990, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("path", ["/v2/images", "/identity/v3/auth/tokens"])
def test_deep_json_is_400(
    glance: GlanceFixture, capfd: pytest.CaptureFixture[str], depth: int, opening: str, path: str
) -> None:
    closing = "]" if opening == "[" else "}"
    body = opening * depth + "1" + closing * depth
    response = requests.post(f"{glance.url}{path}", data=body, headers=JSON, timeout=PROMPTLY)
    assert response.status_code == 400
    assert capfd.readouterr().err == ""


# ---------------------------------------------------------------------- availability


@pytest.mark.slow
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /v2/ima",
        b"GET /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"POST /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: any\r\n"
        b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{",
    ],
    ids=["nothing", "request line", "headers", "body"],
)
def test_200_silent_clients_do_not_stop_service(glance: GlanceFixture, beginning: bytes) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connect(glance)).sendall(beginning)
        assert_serves(glance)


FUZZ = """
import logging, sys
from glance_compat.fixture import GlanceFixture
from tests.security.invented_requests import invented
from tests.security.test_embedded_server import assert_serves, exchange
release, proxied, seed, count = sys.argv[1], sys.argv[2] == "True", *map(int, sys.argv[3:])
images = [{"id": "8f6a0000-0000-4000-8000-000000000001", "data": b"data"}]
with GlanceFixture(
    release=release, images=images, fault_injection=proxied, fail_on="nothing"
) as glance:
    for raw in invented(seed, count):
        exchange(glance, raw)
        if not glance.images:
            glance.reset()
    assert_serves(glance)
print("served")
"""


@pytest.mark.parametrize("length", ["99999999999999999999", "-1", "x", "100000000000000000"])
def test_impossible_content_length_is_refused(glance: GlanceFixture, length: str) -> None:
    head = f"GET /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n"
    response = exchange(glance, head.encode())
    assert response == b"" or status_of(response) in (400, 401)
    assert_serves(glance)


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 2\r\nContent-Length: 0",
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length : 2",
        "Transfer-Encoding\t: chunked",
        "X-Folded: a\r\n Content-Length: 2",
        ": a\r\nContent-Length: 2",
    ],
)
def test_request_with_ambiguous_end_is_refused(glance: GlanceFixture, framing: str) -> None:
    """A proxy in front of the server might see the next request at another place."""
    head = f"POST /v2/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: any\r\n{framing}"
    body = "2\r\n{}\r\n0\r\n\r\n" if "chunked" in framing else "{}"
    assert status_of(exchange(glance, f"{head}\r\n\r\n{body}".encode())) == 400
    assert_serves(glance)


def test_refused_client_may_finish_sending() -> None:
    """A reset while the client still sends could make it lose the response."""
    head = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n"
    with GlanceFixture(fault_injection=False) as glance, connect(glance) as client:
        client.sendall(head)
        with client.makefile("rb") as reader:
            assert reader.read().startswith(b"HTTP/1.1 400 ")
        for _ in range(3):
            client.sendall(b"x")


def test_first_header_that_is_folded_is_refused(
    glance: GlanceFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    for space in (" ", "\t"):
        head = f"GET /versions HTTP/1.1\r\n{space}Host: 127.0.0.1\r\n\r\n"
        assert status_of(exchange(glance, head.encode())) == 400
    assert capfd.readouterr().err == ""
    assert_serves(glance)


def test_journal_is_limited_by_default() -> None:
    settings = inspect.signature(GlanceFixture).parameters
    assert settings["recorded_requests"].default == 10_000
    assert settings["recorded_bytes"].default == 64 * 1024 * 1024


@pytest.mark.parametrize("name", [b"x-image-meta-property-\xff", b"x-image-meta-property-\xb5"])
def test_header_name_without_latin_1_upper_case_is_refused(
    glance: GlanceFixture, name: bytes
) -> None:
    head = b"POST /v1/images HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: any\r\n" + name
    assert status_of(exchange(glance, head + b": y\r\nContent-Length: 0\r\n\r\n")) == 400


def fuzz(release: str, proxied: bool, seed: int, count: int) -> None:
    """Send generated requests to a server in its own process, and check its stderr."""
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, release, str(proxied), str(seed), str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "served\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("release", "proxied"),
    # The proxy is the same in front of every release.
    [("pike", False), ("33", False), ("33", True)],
    ids=["pike", "33", "33 behind the proxy"],
)
def test_invented_requests_leave_nothing_on_stderr(release: str, proxied: bool) -> None:
    fuzz(release, proxied, seed=19, count=1500)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_served_program_stays_small_beside_slow_clients() -> None:
    found = endurance.run(requests=600, slow=40, release="33")
    assert found.answered > 300
    assert found.slow_connected == 40
    assert max(found.honest) < PROMPTLY
    assert found.growth < 4 * 1024 * 1024, found
    assert (found.code, found.stderr) == (0, "")


@pytest.mark.parametrize("fault_injection", [False, True], ids=["server", "behind the proxy"])
def test_server_can_be_restarted_on_its_port(fault_injection: bool) -> None:
    with GlanceFixture(fault_injection=fault_injection) as first:
        host, port = address_of(first)
        client = http.client.HTTPConnection(host, port, timeout=PROMPTLY)
        client.request("GET", "/versions")
        client.getresponse().read()
        # The server closes first, so its side of the connection waits for a minute.
    client.close()
    with GlanceFixture(port=port, fault_injection=False) as again:
        assert address_of(again) == (host, port)
        assert_serves(again)


# ---------------------------------------------------------------------- browsers


def host_status(glance: GlanceFixture, host: str | None) -> int:
    named = b"" if host is None else f"Host: {host}\r\n".encode()
    version = b"HTTP/1.0" if host is None else b"HTTP/1.1"
    return status_of(exchange(glance, b"GET /versions " + version + b"\r\n" + named + b"\r\n"))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9292", "127.0.0.1.evil.example", "evil.localhost.example", ""],
)
def test_foreign_host_name_is_refused(glance: GlanceFixture, host: str) -> None:
    assert host_status(glance, host) == 421
    assert glance.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:5",
        "10.1.2.3",
        "localhost:5",
        "LocalHost",
        "a.localhost",
        None,
    ],
)
def test_own_names_and_addresses_are_accepted(glance: GlanceFixture, host: str | None) -> None:
    assert host_status(glance, host) == 200


@pytest.mark.parametrize("allowed", ["glance", "*"])
def test_allowed_host_is_accepted(allowed: str) -> None:
    with GlanceFixture(allowed_hosts=[allowed]) as glance:
        assert host_status(glance, "Glance:9292") == 200


def test_serve_accepts_allowed_hosts() -> None:
    found: list[int] = []

    def ask(url: str) -> None:
        for host in ("one", "two", "evil.example"):
            headers = {"Host": host}
            found.append(requests.get(f"{url}/versions", headers=headers, timeout=10).status_code)

    outcome = while_serving(ask, "--allow-host", "one", "--allow-host", "two")
    assert (outcome.code, found) == (0, [200, 200, 421])


@pytest.mark.parametrize(
    ("host", "warns"),
    [("0.0.0.0", True), ("::", True), ("127.0.0.1", False)],  # noqa: S104
)
def test_serve_warns_about_reachable_addresses(host: str, warns: bool) -> None:
    outcome = while_serving(lambda url: None, "--host", host)
    assert outcome.code == 0
    assert ("warning" in outcome.err) == warns
    # stderr is sourced by shells and read as YAML.
    assert all(line.startswith(("#", "export ")) for line in outcome.err.splitlines())
