# SPDX-License-Identifier: Apache-2.0
"""Why a target cannot store a copy: the findings of the audit, and the limits of the library."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from glance_compat import Discovery, Options
from glance_compat.copying.choices import Choices
from glance_compat.copying.refusals import find_notes, find_refusal
from glance_compat.copying.wanted import compute_wanted
from tests.unit.copying.images import image


def target(api: Literal["v1", "v2"], minor: int | None, *capabilities: str) -> Discovery:
    return Discovery(
        api=api,
        version=(int(api[1]), minor),
        endpoint="http://target.invalid",
        offered=(),
        reason="",
        capabilities=frozenset(capabilities),
        requests=0,
    )


V1 = target("v1", 1)
V2_5 = target("v2", 5, "tags", "community-visibility")
V2_17 = target("v2", 17, "tags", "community-visibility", "hidden")


def refusal(to: Discovery, options: Options = Options(), **values: Any) -> str | None:  # noqa: B008
    source = image(**values)
    wanted = compute_wanted(source, Choices(), {}, "superseded_by")
    return find_refusal(source, wanted, to, options)


#: Values that only v1 cannot store, with the name of the finding.
ONLY_V1 = [
    ("line-break", {"properties": {"a": "one\ntwo"}}),
    ("invalid-header-name", {"properties": {"a b": "x"}}),
    ("folding-names", {"properties": {"Foo-Bar": "x", "foo_bar": "y"}}),
    ("folds-to-reserved", {"properties": {"Min-Disk": "x"}}),
    ("too-long-value", {"properties": {"a": "x" * 20_000}}),
    ("too-large-metadata", {"properties": {f"a{number}": "x" * 9000 for number in range(7)}}),
    ("outer-whitespace", {"properties": {"a": " x"}}),
    ("outer-whitespace", {"name": " x"}),
    ("community-image", {"visibility": "community"}),
    ("hidden-image", {"os_hidden": True}),
    ("tags", {"tags": ["a"]}),
]


@pytest.mark.parametrize(("kind", "values"), ONLY_V1)
def test_v1_refuses_with_the_reason_of_the_audit(kind: str, values: dict[str, Any]) -> None:
    assert f"({kind})" in str(refusal(V1, **values))
    assert refusal(V2_17, **values) is None


@pytest.mark.parametrize("to", [V1, V2_17])
def test_both_apis_refuse_properties_named_like_attributes(to: Discovery) -> None:
    shadowed = refusal(to, shadowed_properties={"owner": "x"}, visibility=None)
    assert shadowed == "property 'owner' v1 shows 'x', v2 shows None (shadowed-property)"
    assert "(reserved-property)" in str(refusal(to, properties={"is_public": "x"}))
    assert "(missing-formats)" in str(refusal(to, disk_format=None))
    assert refusal(to, disk_format=None, size=0, checksum=None) is None


def test_older_v2_refuses_what_it_would_store_as_a_property() -> None:
    assert "hidden (os_hidden)" in str(refusal(V2_5, os_hidden=True))
    assert "community-visibility" in str(refusal(target("v2", 3, "tags"), visibility="community"))
    assert refusal(V2_5, visibility="community") is None


def test_options_of_the_target_count() -> None:
    folded: dict[str, Any] = {"properties": {"Foo-Bar": "x"}}
    assert refusal(V1, **folded) is None
    assert "(folded-name)" in str(refusal(V1, Options(v1_folding="refuse"), **folded))
    assert "CR, LF" in str(refusal(V2_17, Options(portable=True), properties={"a": "x\ny"}))


def test_names_that_v1_folds_are_reported() -> None:
    source = image(properties={"Foo-Bar": "x"})
    wanted = compute_wanted(source, Choices(), {}, "superseded_by")
    notes = ["property 'Foo-Bar' v1 writes it as 'foo_bar' (folded-name)"]
    assert find_notes(source, wanted, V1) == notes
    assert find_notes(source, wanted, V2_17) == []
