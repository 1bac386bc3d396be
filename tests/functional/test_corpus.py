# SPDX-License-Identifier: Apache-2.0
"""Every image of the corpus is equal over both APIs, apart from known deviations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract import shape
from tests.contract.targets import Target
from tests.functional.corpus.images import CORPUS, MISSING, UNSEEN, Entry
from tests.functional.corpus.making import make

pytestmark = pytest.mark.functional

USERS = ("demo", "admin", "other")


@pytest.fixture(scope="module")
def ids(sides: dict[str, Target]) -> dict[str, str]:
    """Return the image ids, by the name of the entry."""
    return {entry.about: make(sides["v2"], entry) for entry in CORPUS}


@pytest.fixture(scope="module")
def lists(sides: dict[str, Target], ids: dict[str, str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return all images that each API lists for each user, by id."""
    return {
        (api, user): {
            image["id"]: image for image in target.service(user, extended=True).detail(None)
        }
        for api, target in sides.items()
        for user in USERS
    }


entries = pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.about)
users = pytest.mark.parametrize("user", USERS)


def shown(target: Target, user: str, image_id: str, **options: Any) -> dict[str, Any] | None:
    try:
        image = target.service(user, extended=True, **options).show(None, image_id)
    except exceptions.ImageNotFound:
        return None
    shape.check(image, extended=True)
    return dict(image)


#: Attributes that v1 does not have are None there; "visibility" can only be "public".
V1_UNKNOWN = frozenset({"tags", "os_hidden", "os_hash_algo", "os_hash_value", "stores"})


def comparable(image: Mapping[str, Any] | None, api: str) -> dict[str, Any]:
    """Return the values by path: the contract's keys, and extended keys that both APIs have."""
    if image is None:
        return {"": UNSEEN}
    if api == "v1":
        assert {key: image[key] for key in V1_UNKNOWN} == dict.fromkeys(V1_UNKNOWN)
        assert image["visibility"] == ("public" if image["is_public"] else None)
    else:
        assert image["shadowed_properties"] is None
        assert (image["visibility"] == "public") is image["is_public"]
    left_out = V1_UNKNOWN | {"visibility", "shadowed_properties", "properties"}
    paths = {key: value for key, value in image.items() if key not in left_out}
    return paths | {f"properties/{key}": value for key, value in image["properties"].items()}


def differences(
    v1: Mapping[str, Any] | None, v2: Mapping[str, Any] | None
) -> dict[str, tuple[Any, Any]]:
    """Return both values, by path, where they differ in value or type."""
    if v1 is not None and v2 is None:
        return {"": (v1["status"], UNSEEN)}
    left, right = comparable(v1, "v1"), comparable(v2, "v2")
    pairs = {
        path: (left.get(path, MISSING), right.get(path, MISSING)) for path in {**left, **right}
    }
    return {
        path: (one, other)
        for path, (one, other) in pairs.items()
        if one != other or type(one) is not type(other)
    }


def is_visible(entry: Entry, user: str) -> bool:
    """Return whether show() may return the image to a user."""
    if "deleted" in entry.states:
        return user == "admin"
    is_open = "public" in entry.states or entry.meta.get("visibility") == "community"
    return is_open or user in ("admin", entry.owner, *entry.shares) or "is_public" in entry.meta


def known(entry: Entry, user: str) -> dict[str, tuple[Any, Any]]:
    if not is_visible(entry, user):
        return {}
    return {
        row.path: (row.v1, row.v2) for row in entry.differs if not row.users or user in row.users
    }


#: The other user cannot see most images; one or two of them are tested.
READINGS = [
    pytest.param(entry, user, id=f"{user}-{entry.about}")
    for entry in CORPUS
    for user in USERS
    if user != "other" or entry.shares or entry.states or "plain" in entry.about
]


@pytest.mark.parametrize(("entry", "user"), READINGS)
def test_show_differs_only_by_known_deviations(
    sides: dict[str, Target], ids: dict[str, str], entry: Entry, user: str
) -> None:
    image_id = ids[entry.about]
    v1 = shown(sides["v1"], user, image_id)
    v2 = shown(sides["v2"], user, image_id)
    assert (v1 is not None) is is_visible(entry, user)
    assert differences(v1, v2) == known(entry, user)


@entries
def test_exact_show_equals_v2_show(
    sides: dict[str, Target], ids: dict[str, str], entry: Entry
) -> None:
    v1 = shown(sides["v1"], "demo", ids[entry.about], v1_exact_show=True)
    v2 = shown(sides["v2"], "demo", ids[entry.about])
    assert differences(v1, v2) == {}


@entries
@users
def test_detail_differs_only_by_known_deviations(
    lists: dict[tuple[str, str], dict[str, Any]], ids: dict[str, str], entry: Entry, user: str
) -> None:
    image_id = ids[entry.about]
    v1, v2 = lists["v1", user].get(image_id), lists["v2", user].get(image_id)
    for image in (v1, v2):
        if image is not None:
            shape.check(image, extended=True)
    # The list loses no metadata, so nothing may differ.
    assert differences(v1, v2) == {}
    if "deleted" in entry.states or "killed" in entry.states:
        assert v1 is None


@entries
def test_v2_list_entry_equals_show(
    sides: dict[str, Target],
    lists: dict[tuple[str, str], dict[str, Any]],
    ids: dict[str, str],
    entry: Entry,
) -> None:
    listed = lists["v2", "demo"].get(ids[entry.about])
    expected = shown(sides["v2"], "demo", ids[entry.about])
    if "killed" in entry.states:
        # v2 shows killed images, but never lists them.
        assert (listed, expected is not None) == (None, True)
    else:
        assert listed == expected


def test_corpus_names_are_unique() -> None:
    abouts = [entry.about for entry in CORPUS]
    assert len(set(abouts)) == len(abouts)
