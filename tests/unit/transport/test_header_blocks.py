# SPDX-License-Identifier: Apache-2.0
"""Header blocks over a real socket: any number of properties, limits, and damage."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import socketserver
import threading
import typing
from collections.abc import Iterator

import hypothesis
import pytest
import requests
import urllib3.exceptions
from hypothesis import strategies
from keystoneauth1 import session as ksa_session

from glance_compat.exceptions import GlanceCompatError
from glance_compat.transport import response_reader
from glance_compat.transport.error_mapping import chain_of, translated_errors
from glance_compat.transport.response_reader import Limits, ResponseFactory, is_damaged
from glance_compat.transport.retry import Deadline
from glance_compat.transport.sessions import prepared_session
from glance_compat.transport.v1_headers import from_wire

LIMITS = Limits(30.0, lambda: Deadline(60), keep_v1_connections=True)

# ---------------------------------------------------------------------------------------------
# Errors.


def chained(inner: BaseException, outer: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def handled(inner: BaseException, outer: BaseException) -> BaseException:
    outer.__context__ = inner
    return outer


TOO_LONG = [
    http.client.LineTooLong("header line"),
    http.client.HTTPException("got more than 100 headers"),
]


def headers_too_long(error: BaseException | None) -> bool:
    """Return whether an error is reported as one of the size of a response's headers."""
    with pytest.raises(GlanceCompatError) as caught, translated_errors("that"):
        raise error or ValueError
    return "headers are too long" in str(caught.value)


@pytest.mark.parametrize("error", TOO_LONG, ids=str)
def test_too_long_headers_are_found_in_the_exception_chain(error: BaseException) -> None:
    assert headers_too_long(error)
    assert headers_too_long(chained(error, ValueError("outer")))
    assert headers_too_long(handled(error, ValueError("outer")))
    assert headers_too_long(urllib3.exceptions.ProtocolError("Connection aborted.", error))
    outer = requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", error))
    assert headers_too_long(chained(outer, RuntimeError("outermost")))


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("got more than 100 headers"),
        http.client.HTTPException("other"),
        http.client.BadStatusLine("x"),
        ConnectionResetError(),
        ValueError(),
    ],
    ids=repr,
)
def test_other_errors_are_not_too_long_headers(error: BaseException | None) -> None:
    assert not headers_too_long(error)


def test_cyclic_exception_chain_is_walked_once() -> None:
    first, second = ValueError("first"), ValueError("second")
    chained(second, first)
    handled(first, second)
    second.args = (first, "text", second)
    assert not headers_too_long(first)
    assert list(chain_of(first, None)) == [first, second]


def test_response_interrupted_in_headers_can_be_closed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, http.client.HTTPResponse(ours) as response:
        stream = response.fp
        response.fp = typing.cast(typing.Any, response_reader._HeaderBlock(stream.readline))
        response.close()
        stream.close()
    assert response.isclosed()


# ---------------------------------------------------------------------------------------------
# A small server.


class Asked(typing.NamedTuple):
    method: str
    path: str
    connection: int


class Server(socketserver.ThreadingTCPServer):
    """A server that sends preset bytes for each path, over persistent connections."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.responses: dict[str, bytes] = {}
        self.asked: list[Asked] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def _line(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return self.rfile.readline()
        return b""

    def handle(self) -> None:
        server = typing.cast(Server, self.server)
        server.connections += 1
        connection = server.connections
        while line := self._line():
            method, path, _ = line.decode("ascii").split()
            length = 0
            while (header := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.rfile.read(length)
            server.asked.append(Asked(method, path, connection))
            response = server.responses[path]
            if method == "HEAD":
                response = response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            # The client disconnects after too many bytes.
            with contextlib.suppress(ConnectionError):
                self.wfile.write(response)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        view = prepared_session(ksa_session.Session(session=made)).session
        with response_reader.limits_in_force(LIMITS):
            yield view


@pytest.fixture
def plain() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


Lines = list[tuple[str, str]]

BASE: Lines = [
    ("x-image-meta-id", "8f6a"),
    ("x-image-meta-name", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
    ("X-Image-Meta-Size", "4"),
]


def properties(count: int) -> Lines:
    return [(f"X-Image-Meta-Property-p{number}", f"v\xe9{number}") for number in range(count)]


def block(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""])


def reply(lines: Lines, body: bytes = b"data") -> bytes:
    encoded = [f"{name}: {value}".encode() for name, value in lines]
    return block(b"Content-Length: %d" % len(body), *encoded) + body


def read(response: requests.Response) -> Lines:
    """Return all headers in order, including repeated ones, as strings."""
    raw = typing.cast("typing.Iterable[tuple[str, str]]", response.raw.headers.items())
    return [(name, from_wire(value)) for name, value in raw]


def damaged(response: requests.Response) -> bool:
    return is_damaged(response.raw._original_response)


# ---------------------------------------------------------------------------------------------
# Long header blocks.


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("count", [0, 1, 97, 98, 300, 3000])
def test_any_number_of_properties_is_read(
    server: Server, session: requests.Session, method: str, count: int
) -> None:
    lines = [*properties(count)[: count // 2], *BASE, *properties(count)[count // 2 :]]
    server.responses["/v1/images/8f6a"] = reply(lines)
    response = session.request(method, f"{server.url}/v1/images/8f6a")
    assert sorted(read(response)) == sorted([("Content-Length", "4"), *lines])
    assert response.content == (b"data" if method == "GET" else b"")
    assert not damaged(response)


def test_plain_session_fails_on_many_headers(server: Server, plain: requests.Session) -> None:
    server.responses["/many"] = reply(properties(300))
    server.responses["/long"] = reply([("x-image-meta-property-a", "x" * 70_000)])
    for path in ("/many", "/long"):
        with pytest.raises(requests.ConnectionError) as caught:
            plain.get(server.url + path)
        assert headers_too_long(caught.value)


def test_http_client_limits_stay(
    server: Server, session: requests.Session, plain: requests.Session
) -> None:
    limits = vars(http.client)["_MAXHEADERS"], vars(http.client)["_MAXLINE"]
    server.responses["/many"] = reply([*BASE, *properties(300)])
    with session.get(f"{server.url}/many", stream=True) as response:
        assert (vars(http.client)["_MAXHEADERS"], vars(http.client)["_MAXLINE"]) == limits
        with pytest.raises(requests.ConnectionError):
            plain.get(f"{server.url}/many")
        assert response.content == b"data"
    assert limits == (100, 65536)


def test_connection_is_kept_for_the_next_request(
    server: Server, session: requests.Session
) -> None:
    server.responses["/long"] = reply([*BASE, *properties(300)], b"long" * 50_000)
    server.responses["/short"] = reply(BASE, b"short")
    server.responses["/empty"] = block(b"x-a: b", status=b"204 No Content")
    for method, path, content in [
        ("GET", "/long", b"long" * 50_000),
        ("HEAD", "/long", b""),
        ("GET", "/short", b"short"),
        ("GET", "/empty", b""),
        ("POST", "/short", b"short"),
        ("HEAD", "/long", b""),
        ("GET", "/long", b"long" * 50_000),
    ]:
        assert session.request(method, server.url + path).content == content
    assert {one.connection for one in server.asked} == {1}


def test_chunked_body_is_read(server: Server, session: requests.Session) -> None:
    lines = [f"{name}: {value}".encode() for name, value in properties(300)]
    server.responses["/"] = block(b"Transfer-Encoding: chunked", *lines) + (
        b"4\r\nx-im\r\n10\r\nage-meta-propert\r\n0\r\n\r\n"
    )
    for _ in range(2):
        response = session.get(server.url + "/")
        assert response.content == b"x-image-meta-propert"
        assert len(read(response)) == 301
    assert server.connections == 1


def test_body_is_streamed(server: Server, session: requests.Session) -> None:
    body = bytes(range(256)) * 4096
    server.responses["/"] = reply(properties(300), body)
    with session.get(server.url + "/", stream=True) as response:
        assert b"".join(response.iter_content(65_536)) == body


def test_error_with_many_headers_is_read(server: Server, session: requests.Session) -> None:
    lines = [f"{name}: {value}".encode() for name, value in properties(300)]
    server.responses["/"] = block(b"Content-Length: 2", *lines, status=b"404 Not Found") + b"no"
    response = session.get(server.url + "/")
    assert (response.status_code, response.reason, response.content) == (404, "Not Found", b"no")


def test_many_headers_after_100_continue_are_read(
    server: Server, session: requests.Session
) -> None:
    server.responses["/"] = block(status=b"100 Continue") + reply([*BASE, *properties(300)])
    response = session.get(server.url + "/")
    assert response.status_code == 200
    assert len(read(response)) == 1 + len(BASE) + 300


@pytest.mark.parametrize("size", [65_536, 100_000, 1_000_000])
def test_property_longer_than_http_client_limit_is_read(
    server: Server, session: requests.Session, size: int
) -> None:
    server.responses["/"] = reply([*BASE, ("x-image-meta-property-a", "x" * size)])
    assert dict(read(session.get(server.url + "/")))["x-image-meta-property-a"] == "x" * size


def original(response: requests.Response) -> object:
    return response.raw._original_response


def test_overlong_property_is_omitted_as_damage(server: Server, session: requests.Session) -> None:
    long = ("x-image-meta-property-a", "x" * 2_000_000)
    server.responses["/"] = reply([*BASE, long, ("x-image-meta-property-b", "y")])
    response = session.get(server.url + "/")
    assert is_damaged(original(response))
    assert dict(read(response)).get("x-image-meta-property-a") is None
    assert dict(read(response))["x-image-meta-property-b"] == "y"


def test_excess_property_bytes_are_omitted_as_damage(
    server: Server, session: requests.Session
) -> None:
    lines = [(f"x-image-meta-property-p{n}", "x" * 1_000_000) for n in range(20)]
    server.responses["/"] = reply([*BASE, *lines])
    response = session.get(server.url + "/")
    assert is_damaged(original(response))
    assert 0 < len(dict(read(response)).keys() & dict(lines).keys()) < 20


def test_endless_header_block_is_refused(server: Server, session: requests.Session) -> None:
    lines = [f"x-image-meta-property-p{n}: {'x' * 1_000_000}".encode() for n in range(70)]
    server.responses["/"] = block(*lines)
    with pytest.raises(requests.ConnectionError) as caught:
        session.get(server.url + "/")
    assert headers_too_long(caught.value)


def test_headers_of_any_name_are_read_like_properties(
    server: Server, session: requests.Session
) -> None:
    server.responses["/many"] = reply([(f"x-{number}", "v") for number in range(101)])
    server.responses["/long"] = reply([("x-image-meta-name", "x" * 70_000)])
    assert len(read(session.get(server.url + "/many"))) == 102
    assert dict(read(session.get(server.url + "/long")))["x-image-meta-name"] == "x" * 70_000


def test_headers_that_frame_the_response_keep_http_clients_limits(
    server: Server, session: requests.Session
) -> None:
    server.responses["/many"] = reply([("Connection", "keep-alive")] * 101)
    server.responses["/long"] = reply([("Connection", "x" * 70_000)])
    for path in ("/many", "/long"):
        with pytest.raises(requests.ConnectionError) as caught:
            session.get(server.url + path)
        assert headers_too_long(caught.value)


def test_endless_headers_use_bounded_memory(server: Server, session: requests.Session) -> None:
    server.responses["/"] = block(b"x-image-meta-id: 8f6a", *[b"a:"] * 200_000)
    response = session.head(server.url + "/")
    assert damaged(response)
    assert len(read(response)) == 65_536


def test_header_with_a_lone_carriage_return_is_damage(
    server: Server, session: requests.Session
) -> None:
    response = asked_with(server, session, b"x-image-meta-name: a\rx-owner: evil", long=False)
    assert damaged(response)
    assert {name for name, _ in read(response)} == {"x-image-meta-id", "x-last"}


def test_repeated_header_is_read_twice(server: Server, session: requests.Session) -> None:
    lines = [*BASE, ("x-image-meta-name", "evil"), *properties(100), *properties(1)]
    server.responses["/"] = reply(lines)
    assert sorted(read(session.get(server.url + "/"))) == sorted([("Content-Length", "4"), *lines])


def test_many_headers_are_read_through_a_proxy(server: Server, session: requests.Session) -> None:
    session.proxies = {"http": server.url}
    server.responses["http://glance.invalid/v1/images/8f6a"] = reply([*BASE, *properties(300)])
    response = session.get("http://glance.invalid/v1/images/8f6a")
    assert len(read(response)) == 1 + len(BASE) + 300
    assert response.content == b"data"


# ---------------------------------------------------------------------------------------------
# Damage.


def asked_with(
    server: Server, session: requests.Session, *lines: bytes, long: bool
) -> requests.Response:
    more = [f"{name}: {value}".encode() for name, value in properties(300 if long else 0)]
    server.responses["/"] = block(b"x-image-meta-id: 8f6a", *lines, b"x-last: l", *more)
    return session.head(server.url + "/")


#: Lines in the block that result from property values with line breaks.
DAMAGE = {
    "text": [b"x-image-meta-property-a: one", b"two"],
    "text with blanks": [b"x-image-meta-property-a: one", b"two three: four"],
    "colon first": [b"x-image-meta-property-a: one", b": two"],
    "name with a blank": [b"x-image-meta a: b"],
    "bytes": [b"x-image-meta-property-a: one", b"\xff\xfe: two"],
}


@pytest.mark.parametrize("long", [False, True])
@pytest.mark.parametrize("kind", DAMAGE)
def test_malformed_header_line_is_damage(
    server: Server, session: requests.Session, kind: str, long: bool
) -> None:
    response = asked_with(server, session, *DAMAGE[kind], long=long)
    assert damaged(response)
    # All readable headers are read nevertheless.
    assert response.headers["x-image-meta-id"] == "8f6a"
    assert response.headers["x-last"] == "l"


#: Lines that http.client treats as a continuation of the previous header, or as a header with an
#: invalid name.
DAMAGE_OF_LONG_ANSWERS = {
    "blanks": [b"x-image-meta-name: a", b"x-image-meta-property-b: one", b"   "],
    "tab": [b"x-image-meta-name: a", b"x-image-meta-property-b: one", b"\t two"],
    "form feed": [b"x-image-meta-name: a", b"x-image-meta-property-b: one", b"\x0c"],
    "property without a value": [b"x-image-meta-name: a", b"x-image-meta-property-b"],
    "property with a blank": [b"x-image-meta-name: a", b"x-image-meta-property-a b: c"],
    "property beyond ASCII": [b"x-image-meta-name: a", b"x-image-meta-property-\xc3\xa9: c"],
}


@pytest.mark.parametrize("kind", DAMAGE_OF_LONG_ANSWERS)
def test_damage_stays_with_its_property(
    server: Server, session: requests.Session, kind: str
) -> None:
    response = asked_with(server, session, *DAMAGE_OF_LONG_ANSWERS[kind], long=True)
    assert damaged(response)
    assert dict(read(response))["x-image-meta-name"] == "a"
    assert response.headers["x-last"] == "l"
    assert len(properties(300)) <= len(read(response)) - 3 <= len(properties(300)) + 1


@pytest.mark.parametrize("kind", DAMAGE)
def test_plain_session_shows_damage(server: Server, plain: requests.Session, kind: str) -> None:
    assert damaged(asked_with(server, plain, *DAMAGE[kind], long=False))


def test_undamaged_block_has_no_damage(
    server: Server, session: requests.Session, plain: requests.Session
) -> None:
    for one in (session, plain):
        assert not damaged(asked_with(server, one, b"x-image-meta-name: a", long=False))


@pytest.mark.parametrize("response", [None, object(), "text", io.BytesIO(), requests.Response()])
def test_foreign_responses_count_as_undamaged(response: object) -> None:
    assert not is_damaged(response)


names = strategies.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", fullmatch=True)
values = strategies.binary(max_size=10).map(
    lambda value: value.translate(None, b"\r\n").strip(b" \t\r\n\x0b\x0c")
)


@hypothesis.given(
    given=strategies.lists(strategies.tuples(strategies.booleans(), names, values), max_size=12)
)
def test_any_block_is_read_as_http_client_reads_it(
    given: list[tuple[bool, bytes, bytes]],
) -> None:
    lines = [
        (b"X-Image-Meta-Property-" if is_property else b"x-") + name + b": " + value
        for is_property, name, value in given
    ]
    sent = block(*lines, b"Content-Length: 0")

    class Wire:
        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(typing.cast(typing.Any, io.BytesIO(sent)))

        def settimeout(self, seconds: float) -> None:
            pass

    reading = ResponseFactory(http.client.HTTPResponse, LIMITS)
    found = []
    for make in (http.client.HTTPResponse, reading):
        response = make(typing.cast(typing.Any, Wire()), method="GET")
        response.begin()
        found.append(response)
        response.close()
    plain, long = found
    assert sorted(long.headers.items()) == sorted(plain.headers.items())
    assert is_damaged(long) == is_damaged(plain)
