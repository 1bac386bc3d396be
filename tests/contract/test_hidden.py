# SPDX-License-Identifier: Apache-2.0
"""Hidden images, by os_hidden or by a property, and the links to their successors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from glance_compat import ImageService, exceptions
from tests.contract.shape import DATA, extended
from tests.contract.targets import Target, on_33, on_each_api, on_pike

MISSING = "00000000-0000-4000-8000-000000000000"
MARK = "site_hidden"


def with_property(target: Target, user: str = "demo") -> ImageService:
    return target.service(user, extended=True, hidden_property=MARK)


def listed(service: ImageService, name: str, **other: object) -> list[str]:
    filters = {"name": name, **other}
    return [one["id"] for one in service.detail(None, filters, sort_key="id", sort_dir="asc")]


@on_33
def test_hidden_image_is_left_out_of_lists(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service(extended=True)
    hidden = service.hide(None, image_id)
    assert extended(hidden)["os_hidden"] is True
    assert service.show(None, image_id) == hidden
    assert b"".join(service.download(None, image_id)) == DATA
    assert (listed(service, name), listed(service, name, os_hidden=True)) == ([], [image_id])
    assert service.hide(None, image_id) == hidden or extended(hidden)["os_hidden"]
    assert extended(service.unhide(None, image_id))["os_hidden"] is False
    assert extended(service.unhide(None, image_id))["os_hidden"] is False
    assert (listed(service, name), listed(service, name, os_hidden=True)) == ([image_id], [])


@on_pike
def test_hiding_needs_a_property_on_older_servers(target: Target, name: str) -> None:
    image_id, other = target.make(name=name), target.make(name=name, data=DATA)
    service = target.service()
    before = target.record(image_id)
    calls: list[Callable[[], object]] = [
        lambda: service.hide(None, image_id),
        lambda: service.unhide(None, image_id),
        lambda: service.supersede(None, image_id, other),
    ]
    for call in calls:
        with pytest.raises(exceptions.UnsupportedByVersion, match="capability hidden"):
            call()
    assert target.record(image_id) == before


def test_property_hides_an_image_on_every_api(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA, properties={"kept": "1"})
    service = with_property(target)
    assert extended(service.show(None, image_id))["os_hidden"] is False
    hidden = service.hide(None, image_id)
    assert hidden["properties"] == {"kept": "1", MARK: "true"}
    assert extended(hidden)["os_hidden"] is True
    assert service.show(None, image_id) == hidden
    assert target.record(image_id).get("os_hidden", True) is True
    assert (listed(service, name), listed(service, name, os_hidden=False)) == ([], [])
    [found] = service.detail(None, {"name": name, "os_hidden": True})
    assert found == hidden
    shown = service.unhide(None, image_id)
    assert (shown["properties"], extended(shown)["os_hidden"]) == ({"kept": "1"}, False)
    assert (listed(service, name), listed(service, name, os_hidden=True)) == ([image_id], [])
    assert service.unhide(None, image_id)["properties"] == {"kept": "1"}


def test_limits_and_markers_do_not_count_hidden_images(target: Target, name: str) -> None:
    ids = sorted(target.make(name=name) for _ in range(6))
    service = with_property(target)
    for one in (ids[0], ids[2], ids[3]):
        service.hide(None, one)

    def walk(hidden: bool | None, marker: str | None, limit: int | None) -> list[str]:
        filters = {"name": name, "os_hidden": hidden}
        return [
            one["id"]
            for one in service.detail(
                None, filters, marker, limit, page_size=1, sort_key="id", sort_dir="asc"
            )
        ]

    left, gone = [ids[1], ids[4], ids[5]], [ids[0], ids[2], ids[3]]
    for hidden, expected in ((None, left), (False, left), (True, gone)):
        assert walk(hidden, None, None) == expected
        assert walk(hidden, None, 2) == expected[:2]
        assert walk(hidden, expected[0], 1) == expected[1:2]
        assert walk(hidden, expected[-1], None) == []
        assert walk(hidden, None, 0) == []


@on_33
def test_attribute_and_property_hide_alike(target: Target, name: str) -> None:
    by_attribute, by_property = (target.make(name=name) for _ in range(2))
    target.service().hide(None, by_attribute)
    target.service().update(None, by_property, {"properties": {MARK: "true"}})
    service = with_property(target)
    both = sorted([by_attribute, by_property])
    assert (listed(service, name), listed(service, name, os_hidden=True)) == ([], both)
    assert listed(service, name, os_hidden=True, **{f"property-{MARK}": "other"}) == []
    for one in both:
        assert extended(service.show(None, one))["os_hidden"] is True
        assert extended(service.unhide(None, one))["os_hidden"] is False
    assert listed(service, name) == both


def test_whole_dict_of_a_hidden_image_can_be_sent_back(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service = with_property(target)
    hidden = service.hide(None, image_id)
    changed = service.update(None, image_id, {**hidden, "min_ram": 5})
    assert (changed["min_ram"], changed["properties"]) == (5, {MARK: "true"})
    assert extended(changed)["os_hidden"] is True
    assert listed(service, name) == []


def test_other_images_are_not_hidden(target: Target, name: str) -> None:
    image_id = target.make("stranger", name=name, data=DATA)
    target.publish(image_id)
    service = with_property(target)
    for call in (service.hide, service.unhide):
        with pytest.raises(exceptions.ImageNotFound):
            call(None, MISSING)
    with pytest.raises(exceptions.ImageNotAuthorized):
        service.hide(None, image_id)
    assert MARK not in target.record(image_id)


def test_superseded_image_leads_to_its_successor(target: Target, name: str) -> None:
    first, second, third = (target.make(name=name, data=DATA) for _ in range(3))
    service = with_property(target)
    old = service.supersede(None, first, second)
    assert (old["id"], old["properties"]["superseded_by"]) == (first, second)
    assert extended(old)["os_hidden"] is True
    with target.counting() as exchanges:
        service.supersede(None, second, third)
    assert len(exchanges) == 2, exchanges
    for one, requests in ((first, 3), (second, 2), (third, 1)):
        with target.counting() as exchanges:
            assert service.successor(None, one) == service.show(None, third)
        assert len(exchanges) == requests + 1, exchanges
    assert listed(service, name) == [third]
    for old_id, new_id in ((third, first), (third, third)):
        before = target.record(old_id)
        with pytest.raises(exceptions.Invalid):
            service.supersede(None, old_id, new_id)
        assert target.record(old_id) == before


def test_image_without_data_is_no_successor(target: Target, name: str) -> None:
    old, new = target.make(name=name, data=DATA), target.make(name=name)
    service = with_property(target)
    before = target.record(old)
    with pytest.raises(exceptions.ImageNotActive, match="queued") as caught:
        service.supersede(None, old, new)
    assert caught.value.image_id == new
    with pytest.raises(exceptions.ImageNotFound):
        service.supersede(None, old, MISSING)
    with pytest.raises(exceptions.ImageNotFound):
        service.supersede(None, MISSING, old)
    assert target.record(old) == before


@pytest.mark.parametrize("link", [MISSING, "", "no id", "../images/x", "a/b", "größe", "x" * 300])
def test_useless_link_is_not_followed(target: Target, name: str, link: str) -> None:
    image_id = target.make(name=name)
    service = target.service()
    service.update(None, image_id, {"properties": {"superseded_by": link}})
    assert service.successor(None, image_id)["id"] == image_id


def test_link_to_an_image_that_is_out_of_sight_is_not_followed(target: Target, name: str) -> None:
    private = target.make("stranger", name=name, data=DATA, visibility="private")
    deleted = target.make(name=name, data=DATA)
    service, admin = target.service(), target.service("admin")
    service.delete(None, deleted)
    to_private, to_deleted = (
        target.make(name=name, superseded_by=link) for link in (private, deleted)
    )
    for one in (to_private, to_deleted):
        assert service.successor(None, one)["id"] == one
    assert admin.successor(None, to_private)["id"] == private
    assert admin.successor(None, to_deleted)["id"] == to_deleted
    for caller in (service, admin):
        with pytest.raises(exceptions.ImageNotFound):
            caller.successor(None, deleted)


def test_loop_of_links_is_a_conflict(target: Target, name: str) -> None:
    service = with_property(target)
    ids = [target.make(name=name, data=DATA) for _ in range(3)]
    for one, following in zip(ids, [*ids[1:], ids[0]], strict=True):
        service.update(None, one, {"properties": {"superseded_by": following}})
    other = target.make(name=name, data=DATA)
    with pytest.raises(exceptions.Conflict) as caught:
        service.successor(None, ids[0])
    assert all(one in caught.value.message for one in ids)
    before = target.record(other)
    with pytest.raises(exceptions.Conflict):
        service.supersede(None, other, ids[0])
    assert target.record(other) == before
    itself = target.make(name=name)
    service.update(None, itself, {"properties": {"superseded_by": itself}})
    with pytest.raises(exceptions.Conflict):
        service.successor(None, itself)


@on_each_api
def test_at_most_100_links_are_followed(target: Target, name: str) -> None:
    last = image_id = target.make(name=name)
    for _ in range(100):
        image_id = target.make(name=name, superseded_by=image_id)
    service = target.service()
    assert service.successor(None, image_id)["id"] == last
    with pytest.raises(exceptions.Conflict, match="more than 100"):
        service.successor(None, target.make(name=name, superseded_by=image_id))


@on_each_api
def test_successor_property_is_an_option(target: Target, name: str) -> None:
    new = target.make(name=name, data=DATA)
    old = target.make(name=name)
    service = target.service(hidden_property=MARK, successor_property="newer")
    assert service.supersede(None, old, new)["properties"]["newer"] == new
    assert service.successor(None, old)["id"] == new
    assert target.service().successor(None, old)["id"] == old


@on_each_api
@pytest.mark.parametrize(
    "options",
    [
        {"hidden_property": "owner"},
        {"hidden_property": "os_glance_hidden"},
        {"successor_property": "os_hidden"},
        {"hidden_property": "one", "successor_property": "one"},
    ],
    ids=str,
)
def test_reserved_property_is_refused_by_the_constructor(
    target: Target, options: dict[str, str]
) -> None:
    with pytest.raises(exceptions.InvalidOption, match="property"):
        target.service(**options)
