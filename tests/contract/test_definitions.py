# SPDX-License-Identifier: Apache-2.0
"""Properties are checked against metadata definitions on create and update, over v1 and v2.

All servers have Glance's namespace OS::Compute::Watchdog. Other definitions are in files.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glance_compat import Definition, Definitions, ImageService, exceptions
from glance_compat.definitions.sources import DEFINITIONS_CACHE
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Exchange, Target, everywhere, on_each_api, on_v2, only
from tests.unit.definitions.namespaces import namespace, schema

NAME, CHOICES = "hw_watchdog_action", ("disabled", "reset", "poweroff", "pause", "none")

#: The servers whose endpoint offers v2, over which the definitions are read.
on_endpoints_with_v2 = only(lambda kind: kind.name != "pike-v1" and not kind.sockets)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write definitions of the properties that the tests use, and return the path."""
    document = namespace(
        {
            "bus": schema(enum=["ide", "scsi"]),
            "cores": schema(type="integer", minimum=1, maximum=8),
            "ready": schema(type="boolean"),
            "CIM_Set": schema(enum=["a"]),
        },
        prefix="t_",
    )
    path = tmp_path / "definitions.json"
    path.write_text(json.dumps(document))
    return str(path)


def refusing(target: Target, file: str | None = None, **options: Any) -> ImageService:
    return target.service(property_definitions="refuse", definitions_file=file, **options)


def changing(exchanges: list[Exchange]) -> list[Exchange]:
    return [one for one in exchanges if one.method not in ("GET", "HEAD")]


@on_endpoints_with_v2
def test_property_definitions_returns_those_of_the_cloud(target: Target) -> None:
    found = target.service().property_definitions(target.context())
    assert isinstance(found, Definitions)
    definition = found.find(NAME)
    assert isinstance(definition, Definition)
    assert (definition.namespace, definition.type) == ("OS::Compute::Watchdog", "string")
    assert definition.enum == CHOICES
    assert f"{NAME}: one of 'disabled', 'reset'" in str(found)
    assert target.service().bound(target.context()).property_definitions().find(NAME) == definition


@only(lambda kind: kind.name == "pike-v1")
def test_endpoint_without_v2_has_no_definitions(target: Target) -> None:
    service = target.service(property_definitions="refuse")
    calls: list[Callable[[], object]] = [
        lambda: service.property_definitions(None),
        lambda: service.create(None, {"name": "n", "properties": {NAME: "reset"}}),
    ]
    for call in calls:
        with pytest.raises(exceptions.UnsupportedByVersion) as caught:
            call()
        assert caught.value.needed.startswith("the capability property-definitions ")
        assert caught.value.offered == "Images API v1"


@on_endpoints_with_v2
def test_cloud_definitions_are_enforced(target: Target, name: str) -> None:
    service = refusing(target)
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyInvalid) as caught:
        service.create(None, {"name": name, "properties": {NAME: "explode"}})
    assert changing(exchanges) == []
    error = caught.value
    assert (error.name, error.value) == (NAME, "explode")
    assert error.namespace == "OS::Compute::Watchdog"
    assert error.allowed == "one of 'disabled', 'reset', 'poweroff', 'pause', 'none'"
    assert isinstance(error.definition, Definition)
    assert error.definition.enum == CHOICES
    for text in (NAME, "'explode'", "'OS::Compute::Watchdog'", error.allowed):
        assert text in str(error)
    created = service.create(None, {"name": name, "properties": {NAME: "reset", "other": "x"}})
    assert created["properties"] == {NAME: "reset", "other": "x"}


@everywhere
def test_invalid_value_changes_nothing(target: Target, name: str, file: str) -> None:
    image_id = target.make(name=name, properties={"t_bus": "ide"})
    service, before = refusing(target, file), target.record(image_id)
    calls: list[Callable[[], object]] = [
        lambda: service.create(None, {"properties": {"t_cores": "0"}}),
        lambda: service.create(None, {**FORMATS, "properties": {"t_ready": "maybe"}}, DATA),
        lambda: service.update(None, image_id, {"properties": {"t_bus": "usb"}}),
        lambda: service.update(
            None, image_id, {"name": "new", "properties": {"t_cores": 9}}, purge_props=False
        ),
        lambda: service.update(None, image_id, {"properties": {"t_bus": "usb"}}, DATA),
    ]
    for call in calls:
        with target.counting() as exchanges, pytest.raises(exceptions.PropertyInvalid):
            call()
        assert changing(exchanges) == []
    assert target.record(image_id) == before


@everywhere
def test_only_added_and_changed_properties_are_checked(
    target: Target, name: str, file: str
) -> None:
    image_id = target.make(name=name, properties={"t_bus": "usb", "t_cores": "99"})
    service = refusing(target, file)
    whole = service.show(None, image_id)
    assert service.update(None, image_id, {**whole, "min_ram": 1})["min_ram"] == 1
    kept = service.update(
        None, image_id, {"properties": {"t_bus": "usb", "a": "b"}}, purge_props=False
    )
    assert kept["properties"] == {"t_bus": "usb", "t_cores": "99", "a": "b"}
    with pytest.raises(exceptions.PropertyInvalid, match="'t_cores'") as caught:
        service.update(None, image_id, {"properties": {"t_bus": "usb", "t_cores": "98"}})
    assert caught.value.image_id == image_id
    changed = service.update(None, image_id, {"properties": {"t_bus": "scsi"}})
    assert changed["properties"] == {"t_bus": "scsi"}


@everywhere
def test_warning_names_the_property_and_the_value_is_stored(
    target: Target, name: str, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = target.service(property_definitions="warn", definitions_file=file)
    created = service.create(None, {"name": name, "properties": {"t_bus": "usb", "x": "y"}})
    assert created["properties"] == {"t_bus": "usb", "x": "y"}
    service.update(None, created["id"], {"properties": {"t_bus": "usb", "t_cores": "9"}})
    messages = [one.getMessage() for one in caplog.records if "definition" in one.name]
    assert [one.partition(" (metadata")[0] for one in messages] == [
        "A metadata definition is not met: property 't_bus' must be one of 'ide', 'scsi', not"
        " 'usb'",
        f"A metadata definition is not met: property 't_cores' of image '{created['id']}' must be"
        " an integer from 1 to 8, not '9'",
    ]


@on_each_api
def test_definitions_apply_to_names_as_stored(target: Target, name: str, file: str) -> None:
    service = refusing(target, file)
    for wrong in ({"T-Bus": "usb"}, {"t_cim_set": "b"}):
        with pytest.raises(exceptions.PropertyInvalid):
            service.create(None, {"name": name, "properties": wrong})
    created = service.create(None, {"name": name, "properties": {"t_CIM_Set": "a"}})
    assert list(created["properties"].values()) == ["a"]


@on_each_api
def test_imported_images_are_checked(target: Target, file: str) -> None:
    meta = {**FORMATS, "properties": {"t_bus": "usb"}}
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyInvalid):
        refusing(target, file).import_image(None, meta, uri="http://web.invalid/data")
    assert changing(exchanges) == []


@on_each_api
def test_nothing_is_checked_when_off(target: Target, name: str, file: str) -> None:
    service = target.service(definitions_file=file)
    created = service.create(None, {"name": name, "properties": {"t_bus": "usb"}})
    assert created["properties"] == {"t_bus": "usb"}
    assert service.property_definitions(None).find("t_bus") is not None


@on_v2
def test_namespaces_are_those_that_the_caller_may_see(target: Target, name: str) -> None:
    private = f"Private::{name}"
    body = namespace({f"{name}_p": schema()}, private) | {"visibility": "private"}
    path = "/v2/metadefs/namespaces"
    assert target.send("POST", path, user="admin", json=body).status_code == 201
    DEFINITIONS_CACHE.clear()
    try:
        found = {
            user: target.service(user).property_definitions(None).find(f"{name}_p")
            for user in ("demo", "admin")
        }
    finally:
        assert target.send("DELETE", f"{path}/{private}", user="admin").status_code == 204
        DEFINITIONS_CACHE.clear()
    assert found["demo"] is None
    assert found["admin"] is not None
    assert found["admin"].namespace == private


@on_each_api
def test_unavailable_definitions(
    target: Target, name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = str(tmp_path / "none.json")
    meta = {"name": name, "properties": {"a": "b"}}
    with target.counting() as exchanges, pytest.raises(exceptions.InvalidOption) as caught:
        refusing(target, missing).create(None, meta)
    assert exchanges == []
    assert "none.json" in str(caught.value)
    assert "set property_definitions to warn" in str(caught.value)
    # An image without properties needs no definitions.
    assert refusing(target, missing).create(None, {"name": name})["name"] == name
    with caplog.at_level(logging.WARNING):
        service = target.service(property_definitions="warn", definitions_file=missing)
        assert service.create(None, meta)["properties"] == {"a": "b"}
    assert [one.getMessage()[:40] for one in caplog.records] == [
        "Properties of images are not checked: op"
    ]
