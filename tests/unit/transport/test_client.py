# SPDX-License-Identifier: Apache-2.0
"""client: requests, responses, refused responses, and redaction of secrets."""

from __future__ import annotations

import dataclasses
import email.utils
import gzip
import http.client
import io
import json
import logging
import socket
import ssl
import threading
import time
import traceback
import typing
from collections.abc import Callable, Iterator

import keystoneauth1.exceptions
import pytest
import requests
import requests_mock
import urllib3.exceptions
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import generic, v3

from glance_compat import exceptions
from glance_compat.exceptions import (
    STATUS_ERRORS,
    BadResponse,
    DataSourceError,
    DeadlineExceeded,
    GlanceCompatError,
    GlanceConnectionFailed,
    ImageNotFound,
    ImageQuotaExceeded,
    Invalid,
    NotAuthenticated,
    NoUsableVersion,
)
from glance_compat.options import Options
from glance_compat.redaction import redact_url
from glance_compat.streams.streams import Upload
from glance_compat.transport import v1_headers
from glance_compat.transport.client import Identity, Transport
from glance_compat.transport.error_mapping import advice_for, translated_errors
from glance_compat.transport.messages import Request, Response, VersionDocumentReceived
from glance_compat.transport.retry import Deadline, is_transient
from glance_compat.urls import origin
from tests.unit.scripted_server import (
    NO_ANSWER,
    Reply,
    ScriptedServer,
    Seen,
    json_reply,
    redirect,
)

PATH = "/v2/images/an-image"
SHOW = Request(method="GET", path=PATH, errors=STATUS_ERRORS["show"], image_id="an-image")
HEAD = Request(method="HEAD", path="/v1/images/an-image", errors=STATUS_ERRORS["show"])
TOKEN = "a-very-secret-token"


def session_with(token: str | None = TOKEN, timeout: float | None = None) -> ksa_session.Session:
    auth = token_endpoint.Token("http://127.0.0.1:1", token) if token else None
    return ksa_session.Session(auth=auth, timeout=timeout)


def wire_to(
    url: str,
    session: ksa_session.Session | None = None,
    *,
    options: Options = Options(),  # noqa: B008 - frozen
    identity: Identity = Identity(),  # noqa: B008 - frozen
    deadline: float | None = 20,
) -> Transport:
    return Transport(
        session or session_with(), url, options, identity=identity, deadline=Deadline(deadline)
    )


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        yield one


@pytest.fixture
def elsewhere() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        yield one


class Renewing(ksa_plugin.BaseAuthPlugin):
    """An auth plugin with renewable tokens that counts renewals."""

    def __init__(self, *tokens: str) -> None:
        super().__init__()
        self.tokens = list(tokens)
        self.invalidated = 0

    def get_token(self, session: object, **kwargs: object) -> str:
        return self.tokens[0]

    def invalidate(self) -> bool:
        self.invalidated += 1
        if len(self.tokens) == 1:
            return False
        self.tokens.pop(0)
        return True


def upload_of(data: bytes | Iterator[bytes] | typing.IO[bytes]) -> Request:
    return Request(
        method="PUT",
        path=f"{PATH}/file",
        upload=Upload(data),
        success=frozenset({204}),
        errors=STATUS_ERRORS["upload"],
        image_id="an-image",
    )


UPLOAD_PATH = f"{PATH}/file"


# ---------------------------------------------------------------------------------------------
# Requests.


def test_all_fields_of_request_are_sent(server: ScriptedServer) -> None:
    server.on("PATCH", PATH, json_reply({"id": "an-image"}))
    request = Request(
        method="PATCH",
        path=PATH,
        params=(("sort_key", "name"), ("sort_key", "id"), ("name", "eq:ä b&c")),
        json=[{"op": "replace", "path": "/name", "value": "Größe"}],
        json_type="application/openstack-images-v2.1-json-patch",
    )
    response = wire_to(server.url).send(request)
    assert response.json() == {"id": "an-image"}
    [seen] = server.seen
    assert seen.query == "sort_key=name&sort_key=id&name=eq%3A%C3%A4+b%26c"
    assert json.loads(seen.body) == request.json
    assert seen.headers["content-type"] == request.json_type
    assert seen.headers["accept"] == "application/json"
    assert seen.token == TOKEN


def test_image_data_is_requested_uncompressed(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(body=b"data"))
    transport = wire_to(server.url)
    request = Request(method="GET", path=PATH, stream=True)
    response = transport.send(request)
    assert b"".join(transport.blocks(request, response)) == b"data"
    assert response.body == b""
    assert server.seen[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("data", [b"x", b"x" * 1_000_000], ids=["one", "many"])
def test_data_of_known_size_has_content_length(server: ScriptedServer, data: bytes) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(204))
    wire_to(server.url).send(upload_of(data))
    [seen] = server.seen
    assert (seen.headers["content-length"], seen.body) == (str(len(data)), data)
    assert seen.headers["content-type"] == "application/octet-stream"


def test_data_of_unknown_size_is_sent_in_chunks(server: ScriptedServer) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(204))
    wire_to(server.url).send(upload_of(iter([b"abc", b"", b"def"])))
    [seen] = server.seen
    assert (seen.headers["transfer-encoding"], seen.body) == ("chunked", b"abcdef")


def test_empty_data_is_sent(server: ScriptedServer) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(204))
    wire_to(server.url).send(upload_of(b""))
    [seen] = server.seen
    assert (seen.headers.get("content-length", "0"), seen.body) == ("0", b"")
    assert seen.headers["content-type"] == "application/octet-stream"


def test_header_values_are_utf8_in_both_directions(server: ScriptedServer) -> None:
    text = "Größe \N{SNOWMAN} 100%"
    raw = "\r\n".join(
        [
            "HTTP/1.1 200 OK",
            f"x-image-meta-name: {text}",
            "x-image-meta-property-a: 1",
            "x-image-meta-property-a: 2",
            "Content-Length: 0",
            "",
            "",
        ]
    )
    server.on("HEAD", HEAD.path, Reply(raw=raw.encode("utf-8")))
    request = Request(method="HEAD", path=HEAD.path, headers={"x-image-meta-name": text})
    response = wire_to(server.url).send(request)
    sent = server.seen[0].headers["x-image-meta-name"].encode("latin-1")
    assert sent == text.encode("utf-8")
    assert response.header("x-image-meta-name") == text
    assert [value for name, value in response.headers if name.endswith("-a")] == ["1", "2"]
    assert not response.damaged


def test_non_utf8_header_is_preserved(server: ScriptedServer) -> None:
    raw = b"HTTP/1.1 200 OK\r\nx-image-meta-name: \xff\xfe\r\nContent-Length: 0\r\n\r\n"
    server.on("HEAD", HEAD.path, Reply(raw=raw))
    assert wire_to(server.url).send(HEAD).header("x-image-meta-name") == "\xff\xfe"


def test_malformed_header_line_marks_response_damaged(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    raw = b"HTTP/1.1 200 OK\r\nx-image-meta-name: a\r\nno header\r\nx-b: c\r\n\r\n"
    server.on("HEAD", HEAD.path, Reply(raw=raw))
    with caplog.at_level(logging.CRITICAL):
        assert wire_to(server.url).send(HEAD).damaged


@pytest.mark.parametrize("token", [True, False])
def test_global_request_id_is_sent(server: ScriptedServer, token: bool) -> None:
    server.on("GET", PATH, json_reply({}))
    wire_to(server.url, identity=Identity(request_id="req-7")).send(SHOW, token=token)
    assert server.seen[0].headers["x-openstack-request-id"] == "req-7"
    assert server.seen[0].token == (TOKEN if token else None)


def test_identity_plugin_overrides_session_plugin(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    auth = token_endpoint.Token("http://127.0.0.1:1", "other-token")
    wire_to(server.url, identity=Identity(auth=auth)).send(SHOW)
    assert [one.token for one in server.seen] == ["other-token"]


def test_session_is_never_altered(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(401))
    server.on("HEAD", HEAD.path, many_headers(150))
    session = session_with()
    before = {name: repr(value) for name, value in vars(session).items()}
    inner = {name: repr(value) for name, value in vars(session.session).items()}
    transport = wire_to(server.url, session)
    with pytest.raises(NotAuthenticated):
        transport.send(SHOW)
    transport.send(HEAD)
    assert {name: repr(value) for name, value in vars(session.session).items()} == inner
    after = {name: repr(value) for name, value in vars(session).items()}
    assert {name for name in after if after[name] != before[name]} <= {"_determined_user_agent"}


# ---------------------------------------------------------------------------------------------
# Redirects.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_redirects_within_the_origin_are_followed(
    server: ScriptedServer, status: int, method: str
) -> None:
    server.on(method, "/a", redirect("/b", status))
    server.on(method, "/b", redirect(f"{server.url}/c?x=1", status))
    server.on(method, "/c", redirect("d", status))
    server.on(method, "/d", Reply(body=b"{}"))
    assert wire_to(server.url).send(Request(method=method, path="/a")).status == 200
    assert server.asked(method) == ["/a", "/b", "/c", "/d"]
    assert {one.token for one in server.seen} == {TOKEN}
    assert server.seen[2].query == "x=1"


def test_fourth_redirect_is_refused(server: ScriptedServer) -> None:
    for number in range(10):
        server.on("GET", f"/{number}", redirect(f"/{number + 1}"))
    with pytest.raises(BadResponse, match="more than 3 times"):
        wire_to(server.url).send(Request(method="GET", path="/0"))
    assert server.asked() == ["/0", "/1", "/2", "/3"]


def test_redirect_loop_is_refused(server: ScriptedServer) -> None:
    server.on("GET", "/a", redirect("/b"))
    server.on("GET", "/b", redirect("/a"))
    with pytest.raises(BadResponse):
        wire_to(server.url).send(Request(method="GET", path="/a"))
    assert len(server.seen) <= 4


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
def test_another_origin_never_gets_a_request(
    server: ScriptedServer, elsewhere: ScriptedServer, status: int, method: str
) -> None:
    server.on(method, "/a", redirect(f"{elsewhere.url}/a", status))
    elsewhere.on(method, "/a", json_reply({}))
    with pytest.raises(BadResponse, match="redirected") as caught:
        wire_to(server.url).send(Request(method=method, path="/a", image_id="an-image"))
    assert elsewhere.seen == []
    assert (caught.value.status, caught.value.endpoint) == (status, server.url)
    assert caught.value.image_id == "an-image"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_modifying_request_is_not_redirected(
    server: ScriptedServer, status: int, method: str
) -> None:
    server.on(method, "/a", redirect("/b", status))
    data = Upload(b"data") if method == "PUT" else None
    with pytest.raises(BadResponse, match="redirected"):
        wire_to(server.url).send(Request(method=method, path="/a", upload=data))
    assert server.asked() == ["/a"]


@pytest.mark.parametrize(
    "location",
    [
        "http://glance.example/a",
        "https://glance.example:444/a",
        "https://glance.example.evil/a",
        "https://glance.example@evil/a",
        "//evil/a",
        "ftp://glance.example/a",
        "https://[evil/a",
        "https://glance.example:port/a",
        "javascript:alert(1)",
        "",
    ],
)
def test_redirects_to_another_origin_are_refused(location: str) -> None:
    session = session_with()
    with requests_mock.Mocker(session=session.session) as mock:
        mock.get(
            requests_mock.ANY,
            [
                {"status_code": 302, "headers": {"Location": location}},
                {"status_code": 200, "text": "{}"},
            ],
        )
        with pytest.raises(BadResponse, match="redirected"):
            wire_to("https://glance.example", session).send(Request(method="GET", path="/b"))
        assert mock.call_count == 1


@pytest.mark.parametrize(
    "location", ["https://GLANCE.example/a", "https://glance.example:443/a", "/a", "a", "?x"]
)
def test_redirects_with_other_spellings_of_the_origin_are_followed(location: str) -> None:
    session = session_with()
    with requests_mock.Mocker(session=session.session) as mock:
        mock.get(
            requests_mock.ANY,
            [
                {"status_code": 302, "headers": {"Location": location}},
                {"status_code": 200, "text": "{}"},
            ],
        )
        response = wire_to("https://glance.example", session).send(
            Request(method="GET", path="/b")
        )
        assert (response.status, mock.call_count) == (200, 2)


def test_body_of_a_redirect_is_not_read(server: ScriptedServer) -> None:
    raw = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 1000\r\n\r\nunfinished"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        release = threading.Event()

        def respond() -> None:
            first, _ = listening.accept()
            with first:
                first.recv(65536)
                first.sendall(raw)
                second, _ = listening.accept()
                with second:
                    second.recv(65536)
                    second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                    release.wait(20)

        thread = threading.Thread(target=respond, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert wire_to(url, options=LONG, deadline=5).send(SHOW).json() == {}
        release.set()
        thread.join()


def test_hooks_of_the_session_are_called(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({}))
    called: list[int] = []
    session = session_with()
    session.session.hooks["response"].append(
        lambda response, *_, **__: called.append(response.status_code)
    )
    wire_to(server.url, session).send(SHOW)
    assert called == [200]
    assert len(session.session.hooks["response"]) == 1


def test_redirect_without_location_is_refused(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(302))
    with pytest.raises(BadResponse, match="redirected") as caught:
        wire_to(server.url).send(SHOW)
    assert caught.value.status == 302


# ---------------------------------------------------------------------------------------------
# 401.


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_metadata_is_resent_once_with_new_token(server: ScriptedServer, method: str) -> None:
    server.on(method, "/a", Reply(401), Reply(200))
    auth = Renewing("old", "new", "newer")
    body = {"a": 1} if method in ("POST", "PATCH") else None
    request = Request(method=method, path="/a", json=body)
    assert wire_to(server.url, ksa_session.Session(auth=auth)).send(request).status == 200
    assert [one.token for one in server.seen] == ["old", "new"]
    assert len({one.body for one in server.seen}) == 1


@pytest.mark.parametrize("data", [None, b"data"])
def test_second_401_is_not_authenticated(server: ScriptedServer, data: bytes | None) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(401))
    auth = Renewing("old", "new", "newer", "newest")
    request = Request(
        method="PUT",
        path=UPLOAD_PATH,
        upload=Upload(data) if data else None,
        errors=STATUS_ERRORS["upload"],
    )
    with pytest.raises(NotAuthenticated) as caught:
        wire_to(server.url, ksa_session.Session(auth=auth)).send(request)
    assert caught.value.status == 401
    assert [one.token for one in server.seen] == ["old", "new"]


def test_unrenewable_token_is_not_retried(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(401))
    with pytest.raises(NotAuthenticated):
        wire_to(server.url).send(SHOW)
    assert len(server.seen) == 1


def test_401_without_token_triggers_no_renewal(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(401))
    auth = Renewing("old", "new")
    transport = wire_to(server.url, ksa_session.Session(auth=auth))
    assert transport.exchange(SHOW, token=False).status == 401
    assert (len(server.seen), auth.invalidated) == (1, 0)


@pytest.mark.parametrize("before", [0, 3])
def test_data_is_resent_from_its_original_offset(server: ScriptedServer, before: int) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(401), Reply(204))
    data = io.BytesIO(b"abcdef" * 100_000)
    data.seek(before)
    auth = Renewing("old", "new")
    request = upload_of(data)
    wire_to(server.url, ksa_session.Session(auth=auth)).send(request)
    assert [one.token for one in server.seen] == ["old", "new"]
    assert {one.body for one in server.seen} == {data.getvalue()[before:]}
    assert request.upload is not None
    assert request.upload.sent == len(data.getvalue()) - before


@pytest.mark.parametrize("size", [None, 6])
def test_unseekable_data_is_never_replayed(server: ScriptedServer, size: int | None) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(401), Reply(204))
    auth = Renewing("old", "new")
    request = Request(
        method="PUT",
        path=UPLOAD_PATH,
        upload=Upload(iter([b"abc", b"def"]), size=size),
        errors=STATUS_ERRORS["upload"],
    )
    with pytest.raises(NotAuthenticated):
        wire_to(server.url, ksa_session.Session(auth=auth)).send(request)
    assert [one.body for one in server.seen] == [b"abcdef"]
    # The next call uses another token, which may be valid.
    assert auth.tokens == ["new"]


def test_consumed_data_is_refused_by_a_second_call(
    server: ScriptedServer,
) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(503), Reply(204))
    request = upload_of(iter([b"abc", b"def"]))
    transport = wire_to(server.url)
    with pytest.raises(BadResponse):
        transport.send(request)
    with pytest.raises(DataSourceError):
        transport.send(request)
    assert [one.body for one in server.seen if one.body] == [b"abcdef"]


# ---------------------------------------------------------------------------------------------
# Lower layers do not retry.


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_error_response_is_not_repeated(server: ScriptedServer, method: str, status: int) -> None:
    server.on(method, "/a", Reply(status, headers=(("Retry-After", "7"),)))
    session = ksa_session.Session(
        auth=token_endpoint.Token("http://127.0.0.1:1", TOKEN), connect_retries=5
    )
    with pytest.raises(BadResponse) as caught:
        wire_to(server.url, session).send(Request(method=method, path="/a"))
    assert (caught.value.status, caught.value.retry_after) == (status, 7)
    assert len(server.seen) == 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"])
def test_lost_connection_is_not_repeated(server: ScriptedServer, method: str) -> None:
    server.on(method, "/a", NO_ANSWER)
    session = ksa_session.Session(
        auth=token_endpoint.Token("http://127.0.0.1:1", TOKEN), connect_retries=5
    )
    with pytest.raises(GlanceConnectionFailed):
        wire_to(server.url, session).send(Request(method=method, path="/a"))
    assert len(server.seen) == 1


DATE = "Fri, 31 Dec 1999 23:59:30 GMT"


@pytest.mark.parametrize("status", [413, 429, 502, 503, 504])
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("1.5", 1.5),
        *((said, None) for said in ("-1", "1.", "1e3", "9" * 20, "\N{SUPERSCRIPT TWO}", "soon")),
        # The three forms of RFC 9110, section 5.6.7.
        ("Fri, 31 Dec 1999 23:59:59 GMT", 29),
        ("Friday, 31-Dec-99 23:59:59 GMT", 29),
        ("Fri Dec 31 23:59:59 1999", 29),
        # It has passed.
        ("Fri, 31 Dec 1999 23:59:00 GMT", 0),
        *((f"{said} GMT", None) for said in ("Fri, 99 Dec 1999 23:59:59", "Fri", "1" * 5000)),
    ],
)
def test_retry_after_is_seconds_or_none(
    server: ScriptedServer, status: int, said: str, seconds: float | None
) -> None:
    server.on("GET", PATH, Reply(status, headers=(("Date", DATE), ("Retry-After", said))))
    with pytest.raises((BadResponse, ImageQuotaExceeded)) as caught:
        wire_to(server.url).send(SHOW)
    assert caught.value.retry_after == seconds


def test_retry_date_without_date_is_compared_with_the_clock(server: ScriptedServer) -> None:
    later = email.utils.formatdate(time.time() + 100, usegmt=True)
    server.on("GET", PATH, Reply(503, headers=(("Retry-After", later),)))
    with pytest.raises(BadResponse) as caught:
        wire_to(server.url).send(SHOW)
    assert 90 < (caught.value.retry_after or 0) <= 100


@pytest.mark.parametrize("said", ["0", "2.5", DATE])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_413_with_retry_after_is_a_rate_limit(
    server: ScriptedServer, method: str, said: str
) -> None:
    server.on(method, PATH, Reply(413, headers=(("Retry-After", said),)))
    with pytest.raises(BadResponse, match=r"\(HTTP 413\)\. Try again later") as caught:
        wire_to(server.url).send(dataclasses.replace(SHOW, method=method))
    assert is_transient(caught.value)


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        *((method, (("Retry-After", "0"),)) for method in ("PUT", "POST", "PATCH")),
        *((method, ()) for method in ("GET", "HEAD", "DELETE")),
        ("GET", (("Retry-After", "soon"),)),
    ],
)
def test_other_413_is_a_quota(
    server: ScriptedServer, method: str, headers: tuple[tuple[str, str], ...]
) -> None:
    server.on(method, PATH, Reply(413, headers=headers))
    with pytest.raises(ImageQuotaExceeded, match="Ask the operator of the cloud") as caught:
        wire_to(server.url).send(dataclasses.replace(SHOW, method=method))
    assert not is_transient(caught.value)


@pytest.mark.parametrize(
    ("said", "cap", "pause"),
    [("0.3", 60, 0.3), ("3600", 0.2, 0.2), ("Fri, 31 Dec 1999 23:59:59 GMT", 0.3, 0.3)],
)
def test_redirect_waits_for_retry_after(
    server: ScriptedServer, said: str, cap: float, pause: float
) -> None:
    headers = (("Location", "/b"), ("Date", DATE), ("Retry-After", said))
    server.on("GET", PATH, Reply(302, headers=headers))
    server.on("GET", "/b", Reply(200))
    begun = time.monotonic()
    wire_to(server.url, options=Options(backoff_max=cap)).send(SHOW)
    assert pause <= time.monotonic() - begun < 20


def test_redirect_does_not_wait_beyond_the_deadline(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(302, headers=(("Location", "/b"), ("Retry-After", "60"))))
    wire = wire_to(server.url, options=Options(backoff_max=60), deadline=0.5)
    assert elapsed(lambda: wire.send(SHOW), exceptions.DeadlineExceeded) < 20


def test_retry_after_of_the_identity_service_is_kept() -> None:
    response = requests.Response()
    response.status_code = 429
    response.headers.update({"Retry-After": "1.5"})
    limited = keystoneauth1.exceptions.from_response(response, "POST", "http://k/v3/auth/tokens")
    with pytest.raises(BadResponse) as caught, translated_errors("getting a token"):
        raise limited
    assert (caught.value.status, caught.value.retry_after) == (429, 1.5)


# ---------------------------------------------------------------------------------------------
# Timeouts and deadlines.


@pytest.fixture
def silent() -> Iterator[str]:
    """Provide a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def elapsed(call: Callable[[], object], error: type[Exception]) -> float:
    """Return the number of seconds until a call raises the expected error."""
    begun = time.monotonic()
    with pytest.raises(error):
        call()
    return time.monotonic() - begun


SHORT = Options(connect_timeout=0.2, read_timeout=0.2, stall_timeout=0.2)
LONG = Options(connect_timeout=30, read_timeout=30, stall_timeout=30)


def test_silent_server_fails_after_the_read_timeout(silent: str) -> None:
    took = elapsed(lambda: wire_to(silent, options=SHORT).send(SHOW), GlanceConnectionFailed)
    assert 0.1 < took < 5


def test_session_timeout_takes_precedence(silent: str, server: ScriptedServer) -> None:
    session = session_with(timeout=0.2)
    took = elapsed(
        lambda: wire_to(silent, session, options=LONG).send(SHOW), GlanceConnectionFailed
    )
    assert 0.1 < took < 5

    def slow(seen: Seen) -> Reply:
        threading.Event().wait(0.5)
        return json_reply({})

    server.on("GET", PATH, slow)
    patient = session_with(timeout=20)
    assert wire_to(server.url, patient, options=SHORT).send(SHOW).status == 200


@pytest.mark.parametrize("deadline", [None, 1e300])
def test_very_long_timeout_is_accepted(server: ScriptedServer, deadline: float | None) -> None:
    server.on("GET", PATH, json_reply({}))
    server.on("PUT", UPLOAD_PATH, Reply(204))
    endless = Options(connect_timeout=1e300, read_timeout=1e300, stall_timeout=1e300)
    transport = wire_to(server.url, options=endless, deadline=deadline)
    assert transport.send(SHOW).status == 200
    assert transport.send(upload_of(b"data")).status == 204


def test_deadline_bounds_a_request(silent: str) -> None:
    transport = wire_to(silent, options=LONG, deadline=0.2)
    with pytest.raises(DeadlineExceeded, match="deadline") as caught:
        transport.send(SHOW)
    assert (caught.value.endpoint, caught.value.image_id) == (silent, "an-image")
    assert silent in str(caught.value)


def test_no_request_is_sent_after_the_deadline(server: ScriptedServer) -> None:
    transport = wire_to(server.url, deadline=1e-9)
    with pytest.raises(DeadlineExceeded) as caught:
        transport.send(SHOW)
    assert (caught.value.endpoint, caught.value.image_id) == (server.url, "an-image")
    assert server.seen == []


def test_deadline_bounds_redirects(server: ScriptedServer) -> None:
    transport = wire_to(server.url, options=LONG, deadline=0.3)

    def late(seen: Seen) -> Reply:
        while transport.deadline.remaining():
            threading.Event().wait(0.01)
        return redirect("/b")

    server.on("GET", PATH, late)
    with pytest.raises(DeadlineExceeded):
        transport.send(SHOW)
    assert "/b" not in server.asked()


def test_deadline_bounds_a_dripping_response(server: ScriptedServer) -> None:
    # Each byte arrives within the timeout, but the response exceeds the deadline.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not stop.wait(0.02):
                    try:
                        connection.sendall(b"x" * 10)
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        took = elapsed(
            lambda: wire_to(url, options=LONG, deadline=0.5).send(SHOW), DeadlineExceeded
        )
        stop.set()
        thread.join()
    assert took < 5


def test_stalled_data_fails(server: ScriptedServer) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    release = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def stall() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(raw)
                release.wait(20)

        thread = threading.Thread(target=stall, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        options = Options(stall_timeout=0.2)
        transport = wire_to(url, session_with(timeout=30), options=options, deadline=None)
        request = Request(method="GET", path=PATH, stream=True, image_id="an-image")
        blocks = transport.blocks(request, transport.send(request))
        with pytest.raises(GlanceConnectionFailed) as caught:
            list(blocks)
        release.set()
        thread.join()
    assert (caught.value.endpoint, caught.value.image_id) == (url, "an-image")


def test_slow_receiver_has_the_stall_timeout(
    server: ScriptedServer,
) -> None:
    server.on("PUT", UPLOAD_PATH, Reply(204))
    server.reads_bodies.clear()
    threading.Timer(0.7, server.reads_bodies.set).start()
    options = Options(connect_timeout=0.2, stall_timeout=20)
    data = b"x" * 20_000_000
    wire_to(server.url, options=options, deadline=None).send(upload_of(data))
    assert len(server.seen[0].body) == len(data)


def test_stalled_upload_receiver_fails(server: ScriptedServer) -> None:
    server.reads_bodies.clear()
    options = Options(stall_timeout=0.3, read_timeout=0.3, connect_timeout=0.3)
    request = upload_of(b"x" * 20_000_000)
    transport = wire_to(server.url, options=options, deadline=None)
    assert elapsed(lambda: transport.send(request), GlanceConnectionFailed) < 5


def test_silent_identity_service_fails(silent: str, server: ScriptedServer) -> None:
    auth = v3.Password(
        silent,
        username="user",
        password="word",
        user_domain_id="default",
        project_id="project",
    )
    transport = wire_to(server.url, ksa_session.Session(auth=auth), options=SHORT)
    with pytest.raises(GlanceConnectionFailed, match="token"):
        transport.send(SHOW)
    with pytest.raises(GlanceConnectionFailed, match="project"):
        transport.project_id()
    assert server.seen == []


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"token": {}}, 201),
        json_reply(5, 201, (("X-Subject-Token", TOKEN),)),
        Reply(body=b"<html>", headers=(("X-Subject-Token", TOKEN),)),
        Reply(500),
        Reply(503),
    ],
    ids=range(5),
)
def test_malformed_identity_response_is_bad_response(server: ScriptedServer, reply: Reply) -> None:
    server.on("POST", "/v3/auth/tokens", reply)
    auth = v3.Password(
        f"{server.url}/v3",
        username="user",
        password="hunter2",
        user_domain_id="d",
        project_id="p",
    )
    transport = wire_to(server.url, ksa_session.Session(auth=auth))
    with pytest.raises(BadResponse, match="token") as caught:
        transport.send(SHOW)
    assert "hunter2" not in str(caught.value)
    assert server.asked("GET") == []
    assert caught.value.status == (reply.status if reply.status >= 500 else None)


@pytest.mark.parametrize("logged_in", [True, False])
def test_protected_version_document_does_not_block_login(
    server: ScriptedServer, logged_in: bool
) -> None:
    """With a session of keystoneauth1 itself, the call never returns."""
    server.on("GET", "/v3", Reply(401))
    token = {"methods": ["password"], "expires_at": "2999-01-01T00:00:00.000000Z"}
    reply = json_reply({"token": token}, 201, (("X-Subject-Token", TOKEN),))
    server.on("POST", "/v3/auth/tokens", reply if logged_in else Reply(401))
    server.on("GET", PATH, Reply(200))
    auth = generic.Password(
        f"{server.url}/v3", username="user", password="hunter2", user_domain_id="d", project_id="p"
    )
    transport = wire_to(server.url, ksa_session.Session(auth=auth))
    if logged_in:
        assert transport.send(SHOW).status == 200
    else:
        with pytest.raises(NotAuthenticated, match="/v3/auth/tokens returned 401"):
            transport.send(SHOW)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_identity_error_has_status_and_request_id_once(
    server: ScriptedServer, status: int
) -> None:
    given = (("x-openstack-request-id", "req-0c5b0ad4-3ad8-4f4a-9d4d-5b8c3b2d3b6e"),)
    error = {"error": {"code": status, "message": "Accès refusé", "title": "No"}}
    server.on("POST", "/v3/auth/tokens", json_reply(error, status, given))
    auth = v3.Password(f"{server.url}/v3", username="user", password="word", user_domain_id="d")
    with pytest.raises(GlanceCompatError) as caught:
        wire_to(server.url, ksa_session.Session(auth=auth)).send(SHOW)
    shown = f"/v3/auth/tokens returned {status} Accès refusé (request id {given[0][1]})"
    assert shown in str(caught.value)
    assert str(caught.value).count(given[0][1]) == 1


def test_failed_identity_service_is_not_blamed_on_glance(server: ScriptedServer) -> None:
    auth = v3.Password(
        "http://user:hunter3@127.0.0.1:1/v3",
        username="user",
        password="hunter2",
        user_domain_id="default",
        project_id="project",
    )
    with pytest.raises(GlanceConnectionFailed, match="token") as caught:
        wire_to(server.url, ksa_session.Session(auth=auth)).send(SHOW)
    request = "POST http://127.0.0.1:1/v3/auth/tokens"
    assert f"failed: {request}: Connection refused. Check" in str(caught.value)
    assert "hunter" not in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Size limits.


def compressed(body: bytes) -> Reply:
    return Reply(body=gzip.compress(body), headers=(("Content-Encoding", "gzip"),))


@pytest.mark.parametrize("pack", [lambda body: Reply(body=body), compressed])
def test_response_larger_than_the_limit_is_refused(
    server: ScriptedServer, pack: Callable[[bytes], Reply]
) -> None:
    transport = wire_to(server.url, options=Options(max_response_bytes=100_000))
    fits, too_large = pack(b" " * 100_000), pack(b" " * 100_001)
    server.on("GET", PATH, fits, too_large)
    assert len(transport.exchange(SHOW).body) == 100_000
    with pytest.raises(BadResponse, match="max_response_bytes") as caught:
        transport.exchange(SHOW)
    assert (caught.value.status, caught.value.endpoint) == (200, server.url)
    assert caught.value.image_id == "an-image"


@pytest.mark.parametrize("pack", [lambda body: Reply(500, body), compressed])
def test_only_the_beginning_of_an_error_is_read(
    server: ScriptedServer, pack: Callable[[bytes], Reply]
) -> None:
    packed = pack(b" " * 10_000_000)
    server.on("GET", PATH, Reply(500, packed.body, packed.headers))
    response = wire_to(server.url).exchange(SHOW)
    assert response.status == 500
    # The last block may exceed the limit.
    assert 64 * 1024 < len(response.body) < 1024 * 1024
    with pytest.raises(BadResponse, match=NO_REASON):
        wire_to(server.url).send(SHOW)


def test_endless_response_is_refused(server: ScriptedServer) -> None:
    body = b"5\r\nabcde\r\n" * 100_000
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    server.on("GET", PATH, Reply(raw=raw))
    with pytest.raises(BadResponse, match="max_response_bytes"):
        wire_to(server.url, options=Options(max_response_bytes=1000)).send(SHOW)


def test_image_data_has_no_size_limit(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(body=b"x" * 100_000))
    transport = wire_to(server.url, options=Options(max_response_bytes=1000))
    request = Request(method="GET", path=PATH, stream=True)
    assert len(b"".join(transport.blocks(request, transport.send(request)))) == 100_000


# ---------------------------------------------------------------------------------------------
# Malformed responses.

NOT_JSON = [
    b"",
    b"<html><body>Welcome</body></html>",
    b"{",
    b"\xff\xfe\xfd",
    b"[" * 200_000,
    b'{"a":' * 200_000,
    b"1" * 10_000,
    b'{"a": 1} trailing',
]


@pytest.mark.usefixtures("without_garbage")
@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
@pytest.mark.parametrize("typed", [None, "text/html", "application/json"])
def test_non_json_response_is_bad_response(
    server: ScriptedServer, body: bytes, typed: str | None
) -> None:
    sent = (("x-openstack-request-id", "req-9"),) + ((("Content-Type", typed),) if typed else ())
    server.on("GET", PATH, Reply(body=body, headers=sent))
    response = wire_to(server.url).send(SHOW)
    with pytest.raises(BadResponse, match="not JSON") as caught:
        response.json_object()
    error = caught.value
    assert (error.status, error.request_id) == (200, "req-9")
    assert (error.endpoint, error.image_id) == (server.url, "an-image")
    assert f"GET {server.url}{PATH}" in str(error)
    assert "Welcome" not in str(error)


@pytest.mark.parametrize("value", [[], "text", 5, None, True, [{"id": "an-image"}]])
def test_non_object_json_is_bad_response(server: ScriptedServer, value: object) -> None:
    server.on("GET", PATH, json_reply(value))
    response = wire_to(server.url).send(SHOW)
    assert response.json() == value
    with pytest.raises(BadResponse, match="not a JSON object") as caught:
        response.json_object()
    assert (caught.value.endpoint, caught.value.image_id) == (server.url, "an-image")
    assert f"GET {server.url}{PATH}" in str(caught.value)


def test_json_is_read_without_content_type(server: ScriptedServer) -> None:
    server.on("GET", PATH, Reply(body=b'\xef\xbb\xbf{"a": "\\ud800"}'), Reply(body=b'{"a": 1}'))
    transport = wire_to(server.url)
    with pytest.raises(BadResponse):
        transport.send(Request(method="GET", path="/none")).json()
    assert isinstance(_json_or_error(transport), (dict, BadResponse))
    assert _json_or_error(transport) == {"a": 1}


def _json_or_error(transport: Transport) -> object:
    try:
        return transport.send(SHOW).json()
    except BadResponse as error:
        return error


@pytest.mark.parametrize(
    "raw",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"",
    ],
    ids=["garbage", "status", "short", "chunk", "cut", "gzip", "long-line", "head", "nothing"],
)
def test_malformed_http_raises_library_error(server: ScriptedServer, raw: bytes) -> None:
    server.on("GET", PATH, Reply(raw=raw))
    with pytest.raises((GlanceConnectionFailed, BadResponse)) as caught:
        wire_to(server.url).send(SHOW).json()
    assert caught.value.endpoint == server.url
    assert caught.value.image_id == "an-image"


@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 1_000_000])
@pytest.mark.parametrize("kind", ["plain", "chunked", "gzip"])
def test_connection_is_reused(server: ScriptedServer, body: bytes, kind: str) -> None:
    replies = {
        "plain": Reply(body=body),
        "gzip": compressed(body),
        "chunked": Reply(
            body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n",
            headers=(("Transfer-Encoding", "chunked"),),
            length=False,
        ),
    }
    server.on("GET", PATH, replies[kind])
    transport = wire_to(server.url)
    assert [transport.send(SHOW).body for _ in range(3)] == [body] * 3
    assert len({one.port for one in server.seen}) == 1


def test_status_300_raises_version_document_received(server: ScriptedServer) -> None:
    server.on("GET", PATH, json_reply({"versions": []}, 300))
    with pytest.raises(VersionDocumentReceived):
        wire_to(server.url).send(SHOW)
    assert wire_to(server.url).exchange(SHOW).status == 300


# ---------------------------------------------------------------------------------------------
# More than 100 headers.


def many_headers(count: int, name: str = "x-image-meta-property-p") -> Reply:
    text = "Größe"
    return Reply(headers=tuple((f"{name}{number}", f"{text}{number}") for number in range(count)))


@pytest.mark.parametrize("count", [50, 98, 99, 150, 3000])
def test_any_number_of_properties_is_read(server: ScriptedServer, count: int) -> None:
    server.on("HEAD", HEAD.path, many_headers(count))
    response = wire_to(server.url).send(HEAD)
    found = {name: value for name, value in response.headers if "property" in name}
    assert len(found) == count
    assert found[f"x-image-meta-property-p{count - 1}"] == f"Größe{count - 1}"
    assert {one.token for one in server.seen} == {TOKEN}
    assert len(server.seen) == 1


def test_long_header_is_read(server: ScriptedServer) -> None:
    server.on("HEAD", HEAD.path, Reply(headers=(("x-image-meta-property-p", "y" * 100_000),)))
    assert len(wire_to(server.url).send(HEAD).header("x-image-meta-property-p") or "") == 100_000


def test_data_after_many_headers_is_read(server: ScriptedServer) -> None:
    long = many_headers(200)
    server.on("GET", PATH, Reply(body=b"data" * 100_000, headers=long.headers))
    transport = wire_to(server.url)
    request = Request(method="GET", path=PATH, stream=True)
    assert b"".join(transport.blocks(request, transport.send(request))) == b"data" * 100_000


def test_http_client_limits_are_not_changed(server: ScriptedServer) -> None:
    server.on("HEAD", HEAD.path, many_headers(200))
    before = vars(http.client).copy()
    wire_to(server.url).send(HEAD)
    assert vars(http.client) == before
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.head(f"{server.url}{HEAD.path}", timeout=5)


def test_any_number_of_other_headers_is_read(server: ScriptedServer) -> None:
    server.on("HEAD", HEAD.path, many_headers(200, "x-other-"))
    response = wire_to(server.url).send(HEAD)
    assert sum("x-other-" in name for name, _ in response.headers) == 200


def test_too_many_framing_headers_are_an_error(server: ScriptedServer) -> None:
    server.on("HEAD", HEAD.path, Reply(headers=(("Connection", "keep-alive"),) * 200))
    with pytest.raises(BadResponse, match="the response's headers are too long"):
        wire_to(server.url).send(HEAD)


def test_endless_header_block_is_refused(server: ScriptedServer) -> None:
    line = b"x-image-meta-property-p: " + b"y" * 500_000 + b"\r\n"
    server.on("HEAD", HEAD.path, Reply(raw=b"HTTP/1.1 200 OK\r\n" + line * 140))
    with pytest.raises(BadResponse, match="the response's headers are too long"):
        wire_to(server.url).send(HEAD)


def test_token_is_renewed_before_a_response_with_many_headers(server: ScriptedServer) -> None:
    long = many_headers(200)
    server.on("HEAD", HEAD.path, lambda seen: Reply(401) if seen.token == "old" else long)
    session = ksa_session.Session(auth=Renewing("old", "new"))
    response = wire_to(server.url, session).send(HEAD)
    assert sum("property" in name for name, _ in response.headers) == 200


def test_many_headers_are_read_with_the_sessions_settings(tmp_path: typing.Any) -> None:
    trustme = pytest.importorskip("trustme", reason="it makes the certificates of this test")
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    with ScriptedServer(tls=context) as server:
        server.on("HEAD", HEAD.path, many_headers(150))
        auth = token_endpoint.Token("http://127.0.0.1:1", TOKEN)
        session = ksa_session.Session(
            auth=auth, verify=str(trusted), additional_headers={"X-Site": "a"}
        )
        response = wire_to(server.url, session).send(HEAD)
        assert sum("property" in name for name, _ in response.headers) == 150
        assert [one.headers["x-site"] for one in server.seen] == ["a"]
        with pytest.raises(GlanceConnectionFailed, match="certificate"):
            wire_to(server.url, ksa_session.Session(auth=auth)).send(HEAD)


# ---------------------------------------------------------------------------------------------
# Errors.


@pytest.mark.parametrize("operation", sorted(STATUS_ERRORS))
def test_error_carries_status_request_id_and_endpoint(
    server: ScriptedServer, operation: str
) -> None:
    table = STATUS_ERRORS[operation]
    for status in (400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 416, 418, 500, 503, 599):
        body = {"message": "It is &quot;so&quot;.<br /><br />\n", "code": f"{status}"}
        sent = (("x-openstack-request-id", "req-3"),)
        server.on("GET", PATH, json_reply(body, status, sent))
        request = Request(method="GET", path=PATH, errors=table, image_id="an-image")
        with pytest.raises(exceptions.GlanceCompatError) as caught:
            wire_to(server.url).send(request)
        error = caught.value
        assert type(error) is table.get(status, BadResponse)
        assert (error.status, error.request_id) == (status, "req-3")
        assert (error.endpoint, error.image_id) == (server.url, "an-image")
        reason = f'failed: It is "so". (HTTP {status}, request id req-3). '
        advice = advice_for(type(error), status)
        assert str(error) == f"GET {server.url}{PATH} {reason}{advice}"


NO_REASON = "the server gave no reason"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("plain", "plain"),
        ("<h1>404 Not Found</h1> No <b>image</b>", "404 Not Found No image"),
        ("two\nlines\tand  blanks", "two lines and blanks"),
        ("bell\x07 escape\x1b[31m", "bell\N{REPLACEMENT CHARACTER} escape"),
        ("at https://user:hunter2@store/key", "at https://store/key"),
        ("at swift+https://acc%3Auser:hunter2@store/key", "at swift+https://store/key"),
        ("x" * 1000, "x" * 300),
        ("", NO_REASON),
        (5, NO_REASON),
        (None, NO_REASON),
        ({"a": "hunter2"}, NO_REASON),
        (["hunter2"], NO_REASON),
    ],
)
def test_error_message_is_one_short_line(
    server: ScriptedServer, message: object, shown: str
) -> None:
    server.on("GET", PATH, json_reply({"message": message}, 404))
    with pytest.raises(ImageNotFound) as caught:
        wire_to(server.url).send(SHOW)
    text = str(caught.value)
    assert f"failed: {shown}" in text
    assert "hunter2" not in text
    assert text.isprintable()
    assert len(text) < 500


@pytest.mark.usefixtures("without_garbage")
@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_messages_of_foreign_servers_are_not_shown(server: ScriptedServer, body: bytes) -> None:
    server.on("GET", PATH, Reply(404, body=body))
    with pytest.raises(ImageNotFound) as caught:
        wire_to(server.url).send(SHOW)
    advice = advice_for(ImageNotFound, 404)
    assert str(caught.value) == f"GET {server.url}{PATH} failed: {NO_REASON} (HTTP 404). {advice}"


def test_error_without_body_carries_the_request_id(server: ScriptedServer) -> None:
    server.on("HEAD", HEAD.path, Reply(404, headers=(("x-openstack-request-id", "req-4"),)))
    with pytest.raises(ImageNotFound) as caught:
        wire_to(server.url).send(HEAD)
    assert caught.value.request_id == "req-4"


# ---------------------------------------------------------------------------------------------
# Failures of lower layers.


def below(name: str) -> list[type[Exception]]:
    modules = {
        "requests": requests.exceptions,
        "urllib3": urllib3.exceptions,
        "http": http.client,
        "keystoneauth": keystoneauth1.exceptions,
    }
    found = [
        one
        for one in vars(modules[name]).values()
        if isinstance(one, type) and issubclass(one, Exception)
    ]
    # Warnings are not failures, and some modules re-export names of others.
    return [
        one
        for one in dict.fromkeys(found)
        if not issubclass(one, Warning) and one.__module__.startswith(name)
    ]


def made(kind: type[Exception]) -> Exception:
    """Return an instance of an exception class with any constructor."""
    error = kind.__new__(kind)
    Exception.__init__(error, "password=hunter2")
    return error


LOWER = [
    pytest.param(one, id=f"{name}-{one.__name__}")
    for name in ("requests", "urllib3", "http", "keystoneauth")
    for one in below(name)
]


@pytest.mark.parametrize("kind", LOWER)
def test_no_lower_layer_exception_escapes(kind: type[Exception]) -> None:
    with (
        pytest.raises(exceptions.GlanceCompatError) as caught,
        translated_errors("GET http://glance/", endpoint="http://glance", image_id="an-image"),
    ):
        raise made(kind)
    assert (caught.value.endpoint, caught.value.image_id) == ("http://glance", "an-image")
    assert str(caught.value).startswith("GET http://glance/ failed: ")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (keystoneauth1.exceptions.Unauthorized(), NotAuthenticated),
        (keystoneauth1.exceptions.AuthorizationFailure("m"), NotAuthenticated),
        (keystoneauth1.exceptions.MissingAuthPlugin("m"), NotAuthenticated),
        (keystoneauth1.exceptions.EndpointNotFound(), NoUsableVersion),
        (keystoneauth1.exceptions.EmptyCatalog("m"), NoUsableVersion),
        (keystoneauth1.exceptions.ConnectFailure("m"), GlanceConnectionFailed),
        (keystoneauth1.exceptions.ConnectTimeout("m"), GlanceConnectionFailed),
        (keystoneauth1.exceptions.SSLError("m"), GlanceConnectionFailed),
        (keystoneauth1.exceptions.ServiceUnavailable(), BadResponse),
        (keystoneauth1.exceptions.InternalServerError(), BadResponse),
        (keystoneauth1.exceptions.NotFound(), BadResponse),
        (ConnectionResetError(104, "Connection reset by peer"), GlanceConnectionFailed),
        (TimeoutError("timed out"), GlanceConnectionFailed),
        (socket.gaierror(-2, "Name or service not known"), GlanceConnectionFailed),
        (ssl.SSLError("bad"), GlanceConnectionFailed),
        (requests.exceptions.ContentDecodingError(), BadResponse),
        (requests.exceptions.ChunkedEncodingError(), GlanceConnectionFailed),
        (requests.exceptions.InvalidHeader(TOKEN), Invalid),
        (requests.exceptions.InvalidURL(TOKEN), Invalid),
        (UnicodeEncodeError("latin-1", "\N{SNOWMAN}", 0, 1, "no"), Invalid),
    ],
)
def test_exceptions_are_mapped_by_cause(
    error: Exception, ours: type[exceptions.GlanceCompatError]
) -> None:
    with pytest.raises(ours) as caught, translated_errors("that"):
        raise error
    assert type(caught.value) is ours


def test_identity_error_carries_its_status() -> None:
    for error in (
        keystoneauth1.exceptions.ServiceUnavailable(),
        keystoneauth1.exceptions.Unauthorized(),
    ):
        with pytest.raises(exceptions.GlanceCompatError) as caught, translated_errors("that"):
            raise error
        assert caught.value.status == error.http_status


def test_other_exceptions_pass_unchanged() -> None:
    for error in (ZeroDivisionError("mine"), ImageNotFound("mine"), KeyError("mine")):
        with pytest.raises(type(error), match="mine") as caught, translated_errors("that"):
            raise error
        assert caught.value is error


def test_data_error_of_caller_takes_precedence(server: ScriptedServer) -> None:
    def failing() -> Iterator[bytes]:
        yield b"abc"
        yield b"def"
        raise OSError(5, "disk on fire")

    server.on("PUT", UPLOAD_PATH, Reply(204))
    with pytest.raises(DataSourceError, match="could not be read"):
        wire_to(server.url).send(upload_of(failing()))


def test_refused_connection_is_described() -> None:
    with pytest.raises(GlanceConnectionFailed) as caught:
        wire_to("http://127.0.0.1:1").send(SHOW)
    assert str(caught.value).startswith(f"GET http://127.0.0.1:1{PATH} failed: ")
    assert "refused" in str(caught.value)


def test_error_that_the_caller_handles_is_no_cause() -> None:
    """It is neither described as the cause nor loses its traceback."""
    handled = ssl.SSLCertVerificationError("the caller's")
    try:
        raise handled
    except ssl.SSLCertVerificationError:
        with pytest.raises(GlanceConnectionFailed) as caught:
            wire_to("http://127.0.0.1:1").send(SHOW)
    assert handled.__traceback__ is not None
    assert "refused" in str(caught.value)
    assert "ertificate" not in str(caught.value)
    assert caught.value.is_transient


@pytest.mark.parametrize(
    "request_", [Request(method="GET", path=PATH, params=(("name", "\ud800"),)), "header"]
)
def test_unencodable_header_is_invalid(server: ScriptedServer, request_: Request | str) -> None:
    if isinstance(request_, str):
        request_ = Request(method="PUT", path=PATH, headers={"x-image-meta-name": "\ud800"})
    with pytest.raises(Invalid):
        wire_to(server.url).send(request_)
    assert server.seen == []


@pytest.mark.parametrize("value", ["a\r\nb: c", " a", "a\nb"])
def test_invalid_header_is_not_a_failed_connection(server: ScriptedServer, value: str) -> None:
    request = Request(method="PUT", path=PATH, headers={"x-image-meta-name": value})
    with pytest.raises(Invalid) as caught:
        wire_to(server.url).send(request)
    assert server.seen == []
    assert value not in str(caught.value)
    # requests quotes the value, which may be a token.
    assert "header value" not in "".join(traceback.format_exception(caught.value))


# ---------------------------------------------------------------------------------------------
# Redaction of secrets.

SECRETS = {
    "token": TOKEN,
    "url-password": "hunter2",
    "query": "secret-filter",
    "body": "secret-body",
    "location": "secret-key",
    "response": "secret-response",
}


def secret_request(method: str, **kwargs: typing.Any) -> Request:
    return Request(
        method=method,
        path=PATH,
        params=(("name", SECRETS["query"]),),
        headers={"x-image-meta-location": f"swift://user:{SECRETS['location']}@store/x"},
        errors=STATUS_ERRORS["show"],
        **kwargs,
    )


REPLIES: list[Reply] = [
    json_reply({"secret": SECRETS["response"]}),
    json_reply({"message": f"swift://user:{SECRETS['location']}@store/x"}, 409),
    Reply(500, body=SECRETS["response"].encode()),
    Reply(body=SECRETS["response"].encode()),
    redirect("/v2/elsewhere?secret-filter"),
    redirect("http://user:hunter2@127.0.0.1:1/?secret-filter"),
    Reply(401),
    NO_ANSWER,
    Reply(raw=b"secret-response\r\n\r\n"),
    Reply(body=b"secret-response", headers=(("Content-Encoding", "gzip"),)),
    Reply(body=b"secret-response" * 100),
]


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
def test_no_secret_is_shown_or_logged(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, reply: Reply, method: str
) -> None:
    server.on(method, PATH, reply)
    url = server.url.replace("http://", f"http://user:{SECRETS['url-password']}@")
    session = ksa_session.Session(auth=Renewing(TOKEN, f"{TOKEN}-2"))
    body: dict[str, typing.Any] = {}
    if method == "PATCH":
        body = {"json": {"location": SECRETS["location"], "text": SECRETS["body"]}}
    if method == "PUT":
        body = {"upload": Upload(SECRETS["body"].encode())}
    options = Options(max_response_bytes=1000)
    told: list[str] = []
    with caplog.at_level(logging.DEBUG):
        try:
            response = wire_to(url, session, options=options).send(secret_request(method, **body))
            response.json()
        except exceptions.GlanceCompatError as error:
            told = [str(error), repr(error), str(error.endpoint), repr(vars(error))]
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("glance_compat")]
    theirs = [one.getMessage() for one in caplog.records if one.name != "glance_compat"]
    assert ours
    assert server.seen[0].headers["authorization"].startswith("Basic ")
    for name, secret in SECRETS.items():
        assert not [one for one in told + ours if secret in one], name
        # urllib3 logs the path with its query; only the program may change that.
        assert not [one for one in theirs if secret in one and name != "query"], name


def test_error_chain_has_no_password_of_the_url() -> None:
    transport = wire_to("http://user:hunter2@127.0.0.1:1")
    with pytest.raises(GlanceConnectionFailed) as caught:
        transport.send(SHOW)
    error: BaseException | None = caught.value
    seen = []
    while error is not None:
        seen.append(f"{error} {error!r}")
        error = error.__cause__ or error.__context__
    assert len(seen) > 1
    assert "hunter2" not in " ".join(seen)


def test_url_credentials_are_sent_as_basic_auth(server: ScriptedServer) -> None:
    server.on("GET", "/a", redirect("/b"))
    server.on("GET", "/b", json_reply({}))
    url = server.url.replace("http://", "http://user:p%40ss@")
    transport = wire_to(url)
    assert transport.endpoint == server.url
    later = transport.within(Deadline(10))
    assert later.endpoint == server.url
    assert later.send(Request(method="GET", path="/a")).status == 200
    assert {one.headers["authorization"] for one in server.seen} == {"Basic dXNlcjpwQHNz"}


@pytest.mark.parametrize("prefix", ["/a;b", "/a:b@c", "/a@b"])
def test_path_of_an_endpoint_is_sent_unchanged(server: ScriptedServer, prefix: str) -> None:
    server.on("GET", f"{prefix}{PATH}", json_reply({}))
    wire_to(f"{server.url}{prefix}").send(SHOW)
    assert server.asked() == [f"{prefix}{PATH}"]


def test_request_is_logged_once_with_its_id(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("GET", PATH, json_reply({}, headers=(("x-openstack-request-id", "req-5"),)))
    with caplog.at_level(logging.DEBUG):
        wire_to(server.url).send(SHOW)
    [line] = [one for one in caplog.records if one.name == "glance_compat.transport.client"]
    assert line.levelno == logging.DEBUG
    text = line.getMessage()
    assert text.startswith(f"GET {server.url}{PATH}: HTTP 200 in ")
    assert text.endswith("request id req-5")
    assert not [one for one in caplog.records if one.name.startswith("keystoneauth")]


# ---------------------------------------------------------------------------------------------
# Helper functions.


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://glance/a?b=c#d", "http://glance/a"),
        ("http://user:word@glance:9292/a", "http://glance:9292/a"),
        ("http://user@glance", "http://glance"),
        ("http://a@b@glance/x@y", "http://glance/x@y"),
        ("http://[::1]:9292/", "http://[::1]:9292/"),
        ("http://[broken?a=b", "http://[broken"),
        ("no url", "no url"),
        ("", ""),
    ],
)
def test_redacted_url_has_no_credentials_and_no_query(url: str, expected: str) -> None:
    assert redact_url(url) == expected


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("http://a", "http://a:80/x", True),
        ("https://a:443", "https://A", True),
        ("http://u:p@a", "http://a", True),
        ("http://[::1]", "http://[::1]:80", True),
        ("http://a", "https://a", False),
        ("http://a", "http://a:81", False),
        ("http://a", "http://b", False),
        ("http://a:0", "http://a", False),
        ("http://a:99999", "http://a", False),
        ("http://[a", "http://a", False),
    ],
)
def test_origin_is_scheme_host_and_port(left: str, right: str, same: bool) -> None:
    assert (origin(left) == origin(right)) is same


def test_headers_are_found_in_any_case() -> None:
    response = Response(
        status=200,
        headers=[("X-Openstack-Request-Id", "req-1"), ("x-openstack-request-id", "req-2")],
        body=b"",
        damaged=False,
        http=requests.Response(),
    )
    assert response.request_id == "req-1"
    assert response.header("x-none") is None


@pytest.mark.parametrize("text", ["", "plain", "Größe", "\N{SNOWMAN}", "\xff", "日本"])
def test_header_value_round_trips(text: str) -> None:
    assert v1_headers.from_wire(v1_headers.to_wire(text)) == text


def test_cyclic_exception_chain_ends() -> None:
    # A circular chain results if a stored error is raised again.
    first, second = ConnectionResetError("first"), requests.ConnectionError("second")
    first.__cause__, second.__cause__ = second, first
    with pytest.raises(GlanceConnectionFailed, match="that failed"), translated_errors("that"):
        raise first
