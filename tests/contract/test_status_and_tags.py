# SPDX-License-Identifier: Apache-2.0
"""Deactivated images, and tags."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glance_compat import exceptions
from tests.contract.shape import DATA, extended
from tests.contract.targets import Target, on_v1, on_v2

MISSING = "00000000-0000-4000-8000-000000000000"


@on_v2
def test_deactivated_data_is_served_again_after_reactivation(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service()
    deactivated = service.deactivate(None, image_id)
    assert deactivated["status"] == "deactivated"
    assert service.show(None, image_id) == deactivated
    assert service.deactivate(None, image_id)["status"] == "deactivated"
    with pytest.raises(exceptions.ImageNotAuthorized):
        service.download(None, image_id)
    assert service.reactivate(None, image_id)["status"] == "active"
    assert service.reactivate(None, image_id)["status"] == "active"
    assert b"".join(service.download(None, image_id)) == DATA


@on_v2
def test_image_without_data_is_not_deactivated(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service = target.service()
    for call in (service.deactivate, service.reactivate):
        with pytest.raises(exceptions.ImageNotActive, match="queued") as caught:
            call(None, image_id)
        assert (caught.value.status, caught.value.image_id) == (403, image_id)
    assert target.record(image_id)["status"] == "queued"


@on_v2
def test_foreign_image_is_not_changed(target: Target, name: str) -> None:
    image_id = target.make("stranger", name=name, data=DATA, tags=["old"])
    target.publish(image_id)
    service = target.service()
    for call in (service.deactivate, service.reactivate):
        with pytest.raises(exceptions.ImageNotAuthorized):
            call(None, image_id)
    for tag in ("new", "größe"):
        with pytest.raises(exceptions.ImageNotAuthorized):
            service.add_tag(None, image_id, tag)
    with pytest.raises(exceptions.ImageNotAuthorized):
        service.remove_tag(None, image_id, "old")
    after = target.record(image_id)
    assert (after["status"], after["tags"]) == ("active", ["old"])


@on_v2
def test_missing_image_has_no_status_and_no_tags(target: Target) -> None:
    service = target.service()
    for call in (service.deactivate, service.reactivate):
        with pytest.raises(exceptions.ImageNotFound):
            call(None, MISSING)
    for tag in ("any", "größe", "a/b"):
        with pytest.raises(exceptions.ImageNotFound):
            service.add_tag(None, MISSING, tag)
        with pytest.raises(exceptions.ImageNotFound):
            service.remove_tag(None, MISSING, tag)


#: Tags that a URL can name, and tags that take a GET and a PATCH.
NAMEABLE = ("new", "a b", " outer ", "50%", "%2F", "q?x=1&y#z", "a+b", "a;b", "...", "t" * 255)
OTHERS = ("a/b", "/", ".", "..", "größe", "ž", "\t", "t" * 254 + "é")


@on_v2
@pytest.mark.parametrize(("tags", "requests"), [(NAMEABLE, 1), (OTHERS, 2)], ids=["url", "patch"])
def test_tag_is_added_and_removed_exactly(
    target: Target, name: str, tags: tuple[str, ...], requests: int
) -> None:
    image_id = target.make(name=name, tags=["kept"])
    service = target.service(extended=True)
    for tag in tags:
        with target.counting() as exchanges:
            assert service.add_tag(None, image_id, tag) is True
        assert len(exchanges) == requests, (tag, exchanges)
        assert service.add_tag(None, image_id, tag) is True
    shown = extended(service.show(None, image_id))
    assert shown["tags"] == sorted(["kept", *tags])
    for tag in tags:
        assert service.remove_tag(None, image_id, tag) is True
        assert service.remove_tag(None, image_id, tag) is True
    assert target.record(image_id)["tags"] == ["kept"]


@on_v2
def test_tags_above_the_quota_are_refused(target: Target, name: str) -> None:
    # 128 is the default of Glance's option image_tag_quota.
    tags = sorted(f"t{number}" for number in range(128))
    image_id = target.make(name=name, tags=tags)
    service = target.service(extended=True)
    for tag in ("one", "größe"):
        with pytest.raises(exceptions.ImageQuotaExceeded):
            service.add_tag(None, image_id, tag)
    assert extended(service.show(None, image_id))["tags"] == tags


@on_v1
def test_v1_has_no_deactivation_and_no_tags(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service()
    before = target.record(image_id)
    calls: list[tuple[str, Callable[[], object]]] = [
        ("deactivate", lambda: service.deactivate(None, image_id)),
        ("deactivate", lambda: service.reactivate(None, image_id)),
        ("tags", lambda: service.add_tag(None, image_id, "new")),
        ("tags", lambda: service.remove_tag(None, image_id, "new")),
    ]
    with target.counting() as exchanges:
        for capability, call in calls:
            with pytest.raises(exceptions.UnsupportedByVersion) as caught:
                call()
            assert f"the capability {capability} (" in caught.value.needed
            assert (caught.value.offered, caught.value.image_id) == ("Images API v1", image_id)
    assert exchanges == []
    assert target.record(image_id) == before
