# SPDX-License-Identifier: Apache-2.0
"""Images whose data the server imports, from a URL or from its staging area."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.transport import retry
from tests.cases import check_each
from tests.contract import places
from tests.contract.places import real_place
from tests.contract.shape import DATA, FORMATS, MD5, check, extended
from tests.contract.sites import SOURCES, WEB, Site, site

__all__ = ["real_place", "site"]


def test_data_is_imported_from_url(site: Site, name: str) -> None:
    image = check(site.import_image(name), extended=True)
    assert (image["name"], image["status"], image["size"]) == (name, "active", len(DATA))
    assert (image["checksum"], image["disk_format"]) == (MD5, "raw")
    assert {one for one in image["properties"] if not one.startswith("os_glance_")} == set()
    assert b"".join(site.target.service().download(None, image["id"])) == DATA


def test_import_keeps_the_metadata(site: Site, name: str) -> None:
    meta = {"name": name, **FORMATS, "min_disk": 3, "properties": {"a": "b"}}
    chosen = "aaaaaaaa-0000-4000-8000-" + hashlib.md5(name.encode()).hexdigest()[:12]  # noqa: S324 - an id
    image = site.target.service().import_image(
        None,
        {**meta, "id": chosen, "size": len(DATA), "checksum": MD5},
        uri=f"{site.source}/data",
    )
    assert (image["id"], image["min_disk"], image["properties"]["a"]) == (chosen, 3, "b")
    with pytest.raises(exceptions.Conflict):
        site.target.service().import_image(None, {**meta, "id": chosen}, uri=f"{site.source}/data")
    assert site.target.service().show(None, chosen)["status"] == "active"


def test_host_that_does_not_respond_is_a_failed_import(site: Site, name: str) -> None:
    url = f"{WEB}/unreachable" if site.source == WEB else "http://127.0.0.1:1/none"
    with pytest.raises(exceptions.ImportFailed, match=url):
        site.target.service().import_image(None, {"name": name, **FORMATS}, uri=url)
    assert site.target.leftovers(name) == []


def test_data_is_imported_into_queued_image(site: Site, name: str) -> None:
    service = site.target.service(extended=True)
    image_id = service.create(None, {"name": name, "properties": {"a": "b"}})["id"]
    with pytest.raises(exceptions.ImageBadRequest, match="disk_format and container_format"):
        service.import_data(None, image_id, uri=f"{site.source}/data")
    wrong: Any = ["disk_format"]
    with pytest.raises(exceptions.Invalid):
        service.import_data(None, image_id, wrong, uri=f"{site.source}/data")
    image = service.import_data(None, image_id, FORMATS, uri=f"{site.source}/data")
    check(image, extended=True)
    assert (image["id"], image["status"], image["checksum"]) == (image_id, "active", MD5)
    assert (image["name"], image["properties"]["a"]) == (name, "b")
    with pytest.raises(exceptions.ImageNotActive):
        service.import_data(None, image_id, uri=f"{site.source}/data")


@pytest.mark.parametrize("path", ["/missing", "/cut"])
def test_queued_image_outlives_a_failed_import(site: Site, name: str, path: str) -> None:
    service = site.target.service()
    image_id = service.create(None, {"name": name, **FORMATS})["id"]
    with pytest.raises(exceptions.ImportFailed) as caught:
        service.import_data(None, image_id, uri=f"{site.source}{path}")
    assert f"{site.source}{path}" in str(caught.value)
    assert service.show(None, image_id)["status"] in ("queued", "killed")


@pytest.mark.parametrize("path", ["/missing", "/cut"])
def test_failed_import_leaves_no_image(site: Site, name: str, path: str) -> None:
    with pytest.raises(exceptions.ImportFailed) as caught:
        site.import_image(name, path)
    assert caught.value.reasons
    assert caught.value.failed_stores == (() if site.is_v1 else ("fast",))
    assert f"{site.source}{path}" in str(caught.value)
    assert site.target.leftovers(name) == []


@pytest.mark.parametrize(
    "wrong", [{"size": len(DATA) + 1}, {"checksum": "0" * 32}], ids=["size", "checksum"]
)
def test_import_of_other_data_than_declared_leaves_no_image(
    site: Site, name: str, wrong: dict[str, object]
) -> None:
    meta = {"name": name, **FORMATS, **wrong}
    with pytest.raises(exceptions.IntegrityError, match=next(iter(wrong))):
        site.target.service().import_image(None, meta, uri=f"{site.source}/data")
    assert site.target.leftovers(name) == []


def test_url_that_the_server_refuses_leaves_no_image(site: Site, name: str) -> None:
    # v1 has no filter of hosts.
    filtered = () if site.is_v1 else ("http://10.0.0.1/data",)
    for url in ("file:///etc/passwd", "nothing://user@host/name", *filtered):
        with pytest.raises(exceptions.Invalid) as caught:
            site.target.service().import_image(None, {"name": name, **FORMATS}, uri=url)
        assert "user@" not in str(caught.value)
    assert site.target.leftovers(name) == []


def test_import_without_waiting_returns_the_image_as_it_is(site: Site, name: str) -> None:
    image = site.import_image(name, wait=False)
    assert image["status"] in ("queued", "saving", "importing", "active")
    places.patiently(lambda: site.target.service().show(None, image["id"])["status"] == "active")


def test_progress_reports_each_look_and_cancels(site: Site, name: str) -> None:
    seen: list[tuple[int, int | None]] = []
    site.import_image(name, progress=lambda done, total: seen.append((done, total)))
    assert seen
    assert set(seen) == {(0, None)}

    def cancel(done: int, total: int | None) -> None:
        raise TimeoutError

    cancelled = f"{name} cancelled"
    with pytest.raises(TimeoutError):
        site.import_image(cancelled, progress=cancel)
    assert site.target.leftovers(cancelled) == []


def test_create_copies_from_a_url_on_both(site: Site, name: str) -> None:
    meta = {"name": name, **FORMATS, "copy_from": f"{site.source}/data"}
    image = site.target.service().create(None, meta)
    assert image["properties"] == {}
    places.patiently(lambda: site.target.service().show(None, image["id"])["status"] == "active")
    assert b"".join(site.target.service().download(None, image["id"])) == DATA


def test_uploaded_data_is_imported_into_stores(site: Site, name: str) -> None:
    service = site.target.service(extended=True)
    meta = {"name": name, **FORMATS}
    if site.is_v1:
        for stores in (None, ["fast"]):
            with pytest.raises(exceptions.UnsupportedByVersion, match="glance-direct"):
                service.import_image(None, meta, data=DATA, stores=stores)
        with pytest.raises(exceptions.UnsupportedByVersion, match="stores"):
            site.import_image(name, stores=["fast"])
        assert site.target.leftovers(name) == []
        return
    imports: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({}, ["fast"]),
        ({"stores": ["slow"]}, ["slow"]),
        ({"stores": ("fast", "slow"), "all_stores_must_succeed": False}, ["fast", "slow"]),
        ({"all_stores": True}, ["fast", "slow"]),
    )
    for arguments, wanted in imports:
        seen: list[tuple[int, int | None]] = []
        image = service.import_image(
            None,
            meta,
            data=io.BytesIO(DATA),
            progress=lambda *counts: seen.append(counts),  # noqa: B023 - called in the loop
            **arguments,
        )
        assert (image["status"], image["checksum"]) == ("active", MD5)
        assert sorted(extended(image)["stores"] or []) == wanted
        assert seen[-1] == (len(DATA), len(DATA))
    with pytest.raises(
        exceptions.ImageImportImpossible, match=r"no-such-store.*names of the stores"
    ):
        service.import_image(None, meta, data=DATA, stores=["no-such-store"])
    with pytest.raises(exceptions.ImageImportImpossible, match="no-such-store"):
        site.import_image(name, stores=["fast", "no-such-store"])
    assert len(site.target.leftovers(name)) == 4


# ---------------------------------------------------------------------------------------------
# Without real servers: states that a real server reaches by chance only.

META = {"name": "imported", **FORMATS}
URL = f"{WEB}/data"


@contextlib.contextmanager
def glance(release: str = "33", **settings: Any) -> Iterator[GlanceFixture]:
    with GlanceFixture(
        release=release,
        prefix=f"/{next(_NUMBERS)}",
        sockets=False,
        **{"apis": ("v2",), "sources": SOURCES, **settings},
    ) as made:
        yield made


_NUMBERS = itertools.count(1)


def statuses(made: GlanceFixture) -> list[str]:
    """Return the statuses of the images that are not deleted."""
    return [one.status for one in made.images.values() if not one.deleted]


def service_of(made: GlanceFixture, token: str = "owner", **options: Any) -> ImageService:
    return ImageService(made.session(token), options=Options(extended=True, **options))


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "uri or data"),
    ({"uri": URL, "data": DATA}, "uri or data"),
    ({"uri": "web.invalid/data"}, "web.invalid"),
    ({"uri": "http:///"}, "http"),
    ({"uri": "http://a b"}, "a b"),
    ({"uri": 5}, "5"),
    ({"uri": "http://user:secret@web.invalid/data"}, "web.invalid"),
    ({"uri": URL, "stores": []}, "stores"),
    ({"uri": URL, "stores": "fast"}, "stores"),
    ({"uri": URL, "stores": ["fast", "slow", "fast"]}, "'fast' more than once"),
    ({"uri": URL, "stores": ["fast"], "all_stores": True}, "all_stores"),
    ({"uri": URL, "all_stores": "yes"}, "all_stores"),
    ({"uri": URL, "all_stores_must_succeed": 0}, "all_stores_must_succeed"),
    ({"uri": URL, "wait": "no"}, "wait"),
    ({"uri": URL, "timeout": -1}, "timeout"),
    ({"uri": URL, "timeout": float("nan")}, "timeout"),
    ({"uri": URL, "timeout": "5"}, "timeout"),
    ({"uri": URL, "progress": 5}, "progress"),
    ({"uri": URL, "meta": {"location": URL}}, "location"),
    ({"uri": URL, "meta": {"copy_from": URL}}, "copy_from"),
    ({"uri": URL, "meta": {"store": "fast"}}, "store"),
    ({"uri": URL, "meta": {"disk_format": None}}, "disk_format"),
    ({"uri": URL, "meta": {"size": 5}, "wait": False}, "size"),
    ({"uri": URL, "meta": {"properties": {"os_glance_x": "1"}}}, "os_glance_x"),
)


def check_refused(made: GlanceFixture, arguments: dict[str, Any], named: str) -> None:
    given = {"meta": {}, **arguments}
    with pytest.raises(exceptions.Invalid, match=named) as caught:
        service_of(made).import_image(None, {**META, **given.pop("meta")}, **given)
    assert "secret" not in str(caught.value)
    assert made.images == {}
    assert {one.method for one in made.requests} <= {"GET"}


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_invalid_argument_is_refused_and_named(api: str) -> None:
    with glance("pike" if api == "v1" else "33", apis=(api,)) as made:
        check_each(
            (str(arguments), functools.partial(check_refused, made, arguments, named))
            for arguments, named in WRONG
            # Stores of v1 need user names in URLs.
            if api == "v2" or "secret" not in str(arguments)
        )


@pytest.mark.parametrize("methods", [["glance-direct", "copy-image"], []])
def test_method_that_is_not_enabled_is_unsupported(methods: list[str]) -> None:
    with glance(config={"enabled_import_methods": methods}) as made:
        service = service_of(made)
        with pytest.raises(exceptions.UnsupportedByVersion) as caught:
            service.import_image(None, META, uri=URL)
        assert "web-download" in caught.value.needed
        assert (", ".join(methods) or "(none)") in caught.value.offered
        if not methods:
            with pytest.raises(exceptions.UnsupportedByVersion, match="glance-direct"):
                service.import_image(None, META, data=DATA, stores=["slow"])
        assert made.images == {}


def test_data_is_uploaded_if_the_site_does_not_stage_it() -> None:
    with glance(config={"enabled_import_methods": ["web-download"]}) as made:
        image = service_of(made).import_image(None, META, data=DATA)
        assert (image["status"], image["checksum"]) == ("active", MD5)
        assert not any(
            one.path.endswith("/import") for one in made.requests if one.method == "POST"
        )


def test_method_that_was_disabled_in_the_meantime_is_unsupported() -> None:
    with glance() as made:
        service = service_of(made)
        service.import_image(None, META, uri=URL)
        made.faults.add(faults.Status(400), "POST", "images/*/import")
        made.faults.add(
            faults.Replaced(body=b'{"import-methods": {"value": ["glance-direct"]}}'),
            "GET",
            "info/import",
        )
        with pytest.raises(exceptions.UnsupportedByVersion) as caught:
            service.import_image(None, META, uri=URL)
        assert caught.value.offered.endswith("glance-direct")
        assert statuses(made) == ["active"]


def test_import_methods_are_cached() -> None:
    with glance() as made:
        service = service_of(made)
        service.import_image(None, META, uri=URL)
        del made.requests[:]
        service.import_image(None, META, uri=URL)
        steps = [(one.method, one.path.rpartition("/")[2]) for one in made.requests]
        assert [one for one in steps if one[1] in ("images", "import")] == [
            ("POST", "images"),
            ("POST", "import"),
        ]
        assert [one[0] for one in steps] == ["POST", "POST", "GET"]


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_import_that_does_not_end_is_of_unknown_outcome(api: str) -> None:
    release = "pike" if api == "v1" else "33"
    with glance(release, apis=(api,), task_mode="manual") as made:
        with retry.without_pauses(), pytest.raises(exceptions.OutcomeUnknown) as caught:
            service_of(made).import_image(None, META, uri=URL, timeout=1)
        assert caught.value.image_id in made.images
        assert URL in str(caught.value)
        made.run_tasks()
        assert made.images[str(caught.value.image_id)].status == "active"


def run_at(made: GlanceFixture, look: int, action: Callable[[], object]) -> Callable[..., None]:
    """Return a progress function that does something at one of the looks."""
    numbers = itertools.count(1)

    def progress(done: int, total: int | None) -> None:
        if next(numbers) == look:
            action()

    return progress


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_import_is_awaited(api: str) -> None:
    release = "pike" if api == "v1" else "33"
    with glance(release, apis=(api,), task_mode="manual") as made, retry.without_pauses():
        progress = run_at(made, 4, made.run_tasks)
        image = service_of(made).import_image(None, META, uri=URL, progress=progress)
        assert image["status"] == "active"


@pytest.mark.parametrize("release", ["rocky", "train"])
def test_failure_is_noticed_on_servers_without_import_properties(release: str) -> None:
    with glance(release, task_mode="manual") as made, retry.without_pauses():
        progress = run_at(made, 3, made.run_tasks)
        with pytest.raises(exceptions.ImportFailed):
            service_of(made).import_image(None, META, uri=f"{WEB}/missing", progress=progress)
        assert statuses(made) == []


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_image_that_is_deleted_meanwhile_is_a_failure(api: str) -> None:
    release = "pike" if api == "v1" else "33"
    with glance(release, apis=(api,), task_mode="manual") as made, retry.without_pauses():
        other = service_of(made, "admin:admin:admin")

        def delete() -> None:
            [image] = made.images.values()
            other.delete(None, image.id)

        with pytest.raises(exceptions.ImportFailed):
            service_of(made).import_image(None, META, uri=URL, progress=run_at(made, 2, delete))


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_server_that_restarts_is_asked_again(api: str) -> None:
    release = "pike" if api == "v1" else "33"
    method = "HEAD" if api == "v1" else "GET"
    with glance(release, apis=(api,), task_mode="manual") as made, retry.without_pauses():
        made.faults.add(faults.Status(503), method, "images/*", times=2)
        made.faults.add(faults.ResetBefore(), method, "images/*", times=2)
        progress = run_at(made, 5, made.run_tasks)
        image = service_of(made).import_image(None, META, uri=URL, progress=progress)
        assert image["status"] == "active"


def test_token_that_expires_while_waiting_leaves_the_outcome_unknown() -> None:
    with glance(task_mode="manual") as made, retry.without_pauses():
        made.faults.add(faults.Status(403), "GET", "images/*")
        with pytest.raises(exceptions.OutcomeUnknown) as caught:
            service_of(made).import_image(None, META, uri=URL)
        assert caught.value.image_id in made.images


def test_lost_response_of_an_import_is_looked_up() -> None:
    with glance(task_mode="manual") as made, retry.without_pauses():
        made.faults.add(faults.ResponseLost(), "POST", "images/*/import")
        progress = run_at(made, 2, made.run_tasks)
        image = service_of(made).import_image(None, META, uri=URL, progress=progress)
        assert (image["status"], len(made.images)) == ("active", 1)
        sent = [one for one in made.requests if one.path.endswith("/import")]
        assert [one.method for one in sent].count("POST") == 1


def test_lost_import_request_is_repeated_with_a_new_image() -> None:
    with glance() as made, retry.without_pauses():
        made.faults.add(faults.ResetBefore(), "POST", "images/*/import")
        made.faults.add(faults.ResetBefore(), "PUT", "images/*/stage")
        service = service_of(made)
        assert service.import_image(None, META, uri=URL)["status"] == "active"
        assert service.import_image(None, META, data=DATA)["checksum"] == MD5
        assert statuses(made) == ["active", "active"]


def test_interrupt_while_waiting_removes_the_image() -> None:
    def interrupt(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with glance(task_mode="manual") as made:
        with pytest.raises(KeyboardInterrupt):
            service_of(made).import_image(None, META, uri=URL, progress=interrupt)
        assert statuses(made) == []


def test_url_is_shown_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    secret = f"{WEB}/missing?signature=secret"
    caplog.set_level("DEBUG", logger="glance_compat")
    with glance(sources={secret: 404}) as made, pytest.raises(exceptions.ImportFailed) as caught:
        service_of(made).import_image(None, META, uri=secret)
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.reasons)
    own = [one.getMessage() for one in caplog.records if ".fixture" not in one.name]
    assert "secret" not in "".join(own)


def test_store_that_fails_is_named() -> None:
    with glance() as made:
        made.broken_stores.add("slow")
        service = service_of(made)
        with pytest.raises(exceptions.ImportFailed) as caught:
            service.import_image(None, META, data=DATA, stores=["fast", "slow"])
        assert caught.value.failed_stores == ("slow",)
        assert statuses(made) == []
        image = service.import_image(
            None, META, uri=URL, all_stores=True, all_stores_must_succeed=False
        )
        assert extended(image)["stores"] == ["fast"]
        assert image["properties"]["os_glance_failed_import"] == "slow"


def test_store_of_a_server_before_several_stores_is_named_in_a_header() -> None:
    backends = {"enabled_backends": ["fast", "slow"]}
    with glance("train", config=backends) as made:
        service = service_of(made)
        image = service.import_image(None, META, uri=URL, stores=["slow"])
        assert extended(image)["stores"] == ["slow"]
        for arguments in ({"stores": ["fast", "slow"]}, {"all_stores": True}):
            with pytest.raises(exceptions.UnsupportedByVersion, match=r"v2\.10"):
                service.import_image(None, META, uri=URL, **arguments)


def test_create_with_copy_from_refuses_what_v2_does_not_compare() -> None:
    with glance() as made:
        for extra in ({"size": 5}, {"checksum": MD5}):
            with pytest.raises(exceptions.UnsupportedByVersion):
                service_of(made).create(None, {**META, "copy_from": URL, **extra})
        with pytest.raises(exceptions.ImageBadRequest, match="disk_format"):
            service_of(made).create(None, {"name": "x", "copy_from": URL})
        assert made.images == {}
        created = service_of(made).create(None, {**META, "copy_from": URL, "store": "slow"})
        assert made.images[created["id"]].stores == ("slow",)
