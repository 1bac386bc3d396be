# SPDX-License-Identifier: Apache-2.0
"""Glance's own metadata definitions: from its files, and from the servers that loaded them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from glance_compat import Definition, Definitions, ImageService, Options, exceptions
from glance_compat.definitions.checks import find_problems
from glance_compat.definitions.sources import DEFINITIONS_CACHE, read_definitions
from tests.contract.targets import Target, on_real, only
from tests.functional.cloud import Cloud, Layout
from tests.unit.definitions.namespaces import namespace, schema

pytestmark = pytest.mark.functional

#: For each release, its region with v2 and its environment.
RELEASES = {"pike": "glance-15.0.2", "glance-33": "glance-33"}
NAMESPACES = "/v2/metadefs/namespaces"

on_real_v2 = only(lambda kind: kind.name in ("pike-v2", "glance-33"))


def files_of(environment: str) -> str:
    """Return the folder with the definitions that a release of Glance ships."""
    return str(Layout.from_environment().environment(environment) / "etc/glance/metadefs")


def readable(definitions: Definitions) -> set[tuple[Any, ...]]:
    """Return what Glance returns as it is in its files: it converts bounds and enumerations."""
    return {
        (one.name, one.namespace, one.type, one.title, one.pattern, one.operators)
        for one in definitions
    }


@pytest.mark.parametrize("region", RELEASES)
def test_server_returns_the_definitions_of_its_files(
    cloud: Cloud, region: str, caplog: pytest.LogCaptureFixture
) -> None:
    shipped = read_definitions(files_of(RELEASES[region]))
    assert caplog.records == []
    DEFINITIONS_CACHE.clear()
    admin = ImageService(cloud.session("admin"), region_name=region)
    found = admin.property_definitions(None)
    # Other tests add namespaces at the same time.
    found = Definitions(
        one for one in found if one.namespace in {own.namespace for own in shipped}
    )
    assert len(found) > 90
    assert readable(found) == readable(shipped)
    for one in shipped:
        [same] = [other for other in found.find_all(one.name) if other.namespace == one.namespace]
        assert list(map(str, one.enum or ())) == list(same.enum or ())
        assert (same.minimum, same.maximum) == (one.minimum, one.maximum)
    # OS::OperatingSystem has no visibility in the files, so Glance shows it to admins only.
    member = ImageService(cloud.session("demo"), region_name=region).property_definitions(None)
    assert {one.namespace for one in found} - {one.namespace for one in member} == {
        "OS::OperatingSystem"
    }


def examples(definition: Definition) -> Iterator[str]:
    """Yield values that a definition allows."""
    choices = definition.item_enum if definition.type == "array" else definition.enum
    if choices:
        yield from map(str, choices)
        for operator in definition.operators:
            yield f"{operator} " + f" {operator if operator == '<or>' else ''} ".join(
                map(str, choices)
            )
    elif definition.type == "boolean":
        yield from ("true", "False")
    elif definition.type in ("integer", "number"):
        yield from (
            str(one) for one in (definition.minimum, definition.maximum) if one is not None
        )


@pytest.mark.parametrize("environment", RELEASES.values())
def test_shipped_definitions_allow_their_own_values(environment: str) -> None:
    shipped = read_definitions(files_of(environment))
    allowed = [(one.name, value) for one in shipped for value in examples(one)]
    assert len(allowed) > 300
    problems = [pair for pair in allowed if find_problems(shipped, dict([pair]))]
    assert problems == []
    restricted = {one.name for one in shipped if one.enum or one.type != "string"}
    refused = {name for name in restricted if find_problems(shipped, {name: "no such value!"})}
    assert refused == {name for name in restricted if not _is_free(shipped, name)}


def _is_free(shipped: Definitions, name: str) -> bool:
    """Return whether one of the definitions allows any string."""
    return any(
        (one.type == "string" and not one.enum) or (one.type == "array" and not one.item_enum)
        for one in shipped.find_all(name)
    )


@on_real
def test_shipped_files_are_enforced(target: Target, name: str) -> None:
    service = target.service(property_definitions="refuse", definitions_file=files_of("glance-33"))
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyInvalid) as caught:
        service.create(None, {"name": name, "properties": {"hw_disk_bus": "usb2"}})
    assert exchanges == []
    assert caught.value.namespace == "OS::Compute::LibvirtImage"
    # Two namespaces define hw_vif_model: one for libvirt, one for VMware.
    good = {"hw_disk_bus": "virtio", "hw_vif_model": "VirtualE1000", "hw_cpu_sockets": "2"}
    created = service.create(None, {"name": name, "properties": good})
    assert created["properties"] == good
    image_id = created["id"]
    for wrong in ({"hw_cpu_sockets": "two"}, {"hw_vif_model": "rtl"}, {"os_shutdown_timeout": -1}):
        with pytest.raises(exceptions.PropertyInvalid):
            service.update(None, image_id, {"properties": wrong}, purge_props=False)
    assert service.show(None, image_id)["properties"] == good


@on_real_v2
def test_namespace_of_the_operator_is_enforced(target: Target, name: str) -> None:
    """Every keyword survives the way through Glance."""
    properties = {
        "count": schema(type="integer", minimum=1, maximum=3),
        "share": schema(type="number", maximum=1),
        "ready": schema(type="boolean"),
        "code": schema(pattern="^[a-z]{2}$", minLength=2, maxLength=2),
        "level": schema(type="integer", enum=["1", "2"]),
        "sizes": schema(
            type="array", items={"type": "string", "enum": ["s", "m"]}, operators=["<or>"]
        ),
        "pair": schema(type="array", minItems=2, maxItems=2, uniqueItems=True),
    }
    objects = [{"name": "o", "properties": {"colour": schema(enum=["red"])}}]
    body = namespace(properties, f"Test::{name}", prefix=f"{name}_", objects=objects)
    answer = target.send("POST", NAMESPACES, user="admin", json=body)
    assert answer.status_code == 201, answer.text
    DEFINITIONS_CACHE.clear()
    try:
        service = target.service(property_definitions="refuse")
        good = {
            "count": "3",
            "share": "0.5",
            "ready": "true",
            "code": "ab",
            "level": "2",
            "sizes": "<or> s <or> m",
            "pair": "a,b",
            "colour": "red",
        }
        named = {f"{name}_{key}": value for key, value in good.items()}
        assert service.create(None, {"name": name, "properties": named})["properties"] == named
        wrong = {
            "count": ("0", "4", "x"),
            "share": ("1.5", "nan"),
            "ready": ("yes",),
            "code": ("abc", "A1", ""),
            "level": ("3",),
            "sizes": ("l", "<in> s,m"),
            "pair": ("a", "a,a", "a,b,c"),
            "colour": ("green",),
        }
        for key, values in wrong.items():
            for value in values:
                with pytest.raises(exceptions.PropertyInvalid) as caught:
                    service.create(None, {"properties": {f"{name}_{key}": value}})
                assert caught.value.namespace == f"Test::{name}"
    finally:
        path = f"{NAMESPACES}/Test::{name}"
        assert target.send("DELETE", path, user="admin").status_code == 204
        DEFINITIONS_CACHE.clear()


@on_real_v2
def test_who_may_publish_namespaces(target: Target, name: str) -> None:
    """docs/definitions.rst recommends files where every project may."""
    body = namespace({f"{name}_p": schema(enum=["a"])}, f"Test::{name}")
    answer = target.send("POST", NAMESPACES, json=body)
    if target.kind.release == "33":
        assert answer.status_code == 403
        return
    assert answer.status_code == 201
    DEFINITIONS_CACHE.clear()
    try:
        other = target.service("other").property_definitions(None)
        assert other.find(f"{name}_p") is not None
    finally:
        answer = target.send("DELETE", f"{NAMESPACES}/Test::{name}", user="admin")
        assert answer.status_code == 204
        DEFINITIONS_CACHE.clear()


@pytest.mark.parametrize("prefer", ["1", "2"])
def test_schema_of_the_operator_beside_definitions(cloud: Cloud, prefer: Any) -> None:
    """What the server's schema-image.json does not permit is the server's error, over v2 only."""
    service = ImageService(
        cloud.session("demo"),
        region_name="pike-schema",
        options=Options(
            prefer=prefer,
            property_definitions="refuse",
            definitions_file=files_of("glance-15.0.2"),
        ),
    )
    with pytest.raises(exceptions.PropertyInvalid, match="'hw_disk_bus'"):
        service.create(None, {"name": "n", "properties": {"hw_disk_bus": "x"}})
    # No definition is in force for this property; the schema requires a UUID.
    meta = {"name": "n", "properties": {"kernel_id": "no uuid"}}
    if prefer == "2":
        with pytest.raises(exceptions.ImageBadRequest, match="kernel_id"):
            service.create(None, meta)
        return
    created = service.create(None, meta)
    service.delete(None, created["id"])
