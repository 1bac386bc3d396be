# SPDX-License-Identifier: Apache-2.0
"""Stores: listing them, copying data to more of them, deleting it from one; and references."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.transport import retry
from tests.contract.places import patiently
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Kind, Target, is_usual, on_33, on_each_api, on_v1, only


def is_older_v2(kind: Kind) -> bool:
    return is_usual(kind) and kind.api == "v2" and kind.release == "pike"


def other_store(service: ImageService, image_id: str) -> str:
    """Return the one of two stores that does not have the data of an image."""
    [first] = extended(service.show(None, image_id))["stores"] or []
    [other] = {"fast", "slow"} - {first}
    return other


@on_33
def test_data_is_copied_to_another_store(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service("admin", extended=True)
    other = other_store(service, image_id)
    started = service.copy_to_stores(None, image_id, [other])
    assert started["status"] == "active"
    copied: list[str] = []

    def is_copied() -> bool:
        copied[:] = extended(service.show(None, image_id))["stores"] or []
        return len(copied) == 2

    patiently(is_copied)
    assert sorted(copied) == ["fast", "slow"]
    # The data is stored slightly before the server's task ends.
    patiently(lambda: "os_glance_import_task" not in target.record(image_id))
    with pytest.raises(exceptions.ImageBadRequest, match=other):
        service.copy_to_stores(None, image_id, [other])
    assert service.copy_to_stores(None, image_id, all_stores=True)["status"] == "active"


@on_33
@pytest.mark.parametrize("everywhere", [False, True])
def test_copy_to_stores_is_awaited(target: Target, name: str, everywhere: bool) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service("admin", extended=True)
    looks: list[tuple[int, int | None]] = []
    image = service.copy_to_stores(
        None,
        image_id,
        None if everywhere else [other_store(service, image_id)],
        all_stores=everywhere,
        wait=True,
        progress=lambda *counts: looks.append(counts),
    )
    assert sorted(extended(image)["stores"] or []) == ["fast", "slow"]
    assert set(looks) == {(0, None)}
    # Nothing is left to copy.
    again = service.copy_to_stores(None, image_id, all_stores=True, wait=True)
    assert sorted(extended(again)["stores"] or []) == ["fast", "slow"]


@on_33
def test_impossible_copy_to_stores_is_refused(target: Target, name: str) -> None:
    service = target.service("admin")
    image_id = target.make(name=name, data=DATA)
    before = target.record(image_id)
    with pytest.raises(exceptions.ImageImportImpossible, match="no-such-store"):
        service.copy_to_stores(None, image_id, ["no-such-store"], wait=True)
    with pytest.raises(exceptions.ImageImportImpossible, match="active"):
        service.copy_to_stores(None, target.make(name=name), ["fast"], wait=True)
    with pytest.raises(exceptions.ImageNotAuthorized):
        target.service().copy_to_stores(None, image_id, ["fast"], wait=True)
    with pytest.raises(exceptions.ImageNotFound):
        service.copy_to_stores(None, "00000000-0000-4000-8000-000000000000", ["fast"])
    assert target.record(image_id) == before


@on_33
def test_stores_are_listed_with_their_roles(target: Target) -> None:
    plain = target.service().stores(target.context())
    assert [(one["id"], one["read_only"], one["type"]) for one in plain] == [
        ("fast", False, None),
        ("slow", False, None),
    ]
    assert [one["default"] for one in plain].count(True) == 1
    detailed = target.service("admin").stores(target.context("admin"))
    assert detailed == [{**one, "type": "file"} for one in plain]


@on_33
def test_data_is_deleted_from_one_of_two_stores(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service("admin", extended=True)
    [first] = extended(service.show(None, image_id))["stores"] or []
    [other] = {"fast", "slow"} - {first}
    with pytest.raises(exceptions.ImageDeleteConflict, match="no other store"):
        service.delete_from_store(None, image_id, first)
    for store in (other, "no-such-store", "größe"):
        with pytest.raises(exceptions.NotFound, match=store) as caught:
            service.delete_from_store(None, image_id, store)
        assert caught.value.image_id == image_id
    service.copy_to_stores(None, image_id, [other], wait=True)
    with pytest.raises(exceptions.ImageNotAuthorized):
        target.service().delete_from_store(None, image_id, first)
    assert service.delete_from_store(None, image_id, first) is True
    assert extended(service.show(None, image_id))["stores"] == [other]
    assert b"".join(service.download(None, image_id)) == DATA
    with pytest.raises(exceptions.NotFound):
        service.delete_from_store(None, image_id, first)


@on_33
def test_image_without_data_is_in_no_store(target: Target, name: str) -> None:
    service = target.service("admin")
    with pytest.raises(exceptions.ImageNotActive, match="queued"):
        service.delete_from_store(None, target.make(name=name), "fast")
    with pytest.raises(exceptions.ImageNotFound):
        service.delete_from_store(None, "00000000-0000-4000-8000-000000000000", "fast")


@on_v1
def test_v1_has_no_stores(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    with pytest.raises(exceptions.UnsupportedByVersion, match="Images API v2"):
        target.service().copy_to_stores(None, image_id, ["fast"])


@only(is_older_v2)
def test_older_v2_has_no_stores(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    with pytest.raises(exceptions.UnsupportedByVersion, match="stores"):
        target.service().copy_to_stores(None, image_id, ["fast"])


@on_each_api
def test_invalid_arguments_of_a_copy_are_refused_without_a_request(target: Target) -> None:
    wrong: list[dict[str, Any]] = [
        {"stores": "fast"},
        {"stores": []},
        {"stores": ()},
        {"stores": None},
        {"stores": ["fast"], "all_stores": True},
        {"all_stores": "yes"},
        {"stores": ["fast"], "wait": 1},
        {"stores": ["fast"], "progress": 5},
    ]
    with target.counting() as requests:
        for arguments in wrong:
            with pytest.raises(exceptions.Invalid):
                target.service().copy_to_stores(None, "some-id", **arguments)
    assert requests == []


# ---------------------------------------------------------------------------------------------
# Without real servers: states that a real server reaches by chance only.

IMAGE_ID = "aaaaaaaa-0000-4000-8000-000000000001"
STORED = {"id": IMAGE_ID, "data": DATA, "stores": ["fast"], **FORMATS}
_NUMBERS = itertools.count(1)


@contextlib.contextmanager
def glance(**settings: Any) -> Iterator[GlanceFixture]:
    with GlanceFixture(
        release="33",
        prefix=f"/stores/{next(_NUMBERS)}",
        sockets=False,
        images=[STORED],
        **settings,
    ) as made:
        yield made


def service_of(made: GlanceFixture, **options: Any) -> ImageService:
    chosen = Options(**{"extended": True, "settle_timeout": 5, **options})
    return ImageService(made.session("admin:admin:admin"), options=chosen)


def test_copy_that_fails_names_the_store() -> None:
    with glance(config={"enabled_backends": ["fast", "slow", "cold"]}) as made:
        made.broken_stores.add("cold")
        given: list[dict[str, Any]] = [{"stores": ["slow", "cold"]}, {"all_stores": True}]
        for arguments in given:
            with pytest.raises(exceptions.ImportFailed) as caught:
                service_of(made).copy_to_stores(None, IMAGE_ID, wait=True, **arguments)
            assert "cold" in caught.value.failed_stores
            assert caught.value.reasons == ("Task failed due to Internal Error",)
            assert made.images[IMAGE_ID].stores == ("fast",)
        # A later copy to another store is not confused by it.
        image = service_of(made).copy_to_stores(None, IMAGE_ID, ["slow"], wait=True)
        assert extended(image)["stores"] == ["fast", "slow"]


def test_second_copy_while_a_store_copies_is_refused() -> None:
    with glance(task_mode="manual") as made:
        service = service_of(made)
        service.copy_to_stores(None, IMAGE_ID, ["slow"])
        with pytest.raises(exceptions.ImageImportImpossible, match="active task"):
            service.copy_to_stores(None, IMAGE_ID, ["slow"])
        made.run_tasks()
        assert made.images[IMAGE_ID].stores == ("fast", "slow")


def test_copy_that_the_server_forgets_is_of_unknown_outcome() -> None:
    with glance(task_mode="manual") as made, retry.without_pauses():
        with pytest.raises(exceptions.OutcomeUnknown, match="slow") as caught:
            service_of(made).copy_to_stores(None, IMAGE_ID, ["slow"], wait=True)
        assert caught.value.image_id == IMAGE_ID
        assert made.images[IMAGE_ID].status == "active"


def test_lost_response_of_a_copy_is_looked_up() -> None:
    with glance() as made, retry.without_pauses():
        for fault in (faults.ResponseLost(), faults.ResetBefore(), faults.Status(503)):
            made.reset()
            made.faults.add(fault, "POST", "images/*/import")
            image = service_of(made).copy_to_stores(None, IMAGE_ID, ["slow"], wait=True)
            assert extended(image)["stores"] == ["fast", "slow"]


def test_copy_whose_response_and_look_are_lost_is_not_repeated_twice() -> None:
    with glance() as made, retry.without_pauses():
        made.faults.add(faults.ResponseLost(), "POST", "images/*/import")
        made.faults.add(faults.ResetBefore(), "GET", "images/*")
        image = service_of(made).copy_to_stores(None, IMAGE_ID, ["slow"], wait=True)
        assert extended(image)["stores"] == ["fast", "slow"]


def test_copy_on_a_site_without_the_method_is_unsupported() -> None:
    with glance(config={"enabled_import_methods": ["web-download"]}) as made:
        with pytest.raises(exceptions.UnsupportedByVersion, match="copy-image") as caught:
            service_of(made).copy_to_stores(None, IMAGE_ID, ["slow"])
        assert caught.value.offered.endswith("web-download")


def test_resolve_accepts_id_or_href(target: Target) -> None:
    service = target.service()
    with target.counting() as requests:
        assert service.resolve(None, "some-id") == "some-id"
        for version in ("", "/v1", "/v2"):
            assert service.resolve(None, f"{target.url}{version}/images/some-id") == "some-id"
        for wrong in ("http://elsewhere.invalid/v2/images/some-id", "a/b", "../b", ""):
            with pytest.raises(exceptions.InvalidImageRef):
                service.resolve(None, wrong)
    assert requests == []
