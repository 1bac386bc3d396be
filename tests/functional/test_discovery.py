# SPDX-License-Identifier: Apache-2.0
"""Discovery, catalogs and tokens against a real Keystone and real Glance servers."""

from __future__ import annotations

import dataclasses
import io
import typing
from collections.abc import Iterator

import pytest
from keystoneauth1 import discover as ksa_discover
from keystoneauth1 import session as ksa_session

from glance_compat import Discovery, ImageService, Options
from glance_compat.discovery.cache import DISCOVERY_CACHE
from glance_compat.exceptions import (
    GlanceConnectionFailed,
    ImageNotFound,
    InvalidImageRef,
    NotAuthenticated,
    NoUsableVersion,
)
from tests.functional.cloud import Cloud

pytestmark = pytest.mark.functional

V1 = {"copy_from", "list-deleted", "member-can-share"}
PIKE = {"tags", "member-status", "deactivate", "community-visibility", "property-definitions"}
NEW = PIKE | {"import", "hidden", "multihash", "tasks", "locations-api"}
NEW |= {"stores", "store-delete", "store-detail"}

BOTH = "the endpoint's version document offers v1 and v2, of which v2 is preferred"
ONLY_V1 = "the endpoint's version document offers v1 and no v2"
ONLY_V2 = "the endpoint's version document offers v2 and no v1"


@dataclasses.dataclass(frozen=True)
class Expected:
    """The expected discovery result in a region."""

    region: str
    api: str
    version: tuple[int, int]
    capabilities: set[str]
    reason: str


EXPECTED = [
    Expected("pike", "v2", (2, 5), PIKE, BOTH),
    Expected("pike-v1", "v1", (1, 1), V1, ONLY_V1),
    Expected("pike-v2", "v2", (2, 5), PIKE, ONLY_V2),
    Expected("glance-33", "v2", (2, 17), NEW, ONLY_V2),
]
REGIONS = pytest.mark.parametrize("expected", EXPECTED, ids=lambda one: one.region)

#: Regions, and an API that their endpoint does not offer.
MISSING = [("pike-v1", "2"), ("pike-v2", "1"), ("glance-33", "1")]


@pytest.fixture
def session(cloud: Cloud) -> Iterator[ksa_session.Session]:
    own = cloud.session("demo")
    yield own
    own.session.close()


def forget(cloud: Cloud, region: str) -> str:
    """Return the URL of a region, after removing its cached discovery results."""
    url = cloud.url(region)
    DISCOVERY_CACHE.forget(url)
    return url


def check(found: Discovery, expected: Expected, url: str) -> None:
    assert (found.api, found.version) == (expected.api, expected.version)
    assert found.capabilities == expected.capabilities
    assert found.reason == expected.reason
    assert (found.endpoint, found.requests, found.endpoints) == (url, 1, ())


@REGIONS
def test_catalog_provides_endpoint(
    cloud: Cloud, session: ksa_session.Session, expected: Expected
) -> None:
    url = forget(cloud, expected.region)
    service = ImageService(session, region_name=expected.region)
    check(service.discover(), expected, url)
    # A second service of the process uses the cached result, and so does the first call.
    again = ImageService(session, region_name=expected.region, interface="internal")
    check(again.discover(), expected, url)
    assert isinstance(again.detail(None, limit=1), list)


@REGIONS
@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v2/", "/v2.5"])
def test_version_in_endpoint_does_not_pin(
    cloud: Cloud, session: ksa_session.Session, expected: Expected, suffix: str
) -> None:
    url = forget(cloud, expected.region)
    service = ImageService(session, endpoint_override=f"{url}{suffix}")
    check(service.discover(), expected, url)
    assert isinstance(service.detail(None, limit=1), list)


@REGIONS
def test_keystoneauth_discovers_same_versions(
    cloud: Cloud, session: ksa_session.Session, expected: Expected
) -> None:
    url = forget(cloud, expected.region)
    found = ImageService(session, endpoint_override=url).discover()
    data = ksa_discover.Discover(session, url, authenticated=False).version_data(
        allow_experimental=True, allow_deprecated=True, allow_unknown=True
    )
    ours = {one.number for one in found.offered}
    assert ours == {tuple(one["version"]) for one in data}


def test_version_document_needs_no_token(cloud: Cloud) -> None:
    url = forget(cloud, "pike")
    service = ImageService(ksa_session.Session(), endpoint_override=url)
    assert service.discover().api == "v2"
    with pytest.raises(NotAuthenticated):
        service.detail(None, limit=1)


def test_preferred_v1_is_used_if_offered(cloud: Cloud, session: ksa_session.Session) -> None:
    options = Options(prefer="1")
    for region, api in (("pike", "v1"), ("pike-v1", "v1"), ("pike-v2", "v2"), ("glance-33", "v2")):
        service = ImageService(session, region_name=region, options=options)
        assert service.discover().api == api
        assert isinstance(service.detail(None, limit=1), list)


@pytest.mark.parametrize(("region", "api"), MISSING)
def test_missing_pinned_api_error_lists_offered_versions(
    cloud: Cloud, session: ksa_session.Session, region: str, api: str
) -> None:
    url = forget(cloud, region)
    service = ImageService(
        session, region_name=region, options=Options(api_version="2" if api == "2" else "1")
    )
    assert service.discover().reason == f"v{api} is pinned by the option api_version"
    calls: list[typing.Callable[[], object]] = [
        lambda: service.detail(None),
        lambda: service.show(None, "00000000-0000-4000-8000-000000000000"),
        lambda: service.create(None, {"name": "never"}),
        lambda: service.delete(None, "00000000-0000-4000-8000-000000000000"),
    ]
    for call in calls:
        with pytest.raises(NoUsableVersion) as caught:
            call()
        text = str(caught.value)
        assert f"Images API v{api}" in text
        assert f"v{api} is pinned" in text
        assert f"offered: v{'1' if api == '2' else '2'}." in text
        assert (caught.value.endpoint, caught.value.status) == (url, 300)


def test_discover_reports_each_endpoint_of_a_rolling_upgrade(
    cloud: Cloud, session: ksa_session.Session
) -> None:
    urls = [forget(cloud, one.region) for one in EXPECTED]
    found = ImageService(session, endpoint_override=urls).discover()
    assert found.requests == len(urls)
    assert len(found.endpoints) == len(urls)
    for one, expected, url in zip(found.endpoints, EXPECTED, urls, strict=True):
        check(one, expected, url)


def test_unreachable_endpoint_does_not_hide_others(
    cloud: Cloud, session: ksa_session.Session
) -> None:
    url = cloud.url("glance-33")
    service = ImageService(session, endpoint_override=["http://127.0.0.1:1", url])
    assert service.discover().endpoint == url
    assert isinstance(service.detail(None, limit=1), list)


def test_keystone_endpoint_has_no_usable_version(
    cloud: Cloud, session: ksa_session.Session
) -> None:
    DISCOVERY_CACHE.forget(cloud.auth_url)
    service = ImageService(session, endpoint_override=cloud.auth_url)
    with pytest.raises(NoUsableVersion) as caught:
        service.discover()
    assert f"no version document at {cloud.auth_url}/" in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Contexts.


@dataclasses.dataclass
class Context:
    auth_token: str | None
    service_catalog: object


def catalogs(session: ksa_session.Session) -> tuple[object, object]:
    """Return the catalog of a token as in Keystone, and as in Nova's contexts."""
    auth = typing.cast(typing.Any, session.auth)
    entries = auth.get_access(session).service_catalog.catalog
    nova = []
    for one in entries:
        endpoints: dict[str, dict[str, str]] = {}
        for endpoint in one["endpoints"]:
            row = endpoints.setdefault(endpoint["region"], {"region": endpoint["region"]})
            row[f"{endpoint['interface']}URL"] = endpoint["url"]
        nova.append(
            {"type": one["type"], "name": one["name"], "endpoints": list(endpoints.values())}
        )
    return entries, nova


@REGIONS
@pytest.mark.parametrize("form", [0, 1], ids=["keystone", "nova"])
def test_context_catalog_and_token_are_sufficient(
    cloud: Cloud, session: ksa_session.Session, expected: Expected, form: int
) -> None:
    context = Context(session.get_token(), catalogs(session)[form])
    nobody = ksa_session.Session()
    service = ImageService(nobody, region_name=expected.region)
    assert service.discover(context).api == expected.api
    created = service.create(context, {"name": "of the context"})
    try:
        assert created["owner"] == cloud.project_id("demo")
        href = f"{cloud.url(expected.region)}/v1/images/{created['id']}"
        assert service.show(context, href)["name"] == "of the context"
        with pytest.raises(InvalidImageRef):
            service.show(context, f"{cloud.auth_url}/v1/images/{created['id']}")
    finally:
        service.delete(context, created["id"])
    nobody.session.close()


def test_context_token_is_not_replaced_by_service_token(
    cloud: Cloud, session: ksa_session.Session
) -> None:
    admin = cloud.session("admin")
    service = ImageService(admin, region_name="pike")
    with pytest.raises(NotAuthenticated):
        service.detail(Context("no-token", None), limit=1)
    context = Context(session.get_token(), None)
    hidden = service.create(None, {"name": "not for demo", "is_public": False})
    try:
        with pytest.raises(ImageNotFound):
            service.show(context, hidden["id"])
        assert service.show(None, hidden["id"])["owner"] == cloud.project_id("admin")
    finally:
        service.delete(None, hidden["id"])
    admin.session.close()


def test_unknown_region_is_an_error(session: ksa_session.Session) -> None:
    with pytest.raises(NoUsableVersion, match="region 'nowhere'"):
        ImageService(session, region_name="nowhere").discover()


def test_unreachable_keystone_is_named(cloud: Cloud) -> None:
    broken = cloud.session("demo")
    typing.cast(typing.Any, broken.auth).auth_url = "http://127.0.0.1:1/v3"
    service = ImageService(
        broken, endpoint_override=cloud.url("pike"), options=Options(max_attempts=1)
    )
    with pytest.raises(GlanceConnectionFailed, match=r"getting a token for http.* failed"):
        service.detail(None, limit=1)
    broken.session.close()


# ---------------------------------------------------------------------------------------------
# Revoked tokens.


def revoke(cloud: Cloud, session: ksa_session.Session) -> None:
    """Revoke the token of a session, before any Glance has validated it."""
    token = session.get_token()
    response = session.delete(
        f"{cloud.auth_url}/v3/auth/tokens", headers={"X-Subject-Token": token or ""}
    )
    assert response.status_code == 204


@REGIONS
def test_revoked_token_is_renewed(
    cloud: Cloud, session: ksa_session.Session, expected: Expected
) -> None:
    service = ImageService(session, region_name=expected.region)
    service.discover()
    before = session.get_token()
    revoke(cloud, session)
    assert isinstance(service.detail(None, limit=1), list)
    assert session.get_token() != before


@REGIONS
def test_data_is_resent_with_new_token(
    cloud: Cloud, session: ksa_session.Session, expected: Expected
) -> None:
    service = ImageService(session, region_name=expected.region)
    created = service.create(
        None, {"name": "renewed", "disk_format": "raw", "container_format": "bare"}
    )
    fresh = cloud.session("demo")
    again = ImageService(fresh, region_name=expected.region)
    again.discover()
    revoke(cloud, fresh)
    data = io.BytesIO(b"skipped" + b"x" * 3_000_000)
    data.seek(7)
    try:
        stored = again.update(None, created["id"], {}, data=data)
        assert (stored["status"], stored["size"]) == ("active", 3_000_000)
        block = b"".join(again.download(None, created["id"]))
        assert block == b"x" * 3_000_000
    finally:
        service.delete(None, created["id"])
        fresh.session.close()


@REGIONS
def test_unseekable_data_is_not_replayed(
    cloud: Cloud, session: ksa_session.Session, expected: Expected
) -> None:
    service = ImageService(session, region_name=expected.region)
    created = service.create(
        None, {"name": "once", "disk_format": "raw", "container_format": "bare"}
    )
    fresh = cloud.session("demo")
    again = ImageService(fresh, region_name=expected.region)
    again.discover()
    revoke(cloud, fresh)
    data = [b"x" * 1000, b"y" * 1000]
    try:
        if expected.api == "v1":
            # Over v1 the first request has the data; over v2 an earlier GET has renewed the token.
            with pytest.raises(NotAuthenticated):
                again.update(None, created["id"], {}, data=iter(data))
            found = service.show(None, created["id"])
            assert (found["status"], found["size"]) == ("queued", 0)
        # A refused token is not used again.
        stored = again.update(None, created["id"], {}, data=iter(data))
        assert (stored["status"], stored["size"]) == ("active", 2000)
    finally:
        service.delete(None, created["id"])
        fresh.session.close()
