# SPDX-License-Identifier: Apache-2.0
"""Calls of Nova's own image module and of the library's, as data.

The results of a case are compared, with names in place of ids. A case that changes an image
creates its own image for each side, and returns the stored image.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.contract.population import ALL
from tests.contract.shape import DATA
from tests.nova.sides import BROKEN_MARK, MARK, SNAPSHOT, Side

Case = Callable[[Side], object]
CASES: dict[str, Case] = {}

NAMES = (*ALL, "volumes", "no json", "blank")
NOBODY = "00000000-0000-4000-8000-000000000000"


# -- reading


def _get(name: str, user: str, **arguments: Any) -> Case:
    def call(side: Side) -> object:
        image_id = side.world.ids.get(name, name)
        return side.api.get(side.context(user), image_id, **arguments)

    return call


for _name in NAMES:
    CASES[f"get {_name}"] = _get(_name, "demo")
    CASES[f"get {_name} with locations"] = _get(_name, "demo", include_locations=True)
for _name in ("theirs private", "pending", "no json", "protected"):
    CASES[f"get {_name} as admin"] = _get(_name, "admin", show_deleted=False)
    CASES[f"get {_name} as a stranger"] = _get(_name, "stranger")
CASES["get nobody's"] = _get(NOBODY, "demo")
CASES["get what is no id"] = _get("not-an-id", "demo")


def _list(user: str = "demo", filters: Mapping[str, Any] | None = None, **arguments: Any) -> Case:
    def call(side: Side) -> object:
        asked = {f"property-{MARK}": side.world.run, **(filters or {})}
        marker = arguments.get("marker")
        paging = {**arguments, "marker": side.world.ids.get(str(marker), marker)}
        found = side.api.get_all(side.context(user), filters=asked, **paging)
        # Only the sort key is compared, because the order of images with equal keys is undefined.
        shown = arguments.get("sort_key", "name")
        return [image.get(shown) for image in found]

    return call


_FILTERS: tuple[Mapping[str, Any], ...] = (
    {},
    {"name": "public"},
    {"name": "a:b"},
    {"name": 'c,d "e"'},
    {"name": "é+ü &%41"},
    {"name": "in:x,y"},
    {"name": "gt:5"},
    {"name": "nothing"},
    {"status": "active"},
    {"status": "queued"},
    {"status": "deactivated"},
    {"status": "wrong"},
    {"min_ram": 64},
    {"min_ram": "64"},
    {"min_disk": 2},
    {"min_ram": "many"},
    {"disk_format": "vmdk"},
    {"container_format": "ovf"},
    {"size_min": 1},
    {"size_max": 5},
    {"size_min": "x"},
    {"owner": "nobody"},
    {"visibility": "public"},
    {"visibility": "wrong"},
    {"protected": "true"},
    {"is_public": "none"},
    {"is_public": "True"},
    {"is_public": "1"},
    {"is_public": "false"},
    {"is_public": True},
    {"is_public": None},
    {"changes-since": "2000-01-01T00:00:00Z"},
    {"changes-since": "2100-01-01T00:00:00Z"},
    {"changes-since": "yesterday"},
    {"property-os_type": "linux"},
    {"property-project_id": "p"},
    {"property-type": "x"},
    {"property-kind": "Kind: a,b"},
    {"property-limit": "5"},
    {"property-none": "x"},
    {"os_type": "linux"},
    {"deleted": "true"},
    {"tag": "t1"},
    {"name": "public", "status": "active"},
)
for _filters in _FILTERS:
    CASES[f"list {dict(_filters)}"] = _list(filters=_filters)
for _user in ("admin", "stranger", "other"):
    CASES[f"list as {_user}"] = _list(_user)
    CASES[f"list public as {_user}"] = _list(_user, {"is_public": "true"})
for _key, _direction in itertools.product(
    ("name", "status", "container_format", "disk_format", "size", "created_at", "updated_at"),
    ("asc", "desc"),
):
    CASES[f"list by {_key} {_direction}"] = _list(
        filters={"status": "active"}, sort_key=_key, sort_dir=_direction
    )
for _paging in (
    {"limit": 1},
    {"limit": 3},
    {"limit": 100},
    {"limit": 0},
    {"limit": -1},
    {"page_size": 2},
    {"page_size": 2, "limit": 3},
    {"page_size": 1},
    {"marker": "public"},
    {"marker": "public", "limit": 2},
    {"marker": NOBODY},
    {"sort_key": "wrong"},
    {"sort_dir": "wrong"},
    {"sort_key": "owner"},
    {"unknown": 1},
):
    CASES[f"list with {_paging}"] = _list(**_paging)


def _list_broken(side: Side) -> object:
    asked = {f"property-{BROKEN_MARK}": side.world.run}
    return [image["name"] for image in side.api.get_all(side.context(), filters=asked)]


CASES["list a structure that is none"] = _list_broken


# -- creating


def _stored(side: Side, image: Mapping[str, Any]) -> object:
    """Return the result of a call, and the image that the server has."""
    # Values that depend on the generated id or the time are not compared.
    record = side.target.record(image["id"])
    hidden = {"id", "self", "file", "owner", "direct_url", "locations", "schema"}
    return {
        "returned": {name: value for name, value in image.items() if name != "id"},
        "stored": {
            name: value
            for name, value in record.items()
            if name not in hidden and not name.endswith("_at")
        },
    }


def _create(meta: Mapping[str, Any], data: object = None, user: str = "demo") -> Case:
    def call(side: Side) -> object:
        given = {**meta, "properties": dict(meta.get("properties", {}))}
        source = data() if callable(data) else data
        return _stored(side, side.api.create(side.context(user), given, data=source))

    return call


_SNAPSHOT = {
    "name": "snap",
    "visibility": "private",
    "min_ram": "64",
    "min_disk": "1",
    "properties": {
        "instance_uuid": NOBODY,
        "user_id": "demo",
        "image_type": "snapshot",
        "base_image_ref": NOBODY,
    },
}
_VOLUME_BACKED = {
    "name": "volumes",
    "size": 0,
    "min_ram": "0",
    "properties": {
        "bdm_v2": True,
        "root_device_name": "/dev/vda",
        "block_device_mapping": [{"boot_index": 0, "snapshot_id": NOBODY}],
        "mappings": [],
    },
}
_RAW = {"name": "raw", "disk_format": "raw", "container_format": "bare"}
_CREATIONS: Mapping[str, Mapping[str, Any]] = {
    "a snapshot": _SNAPSHOT,
    "a backup": {**_SNAPSHOT, "disk_format": "qcow2", "container_format": "bare"},
    "of volumes": _VOLUME_BACKED,
    "empty": {"name": "empty", "size": 0, "disk_format": "raw", "container_format": "bare"},
    "empty qcow2": {"name": "empty", "size": 0, "disk_format": "qcow2"},
    "size without data": {"name": "sized", "size": 5, **_RAW},
    "no name": {"disk_format": "raw"},
    "shared": {"name": "shared", "visibility": "shared"},
    "community": {"name": "community", "visibility": "community"},
    "is_public False": {"name": "not public", "is_public": False},
    "public without the right": {"name": "public", "is_public": True},
    "blank kernel": {"name": "k", "properties": {"kernel_id": "", "ramdisk_id": "none"}},
    "kernel": {"name": "k", "properties": {"kernel_id": "nokernel"}},
    "an int property": {"name": "i", "properties": {"vmware_linked_clone": 1, "on": True}},
    "a null property": {"name": "n", "properties": {"nothing": None}},
    "a name at the top": {"name": "t", "hw_disk_bus": "ide"},
    "times and status": {"name": "s", "status": "active", "created_at": "x", "deleted": False},
    "a wrong disk format": {"name": "w", "disk_format": "wrong"},
    "a wrong visibility": {"name": "w", "visibility": "wrong"},
    "a wrong number": {"name": "w", "min_ram": -1},
    "a long name": {"name": "n" * 300},
    "reserved": {"name": "r", "properties": {"checksum": "x"}},
    "a trait": {"name": "trait", "properties": {"trait:HW_CPU_X86_SGX": "required"}},
    "accents": {"name": "é ü", "properties": {"café": "à"}},
}
for _what, _meta in _CREATIONS.items():
    CASES[f"create {_what}"] = _create(_meta)
CASES["create public as admin"] = _create({"name": "p", "is_public": True}, user="admin")
CASES["create with a file"] = _create(_RAW, lambda: io.BytesIO(DATA))
CASES["create with an empty file"] = _create(_RAW, lambda: io.BytesIO(b""))
CASES["create with data and no format"] = _create({"name": "x"}, lambda: io.BytesIO(DATA))


def _shared(side: Side) -> object:
    member = side.target.projects["other"]
    meta = {"name": "s", "visibility": "shared", "properties": {"instance_owner": member}}
    created = side.api.create(side.context(), meta)
    seen = side.api.get(side.context("other"), created["id"])
    return [_stored(side, created), seen["name"]]


CASES["create for the owner of an instance"] = _shared


# -- updating


def _update(
    meta: Mapping[str, Any],
    purge: bool = False,
    user: str = "demo",
    **record: Any,
) -> Case:
    def call(side: Side) -> object:
        image_id = side.make(**{"properties": {"one": "1", "two": "2"}, **record})
        given = {**meta, "properties": dict(meta.get("properties", {}))}
        changed = side.api.update(side.context(user), image_id, given, purge_props=purge)
        return _stored(side, changed)

    return call


_UPDATES: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "the name": {"name": "new"},
    "a property": {"properties": {"one": "x"}},
    "a new property": {"properties": {"three": "3"}},
    "a null property": {"properties": {"one": None}},
    "an int": {"properties": {"one": 5}},
    "a list of devices": {"properties": {"block_device_mapping": [{"boot_index": 0}]}},
    "min_ram as text": {"min_ram": "128"},
    "formats": {"disk_format": "qcow2", "container_format": "ovf"},
    "a blank kernel": {"properties": {"kernel_id": ""}},
    "status and times": {"status": "active", "updated_at": "x", "name": "new"},
    "is_public False": {"is_public": False},
    "is_public True": {"is_public": True},
    "a wrong format": {"disk_format": "wrong"},
    "a wrong number": {"min_disk": "many"},
    "protected": {"protected": True},
}
for _what, _meta in _UPDATES.items():
    CASES[f"update {_what}"] = _update(_meta)
    CASES[f"update {_what} and purge"] = _update(_meta, purge=True)
CASES["update as a stranger"] = _update({"name": "new"}, user="stranger")
CASES["update is_public as admin"] = _update({"is_public": True}, user="admin")
CASES["update a community image"] = _update({"name": "new"}, visibility="community")


def _whole(user: str, change: Mapping[str, str], **record: Any) -> Case:
    """Send the whole dict back, as Nova's image metadata API does."""

    def call(side: Side) -> object:
        image_id = side.make(DATA, **{"properties": {"one": "1", "two": "2"}, **record})
        context = side.context(user)
        image = side.api.get(context, image_id)
        image["properties"] = {**image["properties"], **change}
        image["properties"].pop("two")
        changed = side.api.update(context, image_id, image, None, purge_props=True)
        return _stored(side, changed)

    return call


for _visibility in ("private", "shared", "community"):
    CASES[f"send a whole {_visibility} image back"] = _whole(
        "demo", {"three": "3"}, visibility=_visibility
    )
CASES["send a whole image back as admin"] = _whole("admin", {"three": "3"})
CASES["purge one of two of one value"] = _update(
    {"properties": {"three": "1"}}, purge=True, properties={"one": "1", "two": "1"}
)


def _update_nobody(side: Side) -> object:
    return side.api.update(side.context(), NOBODY, {"name": "x"})


def _update_public(side: Side) -> object:
    image_id = side.make(name="theirs", user="stranger")
    side.target.publish(image_id)
    return side.api.update(side.context(), image_id, {"name": "x"})


CASES["update nobody's"] = _update_nobody
CASES["update somebody else's public image"] = _update_public


def _upload(meta: Mapping[str, Any], data: Callable[[], object], **record: Any) -> Case:
    def call(side: Side) -> object:
        image_id = side.make(**record)
        given = {**meta, "properties": dict(meta.get("properties", {}))}
        changed = side.api.update(side.context(), image_id, given, data(), purge_props=False)
        return _stored(side, changed)

    return call


CASES["upload a snapshot"] = _upload(SNAPSHOT, lambda: io.BytesIO(DATA))
CASES["upload of size 0"] = _upload({**SNAPSHOT, "size": 0}, lambda: io.BytesIO(DATA))
CASES["upload nothing"] = _upload(SNAPSHOT, lambda: io.BytesIO(b""))


def _upload_twice(side: Side) -> object:
    image_id = side.make(DATA)
    return side.api.update(side.context(), image_id, {}, io.BytesIO(b"other"), purge_props=False)


CASES["upload over data"] = _upload_twice


def _located(image_id: str) -> Mapping[str, Any]:
    return {"location": f"rbd://cluster/pool/{image_id}/snap"}


def _update_location(side: Side) -> object:
    image_id = side.make()
    return side.api.update(side.context(), image_id, _located(image_id), purge_props=False)


CASES["create at a location that no store has"] = _create(
    {"name": "l", "disk_format": "raw", "container_format": "bare", **_located("i")}
)
CASES["give a location that no store has"] = _update_location


# -- deleting


def _delete(user: str = "demo", again: bool = False, **record: Any) -> Case:
    def call(side: Side) -> object:
        image_id = side.make(**record)
        deleted = [side.api.delete(side.context(user), image_id)]
        if again:
            deleted.append(side.api.delete(side.context(user), image_id))
        return deleted

    return call


CASES["delete"] = _delete()
CASES["delete as admin"] = _delete("admin")
CASES["delete as a stranger"] = _delete("stranger")
CASES["delete twice"] = _delete(again=True)
CASES["delete a protected image"] = _delete(protected=True)


def _delete_others(side: Side) -> object:
    return side.api.delete(side.context(), side.world.ids["theirs public"])


def _get_deleted(side: Side) -> object:
    image_id = side.make()
    side.api.delete(side.context(), image_id)
    return side.api.get(side.context("admin"), image_id, show_deleted=True)


CASES["delete somebody else's public image"] = _delete_others
CASES["get a deleted image"] = _get_deleted


# -- data


def _download(name: str, user: str = "demo") -> Case:
    def call(side: Side) -> object:
        image_id = side.world.ids.get(name, name)
        return b"".join(side.api.download(side.context(user), image_id))

    return call


for _name in ("gt:5", "a:b", "in:x,y", "public", "theirs private", 'c,d "e"'):
    CASES[f"download {_name}"] = _download(_name)
CASES["download nobody's"] = _download(NOBODY)
CASES["download a deactivated image as admin"] = _download('c,d "e"', "admin")


def _download_to_file(side: Side) -> object:
    file = io.BytesIO()
    returned = side.api.download(side.context(), side.world.ids["public"], data=file)
    return [returned, file.getvalue(), file.closed]


def _download_to_path(side: Side) -> object:
    path = Path(f"{side.world.run}.{side.module.__name__}.part").resolve()
    try:
        returned = side.api.download(side.context(), side.world.ids["public"], dest_path=str(path))
        return [returned, path.read_bytes()]
    finally:
        path.unlink(missing_ok=True)


CASES["download to a file"] = _download_to_file
CASES["download to a path"] = _download_to_path


# -- references, stores, contexts


def _by_href(form: str) -> Case:
    def call(side: Side) -> object:
        href = form.format(url=side.target.url, id=side.world.ids["public"])
        return side.api.get(side.context(), href)["name"]

    return call


for _form in ("{url}/v2/images/{id}", "{url}/v1/images/{id}"):
    CASES[f"get by href {_form}"] = _by_href(_form)


def _urls(side: Side) -> object:
    context = side.context()
    return [
        side.module.generate_glance_url(context) == side.target.url,
        side.api.generate_image_url("some-id", context) == f"{side.target.url}/images/some-id",
    ]


CASES["urls"] = _urls


def _copy(name: str, user: str) -> Case:
    def call(side: Side) -> object:
        image_id = side.world.ids.get(name, name)
        return side.api.copy_image_to_store(side.context(user), image_id, "no-such-store")

    return call


CASES["copy into no store"] = _copy("public", "admin")
CASES["copy nobody's"] = _copy(NOBODY, "admin")


def _wrong_token(side: Side) -> object:
    context = side.context()
    context.auth_token = "wrong"
    return side.api.get(context, side.world.ids["public"])


CASES["get with a wrong token"] = _wrong_token
