# SPDX-License-Identifier: Apache-2.0
"""A Glance 15.0.2 with tighter limits than the default, over both of its APIs.

It has small pages and quotas, no locations, and delayed deletion. Another server over the same
database has a v2 that permits only the properties of a schema file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract import shape, targets
from tests.contract.outcomes import saw, status_of
from tests.contract.shape import DATA, FORMATS, MD5, extended
from tests.contract.targets import Api, Kind, Target
from tests.functional.cloud import Cloud
from tests.functional.cloud.topology import SMALL, STORAGE_QUOTA

pytestmark = pytest.mark.functional

#: The known deviations that are tested here.
SHOWN = {"delayed-deletion", "restricted-schema", "unshown-locations"}

APIS: tuple[Api, ...] = ("v1", "v2")

PAGE = int(SMALL["api_limit_max"])
PROPERTIES = int(SMALL["image_property_quota"])
LARGEST = int(SMALL["image_size_cap"])
STORAGE = int(STORAGE_QUOTA)


def both_apis(region: str, cloud: Cloud) -> dict[str, Target]:
    """Return a target for each API, on an endpoint with both; the library prefers that API."""
    return {
        api: dataclasses.replace(
            targets.real(Kind(f"{region}-{api}", api, "pike", region=region), cloud),
            wide_url=cloud.url(region),
            prefer="1" if api == "v1" else "2",
        )
        for api in APIS
    }


@pytest.fixture(scope="module")
def sides(cloud: Cloud) -> Iterator[dict[str, Target]]:
    """Provide the small server over each API."""
    found = both_apis("pike-small", cloud)
    yield found
    for target in found.values():
        target.clean()


@pytest.fixture(params=APIS)
def target(request: pytest.FixtureRequest, sides: dict[str, Target]) -> Target:
    """Provide the small server over one API."""
    return sides[request.param]


@pytest.fixture(scope="module")
def schema_sides(cloud: Cloud) -> Iterator[dict[str, Target]]:
    """Provide the server with a schema over each API."""
    found = both_apis("pike-schema", cloud)
    yield found
    for target in found.values():
        target.clean()


NOT_FOUND = exceptions.ImageNotFound

# ---------------------------------------------------------------------------------------------
# Pages.


def test_server_page_limit_loses_no_images(target: Target, name: str) -> None:
    # The server does not report its page limit; more than two pages prove that no image is lost.
    made = [target.make(name=name) for _ in range(2 * PAGE + 1)]
    service = target.service()
    newest_first = made[::-1]
    for page_size in (None, 1, PAGE, PAGE + 1, 100):
        found = service.detail(None, filters={"name": name}, page_size=page_size)
        assert [one["id"] for one in found] == newest_first, page_size
    for limit in (1, PAGE, PAGE + 1, 2 * PAGE + 1, 100):
        found = service.detail(None, filters={"name": name}, limit=limit)
        assert [one["id"] for one in found] == newest_first[:limit], limit
    found = service.detail(None, filters={"name": name}, marker=newest_first[1], limit=PAGE + 1)
    assert [one["id"] for one in found] == newest_first[2 : PAGE + 3]
    found = service.detail(None, filters={"name": name}, sort_key=["status", "id"])
    assert [one["id"] for one in found] == sorted(made, reverse=True)
    # A filter that only the library applies.
    found = service.detail(None, filters={"name": name, "is_public": False}, limit=PAGE + 1)
    assert [one["id"] for one in found] == newest_first[: PAGE + 1]


def test_list_costs_one_request_per_page(target: Target, name: str) -> None:
    for _ in range(2 * PAGE):
        target.make(name=name)
    service = target.service()
    service.discover()
    with target.counting() as exchanges:
        assert len(service.detail(None, filters={"name": name})) == 2 * PAGE
    # The last request finds nothing: a full page may be followed by another one.
    assert len(exchanges) == 3


def test_several_tags_work_with_server_page_limit(sides: dict[str, Target], name: str) -> None:
    target = sides["v2"]
    for number in range(2 * PAGE):
        target.make(name=f"{name} {number}", tags=["t1", "t2"])
    for tags in (["t1"], ["t2"]):
        target.make(name=f"{name} {tags}", tags=tags)
    found = target.service().detail(None, filters={"tag": ["t1", "t2"]}, sort_key="name")
    names = [one["name"] for one in found if str(one["name"]).startswith(name)]
    assert names == [f"{name} {number}" for number in range(2 * PAGE - 1, -1, -1)]


# ---------------------------------------------------------------------------------------------
# Quotas.


def test_exceeded_property_quota_is_an_error(target: Target, name: str) -> None:
    service = target.service()
    full = {f"p{number}": "x" for number in range(PROPERTIES)}
    created = service.create(None, {"name": name, "properties": full})
    assert created["properties"] == full
    for purge in (False, True):
        too_many = {**full, "more": "x"}
        with pytest.raises(exceptions.ImageQuotaExceeded) as caught:
            service.update(None, created["id"], {"properties": too_many}, purge_props=purge)
        assert caught.value.status == 413
    assert service.show(None, created["id"]) == created
    # One property replaces another: only the resulting number counts.
    swapped = {f"q{number}": "x" for number in range(PROPERTIES)}
    changed = service.update(None, created["id"], {"properties": swapped}, purge_props=True)
    assert changed["properties"] == swapped
    with pytest.raises(exceptions.ImageQuotaExceeded):
        service.create(None, {"name": f"{name} more", "properties": {**full, "more": "x"}})
    assert target.leftovers(f"{name} more") == []


def test_exceeded_member_quota_is_an_error(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service = target.service()
    ids = [f"{number}" * 32 for number in range(3)]
    added = [service.add_member(None, image_id, member) for member in ids[:2]]
    with pytest.raises(exceptions.ImageQuotaExceeded) as caught:
        service.add_member(None, image_id, ids[2])
    assert (caught.value.status, caught.value.image_id) == (413, image_id)
    assert sorted(map(str, service.members(None, image_id))) == sorted(map(str, added))


def test_exceeded_tag_quota_is_an_error(sides: dict[str, Target], name: str) -> None:
    service = sides["v2"].service(extended=True)
    created = service.create(None, {"name": name, "tags": ["a", "b"]})
    assert extended(created)["tags"] == ["a", "b"]
    too_many = {"name": f"{name} more", "tags": ["a", "b", "c"]}
    with pytest.raises(exceptions.ImageQuotaExceeded):
        service.create(None, too_many)
    with pytest.raises(exceptions.ImageQuotaExceeded):
        service.update(None, created["id"], too_many)
    assert sides["v2"].leftovers(f"{name} more") == []
    assert service.show(None, created["id"]) == created


@pytest.mark.parametrize("known", [True, False])
def test_oversized_image_is_an_error(target: Target, name: str, known: bool) -> None:
    # v1 responds with 400 if the size is declared, and with 413 if not.
    meta = {"name": name, **FORMATS}
    blocks = [b"x" * LARGEST, b"x"]
    data = b"".join(blocks) if known else iter(blocks)
    with pytest.raises(exceptions.ImageQuotaExceeded):
        target.service().create(None, meta, data=data)
    assert target.leftovers(name) == []


@pytest.mark.parametrize(("api", "user"), [("v1", "other"), ("v2", "stranger")])
def test_exceeded_storage_quota_is_an_error(
    schema_sides: dict[str, Target], name: str, api: str, user: str
) -> None:
    target = schema_sides[api]
    service = target.service(user)
    meta = {"name": name, **FORMATS}
    half = b"x" * (STORAGE // 3)
    made = [service.create(None, meta, data=half)["id"] for _ in range(2)]
    for data in (half + b"xxxx", iter([half, half])):
        with pytest.raises(exceptions.ImageQuotaExceeded) as caught:
            service.create(None, {**meta, "name": f"{name} more"}, data=data)
        assert caught.value.status == 413
    assert target.leftovers(f"{name} more") == []
    for image_id in made:
        service.delete(None, image_id)


# ---------------------------------------------------------------------------------------------
# Delayed deletion.

USERS = ("demo", "other", "stranger", "admin")


@pytest.mark.parametrize("user", USERS)
def test_pending_delete_image_is_not_found(target: Target, name: str, user: str) -> None:
    image_id = target.make(name=name, data=DATA, properties={"a": "1"})
    target.share(image_id, "other", "accepted")
    assert target.service().delete(None, image_id) is True
    service = target.service(user)
    is_admin_of_v1 = target.is_v1 and user == "admin"

    shown = saw(service.show, None, image_id)
    if is_admin_of_v1:
        assert isinstance(shown, dict)
        shape.check(shown)
        seen = (shown["status"], shown["deleted"], shown["size"], shown["checksum"])
        assert seen == ("pending_delete", True, len(DATA), MD5)
        assert shown["deleted_at"] is not None
    else:
        assert shown is NOT_FOUND
    assert saw(service.show, None, image_id, show_deleted=False) is NOT_FOUND
    assert service.detail(None, filters={"name": name}) == []

    calls: dict[str, Callable[[], object]] = {
        "download": lambda: service.download(None, image_id),
        "update": lambda: service.update(None, image_id, {"min_ram": 1}, purge_props=False),
        "purge": lambda: service.update(None, image_id, {"properties": {"b": "2"}}),
        "fill": lambda: service.update(None, image_id, {}, data=b"other"),
        "members": lambda: service.members(None, image_id),
        "add_member": lambda: service.add_member(None, image_id, "f" * 32),
        "remove_member": lambda: service.remove_member(None, image_id, target.projects["other"]),
        "delete": lambda: service.delete(None, image_id),
    }
    assert service.delete(None, image_id, missing_ok=True) is True
    found = {call: saw(act) for call, act in calls.items()}
    expected: dict[str, object] = dict.fromkeys(calls, NOT_FOUND)
    if is_admin_of_v1:
        # A known deviation: delayed-deletion.
        expected["add_member"] = {"member_id": "f" * 32, "can_share": False, "status": None}
    assert found == expected


@pytest.mark.parametrize("user", USERS)
def test_changes_since_includes_pending_delete_images(
    sides: dict[str, Target], name: str, user: str
) -> None:
    image_id = sides["v2"].make(name=name, data=DATA)
    sides["v2"].service().delete(None, image_id)
    filters = {"name": name, "changes-since": "2000-01-01T00:00:00Z"}
    found = {
        api: [one["status"] for one in target.service(user).detail(None, filters=filters)]
        for api, target in sides.items()
    }
    told = ["pending_delete"] if user in ("demo", "admin") else []
    assert found == {"v1": told, "v2": []}


def test_image_without_data_skips_pending_delete(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    assert target.service().delete(None, image_id) is True
    assert saw(target.service().show, None, image_id) is NOT_FOUND
    path = f"/v1/images/{image_id}"
    status = target.send("HEAD", path, user="admin").headers["x-image-meta-status"]
    assert status == "deleted"


def test_admin_deletes_deactivated_image(sides: dict[str, Target], name: str) -> None:
    found: dict[str, object] = {}
    for api, target in sides.items():
        image_id = target.make(name=name, data=DATA)
        target.deactivate(image_id)
        found[api] = saw(target.service("admin").delete, None, image_id)
        shown = saw(status_of, target.service(), image_id)
        # The owner may delete it over both APIs.
        assert shown == (NOT_FOUND if api == "v1" else "deactivated")
        owners = saw(target.service().delete, None, image_id)
        assert owners == (NOT_FOUND if api == "v1" else True)
    # A known deviation: delayed-deletion.
    assert found == {"v1": True, "v2": exceptions.ImageBadRequest}


# ---------------------------------------------------------------------------------------------
# Hidden locations.


def test_hidden_locations_are_shown_as_empty(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    for user in ("demo", "admin"):
        shown = target.service(user).show(None, image_id, include_locations=True)
        shape.check(shown, locations=True)
        assert (shown["locations"], shown["direct_url"]) == ([], None)


def test_property_named_locations_is_not_shown_as_locations(target: Target, name: str) -> None:
    headers = {
        "x-image-meta-name": name,
        "x-image-meta-property-locations": '[{"url": "file:///etc/shadow"}]',
        "x-image-meta-property-direct_url": "file:///etc/shadow",
    }
    answer = target.send("POST", "/v1/images", headers=headers)
    image_id = answer.json()["image"]["id"]
    shown = target.service().show(None, image_id, include_locations=True)
    assert shown["locations"] == []
    assert shown["properties"] == {}


def test_setting_location_needs_v1_if_locations_are_hidden(
    target: Target, name: str, source: str
) -> None:
    meta = {"name": name, **FORMATS, "location": f"{source}/data"}
    made = saw(lambda: target.service().create(None, meta)["status"])
    image_id = target.make(name=f"{name} queued")
    updated = saw(target.service().update, None, image_id, {"location": f"{source}/data"})
    if target.is_v1:
        assert made == "active"
        assert isinstance(updated, dict)
        return
    # A known deviation: unshown-locations.
    assert (made, updated) == (exceptions.ImageNotAuthorized, exceptions.ImageNotAuthorized)
    assert target.leftovers(name) == []
    assert target.record(image_id)["status"] == "queued"


# ---------------------------------------------------------------------------------------------
# A schema.

KNOWN = {"architecture": "x86_64", "os_distro": "debian"}


@pytest.mark.parametrize("api", APIS)
def test_schema_properties_are_stored(
    schema_sides: dict[str, Target], name: str, api: str
) -> None:
    service = schema_sides[api].service()
    created = service.create(None, {"name": name, "properties": KNOWN})
    assert created["properties"] == KNOWN
    changed = service.update(None, created["id"], {"properties": {"os_distro": "x"}})
    assert changed["properties"] == {"os_distro": "x"}
    for target in schema_sides.values():
        assert target.service().show(None, created["id"]) == changed


def test_null_schema_property_is_empty(schema_sides: dict[str, Target], name: str) -> None:
    v2 = schema_sides["v2"]
    image_id = v2.make(name=name, properties={"kernel_id": None, **KNOWN})  # type: ignore[dict-item]
    assert v2.record(image_id)["kernel_id"] is None
    shown = v2.service().show(None, image_id)
    assert shown["properties"] == {"kernel_id": "", **KNOWN}
    # v1's list has it too; its HEAD omits null (a known deviation: head-empty-property).
    v1 = schema_sides["v1"]
    assert v1.service(v1_exact_show=True).show(None, image_id) == shown
    for target in schema_sides.values():
        # A whole dict sent back changes nothing; the schema would reject ''.
        whole = target.service(v1_exact_show=True).show(None, image_id)
        changed = target.service(v1_exact_show=True).update(
            None, image_id, {**whole, "min_ram": 1 if target.is_v1 else 2}
        )
        assert changed["properties"] == shown["properties"]


def test_properties_outside_the_schema_are_refused_on_v2(
    schema_sides: dict[str, Target], name: str
) -> None:
    meta: dict[str, Any] = {"name": name, "properties": {**KNOWN, "other": "x"}}
    # A known deviation: restricted-schema.
    created = schema_sides["v1"].service().create(None, meta)
    assert created["properties"] == meta["properties"]
    assert schema_sides["v2"].service().show(None, created["id"])["properties"] == KNOWN
    assert saw(schema_sides["v2"].service().create, None, meta) in (
        exceptions.ImageBadRequest,
        exceptions.ImageNotAuthorized,
    )
    # A purge over v2 preserves properties that v2 does not show.
    schema_sides["v2"].service().update(None, created["id"], {"properties": {}})
    shown = schema_sides["v1"].service().show(None, created["id"])
    assert shown["properties"] == {"other": "x"}
