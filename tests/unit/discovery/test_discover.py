# SPDX-License-Identifier: Apache-2.0
"""Discovery: the offered versions, the choice with its reason, and the cache."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import typing
from collections.abc import Callable, Iterator

import keystoneauth1.exceptions
import pytest
import requests_mock
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, OfferedVersion, Options
from glance_compat.discovery import discover
from glance_compat.discovery.cache import DISCOVERY_CACHE, CacheKey, DiscoveryCache
from glance_compat.discovery.versions import Discovery, Facts
from glance_compat.exceptions import (
    BadResponse,
    DeadlineExceeded,
    GlanceCompatError,
    GlanceConnectionFailed,
    NotAuthenticated,
    NoUsableVersion,
)
from glance_compat.routing.health import ENDPOINT_HEALTH
from glance_compat.transport.client import Identity, Transport
from glance_compat.transport.retry import Deadline
from glance_compat.urls import unversioned
from tests.cases import in_one_test
from tests.unit.scripted_server import (
    NO_ANSWER,
    Answer,
    Reply,
    ScriptedServer,
    Seen,
    json_reply,
    redirect,
)

TOKEN = "a-token"

# ---------------------------------------------------------------------------------------------
# Recorded version documents, with links to another host.

Rows = list[tuple[str, str]]


def rows(current: str, *others: str, deprecated: tuple[str, ...] = ()) -> Rows:
    return [
        (current, "CURRENT"),
        *((one, "SUPPORTED") for one in others),
        *((one, "DEPRECATED") for one in deprecated),
    ]


#: Glance 15.0.2 with both APIs.
PIKE = rows("v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0", deprecated=("v1.1", "v1.0"))
#: ... with v1 only: nothing is CURRENT.
PIKE_V1: Rows = [("v1.1", "DEPRECATED"), ("v1.0", "DEPRECATED")]
#: ... with v2 only.
PIKE_V2 = PIKE[:6]
#: ... with enable_image_import.
PIKE_IMPORT: Rows = [("v2.6", "EXPERIMENTAL"), *PIKE]
#: Glance 33 with one store: no 2.8, no 2.10 to 2.13.
GLANCE_33: Rows = [
    ("v2.15", "SUPPORTED"),
    ("v2.9", "SUPPORTED"),
    ("v2.17", "CURRENT"),
    *((f"v2.{minor}", "SUPPORTED") for minor in range(7, -1, -1)),
]
#: Glance 33 with enabled_backends: not sorted.
GLANCE_33_STORES: Rows = [
    ("v2.15", "SUPPORTED"),
    *((f"v2.{minor}", "SUPPORTED") for minor in range(13, 7, -1)),
    ("v2.17", "CURRENT"),
    *((f"v2.{minor}", "SUPPORTED") for minor in range(7, -1, -1)),
]


def document(
    offered: Rows, status: int = 300, href: str = "http://elsewhere.invalid/v2/"
) -> Reply:
    entries = [
        {"id": one, "status": state, "links": [{"rel": "self", "href": href}]}
        for one, state in offered
    ]
    return json_reply({"versions": entries}, status)


def offered(*several: tuple[str, str]) -> tuple[OfferedVersion, ...]:
    return tuple(OfferedVersion(one, status) for one, status in several)


# ---------------------------------------------------------------------------------------------
# Fixtures.


class Clock:
    """A clock that the test controls."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with fresh() as one:
        yield one


def fresh() -> ScriptedServer:
    """Provide a server whose URL has no cached discovery results."""
    one = ScriptedServer()
    DISCOVERY_CACHE.forget(one.url)
    ENDPOINT_HEALTH.mark_healthy(one.url)
    return one


def session() -> ksa_session.Session:
    return ksa_session.Session(auth=token_endpoint.Token("http://127.0.0.1:1", TOKEN))


def service_at(url: str | list[str], **options: typing.Any) -> ImageService:
    options.setdefault("max_attempts", 1)
    return ImageService(session(), endpoint_override=url, options=Options(**options))


class Endpoint:
    """An endpoint with its own discovery cache."""

    def __init__(self, url: str, **options: typing.Any) -> None:
        self.clock = Clock()
        self.memory = DiscoveryCache(self.clock)
        self.url = url
        self.options = Options(**options)

    def transport(
        self,
        deadline: float = 20,
        token: str = TOKEN,
        auth: ksa_plugin.BaseAuthPlugin | None = None,
    ) -> Transport:
        return Transport(
            ksa_session.Session(auth=auth or token_endpoint.Token("http://127.0.0.1:1", token)),
            unversioned(self.url),
            self.options,
            identity=Identity(),
            deadline=Deadline(deadline),
        )

    def discover(self, failed_at: float | None = None, **kwargs: typing.Any) -> Discovery:
        return discover.discover(self.transport(**kwargs), self.url, failed_at, self.memory)


def discovered(server: ScriptedServer, suffix: str = "", **options: typing.Any) -> Discovery:
    return Endpoint(f"{server.url}{suffix}", **options).discover()


# ---------------------------------------------------------------------------------------------
# The choice from a version document.


@pytest.mark.parametrize("status", [200, 300])
@pytest.mark.parametrize(
    ("given", "options", "api", "version", "why"),
    [
        (PIKE, {}, "v2", (2, 5), "offers v1 and v2, of which v2 is preferred"),
        (PIKE, {"prefer": "1"}, "v1", (1, 1), "offers v1 and v2, of which v1 is preferred"),
        (PIKE_V1, {}, "v1", (1, 1), "offers v1 and no v2"),
        (PIKE_V1, {"prefer": "1"}, "v1", (1, 1), "offers v1 and no v2"),
        (PIKE_V2, {}, "v2", (2, 5), "offers v2 and no v1"),
        (PIKE_V2, {"prefer": "1"}, "v2", (2, 5), "offers v2 and no v1"),
        (PIKE_IMPORT, {}, "v2", (2, 5), "offers v1 and v2, of which v2 is preferred"),
        (PIKE_IMPORT, {"allow_experimental": True}, "v2", (2, 6), "of which v2 is preferred"),
        (GLANCE_33, {}, "v2", (2, 17), "offers v2 and no v1"),
        (GLANCE_33_STORES, {}, "v2", (2, 17), "offers v2 and no v1"),
        ([("v1.1", "CURRENT"), ("v2.0", "DEPRECATED")], {}, "v2", (2, 0), "v2 is preferred"),
        ([("v2", "CURRENT")], {}, "v2", (2, 0), "offers v2 and no v1"),
        (
            [("v1.1", "DEPRECATED"), ("v2.0", "EXPERIMENTAL")],
            {},
            "v1",
            (1, 1),
            "offers v1, and v2 only as EXPERIMENTAL",
        ),
        (
            [("v1.1", "DEPRECATED"), ("v2.0", "EXPERIMENTAL")],
            {"allow_experimental": True},
            "v2",
            (2, 0),
            "offers v1 and v2, of which v2 is preferred",
        ),
        ([("v3.0", "CURRENT"), ("v2.3", "SUPPORTED")], {}, "v2", (2, 3), "offers v2 and no v1"),
        ([("v2.5", "WONDERFUL")], {}, "v2", (2, 5), "offers v2 and no v1"),
    ],
)
def test_version_document_determines_choice(
    server: ScriptedServer,
    status: int,
    given: Rows,
    options: dict[str, typing.Any],
    api: str,
    version: tuple[int, int],
    why: str,
) -> None:
    server.on("GET", "/", document(given, status))
    found = discovered(server, **options)
    assert (found.api, found.version) == (api, version)
    assert found.reason.startswith("the endpoint's version document offers ")
    assert found.reason.endswith(why)
    assert found.offered == offered(*given)
    assert (found.endpoint, found.requests, found.endpoints) == (server.url, 1, ())
    [seen] = server.seen
    assert (seen.method, seen.path, seen.token) == ("GET", "/", None)


@pytest.mark.parametrize("api", ["1", "2"])
def test_pinned_version_needs_no_request(server: ScriptedServer, api: str) -> None:
    for suffix in ("", "/v1", "/v2"):
        found = discovered(server, suffix, api_version=api, prefer="2" if api == "1" else "1")
        assert (found.api, found.version) == (f"v{api}", (int(api), None))
        assert found.reason == f"v{api} is pinned by the option api_version"
        assert (found.offered, found.requests, found.endpoint) == ((), 0, server.url)
    assert server.seen == []


@pytest.mark.parametrize(
    ("given", "options", "told"),
    [
        ([], {}, "offered: nothing"),
        ([("v3.0", "CURRENT")], {}, "offered: v3.0 (CURRENT)"),
        ([("v0.1", "CURRENT"), ("v10.2", "CURRENT")], {}, "offered: v0.1 (CURRENT), v10.2"),
        (
            [("v2.6", "EXPERIMENTAL")],
            {},
            "wanted: v1 or v2, not experimental; offered: v2.6 (EXPERIMENTAL)",
        ),
        ([("v3.0", "CURRENT")], {"allow_experimental": True}, "wanted: v1 or v2; offered: v3.0"),
    ],
)
@pytest.mark.parametrize("suffix", ["", "/v1", "/v2"])
def test_no_usable_version_error_lists_wanted_and_offered_versions(
    server: ScriptedServer, given: Rows, options: dict[str, typing.Any], told: str, suffix: str
) -> None:
    server.on("GET", "/", document(given))
    with pytest.raises(NoUsableVersion) as caught:
        discovered(server, suffix, **options)
    assert told in str(caught.value)
    assert server.url in str(caught.value)
    assert caught.value.endpoint == server.url


GARBAGE: list[object] = [
    None,
    5,
    "v2.0",
    [],
    {},
    {"id": None},
    {"id": 2.0, "status": "CURRENT"},
    {"id": ["v2.9"], "status": "CURRENT"},
    {"id": "2.9", "status": "CURRENT"},
    {"id": "v2.9.1", "status": "CURRENT"},
    {"id": "v2.x", "status": "CURRENT"},
    {"id": " v2.9", "status": "CURRENT"},
    {"id": "v2.9\n", "status": "CURRENT"},
    {"id": "V2.9", "status": "CURRENT"},
    {"id": "v\N{SUPERSCRIPT TWO}.9", "status": "CURRENT"},
    {"id": "v2." + "9" * 5000, "status": "CURRENT"},
    {"status": "CURRENT"},
]


def test_malformed_entries_are_skipped(server: ScriptedServer) -> None:
    entries = [
        *GARBAGE,
        {"id": "v2.3", "status": "current"},
        {"id": "v2.2"},
        {"id": "v2.1", "status": None},
        {"id": "v2.0", "status": ["CURRENT"]},
        {"id": "v1.0", "status": "A\nB\x1b[31m" + "X" * 1000},
    ]
    server.on("GET", "/", json_reply({"versions": entries}, 300))
    found = discovered(server)
    assert found.version == (2, 3)
    unknown = [(one, "UNKNOWN") for one in ("v2.2", "v2.1", "v2.0", "v1.0")]
    assert found.offered == offered(("v2.3", "CURRENT"), *unknown)


def test_long_document_is_parsed(server: ScriptedServer) -> None:
    given = [(f"v2.{minor}", "SUPPORTED") for minor in range(5000)]
    server.on("GET", "/", document(given))
    assert discovered(server).version == (2, 4999)


# ---------------------------------------------------------------------------------------------
# The URL of the document; no other request is sent.


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v2", "/v2/", "/v2.5", "/v2.17//"])
def test_version_in_path_does_not_pin(server: ScriptedServer, suffix: str) -> None:
    server.on("GET", "/", document(PIKE))
    found = discovered(server, suffix)
    assert (found.api, found.endpoint) == ("v2", server.url)
    assert server.asked() == ["/"]


@pytest.mark.parametrize("suffix", ["/image", "/image/", "/image/v1", "/image/v2/"])
def test_path_prefix_is_preserved(server: ScriptedServer, suffix: str) -> None:
    server.on("GET", "/image/", document(PIKE))
    server.on("GET", "/image/v2/images/an-image", json_reply({"id": "an-image"}))
    service = service_at(f"{server.url}{suffix}")
    assert service.show(None, "an-image")["id"] == "an-image"
    assert service.discover().endpoint == f"{server.url}/image"
    assert server.asked() == ["/image/", "/image/v2/images/an-image"]


@in_one_test("scheme", ["http", "https"])
@in_one_test(
    "href",
    [
        "http://elsewhere.invalid/v2/",
        "https://glance.example/v2/",
        "http://glance.example/v2/",
        "http://glance.example:1/other/v2/",
        "/v2/",
        "//elsewhere.invalid/v2/",
        "javascript:alert(1)",
        "",
    ],
)
def test_document_links_are_never_followed(scheme: str, href: str) -> None:
    own = session()
    url = f"{scheme}://glance-{scheme}.example/image"
    with requests_mock.Mocker(session=own.session) as mock:
        mock.get(f"{url}/", status_code=300, text=document(PIKE, href=href).body.decode())
        mock.get(f"{url}/v2/images/an-image", text='{"id": "an-image"}')
        service = ImageService(own, endpoint_override=url)
        DISCOVERY_CACHE.forget(url)
        assert service.show(None, "an-image")["id"] == "an-image"
        assert [one.url for one in mock.request_history] == [
            f"{url}/",
            f"{url}/v2/images/an-image",
        ]


@pytest.mark.parametrize("entry", [{"links": 5}, {"links": [{"href": 5}]}, {"links": [None]}, {}])
def test_document_links_are_optional(server: ScriptedServer, entry: dict[str, object]) -> None:
    versions = {"versions": [{"id": "v2.5", "status": "CURRENT", **entry}]}
    server.on("GET", "/", json_reply(versions, 300))
    assert discovered(server).api == "v2"


def test_endpoint_credentials_are_sent_and_redacted(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", document([]), document(PIKE))
    url = server.url.replace("http://", "http://user:hunter2@")
    with pytest.raises(NoUsableVersion) as caught:
        service_at(url).discover()
    DISCOVERY_CACHE.forget(server.url)
    found = service_at(url).discover()
    assert server.seen[0].headers["authorization"].startswith("Basic ")
    assert "hunter2" not in f"{caught.value} {caught.value.endpoint} {found}"
    assert found.endpoint == server.url


@pytest.mark.parametrize("host", ["v2", "v1"])
def test_host_named_like_a_version_is_accepted(host: str) -> None:
    with requests_mock.Mocker() as mock:
        mock.get(f"http://{host}/", text="<html>")
        mock.get(f"http://{host}/v2/schemas/image", json={"properties": {}})
        mock.get(f"http://{host}/v1/images", status_code=404)
        found = Endpoint(f"http://{host}").discover()
    assert (found.api, found.endpoint) == ("v2", f"http://{host}")
    assert "path" not in found.reason


# ---------------------------------------------------------------------------------------------
# Without a document: the version in the path, then probes.

HTML = Reply(body=b"<html>Welcome</html>", headers=(("Content-Type", "text/html"),))

#: Responses at the root that are not a version document of the image service.
NO_DOCUMENT: dict[str, Answer] = {
    "html": HTML,
    "html-300": Reply(300, body=b"<html>"),
    "empty": Reply(),
    "204": Reply(204),
    "401": Reply(401),
    "403": Reply(403),
    "404": Reply(404),
    "405": Reply(405),
    "500": Reply(500),
    "object": json_reply({}),
    "list": json_reply([{"id": "v2.0"}]),
    "null": json_reply(None),
    "versions-null": json_reply({"versions": None}),
    "versions-keystone": json_reply({"versions": {"values": [{"id": "v3.14"}]}}, 300),
    "versions-garbage": json_reply({"versions": GARBAGE}, 300),
    "deep": Reply(body=b"[" * 100_000),
    "too-large": Reply(body=b" " * 200_000),
    "redirect-away": redirect("http://127.0.0.1:1/dashboard"),
    "redirect-nowhere": redirect("https://[broken"),
    "redirect-circle": redirect("/"),
    "gzip": Reply(body=b"no gzip", headers=(("Content-Encoding", "gzip"),)),
}
SMALL: dict[str, typing.Any] = {"max_response_bytes": 100_000}


@pytest.mark.usefixtures("without_garbage")
@pytest.mark.parametrize("answer", NO_DOCUMENT.values(), ids=NO_DOCUMENT)
@pytest.mark.parametrize(("suffix", "version"), [("/v1", "v1"), ("/v2.5/", "v2")])
def test_path_determines_version_without_document(
    server: ScriptedServer, answer: Answer, suffix: str, version: str
) -> None:
    server.on("GET", "/", answer)
    found = discovered(server, suffix, **SMALL)
    assert (found.api, found.version) == (version, (int(version[1]), None))
    assert found.offered == offered((suffix.strip("/"), "UNKNOWN"))
    assert found.reason == (
        f"the endpoint, whose version document cannot be read, has a path that names {version}"
    )
    assert set(server.asked()) == {"/"}
    assert found.requests == 1


V2_SCHEMA = json_reply({"name": "image", "properties": {}})
V1_LIST = json_reply({"images": []})


@pytest.mark.parametrize(
    ("v1", "v2", "api", "why"),
    [
        (V1_LIST, V2_SCHEMA, "v2", "v1 and v2, of which v2 is preferred"),
        (V1_LIST, Reply(404), "v1", "v1 and no v2"),
        (V1_LIST, document(PIKE_V1), "v1", "v1 and no v2"),
        (document(PIKE_V2), V2_SCHEMA, "v2", "v2 and no v1"),
        (HTML, V2_SCHEMA, "v2", "v2 and no v1"),
        (json_reply([]), V2_SCHEMA, "v2", "v2 and no v1"),
        (redirect("http://127.0.0.1:1/"), V2_SCHEMA, "v2", "v2 and no v1"),
        (V1_LIST, redirect("http://127.0.0.1:1/"), "v1", "v1 and no v2"),
    ],
    ids=range(8),
)
def test_discover_probes_apis_without_document_and_path(
    server: ScriptedServer, v1: Answer, v2: Answer, api: str, why: str
) -> None:
    server.on("GET", "/", HTML)
    server.on("GET", "/v1/images", v1)
    server.on("GET", "/v2/schemas/image", v2)
    found = discovered(server, **SMALL)
    assert (found.api, found.version) == (api, (int(api[1]), None))
    assert found.reason == f"the endpoint, which has no version document, serves {why}"
    assert found.requests == 3
    probes = {one.path: one for one in server.seen if one.path != "/"}
    assert set(probes) == {"/v1/images", "/v2/schemas/image"}
    assert probes["/v1/images"].query == "limit=1"
    assert {one.token for one in probes.values()} == {TOKEN}


@pytest.mark.usefixtures("without_garbage")
@pytest.mark.parametrize("answer", NO_DOCUMENT.values(), ids=NO_DOCUMENT)
def test_invalid_version_document_leads_to_probes(server: ScriptedServer, answer: Answer) -> None:
    server.on("GET", "/", answer)
    server.on("GET", "/v1/images", V1_LIST)
    found = discovered(server, **SMALL)
    assert (found.api, found.requests) == ("v1", 3)
    assert set(server.asked()) == {"/", "/v1/images", "/v2/schemas/image"}


def test_no_usable_version_error_lists_probed_urls(server: ScriptedServer) -> None:
    server.on("GET", "/", HTML)
    server.on("GET", "/v1/images", Reply(403))
    with pytest.raises(NoUsableVersion) as caught:
        discovered(server)
    text = str(caught.value)
    assert f"GET {server.url}/v2/schemas/image: 404" in text
    assert f"GET {server.url}/v1/images: 403" in text
    assert f"no version document at {server.url}/" in text
    assert "wanted: v1 or v2" in text
    assert caught.value.endpoint == server.url


@pytest.mark.parametrize("path", ["/v1/images", "/v2/schemas/image"])
def test_probe_401_raises_not_authenticated(server: ScriptedServer, path: str) -> None:
    server.on("GET", "/", Reply(404))
    server.on("GET", path, Reply(401))
    with pytest.raises(NotAuthenticated) as caught:
        discovered(server)
    assert (caught.value.status, caught.value.endpoint) == (401, server.url)
    assert path in str(caught.value)


@pytest.mark.parametrize("status", [413, 429, 502, 503, 504])
@pytest.mark.parametrize("path", ["/", "/v1/images", "/v2/schemas/image"])
def test_transient_error_of_probe_raises_bad_response(
    server: ScriptedServer, status: int, path: str
) -> None:
    server.on("GET", "/", Reply(404))
    server.on("GET", "/v1/images", V1_LIST)
    server.on("GET", "/v2/schemas/image", V2_SCHEMA)
    server.on("GET", path, Reply(status, headers=(("Retry-After", "3"),)))
    with pytest.raises(BadResponse) as caught:
        discovered(server)
    assert (caught.value.status, caught.value.retry_after) == (status, 3)
    assert caught.value.endpoint == server.url


def test_oversized_error_response_raises_bad_response(server: ScriptedServer) -> None:
    server.on("GET", "/", Reply(503, body=b" " * 200_000))
    with pytest.raises(BadResponse, match=r"the server gave no reason \(HTTP 503\)") as caught:
        discovered(server, **SMALL)
    assert caught.value.status == 503


class Troubled(ksa_plugin.BaseAuthPlugin):
    """An auth plugin whose identity service fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_token(self, session: object, **kwargs: object) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (keystoneauth1.exceptions.InternalServerError(), BadResponse),
        (keystoneauth1.exceptions.ServiceUnavailable(), BadResponse),
        (keystoneauth1.exceptions.ConnectFailure("no"), GlanceConnectionFailed),
        (keystoneauth1.exceptions.Unauthorized(), NotAuthenticated),
        (KeyError("token"), BadResponse),
    ],
    ids=lambda one: getattr(one, "__name__", None) or type(one).__name__,
)
def test_token_error_is_not_cached_for_endpoint(
    server: ScriptedServer, error: Exception, ours: type[GlanceCompatError]
) -> None:
    server.on("GET", "/", HTML)
    server.on("GET", "/v1/images", V1_LIST)
    endpoint = Endpoint(server.url)
    with pytest.raises(ours, match=r"getting a token for http.* failed") as caught:
        endpoint.discover(auth=Troubled(error))
    assert caught.value.__cause__ is error
    assert server.asked() == ["/"]
    assert endpoint.discover().api == "v1"


def test_call_is_retried_until_document_is_available(server: ScriptedServer) -> None:
    server.on("GET", "/", Reply(503, headers=(("Retry-After", "0"),)), NO_ANSWER, document(PIKE))
    server.on("GET", "/v2/images/an-image", json_reply({"id": "an-image"}))
    service = service_at(server.url, max_attempts=4, backoff_max=0.01)
    assert service.show(None, "an-image")["id"] == "an-image"
    assert server.asked() == ["/", "/", "/", "/v2/images/an-image"]


def test_unreachable_endpoint_raises_connection_failed() -> None:
    with pytest.raises(GlanceConnectionFailed) as caught:
        Endpoint("http://127.0.0.1:1").discover()
    assert caught.value.endpoint == "http://127.0.0.1:1"
    assert "GET http://127.0.0.1:1/ failed: " in str(caught.value)


@pytest.mark.parametrize("answer", [NO_ANSWER, Reply(503), Reply(502)])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_unavailable_document_falls_back_to_path_briefly(
    server: ScriptedServer, answer: Reply, version: str
) -> None:
    server.on("GET", "/", answer)
    endpoint = Endpoint(f"{server.url}/{version}")
    found = endpoint.discover()
    assert found.api == version
    assert found.reason.endswith(f"has a path that names {version}")
    endpoint.clock.now += 4
    assert endpoint.discover() == found
    assert server.asked() == ["/"]
    server.on("GET", "/", document(PIKE))
    endpoint.clock.now += 1
    assert endpoint.discover().version == (2, 5)


def test_document_serves_all_spellings_of_endpoint(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE), document(PIKE_V1))
    endpoint = Endpoint(server.url)
    for suffix in ("", "/", "/v1", "/v2/", "/v2.5"):
        endpoint.url = f"{server.url}{suffix}"
        assert endpoint.discover().version == (2, 5)
    assert server.asked() == ["/"]
    endpoint.clock.now += 301
    for suffix in ("/v2", "", "/v1"):
        endpoint.url = f"{server.url}{suffix}"
        assert endpoint.discover().version == (1, 1)
    assert server.asked() == ["/", "/"]


def test_recovered_document_overrides_path(server: ScriptedServer) -> None:
    server.on("GET", "/", HTML, document(PIKE))
    endpoint = Endpoint(f"{server.url}/v1")
    assert endpoint.discover().api == "v1"
    endpoint.url = server.url
    assert endpoint.discover().api == "v2"
    endpoint.url = f"{server.url}/v1"
    assert endpoint.discover().api == "v2"
    assert server.asked() == ["/", "/"]


def test_path_version_is_cached_per_path(server: ScriptedServer) -> None:
    memory = DiscoveryCache(Clock())
    for suffix, api in (("/v1", "v1"), ("/v2", "v2"), ("/v1", "v1")):
        endpoint = Endpoint(f"{server.url}{suffix}")
        endpoint.memory = memory
        assert endpoint.discover().api == api


# ---------------------------------------------------------------------------------------------
# Time to live of cached results.


def test_discovery_is_cached_for_its_ttl(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE), document(PIKE_V1))
    endpoint = Endpoint(server.url)
    for seconds in (0, 100, 199.9):
        endpoint.clock.now += seconds
        assert endpoint.discover().api == "v2"
    assert len(server.seen) == 1
    endpoint.clock.now += 0.2
    assert endpoint.discover().api == "v1"
    assert len(server.seen) == 2


@pytest.mark.parametrize(("ttl", "requests"), [(0, 3), (1000, 1)])
def test_discovery_ttl_option_sets_cache_time(
    server: ScriptedServer, ttl: float, requests: int
) -> None:
    server.on("GET", "/", document(PIKE))
    endpoint = Endpoint(server.url, discovery_ttl=ttl)
    for _ in range(3):
        endpoint.discover()
        endpoint.clock.now += 400
    assert len(server.seen) == requests


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (NO_ANSWER, GlanceConnectionFailed),
        (Reply(503), BadResponse),
        (Reply(404), NoUsableVersion),
        (document([]), NoUsableVersion),
        (document([("v3.0", "CURRENT")]), NoUsableVersion),
    ],
)
def test_failed_discovery_is_cached_for_shorter_ttl(
    server: ScriptedServer, answer: Reply, error: type[GlanceCompatError]
) -> None:
    server.on("GET", "/", answer)
    endpoint = Endpoint(server.url)
    for _ in range(2):
        with pytest.raises(error):
            endpoint.discover()
    asked = len(server.seen)
    server.on("GET", "/", document(PIKE))
    endpoint.clock.now += 4.9
    with pytest.raises(error):
        endpoint.discover()
    assert len(server.seen) == asked
    endpoint.clock.now += 0.2
    assert endpoint.discover().api == "v2"


def test_cached_failure_older_than_callers_is_rediscovered(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", Reply(503))
    endpoint = Endpoint(server.url)
    with pytest.raises(BadResponse):
        endpoint.discover()
    server.on("GET", "/", document(PIKE))
    endpoint.clock.now += 1
    with pytest.raises(BadResponse):
        endpoint.discover(failed_at=999.0)
    assert endpoint.discover(failed_at=1001.0).api == "v2"


def test_failure_of_one_caller_is_not_cached(server: ScriptedServer) -> None:
    server.on("GET", "/", Reply(404))
    server.on("GET", "/v1/images", Reply(404))
    server.on(
        "GET",
        "/v2/schemas/image",
        lambda seen: V2_SCHEMA if seen.token == TOKEN else Reply(401),
    )
    endpoint = Endpoint(server.url)
    with pytest.raises(NotAuthenticated):
        endpoint.discover(token="expired")
    assert endpoint.discover().api == "v2"


def test_deadline_error_of_one_caller_is_not_cached(server: ScriptedServer) -> None:
    def slow(seen: Seen) -> Reply:
        threading.Event().wait(0.3)
        return document(PIKE)

    server.on("GET", "/", slow)
    endpoint = Endpoint(server.url)
    with pytest.raises(DeadlineExceeded):
        endpoint.discover(deadline=0.05)
    assert endpoint.discover().api == "v2"


def test_cached_failure_is_free_of_foreign_traceback() -> None:
    endpoint = Endpoint("http://127.0.0.1:1")
    caught = []
    for _ in range(2):
        with pytest.raises(GlanceConnectionFailed) as one:
            endpoint.discover()
        caught.append(one.value)
    assert caught[0] is not caught[1]
    assert str(caught[0]) == str(caught[1])
    assert vars(caught[0]) == vars(caught[1])
    assert caught[0].__cause__ is not None
    assert caught[1].__cause__ is None


def test_discovery_cache_is_shared_by_services(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    for _ in range(3):
        assert service_at(server.url).discover().api == "v2"
    assert service_at(server.url, prefer="1").discover().api == "v1"
    assert server.asked() == ["/"]


def test_warm_call_sends_no_discovery_request(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    server.on("GET", "/v2/images/an-image", json_reply({"id": "an-image"}))
    service = service_at(f"{server.url}/v1/")
    for _ in range(3):
        service.show(None, "an-image")
    assert server.asked() == ["/", *["/v2/images/an-image"] * 3]


# ---------------------------------------------------------------------------------------------
# Threads and forks.


def in_threads(count: int, call: Callable[[], object]) -> list[object]:
    """Make a call in several threads at the same time; return the results and exceptions."""
    results: list[object] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        barrier.wait(10)
        try:
            results.append(call())
        except GlanceCompatError as error:
            results.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == count
    return results


@pytest.mark.parametrize("reply", [document(PIKE), Reply(503)], ids=["document", "failure"])
def test_concurrent_discovery_sends_one_request(server: ScriptedServer, reply: Reply) -> None:
    def slow(seen: Seen) -> Reply:
        threading.Event().wait(0.2)
        return reply

    server.on("GET", "/", slow)
    endpoint = Endpoint(server.url)
    results = in_threads(16, endpoint.discover)
    assert server.asked() == ["/"]
    assert len({str(one) for one in results}) == 1
    if reply.status == 503:
        assert len({id(one) for one in results}) == 16


def test_concurrent_rediscovery_sends_one_request(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    endpoint = Endpoint(server.url)
    endpoint.discover()
    endpoint.clock.now += 301
    in_threads(16, endpoint.discover)
    assert len(server.seen) == 2


def test_endpoints_do_not_wait_for_each_other(server: ScriptedServer) -> None:
    release = threading.Event()

    def stuck(seen: Seen) -> Reply:
        release.wait(10)
        return document(PIKE)

    server.on("GET", "/stuck/", stuck)
    server.on("GET", "/", document(PIKE))
    memory = DiscoveryCache()
    slow, quick = Endpoint(f"{server.url}/stuck"), Endpoint(server.url)
    slow.memory = quick.memory = memory
    thread = threading.Thread(target=slow.discover)
    thread.start()
    try:
        assert quick.discover().api == "v2"
        assert thread.is_alive()
    finally:
        release.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("options", "deadline"),
    [({"connect_timeout": 0.02, "read_timeout": 0.02}, 20), ({}, 0.1)],
    ids=["time-outs", "deadline"],
)
def test_waiting_for_another_thread_is_bounded(
    options: dict[str, typing.Any], deadline: float
) -> None:
    release, begun = threading.Event(), threading.Event()
    endpoint = Endpoint("http://127.0.0.1:1/v2", **options)
    place = CacheKey("http://127.0.0.1:1", "v2")

    def stuck() -> Facts:
        begun.set()
        release.wait(10)
        return Facts((), "", requests=0)

    thread = threading.Thread(target=endpoint.memory.get, args=(place, endpoint.options, stuck))
    thread.start()
    try:
        assert begun.wait(10)
        with pytest.raises(DeadlineExceeded, match="another thread") as caught:
            endpoint.discover(deadline=deadline)
        assert caught.value.endpoint == place.endpoint
        assert thread.is_alive()
    finally:
        release.set()
        thread.join(10)


def run_program(program: str, *arguments: str) -> list[str]:
    """Run a single-threaded program, which may fork."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.slow
def test_forked_child_opens_its_own_connections(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    server.on("GET", "/v2/images/an-image", json_reply({"id": "an-image"}))
    output = run_program(
        """
        import os, sys
        from keystoneauth1 import session
        from glance_compat import ImageService

        service = ImageService(session.Session(), endpoint_override=sys.argv[1])
        service.show(None, "an-image")
        child = os.fork()
        for _ in range(2):
            assert service.show(None, "an-image")["id"] == "an-image"
        if child == 0:
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        """,
        server.url,
    )
    assert output == ["0"]
    shows = [one.port for one in server.seen if one.path != "/"]
    assert len(shows) == 5
    # The parent and the child have one connection each.
    assert sorted(shows.count(port) for port in set(shows)) == [2, 3]
    # The child uses the cached results of the parent.
    assert server.asked().count("/") == 1


@pytest.mark.slow
def test_forked_child_ignores_locks_of_parent(server: ScriptedServer) -> None:
    asked, release = threading.Event(), threading.Event()

    def first(seen: Seen) -> Reply:
        asked.set()
        release.wait(30)
        return document(PIKE)

    def second(seen: Seen) -> Reply:
        release.set()
        return document(PIKE_V1)

    server.on("GET", "/", first, second)
    server.on("GET", "/asked", lambda seen: Reply(200 if asked.wait(30) else 500))
    output = run_program(
        """
        import os, sys, threading, urllib.request, warnings
        from keystoneauth1 import session
        from glance_compat import ImageService, Options

        warnings.simplefilter("ignore", DeprecationWarning)
        options = Options(deadline=20)
        service = ImageService(session.Session(), endpoint_override=sys.argv[1], options=options)
        thread = threading.Thread(target=service.discover)
        thread.start()
        urllib.request.urlopen(sys.argv[1] + "/asked").read()
        child = os.fork()
        if child == 0:
            print(service.discover().api, flush=True)
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        thread.join()
        """,
        server.url,
    )
    assert output == ["v1", "0"]


# ---------------------------------------------------------------------------------------------
# Changed endpoints: after a 300 for a resource, the versions are discovered again once.


def gone(seen: Seen) -> Reply:
    """Respond like Glance for a disabled API."""
    return document(PIKE_V1)


V1_IMAGES = json_reply({"images": []})


def test_call_switches_api_when_endpoint_removes_it(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE), document(PIKE_V1))
    server.on("GET", "/v2/images", json_reply({"images": []}), gone)
    server.on("GET", "/v1/images/detail", V1_IMAGES)
    service = service_at(server.url)
    assert service.detail(None) == []
    assert service.detail(None) == []
    assert service.detail(None) == []
    assert server.asked() == [
        "/",
        "/v2/images",
        "/v2/images",
        "/",
        "/v1/images/detail",
        "/v1/images/detail",
    ]


def test_services_share_rediscovery_of_changed_endpoint(server: ScriptedServer) -> None:
    v2 = json_reply({"images": []})
    server.on("GET", "/", document(PIKE), document(PIKE_V1))
    server.on("GET", "/v2/images", v2, v2, gone)
    server.on("GET", "/v1/images/detail", V1_IMAGES)
    first, second = service_at(server.url), service_at(server.url)
    for service in (first, second, first, second):
        assert service.detail(None) == []
    assert server.asked() == [
        "/",
        *["/v2/images"] * 3,
        "/",
        *["/v1/images/detail"] * 2,
    ]


def test_offered_api_returning_document_raises_no_usable_version(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", document(PIKE))
    server.on("GET", "/v2/images", gone)
    with pytest.raises(NoUsableVersion) as caught:
        service_at(server.url, max_attempts=4).detail(None)
    text = str(caught.value)
    assert "Images API v2" in text
    assert "v2 is preferred" in text
    assert "offered: v2.5 (CURRENT), v2.4" in text
    assert (caught.value.status, caught.value.endpoint) == (300, server.url)
    assert server.asked() == ["/", "/v2/images", "/"]


def test_changed_document_without_usable_api_is_not_retried(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", document(PIKE), document(PIKE_V2))
    server.on("GET", "/v2/images", gone)
    with pytest.raises(NoUsableVersion, match="offers v2 and no v1"):
        service_at(server.url).detail(None)
    assert server.asked() == ["/", "/v2/images", "/"]


def test_both_apis_returning_document_raise_no_usable_version(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", document(PIKE), document(PIKE_V1))
    server.on("GET", "/v2/images", gone)
    server.on("GET", "/v1/images/detail", gone)
    with pytest.raises(NoUsableVersion, match="Images API v1") as caught:
        service_at(server.url, max_attempts=4).detail(None)
    assert "offered: v1.1 (DEPRECATED), v1.0 (DEPRECATED)" in str(caught.value)
    assert server.asked() == ["/", "/v2/images", "/", "/v1/images/detail"]


@pytest.mark.parametrize(("api", "path"), [("1", "/v1/images/detail"), ("2", "/v2/images")])
def test_missing_pinned_api_is_an_error(server: ScriptedServer, api: str, path: str) -> None:
    given = PIKE_V2 if api == "1" else PIKE_V1
    server.on("GET", "/", document(given))
    server.on("GET", path, document(given))
    with pytest.raises(NoUsableVersion) as caught:
        service_at(server.url, api_version=api).detail(None)
    text = str(caught.value)
    assert f"Images API v{api}" in text
    assert f"v{api} is pinned by the option api_version" in text
    assert f"offered: {given[0][0]} ({given[0][1]})" in text
    assert server.asked() == [path, "/"]


@pytest.mark.parametrize("answer", [HTML, Reply(503), NO_ANSWER])
def test_missing_pinned_api_without_document_is_an_error(
    server: ScriptedServer, answer: Reply
) -> None:
    server.on("GET", "/", answer)
    server.on("GET", "/v2/images", gone)
    with pytest.raises(NoUsableVersion, match="v2 is pinned by the option api_version"):
        service_at(server.url, api_version="2").detail(None)


def test_concurrent_calls_rediscover_changed_endpoint_once(
    server: ScriptedServer,
) -> None:
    def slow(seen: Seen) -> Reply:
        threading.Event().wait(0.2)
        return document(PIKE_V1)

    server.on("GET", "/", document(PIKE), slow)
    server.on("GET", "/v2/images", json_reply({"images": []}), gone)
    server.on("GET", "/v1/images/detail", V1_IMAGES)
    service = service_at(server.url)
    service.detail(None)
    results = in_threads(16, lambda: service.detail(None))
    assert results == [[]] * 16
    assert server.asked().count("/") == 2


# ---------------------------------------------------------------------------------------------
# Several endpoints.


def test_discover_chooses_version_for_each_endpoint(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    server.on("GET", "/v2/images/an-image", json_reply({"id": "an-image"}))
    with fresh() as old, fresh() as new:
        old.on("GET", "/", document(PIKE_V1))
        new.on("GET", "/image/", document(GLANCE_33))
        urls = [f"{old.url}/v2", server.url, f"{new.url}/image/v1"]
        found = service_at(urls).discover()
        assert [one.api for one in found.endpoints] == ["v1", "v2", "v2"]
        assert [one.version for one in found.endpoints] == [(1, 1), (2, 5), (2, 17)]
        assert [one.endpoint for one in found.endpoints] == [
            old.url,
            server.url,
            f"{new.url}/image",
        ]
        assert all(one.endpoints == () and one.requests == 1 for one in found.endpoints)
        assert (found.api, found.endpoint, found.requests) == ("v1", old.url, 3)
        assert found.offered == offered(*PIKE_V1)


def test_list_of_one_url_is_one_endpoint(server: ScriptedServer) -> None:
    server.on("GET", "/", document(PIKE))
    assert service_at([server.url]).discover().endpoints == ()


def test_unreachable_endpoint_does_not_hide_others(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", document(PIKE))
    found = service_at(["http://127.0.0.1:1", server.url]).discover()
    assert (found.api, found.endpoint) == ("v2", server.url)


def test_catalog_endpoint_follows_region_and_interface(server: ScriptedServer) -> None:
    server.on("GET", "/two/", document(PIKE_V1))
    server.on("GET", "/one/", document(PIKE))
    entries = [
        {
            "type": "image",
            "name": "glance",
            "endpoints": [
                {"publicURL": f"{server.url}/one/v1", "region": "one"},
                {
                    "publicURL": f"{server.url}/two/v2",
                    "internalURL": f"{server.url}/one",
                    "region": "two",
                },
            ],
        }
    ]

    class Context:
        auth_token = "users-token"
        service_catalog = entries

    def found(region: str | None = None, interface: str | None = None) -> tuple[str, str]:
        service = ImageService(ksa_session.Session(), region_name=region, interface=interface)
        one = service.discover(Context())
        return one.api, one.endpoint

    assert found() == ("v2", f"{server.url}/one")
    assert found("two") == ("v1", f"{server.url}/two")
    assert found("two", "internal") == ("v2", f"{server.url}/one")
    with pytest.raises(NoUsableVersion, match="region 'three'"):
        found("three")
    assert server.asked() == ["/one/", "/two/"]


# ---------------------------------------------------------------------------------------------
# Capabilities.

V1_CAPABILITIES = {"copy_from", "list-deleted", "member-can-share"}
PIKE_CAPABILITIES = {
    *("tags", "member-status", "deactivate", "community-visibility", "property-definitions")
}
NEW_CAPABILITIES = PIKE_CAPABILITIES | {
    *("import", "hidden", "multihash", "tasks", "locations-api")
}
STORES_CAPABILITIES = {"stores", "store-delete", "store-detail"}


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        (PIKE, {}, PIKE_CAPABILITIES),
        (PIKE, {"prefer": "1"}, V1_CAPABILITIES),
        (PIKE_V1, {}, V1_CAPABILITIES),
        (PIKE_IMPORT, {}, PIKE_CAPABILITIES),
        (PIKE_IMPORT, {"allow_experimental": True}, PIKE_CAPABILITIES | {"import"}),
        (PIKE_IMPORT, {"prefer": "1", "allow_experimental": True}, V1_CAPABILITIES),
        (GLANCE_33, {}, NEW_CAPABILITIES),
        (GLANCE_33_STORES, {}, NEW_CAPABILITIES | STORES_CAPABILITIES),
        ([("v2.0", "CURRENT")], {}, {"tags", "member-status"}),
        (
            [("v2.10", "EXPERIMENTAL"), ("v2.7", "CURRENT")],
            {},
            NEW_CAPABILITIES - {"locations-api", "tasks"},
        ),
    ],
)
def test_capabilities_follow_version_document(
    server: ScriptedServer, given: Rows, options: dict[str, typing.Any], expected: set[str]
) -> None:
    server.on("GET", "/", document(given))
    assert discovered(server, **options).capabilities == expected


@pytest.mark.parametrize(("api", "expected"), [("1", V1_CAPABILITIES), ("2", {"tags"})])
def test_pinned_version_has_minimal_capabilities(api: str, expected: set[str]) -> None:
    found = Endpoint("http://127.0.0.1:1", api_version=api).discover()
    assert found.capabilities == expected | ({"member-status"} if api == "2" else set())


def offered_to(endpoint: Endpoint) -> tuple[tuple[int, int], set[str]]:
    """Return the offer that the v2 backend gets."""
    found = endpoint.discover()
    api = typing.cast(
        typing.Any, discover.select_backend(found, endpoint.memory)(endpoint.transport())
    )
    version, capabilities = api._get_offer()
    return version, set(capabilities)


@pytest.mark.parametrize(
    ("given", "options", "version", "expected"),
    [
        (PIKE, {}, (2, 5), PIKE_CAPABILITIES),
        (GLANCE_33_STORES, {}, (2, 17), NEW_CAPABILITIES | STORES_CAPABILITIES),
        (PIKE_IMPORT, {}, (2, 5), PIKE_CAPABILITIES),
        (PIKE_IMPORT, {"allow_experimental": True}, (2, 6), PIKE_CAPABILITIES | {"import"}),
        (PIKE_V1, {}, (2, 0), {"tags", "member-status"}),
        ([], {}, (2, 0), {"tags", "member-status"}),
    ],
)
def test_pinned_v2_fetches_document_once_on_demand(
    server: ScriptedServer,
    given: Rows,
    options: dict[str, typing.Any],
    version: tuple[int, int],
    expected: set[str],
) -> None:
    server.on("GET", "/", document(given))
    endpoint = Endpoint(server.url, api_version="2", **options)
    endpoint.discover()
    assert server.seen == []
    for _ in range(3):
        assert offered_to(endpoint) == (version, expected)
    assert server.asked() == ["/"]


@pytest.mark.usefixtures("without_garbage")
@pytest.mark.parametrize("answer", NO_DOCUMENT.values(), ids=NO_DOCUMENT)
def test_server_without_document_is_cached_as_2_0(server: ScriptedServer, answer: Answer) -> None:
    server.on("GET", "/", answer)
    server.on("GET", "/v2/schemas/image", V2_SCHEMA)
    pinned = Endpoint(server.url, api_version="2", **SMALL)
    named = Endpoint(f"{server.url}/v2", **SMALL)
    asked = Endpoint(server.url, **SMALL)
    for endpoint, requests in ((pinned, 1), (named, 1), (asked, 3)):
        server.seen.clear()
        for _ in range(3):
            assert offered_to(endpoint) == ((2, 0), {"tags", "member-status"})
            endpoint.clock.now += 50
        # A circular redirect is requested twice: once directly, and once as the redirect's target.
        assert len([one for one in server.seen if one.path != "/"]) == requests - 1
        assert server.asked().count("/") <= 4


def test_pinned_v2_with_failed_document_is_rediscovered_later(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/", Reply(503))
    endpoint = Endpoint(server.url, api_version="2")
    for _ in range(3):
        assert offered_to(endpoint)[0] == (2, 0)
    assert server.asked() == ["/"]
    server.on("GET", "/", document(PIKE))
    endpoint.clock.now += 6
    assert offered_to(endpoint)[0] == (2, 5)


def test_v1_needs_no_capabilities(server: ScriptedServer) -> None:
    endpoint = Endpoint(server.url, api_version="1")
    assert (
        discover.select_backend(endpoint.discover())(endpoint.transport()).api_name
        == "Images API v1"
    )
    assert server.seen == []


# ---------------------------------------------------------------------------------------------
# Logging and reprs.


def test_discovery_logs_version_request(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("GET", "/", document(PIKE))
    with caplog.at_level(logging.DEBUG):
        service_at(server.url).discover()
    messages = [
        one.getMessage() for one in caplog.records if one.name == "glance_compat.transport.client"
    ]
    assert [one for one in messages if one.startswith(f"GET {server.url}/: HTTP 300")]


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("v2.17", (2, 17)),
        ("v1.0", (1, 0)),
        ("v2", (2, 0)),
        ("v10.20", (10, 20)),
        ("2.0", None),
        ("v2.", None),
        ("v", None),
        ("", None),
        ("v2.0.0", None),
        ("v\N{ARABIC-INDIC DIGIT TWO}.0", None),
        ("v2.99999", None),
    ],
)
def test_version_id_parses_to_number_or_none(version: str, number: tuple[int, int] | None) -> None:
    assert OfferedVersion(version, "CURRENT").number == number
