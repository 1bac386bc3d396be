# SPDX-License-Identifier: Apache-2.0
"""URLs: how they are parsed and compared."""

from __future__ import annotations

import pytest

from glance_compat import urls
from tests.cases import in_one_test


@in_one_test(
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
def test_unversioned_removes_version_and_slash(given: str, expected: str) -> None:
    assert urls.unversioned(given) == expected


@pytest.mark.parametrize(
    ("url", "location", "safe"),
    [
        ("http://keystone:5000/v3/auth/tokens", "/identity/v3/auth/tokens", True),
        ("http://keystone/v3", "https://keystone/v3", True),
        ("http://keystone:5000/v3", "https://keystone:5000/v3", True),
        ("https://keystone/v3", "https://KEYSTONE:443/v3", True),
        ("https://keystone/v3", "http://keystone/v3", False),
        ("https://keystone/v3", "https://evil/v3", False),
        ("https://keystone/v3", "//evil/v3", False),
        ("http://keystone/v3", r"http://evil\@keystone/v3", False),
        ("http://keystone/v3", "http://[evil/v3", False),
    ],
)
def test_credentials_stay_on_their_host(url: str, location: str, safe: bool) -> None:
    assert urls.keeps_credentials_safe(url, location) is safe


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://user:word@glance:9292/a", "http://glance:9292/a"),
        ("http://user@glance", "http://glance"),
        ("http://glance/a@b;c:d@e", "http://glance/a@b;c:d@e"),
        ("http://[::1]:9292/", "http://[::1]:9292/"),
    ],
)
def test_only_user_information_is_removed(url: str, expected: str) -> None:
    assert urls.without_user_information(url) == expected
