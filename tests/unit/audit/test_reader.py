# SPDX-License-Identifier: Apache-2.0
"""Pairing of two lists of the same images."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glance_compat.audit import reader
from glance_compat.audit.reader import Pair, pair_records
from glance_compat.audit.records import Record
from glance_compat.discovery.versions import Discovery, OfferedVersion


def records(api: str, ids: Sequence[str]) -> Iterator[Record]:
    return ({"id": one, "api": api} for one in ids)


def ids_of(pairs: Iterator[Pair]) -> dict[str, str]:
    """Return the APIs of each id; assert that each id occurs once, with its own records."""
    found: dict[str, str] = {}
    for v1, v2 in pairs:
        assert v1 is None or v1["api"] == "v1"
        assert v2 is None or v2["api"] == "v2"
        [image_id] = {one["id"] for one in (v1, v2) if one is not None}
        assert image_id not in found
        found[image_id] = "both" if v1 and v2 else "v1" if v1 else "v2"
    return found


@given(st.dictionaries(st.uuids().map(str), st.sampled_from(["v1", "v2", "both"]), max_size=40))
@pytest.mark.parametrize("waiting", [1, 1000])
def test_each_image_is_paired_once(waiting: int, where: dict[str, str]) -> None:
    v1, v2 = (
        records(api, sorted(one for one, of in where.items() if of in (api, "both")))
        for api in ("v1", "v2")
    )
    assert ids_of(pair_records(v1, v2, waiting)) == where


@given(st.lists(st.text(min_size=1, max_size=4), unique=True, max_size=40), st.randoms())
def test_pairing_accepts_any_order(ids: list[str], order: random.Random) -> None:
    order.shuffle(ids)
    pairs = pair_records(records("v1", ids), records("v2", ids))
    assert ids_of(pairs) == dict.fromkeys(ids, "both")


def test_waiting_records_are_bounded() -> None:
    pulled = []

    def watched(ids: Sequence[str]) -> Iterator[Record]:
        for record in records("v1", ids):
            pulled.append(record["id"])
            yield record

    # Ids that only v1 lists, sorted before all ids of v2.
    pairs = pair_records(watched([f"a{one:04}" for one in range(100)]), records("v2", ["b"]), 3)
    assert next(pairs) == ({"id": "a0000", "api": "v1"}, None)
    assert len(pulled) == 4
    assert len(list(pairs)) == 100


def version(*ids: str, api: str = "v2", minor: int | None = 5, **more: object) -> Discovery:
    return Discovery(
        api="v1" if api == "v1" else "v2",
        version=(1 if api == "v1" else 2, minor),
        endpoint="http://glance.example",
        offered=tuple(OfferedVersion(one, "CURRENT") for one in ids),
        reason="because",
        capabilities=frozenset(),
        requests=1,
        endpoints=tuple(more.get("endpoints", ())),  # type: ignore[arg-type]
    )


BOTH = version("v2.5", "v1.1")
ONE = version("v2.17", minor=17)


@pytest.mark.parametrize(
    ("found", "pinned", "apis", "gaps"),
    [
        (BOTH, "auto", ["v1", "v2"], []),
        (BOTH, "1", ["v1"], ["v2-not-read"]),
        (BOTH, "2", ["v2"], ["v1-not-read"]),
        (ONE, "auto", ["v2"], ["v1-not-read"]),
        (version("v1.1", api="v1", minor=1), "auto", ["v1"], ["v2-not-read"]),
        (version("v2", minor=None), "auto", ["v2"], ["v1-not-read", "lists-not-read"]),
        (version("v2.5", endpoints=(BOTH, ONE)), "auto", ["v2"], ["v1-not-read"]),
        (version("v2.5", endpoints=(BOTH, BOTH)), "auto", ["v1", "v2"], []),
    ],
)
def test_readable_apis_and_gaps(
    found: Discovery, pinned: str, apis: list[str], gaps: list[str]
) -> None:
    read, unseen = reader.find_readable_apis(found, pinned)
    assert read == apis
    assert [one.kind.name for one in unseen] == gaps


@pytest.mark.parametrize(
    ("capabilities", "lists"),
    [
        (set(), [{}]),
        ({"community-visibility"}, [{}, {"visibility": "community"}]),
        (
            {"community-visibility", "hidden"},
            [
                {},
                {"visibility": "community"},
                {"os_hidden": True},
                {"visibility": "community", "os_hidden": True},
            ],
        ),
    ],
)
def test_v2_lists_cover_all_images(capabilities: set[str], lists: list[dict[str, object]]) -> None:
    assert [one.filters for one in reader.v2_lists(frozenset(capabilities))] == lists


def test_own_community_image_is_read_once() -> None:
    first, second = reader.v2_lists(frozenset({"community-visibility"}))
    mine, other, plain = (
        {"id": one, "visibility": visibility}
        for one, visibility in (("a", "community"), ("b", "community"), ("c", "shared"))
    )
    assert [first.is_new(one) for one in (mine, plain)] == [True, True]
    assert [second.is_new(one) for one in (mine, other)] == [False, True]
