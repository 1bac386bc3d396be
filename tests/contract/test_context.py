# SPDX-License-Identifier: Apache-2.0
"""Contexts: whose token is sent to Glance, and the source of the endpoint."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from typing import Any

import pytest
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from glance_compat import ImageService, Options, exceptions
from tests.contract.shape import DATA, FORMATS, MD5
from tests.contract.targets import Context, Target, on_each_api, on_real


@dataclasses.dataclass
class PluginContext:
    """A context with an auth plugin; its attribute ``auth_token`` must not be read."""

    plugin: BaseAuthPlugin
    auth_token: str = "not this one"

    def get_auth_plugin(self) -> BaseAuthPlugin:
        return self.plugin


def catalog_of(target: Target) -> tuple[dict[str, Any], ...]:
    """Return the catalog in the format of Nova's context."""
    urls = {"publicURL": target.url, "internalURL": target.url, "adminURL": target.url}
    entry = {"type": "image", "name": "glance", "endpoints": [{"region": "here", **urls}]}
    return ({"type": "compute", "name": "nova", "endpoints": []}, entry)


def test_only_the_context_token_is_sent(target: Target, name: str) -> None:
    # The service itself has the credentials of an admin.
    service = target.service("admin")
    context = target.context("demo", global_id="req-11111111-2222-3333-4444-555555555555")
    # The version document is requested without a token.
    service.discover()
    with target.counting() as exchanges:
        created = service.create(context, {"name": name})
    assert created["owner"] == target.projects["demo"]
    assert {one.headers["X-Auth-Token"] for one in exchanges} == {context.auth_token}
    assert {one.headers["X-OpenStack-Request-ID"] for one in exchanges} == {context.global_id}
    with pytest.raises(exceptions.ImageNotFound):
        service.show(target.context("other"), created["id"])
    assert service.show(None, created["id"]) == created


def test_context_auth_plugin_is_used(target: Target, name: str) -> None:
    plugin = target.session("other").auth
    assert isinstance(plugin, BaseAuthPlugin)
    created = target.service("demo").create(PluginContext(plugin), {"name": name})
    assert created["owner"] == target.projects["other"]


@pytest.mark.parametrize("token", [None, ""])
def test_context_without_token_is_refused(target: Target, token: str | None) -> None:
    service = target.service("admin")
    for call in (
        lambda: service.detail(Context(token)),
        lambda: service.create(Context(token), {}),
        lambda: service.discover(Context(token)),
    ):
        with target.counting() as exchanges, pytest.raises(exceptions.NotAuthenticated):
            call()
        assert exchanges == []


@on_each_api
@pytest.mark.parametrize(
    "context", [object(), "demo", 7, {"auth_token": "x"}], ids=["object", "text", "number", "dict"]
)
def test_invalid_context_is_refused(target: Target, context: object) -> None:
    with target.counting() as exchanges, pytest.raises(exceptions.GlanceCompatError):
        target.service("admin").detail(context)
    assert exchanges == []


def bare_session(target: Target) -> Session:
    """Return a session without credentials, over the connections of another session."""
    return Session(session=target.session().session)


def test_context_catalog_provides_endpoint(target: Target, name: str) -> None:
    service = ImageService(bare_session(target), options=Options(prefer=target.prefer))
    context = target.context("demo", service_catalog=catalog_of(target))
    created = service.create(context, {"name": name})
    assert created["owner"] == target.projects["demo"]
    found = service.discover(context)
    assert (found.endpoint, found.api) == (target.url, target.kind.api)


def test_region_selects_from_context_catalog(target: Target) -> None:
    context = target.context("demo", service_catalog=catalog_of(target))
    here = ImageService(bare_session(target), region_name="here")
    assert here.discover(context).endpoint == target.url
    there = ImageService(bare_session(target), region_name="there")
    with pytest.raises(exceptions.NoUsableVersion) as caught:
        there.discover(context)
    assert "there" in str(caught.value)


def test_endpoint_override_wins_over_context_catalog(target: Target) -> None:
    elsewhere = {"type": "image", "endpoints": [{"publicURL": "http://elsewhere.invalid"}]}
    context = target.context("demo", service_catalog=(elsewhere,))
    service = ImageService(
        bare_session(target), endpoint_override=target.url, options=Options(prefer=target.prefer)
    )
    assert service.discover(context).endpoint == target.url


def test_token_without_endpoint_is_refused(target: Target) -> None:
    service = ImageService(bare_session(target))
    with pytest.raises(exceptions.NoUsableVersion) as caught:
        service.detail(target.context("demo"))
    assert "endpoint_override" in str(caught.value)
    assert str(target.context("demo").auth_token) not in str(caught.value)


@on_real
def test_context_token_uses_catalog_of_service_auth(target: Target, name: str) -> None:
    # A token has no catalog; the service's credentials are used only for the catalog.
    service = ImageService(bare_session(target), auth=target.session("admin").auth, **target.place)
    with target.counting() as exchanges:
        created = service.create(target.context("demo"), {"name": name})
    assert created["owner"] == target.projects["demo"]
    assert len(exchanges) == 1


@on_real
def test_service_auth_is_used_without_a_context(target: Target) -> None:
    service = ImageService(
        target.session("demo"), auth=target.session("other").auth, **target.place
    )
    assert service.create(None, {"name": "x"})["owner"] == target.projects["other"]


# ---------------------------------------------------------------------------------------------
# Stale tokens.


def stale_session(target: Target) -> Session:
    """Return a session whose token is invalid, and that can get a valid one."""
    session = target.new_session("demo")
    plugin: Any = session.auth
    session.get_token()
    plugin.auth_ref._auth_token = "stale"
    return session


CALLS: dict[str, Callable[[ImageService, str], object]] = {
    "detail": lambda service, image_id: service.detail(None, limit=1),
    "create": lambda service, image_id: service.create(None, {"name": "renewed"}),
    "update": lambda service, image_id: service.update(None, image_id, {"min_ram": 1}),
    "show": lambda service, image_id: service.show(None, image_id),
    "download": lambda service, image_id: b"".join(service.download(None, image_id)),
    "delete": lambda service, image_id: service.delete(None, image_id),
}


@on_real
@pytest.mark.parametrize("call", CALLS)
def test_stale_token_is_renewed(target: Target, call: str) -> None:
    image_id = target.make(name="renewed", data=DATA)
    service = ImageService(stale_session(target), **target.place)
    assert CALLS[call](service, image_id)


@on_real
def test_stale_token_never_creates_a_short_image(target: Target, name: str) -> None:
    service = ImageService(stale_session(target), **target.place)
    try:
        created = service.create(None, {"name": name, **FORMATS}, data=iter([DATA[:9], DATA[9:]]))
    except exceptions.NotAuthenticated:
        # An iterator cannot be rewound.
        assert target.leftovers(name) == []
    else:
        assert (created["status"], created["checksum"]) == ("active", MD5)


@on_real
def test_rewindable_data_survives_a_stale_token(target: Target, name: str) -> None:
    service = ImageService(stale_session(target), **target.place)
    created = service.create(None, {"name": name, **FORMATS}, data=io.BytesIO(DATA))
    assert (created["status"], created["size"], created["checksum"]) == ("active", len(DATA), MD5)
