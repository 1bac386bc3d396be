# SPDX-License-Identifier: Apache-2.0
"""The number of requests of each warm call: the table in the documentation."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from glance_compat import ImageService
from tests.contract.shape import DATA, FORMATS
from tests.contract.sites import Site, embedded
from tests.contract.targets import Context, Target, everywhere, on_33, on_pike, on_v2, only

Act = Callable[[ImageService, Context, str], object]


@dataclasses.dataclass(frozen=True)
class Cost:
    """One row of the table.

    :param act: makes the call; its arguments are the service, a context and the id of a new image.
    :param v1: requests on v1.
    :param v2: requests on v2.
    :param data: whether the new image has data.
    :param user: the caller; the image belongs to demo.
    :param at_most: whether the numbers are upper limits.
    """

    name: str
    act: Act
    v1: int
    v2: int
    data: bool = False
    user: str = "demo"
    at_most: bool = False
    options: tuple[tuple[str, Any], ...] = ()


def create(**meta: Any) -> Act:
    return lambda service, context, image_id: service.create(
        context, {"name": "counted", **FORMATS, **meta}
    )


def create_with_data(**meta: Any) -> Act:
    return lambda service, context, image_id: service.create(
        context, {"name": "counted", **FORMATS, **meta}, data=DATA
    )


def update(purge: bool = False, **meta: Any) -> Act:
    return lambda service, context, image_id: service.update(
        context, image_id, meta, purge_props=purge
    )


def update_with_data(**meta: Any) -> Act:
    return lambda service, context, image_id: service.update(context, image_id, meta, data=DATA)


def send_back(**changes: Any) -> Act:
    """Send a whole dict back; the row counts the show() before it too."""
    return lambda service, context, image_id: service.update(
        context, image_id, {**service.show(context, image_id), **changes}, purge_props=False
    )


def read(service: ImageService, context: Context, image_id: str) -> object:
    return b"".join(service.download(context, image_id))


def add_member(service: ImageService, context: Context, image_id: str) -> object:
    return service.add_member(context, image_id, uuid.uuid4().hex)


HIDING = (("hidden_property", "site_hidden"),)

COSTS = (
    Cost("show", lambda service, context, image_id: service.show(context, image_id), 1, 1),
    Cost(
        "show as admin",
        lambda service, context, image_id: service.show(context, image_id),
        1,
        1,
        user="admin",
    ),
    Cost(
        "show with locations",
        lambda service, context, image_id: service.show(context, image_id, include_locations=True),
        1,
        1,
    ),
    Cost(
        "show extended",
        lambda service, context, image_id: service.show(context, image_id),
        1,
        1,
        options=(("extended", True),),
    ),
    Cost(
        "show exactly",
        lambda service, context, image_id: service.show(context, image_id),
        2,
        1,
        options=(("v1_exact_show", True),),
    ),
    Cost("create", create(), 1, 1),
    Cost("create with properties", create(properties={"a": "b"}, min_ram=1), 1, 1),
    Cost("create with data", create_with_data(), 1, 3),
    Cost("create with data of known size", create_with_data(size=len(DATA)), 1, 3),
    Cost("create with size 0", create(size=0), 1, 3),
    Cost("update", update(name="other"), 1, 1),
    Cost("update properties", update(properties={"a": "c", "b": "d"}), 1, 1),
    Cost(
        "update and look again",
        update(properties={"a": "c"}),
        1,
        2,
        options=(("verify_updates", True),),
    ),
    Cost("update with purge", update(purge=True, properties={"b": "d"}), 2, 2),
    Cost("update is_public", update(is_public=True), 2, 2, user="admin"),
    Cost("update visibility", update(visibility="public"), 2, 2, user="admin"),
    Cost("update with a whole dict", send_back(name="other"), 1 + 2, 1 + 2),
    Cost("update with data", update_with_data(), 1, 4, at_most=True),
    Cost(
        "update with metadata and data",
        update_with_data(name="other", properties={"b": "d"}),
        1,
        4,
        at_most=True,
    ),
    Cost("delete", lambda service, context, image_id: service.delete(context, image_id), 1, 1),
    Cost(
        "delete with data",
        lambda service, context, image_id: service.delete(context, image_id),
        1,
        1,
        data=True,
    ),
    Cost("add a member", add_member, 1, 1),
    Cost("download", read, 1, 1, data=True),
    Cost("download unverified", read, 1, 1, data=True, options=(("verify_downloads", "off"),)),
    Cost("download verified", read, 1, 2, data=True, options=(("verify_downloads", "strong"),)),
    Cost("download as admin", read, 1, 2, data=True, user="admin"),
    Cost(
        "hide", lambda service, context, image: service.hide(context, image), 1, 1, options=HIDING
    ),
    Cost(
        "unhide",
        lambda service, context, image: [
            service.hide(context, image),
            service.unhide(context, image),
        ],
        1 + 2,
        1 + 2,
        options=HIDING,
    ),
    Cost("successor", lambda service, context, image: service.successor(context, image), 1, 1),
)


#: Calls that v1 refuses; the number of requests over v2.
V2_COSTS: dict[str, tuple[Act, int]] = {
    "deactivate": (lambda service, context, image: service.deactivate(context, image), 2),
    "reactivate": (lambda service, context, image: service.reactivate(context, image), 2),
    "add_tag": (lambda service, context, image: service.add_tag(context, image, "a b"), 1),
    "remove_tag": (lambda service, context, image: service.remove_tag(context, image, "t"), 1),
}


@on_33
@pytest.mark.parametrize("user", ["demo", "admin"])
def test_warm_list_of_stores_request_count(target: Target, user: str) -> None:
    service = target.service(user)
    service.discover()
    with target.counting() as exchanges:
        service.stores(target.context(user))
    assert len(exchanges) == 1, exchanges


#: Imports, with the requests on v1 and on v2; None: v1 refuses it. The embedded Glance has
#: imported the data before the first GET.
IMPORTS: dict[str, tuple[Callable[[Site, str], object], int | None, int]] = {
    "import_image from a URL": (lambda site, name: site.import_image(name), 1 + 1, 2 + 1),
    "create with copy_from": (
        lambda site, name: site.target.service().create(
            None, {"name": name, **FORMATS, "copy_from": f"{site.source}/data"}
        ),
        1,
        2,
    ),
    "import_data from a URL": (
        lambda site, name: site.target.service().import_data(
            None,
            site.target.service().create(None, {"name": name, **FORMATS})["id"],
            uri=f"{site.source}/data",
        ),
        1 + 3,
        1 + 3,
    ),
    "import_image of data": (
        lambda site, name: site.target.service().import_image(
            None, {"name": name, **FORMATS}, data=DATA
        ),
        None,
        3 + 1,
    ),
}


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("call", IMPORTS)
def test_warm_import_request_count(call: str, api: str, name: str) -> None:
    act, *allowed = IMPORTS[call]
    wanted = allowed[0 if api == "v1" else 1]
    if wanted is None:
        return
    with embedded(api) as site:
        # The first import asks for the import methods.
        act(site, name)
        with site.target.counting() as exchanges:
            act(site, name)
    assert len(exchanges) == wanted, exchanges


@on_33
@pytest.mark.parametrize("user", ["demo", "admin"])
def test_warm_reading_of_tasks_and_locations_request_count(target: Target, user: str) -> None:
    image_id = target.make(name="counted", data=DATA)
    service = target.service(user)
    service.discover()
    with target.counting() as exchanges:
        service.tasks(target.context(user), image_id)
        service.locations(target.context(user), image_id)
    assert [one.method for one in exchanges] == ["GET", "GET"], exchanges


def test_warm_copy_to_stores_request_count(name: str) -> None:
    with embedded("v2") as site:
        service = site.target.service("admin")
        image_ids = [site.target.make(name=name, data=DATA) for _ in range(3)]
        # The first copy asks for the import methods.
        service.copy_to_stores(None, image_ids[0], ["slow"])
        with site.target.counting() as exchanges:
            service.copy_to_stores(None, image_ids[1], ["slow"])
            service.copy_to_stores(None, image_ids[2], ["slow"], wait=True)
    assert [one.method for one in exchanges] == ["POST", "GET"] * 2


@on_v2
@pytest.mark.parametrize("call", V2_COSTS)
def test_warm_v2_call_request_count(target: Target, call: str) -> None:
    act, allowed = V2_COSTS[call]
    image_id = target.make(name="counted", data=DATA, tags=["t"])
    service = target.service("admin")
    service.discover()
    with target.counting() as exchanges:
        act(service, target.context("admin"), image_id)
    assert len(exchanges) == allowed, exchanges


@everywhere
@pytest.mark.parametrize("cost", COSTS, ids=lambda cost: cost.name)
def test_warm_call_request_count(target: Target, cost: Cost) -> None:
    image_id = target.make(name="counted", properties={"a": "b"}, data=DATA if cost.data else None)
    service = target.service(cost.user, **dict(cost.options))
    service.discover()
    # With only a token, the roles of the caller are unknown.
    context = target.context(cost.user)
    with target.counting() as exchanges:
        cost.act(service, context, image_id)
    allowed = cost.v1 if target.is_v1 else cost.v2
    if cost.at_most:
        assert 1 <= len(exchanges) <= allowed, exchanges
    else:
        assert len(exchanges) == allowed, exchanges


@only(lambda kind: kind.name != "pike-v1")
@pytest.mark.parametrize("of_context", [True, False])
def test_checked_properties_cost_no_request(target: Target, of_context: bool) -> None:
    """Definitions are cached for a project and its roles, whatever the token."""
    image_id = target.make(name="counted")
    service = target.service(property_definitions="refuse")
    properties = {"hw_watchdog_action": "reset", "a": "b"}
    service.property_definitions(target.context() if of_context else None)
    new_token = target.new_session().get_token()
    context = dataclasses.replace(target.context(), auth_token=new_token) if of_context else None
    # Another service of the process shares the definitions.
    for checking in (service, target.service(property_definitions="warn")):
        with target.counting() as exchanges:
            checking.property_definitions(context)
        assert exchanges == []
        with target.counting() as exchanges:
            checking.create(context, {"name": "counted", **FORMATS, "properties": properties})
        assert len(exchanges) == 1, exchanges
        with target.counting() as exchanges:
            checking.update(context, image_id, {"properties": properties}, purge_props=False)
        assert len(exchanges) == 1, exchanges


@everywhere
def test_remove_member_costs_one_request(target: Target) -> None:
    image_id = target.make(name="counted")
    target.share(image_id, "other")
    service = target.service()
    service.discover()
    with target.counting() as exchanges:
        service.remove_member(None, image_id, target.projects["other"])
    assert len(exchanges) == 1, exchanges


@on_pike
def test_empty_download_costs_an_extra_request_on_v2(target: Target) -> None:
    # For an image that v1 activated without data, v2 responds with 204.
    headers = {"x-image-meta-name": "counted", "x-image-meta-size": "0"}
    answer = target.send("POST", "/v1/images", headers=headers)
    image_id = answer.json()["image"]["id"]
    with target.counting() as exchanges:
        assert b"".join(target.service().download(target.context(), image_id)) == b""
    assert len(exchanges) == (1 if target.is_v1 else 2), exchanges


@dataclasses.dataclass(frozen=True)
class Walk:
    """A list, and the number of requests to read it.

    :param images: number of images.
    :param v1: requests on v1.
    :param v2: requests on v2.
    """

    images: int
    page_size: int | None
    limit: int | None
    v1: int
    v2: int


WALKS = (
    # v1 does not mark the last page; v2 does, unless the page is full.
    Walk(3, None, None, v1=2, v2=1),
    Walk(0, None, None, v1=1, v2=1),
    Walk(3, 3, None, v1=2, v2=2),
    Walk(3, 1, None, v1=4, v2=4),
    # A page shorter than the one before is the last one.
    Walk(3, 2, None, v1=2, v2=2),
    Walk(4, 2, None, v1=3, v2=3),
    # The limit is reached.
    Walk(3, None, 3, v1=1, v2=1),
    Walk(3, None, 2, v1=1, v2=1),
    Walk(3, 1, 2, v1=2, v2=2),
    Walk(3, None, 0, v1=0, v2=0),
)


@everywhere
@pytest.mark.parametrize("walk", WALKS, ids=str)
def test_warm_list_request_count(target: Target, name: str, walk: Walk) -> None:
    for _ in range(walk.images):
        target.make(name=name)
    service = target.service()
    service.discover()
    with target.counting() as exchanges:
        found = service.detail(
            None, filters={"name": name}, page_size=walk.page_size, limit=walk.limit
        )
    assert len(found) == min(walk.images, walk.images if walk.limit is None else walk.limit)
    assert len(exchanges) == (walk.v1 if target.is_v1 else walk.v2), exchanges


@everywhere
def test_page_size_never_exceeds_limit(target: Target, name: str) -> None:
    for _ in range(2):
        target.make(name=name)
    with target.counting() as exchanges:
        target.service().detail(None, filters={"name": name}, limit=2)
    assert [("limit=2&" in f"{one.path}&") for one in exchanges] == [True]


@everywhere
def test_second_service_reuses_discovery(target: Target) -> None:
    target.service().discover()
    with target.counting() as exchanges:
        target.service().discover()
        target.service("other").discover()
    assert exchanges == []
