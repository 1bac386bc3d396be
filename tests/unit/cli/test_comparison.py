# SPDX-License-Identifier: Apache-2.0
"""Comparison of the demo's results."""

from __future__ import annotations

import datetime

import pytest

from glance_compat.cli.comparison import ANY_TIME, Difference, find_differences, normalize
from tests.cases import in_one_test

WHOLE = datetime.datetime(2026, 11, 23, 17, 48, 19, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": {"c": ["x"]}}, {"b": {"c": ["x"]}, "a": 1}),
        ({"at": WHOLE}, {"at": WHOLE + datetime.timedelta(seconds=3)}),
        ({"at": WHOLE}, {"at": ANY_TIME}),
        (["x"], ("x",)),
        ("ImageNotFound", "ImageNotFound"),
        ({}, {}),
        (None, None),
    ],
)
def test_equal_results_have_no_differences(left: object, right: object) -> None:
    assert find_differences("show", {"v1": left, "v2": right}) == []


@in_one_test(
    ("left", "right", "key"),
    [
        ({"a": 1}, {"a": 2}, ": a"),
        ({"a": 1}, {}, ": a"),
        ({}, {"a": None}, ": a"),
        ({"a": 0}, {"a": False}, ": a"),
        ({"a": 1}, {"a": 1.0}, ": a"),
        ({"a": {"b": ["1"]}}, {"a": {"b": [1]}}, ": a"),
        ({"a": []}, {"a": None}, ": a"),
        ({"a": "é"}, {"a": "Ã©"}, ": a"),
        ({"at": WHOLE}, {"at": None}, ": at"),
        ({"at": WHOLE}, {"at": WHOLE.replace(tzinfo=None)}, ": at"),
        ({"at": WHOLE}, {"at": WHOLE.replace(microsecond=1)}, ": at"),
        ({"at": WHOLE}, {"at": str(WHOLE)}, ": at"),
        (["a", "b"], ["b", "a"], ""),
        (["a"], ["a", "a"], ""),
        ([{"a": 1}], [{"a": 2}], ""),
        ({"a": 1}, "ImageNotFound", ""),
        ("ImageNotFound", "NotFound", ""),
    ],
)
def test_unequal_results_have_differences(left: object, right: object, key: str) -> None:
    [difference] = find_differences("show", {"v1": left, "v2": right})
    assert difference.where == f"show{key}"
    assert list(difference.values) == ["v1", "v2"]


def test_one_different_side_of_three_is_reported() -> None:
    found = find_differences("show", {"v1": {"a": 1}, "v2": {"a": 1}, "both": {"a": 2}})
    assert found == [Difference("show: a", {"v1": 1, "v2": 1, "both": 2})]


def test_every_different_key_is_reported() -> None:
    found = find_differences(
        "show", {"v1": {"a": 1, "b": 1, "c": 1}, "v2": {"a": 2, "c": 1, "d": 1}}
    )
    assert [one.where for one in found] == ["show: a", "show: b", "show: d"]
    assert found[1].values == {"v1": 1, "v2": "(no such key)"}


def test_only_valid_times_are_normalized() -> None:
    early = WHOLE.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))
    assert normalize({"created_at": WHOLE, "other": [early]}) == {
        "created_at": ANY_TIME,
        "other": [early],
    }
