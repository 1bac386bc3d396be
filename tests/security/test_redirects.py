# SPDX-License-Identifier: Apache-2.0
"""Redirects: neither a token nor a password is sent to another origin than the endpoint's."""

from __future__ import annotations

import typing
import urllib.parse
from collections.abc import Iterator

import hypothesis
import pytest
import requests
import urllib3.util
from hypothesis import strategies
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, exceptions
from glance_compat.options import Options
from glance_compat.urls import origin, redirect_target
from tests.unit.scripted_server import ScriptedServer, redirect

IMAGE = "8f6a0000-0000-4000-8000-000000000001"
TOKEN = "a-very-secret-token"
PASSWORD = "a-very-secret-password"


@pytest.fixture
def glance() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def evil() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def service_at(server: ScriptedServer, **options: typing.Any) -> ImageService:
    session = ksa_session.Session(auth=token_endpoint.Token("http://127.0.0.1:1", TOKEN))
    endpoint = server.url.replace("://", f"://user:{PASSWORD}@")
    options = {"max_attempts": 1, **options}
    return ImageService(session, endpoint_override=endpoint, options=Options(**options))


CALLS: dict[str, tuple[str, str, typing.Callable[[ImageService], object]]] = {
    "show v2": ("2", "GET", lambda service: service.show(None, IMAGE)),
    "show v1": ("1", "HEAD", lambda service: service.show(None, IMAGE)),
    "detail v2": ("2", "GET", lambda service: service.detail(None)),
    "detail v1": ("1", "GET", lambda service: service.detail(None)),
    "download v2": ("2", "GET", lambda service: list(service.download(None, IMAGE))),
    "download v1": ("1", "GET", lambda service: list(service.download(None, IMAGE))),
    "discover": ("auto", "GET", lambda service: service.discover()),
}

#: {evil} and {glance} stand for host and port. urllib.parse and urllib3, or a browser, read these
#: differently, or all of them read another origin.
LOCATIONS = (
    r"http://{evil}\@{glance}/x",
    r"http://{evil}\.{glance}/x",
    r"//{evil}\@{glance}/x",
    r"http:\\{evil}/x",
    r"\\{evil}\x",
    "http://{evil}#@{glance}/x",
    "http://{evil}?@{glance}/x",
    "http://{glance}@{evil}/x",
    "http://user@{glance}/x",
    "http://:@{glance}/x",
    "http://{evil}%00@{glance}/x",
    "http://{evil}\t@{glance}/x",
    "http://{evil} @{glance}/x",
    "http:/{evil}/../../x\x0b",
    "http:///{evil}/x",
    "https://{glance}/x",
    "//{evil}/x",
)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("location", LOCATIONS)
def test_redirect_to_another_host_is_refused(
    glance: ScriptedServer, evil: ScriptedServer, call: str, location: str
) -> None:
    version, method, make = CALLS[call]
    hosts = {
        "evil": evil.url.removeprefix("http://"),
        "glance": glance.url.removeprefix("http://"),
    }
    target = location.format(**hosts)
    paths = ("/", "/v2/schemas/image", "/v2/images", f"/v2/images/{IMAGE}", "/v1/images")
    for path in (*paths, f"/v2/images/{IMAGE}/file", f"/v1/images/{IMAGE}", "/v1/images/detail"):
        glance.on(method, path, redirect(target))
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        make(service_at(glance, api_version=version))
    assert evil.seen == []
    # The endpoint gets no request with the path that the attacker chose.
    assert {one.path for one in glance.seen} <= {
        *paths,
        f"/v2/images/{IMAGE}/file",
        f"/v1/images/{IMAGE}",
        "/v1/images/detail",
    }
    assert TOKEN not in str(caught.value)
    assert PASSWORD not in str(caught.value)


PIECES = [
    *("http:", "https:", "//", "/", "\\", "@", ":", "#", "?", ".", "glance", "evil", "9292"),
    *("[", "]", "%", "%40", "%5c", " ", "\t", "\r\n", "\x00", "\x7f", "::1", "é", "。", ";", ".."),
]


@hypothesis.given(
    location=strategies.lists(strategies.sampled_from(PIECES), max_size=12).map("".join)
)
@hypothesis.example(location="http://evil:1\\@glance:9292/x")
def test_followed_redirects_connect_to_the_endpoint(location: str) -> None:
    """Compare the accepted origins with the hosts that requests and urllib3 connect to."""
    url = "http://glance:9292/v2/images"
    target = redirect_target(url, location)
    if target is None:
        return
    prepared = requests.Request("GET", target).prepare().url or ""
    for one in (target, prepared):
        parts, connected = urllib.parse.urlsplit(one), urllib3.util.parse_url(one)
        assert (parts.scheme, parts.hostname, parts.port) == ("http", "glance", 9292)
        assert (connected.scheme, connected.host, connected.port) == ("http", "glance", 9292)
        assert connected.auth is parts.username is parts.password is None
        assert origin(one) == ("http", "glance", 9292)
