# SPDX-License-Identifier: Apache-2.0
"""The tasks of an image, and its locations: listing them, and adding one."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract.places import Place, embedded, patiently, place, real_place
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.sites import Site, site
from tests.contract.targets import Target, on_each_api, on_pike, on_v2

__all__ = ["place", "real_place", "site"]

SHA512 = hashlib.sha512(DATA).hexdigest()
HASH: dict[str, Any] = {"os_hash_algo": "sha512", "os_hash_value": SHA512}
MISSING = "00000000-0000-4000-8000-000000000000"


def test_tasks_of_an_import_are_listed(site: Site, name: str) -> None:
    service = site.target.service()
    image_id = site.import_image(name)["id"]
    if site.is_v1:
        with pytest.raises(exceptions.UnsupportedByVersion, match="tasks"):
            service.tasks(None, image_id)
        return
    [task] = service.tasks(None, image_id)
    assert (task["type"], task["status"]) == ("api_image_import", "success")
    assert task["created_at"] is not None
    assert task["updated_at"] is not None
    assert task["updated_at"] >= task["created_at"]
    with pytest.raises(exceptions.ImageNotFound):
        service.tasks(None, MISSING)


@on_pike
def test_pike_has_no_tasks_of_an_image(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    with pytest.raises(exceptions.UnsupportedByVersion, match="tasks"):
        target.service().tasks(None, image_id)


@on_v2
def test_shown_locations_are_listed(target: Target, name: str) -> None:
    service = target.service()
    image_id = target.make(name=name, data=DATA)
    shown = service.show(None, image_id, include_locations=True)["locations"]
    assert service.locations(None, image_id) == shown
    assert len(shown) == 1
    assert service.locations(None, target.make(name=name)) == []
    with pytest.raises(exceptions.ImageNotFound):
        service.locations(None, MISSING)


def test_v1_has_no_locations(name: str, site: Site) -> None:
    meta = {"name": name, **FORMATS}
    image_id = site.target.service().create(None, meta, data=DATA)["id"]
    if site.is_v1:
        with pytest.raises(exceptions.UnsupportedByVersion, match="locations"):
            site.target.service().locations(None, image_id)
    else:
        assert len(site.target.service("admin").locations(None, image_id)) == 1


def test_locations_are_listed_for_services_only_unless_shown(place: Place, name: str) -> None:
    image_id = place.target.make(name=name)
    place.target.service().add_location(None, image_id, f"{place.source}/data")
    patiently(lambda: place.target.service().show(None, image_id)["status"] == "active")
    [location] = place.target.service("admin").locations(None, image_id)
    assert location["url"] == f"{place.source}/data"
    if place.shown:
        assert place.target.service().locations(None, image_id) == [location]
    else:
        with pytest.raises(exceptions.ImageNotAuthorized):
            place.target.service().locations(None, image_id)


def test_location_is_added_without_waiting(place: Place, name: str) -> None:
    service = place.target.service(extended=True)
    image_id = place.target.make(name=name)
    url = f"{place.source}/data"
    added = service.add_location(None, image_id, url, **HASH)
    assert added["id"] == image_id
    assert added["status"] in ("queued", "importing", "active")
    patiently(lambda: service.show(None, image_id)["status"] == "active")
    stored = extended(service.show(None, image_id))
    assert stored["size"] == len(DATA)
    assert (stored["os_hash_algo"], stored["os_hash_value"]) == ("sha512", SHA512)


def test_wrong_hash_does_not_activate_an_image(place: Place, name: str) -> None:
    if not place.hashes:
        # Without do_secure_hash, the server stores any hash.
        return
    image_id = place.target.make(name=name)
    service = place.target.service()
    service.add_location(
        None,
        image_id,
        f"{place.source}/data",
        os_hash_algo="sha512",
        os_hash_value="0" * 128,
    )
    patiently(lambda: service.tasks(None, image_id)[0]["status"] == "failure")
    assert service.show(None, image_id)["status"] != "active"


def test_metadata_needs_a_server_that_shows_locations(place: Place, name: str) -> None:
    image_id = place.target.make(name=name)
    service, url = place.target.service("admin"), f"{place.source}/data"
    if not place.shown:
        with pytest.raises(exceptions.ImageNotAuthorized):
            service.add_location(None, image_id, url, metadata={"a": "b"})
        assert place.target.record(image_id)["status"] == "queued"
        return
    added = service.add_location(None, image_id, url, metadata={"a": "b"}, **HASH)
    assert (added["status"], added["size"]) == ("active", len(DATA))
    [location] = service.locations(None, image_id)
    assert location["metadata"]["a"] == "b"


def test_image_without_formats_is_refused(place: Place, name: str) -> None:
    image_id = place.target.make(name=name, disk_format=None)
    with pytest.raises(exceptions.ImageBadRequest, match="disk_format"):
        place.target.service().add_location(None, image_id, f"{place.source}/data")
    assert place.target.record(image_id)["status"] == "queued"


@on_pike
def test_location_is_added_on_pike(target: Target, name: str, source: str) -> None:
    image_id = target.make(name=name)
    service = target.service()
    if target.kind.region is None:
        # The embedded Pike of these tests has no web server.
        with pytest.raises(exceptions.GlanceCompatError):
            service.add_location(None, image_id, f"{source}/data")
    else:
        added = service.add_location(None, image_id, f"{source}/data")
        assert (added["status"], added["size"]) == ("active", len(DATA))


@on_pike
def test_pike_cannot_store_a_hash_of_a_location(target: Target, name: str, source: str) -> None:
    image_id = target.make(name=name)
    before = target.record(image_id)
    with pytest.raises(exceptions.UnsupportedByVersion, match="os_hash_value"):
        target.service().add_location(None, image_id, f"{source}/data", **HASH)
    if target.is_v1:
        with pytest.raises(exceptions.UnsupportedByVersion, match="metadata"):
            target.service().add_location(None, image_id, f"{source}/data", metadata={"a": "b"})
    assert target.record(image_id) == before


URL = "http://web.invalid/data"
WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"url": "web.invalid/data"}, "url"),
    ({"url": "http://user:secret@a b"}, "url"),
    ({"url": 5}, "url"),
    ({"metadata": "a"}, "metadata"),
    ({"metadata": {5: "a"}}, "metadata"),
    ({"metadata": {"a": object()}}, "metadata"),
    ({"metadata": {"a": float("nan")}}, "metadata"),
    ({"os_hash_algo": "sha512"}, "os_hash_value"),
    ({"os_hash_value": SHA512}, "os_hash_algo"),
    ({"os_hash_algo": "sha9", "os_hash_value": SHA512}, "sha9"),
    ({"os_hash_algo": "sha512", "os_hash_value": SHA512[1:]}, "127"),
    ({"os_hash_algo": "sha512", "os_hash_value": "x" * 128}, "hexadecimal"),
    ({"os_hash_algo": ["sha512"], "os_hash_value": SHA512}, "os_hash_algo"),
)


@on_each_api
def test_invalid_location_is_refused_without_a_request(target: Target) -> None:
    with target.counting() as exchanges:
        for arguments, named in WRONG:
            with pytest.raises(exceptions.Invalid, match=named) as caught:
                target.service().add_location(None, MISSING, **{"url": URL, **arguments})
            assert "secret" not in str(caught.value)
    assert exchanges == []


def test_refused_location_is_shown_without_credentials(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="glance_compat")
    with embedded(True) as (place, _):
        image_id = place.target.make(name=name)
        service = place.target.service()
        for url in ("http://user:secret@elsewhere.invalid/x?key=secret", "rbd://secret@x/y/z/s"):
            with pytest.raises(exceptions.GlanceCompatError) as caught:
                service.add_location(None, image_id, url)
            assert "secret" not in str(caught.value)
    own = [one.getMessage() for one in caplog.records if ".fixture" not in one.name]
    assert "secret" not in "".join(own)


def test_second_location_is_added_where_locations_are_shown(name: str) -> None:
    other = "http://web.invalid/other"
    with embedded(True, sources={URL: DATA, other: DATA}) as (place, _):
        image_id = place.target.make(name=name)
        service = place.target.service()
        for url in (URL, other):
            service.add_location(None, image_id, url)
        assert [one["url"] for one in service.locations(None, image_id)] == [URL, other]
