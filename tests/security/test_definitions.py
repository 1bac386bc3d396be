# SPDX-License-Identifier: Apache-2.0
"""Metadata definitions that a hostile tenant writes on a cloud where every tenant may."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options, exceptions
from glance_compat.definitions.sources import DEFINITIONS_CACHE
from glance_compat.fixture import GlanceFixture
from tests.security.images import PASSWORD, TOKEN, service_at
from tests.unit.definitions.namespaces import namespace, schema
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

LIST = "/v2/metadefs/namespaces"
GOOD = namespace({"bus": schema(enum=["ide"])}, "Good")


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    DEFINITIONS_CACHE.clear()
    with GlanceFixture(release="pike", sockets=False) as opened:
        yield opened


def publish(glance: GlanceFixture, token: str, document: dict[str, Any]) -> None:
    answer = glance.session(token).post(f"{glance.url}{LIST}", json=document)
    assert answer.status_code == 201, answer.text


def victim(glance: GlanceFixture) -> ImageService:
    return ImageService(
        glance.session("victim:v:member"), options=Options(property_definitions="refuse")
    )


def nested(depth: int) -> bytes:
    inside = b'{"a":' * depth + b"1" + b"}" * depth
    return b'{"namespace": "Hostile", "properties": ' + inside + b"}"


HOSTILE: dict[str, bytes | dict[str, Any]] = {
    "deep": nested(100_000),
    "reference": namespace({"bus": {"$ref": "#/properties/bus"}}, "Hostile"),
    "foreign reference": namespace({"bus": {"$ref": "http://evil.invalid/"}}, "Hostile"),
    "huge number": b'{"namespace": "Hostile", "resource_type_associations":'
    b' [{"name": "OS::Glance::Image"}], "properties":'
    b' {"bus": {"type": "integer", "minimum": 1' + b"0" * 4000 + b"}}}",
    "number that Python refuses": b'{"namespace": 1' + b"0" * 5000 + b"}",
    "infinity": b'{"namespace": "Hostile", "resource_type_associations":'
    b' [{"name": "OS::Glance::Image"}], "properties":'
    b' {"bus": {"type": "number", "maximum": Infinity}}}',
    "many values": namespace({"bus": schema(enum=["x"] * 1001)}, "Hostile"),
    "many properties": namespace({f"p{one}": schema() for one in range(1001)}, "Hostile"),
    "bytes": b"\xff\xfe",
    "large": b'{"a": "' + b"x" * 2**20 + b'"}',
    "name of another": namespace({"bus": schema(enum=["x"])}, "Good"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_namespace_does_not_stop_the_others(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    DEFINITIONS_CACHE.clear()
    body = HOSTILE[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v2.5", "status": "CURRENT"}]}
        server.on("GET", "/", json_reply(versions, 300))
        listed = [{"namespace": "Good"}, {"namespace": "Hostile"}]
        server.on("GET", LIST, json_reply({"namespaces": listed}))
        server.on("GET", f"{LIST}/Good", json_reply(GOOD))
        server.on("GET", f"{LIST}/Hostile", Reply(200, content))
        service = ImageService(
            ksa_session.Session(),
            endpoint_override=server.url,
            options=Options(property_definitions="refuse"),
        )
        started = time.process_time()
        found = service.property_definitions(None)
        assert time.process_time() - started < 1
        assert [one.name for one in found] == ["bus"]
        with pytest.raises(exceptions.PropertyInvalid):
            service.create(None, {"properties": {"bus": "usb"}})
        assert {one.path for one in server.seen} == {"/", LIST, f"{LIST}/Good", f"{LIST}/Hostile"}
    assert len(caplog.records) == 1, caplog.text
    assert len(caplog.text) < 500


EVIL_PATTERNS = ("^(a+)+$", "^(a|a)*$", "(.*)(.*)(.*)(.*)x", "^(([a-z])+.)+[A-Z]([a-z])+$")


@pytest.mark.parametrize("pattern", EVIL_PATTERNS)
def test_hostile_patterns_take_bounded_time(glance: GlanceFixture, pattern: str) -> None:
    defined = schema(pattern=pattern)
    publish(glance, "evil:e:member", namespace({"p": defined}, "Hostile"))
    started = time.process_time()
    with pytest.raises(exceptions.PropertyInvalid):
        victim(glance).create(None, {"properties": {"p": "a" * 1000 + "!"}})
    assert time.process_time() - started < 1


def test_tenant_cannot_forbid_what_another_namespace_allows(glance: GlanceFixture) -> None:
    body = namespace({"hw_watchdog_action": schema(enum=["explode"])}, "Hostile")
    publish(glance, "evil:e:member", body)
    meta = {"name": "n", "properties": {"hw_watchdog_action": "reset"}}
    assert victim(glance).create(None, meta)["properties"] == meta["properties"]
    first = victim(glance).property_definitions(None).find("hw_watchdog_action")
    assert first is not None
    assert first.namespace == "OS::Compute::Watchdog"


def test_messages_show_no_control_characters(
    glance: GlanceFixture, caplog: pytest.LogCaptureFixture
) -> None:
    evil = "x\x1b[31m\r\n"
    defined = schema(enum=[evil], pattern="(?=a)", title=evil, description=evil)
    publish(glance, "evil:e:member", namespace({f"p{evil}": defined, "q": defined}, "Hostile"))
    with pytest.raises(exceptions.PropertyInvalid) as caught:
        victim(glance).create(None, {"properties": {f"p{evil}": "other\n"}})
    assert str(caught.value).isprintable()
    printed = str(victim(glance).property_definitions(None))
    assert all(line.isprintable() for line in printed.split("\n"))
    [record] = caplog.records
    assert record.getMessage().isprintable()


def test_cached_definitions_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """The endpoint has a password, and the calls have a token of an unknown project."""
    DEFINITIONS_CACHE.clear()
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v2.5", "status": "CURRENT"}]}
        server.on("GET", "/", json_reply(versions, 300))
        server.on("GET", LIST, Reply(403), json_reply({"namespaces": [{"namespace": "Bad"}]}))
        for mode in ("warn", "refuse"):
            service = service_at(server.url, property_definitions=mode, discovery_failure_ttl=1e-9)
            with pytest.raises(exceptions.GlanceCompatError):
                service.create(None, {"properties": {"p": "x"}})
    assert len(DEFINITIONS_CACHE._entries) == 1
    assert len(caplog.records) == 2
    for text in (repr(vars(DEFINITIONS_CACHE)), caplog.text):
        assert PASSWORD not in text
        assert TOKEN not in text
