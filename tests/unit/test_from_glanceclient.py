# SPDX-License-Identifier: Apache-2.0
"""from_glanceclient: the arguments from a client, and the refusal of other objects."""

from __future__ import annotations

import gc
import typing
from collections.abc import Iterator

import glanceclient
import glanceclient.exc
import pytest
from glanceclient.v1 import client as v1_client
from glanceclient.v2 import client as v2_client
from keystoneauth1 import adapter as ksa_adapter
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, from_glanceclient
from glance_compat.exceptions import InvalidOption
from tests.unit.scripted_server import ScriptedServer, json_reply

V1_IMAGE = (
    ("x-image-meta-id", "an-image"),
    ("x-image-meta-name", "named"),
    ("x-image-meta-status", "active"),
    ("x-image-meta-size", "3"),
    ("x-image-meta-is_public", "False"),
    ("x-image-meta-protected", "False"),
    ("x-image-meta-deleted", "False"),
    ("x-image-meta-min_disk", "0"),
    ("x-image-meta-min_ram", "0"),
    ("x-image-meta-disk_format", "raw"),
    ("x-image-meta-container_format", "bare"),
    ("x-image-meta-owner", "a-project"),
    ("x-image-meta-checksum", "900150983cd24fb0d6963f7d28e17f72"),
    ("x-image-meta-created_at", "2026-01-01T00:00:00.000000"),
    ("x-image-meta-updated_at", "2026-01-01T00:00:00.000000"),
)
V2_IMAGE = {"id": "an-image", "name": "named", "status": "active", "visibility": "private"}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        one.on("HEAD", "/v1/images/an-image", json_reply({}, headers=V1_IMAGE))
        one.on("GET", "/v2/images/an-image", json_reply(V2_IMAGE))
        yield one


def session_at(url: str, token: str = "sessions-token") -> ksa_session.Session:
    return ksa_session.Session(auth=token_endpoint.Token(url, token))


VERSIONS = [(v1_client.Client, "1", "HEAD"), (v2_client.Client, "2", "GET")]
CLASSES = pytest.mark.parametrize(("kind", "version", "method"), VERSIONS, ids=["v1", "v2"])


@CLASSES
def test_client_with_session_is_read(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    session = session_at(server.url)
    client = kind(session=session, region_name="one", interface="internal", service_name="glance")
    taken = from_glanceclient.read_arguments(client)
    assert taken.session is session
    assert (taken.auth, taken.endpoint_override) == (None, None)
    assert (taken.region_name, taken.interface) == ("one", "internal")
    assert (taken.service_type, taken.service_name) == ("image", "glance")
    assert taken.options.api_version == version

    service = ImageService.from_client(kind(session=session))
    assert service.show(None, "an-image")["name"] == "named"
    assert service.discover().api == f"v{version}"
    assert [(one.method, one.token) for one in server.seen] == [(method, "sessions-token")]


@CLASSES
def test_client_with_own_endpoint_and_plugin_is_read(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    own = token_endpoint.Token("http://nowhere.invalid", "own-token")
    client = kind(
        session=session_at("http://nowhere.invalid"), auth=own, endpoint_override=server.url
    )
    taken = from_glanceclient.read_arguments(client)
    assert taken.auth is own
    assert taken.endpoint_override == server.url
    ImageService.from_client(client).show(None, "an-image")
    assert [(one.method, one.token) for one in server.seen] == [(method, "own-token")]


@CLASSES
@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v2/"])
def test_client_with_endpoint_and_token_is_read(
    server: ScriptedServer, kind: typing.Any, version: str, method: str, suffix: str
) -> None:
    client = kind(f"{server.url}{suffix}", token="clients-token", timeout=7)
    taken = from_glanceclient.read_arguments(client)
    assert taken.options.api_version == version
    assert taken.session.timeout == 7
    assert taken.session.session is client.http_client.session
    service = ImageService.from_client(client)
    assert service.show(None, "an-image")["name"] == "named"
    assert service.discover().endpoint == server.url
    assert [(one.method, one.token) for one in server.seen] == [(method, "clients-token")]


@CLASSES
def test_service_outlives_client(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    # The client closes its session when it is deleted.
    service = ImageService.from_client(kind(server.url, token="clients-token"))
    service.show(None, "an-image")
    gc.collect()
    assert service.show(None, "an-image")["id"] == "an-image"


@CLASSES
def test_client_with_identity_headers_is_read(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    client = kind(server.url, identity_headers={"X-Auth-Token": "headers-token"})
    ImageService.from_client(client).show(None, "an-image")
    assert [one.token for one in server.seen] == ["headers-token"]


@CLASSES
def test_client_with_request_id_and_roles_is_read(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    client = kind(
        server.url,
        token="clients-token",
        identity_headers={"X-Roles": "admin"},
        global_request_id="req-00000000-0000-4000-8000-000000000000",
    )
    ImageService.from_client(client).show(None, "an-image")
    (seen,) = server.seen
    sent = {name.lower(): value for name, value in seen.headers.items()}
    assert sent["x-roles"] == "admin"
    assert sent["x-openstack-request-id"] == "req-00000000-0000-4000-8000-000000000000"
    assert seen.token == "clients-token"


@CLASSES
def test_client_without_token_sends_none(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    service = ImageService.from_client(kind(server.url))
    service.show(None, "an-image")
    assert [one.token for one in server.seen] == [None]


@CLASSES
@pytest.mark.parametrize(
    ("given", "verify"),
    [
        ({}, True),
        ({"insecure": True}, False),
        ({"insecure": False}, True),
        ({"cacert": "/etc/ca.pem"}, "/etc/ca.pem"),
        ({"cacert": None}, True),
        ({"cacert": ""}, True),
    ],
)
def test_client_tls_settings_are_copied(
    kind: typing.Any, version: str, method: str, given: dict[str, object], verify: object
) -> None:
    taken = from_glanceclient.read_arguments(kind("https://glance.example", token="t", **given))
    assert taken.session.verify == verify
    assert taken.session.cert is None
    certified = kind("https://glance.example", token="t", cert_file="/c", key_file="/k", **given)
    assert from_glanceclient.read_arguments(certified).session.cert == ("/c", "/k")
    in_one = kind("https://glance.example", token="t", cert_file="/c", **given)
    assert from_glanceclient.read_arguments(in_one).session.cert == "/c"


@CLASSES
def test_client_subclass_is_accepted(
    server: ScriptedServer, kind: typing.Any, version: str, method: str
) -> None:
    own = type("Own", (kind,), {})
    assert (
        from_glanceclient.read_arguments(own(server.url, token="t")).options.api_version == version
    )


@pytest.mark.parametrize("version", ["1", "2"])
def test_factory_clients_are_accepted(version: str) -> None:
    client = glanceclient.Client(endpoint=f"http://glance.example/v{version}", token="t")
    taken = from_glanceclient.read_arguments(client)
    assert (taken.options.api_version, taken.endpoint_override) == (
        version,
        "http://glance.example",
    )


class LooksLikeOne:
    """A class with the attributes of a client that is not a client."""

    http_client = ksa_adapter.Adapter(ksa_session.Session())


@pytest.mark.parametrize(
    "client",
    [
        None,
        "http://glance.example",
        object(),
        ksa_session.Session(),
        ksa_adapter.Adapter(ksa_session.Session(), service_type="image"),
        LooksLikeOne(),
        glanceclient,
        v2_client.Client,
        v2_client.Client("http://glance.example").images,
        v2_client.Client("http://glance.example").http_client,
        glanceclient.exc.NotFound(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_non_client_is_refused(client: object) -> None:
    with pytest.raises(InvalidOption, match="python-glanceclient"):
        ImageService.from_client(client)
