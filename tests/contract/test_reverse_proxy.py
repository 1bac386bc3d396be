# SPDX-License-Identifier: Apache-2.0
"""Proxies that drop or change parts of requests: lost values are detected and named."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.transport import retry
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Kind, Target, is_open, only
from tests.reverse_proxy import Passing, ReverseProxy, drop_underscores

behind_a_proxy = only(is_open)


def _is_open_v1(kind: Kind) -> bool:
    return is_open(kind) and kind.api == "v1"


def _is_open_v2(kind: Kind) -> bool:
    return is_open(kind) and kind.api == "v2"


#: Every attribute with an underscore, and properties of each form.
META: dict[str, Any] = {
    "disk_format": "qcow2",
    "container_format": "ovf",
    "min_disk": 3,
    "min_ram": 5,
    "protected": False,
}
PROPERTIES = {"os_type": "linux", "hw_qemu_guest_agent": "yes", "_x_": "1", "plain": "2"}


def _without(name: str) -> Any:
    """Return a function that takes an attribute or a property out of every write."""

    def change(request: Passing) -> Passing:
        headers = tuple(
            (key, value)
            for key, value in request.headers
            if not key.lower().replace("_", "-").endswith(f"-{name.replace('_', '-')}")
        )
        body = request.body
        if request.method in ("POST", "PATCH") and body.startswith((b"{", b"[")):
            document = json.loads(body)
            if isinstance(document, dict):
                document.pop(name, None)
            else:
                document = [one for one in document if one["path"] != f"/{name}"]
            body = json.dumps(document).encode()
        return dataclasses.replace(request, headers=headers, body=body)

    return change


@contextlib.contextmanager
def _behind(target: Target, change: Any, user: str = "demo") -> Iterator[ImageService]:
    with ReverseProxy(target.url, change) as proxy:
        options = Options(prefer=target.prefer, extended=True)
        yield ImageService(target.session(user), endpoint_override=proxy.url, options=options)


@behind_a_proxy
@pytest.mark.parametrize("data", [None, DATA])
def test_create_behind_nginx_stores_everything(
    target: Target, name: str, data: bytes | None
) -> None:
    meta = {"name": name, **META, "disk_format": "raw", "properties": PROPERTIES}
    with _behind(target, drop_underscores) as service:
        made: dict[str, Any] = dict(service.create(None, meta, data=data))
    record = target.record(made["id"])
    assert {key: made[key] for key in meta} == meta
    assert {key: record[key] for key in (*PROPERTIES, *META)} == {
        **META,
        "disk_format": "raw",
        **PROPERTIES,
    }


@behind_a_proxy
@pytest.mark.parametrize("purge", [False, True])
def test_update_behind_nginx_stores_everything(target: Target, name: str, purge: bool) -> None:
    image_id = target.make(name=name, properties={"os_distro": "x", "os_type": "bsd"})
    meta = {**META, "properties": PROPERTIES}
    with _behind(target, drop_underscores) as service:
        changed: dict[str, Any] = dict(service.update(None, image_id, meta, purge_props=purge))
    kept = {} if purge else {"os_distro": "x"}
    assert {key: changed[key] for key in META} == META
    assert changed["properties"] == {**PROPERTIES, **kept}
    record = target.record(image_id)
    assert {key: record[key] for key in META} == META
    assert ("os_distro" in record) is not purge


@behind_a_proxy
def test_admin_publishes_behind_nginx(target: Target, name: str) -> None:
    with _behind(target, drop_underscores, "admin") as service:
        made = service.create(None, {"name": name, "is_public": True})
        assert made["is_public"] is True
        assert target.record(made["id"])["visibility"] == "public"
        changed = service.update(None, made["id"], {"is_public": False})
    assert changed["is_public"] is False
    assert target.record(made["id"])["visibility"] == "shared"
    assert target.leftovers(name) != []


@only(_is_open_v1)
@pytest.mark.parametrize("attribute", [*META, "is_public", "name", "owner"])
def test_v1_attribute_with_dashes_is_stored(target: Target, name: str, attribute: str) -> None:
    values = {**META, "is_public": True, "name": name, "owner": target.projects["other"]}
    meta = {attribute: values[attribute]}
    with target.counting() as exchanges:
        made = target.service("admin", extended=True).create(None, {"name": name, **meta})
    shown: dict[str, Any] = dict(made)
    [sent] = [one.headers for one in exchanges if one.method == "POST"]
    assert f"x-image-meta-{attribute.replace('_', '-')}" in sent
    assert not [key for key in sent if "_" in key]
    assert shown[attribute] == values[attribute]
    column = {"is_public": "visibility"}.get(attribute, attribute)
    stored = {"is_public": "public"}.get(attribute, values[attribute])
    assert target.record(made["id"])[column] == stored


LOST: dict[str, Any] = {"min_ram": 5, "min_disk": 3, "protected": True, "name": "lost"}


@behind_a_proxy
@pytest.mark.parametrize("data", [None, DATA])
@pytest.mark.parametrize("lost", [*LOST, "os_type"])
def test_created_image_that_lost_a_value_is_removed(
    target: Target, name: str, lost: str, data: bytes | None
) -> None:
    values = {**LOST, "name": name}
    meta: dict[str, Any] = {"disk_format": "raw", "container_format": "bare", "name": name}
    meta |= {"properties": {"os_type": "linux"}} if lost == "os_type" else {lost: values[lost]}
    before = set(target.made)
    with (
        _behind(target, _without(lost)) as service,
        pytest.raises(
            exceptions.IntegrityError, match=f"differ from those that were sent .* {lost}|'{lost}'"
        ),
    ):
        service.create(None, meta, data=data)
    assert set(target.made) == before
    assert target.leftovers(name) == []


@behind_a_proxy
@pytest.mark.parametrize("lost", [*LOST, "os_type"])
def test_update_losing_a_value_raises_an_error(target: Target, name: str, lost: str) -> None:
    image_id = target.make(name=name)
    meta: dict[str, Any] = {"min_ram": 7, "properties": {"a": "1"}}
    if lost == "min_ram":
        meta = {"min_disk": 7, "properties": {"a": "1"}}
    if lost == "os_type":
        meta["properties"] = {"a": "1", "os_type": "linux"}
    else:
        meta[lost] = LOST[lost]
    with (
        _behind(target, _without(lost)) as service,
        pytest.raises(
            exceptions.IntegrityError, match=f"differ from those that were sent .*{lost}"
        ) as caught,
    ):
        service.update(None, image_id, meta, purge_props=False)
    assert caught.value.image_id == image_id
    record = target.record(image_id)
    assert (record["a"], record["name"]) == ("1", name)
    assert 7 in (record["min_ram"], record["min_disk"])


@behind_a_proxy
def test_error_names_every_lost_value(target: Target, name: str) -> None:
    def drop_all(request: Passing) -> Passing:
        for lost in ("min_ram", "min_disk", "os_type"):
            request = _without(lost)(request)
        return request

    meta = {"name": name, "min_ram": 1, "min_disk": 2, "properties": {"os_type": "linux"}}
    with (
        _behind(target, drop_all) as service,
        pytest.raises(exceptions.IntegrityError, match="min_ram, min_disk, property 'os_type';"),
    ):
        service.create(None, meta)
    assert target.leftovers(name) == []


# ---------------------------------------------------------------------------------------------
# Before Juno, and other writers.


class BeforeJuno:
    """Make a current server refuse to ``add`` an existing property (409), as before Juno.

    The old form of JSON patch has kept that meaning (verified on Glance 15.0.2 and 33).

    :param meanwhile: a function that is called before the first PATCH is forwarded.
    """

    def __init__(self, meanwhile: Callable[[], object] = bool) -> None:
        self.methods: list[str] = []
        self._meanwhile = meanwhile

    def __call__(self, request: Passing) -> Passing:
        if "/images" in request.path:
            self.methods.append(request.method)
        if request.method != "PATCH":
            return request
        if self.methods.count("PATCH") == 1:
            self._meanwhile()
        operations = [
            {one["op"]: one["path"], **{key: one[key] for key in ("value",) if key in one}}
            for one in json.loads(request.body)
        ]
        headers = tuple(
            (name, value.replace("v2.1-json-patch", "v2.0-json-patch"))
            for name, value in request.headers
        )
        return dataclasses.replace(request, headers=headers, body=json.dumps(operations).encode())


OLD = {"a": "1", "b": "2"}


@only(_is_open_v2)
@pytest.mark.parametrize(
    ("properties", "purge", "methods"),
    [
        ({"c": "3"}, False, ["PATCH"]),
        ({"a": "x"}, False, ["PATCH", "GET", "PATCH"]),
        ({"a": "x", "c": "3"}, False, ["PATCH", "GET", "PATCH"]),
        ({"a": "x", "c": "3"}, True, ["GET", "PATCH"]),
        ({"a": "1"}, False, ["PATCH", "GET"]),
    ],
)
def test_existing_property_is_replaced_before_juno(
    target: Target, name: str, properties: dict[str, str], purge: bool, methods: list[str]
) -> None:
    image_id = target.make(name=name, properties=OLD)
    juno = BeforeJuno()
    with _behind(target, juno) as service:
        changed = service.update(None, image_id, {"properties": properties}, purge_props=purge)
    assert changed["properties"] == {**({} if purge else OLD), **properties}
    record = target.record(image_id)
    assert {key: record.get(key) for key in properties} == properties
    assert juno.methods == methods


@only(_is_open_v2)
def test_update_with_data_replaces_properties_before_juno(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties=OLD)
    juno = BeforeJuno()
    with _behind(target, juno) as service:
        changed = service.update(None, image_id, {"properties": {"a": "x"}}, data=DATA)
    assert (changed["status"], changed["properties"]) == ("active", {"a": "x", "b": "2"})
    assert juno.methods == ["GET", "PATCH", "PUT", "GET"]


@only(_is_open_v2)
@pytest.mark.parametrize("data", [None, DATA])
def test_concurrently_changed_property_is_written(
    target: Target, name: str, data: bytes | None
) -> None:
    image_id = target.make(name=name, properties=OLD)

    def meanwhile() -> None:
        added = {"op": "add", "path": "/c", "value": "theirs"}
        target.patch(image_id, {"op": "remove", "path": "/a"}, added)

    meta = {"properties": {"a": "x", "b": "y", "c": "z"}}
    with _behind(target, BeforeJuno(meanwhile)) as service:
        changed = service.update(None, image_id, meta, data=data)
    assert changed["properties"] == meta["properties"]


@only(_is_open_v2)
def test_persistent_conflict_raises_update_conflict(target: Target, name: str) -> None:
    image_id = target.make(name=name)

    def misdirect(request: Passing) -> Passing:
        if request.method != "PATCH":
            return request
        body = json.dumps([{"op": "remove", "path": "/absent"}]).encode()
        return dataclasses.replace(request, body=body)

    with (
        _behind(target, misdirect) as service,
        pytest.raises(exceptions.UpdateConflict) as caught,
    ):
        service.update(None, image_id, {"properties": {"a": "1"}}, purge_props=False)
    assert caught.value.status == 409


class _LosesResponses(ReverseProxy):
    """Responds to writes with 504, after the server has done them."""

    def forward(self, received: Passing) -> tuple[int, list[tuple[str, str]], bytes]:
        response = super().forward(received)
        return (504, [], b"") if received.method in ("POST", "PUT") else response


VALUES = pytest.mark.parametrize(
    ("lost", "meta"),
    [("min_ram", {"min_ram": 5}), ("os_type", {"properties": {"os_type": "linux"}})],
    ids=["attribute", "property"],
)


def _check_lost_twice(
    target: Target, name: str, lost: str, meta: dict[str, Any], data: bytes | None
) -> None:
    """Lose a value on the way to the server, and the response to it."""
    with (
        _LosesResponses(target.url, _without(lost)) as proxy,
        retry.without_pauses(),
    ):
        service = ImageService(
            target.session(), endpoint_override=proxy.url, options=Options(prefer=target.prefer)
        )
        with pytest.raises(exceptions.IntegrityError, match=lost):
            service.create(None, {"name": name, **FORMATS, **meta}, data=data)
    assert target.leftovers(name) == []


@behind_a_proxy
@VALUES
def test_lost_value_is_named_after_a_lost_response(
    target: Target, name: str, lost: str, meta: dict[str, Any]
) -> None:
    _check_lost_twice(target, name, lost, meta, None)


# Over v2 the request with the data sends no values.
@only(_is_open_v1)
@VALUES
def test_lost_value_is_named_after_a_lost_response_to_data(
    target: Target, name: str, lost: str, meta: dict[str, Any]
) -> None:
    _check_lost_twice(target, name, lost, meta, DATA)
