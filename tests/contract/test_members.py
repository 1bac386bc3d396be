# SPDX-License-Identifier: Apache-2.0
"""Members: who sees a shared image, and the members that both APIs return."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

import pytest

from glance_compat import exceptions
from tests.contract.shape import DATA
from tests.contract.targets import Target, on_each_api, on_v1, on_v2


def member(target: Target, user: str, status: str | None = "pending") -> dict[str, object]:
    """Return a member as the library returns it; v1 has no status."""
    return {
        "member_id": target.projects[user],
        "can_share": False,
        "status": None if target.is_v1 else status,
    }


def by_id(members: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    return sorted(members, key=lambda one: str(one["member_id"]))


def test_share_and_unshare_image(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    owner, other = target.service(), target.service("other")
    assert owner.members(None, image_id) == []
    with pytest.raises(exceptions.ImageNotFound):
        other.show(None, image_id)

    added = owner.add_member(None, image_id, target.projects["other"])
    assert added == member(target, "other")
    assert owner.members(None, image_id) == [added]
    assert other.show(None, image_id) == owner.show(None, image_id)
    assert b"".join(other.download(None, image_id)) == DATA

    assert owner.remove_member(None, image_id, target.projects["other"]) is True
    assert owner.members(None, image_id) == []
    with pytest.raises(exceptions.ImageNotFound):
        other.show(None, image_id)


def test_adding_member_twice_is_no_error(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service = target.service()
    first = service.add_member(None, image_id, target.projects["other"])
    assert service.add_member(None, image_id, target.projects["other"]) == first
    assert service.members(None, image_id) == [first]


def test_adding_member_again_keeps_its_status(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", "accepted")
    again = target.service().add_member(None, image_id, target.projects["other"])
    assert again == member(target, "other", "accepted")
    answer = target.send("GET", f"/v2/images/{image_id}/members/{target.projects['other']}")
    assert answer.json()["status"] == "accepted"


def test_members_lists_all_members(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", "rejected")
    target.share(image_id, "stranger", "accepted")
    assert by_id(target.service().members(None, image_id)) == by_id(
        [member(target, "other", "rejected"), member(target, "stranger", "accepted")]
    )


@pytest.mark.parametrize("status", [None, "pending", "accepted", "rejected"])
def test_shared_image_is_listed_for_every_member_status(
    target: Target, name: str, status: str | None
) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", status)
    service = target.service("other")
    assert service.detail(None, filters={"name": name}) == [service.show(None, image_id)]


def test_member_cannot_remove_itself(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other", "accepted")
    with pytest.raises(exceptions.ImageNotAuthorized) as caught:
        target.service("other").remove_member(None, image_id, target.projects["other"])
    assert caught.value.image_id == image_id
    assert len(target.service().members(None, image_id)) == 1


@on_v2
def test_member_sets_status_on_v2(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other")
    service = target.service("other")
    for status in ("accepted", "rejected", "pending"):
        changed = service.update_member(None, image_id, target.projects["other"], status)
        assert changed == member(target, "other", status)
        assert service.members(None, image_id) == [changed]


@on_v1
def test_member_cannot_set_status_on_v1(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other")
    with target.counting() as exchanges, pytest.raises(exceptions.UnsupportedByVersion) as caught:
        target.service("other").update_member(None, image_id, target.projects["other"], "accepted")
    assert exchanges == []
    assert caught.value.image_id == image_id
    assert ("v2" in caught.value.needed, "v1" in caught.value.offered) == (True, True)


@on_v1
def test_can_share_is_reported_on_v1(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    path = f"/v1/images/{image_id}/members/{target.projects['other']}"
    assert target.send("PUT", path, json={"member": {"can_share": True}}).status_code == 204
    expected = {**member(target, "other"), "can_share": True}
    assert target.service().members(None, image_id) == [expected]


def test_added_member_equals_listed_member(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service, project = target.service(), target.projects["other"]
    for _ in range(2):
        added = service.add_member(None, image_id, project)
        assert service.members(None, image_id) == [added]
        service.remove_member(None, image_id, project)
    again = service.add_member(None, image_id, project)
    assert service.members(None, image_id) == [again]
    assert target.service("other").show(None, image_id)["id"] == image_id


@on_v2
@pytest.mark.parametrize("status", ["perhaps", "", None])
def test_unknown_member_status_is_refused(target: Target, name: str, status: object) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other")
    with pytest.raises(exceptions.Invalid):
        target.service("other").update_member(
            None,
            image_id,
            target.projects["other"],
            status,  # type: ignore[arg-type]
        )


@on_v2
def test_setting_status_of_unknown_member_is_not_found(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    target.share(image_id, "other")
    with pytest.raises(exceptions.MemberNotFound) as caught:
        target.service().update_member(None, image_id, uuid.uuid4().hex, "accepted")
    assert (caught.value.status, caught.value.image_id) == (404, image_id)


def test_removing_absent_member_is_not_found(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    with pytest.raises(exceptions.MemberNotFound) as caught:
        target.service().remove_member(None, image_id, target.projects["other"])
    assert (caught.value.status, caught.value.image_id) == (404, image_id)


@pytest.mark.parametrize("visibility", ["private", "public", "community"])
def test_unshared_image_has_no_members(target: Target, name: str, visibility: str) -> None:
    image_id = target.make("admin", name=name, visibility=visibility)
    assert target.service("admin").members(None, image_id) == []


@on_each_api
@pytest.mark.parametrize(
    "member_id", ["", ".", "..", "a/b", "a?b", "a#b", "a\nb", "a\x00b", "a%2Fb\x7f"]
)
def test_unsafe_member_id_is_refused_without_a_request(
    target: Target, name: str, member_id: str
) -> None:
    image_id = "00000000-0000-4000-8000-000000000000"
    service = target.service()
    with target.counting() as exchanges:
        with pytest.raises(exceptions.Invalid):
            service.add_member(None, image_id, member_id)
        with pytest.raises(exceptions.Invalid):
            service.remove_member(None, image_id, member_id)
    assert exchanges == []
