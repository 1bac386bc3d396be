# SPDX-License-Identifier: Apache-2.0
"""Every call that needs a capability: it works, or is refused before anything is changed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import pytest

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture
from glance_compat.fixture.glance.releases import RELEASES
from tests.capabilities import (
    CALLS,
    OPTIONAL,
    SERVERS,
    Server,
    capabilities_of,
    is_offered,
    needed_by,
)
from tests.cases import check_each
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Target, on_real

WEB = "http://web.invalid/data"
NEW = {"name": "new", **FORMATS}


@dataclasses.dataclass(frozen=True)
class Scene:
    """An image of the owner with data and a tag, shared with a member; and a queued image.

    :param url: a URL with data that the server can read.
    :param store: the name of a store of the server.
    """

    owner: ImageService
    member: ImageService
    admin: ImageService
    image_id: str
    queued_id: str
    member_id: str
    url: str
    store: str

    def shown(self, name: str) -> Any:
        """Return an attribute of the image."""
        return self.owner.show(None, self.image_id)[name]  # type: ignore[literal-required]

    def created(self, name: str, value: object, data: bytes | None = None) -> Any:
        """Create an image with an attribute, and return the attribute of the new image."""
        image: Any = self.owner.create(None, {**NEW, name: value}, data)
        return image.get(name)

    def updated(self, name: str, value: object) -> Any:
        """Change an attribute of the image, and return it."""
        image: Any = self.owner.update(None, self.image_id, {name: value}, purge_props=False)
        return image.get(name)

    def filled(self, **meta: object) -> str:
        """Update the queued image with data, and return the status."""
        return self.owner.update(None, self.queued_id, meta, DATA)["status"]


def listed(service: ImageService, scene: Scene, **filters: object) -> bool:
    return scene.image_id in [one["id"] for one in service.detail(None, filters)]


def refusal(call: Callable[[], object]) -> object:
    try:
        return call()
    except exceptions.ImageDeleteConflict as error:
        return type(error)


def hidden(image: Any) -> object:
    return image["os_hidden"]


#: For each call that needs a capability, a function that makes it, and its result where it works.
ACTS: dict[str, tuple[Callable[[Scene], object], object]] = {
    "add_tag": (
        lambda scene: (scene.owner.add_tag(None, scene.image_id, "new"), scene.shown("tags")),
        (True, ["new", "old"]),
    ),
    "remove_tag": (
        lambda scene: (scene.owner.remove_tag(None, scene.image_id, "old"), scene.shown("tags")),
        (True, []),
    ),
    "create(tags)": (lambda scene: scene.created("tags", ["t"]), ["t"]),
    "update(tags)": (lambda scene: scene.updated("tags", ["t"]), ["t"]),
    "detail(tag)": (lambda scene: listed(scene.owner, scene, tag="old"), True),
    "update_member": (
        lambda scene: scene.member.update_member(
            None, scene.image_id, scene.member_id, "accepted"
        )["status"],
        "accepted",
    ),
    "detail(member_status)": (
        lambda scene: listed(scene.member, scene, member_status="pending"),
        True,
    ),
    "deactivate": (
        lambda scene: scene.owner.deactivate(None, scene.image_id)["status"],
        "deactivated",
    ),
    "reactivate": (lambda scene: scene.owner.reactivate(None, scene.image_id)["status"], "active"),
    "hide": (lambda scene: hidden(scene.owner.hide(None, scene.image_id)), True),
    "unhide": (lambda scene: hidden(scene.owner.unhide(None, scene.image_id)), False),
    "supersede": (
        lambda scene: hidden(scene.owner.supersede(None, scene.queued_id, scene.image_id)),
        True,
    ),
    "property_definitions": (
        lambda scene: scene.owner.property_definitions(None).find("no_such_property"),
        None,
    ),
    "create(visibility=community)": (
        lambda scene: scene.created("visibility", "community"),
        "community",
    ),
    "update(visibility=community)": (
        lambda scene: scene.updated("visibility", "community"),
        "community",
    ),
    "create(os_hidden)": (lambda scene: scene.created("os_hidden", True), True),
    "update(os_hidden)": (lambda scene: scene.updated("os_hidden", True), True),
    "detail(os_hidden)": (lambda scene: listed(scene.owner, scene, os_hidden=True), False),
    "create(store)": (lambda scene: scene.created("store", scene.store, DATA), None),
    "update(store)": (lambda scene: scene.filled(store=scene.store), "active"),
    "stores": (
        lambda scene: {scene.store, "slow"} <= {one["id"] for one in scene.owner.stores(None)},
        True,
    ),
    "delete_from_store": (
        lambda scene: refusal(
            lambda: scene.admin.delete_from_store(None, scene.image_id, scene.store)
        ),
        # It is the only copy.
        exceptions.ImageDeleteConflict,
    ),
    "copy_to_stores": (
        lambda scene: extended(
            scene.admin.copy_to_stores(None, scene.image_id, ["slow"], wait=True)
        )["stores"],
        ["fast", "slow"],
    ),
    "import_image(uri)": (
        lambda scene: scene.owner.import_image(None, NEW, uri=scene.url)["status"],
        "active",
    ),
    "import_image(data, stores)": (
        lambda scene: scene.owner.import_image(None, NEW, data=DATA, stores=["slow"])["status"],
        "active",
    ),
    "tasks": (lambda scene: scene.owner.tasks(None, scene.image_id), []),
    "locations": (
        lambda scene: [sorted(one) for one in scene.admin.locations(None, scene.image_id)],
        [["metadata", "url"]],
    ),
    "create(copy_from)": (lambda scene: scene.created("copy_from", scene.url), None),
    "update(copy_from)": (
        lambda scene: (
            scene.owner.update(None, scene.queued_id, {"copy_from": scene.url})["id"]
            == scene.queued_id
        ),
        True,
    ),
}


def test_every_call_with_a_capability_is_listed() -> None:
    assert ACTS.keys() == CALLS.keys()
    methods = {one.partition("(")[0] for one in CALLS}
    assert methods <= set(dir(ImageService))


def check_refused(scene: Scene, call: str, api: str) -> None:
    with pytest.raises(exceptions.UnsupportedByVersion) as caught:
        ACTS[call][0](scene)
    needed = f"{caught.value.needed} "
    starts = tuple(f"the capability {one} " for one in needed_by(call, api))
    assert needed.startswith(starts), needed
    assert caught.value.offered.startswith("Images API v"), caught.value.offered


IMAGE_ID, QUEUED_ID = (f"aaaaaaaa-0000-4000-8000-00000000000{one}" for one in (1, 2))
MINE = {"owner": "fixture-project", "visibility": "shared", **FORMATS}
IMAGES = (
    {"id": IMAGE_ID, "name": "old", "data": DATA, "tags": ["old"], **MINE},
    {"id": QUEUED_ID, "name": "queued", **MINE},
)


def check_on_embedded(glance: GlanceFixture, server: Server, call: str, offered: bool) -> None:
    glance.reset()
    services = {
        token: ImageService(glance.session(token), options=Options(extended=True))
        for token in ("owner", "user:friend:member", "admin:admin:admin")
    }
    owner, member, admin = services.values()
    owner.add_member(None, IMAGE_ID, "friend")
    scene = Scene(
        owner=owner,
        member=member,
        admin=admin,
        image_id=IMAGE_ID,
        queued_id=QUEUED_ID,
        member_id="friend",
        url=WEB,
        store="fast" if server.api == "v2" else "file",
    )
    if offered:
        assert ACTS[call][0](scene) == ACTS[call][1]
        return
    before, sent = glance.images, len(glance.requests)
    check_refused(scene, call, server.api)
    assert glance.images == before
    assert {one.method for one in list(glance.requests)[sent:]} <= {"GET", "HEAD"}
    if call in OPTIONAL:
        given: dict[str, Any] = {"extended": True, OPTIONAL[call]: "site_property"}
        owner = ImageService(glance.session("owner"), options=Options(**given))
        assert ACTS[call][0](dataclasses.replace(scene, owner=owner)) == ACTS[call][1]


@pytest.mark.parametrize("server", SERVERS, ids=str)
def test_call_works_or_is_refused_on_every_release(server: Server) -> None:
    capabilities = capabilities_of(server)
    with GlanceFixture(
        (server.api,),
        release=server.release,
        # A unique URL, because the library caches what it discovers about a URL.
        prefix=f"/capabilities-{server.api}-{server.release}",
        images=IMAGES,
        sources={WEB: DATA},
    ) as glance:
        check_each(
            (
                call,
                functools.partial(
                    check_on_embedded,
                    glance,
                    server,
                    call,
                    is_offered(call, server.api, capabilities),
                ),
            )
            for call in CALLS
        )


#: The usual Glance 33 reads no URL of this host; test_imports has one that does.
FROM_URL = {"create(copy_from)", "import_image(uri)"}


@on_real
@pytest.mark.parametrize("call", sorted(CALLS))
def test_call_works_or_is_refused_on_real_server(
    target: Target, name: str, source: str, call: str
) -> None:
    image_id = target.make(name=name, data=DATA, tags=["old"])
    queued_id = target.make(name=name)
    target.share(image_id, "other")
    scene = Scene(
        owner=target.service(extended=True),
        member=target.service("other", extended=True),
        admin=target.service("admin", extended=True),
        image_id=image_id,
        queued_id=queued_id,
        member_id=target.projects["other"],
        url=f"{source}/data",
        store="file" if target.is_v1 else "fast",
    )
    methods = () if target.kind.release == "pike" else RELEASES["33"].import_methods
    capabilities = scene.owner.discover().capabilities.union(methods)
    if target.kind.name == "glance-33" and call in FROM_URL:
        with pytest.raises(exceptions.ImageBadRequest, match="does not pass filtering"):
            ACTS[call][0](scene)
        return
    # This Pike shows locations in the image.
    is_shown = call == "locations" and target.kind.name == "pike-v2"
    if is_shown or is_offered(call, target.kind.api, capabilities):
        assert ACTS[call][0](scene) == ACTS[call][1]
        return
    before = target.record(image_id), target.record(queued_id)
    with target.counting() as exchanges:
        check_refused(scene, call, target.kind.api)
    assert {one.method for one in exchanges} <= {"GET", "HEAD"}
    assert (target.record(image_id), target.record(queued_id)) == before
