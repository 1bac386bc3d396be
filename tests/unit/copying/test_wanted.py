# SPDX-License-Identifier: Apache-2.0
"""The metadata that a copy must have, and the properties that name other images."""

from __future__ import annotations

from typing import Any

import pytest

from glance_compat import exceptions
from glance_compat.copying.choices import Choices
from glance_compat.copying.references import find_references, replace_references
from glance_compat.copying.wanted import Wanted, compute_wanted, parse_source, source_value
from tests.unit.copying.images import OTHER, SOURCE, image

NEW = "cccccccc-0000-4000-8000-000000000003"


def wanted(*, decode: bool = False, **values: Any) -> Wanted:
    return compute_wanted(image(**values), Choices(decode=decode), {}, "superseded_by")


def test_attributes_without_value_are_left_out() -> None:
    found = wanted(name=None, disk_format=None, container_format=None)
    assert found == Wanted(SOURCE, {"min_disk": 0, "min_ram": 0}, {})


def test_owner_and_attributes_of_the_server_are_left_out() -> None:
    properties = {
        "a": "1",
        "os_glance_importing_to_stores": "",
        "glance_compat_source": OTHER,
        "mappings": [{"virtual": "root"}],
    }
    found = wanted(properties=properties, stores=["fast"], tags=["t"], os_hidden=True)
    assert found.base == {
        "name": "one",
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": 0,
        "min_ram": 0,
        "tags": ["t"],
        "os_hidden": True,
    }
    assert found.properties == {"a": "1", "mappings": '[{"virtual": "root"}]'}


@pytest.mark.parametrize("visibility", ["public", "private", "community"])
def test_visibility_is_kept(visibility: str) -> None:
    assert wanted(visibility=visibility).base["visibility"] == visibility


@pytest.mark.parametrize("visibility", ["shared", None])
def test_target_chooses_between_private_and_shared(visibility: str | None) -> None:
    assert "visibility" not in wanted(visibility=visibility).base


def test_protection_and_members_come_last() -> None:
    assert not wanted().is_finished_later
    protected = wanted(protected=True)
    assert (protected.is_finished_later, "protected" in protected.base) == (True, False)
    assert compute_wanted(image(), Choices(), {}, "x", ("friend",)).is_finished_later


def test_percent_encoded_strings_are_decoded_on_request() -> None:
    encoded: dict[str, Any] = {
        "name": "my%20image",
        "properties": {"a": "caf%C3%A9", "b": "http%3A//x"},
    }
    assert wanted(**encoded).base["name"] == "my%20image"
    found = wanted(**encoded, decode=True)
    assert found.base["name"] == "my image"
    # A URL may have escapes on purpose.
    assert found.properties == {"a": "café", "b": "http%3A//x"}


DEVICES = [{"image_id": OTHER, "boot_index": 0}, {"snapshot_id": OTHER}, "odd"]
NAMING = {
    "kernel_id": OTHER,
    "ramdisk_id": "",
    "superseded_by": OTHER,
    "block_device_mapping": DEVICES,
    "os": OTHER,
}


def test_references_are_found_and_follow_to_the_copies() -> None:
    assert list(find_references(NAMING, "superseded_by")) == [
        ("kernel_id", OTHER),
        ("superseded_by", OTHER),
        ("block_device_mapping", OTHER),
    ]
    found = replace_references(NAMING, "superseded_by", {OTHER: NEW})
    assert found == {
        **NAMING,
        "kernel_id": NEW,
        "superseded_by": NEW,
        "block_device_mapping": [{"image_id": NEW, "boot_index": 0}, *DEVICES[1:]],
    }
    assert NAMING["block_device_mapping"] is DEVICES
    assert DEVICES[0] == {"image_id": OTHER, "boot_index": 0}
    assert replace_references(NAMING, "superseded_by", {}) == NAMING


def test_mapping_that_is_no_json_is_left_as_it_is() -> None:
    properties = {"block_device_mapping": "not JSON"}
    assert list(find_references(properties, "superseded_by")) == []
    assert replace_references(properties, "superseded_by", {OTHER: NEW}) == properties


@pytest.mark.parametrize("finished", [True, False])
def test_source_property_is_read_as_written(finished: bool) -> None:
    assert parse_source(source_value(SOURCE, finished=finished)) == (SOURCE, finished)


@pytest.mark.parametrize("value", [None, "", [SOURCE]])
def test_other_values_name_no_source(value: object) -> None:
    assert parse_source(value) is None


@pytest.mark.parametrize(
    "choices",
    [
        {"visibility": "public"},
        {"tags": "False"},
        {"members": ["one"]},
        {"members": {"one": 1}},
        {"source_property": "owner"},
        {"source_property": "Source"},
        {"source_property": "a b"},
        {"source_property": None},
    ],
)
def test_invalid_choices_are_refused(choices: dict[str, Any]) -> None:
    with pytest.raises(exceptions.Invalid, match=next(iter(choices))):
        Choices(**choices)
