# SPDX-License-Identifier: Apache-2.0
"""references: ids and hrefs that are accepted or refused."""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.exceptions import InvalidImageRef
from glance_compat.routing import references
from tests.cases import in_one_test

ID = "8a2f5b0e-4b0c-4a1d-9a63-5f1c3f0a7b11"

# ---------------------------------------------------------------------------------------------
# Ids: one safe path segment (promise G9).

UNSAFE = ["", ".", "..", "a/b", "../x", "a?b", "a#b", "a\\b", "a\nb", "a\rb", "a\x00", "a\x7f"]


@in_one_test("value", [*UNSAFE, "\ud800", None, 5, b"abc", ["a"]])
def test_unsafe_id_is_refused(value: object) -> None:
    with pytest.raises(InvalidImageRef, match="is not an image id"):
        references.check_path_segment(value, "an image id")


@pytest.mark.parametrize("value", [ID, "1", "not-a-uuid", "...", "a b", "a%2Fb", "Größe", "a;b"])
def test_safe_id_is_returned_unchanged(value: str) -> None:
    assert references.check_path_segment(value, "an image id") == value


@hypothesis.given(strategies.text())
def test_accepted_id_stays_within_path_segment(value: str) -> None:
    try:
        taken = references.check_path_segment(value, "an image id")
    except InvalidImageRef:
        return
    assert taken == value
    assert taken not in ("", ".", "..")
    assert not set(taken) & set("/?#\\\r\n\0")


# ---------------------------------------------------------------------------------------------
# Hrefs.

OURS = ("http://glance:9292/v2", "https://cloud.example/image", "http://plain")


def image_id_of(reference: object, ours: tuple[str, ...] = OURS) -> str:
    return references.parse_image_id(reference, lambda: ours)


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
def test_href_of_image_service_is_parsed(href: str) -> None:
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
def test_foreign_href_is_invalid_image_ref(href: str) -> None:
    with pytest.raises(
        InvalidImageRef, match="the URL is not below any of the service's endpoints"
    ):
        image_id_of(href)


@in_one_test(
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
def test_malformed_href_is_refused(href: str) -> None:
    with pytest.raises(InvalidImageRef) as caught:
        image_id_of(href)
    assert "hunter2" not in str(caught.value)


def test_percent_encoded_id_in_href_is_decoded() -> None:
    assert image_id_of("http://glance:9292/v1/images/my%20image%25") == "my image%"


def test_plain_id_needs_no_endpoint() -> None:
    def unknown() -> Iterator[str]:
        raise AssertionError("nobody may be asked for endpoints")

    assert references.parse_image_id(ID, unknown) == ID
    with pytest.raises(InvalidImageRef):
        references.parse_image_id("..", unknown)


def test_href_is_refused_without_endpoints() -> None:
    with pytest.raises(InvalidImageRef):
        image_id_of(f"http://glance:9292/v1/images/{ID}", ())


@pytest.mark.parametrize("reference", [None, 7, b"http://glance:9292/v1/images/1", object()])
def test_non_string_reference_raises_invalid_image_ref(reference: object) -> None:
    with pytest.raises(InvalidImageRef):
        image_id_of(reference)
