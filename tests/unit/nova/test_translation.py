# SPDX-License-Identifier: Apache-2.0
"""The translation of Nova's images, metadata, filters and errors; without Nova."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest

from glance_compat import exceptions
from glance_compat.nova import translation
from glance_compat.nova.translation import COPY_ERRORS, IMAGE_ERRORS, LIST_ERRORS, Failure

IMAGE: dict[str, Any] = {
    "id": "1",
    "size": 0,
    "properties": {"kernel_id": ""},
    "visibility": "public",
    "protected": False,
    "tags": [],
    "virtual_size": None,
    "os_hidden": None,
    "os_hash_algo": None,
    "os_hash_value": None,
    "stores": None,
    "shadowed_properties": None,
}


def test_image_of_older_server_lacks_newer_keys() -> None:
    assert translation.to_nova(IMAGE) == {"id": "1", "size": 0, "properties": {"kernel_id": ""}}


def test_image_of_newer_server_has_its_keys() -> None:
    image = {**IMAGE, "os_hidden": False, "stores": ["fast", "slow"], "os_hash_algo": "sha512"}
    assert translation.to_nova(image) == {
        "id": "1",
        "size": 0,
        "properties": {"kernel_id": ""},
        "os_hidden": False,
        "os_hash_algo": "sha512",
        "os_hash_value": None,
        "stores": "fast,slow",
    }


def test_direct_url_is_appended_to_locations() -> None:
    image = {**IMAGE, "locations": [{"url": "a", "metadata": {}}], "direct_url": "b"}
    shown = translation.to_nova(image)
    assert [one["url"] for one in shown["locations"]] == ["a", "b"]
    assert shown["direct_url"] == "b"
    without = translation.to_nova({**IMAGE, "locations": [], "direct_url": None})
    assert without["locations"] == []
    assert "direct_url" not in without
    assert len(image["locations"]) == 1


@pytest.mark.parametrize(
    ("with_data", "size", "kept"),
    [
        (False, 0, True),
        (False, 5, False),
        (True, 0, False),
        (True, 5, False),
        (False, None, False),
    ],
)
def test_size_is_kept_only_for_empty_image(with_data: bool, size: int, kept: bool) -> None:
    written = translation.prepare_create({"name": "a", "size": size}, with_data=with_data)
    assert ("size" in written) is kept


@pytest.mark.parametrize("blank", ["", "none", " None "])
def test_blank_kernel_is_not_written(blank: str) -> None:
    meta = {"properties": {"kernel_id": blank, "ramdisk_id": "nokernel", "other": ""}}
    before = copy.deepcopy(meta)
    expected = {"ramdisk_id": "nokernel", "other": ""}
    assert translation.prepare_create(meta, with_data=True)["properties"] == expected
    assert translation.prepare_update(meta, {})["properties"] == expected
    assert translation.find_blank_kernels(meta) == {"kernel_id"}
    kept = translation.prepare_update(meta, {"kernel_id": "mine", "other": "x"})["properties"]
    assert kept == {**expected, "kernel_id": "mine"}
    assert meta == before


def test_unknown_key_becomes_property() -> None:
    written = translation.from_nova({"name": "a", "hw_disk_bus": "ide", "properties": None})
    assert written == {"name": "a", "properties": {"hw_disk_bus": "ide"}}


def test_update_drops_id_and_size() -> None:
    meta = {"id": "1", "size": 5, "checksum": "c", "name": "a", "properties": {}}
    assert translation.prepare_update(meta, {}) == {"name": "a", "properties": {}}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"property-project_id": "a"}, {"property-project_id": "a"}),
        ({"project_id": "a"}, {"property-project_id": "a"}),
        ({"name": "a", "status": "active"}, {"name": "a", "status": "active"}),
        ({"changes-since": "2020-01-01T00:00:00Z"}, {"updated_at": "gte:2020-01-01T00:00:00Z"}),
        ({"is_public": "none"}, {"is_public": None}),
        ({"is_public": None}, {"is_public": None}),
        ({"is_public": True}, {"is_public": True}),
        ({"is_public": "1"}, {"is_public": True}),
        ({"is_public": "False"}, {"is_public": False}),
    ],
)
def test_filters_are_translated(filters: dict[str, Any], expected: dict[str, Any]) -> None:
    before = dict(filters)
    assert translation.translate_list_arguments({"filters": filters})["filters"] == expected
    assert filters == before


def test_false_and_unknown_list_arguments_are_dropped() -> None:
    given = {"limit": 0, "marker": "", "page_size": 5, "sort_key": None, "unknown": 1}
    assert translation.translate_list_arguments(given) == {"page_size": 5, "filters": {}}
    assert translation.translate_list_arguments({"limit": 3, "filters": "x"}) == {
        "limit": 3,
        "filters": "x",
    }


KINDS = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, exceptions.GlanceCompatError)
]


@pytest.mark.parametrize("table", [IMAGE_ERRORS, LIST_ERRORS, COPY_ERRORS])
def test_every_error_is_translated(table: translation.Errors) -> None:
    for kind in KINDS:
        unsupported = kind is exceptions.UnsupportedByVersion
        error = kind("it", "that") if unsupported else kind("it")  # type: ignore[arg-type, call-arg]
        row = translation.find_nova_error(error, table)
        arguments = row.arguments(Failure(error, "some-id"))
        assert all(isinstance(value, str) for value in arguments.values()), kind
        assert row.name[0].isupper(), kind


@pytest.mark.parametrize(
    ("error", "one", "many"),
    [
        (exceptions.ImageNotFound, "ImageNotFound", "NotFound"),
        (exceptions.ImageNotAuthorized, "ImageNotAuthorized", "Forbidden"),
        (exceptions.NotAuthenticated, "ImageNotAuthorized", "Forbidden"),
        (exceptions.ImageBadRequest, "ImageBadRequest", "Invalid"),
        (exceptions.PropertyNotAllowed, "ImageBadRequest", "Invalid"),
        (exceptions.InvalidImageRef, "InvalidImageRef", "Invalid"),
        (exceptions.ImageQuotaExceeded, "ImageQuotaExceeded", "ImageQuotaExceeded"),
        (exceptions.ImageDeleteConflict, "ImageDeleteConflict", "Invalid"),
        (exceptions.UpdateConflict, "ImageBadRequest", "Invalid"),
        (exceptions.ImageNotActive, "ImageUnacceptable", "Invalid"),
        (exceptions.DeadlineExceeded, "GlanceConnectionFailed", "GlanceConnectionFailed"),
    ],
)
def test_errors_map_to_nova_exceptions(
    error: type[exceptions.GlanceCompatError], one: str, many: str
) -> None:
    assert translation.find_nova_error(error("it"), IMAGE_ERRORS).name == one
    assert translation.find_nova_error(error("it"), LIST_ERRORS).name == many
