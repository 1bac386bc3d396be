# SPDX-License-Identifier: Apache-2.0
"""update(): properties, attributes, visibility, whole dicts, and data."""

from __future__ import annotations

import dataclasses
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import tenacity

from glance_compat import exceptions
from tests.contract import shape
from tests.contract.shape import DATA, MD5, MD5_OF_NOTHING, extended
from tests.contract.targets import Target, on_v1, on_v2, only

# ---------------------------------------------------------------------------------------------
# Properties.

OLD = {"a": "1", "b": "2"}


@dataclasses.dataclass(frozen=True)
class Edit:
    """An update of an image with the properties OLD."""

    meta: dict[str, Any]
    purge: bool
    properties: dict[str, Any]


EDITS = (
    Edit({}, False, OLD),
    Edit({"properties": {}}, False, OLD),
    Edit({"properties": None}, False, OLD),
    Edit({"properties": {"a": "x"}}, False, {"a": "x", "b": "2"}),
    Edit({"properties": {"c": "3"}}, False, {**OLD, "c": "3"}),
    Edit({"properties": {"a": None}}, False, OLD),
    Edit({"properties": {"a": None, "c": None}}, False, OLD),
    Edit({"properties": {"a": 7, "b": False}}, False, {"a": "7", "b": "False"}),
    Edit({"properties": {"mappings": [1]}}, False, {**OLD, "mappings": [1]}),
    Edit({}, True, {}),
    Edit({"min_ram": 1}, True, {}),
    Edit({"properties": {}}, True, {}),
    Edit({"properties": OLD}, True, OLD),
    Edit({"properties": {"a": "1"}}, True, {"a": "1"}),
    Edit({"properties": {"a": "x"}}, True, {"a": "x"}),
    Edit({"properties": {"c": "3"}}, True, {"c": "3"}),
    Edit({"properties": {"a": None, "b": "2"}}, True, {"b": "2"}),
    Edit({"properties": {"a": None, "b": None}}, True, {}),
)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.meta}-{edit.purge}")
def test_update_merges_or_purges_properties(target: Target, name: str, edit: Edit) -> None:
    image_id = target.make(name=name, properties=OLD)
    service = target.service()
    changed = service.update(None, image_id, edit.meta, purge_props=edit.purge)
    shape.check(changed)
    assert changed["properties"] == edit.properties
    assert service.show(None, image_id) == changed
    assert service.detail(None, filters={"name": name}) == [changed]


def test_purge_is_the_default(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties=OLD)
    changed = target.service().update(None, image_id, {"properties": {"a": "x"}})
    assert changed["properties"] == {"a": "x"}


def test_empty_value_is_stored(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties=OLD)
    service = target.service()
    changed = service.update(None, image_id, {"properties": {"a": "", "c": ""}}, purge_props=False)
    assert changed["properties"] == {"a": "", "b": "2", "c": ""}
    assert service.detail(None, filters={"name": name}) == [changed]
    assert {key: target.record(image_id).get(key) for key in "abc"} == {"a": "", "b": "2", "c": ""}


def test_empty_value_survives_purge_and_update(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"a": "", "b": "2", "c": ""})
    service = target.service()
    service.update(None, image_id, {"properties": {"b": "3"}}, purge_props=False)
    service.update(None, image_id, {"properties": {"a": "", "b": "3"}}, purge_props=True)
    record = target.record(image_id)
    assert (record.get("a"), record.get("b"), "c" in record) == ("", "3", False)


@pytest.mark.parametrize("purge", [False, True])
def test_tags_survive_purge(target: Target, name: str, purge: bool) -> None:
    image_id = target.make(name=name, tags=["t1", "t2"], properties=OLD)
    target.service().update(None, image_id, {"properties": {"c": "3"}}, purge_props=purge)
    assert sorted(target.record(image_id)["tags"]) == ["t1", "t2"]


# ---------------------------------------------------------------------------------------------
# Attributes.

BASE = (
    ({"name": "new"}, {"name": "new"}),
    ({"name": None}, {"name": None}),
    ({"name": ""}, {"name": None}),
    ({"min_disk": 3, "min_ram": 4}, {"min_disk": 3, "min_ram": 4}),
    ({"disk_format": "vmdk", "container_format": "ovf"}, {"disk_format": "vmdk"}),
    ({"protected": True}, {"protected": True}),
    # Attributes that no API can clear are omitted.
    ({"min_disk": None, "min_ram": None, "disk_format": None}, {"disk_format": "raw"}),
    ({"protected": None, "container_format": None}, {"container_format": "bare"}),
    # Read-only attributes are ignored.
    ({"size": 0}, {"size": 0, "status": "queued"}),
    ({"size": 7, "checksum": MD5}, {"size": 0, "checksum": None, "status": "queued"}),
    ({"status": "active", "deleted": True}, {"status": "queued", "deleted": False}),
    ({"created_at": "2001-01-01T00:00:00", "updated_at": None}, {"deleted_at": None}),
)


@pytest.mark.parametrize(("meta", "shown"), BASE, ids=str)
def test_update_changes_attributes(
    target: Target, name: str, meta: dict[str, Any], shown: dict[str, Any]
) -> None:
    image_id = target.make(name=name, properties=OLD)
    service = target.service(extended=True)
    before = service.show(None, image_id)
    changed = service.update(None, image_id, meta, purge_props=False)
    shape.check(changed, extended=True)
    written = {
        key: value for key, value in meta.items() if key in shown or key == "container_format"
    }
    expected = {**before, **{k: v for k, v in written.items() if v is not None}, **shown}
    assert {**changed, "updated_at": None} == {**expected, "updated_at": None}
    assert service.show(None, image_id) == changed


@pytest.mark.parametrize("user", ["demo", "admin"])
def test_size_and_checksum_of_active_image_are_read_only(
    target: Target, name: str, user: str
) -> None:
    # v1 would let an admin change them.
    image_id = target.make(name=name, data=DATA)
    meta = {"size": 77, "checksum": MD5_OF_NOTHING, "min_ram": 5}
    changed = target.service(user).update(None, image_id, meta)
    assert (changed["size"], changed["checksum"], changed["min_ram"]) == (len(DATA), MD5, 5)
    assert target.record(image_id)["size"] == len(DATA)


def test_admin_changes_the_owner(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    owner = target.projects["other"]
    changed = target.service("admin").update(None, image_id, {"owner": owner})
    assert changed["owner"] == owner
    assert target.record(image_id)["owner"] == owner


def test_admin_removes_the_owner(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    changed = target.service("admin").update(None, image_id, {"owner": None})
    assert changed["owner"] is None
    assert target.record(image_id)["owner"] is None
    # All users see an image without an owner; only an admin may change it.
    for user in ("demo", "stranger"):
        service = target.service(user)
        assert service.show(None, image_id) == changed
        with pytest.raises(exceptions.ImageNotAuthorized):
            service.update(None, image_id, {"min_ram": 1}, purge_props=False)
        with pytest.raises(exceptions.ImageNotAuthorized):
            service.delete(None, image_id)
    whole = target.service("admin").show(None, image_id)
    assert target.service("admin").update(None, image_id, {**whole, "min_ram": 1})["min_ram"] == 1


def test_member_cannot_change_the_owner(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    with pytest.raises(exceptions.Forbidden):
        target.service().update(None, image_id, {"owner": target.projects["other"]})
    assert target.record(image_id)["owner"] == target.projects["demo"]


REFUSED = (
    ({"colour": "red"}, exceptions.ImageBadRequest),
    ({"min_disk": -1}, exceptions.ImageBadRequest),
    ({"min_ram": "much"}, exceptions.ImageBadRequest),
    ({"name": 7}, exceptions.ImageBadRequest),
    ({"name": "x" * 256}, exceptions.ImageBadRequest),
    ({"disk_format": "punchcard"}, exceptions.ImageBadRequest),
    ({"visibility": "secret"}, exceptions.ImageBadRequest),
    ({"is_public": "maybe"}, exceptions.ImageBadRequest),
    ({"id": str(uuid.UUID(int=7))}, exceptions.ImageBadRequest),
    ({"is_public": True}, exceptions.Forbidden),
    ({"visibility": "public"}, exceptions.Forbidden),
    ({"properties": {"visibility": "public"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"owner": "x"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"location": "x"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"is_public": "True"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"os_glance_x": "x"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"extra_properties": "x"}}, exceptions.PropertyNotAllowed),
    ({"properties": {"\U0001f600": "x"}}, exceptions.PropertyNotAllowed),
    ({"owner": "x" * 256}, exceptions.ImageBadRequest),
    ({"properties": {f"p{n}": "x" for n in range(129)}}, exceptions.ImageQuotaExceeded),
    ("name", exceptions.Invalid),
)


@pytest.fixture(scope="module")
def unchanged(target: Target) -> str:
    """Provide an image that no update may change."""
    return target.make(name="unchanged", properties=OLD)


@pytest.mark.parametrize(("meta", "error"), REFUSED, ids=lambda value: str(value)[:60])
def test_refused_update_changes_nothing(
    target: Target, unchanged: str, meta: Any, error: type[Exception]
) -> None:
    image_id = unchanged
    before = target.record(image_id)
    with pytest.raises(error):
        target.service().update(None, image_id, meta, purge_props=False)
    assert target.record(image_id) == before


def test_refused_purge_removes_nothing(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties=OLD)
    before = target.record(image_id)
    with pytest.raises(exceptions.Forbidden):
        target.service().update(None, image_id, {"is_public": True}, purge_props=True)
    assert target.record(image_id) == before


# ---------------------------------------------------------------------------------------------
# Visibility.


@dataclasses.dataclass(frozen=True)
class Shown:
    """The visibility of an image after an update, as v2 shows it.

    :param after: the visibility after an update over v2.
    :param after_v1: the same over v1, which has only is_public; None: equal to ``after``.
    """

    before: str
    meta: dict[str, Any]
    after: str
    after_v1: str | None = None


VISIBILITIES = (
    Shown("private", {"is_public": False}, "private"),
    Shown("shared", {"is_public": False}, "shared"),
    Shown("community", {"is_public": False}, "community"),
    Shown("public", {"is_public": False}, "shared"),
    Shown("private", {"is_public": True}, "public"),
    Shown("shared", {"is_public": True}, "public"),
    Shown("community", {"is_public": True}, "public"),
    Shown("public", {"is_public": True}, "public"),
    Shown("public", {"is_public": None, "visibility": None}, "public"),
    Shown("private", {"is_public": None, "visibility": None}, "private"),
    Shown("private", {"visibility": "public"}, "public"),
    Shown("public", {"visibility": "public"}, "public"),
    Shown("public", {"visibility": "private"}, "private", "shared"),
    Shown("public", {"visibility": "shared"}, "shared"),
    Shown("private", {"visibility": "private"}, "private"),
    Shown("shared", {"visibility": "private"}, "private", "shared"),
    Shown("private", {"visibility": "shared"}, "shared", "private"),
    # Both are set and agree.
    Shown("private", {"visibility": "public", "is_public": True}, "public"),
    Shown("public", {"visibility": "shared", "is_public": False}, "shared"),
    # They disagree: the one that differs from the current value applies.
    Shown("shared", {"visibility": "shared", "is_public": True}, "public"),
    Shown("shared", {"visibility": "public", "is_public": False}, "public"),
    Shown("public", {"visibility": "public", "is_public": False}, "shared"),
    Shown("public", {"visibility": "private", "is_public": True}, "private", "shared"),
)


@pytest.mark.parametrize("shown", VISIBILITIES, ids=lambda shown: f"{shown.before}-{shown.meta}")
def test_update_changes_visibility(target: Target, name: str, shown: Shown) -> None:
    image_id = target.make("admin", name=name, visibility=shown.before)
    changed = target.service("admin").update(None, image_id, shown.meta)
    after = (shown.after_v1 if target.is_v1 else None) or shown.after
    assert target.record(image_id)["visibility"] == after
    assert changed["is_public"] is (after == "public")


@on_v2
def test_contradicting_visibility_and_is_public_is_refused(target: Target, name: str) -> None:
    # v1 does not distinguish private from shared, so neither is a change.
    image_id = target.make("admin", name=name, visibility="shared")
    with pytest.raises(exceptions.ImageBadRequest):
        target.service("admin").update(
            None, image_id, {"is_public": True, "visibility": "private"}
        )
    assert target.record(image_id)["visibility"] == "shared"


@on_v2
def test_update_sets_community_on_v2(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    changed = extended(
        target.service(extended=True).update(None, image_id, {"visibility": "community"})
    )
    assert (changed["visibility"], changed["is_public"]) == ("community", False)


@on_v1
def test_community_needs_v2_in_update(target: Target, name: str) -> None:
    image_id = target.make(name=name, visibility="private")
    with target.counting() as exchanges, pytest.raises(exceptions.UnsupportedByVersion):
        target.service().update(None, image_id, {"visibility": "community"})
    assert [one.method for one in exchanges if one.method != "HEAD"] == []
    assert target.record(image_id)["visibility"] == "private"


# ---------------------------------------------------------------------------------------------
# Whole dicts.


@pytest.mark.parametrize(
    ("purge", "extended", "visibility", "data"),
    [
        (True, False, "private", None),
        (False, False, "public", None),
        (True, True, "public", DATA),
        (False, True, "private", DATA),
        (True, True, "shared", None),
    ],
)
def test_unchanged_dict_sent_back_changes_nothing(
    target: Target, name: str, purge: bool, extended: bool, visibility: str, data: bytes | None
) -> None:
    image_id = target.make(name=name, data=data, tags=["t"], properties=OLD)
    target.patch(image_id, {"op": "replace", "path": "/visibility", "value": visibility})
    before = target.record(image_id)
    service = target.service(extended=extended)
    whole = service.show(None, image_id, include_locations=extended)
    with target.counting() as exchanges:
        same = service.update(None, image_id, whole, purge_props=purge)
    assert [one.method for one in exchanges if one.method not in ("GET", "HEAD")] == []
    assert same == {key: value for key, value in whole.items() if key in same}
    assert target.record(image_id) == before


@pytest.mark.parametrize("purge", [False, True])
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_whole_dict_with_one_change_is_applied(
    target: Target, name: str, purge: bool, visibility: str
) -> None:
    # Nova's metadata API edits an image like this: read, change one property, write everything.
    image_id = target.make(name=name, properties=OLD)
    target.patch(image_id, {"op": "replace", "path": "/visibility", "value": visibility})
    service = target.service()
    whole = service.show(None, image_id)
    whole["properties"] = {"b": "3", "c": "4"}
    changed = service.update(None, image_id, whole, purge_props=purge)
    kept = {} if purge else {"a": "1"}
    assert changed["properties"] == {**kept, "b": "3", "c": "4"}
    assert (changed["status"], changed["is_public"]) == ("queued", visibility == "public")
    assert service.show(None, image_id) == changed


def test_whole_dict_of_one_api_fits_the_other(target: Target, name: str) -> None:
    # A dict that the caller read over the other API.
    image_id = target.make(name=name, properties=OLD)
    whole = target.service().show(None, image_id)
    newer = {"tags": None, "visibility": None, "virtual_size": None, "stores": None}
    changed = target.service().update(None, image_id, {**whole, **newer, "min_disk": 2})
    assert changed["min_disk"] == 2


# ---------------------------------------------------------------------------------------------
# Data.


@pytest.mark.parametrize("size", [None, 0, len(DATA)])
@pytest.mark.parametrize("purge", [False, True])
def test_queued_image_gets_its_data(
    target: Target, name: str, purge: bool, size: int | None
) -> None:
    image_id = target.make(name=name, properties=OLD)
    service = target.service()
    meta = {"min_ram": 5, "properties": {"b": "3"}, "size": size}
    filled = service.update(None, image_id, meta, data=io.BytesIO(DATA), purge_props=purge)
    shape.check(filled)
    # With data, no property is removed.
    assert filled["properties"] == {"a": "1", "b": "3"}
    assert (filled["status"], filled["size"], filled["min_ram"]) == ("active", len(DATA), 5)
    assert service.show(None, image_id) == filled
    assert b"".join(service.download(None, image_id)) == DATA


def test_queued_image_accepts_whole_dict_with_data(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties=OLD)
    service = target.service()
    filled = service.update(None, image_id, service.show(None, image_id), data=DATA)
    assert (filled["status"], filled["checksum"], filled["properties"]) == ("active", MD5, OLD)


@pytest.mark.parametrize("user", ["demo", "admin"])
@pytest.mark.parametrize("meta", [{}, {"name": "new", "properties": {"a": "x"}}], ids=str)
def test_active_image_refuses_data_and_keeps_metadata(
    target: Target, name: str, user: str, meta: dict[str, Any]
) -> None:
    image_id = target.make(name=name, data=DATA, properties=OLD)
    before = target.record(image_id)
    with pytest.raises(exceptions.ImageNotActive) as caught:
        target.service(user).update(None, image_id, meta, data=b"other")
    assert (caught.value.status, caught.value.image_id) == (409, image_id)
    assert target.record(image_id) == before
    assert b"".join(target.service().download(None, image_id)) == DATA


BAD: dict[str, tuple[Callable[[], object], dict[str, Any], type[Exception]]] = {
    "wrong checksum": (lambda: DATA, {"checksum": MD5_OF_NOTHING}, exceptions.IntegrityError),
    "wrong size": (lambda: DATA, {"size": 1}, exceptions.DataSourceError),
    "text": (lambda: iter(["text"]), {}, exceptions.DataSourceError),
    "not bytes": (lambda: "text", {}, exceptions.Invalid),
}


@pytest.mark.parametrize("case", BAD)
def test_refused_data_leaves_image_queued(target: Target, name: str, case: str) -> None:
    data, meta, error = BAD[case]
    image_id = target.make(name=name, properties=OLD)
    with pytest.raises(error):
        target.service().update(None, image_id, meta, data=data())
    # The image existed before the call and stays; v1 kills it after wrong data. A server may take
    # a while to notice that no more data arrives.
    settled = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda status: status == "saving"),
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_fixed(0.05),
    )
    assert settled(lambda: target.record(image_id)["status"]) in ("queued", "killed")


def test_store_without_data_needs_v1(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    if target.is_v1:
        # v1 records the store for the data.
        changed = target.service().update(None, image_id, {"store": "file"})
        assert (changed["status"], changed["properties"]) == ("queued", {})
        return
    with pytest.raises(exceptions.UnsupportedByVersion):
        target.service().update(None, image_id, {"store": "file"})


@only(lambda kind: kind.region is not None and kind.release == "pike")
def test_location_in_update_activates_queued_image(target: Target, name: str, source: str) -> None:
    queued, active = target.make(name=name, properties=OLD), target.make(name=name, data=DATA)
    before = target.record(active)
    service = target.service()
    meta = {"location": f"{source}/data"}
    changed = service.update(None, queued, meta, purge_props=False)
    assert (changed["status"], changed["size"]) == ("active", len(DATA))
    assert changed["properties"] == OLD
    assert b"".join(service.download(None, queued)) == DATA
    with pytest.raises(exceptions.ImageBadRequest):
        service.update(None, active, meta, purge_props=False)
    assert target.record(active) == before


def test_copy_from_and_tags_need_their_api(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    needed = {"tags": ["t"]} if target.is_v1 else {"copy_from": "http://example.invalid/x"}
    before = target.record(image_id)
    with pytest.raises(exceptions.UnsupportedByVersion):
        target.service().update(None, image_id, needed)
    assert target.record(image_id) == before


def test_data_without_formats_is_refused(target: Target, name: str) -> None:
    image_id = target.service().create(None, {"name": name})["id"]
    with pytest.raises(exceptions.ImageBadRequest) as caught:
        target.service().update(None, image_id, {}, data=DATA)
    assert (caught.value.status, caught.value.image_id) == (400, image_id)
    assert target.record(image_id)["status"] == "queued"


def test_progress_is_reported(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    told: list[tuple[int, int | None]] = []
    target.service().update(
        None, image_id, {}, data=DATA, progress=lambda done, total: told.append((done, total))
    )
    assert told[-1] == (len(DATA), len(DATA))


# ---------------------------------------------------------------------------------------------
# Read-only attributes.

DIFFERENT: dict[str, Any] = {
    "status": "deactivated",
    "size": 7,
    "checksum": MD5_OF_NOTHING,
    "created_at": "2001-01-01T00:00:00Z",
    "updated_at": "2001-01-01T00:00:00Z",
    "deleted": True,
}


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "read-only" in one.getMessage()]


def test_read_only_attributes_that_differ_are_named_in_one_warning(
    target: Target, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    image_id = target.make(name=name, data=DATA)
    before = target.service().show(None, image_id)
    changed = target.service().update(None, image_id, {**DIFFERENT, "min_ram": 3})
    assert shape.without_times(changed) == {**shape.without_times(before), "min_ram": 3}
    [warning] = warnings_of(caplog)
    named = [one for one in DIFFERENT if one in warning]
    assert named == ["status", "size", "checksum", "created_at", "deleted"]
    assert image_id in warning
    assert "deactivate()" in warning
    assert MD5_OF_NOTHING not in warning


@pytest.mark.parametrize("options", [{}, {"extended": True}], ids=str)
def test_whole_dict_is_sent_back_without_a_warning(
    target: Target, name: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service(**options)
    shown = service.show(None, image_id, include_locations=True)
    service.update(None, image_id, {**shown, "name": f"{name} again"})
    written = {name: str(value) for name, value in shown.items() if name.endswith("_at") and value}
    service.update(None, image_id, {**written, "size": str(len(DATA)), "deleted_at": None})
    assert warnings_of(caplog) == []


def test_attributes_of_the_data_differ_without_a_warning(
    target: Target, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    queued = target.service().show(None, target.make(name=name))
    filled = target.service().update(None, queued["id"], {**queued, "checksum": None}, data=DATA)
    assert (filled["status"], filled["checksum"]) == ("active", MD5)
    assert warnings_of(caplog) == []
    target.service().update(None, queued["id"], {**queued, "name": None}, purge_props=False)
    assert len(warnings_of(caplog)) == 1
