# SPDX-License-Identifier: Apache-2.0
"""A replacement of the fake image service in Nova's tests: an embedded Glance, over HTTP.

Nova's own ``GlanceFixture`` replaces Nova's image module. This fixture does not replace
the module, but configures it for an embedded Glance.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import fixtures
import nova.conf
from nova import context as nova_context
from nova import service_auth
from nova.image import glance as image_module
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures.glance import GlanceFixture as NovasFixture

from glance_compat.fixture import NOVA_IMAGES, GlanceFixture

#: The project of most of Nova's tests, whose members may change the images.
PROJECT = "6f70656e737461636b20342065766572"


def _container(name: str | None) -> str | None:
    """Return a valid container format: Nova's images have "raw", which no Glance accepts, and
    Nova's own module cannot update such an image."""
    return "bare" if name == "raw" else name


def _images() -> list[dict[str, Any]]:
    """Return Nova's images, with times that list them in the order of Nova's fixture.

    A real list has the newest first, and tests use the first. The times in whole seconds, which
    the tests see, are equal.
    """
    return [
        {
            **image,
            "owner": PROJECT,
            "container_format": _container(image["container_format"]),
            "created_at": NovasFixture.timestamp + timedelta(microseconds=999 - place),
            "updated_at": NovasFixture.timestamp,
        }
        for place, image in enumerate(NOVA_IMAGES)
    ]


#: One server for all tests of a process; each test starts with the same images.
_SERVERS: dict[tuple[str, str], GlanceFixture] = {}


def server(api: str, release: str) -> GlanceFixture:
    """Return the embedded Glance of this process."""
    if (api, release) not in _SERVERS:
        glance = GlanceFixture(apis=(api,), release=release, images=_images())
        glance.setUp()
        _SERVERS[api, release] = glance
    return _SERVERS[api, release]


def stop_servers() -> None:
    while _SERVERS:
        _SERVERS.popitem()[1].cleanUp()


def token_of(context: Any) -> str:
    """Return the token that describes the identity of a context to the embedded Glance."""
    roles = {*(context.roles or ()), *(("admin",) if context.is_admin else ("member",))}
    user = context.user_id or "nova"
    return f"{user}:{context.project_id or 'service'}:{','.join(sorted(roles))}"


def _text(value: object) -> str | None:
    """Return the value of a property as Glance stores it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def _aware(when: datetime) -> datetime:
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


class _Contexts(fixtures.Fixture):
    """Add a token to request contexts, as Nova's API has one from keystonemiddleware."""

    def _setUp(self) -> None:
        own = nova_context.RequestContext.__init__

        def with_token(self: Any, *args: Any, **kwargs: Any) -> None:
            own(self, *args, **kwargs)
            if not self.auth_token:
                self.auth_token = token_of(self)

        self.useFixture(fixtures.MonkeyPatch("nova.context.RequestContext.__init__", with_token))


class _Images(Mapping[str, Any]):
    """The images, with the interface of Nova's fixture."""

    def __init__(self, fixture: HttpGlanceFixture) -> None:
        self._fixture = fixture

    def __getitem__(self, image_id: str) -> Any:
        found = self._fixture.glance.images[image_id]
        if found.deleted:
            raise KeyError(image_id)
        return self._fixture.show(None, image_id)

    def __iter__(self) -> Iterator[str]:
        return (key for key, one in self._fixture.glance.images.items() if not one.deleted)

    def __len__(self) -> int:
        return len(list(iter(self)))


class HttpGlanceFixture(fixtures.Fixture):
    """A replacement of ``nova.tests.fixtures.GlanceFixture``.

    :param test: the test case, as for Nova's fixture.
    """

    api = "v2"
    release = "33"

    for _name, _value in vars(NovasFixture).items():
        if isinstance(_value, dict) or _name == "timestamp":
            vars()[_name] = copy.deepcopy(_value)

    def __init__(self, test: Any) -> None:
        super().__init__()
        self.test = test
        self.glance = server(self.api, self.release)

    def _setUp(self) -> None:
        self.glance.reset()
        self.useFixture(_Contexts())
        self.test.useFixture(
            nova_fixtures.ConfPatcher(group="glance", api_servers=[self.glance.url])
        )
        service_auth.reset_globals()
        self.addCleanup(service_auth.reset_globals)

    @property
    def images(self) -> _Images:
        return _Images(self)

    def _admin(self) -> Any:
        return nova_context.get_admin_context()

    def show(self, context: Any, image_id: str, **kwargs: Any) -> Any:
        return image_module.API().get(context or self._admin(), image_id, **kwargs)

    def detail(self, context: Any, **kwargs: Any) -> Any:
        return image_module.API().get_all(context or self._admin(), **kwargs)

    def delete(self, context: Any, image_id: str) -> Any:
        return image_module.API().delete(context or self._admin(), image_id)

    def update(self, context: Any, image_id: str, metadata: Any, **kwargs: Any) -> Any:
        service = image_module.get_default_image_service()
        return service.update(context or self._admin(), image_id, metadata, **kwargs)

    def create(self, context: Any, metadata: dict[str, Any], data: Any = None) -> Any:
        """Create an active public image without a size, as Nova's fixture does."""
        image_id = str(metadata.setdefault("id", str(uuid.uuid4())))
        described = {
            "id": image_id,
            "name": metadata.get("name"),
            "status": metadata.get("status", "active"),
            "size": metadata.get("size", 74185822),
            "visibility": "public",
            "owner": PROJECT,
            "created_at": _aware(metadata.get("created_at", NovasFixture.timestamp)),
            "container_format": _container(metadata.get("container_format")),
            "disk_format": metadata.get("disk_format"),
            "min_disk": int(metadata.get("min_disk") or 0),
            "min_ram": int(metadata.get("min_ram") or 0),
            "properties": {
                name: _text(value) for name, value in metadata.get("properties", {}).items()
            },
        }
        self.glance.add_image(described)
        return self.show(None, image_id)


def configured() -> Any:
    """Return Nova's configuration, in which a worker sets options."""
    return nova.conf.CONF
