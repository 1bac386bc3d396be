# SPDX-License-Identifier: Apache-2.0
"""Setting locations with the locations API of Glance (since v2.17), or with a PATCH."""

from __future__ import annotations

import hashlib
import json
import threading
import types
import uuid
from collections.abc import Iterator

import pytest
from keystoneauth1.service_token import ServiceTokenAuthWrapper

from glance_compat import exceptions
from glance_compat.fixture import GlanceFixture, faults
from tests.contract.places import SERVICE, Place, embedded, patiently, place, real_place
from tests.contract.shape import DATA, FORMATS, MD5, extended
from tests.contract.targets import Exchange

__all__ = ["place", "real_place"]

HASH = hashlib.sha512(DATA).hexdigest()


def methods(exchanges: list[Exchange]) -> list[str]:
    """Return the methods of requests; consecutive GETs count as one."""
    words = [(one.method, one.path.rpartition("/")[2]) for one in exchanges]
    found = [f"{method} {'<id>' if '-' in last else last}" for method, last in words]
    return [
        one for at, one in enumerate(found) if one != "GET <id>" or found[at - 1 : at] != [one]
    ]


# -- accepted locations


def test_update_with_location_returns_active_image(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name, properties={"a": "b"})
    service = target.service(extended=True)
    with target.counting() as exchanges:
        changed = service.update(
            None, image_id, {"location": f"{place.source}/data"}, purge_props=False
        )
    assert methods(exchanges) == ["GET <id>", "POST locations", "GET <id>"]
    assert (changed["status"], changed["size"]) == ("active", len(DATA))
    assert changed["properties"]["a"] == "b"
    assert b"".join(service.download(None, image_id)) == DATA


def test_server_computed_hashes_of_location_are_set_later(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name)
    service = target.service(extended=True)
    service.update(None, image_id, {"location": f"{place.source}/data"})
    task = "os_glance_import_task"
    patiently(lambda: task not in service.show(None, image_id)["properties"])
    found = extended(service.show(None, image_id))
    expected = (MD5, "sha512", HASH) if place.hashes else (None, None, None)
    assert (found["checksum"], found["os_hash_algo"], found["os_hash_value"]) == expected


def test_attributes_are_updated_before_location(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name, properties={"one": "1", "two": "2"})
    meta = {
        "name": f"{name} new",
        "min_ram": 64,
        "location": f"{place.source}/data",
        "properties": {"two": "2", "three": "3"},
    }
    with target.counting() as exchanges:
        changed = target.service().update(None, image_id, meta)
    assert methods(exchanges) == ["GET <id>", "PATCH <id>", "POST locations", "GET <id>"]
    assert (changed["status"], changed["name"], changed["min_ram"]) == (
        "active",
        f"{name} new",
        64,
    )
    kept = {key: value for key, value in changed["properties"].items() if "os_glance" not in key}
    assert kept == {"two": "2", "three": "3"}


def test_update_sets_formats_and_location(place: Place, name: str) -> None:
    service = place.target.service()
    created = service.create(None, {"name": name})
    meta = {**FORMATS, "location": f"{place.source}/data"}
    changed = service.update(None, created["id"], meta, purge_props=False)
    assert (changed["status"], changed["disk_format"]) == ("active", FORMATS["disk_format"])


@pytest.mark.parametrize("chosen", [False, True])
def test_create_with_location_makes_image_active(place: Place, name: str, chosen: bool) -> None:
    target, some_id = place.target, str(uuid.uuid4())
    service = target.service()
    meta = {"name": name, **FORMATS, "location": f"{place.source}/data", "size": len(DATA)}
    with target.counting() as exchanges:
        created = service.create(None, {**meta, "id": some_id} if chosen else meta)
    assert methods(exchanges) == ["POST images", "POST locations", "GET <id>"]
    assert (created["status"], created["size"]) == ("active", len(DATA))
    assert (created["id"] == some_id) is chosen
    assert b"".join(service.download(None, created["id"])) == DATA


def test_created_image_with_wrong_size_is_removed(place: Place, name: str) -> None:
    meta = {"name": name, **FORMATS, "location": f"{place.source}/data", "size": 1}
    with pytest.raises(exceptions.IntegrityError):
        place.target.service().create(None, meta)
    assert place.target.leftovers(name) == []


def test_concurrently_undone_update_is_repeated_without_location() -> None:
    with embedded(shown=True) as (place, glance):
        target = place.target
        image_id = target.make(name="x", properties={"a": "1"})
        meta = {"location": f"{place.source}/data", "properties": {"a": "2"}}
        # The GET that verifies the update returns the properties from before it.
        before = json.dumps({**target.record(image_id), "status": "active"}).encode()
        stale = faults.Replaced(200, body=before, content_type="application/json")
        glance.faults.add(stale, "GET", "images/*", nth=3)
        service = target.service(verify_updates=True)
        service.discover()
        with target.counting() as exchanges:
            changed = service.update(None, image_id, meta, purge_props=False)
        again = ["PATCH", "GET"]
        assert [one.method for one in exchanges] == ["GET", "PATCH", "POST", "GET", "GET", *again]
        assert (changed["status"], changed["properties"]) == ("active", {"a": "2"})


# -- refused locations


def test_unreadable_location_raises_bad_request(place: Place, name: str) -> None:
    # Glance 33 responds with 202, and the image stays queued.
    target = place.target
    image_id = target.make(name=name)
    location = {"location": f"{place.source}/nothing"}
    with pytest.raises(exceptions.ImageBadRequest) as caught:
        target.service().update(None, image_id, location)
    assert caught.value.image_id == image_id
    assert target.record(image_id)["status"] == "queued"
    made = f"{name} made"
    with pytest.raises(exceptions.ImageBadRequest):
        target.service().create(None, {"name": made, **FORMATS, **location})
    assert target.leftovers(made) == []


def test_location_of_image_without_formats_is_refused(place: Place, name: str) -> None:
    # Glance 33 responds with 202 and stores the location, but the image stays queued forever.
    service, target = place.target.service(), place.target
    location = {"location": f"{place.source}/data"}
    image_id = service.create(None, {"name": name, "disk_format": "raw"})["id"]
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest) as caught:
        service.update(None, image_id, location)
    assert methods(exchanges) == ["GET <id>"]
    assert "container_format" in str(caught.value)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        service.create(None, {"name": name, **location})
    assert exchanges == []


def test_setting_location_of_active_image_is_rejected(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name, data=DATA)
    before = target.record(image_id)
    with pytest.raises(exceptions.ImageBadRequest):
        target.service().update(None, image_id, {"location": f"{place.source}/data"})
    assert target.record(image_id) == before


@pytest.mark.parametrize(
    "url",
    ["rbd://cluster/pool/image/snap", "file:///etc/hosts", "é ü", "x" * 250],
)
def test_falls_back_to_patch_when_locations_api_forbids(place: Place, name: str, url: str) -> None:
    target = place.target
    image_id = target.make(name=name)
    with target.counting() as exchanges, pytest.raises(exceptions.GlanceCompatError) as caught:
        target.service().update(None, image_id, {"location": url})
    answered = [(one.method, one.status) for one in exchanges[1:]]
    kind = exceptions.ImageBadRequest if place.shown else exceptions.ImageNotAuthorized
    assert answered == [("POST", 403), ("PATCH", 400 if place.shown else 403)]
    assert type(caught.value) is kind
    assert "http store" in str(caught.value)
    assert target.record(image_id)["status"] == "queued"


@pytest.mark.parametrize("url", ["http://h/\r\nx", "rbd://a/b/c/d\0", "", 1, {}])
def test_invalid_location_url_is_refused_without_a_request(place: Place, url: object) -> None:
    image_id = str(uuid.uuid4())
    with place.target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        place.target.service().update(None, image_id, {"location": url})
    assert exchanges == []


@pytest.mark.parametrize("scheme", ["http://", "rbd://"])
def test_overlong_location_is_refused(place: Place, name: str, scheme: str) -> None:
    target = place.target
    image_id = target.make(name=name)
    with pytest.raises(exceptions.GlanceCompatError):
        target.service().update(None, image_id, {"location": scheme + "x" * 70000})
    assert target.record(image_id)["status"] == "queued"


def test_location_that_server_rejects_is_not_retried_with_patch(place: Place, name: str) -> None:
    # A PATCH would not be subject to Glance's filter for hosts.
    target = place.target
    image_id = target.make(name=name)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        target.service().update(None, image_id, {"location": "http://127.0.0.2:1/x"})
    assert [(one.method, one.status) for one in exchanges] == [("GET", 200), ("POST", 400)]


def test_service_role_may_use_locations_api(place: Place, name: str) -> None:
    # No store has this scheme: Glance accepts the location, and its check fails later.
    target = place.target
    image_id = target.make(user=SERVICE, name=name)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        target.service(SERVICE).update(None, image_id, {"location": "rbd://cluster/pool/i/s"})
    assert [(one.method, one.status) for one in exchanges[:2]] == [("GET", 200), ("POST", 202)]
    assert target.record(image_id)["status"] == "queued"


def test_service_token_permits_locations_api(place: Place, name: str) -> None:
    # As Nova sends them with [service_user]send_service_user_token.
    target = place.target
    image_id = target.make(name=name)
    user, service = target.session().auth, target.session(SERVICE).auth
    assert user is not None
    assert service is not None
    both = ServiceTokenAuthWrapper(user, service)
    context = types.SimpleNamespace(get_auth_plugin=lambda: both)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        target.service().update(context, image_id, {"location": "rbd://cluster/pool/image/snap"})
    assert [(one.method, one.status) for one in exchanges[:2]] == [("GET", 200), ("POST", 202)]


def test_setting_location_of_foreign_image_is_rejected(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(user="other", name=name)
    location = {"location": f"{place.source}/data"}
    with pytest.raises(exceptions.ImageNotFound):
        target.service().update(None, image_id, location)
    target.publish(image_id)
    with pytest.raises(exceptions.ImageNotAuthorized):
        target.service().update(None, image_id, location)
    assert target.record(image_id)["status"] == "queued"


# -- failures during the import


@pytest.fixture
def late() -> Iterator[tuple[Place, GlanceFixture]]:
    """Provide a server whose background work runs only when the test requests it."""
    with embedded(shown=False, task_mode="manual") as found:
        found[0].target.service().discover()
        yield found


def test_location_update_past_deadline_raises_outcome_unknown(
    late: tuple[Place, GlanceFixture],
) -> None:
    place, glance = late
    image_id = place.target.make(name="x")
    service = place.target.service(deadline=0.3)
    with pytest.raises(exceptions.OutcomeUnknown) as caught:
        service.update(None, image_id, {"location": f"{place.source}/data"})
    assert caught.value.image_id == image_id
    glance.run_tasks()
    assert service.show(None, image_id)["status"] == "active"


def test_create_past_deadline_leaves_image_to_server(
    late: tuple[Place, GlanceFixture],
) -> None:
    place, glance = late
    meta = {"name": "x", **FORMATS, "location": f"{place.source}/data"}
    with pytest.raises(exceptions.OutcomeUnknown) as caught:
        place.target.service(deadline=0.3).create(None, meta)
    glance.run_tasks()
    assert place.target.record(str(caught.value.image_id))["status"] == "active"


def test_update_returns_when_location_import_finishes(late: tuple[Place, GlanceFixture]) -> None:
    place, glance = late
    image_id = place.target.make(name="x")
    asked = threading.Event()

    def work() -> None:
        while not asked.wait(0.01):
            glance.run_tasks()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        changed = place.target.service().update(
            None, image_id, {"location": f"{place.source}/data"}
        )
    finally:
        asked.set()
        thread.join()
    assert changed["status"] == "active"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_falls_back_to_patch_without_locations_api(status: int) -> None:
    with embedded(shown=True) as (place, glance):
        image_id = place.target.make(name="x")
        glance.faults.add(faults.Status(status), "POST", "images/*/locations", times=None)
        changed = place.target.service().update(
            None, image_id, {"location": f"{place.source}/data"}
        )
        assert changed["status"] == "active"


def test_older_server_gets_one_patch_with_all_changes() -> None:
    with embedded(shown=True, release="yoga") as (place, _):
        service = place.target.service()
        service.discover()
        image_id = place.target.make(name="x")
        meta = {"name": "y", "location": f"{place.source}/data"}
        with place.target.counting() as exchanges:
            changed = service.update(None, image_id, meta)
        assert methods(exchanges) == ["GET <id>", "PATCH <id>"]
        assert (changed["name"], changed["status"]) == ("y", "active")
