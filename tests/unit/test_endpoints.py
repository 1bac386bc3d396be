# SPDX-License-Identifier: Apache-2.0
"""endpoints: URLs and references that are taken or refused, catalogs of both forms, illness."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import keystoneauth1.fixture
import pytest
from hypothesis import strategies
from keystoneauth1 import session as ksa_session

from glance_compat import endpoints
from glance_compat.endpoints import Catalog
from glance_compat.exceptions import Invalid, InvalidImageRef, InvalidOption

ID = "8a2f5b0e-4b0c-4a1d-9a63-5f1c3f0a7b11"

# ---------------------------------------------------------------------------------------------
# URLs.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://glance:9292", "http://glance:9292"),
        ("http://glance:9292/", "http://glance:9292"),
        ("http://glance:9292//", "http://glance:9292"),
        ("http://glance:9292/v1", "http://glance:9292"),
        ("http://glance:9292/v1/", "http://glance:9292"),
        ("http://glance:9292/v1.1", "http://glance:9292"),
        ("http://glance:9292/v2.17/", "http://glance:9292"),
        ("http://glance:9292/v3", "http://glance:9292"),
        ("https://cloud/image", "https://cloud/image"),
        ("https://cloud/image/v2", "https://cloud/image"),
        ("https://cloud/image/v2//", "https://cloud/image"),
        ("https://cloud/a/v1/b/v2", "https://cloud/a/v1/b"),
        ("https://cloud/v2/image", "https://cloud/v2/image"),
        ("https://cloud/v2x", "https://cloud/v2x"),
        ("https://[::1]:9292/v2", "https://[::1]:9292"),
        ("http://v2", "http://v2"),
        ("http://v1/", "http://v1"),
        ("http://v2/v2", "http://v2"),
    ],
)
def test_an_endpoint_loses_its_version_and_its_slash(given: str, expected: str) -> None:
    assert endpoints.unversioned(given) == expected


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
def test_urls_that_are_taken(given: str | list[str] | None, expected: tuple[str, ...]) -> None:
    assert endpoints.checked(given) == expected


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


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("several", [False, True])
def test_urls_that_are_refused(url: str, several: bool) -> None:
    with pytest.raises(InvalidOption, match="endpoint_override"):
        endpoints.checked(["http://glance", url] if several else url)


@pytest.mark.parametrize("given", [5, 5.0, b"http://glance", [None], [b"http://glance"], {"a": 1}])
def test_what_is_no_url_at_all_is_refused(given: object) -> None:
    with pytest.raises(InvalidOption, match="endpoint_override"):
        endpoints.checked(given)  # type: ignore[arg-type]


def test_a_refused_url_is_shown_without_its_password() -> None:
    with pytest.raises(InvalidOption) as caught:
        endpoints.checked("http://user:hunter2@glance/?a=b")
    assert "hunter2" not in str(caught.value)
    assert "glance" in str(caught.value)


# ---------------------------------------------------------------------------------------------
# Ids: one safe path segment (promise G9).

UNSAFE = ["", ".", "..", "a/b", "../x", "a?b", "a#b", "a\\b", "a\nb", "a\rb", "a\x00", "a\x7f"]


@pytest.mark.parametrize("value", [*UNSAFE, "\ud800", None, 5, b"abc", ["a"]])
def test_ids_that_are_refused(value: object) -> None:
    with pytest.raises(InvalidImageRef, match="is not an image id"):
        endpoints.segment(value, "an image id")


@pytest.mark.parametrize("value", [ID, "1", "not-a-uuid", "...", "a b", "a%2Fb", "Größe", "a;b"])
def test_ids_that_are_taken_as_they_are(value: str) -> None:
    assert endpoints.segment(value, "an image id") == value


@hypothesis.given(strategies.text())
def test_a_taken_id_never_leaves_its_path_segment(value: str) -> None:
    try:
        taken = endpoints.segment(value, "an image id")
    except InvalidImageRef:
        return
    assert taken == value
    assert taken not in ("", ".", "..")
    assert not set(taken) & set("/?#\\\r\n\0")


# ---------------------------------------------------------------------------------------------
# Hrefs.

OURS = ("http://glance:9292/v2", "https://cloud.example/image", "http://plain")


def image_id_of(reference: object, ours: tuple[str, ...] = OURS) -> str:
    return endpoints.image_id_of(reference, lambda: ours)


@pytest.mark.parametrize(
    "href",
    [
        f"http://glance:9292/v1/images/{ID}",
        f"http://glance:9292/v2/images/{ID}",
        f"http://glance:9292/v2.5/images/{ID}",
        f"http://glance:9292/images/{ID}",
        f"http://GLANCE:9292/v1/images/{ID}",
        f"HTTP://glance:9292/v1/images/{ID}",
        f"https://cloud.example/image/v1/images/{ID}",
        f"https://cloud.example:443/image/v2/images/{ID}",
        f"https://Cloud.Example/image/images/{ID}",
        f"http://plain:80/v1/images/{ID}",
    ],
)
def test_hrefs_of_the_image_service_are_taken(href: str) -> None:
    assert image_id_of(href) == ID


@pytest.mark.parametrize(
    "href",
    [
        f"http://elsewhere:9292/v1/images/{ID}",
        f"http://glance:9293/v1/images/{ID}",
        f"http://glance/v1/images/{ID}",
        f"https://glance:9292/v1/images/{ID}",
        f"http://glance.evil:9292/v1/images/{ID}",
        f"http://glance:9292/image/v1/images/{ID}",
        f"https://cloud.example/v1/images/{ID}",
        f"https://cloud.example/other/v1/images/{ID}",
        f"https://cloud.example/IMAGE/v1/images/{ID}",
        f"https://cloud.example/image/../v1/images/{ID}",
        f"https://cloud.example/image/%2e%2e/v1/images/{ID}",
    ],
)
def test_hrefs_of_another_place_are_refused(href: str) -> None:
    with pytest.raises(InvalidImageRef, match="none of its endpoints"):
        image_id_of(href)


@pytest.mark.parametrize(
    "href",
    [
        f"http://user:hunter2@glance:9292/v1/images/{ID}",
        f"http://glance:9292@elsewhere/v1/images/{ID}",
        f"http://elsewhere\\@glance:9292/v1/images/{ID}",
        f"http://glance:9292/v1/images/{ID}?token=hunter2",
        f"http://glance:9292/v1/images/{ID}#part",
        f"http://glance:9292/v1/images/{ID}/",
        f"http://glance:9292/v2/images/{ID}/file",
        f"http://glance:9292/v1/images/detail/{ID}",
        "http://glance:9292/v1/images/",
        "http://glance:9292/v1/images",
        "http://glance:9292/v1/images/..",
        "http://glance:9292/v1/images/.",
        "http://glance:9292/v1/images/%2e%2e",
        "http://glance:9292/v1/images/..%2F..%2Fmembers",
        f"http://glance:9292/v1/images/{ID}%2Fmembers",
        f"http://glance:9292/v1/images/{ID}%3Fa=b",
        f"http://glance:9292/v1/images/{ID}%00",
        f"http://glance:9292/v1/images/{ID}%0A",
        f"http://glance:9292/v1/images/{ID}\n",
        f"http://glance:9292/v1/shared-images/{ID}",
        f"http://glance:99999/v1/images/{ID}",
        f"http://[glance/v1/images/{ID}",
        f"ftp://glance:9292/v1/images/{ID}",
        f"//glance:9292/v1/images/{ID}",
        f"/v1/images/{ID}",
        f"images/{ID}",
        f"../{ID}",
    ],
)
def test_hrefs_of_another_form_are_refused(href: str) -> None:
    with pytest.raises(InvalidImageRef) as caught:
        image_id_of(href)
    assert "hunter2" not in str(caught.value)


def test_a_quoted_id_of_an_href_is_the_id_that_it_means() -> None:
    assert image_id_of("http://glance:9292/v1/images/my%20image%25") == "my image%"


def test_a_plain_id_needs_no_endpoint() -> None:
    def unknown() -> Iterator[str]:
        raise AssertionError("nobody may be asked for endpoints")

    assert endpoints.image_id_of(ID, unknown) == ID
    with pytest.raises(InvalidImageRef):
        endpoints.image_id_of("..", unknown)


def test_a_service_without_endpoints_takes_no_href() -> None:
    with pytest.raises(InvalidImageRef):
        image_id_of(f"http://glance:9292/v1/images/{ID}", ())


@pytest.mark.parametrize("reference", [None, 7, b"http://glance:9292/v1/images/1", object()])
def test_what_is_no_text_is_no_reference(reference: object) -> None:
    with pytest.raises(InvalidImageRef):
        image_id_of(reference)


# ---------------------------------------------------------------------------------------------
# Catalogs of a context: of v3 form as Keystone sends it, of v2 form as Nova keeps it.

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


@pytest.mark.parametrize("entries", [V3, V2], ids=["v3", "v2"])
@pytest.mark.parametrize(
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
def test_an_endpoint_is_looked_up_as_keystoneauth_does(
    entries: list[object], catalog: Catalog, expected: str | None
) -> None:
    assert endpoints.of_context(entries, catalog) == expected


@pytest.mark.parametrize("entries", [None, [], ()])
def test_a_context_without_a_catalog_names_no_endpoint(entries: object) -> None:
    assert endpoints.of_context(entries, Catalog()) is None


@pytest.mark.parametrize("entries", [V3, V2], ids=["v3", "v2"])
def test_all_interfaces_of_the_region_are_the_services_own(entries: object) -> None:
    session = ksa_session.Session()
    found = endpoints.every_interface(session, None, entries, Catalog(region_name="one"))
    assert sorted(found) == ["http://adm1", "http://int1", "http://pub1"]
    found = endpoints.every_interface(session, None, entries, Catalog(interface="public"))
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
def test_a_catalog_of_another_shape_is_refused(entries: object) -> None:
    with pytest.raises(Invalid, match="service_catalog is not a catalog"):
        endpoints.of_context(entries, Catalog())


@pytest.mark.parametrize(
    "entries",
    [
        [{}],
        [{"name": "glance", "endpoints": [{"publicURL": "http://pub1"}]}],
        [{"type": "image", "endpoints": []}],
        [{"type": "image", "endpoints": [{"publicURL": None}]}],
    ],
)
def test_a_catalog_with_gaps_names_no_endpoint(entries: object) -> None:
    assert endpoints.of_context(entries, Catalog()) is None


def test_the_search_is_told_in_words() -> None:
    catalog = Catalog(interface="internal", region_name="one", service_name="glance")
    assert catalog.in_words() == "type 'image', name 'glance', interface 'internal', region 'one'"
    assert Catalog().in_words() == "type 'image'"


# ---------------------------------------------------------------------------------------------
# Illness.


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_endpoint_that_rests_is_tried_last_and_not_for_ever() -> None:
    clock = Clock()
    resting = endpoints.Resting(clock)
    urls = ["http://a", "http://b", "http://c"]
    assert resting.in_turn(urls) == urls
    resting.rest("http://a")
    assert resting.in_turn(urls) == ["http://b", "http://c", "http://a"]
    clock.now += 1
    resting.rest("http://b")
    assert resting.in_turn(urls) == ["http://c", "http://a", "http://b"]
    clock.now += endpoints.REST_SECONDS
    assert resting.in_turn(urls) == urls


def test_an_endpoint_that_answers_rests_no_longer() -> None:
    resting = endpoints.Resting(Clock())
    resting.rest("http://a")
    resting.answered("http://a")
    resting.answered("http://never-ill")
    assert resting.in_turn(["http://a", "http://b"]) == ["http://a", "http://b"]


def test_all_endpoints_are_tried_even_if_all_of_them_rest() -> None:
    resting = endpoints.Resting(Clock())
    urls = ["http://a", "http://b"]
    for url in urls:
        resting.rest(url)
    assert sorted(resting.in_turn(urls)) == urls


def test_the_catalogs_here_are_those_of_keystone() -> None:
    token = keystoneauth1.fixture.V3Token()
    service = token.add_service("image", name="glance")
    service.add_standard_endpoints(public="http://pub1", internal="http://int1", region="one")
    entries = token["token"]["catalog"]
    assert endpoints.of_context(entries, Catalog(region_name="one")) == "http://pub1"
