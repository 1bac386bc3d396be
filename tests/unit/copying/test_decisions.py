# SPDX-License-Identifier: Apache-2.0
"""What has to be done for one image: pure functions, tested without servers."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pytest

from glance_compat.copying.choices import Choices
from glance_compat.copying.decisions import Candidates, Decision, candidate_ids, decide
from glance_compat.copying.wanted import compute_wanted
from glance_compat.metadata.property_names import fold_name
from glance_compat.types import ExtendedImage
from tests.unit.copying.images import NOW, OTHER, SOURCE, image

LINK = {"glance_compat_source": SOURCE}
UNFINISHED = {"glance_compat_source": f"{SOURCE} unfinished"}
LONG_AGO = NOW - datetime.timedelta(minutes=11)


def decided(
    source: ExtendedImage, *found: ExtendedImage, refusal: str | None = None, **choices: Any
) -> Decision:
    chosen = Choices(**choices)
    wanted = compute_wanted(source, chosen, {}, "superseded_by")
    return decide(
        source,
        wanted,
        Candidates(found, "mine", NOW),
        chosen,
        find_refusal=lambda: refusal,
    )


def test_image_without_candidates_is_copied() -> None:
    assert decided(image()) == Decision("copy")


def test_image_that_the_target_cannot_store_is_refused() -> None:
    assert decided(image(), refusal="why") == Decision("refused", None, "why")


@pytest.mark.parametrize("status", ["queued", "saving", "importing", "deactivated", "killed"])
def test_source_without_readable_data_is_skipped(status: str) -> None:
    reason = f"the status of the image is {status}"
    assert decided(image(status=status)) == Decision("skipped", None, reason)


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param(image(), id="same id"),
        pytest.param(image(id=OTHER, properties=LINK), id="source property"),
        pytest.param(image(id=OTHER), id="equal image of another client"),
        pytest.param(image(status="deactivated"), id="deactivated later"),
    ],
)
def test_equal_image_is_present(copy: ExtendedImage) -> None:
    assert decided(image(), copy) == Decision("present", copy)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(image(owner="stranger"), id="same id"),
        pytest.param(image(id=OTHER, owner="stranger", properties=LINK), id="source property"),
    ],
)
def test_images_of_other_projects_are_no_copies(other: ExtendedImage) -> None:
    assert decided(image(), other) == Decision("copy")


@pytest.mark.parametrize(
    "different",
    [
        {"checksum": "d" * 32},
        {"size": 5},
        {"os_hash_algo": "sha512", "os_hash_value": "e" * 128},
        {"checksum": None},
    ],
)
def test_source_property_is_not_believed_if_data_differs(different: dict[str, Any]) -> None:
    source = image(os_hash_algo="sha512", os_hash_value="f" * 128)
    forged = image(id=OTHER, properties=LINK, **different)
    assert decided(source, forged) == Decision("copy")


def test_size_decides_if_the_source_has_no_checksum() -> None:
    copy = image(id=OTHER, properties=LINK)
    assert decided(image(checksum=None), copy) == Decision("present", copy)


@pytest.mark.parametrize(
    ("name", "different"),
    [
        ("name", {"name": "two"}),
        ("min_disk", {"min_disk": 3}),
        ("min_ram", {"min_ram": 3}),
        ("disk_format", {"disk_format": "qcow2"}),
        ("visibility", {"visibility": "private"}),
        ("tags", {"tags": ["a"]}),
        ("os_hidden", {"os_hidden": True}),
        ("property 'a'", {"properties": {"a": "1"}}),
    ],
)
@pytest.mark.parametrize("side", ["source", "target"])
def test_different_metadata_is_updated_only_on_request(
    name: str, different: dict[str, Any], side: str
) -> None:
    pair = [image(**different), image()]
    source, copy = pair if side == "source" else reversed(pair)
    # "shared" is what v1 shows as not public, so a shared copy of a private image differs.
    if name == "visibility" and side == "target":
        assert decided(source, copy).action == "present"
        return
    reason = f"the copy differs in {name}"
    assert decided(source, copy) == Decision("skipped", copy, f"{reason}; update would change it")
    assert decided(source, copy, update=True) == Decision("update", copy, reason)
    refused = Decision("refused", copy, f"{reason}; why")
    assert decided(source, copy, update=True, refusal="why") == refused


def test_protected_copy_stays_protected() -> None:
    copy = image(protected=True)
    assert decided(image(), copy, update=True) == Decision("present", copy)
    unprotected = image()
    assert decided(image(protected=True), unprotected).reason == (
        "the copy differs in protected; update would change it"
    )


def test_what_is_not_copied_is_not_compared() -> None:
    copy = image(properties={"a": "1"}, tags=["t"])
    assert decided(image(), copy, properties=False, tags=False) == Decision("present", copy)


def test_unfinished_copy_is_finished_without_request() -> None:
    copy = image(id=OTHER, properties=UNFINISHED)
    reason = "finishes the copy that an interrupted run has left"
    assert decided(image(protected=True), copy) == Decision("update", copy, reason)


@pytest.mark.parametrize("status", ["queued", "killed"])
def test_only_old_records_without_data_are_abandoned(status: str) -> None:
    old = image(id=OTHER, status=status, checksum=None, size=0, properties=LINK)
    old["updated_at"] = LONG_AGO
    young = image(id="young", status=status, checksum=None, size=0, properties=LINK)
    strange = {**old, "id": "strange", "owner": "stranger"}
    unlinked = {**old, "id": "unlinked", "properties": {}}
    found = decided(image(), old, young, strange, unlinked)  # type: ignore[arg-type]
    assert found == Decision("copy", abandoned=(OTHER,))


def test_copy_that_is_being_uploaded_is_skipped() -> None:
    saving = image(id=OTHER, status="saving", checksum=None, size=0, properties=LINK)
    saving["updated_at"] = LONG_AGO
    reason = f"image {OTHER} of the target is being uploaded: its status is saving"
    assert decided(image(), saving) == Decision("skipped", None, reason)


def test_finished_copy_is_preferred() -> None:
    copies = (
        image(id="1", properties=UNFINISHED),
        image(id="2", properties=LINK),
        image(properties={}),
    )
    for order in itertools.permutations(copies):
        assert decided(image(), *order) == Decision("present", copies[1])


def test_names_that_v1_folds_are_compared_folded() -> None:
    source, copy = image(properties={"Foo-Bar": "x"}), image(properties={"foo_bar": "x"})
    wanted = compute_wanted(source, Choices(), {}, "superseded_by")
    candidates = Candidates([copy], "mine", NOW)
    assert decide(source, wanted, candidates, Choices()).action == "skipped"
    found = decide(source, wanted, candidates, Choices(), match=fold_name)
    assert found == Decision("present", copy)


def test_copy_lacks_a_member() -> None:
    copy = image()
    wanted = compute_wanted(image(), Choices(), {}, "superseded_by", ("friend",))
    for shared, action in ((frozenset({"friend", "x"}), "present"), (frozenset("x"), "skipped")):
        found = decide(
            image(),
            wanted,
            Candidates([copy], "mine", NOW),
            Choices(),
            shared_with=lambda one, shared=shared: shared,  # type: ignore[misc]
        )
        assert found.action == action


def test_ids_depend_on_source_and_project() -> None:
    first = list(itertools.islice(candidate_ids(SOURCE, "mine"), 3))
    assert first == list(itertools.islice(candidate_ids(SOURCE, "mine"), 3))
    assert first[0] == SOURCE
    assert len({*first, *itertools.islice(candidate_ids(SOURCE, "yours"), 3)}) == 5
    assert next(candidate_ids(SOURCE, "mine", {SOURCE})) == first[1]
    assert SOURCE.replace("-", "") not in candidate_ids(SOURCE.replace("-", ""), "mine")
