# SPDX-License-Identifier: Apache-2.0
"""Copying data to more stores, and image references."""

from __future__ import annotations

import pytest
import tenacity

from glance_compat import exceptions
from tests.contract.shape import DATA, extended
from tests.contract.targets import Kind, Target, is_usual, on_each_api, on_v1, only


def is_real_33(kind: Kind) -> bool:
    return kind.region is not None and kind.release == "33"


def is_older_v2(kind: Kind) -> bool:
    return is_usual(kind) and kind.api == "v2" and kind.release == "pike"


@only(is_real_33)
def test_data_is_copied_to_another_store(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service("admin", extended=True)
    [first] = extended(service.show(None, image_id))["stores"] or []
    [other] = {"fast", "slow"} - {first}

    @tenacity.retry(
        retry=tenacity.retry_if_result(lambda stores: len(stores) == 1),
        stop=tenacity.stop_after_delay(120),
        wait=tenacity.wait_fixed(0.2),
    )
    def copied() -> list[str]:
        return extended(service.show(None, image_id))["stores"] or []

    with target.counting() as requests:
        service.copy_to_stores(None, image_id, [other])
    assert [one.method for one in requests] == ["POST"]
    assert sorted(copied()) == ["fast", "slow"]
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
