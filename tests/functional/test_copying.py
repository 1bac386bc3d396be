# SPDX-License-Identifier: Apache-2.0
"""Copies between real servers: what arrives is what left, or is refused beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

from glance_compat.copying import copy_image, plan, sync
from glance_compat.types import ExtendedImage
from tests.contract import targets
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target
from tests.contract.test_copying import comparable, is_same
from tests.functional.cloud import Cloud
from tests.functional.corpus.images import CORPUS, Entry
from tests.functional.corpus.making import make

pytestmark = pytest.mark.functional

#: The regions of source and target. Within one database the copies belong to another project.
PAIRS = (("pike-v1", "glance-33"), ("glance-33", "pike-v2"), ("pike-v1", "pike-v1"))

#: Images of other clouds than Pike, which has the corpus.
OF_33: tuple[dict[str, Any], ...] = (
    {"name": "tags", "tags": ["b", "a"], "properties": {"Foo-Bar": "x", "os:type": "linux"}},
    {"name": "Übung 日本 ", "min_disk": 7, "properties": {"a": "one\r\ntwo", "empty": ""}},
    {"name": "private", "visibility": "private", "properties": {"long": "x" * 20_000}},
    {"name": "community", "visibility": "community"},
)


@pytest.fixture(params=PAIRS, ids="-to-".join)
def pair(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[tuple[Target, Target]]:
    """Provide the source and the target."""
    kinds = {kind.name: kind for kind in targets.KINDS}
    found = tuple(targets.real(kinds[region], cloud) for region in request.param)
    yield cast("tuple[Target, Target]", found)
    for target in found:
        target.clean()


def has_readable_data(entry: Entry) -> bool:
    """Return whether an image of the corpus has data, and can be copied by its owner."""
    return entry.data is not None and not entry.states and entry.owner == "demo"


def make_images(source: Target) -> list[str]:
    if source.kind.release == "33":
        return [source.make("demo", DATA, **one) for one in OF_33]
    return [make(source, entry) for entry in CORPUS if has_readable_data(entry)]


def test_images_arrive_whole_or_are_refused(pair: tuple[Target, Target]) -> None:
    source, target = pair
    old = source.service("demo", extended=True, v1_exact_show=True)
    new = target.service("other", extended=True, v1_exact_show=True)
    fold = (lambda name: name.lower().replace("-", "_")) if target.is_v1 else str
    ids = make_images(source)
    mine = {"owner": source.projects["demo"]}
    steps = [one for one in plan(old, new, filters=mine) if one.source_id in ids]
    assert len(steps) == len(ids)
    report = sync(steps)
    assert report.failed == {}
    assert {one.action for one in report.steps} <= {"copy", "refused"}
    differences = []
    for step in report.steps:
        if step.action == "refused":
            assert step.reason
            continue
        image = cast(ExtendedImage, old.show(None, step.source_id))
        copy = new.show(None, str(step.target_id))
        assert copy["owner"] == target.projects["other"]
        if comparable(image, fold) != comparable(copy, fold) or not is_same(image, copy):
            differences.append((comparable(image, fold), comparable(copy, fold)))
        assert b"".join(new.download(None, copy["id"])) == b"".join(
            old.download(None, image["id"])
        )
    assert differences == []
    assert any(one.action == "copy" for one in report.steps)
    again = [one for one in plan(old, new, filters=mine) if one.source_id in ids]
    assert {one.action for one in again} <= {"present", "refused"}


def test_references_protection_and_members_follow(pair: tuple[Target, Target]) -> None:
    source, target = pair
    old = source.service("demo", extended=True)
    new = target.service("other", extended=True)
    kernel = source.make("demo", DATA, name="kernel", disk_format="aki", container_format="aki")
    machine = source.make(
        "demo", DATA, {"kernel_id": kernel}, name="machine", protected=True, **FORMATS
    )
    source.share(machine, "other")
    members = {source.projects["other"]: target.projects["admin"]}
    try:
        first = copy_image(old, kernel, new)
        copy = cast(ExtendedImage, copy_image(old, machine, new, members=members))
        assert copy["properties"] == {"kernel_id": first["id"], "glance_compat_source": machine}
        assert copy["protected"] is True
        shared = [one["member_id"] for one in new.members(None, copy["id"])]
        assert shared == [target.projects["admin"]]
        assert copy_image(old, machine, new, members=members)["id"] == copy["id"]
    finally:
        old.update(None, machine, {"protected": False}, purge_props=False)
        for one in new.detail(None, {"name": "machine", "owner": target.projects["other"]}):
            new.update(None, one["id"], {"protected": False}, purge_props=False)
