# SPDX-License-Identifier: Apache-2.0
"""Endpoints that are not Glance, invalid tokens, and invalid options."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session

from glance_compat import ImageService, Options, exceptions
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target, everywhere, on_real

MISSING = "00000000-0000-4000-8000-000000000000"
TOKEN = "a-token-that-nobody-may-read"

CALLS: dict[str, Callable[[ImageService], object]] = {
    "discover": lambda service: service.discover(),
    "show": lambda service: service.show(None, MISSING),
    "detail": lambda service: service.detail(None),
    "create": lambda service: service.create(None, {"name": "x"}),
    "create with data": lambda service: service.create(None, {**FORMATS}, data=DATA),
    "update": lambda service: service.update(None, MISSING, {"name": "x"}),
    "update with data": lambda service: service.update(None, MISSING, {}, data=DATA),
    "delete": lambda service: service.delete(None, MISSING),
    "download": lambda service: service.download(None, MISSING),
    "members": lambda service: service.members(None, MISSING),
    "add_member": lambda service: service.add_member(None, MISSING, "m"),
    "remove_member": lambda service: service.remove_member(None, MISSING, "m"),
}

Answer = tuple[int, str, bytes]


def versions(*rows: tuple[str, str]) -> bytes:
    listed = [{"id": one, "status": status} for one, status in rows]
    return json.dumps({"versions": listed}).encode()


HTML = b"<html><body><h1>Welcome to the load balancer</h1></body></html>"
KEYSTONE = b'{"versions": {"values": [{"id": "v3.14", "status": "stable"}]}}'
JSON, WEB = "application/json", "text/html"
DOCUMENT: Answer = (
    300,
    JSON,
    versions(("v2.5", "CURRENT"), ("v1.1", "DEPRECATED")),
)
V3: Answer = (300, JSON, versions(("v3.0", "CURRENT")))
EXPERIMENT: Answer = (300, JSON, versions(("v2.6", "EXPERIMENTAL")))

#: Servers without a usable version: the response at the root, and all other responses.
STRANGERS: dict[str, tuple[Answer, Answer]] = {
    "a web page": ((200, WEB, HTML), (200, WEB, HTML)),
    "a web page that is not there": ((404, WEB, HTML), (404, WEB, HTML)),
    "nothing to say": ((204, WEB, b""), (204, WEB, b"")),
    "a v3": (V3, V3),
    "an experiment": (EXPERIMENT, EXPERIMENT),
    "Keystone": ((300, JSON, KEYSTONE), (404, JSON, b'{"error": {"message": "no"}}')),
    "no versions": ((300, JSON, versions()), (300, JSON, versions())),
    "a document of another shape": ((200, JSON, b'["versions"]'), (200, JSON, b'["versions"]')),
    "broken JSON": ((300, JSON, b'{"versions": ['), (404, WEB, b"")),
}

#: The response to all other requests, of servers with a valid version document.
IMPOSTORS: dict[str, Answer] = {
    "a web page": (200, WEB, HTML),
    # v1 responds to a successful DELETE with 200 and no body.
    "empty answers": (203, JSON, b""),
    "lists": (200, JSON, b"[]"),
    "numbers": (201, JSON, b"7"),
    "null": (200, JSON, b"null"),
    "empty objects": (200, JSON, b"{}"),
    "no content type": (200, "", HTML),
    "a version document": DOCUMENT,
    "a teapot": (418, WEB, HTML),
    "an error": (500, WEB, HTML),
    "out of order": (503, WEB, HTML),
}


@contextlib.contextmanager
def answering(root: Answer, rest: Answer) -> Iterator[str]:
    """Serve two responses; yield the URL, which no other server has had."""
    prefix = f"/{uuid.uuid4().hex}"

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, kind, body = root if self.path == f"{prefix}/" else rest
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def service_at(url: str, **options: Any) -> ImageService:
    transport = requests.Session()
    transport.trust_env = False
    session = Session(auth=token_endpoint.Token(url, TOKEN), session=transport)
    # Timeouts are not tested here.
    chosen = Options(**{"max_attempts": 1, **options})
    return ImageService(session, endpoint_override=url, options=chosen)


def assert_helpful(error: exceptions.GlanceCompatError, url: str, call: str) -> None:
    text = str(error)
    assert url in text, (call, text)
    assert TOKEN not in text
    assert "<" not in text


@pytest.mark.parametrize("stranger", STRANGERS)
def test_non_glance_endpoint_fails(stranger: str) -> None:
    with answering(*STRANGERS[stranger]) as url:
        service = service_at(url)
        for name, call in CALLS.items():
            with pytest.raises(exceptions.NoUsableVersion) as caught:
                call(service)
            assert_helpful(caught.value, url, name)


@pytest.mark.parametrize("api_version", ["auto", "1", "2"])
@pytest.mark.parametrize("impostor", IMPOSTORS)
def test_imitated_glance_endpoint_fails(impostor: str, api_version: str) -> None:
    with answering(DOCUMENT, IMPOSTORS[impostor]) as url:
        service = service_at(url, api_version=api_version)
        for name, call in CALLS.items():
            if name == "discover":
                continue
            with pytest.raises(exceptions.GlanceCompatError) as caught:
                call(service)
            assert_helpful(caught.value, url, name)
            # None of these errors may be blamed on the image, or report that it does not exist.
            assert not isinstance(
                caught.value, (exceptions.NotFound, exceptions.UnreadableImage)
            ), name


@pytest.mark.parametrize("call", ["create with data", "update with data"])
@pytest.mark.parametrize("impostor", ["empty objects", "an error"])
def test_imitated_upload_response_is_bad_response(call: str, impostor: str) -> None:
    with answering(DOCUMENT, IMPOSTORS[impostor]) as url:
        with pytest.raises(exceptions.BadResponse) as caught:
            CALLS[call](service_at(url))
        assert_helpful(caught.value, url, call)


def test_error_names_wanted_and_offered_versions() -> None:
    with answering(*STRANGERS["a v3"]) as url:
        with pytest.raises(exceptions.NoUsableVersion) as caught:
            service_at(url).discover()
        for part in (url, "v1", "v2", "v3.0", "CURRENT"):
            assert part in str(caught.value)
    with answering(*STRANGERS["an experiment"]) as url:
        with pytest.raises(exceptions.NoUsableVersion) as caught:
            service_at(url).discover()
        assert "v2.6" in str(caught.value)
        assert service_at(url, allow_experimental=True).discover().version == (2, 6)


def test_http_500_error_is_helpful_for_every_call() -> None:
    with answering((500, WEB, HTML), (500, WEB, HTML)) as url:
        for name, call in CALLS.items():
            with pytest.raises(exceptions.GlanceCompatError) as caught:
                call(service_at(url))
            assert_helpful(caught.value, url, name)


def test_refused_connection_is_reported() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for name, call in CALLS.items():
        with pytest.raises(exceptions.GlanceConnectionFailed) as caught:
            call(service_at(url))
        assert url in str(caught.value), name


def test_silent_server_is_a_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        service = service_at(url, read_timeout=0.2, connect_timeout=0.2)
        with pytest.raises(exceptions.GlanceConnectionFailed) as caught:
            service.show(None, MISSING)
        assert url in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "ftp://127.0.0.1/",
        "http://",
        "http:///path",
        "127.0.0.1:9292",
        7,
        [""],
    ],
    ids=repr,
)
def test_invalid_endpoint_url_is_refused(url: Any) -> None:
    session = Session(auth=token_endpoint.Token("http://127.0.0.1", TOKEN))
    with pytest.raises(exceptions.InvalidOption):
        ImageService(session, endpoint_override=url)


def test_missing_endpoint_is_refused() -> None:
    service = ImageService(Session())
    for call in CALLS.values():
        with pytest.raises(exceptions.GlanceCompatError) as caught:
            call(service)
        assert isinstance(caught.value, (exceptions.NoUsableVersion, exceptions.NotAuthenticated))
        assert "endpoint" in str(caught.value)


def test_credentials_in_url_are_redacted() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        service_at(f"http://user:secret@127.0.0.1:{port}").show(None, MISSING)
    assert "secret" not in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Tokens.


@on_real
@pytest.mark.parametrize("call", [name for name in CALLS if name != "discover"])
def test_invalid_token_is_not_authenticated(target: Target, call: str) -> None:
    service = ImageService(
        Session(auth=token_endpoint.Token(target.url, "bogus")),
        endpoint_override=target.url,
        options=Options(max_attempts=2),
    )
    with pytest.raises(exceptions.NotAuthenticated) as caught:
        CALLS[call](service)
    assert (caught.value.status, caught.value.endpoint) == (401, target.url)
    assert "bogus" not in str(caught.value)


@everywhere
def test_version_document_needs_no_token(target: Target) -> None:
    service = ImageService(Session(session=target.session().session), endpoint_override=target.url)
    assert service.discover().endpoint == target.url


# ---------------------------------------------------------------------------------------------
# Options.


@pytest.mark.parametrize(
    "options",
    [
        {"api_version": "3"},
        {"api_version": 2},
        {"prefer": "auto"},
        {"page_size": 0},
        {"page_size": "many"},
        {"max_attempts": 0},
        {"backoff_max": -1},
        {"connect_timeout": 0},
        {"read_timeout": float("nan")},
        {"deadline": float("inf")},
        {"deadline": "long"},
        {"discovery_ttl": -1},
        {"max_response_bytes": 0},
        {"extended": "yes"},
        {"verify_downloads": "always"},
        {"verify_uploads": None},
        {"v1_folding": True},
        {"trusted_endpoints": "http://one"},
        {"trusted_endpoints": ["http://one"]},
        {"allowed_location_schemes": [7]},
    ],
    ids=str,
)
def test_invalid_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidOption) as caught:
        Options(**options)
    assert isinstance(caught.value, ValueError)
    (name,) = options
    assert name in str(caught.value)


def test_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Options(colour="red")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    "arguments", [{"session": None}, {"session": "session"}, {"options": {"prefer": "1"}}]
)
def test_invalid_argument_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(exceptions.InvalidOption):
        ImageService(**{"session": Session(), **arguments})
