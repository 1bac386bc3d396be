# SPDX-License-Identifier: Apache-2.0
"""Endpoints with a project behind the version, sites that moved to https, and proxies' limits."""

from __future__ import annotations

import typing

import pytest
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, Options, exceptions, urls
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target, everywhere
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

PROJECTS = ["123456", "0f" * 16, "8c7a6f35-2c30-4f4e-9d3e-1b2a3c4d5e6f"]
APIS = pytest.mark.parametrize("api", ["1", "2"])


def service_at(url: str, **options: typing.Any) -> ImageService:
    auth = token_endpoint.Token(url, "token")
    chosen = Options(max_attempts=1, **options)
    return ImageService(ksa_session.Session(), auth=auth, endpoint_override=url, options=chosen)


@everywhere
@pytest.mark.parametrize("project", PROJECTS)
def test_project_behind_version_is_ignored(target: Target, project: str) -> None:
    image_id = target.make(data=DATA)
    version = "v1" if target.is_v1 else "v2"
    service = ImageService(
        target.session(),
        endpoint_override=f"{target.url}/{version}/{project}",
        options=Options(prefer=target.prefer),
    )
    assert service.show(None, image_id)["size"] == len(DATA)
    assert b"".join(service.download(None, image_id)) == DATA
    assert service.discover().endpoint == target.url


@pytest.mark.parametrize("version", ["v1", "v2", "v2.3"])
def test_other_path_behind_version_is_named(version: str) -> None:
    with ScriptedServer() as server:
        with pytest.raises(exceptions.NoUsableVersion) as caught:
            service_at(f"{server.url}/image/{version}/demo").discover()
        assert f"set the endpoint to {server.url}/image" in caught.value.message


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a/v2/123456", "https://a"),
        ("https://a/image/v1.1/0123456789abcdef0123456789abcdef/", "https://a/image"),
        ("https://a/v2/demo", "https://a/v2/demo"),
        ("https://a/v2/image", "https://a/v2/image"),
        ("https://v2/123456", "https://v2/123456"),
        ("https://a/123456", "https://a/123456"),
    ],
)
def test_only_ids_of_projects_are_removed(url: str, expected: str) -> None:
    assert urls.unversioned(url) == expected


@APIS
@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_site_that_moved_to_https_is_named(api: typing.Any, pinned: bool, status: int) -> None:
    with ScriptedServer() as server:
        location = server.url.replace("http:", "https:")
        for path in ("/", "/v2/schemas/image", "/v1/images", "/v2/images/x", "/v1/images/x"):
            for method in ("GET", "HEAD"):
                reply = Reply(status, headers=(("Location", f"{location}{path}"),))
                server.on(method, path, reply)
        choice: dict[str, typing.Any] = {"api_version" if pinned else "prefer": api}
        with pytest.raises(exceptions.BadResponse) as caught:
            service_at(server.url, **choice).show(None, "x")
        assert f"Set the endpoint to {location}" in caught.value.message
        assert "the server redirects http to https" in caught.value.message
        assert caught.value.status == status


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("https://a/x", "https://a/image"),
        ("https://a:8443/x", "https://a:8443/image"),
        ("https://user:secret@a/x", "https://a/image"),
        ("https://b/x", None),
        ("http://a/y", None),
        ("//a/y", None),
        ("https://[", None),
        ("", None),
    ],
)
def test_https_endpoint_is_on_the_same_host(location: str, expected: str | None) -> None:
    assert urls.https_endpoint("http://a/image", "http://a/image/x", location) == expected


PAGE = Reply(413, b"<html><center>nginx</center></html>", (("Content-Type", "text/html"),))


@APIS
def test_limit_of_proxy_is_named(api: typing.Any) -> None:
    with ScriptedServer() as server:
        server.on("POST", "/v1/images", PAGE)
        server.on("POST", "/v2/images", PAGE)
        with pytest.raises(exceptions.ImageQuotaExceeded) as caught:
            service_at(server.url, api_version=api).create(None, FORMATS, DATA)
    assert "a proxy in front of the image service, and not Glance" in caught.value.message
    assert "client_max_body_size" in caught.value.message


@APIS
def test_quota_of_glance_is_not_a_limit_of_proxy(api: typing.Any) -> None:
    reply = json_reply({"message": "Denying"}, 413, (("x-openstack-request-id", "req-1"),))
    with ScriptedServer() as server:
        server.on("POST", "/v1/images", reply)
        server.on("POST", "/v2/images", reply)
        with pytest.raises(exceptions.ImageQuotaExceeded) as caught:
            service_at(server.url, api_version=api).create(None, FORMATS, DATA)
    assert "Denying" in caught.value.message
    assert "proxy" not in caught.value.message
