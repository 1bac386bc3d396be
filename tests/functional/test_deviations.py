# SPDX-License-Identifier: Apache-2.0
"""Every known deviation, with the exact values over both APIs, on one real Glance 15.0.2.

Those of :meth:`ImageService.show` are in the corpus (test_corpus.py); those of servers with
tighter limits than the default are in test_small_server.py.
"""

from __future__ import annotations

import concurrent.futures
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pytest
import tenacity

from glance_compat import ImageService, exceptions
from glance_compat.metadata.deviations import DEVIATIONS
from tests.contract.outcomes import saw
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Target
from tests.functional import test_small_server
from tests.functional.corpus.images import CORPUS
from tests.functional.sides import Sides

functional = pytest.mark.functional
Test = TypeVar("Test", bound=Callable[..., None])

SHOWN: set[str] = {row.deviation for entry in CORPUS for row in entry.differs}
SHOWN |= test_small_server.SHOWN


def shows(*names: str) -> Callable[[Test], Test]:
    """Mark a test with the names of the deviations that it tests."""
    SHOWN.update(names)
    return functional


def on_both(sides: Sides, call: Callable[[Target], object]) -> dict[str, object]:
    """Return the result of a call over each API, or the class of its exception."""
    return {api: saw(call, target) for api, target in sides.items()}


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"{request.node.name} {datetime.datetime.now(datetime.timezone.utc).timestamp()}"


def properties(target: Target, image_id: str, *names: str) -> dict[str, Any]:
    """Return those of the named properties that an image has, read over v2."""
    record = target.record(image_id)
    return {key: record[key] for key in names if key in record}


@shows("property-folding")
def test_v1_folds_property_names_in_lower_case(sides: Sides, name: str) -> None:
    keys = ("Foo-Bar", "foo_bar", "a")

    def create(target: Target) -> object:
        created = target.service().create(None, {"name": name, "properties": {"Foo-Bar": "x"}})
        return properties(target, created["id"], *keys)

    def update(target: Target, *, purge: bool) -> object:
        image_id = target.make(name=name, properties={"Foo-Bar": "x", "a": "1"})
        kept = "x" if purge else "y"
        target.service().update(None, image_id, {"properties": {"Foo-Bar": kept}}, None, purge)
        return properties(target, image_id, *keys)

    assert on_both(sides, create) == {"v1": {"foo_bar": "x"}, "v2": {"Foo-Bar": "x"}}
    assert on_both(sides, lambda target: update(target, purge=False)) == {
        "v1": {"Foo-Bar": "x", "foo_bar": "y", "a": "1"},
        "v2": {"Foo-Bar": "y", "a": "1"},
    }
    # v1 cannot remove a single property, so the request has all others.
    assert on_both(sides, lambda target: update(target, purge=True)) == {
        "v1": {"foo_bar": "x"},
        "v2": {"Foo-Bar": "x"},
    }


UNPORTABLE = {"lines": "one\ntwo"}


@shows("purge-of-the-unportable")
def test_v1_refuses_purge_of_unportable_properties(sides: Sides, name: str) -> None:
    after: dict[str, object] = {}

    def purge(target: Target) -> object:
        image_id = target.make(name=name, properties={**UNPORTABLE, "a": "1"})
        try:
            meta = {"properties": UNPORTABLE}
            return target.service().update(None, image_id, meta, purge_props=True)["properties"]
        finally:
            after[target.kind.api] = properties(target, image_id, "lines", "a")

    assert on_both(sides, purge) == {"v1": exceptions.PropertyNotAllowed, "v2": UNPORTABLE}
    assert after == {"v1": {**UNPORTABLE, "a": "1"}, "v2": UNPORTABLE}


@shows("head-blanks", "head-property-colon", "head-forged-header")
@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"lead": "  x"}, {"lead": "x"}),
        ({"os:type": "linux"}, {"os": "type: linux"}),
        ({"p": "1\r\nX-Image-Meta-Property-Evil: x"}, {"p": "1", "evil": "x"}),
    ],
    ids=str,
)
def test_update_with_shown_v1_properties(
    sides: Sides, name: str, stored: dict[str, str], shown: dict[str, str]
) -> None:
    after: dict[str, object] = {}

    def send_back(target: Target, **options: Any) -> object:
        image_id = target.make(name=name, properties={**stored, "a": "1"})
        service = target.service(**options)
        whole = service.show(None, image_id)
        del whole["properties"]["a"]
        try:
            return service.update(None, image_id, whole, purge_props=True)["properties"]
        finally:
            after[target.kind.api] = properties(target, image_id, *stored, *shown, "a")

    assert on_both(sides, send_back) == {"v1": shown, "v2": stored}
    assert after == {"v1": shown, "v2": stored}
    exact = on_both(sides, lambda target: send_back(target, v1_exact_show=True))
    assert exact == {"v1": exceptions.PropertyNotAllowed, "v2": stored}
    assert after == {"v1": {**stored, "a": "1"}, "v2": stored}


@shows("changes-since")
def test_changes_since_includes_deleted_images_on_v1(sides: Sides, name: str) -> None:
    since = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=2)
    target = sides["v2"]
    deleted, kept = target.make(name=name), target.make(name=name)
    target.service().delete(None, deleted)

    def changed(target: Target) -> object:
        filters = {"changes-since": since, "name": name}
        found = target.service().detail(None, filters=filters, sort_dir="asc")
        return [(one["id"], one["status"], one["deleted"]) for one in found]

    assert on_both(sides, changed) == {
        "v1": [(deleted, "deleted", True), (kept, "queued", False)],
        "v2": [(kept, "queued", False)],
    }


@shows("visibility-words")
def test_visibility_values_differ_by_api(sides: Sides, name: str) -> None:
    def create(target: Target) -> object:
        service = target.service(extended=True)
        created = extended(service.create(None, {"name": name, "visibility": "private"}))
        return created["visibility"], target.record(created["id"])["visibility"]

    def update(target: Target) -> object:
        image_id = target.make(name=name, visibility="shared")
        target.service().update(None, image_id, {"visibility": "private"})
        return target.record(image_id)["visibility"]

    assert on_both(sides, create) == {"v1": (None, "shared"), "v2": ("private", "private")}
    assert on_both(sides, update) == {"v1": "shared", "v2": "private"}


@shows("formats-of-active-images")
@pytest.mark.parametrize(("key", "value"), [("disk_format", "vmdk"), ("container_format", "ovf")])
def test_formats_of_active_images_are_writable_on_v1(
    sides: Sides, name: str, key: str, value: str
) -> None:
    def update(target: Target) -> object:
        image_id = target.make(name=name, data=DATA)
        changed: Mapping[str, object] = target.service().update(None, image_id, {key: value})
        return changed[key]

    assert on_both(sides, update) == {"v1": value, "v2": exceptions.ImageNotAuthorized}


@shows("member-details")
def test_member_details_differ_by_api(sides: Sides, name: str) -> None:
    image_id = sides["v2"].make(name=name)
    member = sides["v2"].projects["other"]
    path = f"/v1/images/{image_id}/members/{member}"
    answer = sides["v1"].send("PUT", path, json={"member": {"can_share": True}})
    assert answer.status_code == 204
    assert on_both(sides, lambda target: target.service().members(None, image_id)) == {
        "v1": [{"member_id": member, "can_share": True, "status": None}],
        "v2": [{"member_id": member, "can_share": False, "status": "pending"}],
    }


@shows("members-of-unshared-images")
@pytest.mark.parametrize("visibility", ["private", "public"])
def test_unshared_images_accept_members_on_v1(sides: Sides, name: str, visibility: str) -> None:
    member = sides["v2"].projects["other"]
    told = {"member_id": member, "can_share": False, "status": None}
    ids = {
        api: target.make("admin", name=name, visibility=visibility)
        for api, target in sides.items()
    }

    def add(target: Target) -> object:
        return target.service("admin").add_member(None, ids[target.kind.api], member)

    assert on_both(sides, add) == {"v1": told, "v2": exceptions.ImageNotAuthorized}
    listed = on_both(sides, lambda target: target.service("admin").members(None, ids["v1"]))
    assert listed == {"v1": [told], "v2": []}
    if visibility == "private":
        # The member exists, but has no access.
        seen = on_both(sides, lambda target: target.service("other").show(None, ids["v1"]))
        assert seen == dict.fromkeys(sides, exceptions.ImageNotFound)


@shows("locations")
def test_v1_shows_no_locations(sides: Sides, name: str) -> None:
    image_id = sides["v2"].make(name=name, data=DATA)
    url = sides["v2"].record(image_id)["direct_url"]

    def show(target: Target) -> object:
        shown = target.service().show(None, image_id, include_locations=True)
        return shown["locations"], shown["direct_url"]

    assert on_both(sides, show) == {
        "v1": ([], None),
        "v2": ([{"url": url, "metadata": {}}], url),
    }


@shows("extended-attributes")
def test_extended_attributes_differ_by_api(sides: Sides, name: str) -> None:
    headers = {"x-image-meta-name": name, "x-image-meta-property-owner": "shadow"}
    answer = sides["v1"].send("POST", "/v1/images", headers=headers)
    image_id = answer.json()["image"]["id"]
    sides["v2"].patch(image_id, {"op": "replace", "path": "/tags", "value": ["t"]})

    def show(target: Target) -> object:
        shown: Mapping[str, object] = target.service(extended=True).show(None, image_id)
        return {key: shown[key] for key in ("visibility", "tags", "shadowed_properties")}

    assert on_both(sides, show) == {
        "v1": {"visibility": None, "tags": None, "shadowed_properties": {"owner": "shadow"}},
        "v2": {"visibility": "shared", "tags": ["t"], "shadowed_properties": None},
    }


OTHER_PROJECT = "0" * 32
NEEDS_V2: dict[str, Callable[[ImageService, str], object]] = {
    "create tags": lambda service, i: service.create(None, {"tags": ["t"]})["properties"],
    "create community": lambda service, i: service.create(None, {"visibility": "community"})[
        "is_public"
    ],
    "update tags": lambda service, i: service.update(None, i, {"tags": ["t"]})["name"],
    "detail tag": lambda service, i: service.detail(None, filters={"tag": OTHER_PROJECT}),
    "detail visibility": lambda service, i: service.detail(
        None, filters={"visibility": "private", "name": OTHER_PROJECT}
    ),
    "detail member_status": lambda service, i: service.detail(
        None, filters={"member_status": "pending", "name": OTHER_PROJECT}
    ),
    "update_member": lambda service, i: service.update_member(None, i, OTHER_PROJECT, "accepted"),
}
GIVES = {
    "create tags": {},
    "create community": False,
    "update tags": "needs v2",
    "update_member": exceptions.MemberNotFound,
}


@shows("needs-v2")
@pytest.mark.parametrize("call", NEEDS_V2)
def test_v2_only_calls_are_refused_on_v1(sides: Sides, call: str) -> None:
    image_id = sides["v2"].make(name="needs v2")
    found = on_both(sides, lambda target: NEEDS_V2[call](target.service(), image_id))
    assert found == {"v1": exceptions.UnsupportedByVersion, "v2": GIVES.get(call, [])}


@shows("needs-v1")
def test_v1_only_features_are_refused_on_v2(sides: Sides, name: str) -> None:
    checksum = "d" * 32

    def with_checksum(target: Target) -> object:
        return target.service().create(None, {"name": name, "checksum": checksum})["checksum"]

    def with_store(target: Target) -> object:
        meta = {"name": name, **FORMATS, "store": "file"}
        return target.service().create(None, meta, data=DATA)["status"]

    def with_copy_from(target: Target) -> object:
        meta = {"name": name, **FORMATS, "copy_from": "http://127.0.0.1:1/none"}
        return target.service().create(None, meta)["status"]

    unsupported = exceptions.UnsupportedByVersion
    assert on_both(sides, with_checksum) == {"v1": checksum, "v2": unsupported}
    assert on_both(sides, with_store) == {"v1": "active", "v2": unsupported}
    # Nothing listens at the URL, so v1 refuses the request.
    assert on_both(sides, with_copy_from) == {"v1": exceptions.ImageBadRequest, "v2": unsupported}


@shows("killed-images")
def test_interrupted_upload_kills_image_on_v1(sides: Sides, name: str) -> None:
    def cut() -> Iterator[bytes]:
        yield b"x" * 1_000_000
        yield b"x" * 1_000_000
        raise OSError("the end")

    # The server detects the end of the data after it has read the received part.
    patience: dict[str, Any] = {
        "stop": tenacity.stop_after_delay(20),
        "wait": tenacity.wait_fixed(0.05),
    }
    killed = tenacity.retry_if_result(lambda status: status != "killed")
    refused = tenacity.retry_if_exception_type(exceptions.ImageNotActive)

    def fill(target: Target, image_id: str) -> object:
        return target.service().update(None, image_id, {}, data=DATA)["status"]

    def update(target: Target) -> object:
        image_id = target.make(name=name)
        with pytest.raises(exceptions.DataSourceError):
            target.service().update(None, image_id, {}, data=cut())
        if target.is_v1:
            status = tenacity.Retrying(retry=killed, **patience)
            return status(lambda: target.record(image_id)["status"])
        return tenacity.Retrying(retry=refused, **patience)(fill, target, image_id)

    # v2 accepts another upload.
    assert on_both(sides, update) == {"v1": "killed", "v2": "active"}


@shows("concurrent-updates")
def test_concurrent_updates_lose_changes_on_v2(sides: Sides, name: str) -> None:
    wanted = {f"writer_{number}": str(number) for number in range(6)}

    # If several clients write at the same time, SQLite rejects some writes: status 500.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(exceptions.BadResponse),
        stop=tenacity.stop_after_attempt(20),
        wait=tenacity.wait_random(0, 0.1),
    )
    def write(service: ImageService, image_id: str, key: str) -> None:
        service.update(None, image_id, {"properties": {key: wanted[key]}}, purge_props=False)

    def race(target: Target) -> dict[str, Any]:
        image_id = target.make(name=name)
        service = target.service()
        with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
            list(pool.map(lambda key: write(service, image_id, key), wanted))
        return properties(target, image_id, *wanted)

    assert race(sides["v1"]) == wanted
    # The number of lost changes is random; no value may be wrong.
    kept = race(sides["v2"])
    assert kept
    assert kept.items() <= wanted.items()


def test_every_deviation_has_a_test() -> None:
    names = [row.name for row in DEVIATIONS]
    assert len(set(names)) == len(names)
    assert set(names) == SHOWN


def test_deviation_rows_are_complete() -> None:
    methods = {name for name in dir(ImageService) if not name.startswith("_")}
    for row in DEVIATIONS:
        assert set(row.calls) <= methods
        assert row.calls
        for sentence in (row.v1, row.v2, row.fact):
            assert sentence.endswith(".")
        assert "Glance" in row.fact or "RFC" in row.fact
        assert row.remedy == "" or row.remedy.endswith(".")
