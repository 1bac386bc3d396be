# SPDX-License-Identifier: Apache-2.0
"""Stores: listing them, copying data to more of them, deleting it from one; and references."""

from __future__ import annotations

import pytest
import tenacity

from glance_compat import ImageService, exceptions
from tests.contract.shape import DATA, extended
from tests.contract.targets import Kind, Target, is_usual, on_33, on_each_api, on_v1, only


def is_real_33(kind: Kind) -> bool:
    return kind.region is not None and kind.release == "33"


def is_older_v2(kind: Kind) -> bool:
    return is_usual(kind) and kind.api == "v2" and kind.release == "pike"


def until_stored(service: ImageService, image_id: str, stores: int) -> list[str]:
    """Wait until a number of stores have the data, and return their names."""
    waiting = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda found: len(found) != stores),
        stop=tenacity.stop_after_delay(120),
        wait=tenacity.wait_fixed(0.2),
    )
    return waiting(lambda: extended(service.show(None, image_id))["stores"] or [])


@only(is_real_33)
def test_data_is_copied_to_another_store(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service("admin", extended=True)
    [first] = extended(service.show(None, image_id))["stores"] or []
    [other] = {"fast", "slow"} - {first}

    with target.counting() as requests:
        service.copy_to_stores(None, image_id, [other])
    assert [one.method for one in requests] == ["POST"]
    assert sorted(until_stored(service, image_id, 2)) == ["fast", "slow"]
    # The data is stored slightly before the server's task ends.
    again = tenacity.retry(
        retry=tenacity.retry_if_exception_type(exceptions.ImageImportImpossible),
        stop=tenacity.stop_after_delay(120),
        wait=tenacity.wait_fixed(0.2),
    )(service.copy_to_stores)
    with pytest.raises(exceptions.ImageBadRequest):
        again(None, image_id, [other])


@only(is_real_33)
def test_impossible_copy_to_stores_is_refused(target: Target, name: str) -> None:
    service = target.service("admin")
    image_id = target.make(name=name, data=DATA)
    with pytest.raises(exceptions.ImageImportImpossible):
        service.copy_to_stores(None, image_id, ["no-such-store"])
    with pytest.raises(exceptions.ImageImportImpossible):
        service.copy_to_stores(None, target.make(name=name), ["fast"])
    with pytest.raises(exceptions.ImageNotAuthorized):
        target.service().copy_to_stores(None, image_id, ["fast"])
    with pytest.raises(exceptions.ImageNotFound):
        service.copy_to_stores(None, "00000000-0000-4000-8000-000000000000", ["fast"])


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
    service.copy_to_stores(None, image_id, [other])
    until_stored(service, image_id, 2)
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
@pytest.mark.parametrize("stores", ["fast", [], ()])
def test_invalid_store_list_is_refused_without_a_request(target: Target, stores: object) -> None:
    with target.counting() as requests, pytest.raises(exceptions.Invalid):
        target.service().copy_to_stores(None, "some-id", stores)  # type: ignore[arg-type]
    assert requests == []


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
