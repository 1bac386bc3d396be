# SPDX-License-Identifier: Apache-2.0
"""Nova's own image module and the library's, on one server."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Protocol

import nova.conf
from keystoneauth1.session import Session
from nova import context as nova_context
from nova import service_auth
from nova.image import glance as novas_module

from glance_compat.nova import glance as our_module
from tests.contract.population import QUOTED, ROWS
from tests.contract.shape import DATA
from tests.contract.targets import Target

#: The property of all images of a world. Nova's filter strips the characters of "property-"
#: from the start of a name, and this name begins with none of them.
MARK = "mark"

#: The name of an image that no list of Nova's own module can contain.
BROKEN_MARK = "broken_mark"

#: The properties of further images that Nova creates, by name.
_OF_NOVA: Mapping[str, Mapping[str, str]] = {
    "volumes": {"block_device_mapping": '[{"boot_index": 0}]', "mappings": "[]", "bdm_v2": "True"},
    "blank": {"kernel_id": "", "ramdisk_id": "", "img_config_drive": "optional"},
}


#: The metadata that libvirt sends with the data of a snapshot.
SNAPSHOT: dict[str, Any] = {
    "status": "active",
    "name": "snap",
    "disk_format": "raw",
    "container_format": "bare",
    "properties": {
        "kernel_id": "",
        "image_location": "snapshot",
        "image_state": "available",
        "owner_id": "demo",
        "ramdisk_id": "",
    },
}


@dataclasses.dataclass(frozen=True)
class World:
    """Images with every status on one server.

    :param run: the value of the property MARK.
    :param ids: the id of each image, by name.
    """

    target: Target
    run: str
    ids: Mapping[str, str]

    def label(self, value: object) -> object:
        """Return a value with names in place of ids, and placeholders in place of times."""
        if isinstance(value, Mapping):
            return {name: self.label(one) for name, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.label(one) for one in value]
        if isinstance(value, datetime.datetime):
            return f"a time of {value.tzinfo}"
        return self._label_text(value) if isinstance(value, str) else value

    def _label_text(self, text: str) -> str:
        for name, image_id in self.ids.items():
            text = text.replace(image_id, f"<{name}>")
        return text.replace(self.run, "<run>")


def populate(target: Target) -> World:
    """Create the images of :mod:`tests.contract.population`, and some of Nova's."""
    run = uuid.uuid4().hex
    ids: dict[str, str] = {}
    for name, owner, data, record in ROWS:
        properties = {MARK: run, **record.get("properties", {})}
        ids[name] = target.make(owner, data, **{**record, "name": name, "properties": properties})
    for name, more in _OF_NOVA.items():
        ids[name] = target.make(data=DATA, name=name, properties={MARK: run, **more})
    broken = {BROKEN_MARK: run, "block_device_mapping": "not json"}
    ids["no json"] = target.make(data=DATA, name="no json", properties=broken)
    for name in ("public", "theirs public"):
        target.publish(ids[name])
    target.deactivate(ids[QUOTED])
    for status in ("pending", "accepted", "rejected"):
        target.share(ids[status], "demo", status, owner="other")
    return World(target, run, ids)


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the modules, used on a world."""

    module: ModuleType
    world: World

    @property
    def target(self) -> Target:
        return self.world.target

    @property
    def api(self) -> Any:
        return self.module.API()

    @property
    def service(self) -> Any:
        return self.module.get_default_image_service()

    def context(self, user: str = "demo", **other: Any) -> Any:
        """Return a request context of Nova."""
        known = self.target.context(user)
        return nova_context.RequestContext(
            user_id=user,
            project_id=known.project_id,
            auth_token=known.auth_token,
            roles=list(known.roles or ()),
            **other,
        )

    def make(self, data: bytes | None = None, user: str = "demo", **record: Any) -> str:
        """Create another image, which this side may change."""
        return self.target.make(user, data, **{"name": "made", **record})


MODULES = {"nova": novas_module, "drop-in": our_module}


class Server(Protocol):
    """A server that Nova can be configured for: a target of the contract, or a GlanceFixture."""

    @property
    def url(self) -> str: ...

    def session(self) -> Session: ...


@contextlib.contextmanager
def configured(server: Server, *, files: Sequence[str] = (), **settings: Any) -> Iterator[Any]:
    """Configure Nova for a server; embedded ones are reached without sockets, through the
    session that both modules get from ``nova.service_auth``.

    :param files: configuration files.
    :param settings: options of the group ``[glance]``.
    """
    conf = nova.conf.CONF
    conf([], project="nova", default_config_files=list(files))
    conf.set_override("api_servers", [server.url], group="glance")
    conf.set_override("num_retries", 0, group="glance")
    for name, value in settings.items():
        conf.set_override(name, value, group="glance")
    service_auth.reset_globals()
    service_auth._SESSIONS["glance"] = server.session()
    try:
        yield conf
    finally:
        service_auth.reset_globals()
        conf.reset()
        conf.clear()
