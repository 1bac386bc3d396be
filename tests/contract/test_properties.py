# SPDX-License-Identifier: Apache-2.0
"""Properties: preserved values, the limits of v1, and reserved names."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
import tenacity

from glance_compat import ImageService, Options, exceptions
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Target, on_pike, on_real, on_v1, on_v2, only

TEXTS = {
    "space": "my image",
    "percent": "100%25 a%2Bb %41",
    "plus": "a+b",
    "quotes": "\"double\" 'single' \\back",
    "commas": "a, b; c=d",
    "accents": "café Übung",
    "cjk": "日本語",
    "json": '[{"a": 1}]',
    "colon": "key: value",
    "url": "http://host/path?a=b&c=d#e",
    "none": "None",
    "long": "x" * 15000,
    "a~b.c^d|e": "odd name",
}
NAME = 'my image ü+%41, "x"'


def raw_readings(target: Target, image_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return name and properties as each API returns them."""
    record = target.record(image_id)
    found = [(record["name"], record)]
    if target.has_v1:
        path = "/v1/images/detail?is_public=none&limit=1000"
        listed = target.send("GET", path, user="admin").json()["images"]
        one = next(image for image in listed if image["id"] == image_id)
        found.append((one["name"], one["properties"]))
    return found


def test_property_values_survive_create(target: Target) -> None:
    service = target.service()
    created = service.create(None, {"name": NAME, **FORMATS, "properties": TEXTS}, data=DATA)
    assert (created["name"], created["properties"]) == (NAME, TEXTS)
    assert service.show(None, created["id"]) == created
    for name, properties in raw_readings(target, created["id"]):
        assert (name, {key: properties.get(key) for key in TEXTS}) == (NAME, TEXTS)


def test_property_values_survive_update(target: Target, name: str) -> None:
    service = target.service()
    image_id = target.make(name=name)
    changed = service.update(None, image_id, {"name": NAME, "properties": TEXTS})
    assert (changed["name"], changed["properties"]) == (NAME, TEXTS)
    assert service.show(None, image_id) == changed
    for shown, properties in raw_readings(target, image_id):
        assert (shown, {key: properties.get(key) for key in TEXTS}) == (NAME, TEXTS)


@on_pike
def test_properties_are_readable_over_the_other_api(target: Target) -> None:
    created = target.service().create(None, {"name": NAME, "properties": TEXTS})
    both = ImageService(
        target.session(),
        endpoint_override=target.wide_url,
        options=Options(prefer="2" if target.is_v1 else "1"),
    )
    assert both.discover().api == ("v2" if target.is_v1 else "v1")
    assert both.show(None, created["id"]) == created


# ---------------------------------------------------------------------------------------------
# Limits of v1.

UNPORTABLE: tuple[dict[str, str], ...] = (
    {"p": "a\nb"},
    {"p": "a\rb"},
    {"p": "a\r\nX-Image-Meta-Name: evil"},
    {"p": "a\0b"},
    {"p": " a"},
    {"p": "a "},
    {"p": "\ta"},
    {"p": "x" * 17000},
    {"a b": "x"},
    {"os:type": "x"},
    {"a/b": "x"},
    {"a(b)": "x"},
    {"": "x"},
    {"Foo": "x", "foo": "y"},
    {"a-b": "x", "a_b": "y"},
)


def _label(properties: Mapping[str, str]) -> str:
    return str(properties)[:40]


@pytest.mark.parametrize("properties", UNPORTABLE, ids=_label)
def test_property_unsupported_on_v1_is_refused(
    target: Target, name: str, properties: dict[str, str]
) -> None:
    service = target.service()
    meta = {"name": name, "properties": {"fine": "x", **properties}}
    if not target.is_v1:
        created = service.create(None, meta)
        assert created["properties"] == meta["properties"]
        assert service.show(None, created["id"]) == created
        return
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyNotAllowed) as caught:
        service.create(None, meta)
    assert exchanges == []
    assert any(repr(key) in str(caught.value) for key in properties)
    assert "v1" in str(caught.value)


@pytest.mark.parametrize("properties", UNPORTABLE, ids=_label)
def test_property_unsupported_on_v1_is_refused_in_update(
    target: Target, name: str, properties: dict[str, str]
) -> None:
    image_id = target.make(name=name, properties={"fine": "x"})
    service = target.service()
    if not target.is_v1:
        changed = service.update(None, image_id, {"properties": properties}, purge_props=False)
        assert changed["properties"] == {"fine": "x", **properties}
        return
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyNotAllowed):
        service.update(None, image_id, {"properties": properties}, purge_props=False)
    assert exchanges == []


@on_v2
@pytest.mark.parametrize("properties", UNPORTABLE, ids=_label)
def test_portable_option_refuses_unportable_property_on_v2(
    target: Target, name: str, properties: dict[str, str]
) -> None:
    service = target.service(portable=True)
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyNotAllowed):
        service.create(None, {"name": name, "properties": properties})
    assert exchanges == []


@pytest.mark.parametrize("bad", ["a\nb", " a", "a "])
def test_property_name_unsupported_on_v1_is_refused(target: Target, bad: str) -> None:
    if not target.is_v1:
        assert target.service().create(None, {"name": bad})["name"] == bad
        with pytest.raises(exceptions.Invalid):
            target.service(portable=True).create(None, {"name": bad})
        return
    with target.counting() as exchanges, pytest.raises(exceptions.Invalid):
        target.service().create(None, {"name": bad})
    assert exchanges == []


def test_property_name_with_non_ascii_letters_needs_glance_33(target: Target, name: str) -> None:
    meta = {"name": name, "properties": {"größe": "x"}}
    if target.kind.release == "33":
        assert target.service().create(None, meta)["properties"] == {"größe": "x"}
        return
    # v1 headers cannot contain the name, and v2 of Pike responds with an error.
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        target.service().create(None, meta)
    assert isinstance(caught.value, exceptions.PropertyNotAllowed) is target.is_v1
    assert target.leftovers(name) == []


def test_property_name_of_256_characters_is_refused(target: Target, name: str) -> None:
    longest, longer = "k" * 255, "k" * 256
    service = target.service()
    created = service.create(None, {"name": name, "properties": {longest: "x"}})
    assert created["properties"] == {longest: "x"}
    meta = {"name": f"{name} again", "properties": {longer: "x"}}
    if target.kind.release == "pike":
        # Pike leaves the check to its database, and SQLite accepts the name.
        assert service.create(None, meta)["properties"] == {longer: "x"}
        return
    with pytest.raises(exceptions.ImageBadRequest) as caught:
        service.create(None, meta)
    assert caught.value.status == 400
    assert target.leftovers(f"{name} again") == []
    # Glance 33 checks only new images.
    changed = service.update(None, created["id"], {"properties": {longer: "x"}})
    assert changed["properties"] == {longer: "x"}


@on_pike
@pytest.mark.parametrize(
    "meta",
    [{"name": "\U0001f600"}, {"properties": {"p": "a\U0001f600b"}}],
    ids=["name", "property"],
)
def test_characters_beyond_the_basic_plane_are_stored(
    target: Target, name: str, meta: dict[str, Any]
) -> None:
    chosen = str(uuid.uuid4())
    with pytest.raises(exceptions.ImageBadRequest) as caught:
        target.service().create(None, {"name": name, "id": chosen, **meta})
    assert caught.value.status == 400
    with pytest.raises(exceptions.ImageNotFound):
        target.service().show(None, chosen)
    image_id = target.make(name=name)
    before = target.record(image_id)
    with pytest.raises(exceptions.ImageBadRequest):
        target.service().update(None, image_id, meta, purge_props=False)
    assert target.record(image_id) == before


#: Query parameters and similar names that are ordinary property names.
PLAIN = ("owner_id", "base_image_ref", "tag", "limit", "marker", "kernel_id", "ramdisk_id")


def test_names_similar_to_reserved_names_are_stored(target: Target, name: str) -> None:
    service = target.service()
    plain = {key: f"value of {key}" for key in PLAIN}
    created = service.create(None, {"name": name, "properties": plain})
    assert created["properties"] == plain
    for key, value in plain.items():
        filters = {"name": name, f"property-{key}": value}
        assert service.detail(None, filters=filters) == [created]
        assert service.detail(None, filters={**filters, f"property-{key}": "other"}) == []
    changed = service.update(None, created["id"], {"properties": {"limit": "5"}})
    assert changed["properties"] == {"limit": "5"}


# ---------------------------------------------------------------------------------------------
# Folding.


def test_v1_folds_property_names(
    target: Target, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    # A unique name, because the warning is logged once per name and process.
    key = f"Foo-{name[-12:].upper()}"
    stored = key.lower().replace("-", "_") if target.is_v1 else key
    service = target.service()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            created = service.create(None, {"name": name, "properties": {key: "x"}})
            assert created["properties"] == {stored: "x"}
            assert service.show(None, created["id"]) == created
    told = [record for record in caplog.records if key in record.getMessage()]
    assert len(told) == (1 if target.is_v1 else 0)
    assert {record.name.partition(".")[0] for record in told} <= {"glance_compat"}


@on_v1
@pytest.mark.parametrize("key", ["Foo", "foo-bar"])
def test_folding_can_be_refused(target: Target, name: str, key: str) -> None:
    service = target.service(v1_folding="refuse")
    meta = {"name": name, "properties": {key: "x"}}
    with target.counting() as exchanges, pytest.raises(exceptions.PropertyNotAllowed) as caught:
        service.create(None, meta)
    assert exchanges == []
    assert repr(key) in str(caught.value)
    image_id = target.make(name=name)
    with pytest.raises(exceptions.PropertyNotAllowed):
        service.update(None, image_id, meta, purge_props=False)
    assert key not in target.record(image_id)


def test_purge_removes_upper_case_names(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"Foo-Bar": "x", "os:type": "y", "a b": "z"})
    changed = target.service().update(None, image_id, {"properties": {"kept": "k"}})
    assert changed["properties"] == {"kept": "k"}
    record = target.record(image_id)
    assert {key for key in ("Foo-Bar", "os:type", "a b", "foo_bar") if key in record} == set()


def test_v1_refuses_purge_that_keeps_folded_names(target: Target, name: str) -> None:
    both = {"foo_bar": "1", "FOO_BAR": "2"}
    image_id = target.make(name=name, properties={**both, "a": "1"})
    service = target.service()
    if not target.is_v1:
        changed = service.update(None, image_id, {"properties": both}, purge_props=True)
        assert changed["properties"] == both
        return
    with pytest.raises(exceptions.PropertyNotAllowed):
        service.update(None, image_id, {"properties": both}, purge_props=True)
    record = target.record(image_id)
    assert {key: record.get(key) for key in (*both, "a")} == {**both, "a": "1"}


KEPT: tuple[dict[str, str], ...] = (
    {"lines": "one\ntwo"},
    {"alone": "\n"},
    {"nul": "a\0b"},
    {"lead": "  x"},
    {"trail": "x  "},
    {"long": "x" * 17000},
    {"a b": "x"},
    {"os:type": "x"},
)


@pytest.mark.parametrize("kept", KEPT, ids=_label)
def test_v1_refuses_purge_that_keeps_unsupported_names(
    target: Target, name: str, kept: dict[str, str]
) -> None:
    image_id = target.make(name=name, properties={**kept, "a": "1"})
    service = target.service()
    if not target.is_v1:
        changed = service.update(None, image_id, {"properties": kept}, purge_props=True)
        assert changed["properties"] == kept
        return
    before = target.record(image_id)
    with pytest.raises(exceptions.PropertyNotAllowed) as caught:
        service.update(None, image_id, {"properties": kept}, purge_props=True)
    assert repr(next(iter(kept))) in str(caught.value)
    assert target.record(image_id) == before


@pytest.mark.parametrize("kept", KEPT, ids=_label)
def test_unsupported_property_survives_unrelated_update(
    target: Target, name: str, kept: dict[str, str]
) -> None:
    image_id = target.make(name=name, properties=kept)
    service = target.service()
    service.update(None, image_id, {"properties": {"b": "2"}}, purge_props=False)
    record = target.record(image_id)
    assert {key: record.get(key) for key in (*kept, "b")} == {**kept, "b": "2"}


# ---------------------------------------------------------------------------------------------
# Reserved names.


def make_over_v1(target: Target, name: str, properties: Mapping[str, str]) -> str:
    headers = {"x-image-meta-name": name}
    headers |= {f"x-image-meta-property-{key}": value for key, value in properties.items()}
    answer = target.send("POST", "/v1/images", headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["image"]["id"])


def properties_over_v1(target: Target, image_id: str) -> dict[str, Any]:
    answer = target.send("GET", "/v1/images/detail?limit=1000")
    listed = answer.json()["images"]
    found: dict[str, Any] = next(one for one in listed if one["id"] == image_id)["properties"]
    return found


SHADOW = {"owner": "shadow", "status": "shadow", "tags": "shadow", "self": "shadow"}


@on_pike
@pytest.mark.parametrize("purge", [False, True])
def test_update_preserves_shadowed_properties(target: Target, name: str, purge: bool) -> None:
    image_id = make_over_v1(target, name, {**SHADOW, "a": "1"})
    service = target.service(extended=True)
    shown = service.show(None, image_id)
    assert shown["properties"] == {"a": "1"}
    assert (shown["owner"], shown["status"]) == (target.projects["demo"], "queued")
    assert extended(shown)["shadowed_properties"] == (SHADOW if target.is_v1 else None)
    changed = service.update(None, image_id, {"properties": {"b": "2"}}, purge_props=purge)
    left = {"b": "2"} if purge else {"a": "1", "b": "2"}
    assert changed["properties"] == left
    assert properties_over_v1(target, image_id) == {**SHADOW, **left}


@on_pike
def test_whole_dict_preserves_shadowed_properties(target: Target, name: str) -> None:
    image_id = make_over_v1(target, name, {**SHADOW, "a": "1"})
    service = target.service(extended=True)
    whole = service.show(None, image_id)
    whole["properties"]["b"] = "2"
    assert service.update(None, image_id, whole)["properties"] == {"a": "1", "b": "2"}
    assert properties_over_v1(target, image_id) == {**SHADOW, "a": "1", "b": "2"}


#: Reserved names that are not v2 attributes: old images may have such properties.
RESERVED = {"is_public": "x", "location": "x", "store": "x", "copy_from": "x"}


@on_pike
def test_existing_reserved_names_can_stay(target: Target, name: str) -> None:
    image_id = make_over_v1(target, name, {**RESERVED, "a": "1"})
    service = target.service()
    whole = service.show(None, image_id)
    assert whole["properties"] == {**RESERVED, "a": "1"}
    whole["properties"]["a"] = "2"
    assert service.update(None, image_id, whole)["properties"] == {**RESERVED, "a": "2"}
    changed = service.update(None, image_id, {"properties": {"b": "3"}}, purge_props=True)
    assert changed["properties"] == {**RESERVED, "b": "3"}
    assert properties_over_v1(target, image_id) == {**RESERVED, "b": "3"}


@on_pike
@pytest.mark.parametrize("key", sorted(RESERVED))
def test_existing_reserved_names_cannot_be_changed(target: Target, name: str, key: str) -> None:
    image_id = make_over_v1(target, name, RESERVED)
    with pytest.raises(exceptions.PropertyNotAllowed):
        target.service().update(None, image_id, {"properties": {key: "y"}}, purge_props=False)
    assert properties_over_v1(target, image_id) == RESERVED


@on_pike
def test_planted_attributes_are_ignored(target: Target, name: str) -> None:
    planted = {"direct_url": "file:///etc/shadow", "locations": "bogus", "os_hidden": "true"}
    image_id = make_over_v1(target, name, planted)
    shown = target.service(extended=True).show(None, image_id, include_locations=True)
    assert (shown["locations"], extended(shown)["os_hidden"]) == ([], None)
    assert "direct_url" not in shown["properties"]


@on_real
@pytest.mark.parametrize("count", [95, 128])
def test_many_properties_are_stored(target: Target, name: str, count: int) -> None:
    properties = {f"property_{number}": str(number) for number in range(count)}
    service = target.service()
    created = service.create(None, {"name": name, "properties": properties})
    assert created["properties"] == properties
    assert service.show(None, created["id"]) == created
    changed = service.update(None, created["id"], {"min_ram": 3}, purge_props=False)
    assert (changed["min_ram"], changed["properties"]) == (3, properties)
    kept = {key: value for key, value in properties.items() if key.endswith("7")}
    purged = service.update(None, created["id"], {"properties": kept}, purge_props=True)
    assert purged["properties"] == kept


#: Properties that Glance itself writes after an import.
GLANCES_OWN = {"os_glance_importing_to_stores": "", "os_glance_failed_import": ""}


@only(lambda kind: kind.name == "glance-33")
def test_purge_keeps_properties_of_glance(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA, properties={"a": "1"})
    body = {"method": {"name": "copy-image"}, "stores": ["slow"]}
    answer = target.send("POST", f"/v2/images/{image_id}/import", user="admin", json=body)
    assert answer.status_code == 202, answer.text
    waiting = tenacity.Retrying(
        # Until the copy has ended, the image has a property that names Glance's task.
        retry=tenacity.retry_if_result(
            lambda record: "," not in record["stores"] or "os_glance_import_task" in record
        ),
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.1),
    )
    record = waiting(target.record, image_id)
    assert record.keys() >= GLANCES_OWN.keys()
    changed = target.service().update(None, image_id, {"properties": {"b": "2"}})
    assert changed["properties"] == {"b": "2", **GLANCES_OWN}
    whole = target.service().show(None, image_id)
    assert target.service().update(None, image_id, {**whole, "min_ram": 1})["min_ram"] == 1
