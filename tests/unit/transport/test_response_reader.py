# SPDX-License-Identifier: Apache-2.0
"""response_reader: truncated and slow responses fail, and sessions are not modified."""

from __future__ import annotations

import contextlib
import gc
import http.client
import itertools
import socket
import ssl
import threading
import time
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import requests.adapters
import requests_mock
import urllib3.connection
import urllib3.connectionpool
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3

from glance_compat.exceptions import (
    STATUS_ERRORS,
    DeadlineExceeded,
    GlanceCompatError,
    GlanceConnectionFailed,
)
from glance_compat.options import Options
from glance_compat.streams.streams import Upload
from glance_compat.transport.client import Identity, Transport
from glance_compat.transport.messages import Request, Response
from glance_compat.transport.response_reader import Limits
from glance_compat.transport.retry import Deadline
from glance_compat.transport.sessions import image_session, prepared_session
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

PATH = "/v1/images/an-image"
HEAD = Request(method="HEAD", path=PATH, errors=STATUS_ERRORS["show"])
SHOW = Request(method="GET", path=PATH, errors=STATUS_ERRORS["show"])
PULL = Request(method="GET", path=PATH, errors=STATUS_ERRORS["download"], stream=True)

BLOCK = (
    b"HTTP/1.1 200 OK\r\n"
    b"X-Image-Meta-Id: an-image\r\n"
    b"X-Image-Meta-Property-First: 1\r\n"
    b"X-Image-Meta-Property-Second: 2\r\n"
    b"\r\n"
)
#: More headers than http.client reads by itself.
LONG_BLOCK = BLOCK.replace(
    b"\r\n\r\n", b"".join(b"\r\nX-Image-Meta-Property-%d: x" % n for n in range(200)) + b"\r\n\r\n"
)
PATIENT = Options(connect_timeout=30, read_timeout=30, stall_timeout=30)
#: Seconds: far more than any of these calls takes, and far less than the slow responses would.
SOON = 10.0


def session_to(http: requests.Session | None = None, **more: typing.Any) -> ksa_session.Session:
    auth = token_endpoint.Token("http://127.0.0.1:1", "token")
    return ksa_session.Session(auth=auth, session=http, **more)


def wire_to(
    url: str,
    session: ksa_session.Session | None = None,
    *,
    options: Options = PATIENT,
    deadline: float | None = 20,
) -> Transport:
    return Transport(
        session or session_to(), url, options, identity=Identity(), deadline=Deadline(deadline)
    )


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        yield one


def cut(block: bytes, after: int) -> Reply:
    return Reply(raw=block[:after])


# ---------------------------------------------------------------------------------------------
# Truncated responses.


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_cut_header_block_is_a_failed_connection(server: ScriptedServer, method: str) -> None:
    replies = [cut(BLOCK, after) for after in range(len(BLOCK))]
    server.on(method, PATH, *replies)
    transport = wire_to(server.url)
    request = HEAD if method == "HEAD" else SHOW
    for _ in replies:
        with pytest.raises(GlanceConnectionFailed):
            transport.send(request)
    assert len(server.seen) == len(replies)


def properties_of(response: Response) -> int:
    return sum("property" in name.lower() for name, _ in response.headers)


def test_complete_header_block_before_close_is_read(
    server: ScriptedServer,
) -> None:
    server.on("HEAD", PATH, Reply(raw=BLOCK))
    response = wire_to(server.url).send(HEAD)
    assert properties_of(response) == 2
    assert not response.damaged


@pytest.mark.parametrize("lines", [102, 150, 200])
def test_cut_long_block_is_a_failed_connection(server: ScriptedServer, lines: int) -> None:
    after = len(b"".join(LONG_BLOCK.splitlines(keepends=True)[:lines]))
    server.on("HEAD", PATH, cut(LONG_BLOCK, after))
    with pytest.raises(GlanceConnectionFailed):
        wire_to(server.url).send(HEAD)
    assert len(server.seen) == 1
    server.on("HEAD", PATH, Reply(raw=LONG_BLOCK))
    assert properties_of(wire_to(server.url).send(HEAD)) == 202


def test_cut_after_an_interim_response_is_a_failed_connection(server: ScriptedServer) -> None:
    interim = b"HTTP/1.1 100 Continue\r\nX-A: a\r\n\r\n"
    whole = interim + BLOCK
    for after in (len(interim) - 2, len(interim), len(interim) + 20, len(whole) - 2):
        server.on("HEAD", PATH, cut(whole, after))
        with pytest.raises(GlanceConnectionFailed):
            wire_to(server.url).send(HEAD)
    server.on("HEAD", PATH, Reply(raw=whole))
    assert properties_of(wire_to(server.url).send(HEAD)) == 2


def test_cut_is_noticed_through_a_proxy(server: ScriptedServer) -> None:
    target = "http://glance.example:9292"
    http = requests.Session()
    http.proxies = {"http": server.url}
    server.on("HEAD", f"{target}{PATH}", cut(BLOCK, len(BLOCK) - 2), Reply(raw=BLOCK))
    transport = wire_to(target, session_to(http))
    with pytest.raises(GlanceConnectionFailed):
        transport.send(HEAD)
    assert properties_of(transport.send(HEAD)) == 2


class Certificates(typing.NamedTuple):
    server: ssl.SSLContext
    trusted: str


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    trustme = pytest.importorskip("trustme", reason="it makes the certificates of this test")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    return Certificates(context, str(trusted))


def test_cut_is_noticed_over_tls(certificates: Certificates) -> None:
    with ScriptedServer(tls=certificates.server) as server:
        server.on("HEAD", PATH, cut(BLOCK, len(BLOCK) - 2), Reply(raw=BLOCK))
        transport = wire_to(server.url, session_to(verify=certificates.trusted))
        with pytest.raises(GlanceConnectionFailed):
            transport.send(HEAD)
        assert properties_of(transport.send(HEAD)) == 2


# ---------------------------------------------------------------------------------------------
# Slow responses.


@contextlib.contextmanager
def dripping(*parts: bytes | Iterator[bytes], pause: float = 0.02) -> Iterator[str]:
    """Serve one response for all requests: bytes immediately, the items of iterators slowly."""
    stop = threading.Event()

    def respond(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            for part in parts:
                if isinstance(part, bytes):
                    connection.sendall(part)
                    continue
                for block in part:
                    connection.sendall(block)
                    if stop.wait(pause):
                        return

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                if stop.is_set():
                    connection.close()
                    return
                threading.Thread(target=respond, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()


def for_ever(block: bytes) -> Iterator[bytes]:
    return itertools.repeat(block)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

DRIPS: dict[str, Callable[[], tuple[bytes | Iterator[bytes], ...]]] = {
    "status line": lambda: (b"HTTP/1.1 200 ", for_ever(b"O")),
    "header line": lambda: (b"HTTP/1.1 200 OK\r\nX-A: ", for_ever(b"a")),
    "property line": lambda: (b"HTTP/1.1 200 OK\r\nX-Image-Meta-Property-A: ", for_ever(b"a")),
    "interim responses": lambda: (for_ever(b"HTTP/1.1 100 Continue\r\n\r\n"),),
    "line of a chunk's size": lambda: (CHUNKED, for_ever(b"0")),
    "extension of a chunk's size": lambda: (CHUNKED, b"3;", for_ever(b"x")),
    "line after a chunk": lambda: (CHUNKED, b"3\r\nabc\r\n", for_ever(b"0")),
    "lines after the chunks": lambda: (CHUNKED, b"3\r\nabc\r\n0\r\n", for_ever(b"X-A: a\r\n")),
}


def seconds_until(error: type[Exception], call: Callable[[], object]) -> float:
    begun = time.monotonic()
    with pytest.raises(error):
        call()
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        *((kind, SHOW) for kind in DRIPS),
        # A response to HEAD ends with its headers.
        *((kind, HEAD) for kind in DRIPS if "chunk" not in kind),
    ],
    ids=lambda one: one if isinstance(one, str) else one.method,
)
def test_deadline_ends_dripping_responses(kind: str, request_: Request) -> None:
    with dripping(*DRIPS[kind]()) as url:
        transport = wire_to(url, deadline=0.5)
        assert seconds_until(DeadlineExceeded, lambda: transport.send(request_)) < SOON


@pytest.mark.parametrize("kind", DRIPS)
def test_dripping_framing_is_a_stall(kind: str) -> None:
    options = Options(stall_timeout=0.5, read_timeout=30, connect_timeout=30)

    def pull() -> None:
        transport = wire_to(url, options=options, deadline=None)
        for _ in transport.blocks(PULL, transport.send(PULL)):
            pass

    with dripping(*DRIPS[kind]()) as url:
        assert seconds_until(GlanceConnectionFailed, pull) < SOON


def test_dripping_response_to_an_upload_is_a_stall() -> None:
    options = Options(stall_timeout=0.5, read_timeout=30, connect_timeout=30)
    with dripping(b"HTTP/1.1 201 Created\r\n", for_ever(b"x")) as url:
        transport = wire_to(url, options=options, deadline=None)
        request = Request(
            method="PUT", path=PATH, upload=Upload(b"data"), success=frozenset({201})
        )
        assert seconds_until(GlanceConnectionFailed, lambda: transport.send(request)) < SOON


@pytest.mark.parametrize("status", [b"201 Created", b"503 Busy"])
@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_deadline_ends_slow_error_body_of_transfer(method: str, status: bytes) -> None:
    options = Options(deadline=0.5, stall_timeout=30, read_timeout=30, connect_timeout=30)
    request = Request(method="PUT", path=PATH, upload=Upload(b"data"))
    if method == "GET":
        request = PULL
        status = status.replace(b"201 Created", b"404 Gone")
    head = b"HTTP/1.1 %s\r\nContent-Length: 99999\r\n\r\n" % status
    with dripping(head, for_ever(b" ")) as url:
        transport = wire_to(url, options=options, deadline=None)
        assert seconds_until(DeadlineExceeded, lambda: transport.send(request)) < SOON


@pytest.mark.slow
@pytest.mark.parametrize("chunked", [True, False])
def test_slow_data_is_not_a_stall(chunked: bool) -> None:
    # The transfer takes longer than the stall timeout, but no pause does.
    options = Options(stall_timeout=1.0, read_timeout=30, connect_timeout=30)
    block = b"1\r\nx\r\n" if chunked else b"x"
    head = CHUNKED if chunked else b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n"
    end = b"0\r\n\r\n" if chunked else b""
    with dripping(head, iter([block] * 15), end, pause=0.1) as url:
        transport = wire_to(url, options=options, deadline=None)
        assert b"".join(transport.blocks(PULL, transport.send(PULL))) == b"x" * 15


def test_endless_chunk_size_line_is_refused() -> None:
    many = (b"0" * 65536 for _ in range(1000))
    with dripping(CHUNKED, many, b"\r\n\r\n", pause=0) as url:
        transport = wire_to(url, deadline=None)
        with pytest.raises(GlanceConnectionFailed):
            list(transport.blocks(PULL, transport.send(PULL)))


IDENTITY_DRIPS: dict[str, Callable[[], tuple[bytes | Iterator[bytes], ...]]] = {
    "header": DRIPS["header line"],
    "body": lambda: (b"HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n", for_ever(b" ")),
}


@pytest.mark.parametrize("timeout", [None, 30.0])
@pytest.mark.parametrize("kind", IDENTITY_DRIPS)
def test_dripping_identity_service_fails(
    server: ScriptedServer, kind: str, timeout: float | None
) -> None:
    with dripping(*IDENTITY_DRIPS[kind]()) as url:
        auth = v3.Password(url, username="u", password="w", user_domain_id="d", project_id="p")
        session = ksa_session.Session(auth=auth, timeout=timeout)
        transport = wire_to(server.url, session, deadline=0.5)
        assert seconds_until(GlanceConnectionFailed, lambda: transport.send(SHOW)) < SOON
        assert server.seen == []


def test_dripping_proxy_fails() -> None:
    http = requests.Session()
    with dripping(b"HTTP/1.1 200 ", for_ever(b"x")) as url:
        http.proxies = {"https": url}
        transport = wire_to("https://glance.example:9292", session_to(http), deadline=0.5)
        assert seconds_until(DeadlineExceeded, lambda: transport.send(SHOW)) < SOON


def test_timeout_of_a_connection_is_restored(
    server: ScriptedServer,
) -> None:
    server.on("GET", PATH, json_reply({}))
    session = session_to()
    wire_to(server.url, session, deadline=5).send(SHOW)
    wire_to(server.url, session, deadline=20).send(SHOW)
    assert session.session.get(f"{server.url}{PATH}", timeout=20).status_code == 200
    assert len({one.port for one in server.seen}) == 1


# ---------------------------------------------------------------------------------------------
# The caller's objects are not modified.


class CountingAdapter(requests.adapters.HTTPAdapter):
    """An adapter that counts requests in an attribute that a copy would not share."""

    sent = 0

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        self.sent += 1
        return super().send(*args, **kwargs)


class CountingSession(requests.Session):
    sent = 0

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        self.sent += 1
        return super().send(*args, **kwargs)


class CountingKeystone(ksa_session.Session):
    sent = 0

    def request(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        self.sent += 1
        return super().request(*args, **kwargs)


def test_adapter_subclass_handles_every_request(
    server: ScriptedServer,
) -> None:
    server.on("GET", PATH, json_reply({}))
    http, adapter = CountingSession(), CountingAdapter()
    http.mount("http://", adapter)
    session = CountingKeystone(auth=token_endpoint.Token(server.url, "token"), session=http)
    wire_to(server.url, session).send(SHOW)
    assert (session.sent, http.sent, adapter.sent) == (1, 1, 1)
    assert session.session is http
    assert http.get_adapter(server.url) is adapter


def connections_of(session: ksa_session.Session, url: str) -> list[typing.Any]:
    """Return the idle connections of a session's only pool."""
    adapter = typing.cast(requests.adapters.HTTPAdapter, session.session.get_adapter(url))
    pools = adapter.poolmanager.pools
    [pool] = [pools[key] for key in pools.keys()]  # noqa: SIM118 - not a dict
    return [one for one in pool.pool.queue if one is not None]


def test_callers_connections_are_used_and_restored(
    server: ScriptedServer,
) -> None:
    server.on("GET", PATH, json_reply({}))
    session = session_to()
    assert session.session.get(f"{server.url}{PATH}").json() == {}
    [before] = connections_of(session, server.url)
    wire_to(server.url, session, deadline=20).send(SHOW)
    gc.collect()
    [after] = connections_of(session, server.url)
    assert after is before
    assert after.response_class is http.client.HTTPResponse
    response = session.session.get(f"{server.url}{PATH}", stream=True)
    assert type(response.raw._original_response) is http.client.HTTPResponse
    assert response.json() == {}
    assert len({one.port for one in server.seen}) == 1


def test_response_keeps_its_session_alive(
    server: ScriptedServer,
) -> None:
    server.on("GET", PATH, Reply(body=b"x" * 100_000))

    def opened() -> Iterator[bytes]:
        transport = wire_to(server.url)
        return transport.blocks(PULL, transport.send(PULL))

    blocks = opened()
    gc.collect()
    assert b"".join(blocks) == b"x" * 100_000


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_connection_of_a_refused_response_is_closed(more: bytes) -> None:
    lengths = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n%s\r\n" % more
    with socket.create_server(("127.0.0.1", 0)) as listening:
        transport = wire_to(f"http://127.0.0.1:{listening.getsockname()[1]}")
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                transport.send(SHOW)
            except GlanceConnectionFailed as error:
                errors.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(lengths)
            thread.join()
            # Immediately, not only when the error is garbage-collected.
            [_] = errors
            connection.settimeout(10)
            assert connection.recv(1) == b""


def test_adapters_without_sockets_are_used_unchanged() -> None:
    mounted = requests_mock.Adapter()
    mounted.register_uri("GET", f"http://glance.example{PATH}", json={"a": 1})
    http = requests.Session()
    http.mount("http://", mounted)
    assert wire_to("http://glance.example", session_to(http)).send(SHOW).json() == {"a": 1}
    assert mounted.call_count == 1


@pytest.mark.parametrize("whole", [True, False], ids=["every session", "one session"])
def test_mocked_session_is_used_unchanged(server: ScriptedServer, whole: bool) -> None:
    server.on("GET", PATH, json_reply({"a": 2}))
    session = session_to()
    mocker = requests_mock.Mocker() if whole else requests_mock.Mocker(session=session.session)
    with mocker:
        mocker.get(f"{server.url}{PATH}", json={"a": 1})
        assert wire_to(server.url, session).send(SHOW).json() == {"a": 1}
    assert wire_to(server.url, session).send(SHOW).json() == {"a": 2}
    assert session.session.get(f"{server.url}{PATH}").json() == {"a": 2}


class UnixConnection(urllib3.connection.HTTPConnection):
    path = ""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(self.path)


class UnixAdapter(requests.adapters.HTTPAdapter):
    """An adapter for Unix sockets, written like those of other packages."""

    def __init__(self, path: str) -> None:
        connection = type("Connection", (UnixConnection,), {"path": path})
        self.pool = urllib3.connectionpool.HTTPConnectionPool("localhost")
        self.pool.ConnectionCls = connection
        super().__init__()

    def get_connection(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        return self.pool

    def get_connection_with_tls_context(
        self, *args: typing.Any, **kwargs: typing.Any
    ) -> typing.Any:
        return self.get_connection()


def test_cut_is_noticed_over_a_unix_socket(tmp_path: Path) -> None:
    replies = [BLOCK[:-2], BLOCK]

    def serve() -> None:
        for reply in replies:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        http = requests.Session()
        http.mount("http://", UnixAdapter(path))
        transport = wire_to("http://localhost", session_to(http))
        with pytest.raises(GlanceConnectionFailed):
            transport.send(HEAD)
        assert properties_of(transport.send(HEAD)) == 2
        thread.join()


def test_certificates_of_the_callers_adapter_are_used(certificates: Certificates) -> None:
    class Trusting(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: typing.Any, **kwargs: typing.Any) -> None:
            context = ssl.create_default_context(cafile=certificates.trusted)
            super().init_poolmanager(*args, **kwargs, ssl_context=context)

    with ScriptedServer(tls=certificates.server) as server:
        server.on("HEAD", PATH, cut(BLOCK, len(BLOCK) - 2), Reply(raw=BLOCK))
        http = requests.Session()
        http.mount("https://", Trusting())
        transport = wire_to(server.url, session_to(http, verify=certificates.trusted))
        with pytest.raises(GlanceConnectionFailed):
            transport.send(HEAD)
        assert properties_of(transport.send(HEAD)) == 2


def test_views_do_not_change_attributes(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    session = session_to()
    attributes = {name: id(value) for name, value in vars(session).items()}
    within = {name: id(value) for name, value in vars(session.session).items()}
    wire_to(server.url, session).send(SHOW)
    assert {name: id(value) for name, value in vars(session).items()} == attributes
    assert {name: id(value) for name, value in vars(session.session).items()} == within


def test_slow_malformed_response_raises_library_error() -> None:
    with (
        dripping(b"HTTP/1.1 200 OK\r\n", for_ever(b"\x00")) as url,
        pytest.raises(GlanceCompatError),
    ):
        wire_to(url, deadline=0.3).send(SHOW)


# ---------------------------------------------------------------------------------------------
# Views.


def test_views_of_a_session_are_made_once(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    prepared = prepared_session(session_to())
    limits = Limits(1.0, lambda: Deadline(1))
    first, second = (image_session(prepared, limits) for _ in range(2))
    assert prepared_session(first) is first
    assert first.session is second.session
    assert first.session.get_adapter(server.url) is second.session.get_adapter(server.url)


def test_view_follows_a_replaced_requests_session(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    session = session_to()
    prepared = prepared_session(session)
    wire_to(server.url, prepared).send(SHOW)
    session.session = CountingSession()
    wire_to(server.url, prepared).send(SHOW)
    assert session.session.sent == 1


def test_closed_session_closes_connections_although_views_exist(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    session = session_to()
    prepared = prepared_session(session)
    wire_to(server.url, prepared).send(SHOW)
    [connection] = connections_of(session, server.url)
    session.session.close()
    gc.collect()
    assert connection.sock is None
