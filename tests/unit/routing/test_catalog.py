# SPDX-License-Identifier: Apache-2.0
"""catalog: endpoint URLs of a caller, and service catalogs in both formats."""

from __future__ import annotations

import keystoneauth1.fixture
import pytest
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options
from glance_compat.exceptions import Invalid, InvalidOption
from glance_compat.fixture import GlanceFixture
from glance_compat.routing import catalog
from glance_compat.routing.catalog import Catalog, find_every_endpoint, find_in_context
from glance_compat.transport.client import Identity
from tests.cases import in_one_test

ID = "8a2f5b0e-4b0c-4a1d-9a63-5f1c3f0a7b11"

# ---------------------------------------------------------------------------------------------
# URLs.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ()),
        ("http://glance", ("http://glance",)),
        (["http://one/v1", "https://two:443/"], ("http://one/v1", "https://two:443/")),
        (("HTTP://one",), ("HTTP://one",)),
        ([], ()),
        ("http://user:word@glance", ("http://user:word@glance",)),
        ("http://[::1]:9292", ("http://[::1]:9292",)),
    ],
)
def test_valid_endpoint_urls_are_normalized(
    given: str | list[str] | None, expected: tuple[str, ...]
) -> None:
    assert catalog.check_endpoints(given) == expected


BAD_URLS = [
    "",
    "glance:9292",
    "//glance:9292",
    "ftp://glance",
    "file:///etc/passwd",
    "http://",
    "http:///v2",
    "http://glance:port",
    "http://glance:99999",
    "http://[::1",
    "http://glance/?a=b",
    "http://glance/#a",
    "http://glance/a b",
    "http://glance/\n",
    "http://glance/\x00",
    " http://glance",
]


@in_one_test("url", BAD_URLS)
@in_one_test("several", [False, True])
def test_invalid_endpoint_urls_are_refused(url: str, several: bool) -> None:
    with pytest.raises(InvalidOption, match="endpoint_override"):
        catalog.check_endpoints(["http://glance", url] if several else url)


@pytest.mark.parametrize("given", [5, 5.0, b"http://glance", [None], [b"http://glance"], {"a": 1}])
def test_invalid_endpoint_url_is_rejected(given: object) -> None:
    with pytest.raises(InvalidOption, match="endpoint_override"):
        catalog.check_endpoints(given)  # type: ignore[arg-type]


def test_invalid_url_error_redacts_password() -> None:
    with pytest.raises(InvalidOption) as caught:
        catalog.check_endpoints("http://user:hunter2@glance/?a=b")
    assert "hunter2" not in str(caught.value)
    assert "glance" in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Catalogs of a context: in Keystone's v3 format, and in the v2 format of Nova's contexts.

V3 = [
    {"type": "compute", "name": "nova", "endpoints": [{"interface": "public", "url": "http://n"}]},
    {
        "type": "image",
        "name": "glance",
        "endpoints": [
            {"interface": "admin", "region": "one", "region_id": "one", "url": "http://adm1"},
            {"interface": "internal", "region": "one", "region_id": "one", "url": "http://int1"},
            {"interface": "public", "region": "one", "region_id": "one", "url": "http://pub1"},
            {"interface": "public", "region": "two", "region_id": "two", "url": "http://pub2"},
        ],
    },
]
V2 = [
    {"type": "compute", "name": "nova", "endpoints": [{"publicURL": "http://n", "region": "one"}]},
    {
        "type": "image",
        "name": "glance",
        "endpoints": [
            {
                "adminURL": "http://adm1",
                "internalURL": "http://int1",
                "publicURL": "http://pub1",
                "region": "one",
            },
            {"publicURL": "http://pub2", "region": "two"},
        ],
    },
]


@in_one_test("entries", [V3, V2], ids=["v3", "v2"])
@in_one_test(
    ("catalog", "expected"),
    [
        (Catalog(), "http://pub1"),
        (Catalog(interface="internal"), "http://int1"),
        (Catalog(interface="internalURL"), "http://int1"),
        (Catalog(interface=["admin", "public"]), "http://adm1"),
        (Catalog(interface=("admin", "public"), region_name="two"), "http://pub2"),
        (Catalog(region_name="two"), "http://pub2"),
        (Catalog(region_name="two", interface="internal"), None),
        (Catalog(region_name="three"), None),
        (Catalog(service_name="glance"), "http://pub1"),
        (Catalog(service_name="other"), None),
        (Catalog(service_type="volume"), None),
    ],
)
def test_endpoint_lookup_matches_keystoneauth(
    entries: list[object], catalog: Catalog, expected: str | None
) -> None:
    assert find_in_context(entries, catalog) == expected


@pytest.mark.parametrize("entries", [None, [], ()])
def test_empty_catalog_has_no_endpoint(entries: object) -> None:
    assert find_in_context(entries, Catalog()) is None


@pytest.mark.parametrize("entries", [V3, V2], ids=["v3", "v2"])
def test_all_interfaces_of_the_region_are_returned(entries: object) -> None:
    identity, session = Identity(service_catalog=entries), ksa_session.Session()
    found = find_every_endpoint(identity, session, Catalog(region_name="one"))
    assert sorted(found) == ["http://adm1", "http://int1", "http://pub1"]
    found = find_every_endpoint(identity, session, Catalog(interface="public"))
    assert len(found) == 4


@pytest.mark.parametrize(
    "entries",
    [
        5,
        {"type": "image"},
        [None],
        ["image"],
        [{"type": "image", "endpoints": None}],
        [{"type": "image", "endpoints": ["http://glance"]}],
        [{"type": "image", "endpoints": [{"publicURL": 5}]}],
        [{"type": "image", "name": "glance", "endpoints": [{"interface": "public"}]}],
    ],
)
def test_malformed_catalog_is_refused(entries: object) -> None:
    with pytest.raises(Invalid, match="service_catalog is not a catalog"):
        find_in_context(entries, Catalog())


@pytest.mark.parametrize(
    "entries",
    [
        [{}],
        [{"name": "glance", "endpoints": [{"publicURL": "http://pub1"}]}],
        [{"type": "image", "endpoints": []}],
        [{"type": "image", "endpoints": [{"publicURL": None}]}],
    ],
)
def test_incomplete_catalog_has_no_endpoint(entries: object) -> None:
    assert find_in_context(entries, Catalog()) is None


@pytest.mark.parametrize(
    ("regions", "region_name", "warnings"),
    [(("north", "south"), None, 1), (("north", "south"), "south", 0), (("north",), None, 0)],
)
def test_several_regions_without_region_name_are_a_warning(
    regions: tuple[str, ...],
    region_name: str | None,
    warnings: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    catalog._warn_of_regions.cache_clear()
    with GlanceFixture(regions=regions) as glance:
        for _ in range(2):
            service = ImageService(glance.session(), region_name=region_name)
            assert service.detail(None) == []
            assert service.detail(None) == []
    found = [one.getMessage() for one in caplog.records if "several regions" in one.getMessage()]
    assert len(found) == warnings
    assert all(one.endswith("the regions are 'north', 'south'") for one in found)


def test_describe_lists_catalog_query() -> None:
    catalog = Catalog(interface="internal", region_name="one", service_name="glance")
    assert catalog.describe() == "type 'image', name 'glance', interface 'internal', region 'one'"
    assert Catalog().describe() == "type 'image'"


def test_sample_catalogs_match_keystone() -> None:
    token = keystoneauth1.fixture.V3Token()
    service = token.add_service("image", name="glance")
    service.add_standard_endpoints(public="http://pub1", internal="http://int1", region="one")
    entries = token["token"]["catalog"]
    assert find_in_context(entries, Catalog(region_name="one")) == "http://pub1"


def test_invalid_trusted_endpoint_is_named_as_such() -> None:
    options = Options(trusted_endpoints=("glance.example",))
    with pytest.raises(
        InvalidOption, match=r"^trusted_endpoints must be .*'glance.example'; pass"
    ):
        ImageService(ksa_session.Session(), endpoint_override="http://g.example", options=options)
