# SPDX-License-Identifier: Apache-2.0
"""context: all types of contexts, the token that is sent, the catalog, and admins."""

from __future__ import annotations

import dataclasses
import socket
import typing
from collections.abc import Callable, Iterator

import keystoneauth1.exceptions
import keystoneauth1.fixture
import pytest
from keystoneauth1 import access
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import access as access_plugin
from keystoneauth1.identity import v3

from glance_compat import ImageService, Options
from glance_compat.exceptions import (
    GlanceConnectionFailed,
    ImageNotAuthorized,
    Invalid,
    NotAuthenticated,
    NoUsableVersion,
)
from glance_compat.routing.catalog import Catalog, find_endpoint, find_every_endpoint
from glance_compat.routing.context import read_identity
from glance_compat.transport.client import Transport
from glance_compat.transport.retry import Deadline
from glance_compat.transport.sessions import auth_session
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

IMAGE = {"id": "an-image", "status": "active", "visibility": "private"}


def plugin_of(
    token: str, url: str | None = "http://service-catalog", roles: tuple[str, ...] = ("member",)
) -> ksa_plugin.BaseAuthPlugin:
    """Return an auth plugin with a token and a catalog that needs no Keystone."""
    body = keystoneauth1.fixture.V3Token(project_id="own-project")
    for role in roles:
        body.add_role(role)
    if url is not None:
        image = body.add_service("image", name="glance")
        image.add_standard_endpoints(public=url, internal=f"{url}-internal", region="one")
    plugin: ksa_plugin.BaseAuthPlugin = access_plugin.AccessInfoPlugin(
        access.create(body=body, auth_token=token)
    )
    return plugin


@dataclasses.dataclass
class Context:
    """A context like Nova's RequestContext without its plugin."""

    auth_token: object = "users-token"
    service_catalog: object = None
    project_id: object = "users-project"
    roles: object = ("member",)
    is_admin: object = False
    global_id: object = "req-1b8ca0a0-6e40-4d48-9a6e-6f4a3f1f9f11"


@dataclasses.dataclass
class PluginContext(Context):
    """A context that creates its auth plugin itself."""

    plugin: object = None

    def get_auth_plugin(self) -> object:
        return self.plugin


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        one.on("GET", "/v2/images/an-image", json_reply(IMAGE))
        yield one


def service_at(server: ScriptedServer, auth: object = None) -> ImageService:
    session = ksa_session.Session(auth=plugin_of("sessions-token"))
    return ImageService(
        session,
        auth=typing.cast("ksa_plugin.BaseAuthPlugin | None", auth),
        endpoint_override=server.url,
        options=Options(api_version="2"),
    )


class Caller:
    """The identity and endpoints that the library determines for a context.

    :param own: the auth plugin of the service.
    """

    def __init__(
        self,
        context: object,
        own: ksa_plugin.BaseAuthPlugin | None = None,
        session: ksa_session.Session | None = None,
        options: Options = Options(),  # noqa: B008 - frozen
    ) -> None:
        self.identity = read_identity(context, own)
        self.session = session or ksa_session.Session(auth=own)
        self.options = options

    def for_plugins(self) -> ksa_session.Session:
        return auth_session(self.session, self.options.read_timeout, self.options.deadline)

    def endpoint(self, catalog: Catalog) -> str:
        return find_endpoint(self.identity, self.for_plugins(), catalog)

    def every_endpoint(self, catalog: Catalog) -> tuple[str, ...]:
        return find_every_endpoint(self.identity, self.for_plugins(), catalog)

    def may_be_admin(self) -> bool:
        return Transport(
            self.session,
            "http://glance",
            self.options,
            identity=self.identity,
            deadline=Deadline(None),
        ).may_be_admin()


# ---------------------------------------------------------------------------------------------
# The token that is sent.


@pytest.mark.parametrize(
    ("context", "auth", "token"),
    [
        (None, None, "sessions-token"),
        (None, plugin_of("services-token"), "services-token"),
        (Context(), None, "users-token"),
        (Context(), plugin_of("services-token"), "users-token"),
        (PluginContext(plugin=plugin_of("plugins-token")), None, "plugins-token"),
        (PluginContext(plugin=plugin_of("plugins-token")), plugin_of("no"), "plugins-token"),
    ],
)
def test_exactly_one_token_is_sent(
    server: ScriptedServer, context: object, auth: object, token: str
) -> None:
    service_at(server, auth).show(context, "an-image")
    assert [one.token for one in server.seen] == [token]


@pytest.mark.parametrize("auth", [None, plugin_of("services-token")])
@pytest.mark.parametrize("status", [401, 403])
def test_refused_context_token_is_not_replaced(
    server: ScriptedServer, auth: object, status: int
) -> None:
    server.on("GET", "/v2/images/an-image", Reply(status))
    with pytest.raises((NotAuthenticated, ImageNotAuthorized)) as caught:
        service_at(server, auth).show(Context(), "an-image")
    assert caught.value.status == status
    assert {one.token for one in server.seen} == {"users-token"}


@pytest.mark.parametrize(
    "context",
    [
        object(),
        Context(auth_token=None),
        Context(auth_token=""),
        Context(auth_token=b"users-token"),
        Context(auth_token=5),
        Context(auth_token="users\ntoken"),
        Context(auth_token=" users-token"),
        Context(auth_token="users-token "),
        Context(auth_token="tokën"),
        Context(auth_token="token\N{SNOWMAN}"),
        PluginContext(plugin=None),
        PluginContext(plugin="users-token"),
    ],
)
def test_context_without_token_never_uses_service_token(
    server: ScriptedServer, context: object
) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        service_at(server, plugin_of("services-token")).show(context, "an-image")
    assert server.seen == []
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "users" not in told


@pytest.mark.parametrize("context", [{}, {"auth_token": "users-token"}, "users-token", b"users"])
def test_invalid_context_is_refused_without_its_value(
    server: ScriptedServer, context: object
) -> None:
    with pytest.raises(Invalid) as caught:
        service_at(server, plugin_of("services-token")).show(context, "an-image")
    assert server.seen == []
    assert f"the first argument is a {type(context).__name__};" in str(caught.value)
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "users" not in told


class NoToken(ksa_plugin.BaseAuthPlugin):
    """Nova's auth plugin for a context without a token."""

    def get_token(self, session: object, **kwargs: object) -> None:
        return None


class Failing(ksa_plugin.BaseAuthPlugin):
    """An auth plugin whose identity service fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get_token(self, session: object, **kwargs: object) -> str:
        raise self.error


def test_plugin_without_token_is_not_authenticated(server: ScriptedServer) -> None:
    with pytest.raises(NotAuthenticated):
        service_at(server).show(PluginContext(plugin=NoToken()), "an-image")
    assert server.seen == []


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (keystoneauth1.exceptions.Unauthorized("no"), NotAuthenticated),
        (keystoneauth1.exceptions.AuthorizationFailure("no"), NotAuthenticated),
        (keystoneauth1.exceptions.MissingRequiredOptions([]), NotAuthenticated),
        (keystoneauth1.exceptions.ConnectFailure("no"), GlanceConnectionFailed),
    ],
)
def test_failed_token_request_is_reported(
    server: ScriptedServer, error: Exception, ours: type[Exception]
) -> None:
    service = ImageService(
        ksa_session.Session(),
        endpoint_override=server.url,
        options=Options(api_version="2", max_attempts=1),
    )
    with pytest.raises(ours, match="token"):
        service.show(PluginContext(plugin=Failing(error)), "an-image")
    assert server.seen == []


def test_no_token_is_sent_without_plugin(server: ScriptedServer) -> None:
    service = ImageService(
        ksa_session.Session(), endpoint_override=server.url, options=Options(api_version="2")
    )
    assert service.show(None, "an-image")["id"] == "an-image"
    assert [one.token for one in server.seen] == [None]


# ---------------------------------------------------------------------------------------------
# The caller's request id.


def test_global_request_id_of_context_is_sent(server: ScriptedServer) -> None:
    context = Context()
    service_at(server).show(context, "an-image")
    assert server.seen[0].headers["x-openstack-request-id"] == context.global_id


@pytest.mark.parametrize(
    "global_id", [None, "", 5, b"req-1", "req-1\r\nX-Auth-Token: x", " req-1", "req-\N{SNOWMAN}"]
)
def test_invalid_request_id_is_not_sent(server: ScriptedServer, global_id: object) -> None:
    service_at(server).show(Context(global_id=global_id), "an-image")
    assert "x-openstack-request-id" not in server.seen[0].headers
    assert server.seen[0].token == "users-token"


def test_context_needs_only_a_token(server: ScriptedServer) -> None:
    class Bare:
        auth_token = "users-token"

    service_at(server).show(Bare(), "an-image")
    assert server.seen[0].token == "users-token"


# ---------------------------------------------------------------------------------------------
# The order of catalogs: the context's, its plugin's, the service's.

ENTRIES_V3 = [
    {
        "type": "image",
        "name": "glance",
        "endpoints": [{"interface": "public", "region": "one", "url": "http://context-catalog"}],
    }
]
ENTRIES_V2 = [
    {
        "type": "image",
        "name": "glance",
        "endpoints": [{"publicURL": "http://context-catalog", "region": "one"}],
    }
]


@pytest.mark.parametrize("entries", [ENTRIES_V3, ENTRIES_V2], ids=["v3", "v2"])
def test_context_catalog_takes_precedence(entries: object) -> None:
    asking = Caller(Context(service_catalog=entries), plugin_of("services-token"))
    assert asking.endpoint(Catalog()) == "http://context-catalog"


def test_plugin_catalog_precedes_service_catalog() -> None:
    context = PluginContext(plugin=plugin_of("plugins-token", "http://plugin-catalog"))
    asking = Caller(context, plugin_of("services-token"))
    assert asking.endpoint(Catalog()) == "http://plugin-catalog"


@pytest.mark.parametrize("entries", [None, [], [{"type": "volume", "endpoints": []}]])
def test_service_catalog_serves_context_without_catalog(entries: object) -> None:
    asking = Caller(Context(service_catalog=entries), plugin_of("services-token"))
    assert asking.endpoint(Catalog()) == "http://service-catalog"
    assert asking.identity.auth is not asking.identity.service_auth


def test_session_catalog_is_the_last_resort() -> None:
    own = plugin_of("services-token", url=None)
    session = ksa_session.Session(auth=plugin_of("sessions-token"))
    assert Caller(None, own, session).endpoint(Catalog()) == "http://service-catalog"


def test_catalog_search_uses_region_and_interface() -> None:
    asking = Caller(None, plugin_of("services-token"))
    internal = Catalog(interface="internal", region_name="one")
    assert asking.endpoint(internal) == "http://service-catalog-internal"


@pytest.mark.parametrize(
    "catalog",
    [
        Catalog(region_name="two"),
        Catalog(interface="admin"),
        Catalog(service_type="volume"),
        Catalog(service_name="other"),
    ],
)
def test_missing_endpoint_error_describes_catalog_query(catalog: Catalog) -> None:
    with pytest.raises(NoUsableVersion) as caught:
        Caller(Context(), plugin_of("services-token")).endpoint(catalog)
    assert catalog.describe() in str(caught.value)
    assert "endpoint_override" in str(caught.value)


def test_missing_catalog_raises_no_usable_version() -> None:
    with pytest.raises(NoUsableVersion, match="endpoint_override"):
        Caller(Context()).endpoint(Catalog())


@pytest.mark.parametrize("url", ["ftp://glance", "glance:9292", "http://glance/?a=b"])
def test_invalid_catalog_url_raises_no_usable_version(url: str) -> None:
    with pytest.raises(NoUsableVersion, match="not an http or https URL"):
        Caller(None, plugin_of("services-token", url)).endpoint(Catalog())


def test_unreachable_keystone_raises_connection_failed() -> None:
    own = v3.Password(
        "http://127.0.0.1:1", username="u", password="hunter2", user_domain_id="d", project_id="p"
    )
    asking = Caller(Context(), own)
    with pytest.raises(GlanceConnectionFailed, match="catalog"):
        asking.endpoint(Catalog())
    with pytest.raises(GlanceConnectionFailed, match="catalog"):
        asking.every_endpoint(Catalog())
    with pytest.raises(GlanceConnectionFailed, match="roles"):
        Caller(None, own).may_be_admin()


def test_silent_identity_service_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        own = v3.Password(
            f"http://127.0.0.1:{listening.getsockname()[1]}",
            username="u",
            password="hunter2",
            user_domain_id="d",
            project_id="p",
        )
        session = ksa_session.Session(auth=own)
        asking = Caller(None, None, session, Options(read_timeout=0.1))
        calls: list[Callable[[], object]] = [
            lambda: asking.endpoint(Catalog()),
            lambda: asking.every_endpoint(Catalog()),
            asking.may_be_admin,
        ]
        for call in calls:
            with pytest.raises(GlanceConnectionFailed, match=r"timed out|Timeout"):
                call()
        assert session.timeout is None


def test_malformed_context_catalog_is_refused() -> None:
    with pytest.raises(Invalid, match="service_catalog"):
        Caller(Context(service_catalog=[5]), plugin_of("t")).endpoint(Catalog())


def test_every_endpoint_includes_all_interfaces() -> None:
    expected = ["http://service-catalog", "http://service-catalog-internal"]
    own = plugin_of("services-token")
    for context in (None, Context(), PluginContext(plugin=own)):
        found = Caller(context, own).every_endpoint(Catalog(interface="public"))
        assert sorted(found) == expected
    found = Caller(Context(service_catalog=ENTRIES_V2), own).every_endpoint(Catalog())
    assert found == ("http://context-catalog",)


def test_every_endpoint_is_empty_without_catalog() -> None:
    assert Caller(Context()).every_endpoint(Catalog()) == ()
    assert Caller(None).every_endpoint(Catalog()) == ()


# ---------------------------------------------------------------------------------------------
# The identity of the caller.


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (Context(roles=["member", "reader"]), False),
        (Context(roles=[]), False),
        (Context(roles=["member", "admin"]), True),
        (Context(roles=("Admin",)), True),
        (Context(roles={"cloud_admin"}), True),
        (Context(roles=["member"], is_admin=True), True),
        (Context(roles=None), True),
        (Context(roles="admin"), True),
        (PluginContext(roles=None, plugin=plugin_of("t", roles=("member",))), False),
        (PluginContext(roles=None, plugin=plugin_of("t", roles=("admin",))), True),
        (PluginContext(roles=["member"], plugin=plugin_of("t", roles=("admin",))), False),
    ],
)
def test_may_be_admin_uses_context_then_token(context: object, expected: bool) -> None:
    assert Caller(context).may_be_admin() is expected


@pytest.mark.parametrize(("roles", "expected"), [(("member",), False), (("admin",), True)])
def test_may_be_admin_uses_service_token_without_context(
    roles: tuple[str, ...], expected: bool
) -> None:
    assert Caller(None, plugin_of("services-token", roles=roles)).may_be_admin() is expected
    session = ksa_session.Session(auth=plugin_of("sessions-token", roles=roles))
    assert Caller(None, None, session).may_be_admin() is expected


def test_context_never_inherits_service_roles() -> None:
    own = plugin_of("services-token", roles=("member",))
    assert Caller(Context(roles=None), own).may_be_admin() is True


def test_project_comes_from_context() -> None:
    assert Caller(Context()).identity.project_id == "users-project"
    assert Caller(Context(project_id=None)).identity.project_id is None
    assert Caller(None, plugin_of("t")).identity.project_id is None
