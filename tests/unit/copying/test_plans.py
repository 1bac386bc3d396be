# SPDX-License-Identifier: Apache-2.0
"""The order of the steps of a plan."""

from __future__ import annotations

from glance_compat.copying.plans import order_by_references
from tests.unit.copying.images import image


def ordered(references: dict[str, list[str]]) -> list[str]:
    images = {one: image(id=one) for one in references}
    named = {one: [("kernel_id", other) for other in found] for one, found in references.items()}
    return [one["id"] for one in order_by_references(images, named)]


def test_images_come_after_those_that_they_name() -> None:
    assert ordered({"a": ["c", "b"], "b": ["c"], "c": [], "d": []}) == ["c", "b", "a", "d"]


def test_images_that_are_not_selected_do_not_count() -> None:
    assert ordered({"a": ["x"], "b": ["a", "y"]}) == ["a", "b"]


def test_images_in_a_circle_come_once_each() -> None:
    assert ordered({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["d"]}) == ["c", "b", "a", "d"]


def test_long_series_needs_no_recursion() -> None:
    series = {str(number): [str(number + 1)] for number in range(5000)}
    assert ordered(series) == [str(number) for number in reversed(range(5000))]
