# SPDX-License-Identifier: Apache-2.0
"""Locations given over the API that Glance has for them since v2.17, and what stands in for it.

Servers with an http store, embedded and real: one that shows locations, and so lets them be added
by PATCH as well, and one that does not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import tenacity

from glance_compat import exceptions
from glance_compat.fixture import GlanceFixture, faults
from tests.contract import targets
from tests.contract.shape import DATA, FORMATS, MD5
from tests.contract.targets import Exchange, Kind, Target
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS

HASH = hashlib.sha512(DATA).hexdigest()

#: Has the role service.
SERVICE = "glance"
ROLES = {"admin": "admin", "demo": "member", "other": "member", SERVICE: "service"}
PROJECTS = {user: f"{user}-project" for user in ROLES}

Where = Literal["embedded", "embedded-unshown", "33-web", "33-web-unshown"]
REAL: tuple[Where, ...] = ("33-web", "33-web-unshown")


@dataclasses.dataclass(frozen=True)
class Place:
    """A server with an http store.

    :param source: the URL of what it has as a store: DATA at /data.
    :param shown: whether locations are shown, and so may be added by PATCH.
    :param hashes: whether data at a location is hashed.
    """

    target: Target
    source: str
    shown: bool
    hashes: bool


@contextlib.contextmanager
def embedded(shown: bool, **settings: Any) -> Iterator[tuple[Place, GlanceFixture]]:
    source = "http://web.invalid"
    with GlanceFixture(
        prefix="shown" if shown else "unshown",
        sockets=False,
        show_locations=shown,
        stores=["fast", "web:http"],
        **{
            "release": "33",
            "sources": {f"{source}/data": DATA, f"{source}/nothing": 404},
            **settings,
        },
    ) as glance:
        target = Target(
            kind=Kind("mounted-33", "v2", "33"),
            url=glance.url,
            wide_url=glance.url,
            place={"endpoint_override": glance.url},
            prefer="2",
            connect=lambda user: glance.session(f"{user}:{PROJECTS[user]}:{ROLES[user]}"),
            projects=PROJECTS,
        )
        yield Place(target, source, shown, hashes=True), glance


@pytest.fixture(scope="module")
def real_place(cloud: Cloud, source: str) -> Iterator[Callable[[Where], Place]]:
    with contextlib.ExitStack() as stack:

        def opened(where: Where) -> Place:
            wanted = [one for one in (*SERVERS, *VARIANTS) if one.name in ("keystone", *REAL)]
            outcome = lifecycle.extend(Layout.from_environment(), print, wanted)
            more = Cloud(outcome, cloud.unavailable)
            target = targets.real(Kind(where, "v2", "33", region=where), more)
            stack.callback(target.clean)
            shown = where == "33-web"
            return Place(target, source, shown, hashes=shown)

        yield opened


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(where, marks=[pytest.mark.functional] if where in REAL else [])
        for where in ("embedded", "embedded-unshown", *REAL)
    ],
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    where: Where = request.param
    if where in REAL:
        found: Place = request.getfixturevalue("real_place")(where)
        found.target.service().discover()
        yield found
        return
    with embedded(where == "embedded") as (made, _):
        made.target.service().discover()
        yield made


def patiently(condition: Callable[[], bool]) -> None:
    """Wait for what a server does behind its answers."""
    tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda met: not met),
        stop=tenacity.stop_after_delay(60),
        wait=tenacity.wait_fixed(0.05),
    )(condition)


def methods(exchanges: list[Exchange]) -> list[str]:
    """The methods of some requests, one for all the looks that follow each other."""
    words = [(one.method, one.path.rpartition("/")[2]) for one in exchanges]
    found = [f"{method} {'<id>' if '-' in last else last}" for method, last in words]
    return [
        one for at, one in enumerate(found) if one != "GET <id>" or found[at - 1 : at] != [one]
    ]


# -- given


def test_an_image_is_active_when_the_call_is_over(place: Place, name: str) -> None:
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


def test_its_data_is_hashed_later_where_the_server_is_told_to(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name)
    service = target.service(extended=True)
    service.update(None, image_id, {"location": f"{place.source}/data"})
    task = "os_glance_import_task"
    patiently(lambda: task not in service.show(None, image_id)["properties"])
    found = service.show(None, image_id)
    expected = (MD5, "sha512", HASH) if place.hashes else (None, None, None)
    assert (found["checksum"], found["os_hash_algo"], found["os_hash_value"]) == expected


def test_the_rest_of_an_update_goes_before_it(place: Place, name: str) -> None:
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


def test_formats_may_come_with_it(place: Place, name: str) -> None:
    service = place.target.service()
    created = service.create(None, {"name": name})
    meta = {**FORMATS, "location": f"{place.source}/data"}
    changed = service.update(None, created["id"], meta, purge_props=False)
    assert (changed["status"], changed["disk_format"]) == ("active", FORMATS["disk_format"])


@pytest.mark.parametrize("chosen", [False, True])
def test_an_image_is_created_with_it(place: Place, name: str, chosen: bool) -> None:
    target, some_id = place.target, str(uuid.uuid4())
    service = target.service()
    meta = {"name": name, **FORMATS, "location": f"{place.source}/data", "size": len(DATA)}
    with target.counting() as exchanges:
        created = service.create(None, {**meta, "id": some_id} if chosen else meta)
    assert methods(exchanges) == ["POST images", "POST locations", "GET <id>"]
    assert (created["status"], created["size"]) == ("active", len(DATA))
    assert (created["id"] == some_id) is chosen
    assert b"".join(service.download(None, created["id"])) == DATA


def test_what_is_created_with_another_size_is_removed(place: Place, name: str) -> None:
    meta = {"name": name, **FORMATS, "location": f"{place.source}/data", "size": 1}
    with pytest.raises(exceptions.IntegrityError):
        place.target.service().create(None, meta)
    assert place.target.leftovers(name) == []


# -- refused


def test_a_location_of_nothing_is_not_taken_for_one(place: Place, name: str) -> None:
    # Glance 33 answers 202, and leaves the image queued.
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


def test_an_image_without_formats_is_not_given_one(place: Place, name: str) -> None:
    # Glance 33 answers 202, keeps the location, and leaves the image queued for ever.
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


def test_an_active_image_takes_none(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(name=name, data=DATA)
    before = target.record(image_id)
    with pytest.raises(exceptions.ImageBadRequest):
        target.service().update(None, image_id, {"location": f"{place.source}/data"})
    assert target.record(image_id) == before


@pytest.mark.parametrize(
    "url",
    ["rbd://cluster/pool/image/snap", "file:///etc/hosts", "é ü\r\n\t\0", "x" * 250],
)
def test_whom_the_api_refuses_is_let_in_by_a_patch_or_not_at_all(
    place: Place, name: str, url: str
) -> None:
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


@pytest.mark.parametrize("scheme", ["http://", "rbd://"])
def test_a_location_that_is_too_long_is_refused(place: Place, name: str, scheme: str) -> None:
    target = place.target
    image_id = target.make(name=name)
    with pytest.raises(exceptions.GlanceCompatError):
        target.service().update(None, image_id, {"location": scheme + "x" * 70000})
    assert target.record(image_id)["status"] == "queued"


def test_what_the_server_may_not_fetch_is_no_way_around_that(place: Place, name: str) -> None:
    # A PATCH would not be filtered.
    target = place.target
    image_id = target.make(name=name)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        target.service().update(None, image_id, {"location": "http://127.0.0.2:1/x"})
    assert [(one.method, one.status) for one in exchanges] == [("GET", 200), ("POST", 400)]


def test_a_service_may_give_what_a_user_may_not(place: Place, name: str) -> None:
    # There is no such store: it is taken, and turns out to be wrong.
    target = place.target
    image_id = target.make(user=SERVICE, name=name)
    with target.counting() as exchanges, pytest.raises(exceptions.ImageBadRequest):
        target.service(SERVICE).update(None, image_id, {"location": "rbd://cluster/pool/i/s"})
    assert [(one.method, one.status) for one in exchanges[:2]] == [("GET", 200), ("POST", 202)]
    assert target.record(image_id)["status"] == "queued"


def test_an_image_of_somebody_else_is_refused(place: Place, name: str) -> None:
    target = place.target
    image_id = target.make(user="other", name=name)
    location = {"location": f"{place.source}/data"}
    with pytest.raises(exceptions.ImageNotFound):
        target.service().update(None, image_id, location)
    target.publish(image_id)
    with pytest.raises(exceptions.ImageNotAuthorized):
        target.service().update(None, image_id, location)
    assert target.record(image_id)["status"] == "queued"


# -- what happens on the way


@pytest.fixture
def late() -> Iterator[tuple[Place, GlanceFixture]]:
    """A server that does what it does behind its answers when it is told to."""
    with embedded(shown=False, tasks="when told") as found:
        found[0].target.service().discover()
        yield found


def test_what_takes_longer_than_a_call_may_is_told(late: tuple[Place, GlanceFixture]) -> None:
    place, glance = late
    image_id = place.target.make(name="x")
    service = place.target.service(deadline=0.3)
    with pytest.raises(exceptions.OutcomeUnknown) as caught:
        service.update(None, image_id, {"location": f"{place.source}/data"})
    assert caught.value.image_id == image_id
    glance.run_tasks()
    assert service.show(None, image_id)["status"] == "active"


def test_what_is_created_is_left_to_a_server_that_still_looks(
    late: tuple[Place, GlanceFixture],
) -> None:
    place, glance = late
    meta = {"name": "x", **FORMATS, "location": f"{place.source}/data"}
    with pytest.raises(exceptions.OutcomeUnknown) as caught:
        place.target.service(deadline=0.3).create(None, meta)
    glance.run_tasks()
    assert place.target.record(str(caught.value.image_id))["status"] == "active"


def test_the_call_ends_when_the_server_is_done(late: tuple[Place, GlanceFixture]) -> None:
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
def test_a_server_that_has_no_such_api_after_all_takes_a_patch(status: int) -> None:
    with embedded(shown=True) as (place, glance):
        image_id = place.target.make(name="x")
        glance.faults.add(faults.Status(status), "POST", "images/*/locations", times=None)
        changed = place.target.service().update(
            None, image_id, {"location": f"{place.source}/data"}
        )
        assert changed["status"] == "active"


def test_an_older_server_is_given_a_patch_with_all_of_the_change() -> None:
    with embedded(shown=True, release="yoga") as (place, _):
        service = place.target.service()
        service.discover()
        image_id = place.target.make(name="x")
        meta = {"name": "y", "location": f"{place.source}/data"}
        with place.target.counting() as exchanges:
            changed = service.update(None, image_id, meta)
        assert methods(exchanges) == ["GET <id>", "PATCH <id>"]
        assert (changed["name"], changed["status"]) == ("y", "active")
