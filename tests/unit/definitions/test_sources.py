# SPDX-License-Identifier: Apache-2.0
"""sources: requests for namespaces, what is skipped, and what is cached for how long."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options, exceptions
from glance_compat.definitions import sources
from glance_compat.definitions.properties import Definition, Definitions
from glance_compat.definitions.sources import DEFINITIONS_CACHE, DefinitionsCache
from glance_compat.fixture import GlanceFixture
from tests.unit.definitions.namespaces import namespace, schema
from tests.unit.scripted_server import Reply, ScriptedServer, Seen, json_reply

LIST = "/v2/metadefs/namespaces"
VERSIONS = {"versions": [{"id": "v2.5", "status": "CURRENT"}]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def some(source: str = "x") -> Definitions:
    return Definitions([Definition("p", "N", "string")], source)


def counting(outcome: Definitions | Exception) -> tuple[Callable[[], Definitions], list[int]]:
    calls: list[int] = []

    def fetch() -> Definitions:
        calls.append(1)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return fetch, calls


def test_definitions_are_cached_for_an_hour() -> None:
    clock = Clock()
    cache = DefinitionsCache(clock)
    fetch, calls = counting(some())
    for clock.now in (0.0, 3599.0):
        assert cache.get("key", 5, fetch).find("p")
    assert len(calls) == 1
    assert cache.get("other", 5, fetch) is cache.get("other", 5, fetch)
    clock.now = 3600.0
    cache.get("key", 5, fetch)
    assert len(calls) == 3


def test_failures_are_cached_for_a_short_time() -> None:
    clock = Clock()
    cache = DefinitionsCache(clock)
    fetch, calls = counting(exceptions.BadResponse("no", status=500))
    for clock.now in (0.0, 4.9, 5.0):
        with pytest.raises(exceptions.BadResponse, match="no"):
            cache.get("key", 5, fetch)
    assert len(calls) == 2
    fetch, calls = counting(exceptions.UnsupportedByVersion("definitions", "v1"))
    for clock.now in (0.0, 3599.0):
        with pytest.raises(exceptions.UnsupportedByVersion):
            cache.get("unsupported", 5, fetch)
    assert len(calls) == 1


@pytest.mark.parametrize("kind", [exceptions.NotAuthenticated, exceptions.DeadlineExceeded])
def test_errors_of_one_caller_are_not_cached(kind: type[exceptions.GlanceCompatError]) -> None:
    cache = DefinitionsCache(Clock())
    fetch, calls = counting(kind("no"))
    for _ in range(2):
        with pytest.raises(kind):
            cache.get("key", 5, fetch)
    assert len(calls) == 2


def test_expired_definitions_are_used_while_a_thread_replaces_them() -> None:
    clock = Clock()
    cache = DefinitionsCache(clock)
    old, new = some("old"), some("new")
    cache.get("key", 5, lambda: old)
    clock.now = 3600.0
    seen: list[Definitions] = []

    def fetch() -> Definitions:
        # What another thread gets in the meantime.
        seen.append(cache.get("key", 5, lambda: pytest.fail("fetched twice")))
        return new

    assert cache.get("key", 5, fetch) is new
    assert seen == [old]
    assert cache.get("key", 5, fetch) is new


def test_expired_definitions_do_not_outlive_a_failure() -> None:
    clock = Clock()
    cache = DefinitionsCache(clock)
    cache.get("key", 5, some)
    clock.now = 3600.0
    for error in (exceptions.NotAuthenticated("no"), exceptions.BadResponse("no")):
        fetch, calls = counting(error)
        with pytest.raises(type(error)):
            cache.get("key", 5, fetch)
        assert len(calls) == 1
        with pytest.raises(type(error)):
            cache.get("key", 5, fetch)


def test_cache_is_bounded() -> None:
    cache = DefinitionsCache(Clock())
    fetch, calls = counting(some())
    for number in range(sources.MOST_CACHED + 1):
        cache.get(number, 5, fetch)
    cache.get(sources.MOST_CACHED, 5, fetch)
    assert len(calls) == sources.MOST_CACHED + 1
    cache.get(0, 5, fetch)
    assert len(calls) == sources.MOST_CACHED + 2


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as opened:
        opened.on("GET", "/", json_reply(VERSIONS, 300))
        yield opened


def listing(*names: object, following: str | None = None) -> Reply:
    body: dict[str, Any] = {"namespaces": [{"namespace": name} for name in names]}
    return json_reply(body | ({"next": following} if following else {}))


def serve(server: ScriptedServer, **replies: Any) -> None:
    """Serve namespaces, each with the reply or JSON that is passed for its name."""
    server.on("GET", LIST, listing(*replies))
    for name, reply in replies.items():
        wanted = reply if isinstance(reply, Reply) else json_reply(reply)
        server.on("GET", f"{LIST}/{name}", wanted)


def service(server: ScriptedServer, **options: Any) -> ImageService:
    session = ksa_session.Session()
    return ImageService(
        session,
        endpoint_override=server.url,
        options=Options(backoff_max=0.0, **{"discovery_failure_ttl": 0.0, **options}),
    )


def names_of(found: Definitions) -> list[str]:
    return [one.name for one in found]


def test_pages_of_namespaces_are_followed(server: ScriptedServer) -> None:
    server.on("GET", LIST, listing("A", following="/elsewhere"), listing("B"))
    for name in ("A", "B"):
        document = namespace({name.lower(): schema()}, name)
        server.on("GET", f"{LIST}/{name}", json_reply(document))
    assert names_of(service(server).property_definitions(None)) == ["a", "b"]
    lists = [one for one in server.seen if one.path == LIST]
    assert [parse_qsl(one.query) for one in lists] == [
        [
            ("resource_types", "OS::Glance::Image"),
            ("sort_key", "created_at"),
            ("sort_dir", "asc"),
            ("limit", "256"),
            *marker,
        ]
        for marker in ([], [("marker", "A")])
    ]


def test_list_is_repeated_while_namespaces_are_deleted(server: ScriptedServer) -> None:
    server.on("GET", LIST, Reply(404), listing("A", following="/next"), Reply(404), listing("B"))
    server.on("GET", f"{LIST}/B", json_reply(namespace({"b": schema()}, "B")))
    assert names_of(service(server).property_definitions(None)) == ["b"]
    server.on("GET", LIST, Reply(404))
    DEFINITIONS_CACHE.clear()
    with pytest.raises(exceptions.NotFound):
        service(server).property_definitions(None)
    assert server.asked().count(LIST) == 4 + 3


def test_malformed_namespaces_are_skipped_with_one_warning(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    serve(
        server,
        good=namespace({"p": schema()}, "good"),
        list=["not an object"],
        broken=Reply(200, b"{"),
        big=json_reply("x" * 2**20),
        wrong=namespace({"q": schema(type="int")}, "wrong"),
        error=Reply(500),
        deleted=Reply(404),
        last=namespace({"r": schema()}, "last"),
    )
    server.on(
        "GET",
        LIST,
        listing(
            "good", "..", None, 5, "", "list", "broken", "big", "wrong", "error", "deleted", "last"
        ),
    )
    asking = service(server)
    assert names_of(asking.property_definitions(None)) == ["p", "r"]
    DEFINITIONS_CACHE.clear()
    assert names_of(asking.property_definitions(None)) == ["p", "r"]
    messages = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    skipped = [one.partition("namespace ")[2].partition(":")[0] for one in messages]
    assert skipped == ["'..'", "''", "'list'", "'broken'", "'big'", "'wrong'", "'error'"]
    assert all(server.url in one for one in messages)


def test_most_namespaces_of_a_server_that_never_ends(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = iter(range(10**6))

    def page(seen: Seen) -> Reply:
        return listing(*(f"N{next(numbers)}" for _ in range(100)), following="/next")

    server.on("GET", LIST, page)
    assert not service(server).property_definitions(None)
    assert len([one for one in server.seen if one.path != LIST]) == 1 + sources.MOST_NAMESPACES
    assert "only the oldest 256 namespaces are used" in caplog.text


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"namespaces": {}}', b'{"namespaces": ["a"]}'], ids=str
)
def test_list_that_is_not_one_is_a_bad_response(server: ScriptedServer, body: bytes) -> None:
    server.on("GET", LIST, Reply(200, body))
    with pytest.raises(exceptions.BadResponse):
        service(server).property_definitions(None)


@pytest.mark.parametrize("api_version", ["auto", "1", "2"])
def test_definitions_are_read_over_v2_whatever_the_api_in_use(api_version: Any) -> None:
    options = Options(api_version=api_version, prefer="1", property_definitions="refuse")
    with GlanceFixture(prefix=f"/pinned-{api_version}") as glance:
        service = ImageService(glance.session(), options=options)
        with pytest.raises(exceptions.PropertyInvalid):
            service.create(None, {"properties": {"hw_watchdog_action": "x"}})
        used = "v2" if api_version == "2" else "v1"
        service.create(None, {"properties": {"hw_watchdog_action": "reset"}})
        assert [one.path for one in glance.requests][-1] == f"/pinned-{api_version}/{used}/images"


def test_refused_list(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    server.on("GET", LIST, Reply(403))
    server.on(
        "POST",
        "/v2/images",
        lambda seen: json_reply(
            {"id": json.loads(seen.body)["id"], "status": "queued", "p": "x"}, 201
        ),
    )
    meta = {"properties": {"p": "x"}}
    with pytest.raises(exceptions.Forbidden, match="set property_definitions to warn"):
        service(server, property_definitions="refuse").create(None, meta)
    assert service(server, property_definitions="warn").create(None, meta)["properties"]
    assert "Properties of images are not checked: GET" in caplog.text


def test_cloud_without_definitions_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with GlanceFixture(("v1",), prefix="/none") as old, GlanceFixture(prefix="/empty") as empty:
        for name in ("Watchdog", "Runtimes", "Samples"):
            delete(empty, name)
        for glance in (old, empty):
            checking = Options(property_definitions="warn")
            for _ in range(2):
                made = ImageService(glance.session(), options=checking)
                made.create(None, {"name": "n", "properties": {"hw_watchdog_action": "x"}})
    [first, second] = [one.getMessage() for one in caplog.records]
    assert first.startswith("Properties of images are not checked: the call needs the capability")
    assert (
        second == f"Properties of images are not checked: {empty.url} has no definitions of them"
    )


def delete(glance: GlanceFixture, name: str) -> None:
    full = {"Samples": "Fixture::"}.get(name, "OS::Compute::")
    full = {"Runtimes": "OS::Software::"}.get(name, full) + name
    path = f"{glance.url}{LIST}/{full}"
    admin = glance.session("admin:admin:admin")
    admin.put(path, json={"namespace": full, "visibility": "public", "protected": False})
    assert admin.delete(path).status_code == 204


def test_callers_with_another_project_role_or_token_share_nothing() -> None:
    with GlanceFixture(prefix="/callers") as glance:
        asking = ImageService(glance.session("u:p:member"))

        def requests(**context: Any) -> int:
            before = len(glance.requests)
            asking.property_definitions(SimpleNamespace(**context))
            return len(glance.requests) - before

        asking.discover()
        project = {"auth_token": "u:p:member", "project_id": "p", "roles": ["member"]}
        four = 1 + 3
        assert requests(**project) == four
        assert requests(**project) == 0
        assert requests(**project | {"auth_token": "v:p:member"}) == 0
        assert requests(**project | {"project_id": "q"}) == four
        assert requests(**project | {"roles": ["member", "admin"]}) == four
        # Without a project or roles, only the same token has the same definitions.
        assert requests(auth_token="u:p:member") == four
        assert requests(auth_token="u:p:member") == 0
        assert requests(auth_token="v:p:member") == four
        keys = repr(list(DEFINITIONS_CACHE._entries))
    assert "u:p:member" not in keys
    assert "v:p:member" not in keys


def test_checks_need_jsonschema(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(namespace({"p": schema()})))
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with GlanceFixture(sockets=False) as glance:
        for mode in ("warn", "refuse"):
            options: Any = {"property_definitions": mode}
            with pytest.raises(exceptions.InvalidOption, match=r"glance-compat\[definitions\]"):
                ImageService(glance.session(), options=Options(**options))
        off = ImageService(glance.session(), options=Options(definitions_file=str(path)))
        assert off.property_definitions(None).find("p") is not None
