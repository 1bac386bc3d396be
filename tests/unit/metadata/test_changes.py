# SPDX-License-Identifier: Apache-2.0
"""Checks of written metadata, the changes that an update sends, and the limits of v1."""

from __future__ import annotations

import datetime
import enum
import http.client
import io
import string
import typing

import hypothesis
import pytest
import requests
from hypothesis import strategies

from glance_compat.exceptions import ImageBadRequest, PropertyNotAllowed
from glance_compat.metadata import changes, converters, fields, image_records, property_names
from glance_compat.metadata.changes import (
    Change,
    ImageMeta,
    compute_change,
    fill_in_formats,
    needs_current_image,
    parse_image_meta,
)
from glance_compat.metadata.image_records import from_v1, from_v2, parse_v1_headers, parts_of
from glance_compat.redaction import quote_value
from glance_compat.transport import v1_headers
from tests.cases import in_one_test

#: The attributes that both APIs let callers write; other keys of an image dict are ignored.
WRITABLE: dict[str, list[tuple[object, object]]] = {
    "id": [("8f6a", "8f6a")],
    "name": [("é", "é"), ("", None), (None, None)],
    "size": [(5, 5), ("5", 5), (0, 0)],
    "checksum": [("ab", "ab")],
    "container_format": [("bare", "bare")],
    "disk_format": [("raw", "raw")],
    "min_disk": [(1, 1), ("1", 1), (0, 0)],
    "min_ram": [(64, 64), ("64", 64)],
    "owner": [("5c0ffee", "5c0ffee"), ("", None), (None, None)],
    "is_public": [(True, True), (False, False), ("True", True), ("no", False), ("1", True)],
    "visibility": [("shared", "shared"), ("public", "public")],
    "protected": [(True, True), ("false", False)],
    "tags": [(["b", "a", "b"], ["a", "b"]), ((), []), ({"a"}, ["a"]), (frozenset("a"), ["a"])],
    "os_hidden": [(False, False), ("on", True)],
    "location": [("http://h/i", "http://h/i")],
    "copy_from": [("http://h/i", "http://h/i")],
    "store": [("fast", "fast")],
}
READ_ONLY = (
    *("status", "created_at", "updated_at", "deleted_at", "deleted", "locations", "direct_url"),
    *("virtual_size", "os_hash_algo", "os_hash_value", "stores", "shadowed_properties"),
)
#: None clears these attributes; for all others it means "not passed".
CLEARED = {"name", "owner"}


class Firmware(str, enum.Enum):
    """A str Enum of a caller, whose str() differs from its value."""

    UEFI = "uefi"


def v2_image(**given: object) -> fields.Image:
    return from_v2({"id": "i", "status": "active", "visibility": "shared", **given}, (2, 17))


def v1_image(**given: object) -> fields.Image:
    return from_v1({"id": "i", "status": "active", "is_public": False, **given})


# ---------------------------------------------------------------------------------------------
# Metadata of callers.


@in_one_test(
    ("name", "given", "value"),
    [(name, *pair) for name, pairs in WRITABLE.items() for pair in pairs],
)
def test_attribute_is_converted_to_its_type(name: str, given: object, value: object) -> None:
    found = parse_image_meta({name: given})
    assert found == ImageMeta({name: value}, {}, frozenset())
    assert type(found.base[name]) is type(value)


@in_one_test("name", sorted(WRITABLE.keys() - CLEARED))
def test_none_value_is_omitted(name: str) -> None:
    assert parse_image_meta({name: None}).base == {}


def test_empty_checksum_is_not_passed() -> None:
    assert parse_image_meta({"checksum": ""}).base == {}


@in_one_test("name", READ_ONLY)
@in_one_test("value", [None, "x", -1, [], datetime.timedelta()])
def test_read_only_attributes_are_ignored(name: str, value: object) -> None:
    assert parse_image_meta({name: value}) == ImageMeta({}, {}, frozenset())


def test_every_attribute_is_writable_or_read_only() -> None:
    known = {field.name for field in fields.FIELDS} | {*fields.ORIGINS, "shadowed_properties"}
    assert known == set(WRITABLE) | set(READ_ONLY)


@pytest.mark.parametrize("name", ["bogus", "Name", "uri", "", "self", "file", "schema", 5, None])
def test_unknown_attribute_is_refused(name: object) -> None:
    with pytest.raises(ImageBadRequest, match="unknown"):
        parse_image_meta(typing.cast("dict[str, object]", {name: "x"}))


WRONG: dict[str, list[object]] = {
    **{
        name: [0, True, b"x", [], {}, "\ud800"]
        for name in WRITABLE
        if isinstance(WRITABLE[name][0][1], str)
    },
    **{name: [-1, "-1", 1.5, "x", "", True, []] for name in ("size", "min_disk", "min_ram")},
    **{name: ["", "maybe", 1.0, []] for name in ("is_public", "protected", "os_hidden")},
    "tags": ["a", 1, [1], {"a": 1}, [None], ["\ud800"]],
}


@in_one_test(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_error_names_invalid_attribute(name: str, value: object) -> None:
    with pytest.raises(ImageBadRequest, match=name):
        parse_image_meta({name: value})


@pytest.mark.parametrize("name", ["name", "size", "min_disk", "is_public", "tags"])
def test_unprintably_long_number_is_refused(name: str) -> None:
    with pytest.raises(ImageBadRequest, match=name):
        parse_image_meta({name: 10**5000})
    with pytest.raises(ImageBadRequest, match=name):
        parse_image_meta({name: [10**5000]})


@in_one_test("name", ["is_public", "protected", "os_hidden"])
@in_one_test("value", [1, 0, "maybe", []])
def test_invalid_boolean_error_lists_choices(name: str, value: object) -> None:
    with pytest.raises(ImageBadRequest, match="true or false"):
        parse_image_meta({name: value})


def test_error_truncates_long_value() -> None:
    with pytest.raises(ImageBadRequest, match="name must be a string") as caught:
        parse_image_meta({"name": b"x" * 100_000})
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("image_meta", [None, [], "name", 5, [("name", "x")]])
def test_metadata_must_be_a_dict(image_meta: typing.Any) -> None:
    with pytest.raises(ImageBadRequest, match="dict"):
        parse_image_meta(image_meta)


@pytest.mark.parametrize("properties", ["x", 5, ["a"], [("a", "b")], True, "", 0, [], (), False])
def test_properties_must_be_a_dict(properties: object) -> None:
    with pytest.raises(ImageBadRequest, match="properties"):
        parse_image_meta({"properties": properties})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", ""),
        ("é", "é"),
        (" a ", " a "),
        (5, "5"),
        (1.5, "1.5"),
        (True, "True"),
        (False, "False"),
        (["a"], "['a']"),
        (Firmware.UEFI, "uefi"),
        ({"a": None}, "{'a': None}"),
    ],
)
def test_property_is_converted_to_string(value: object, text: str) -> None:
    assert parse_image_meta({"properties": {"a": value}}).properties == {"a": text}


@in_one_test("name", ["block_device_mapping", "mappings"])
@in_one_test(
    ("value", "text"),
    [
        ([{"a": "é"}], '[{"a": "\\u00e9"}]'),
        ((1, 2), "[1, 2]"),
        ({"a": None}, '{"a": null}'),
        ("[1,2]", "[1,2]"),
        ("text", "text"),
        (5, "5"),
        (True, "true"),
    ],
)
def test_structure_is_encoded_as_json(name: str, value: object, text: str) -> None:
    assert parse_image_meta({"properties": {name: value}}).properties == {name: text}


def test_none_property_is_absent() -> None:
    found = parse_image_meta({"properties": {"a": None, "b": "", "mappings": None}})
    assert found == ImageMeta({}, {"b": ""}, frozenset({"a", "mappings"}))


def circular() -> list[object]:
    outer: list[object] = []
    outer.append(outer)
    return outer


@in_one_test(
    ("name", "value"),
    [
        ("a", b"bytes"),
        ("a", bytearray(b"bytes")),
        ("a", memoryview(b"bytes")),
        ("a", "\ud800"),
        ("\ud800", "a"),
        (5, "a"),
        (b"a", "a"),
        ("mappings", {1, 2}),
        ("mappings", [b"a"]),
        ("mappings", [object()]),
        ("mappings", circular()),
        pytest.param("a", 10**5000, id="a number too long for text"),
        pytest.param("mappings", [10**5000], id="a number too long for JSON"),
    ],
)
def test_invalid_property_raises_property_not_allowed(name: object, value: object) -> None:
    with pytest.raises(PropertyNotAllowed, match="property"):
        parse_image_meta({"properties": {name: value}})


def test_arguments_are_not_modified() -> None:
    properties = {"a": 1, "mappings": [{"a": 1}], "b": None}
    image_meta = {"name": "", "tags": ["b", "a"], "size": "5", "properties": properties}
    before = repr(image_meta)
    parse_image_meta(image_meta)
    assert repr(image_meta) == before


# ---------------------------------------------------------------------------------------------
# Creating.


def test_v1_fills_in_amazon_formats() -> None:
    for name in ("ami", "ari", "aki"):
        meta = fill_in_formats(parse_image_meta({"disk_format": name}), empty=False)
        assert meta.base == {"disk_format": name, "container_format": name}
    meta = parse_image_meta({"disk_format": "raw"})
    assert fill_in_formats(meta, empty=False) == meta


def test_empty_image_defaults_to_raw_bare() -> None:
    assert fill_in_formats(parse_image_meta({}), empty=True).base == {
        "disk_format": "raw",
        "container_format": "bare",
    }
    given = parse_image_meta(
        {"disk_format": "qcow2", "container_format": "ovf", "properties": {"a": "b"}}
    )
    assert fill_in_formats(given, empty=True) == given
    assert (
        fill_in_formats(parse_image_meta({"disk_format": "aki"}), empty=True).base[
            "container_format"
        ]
        == "aki"
    )


@pytest.mark.parametrize(
    ("base", "wanted"),
    [
        ({}, None),
        ({"is_public": True}, True),
        ({"is_public": False}, False),
        ({"visibility": "public"}, True),
        ({"visibility": "private"}, False),
        ({"visibility": "shared"}, False),
        ({"visibility": "community"}, False),
        ({"visibility": "public", "is_public": True}, True),
        ({"visibility": "shared", "is_public": False}, False),
    ],
)
def test_requested_is_public_combines_both_attributes(
    base: dict[str, object], wanted: bool | None
) -> None:
    assert changes.get_requested_is_public(base) is wanted


@pytest.mark.parametrize("visibility", ["public", "private", "shared", "community"])
def test_contradicting_visibility_is_refused(visibility: str) -> None:
    base = {"visibility": visibility, "is_public": visibility != "public"}
    with pytest.raises(ImageBadRequest, match="contradict"):
        changes.get_requested_is_public(base)


# ---------------------------------------------------------------------------------------------
# Updates: whether the current image is needed, and the changes that are sent.


@pytest.mark.parametrize(
    ("image_meta", "purge", "look"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"name": "x", "min_disk": 1}, False, False),
        ({"properties": {"a": "b"}}, False, False),
        ({"is_public": False}, False, True),
        ({"is_public": None}, False, False),
        ({"visibility": "private"}, False, True),
        ({"owner": None}, False, True),
        ({"properties": {"status": "x"}}, False, True),
        ({"properties": {"os_glance_failed_import": ""}}, False, True),
    ],
)
def test_needs_current_image_depends_on_changes(
    image_meta: dict[str, object], purge: bool, look: bool
) -> None:
    assert needs_current_image(parse_image_meta(image_meta), purge=purge) is look


def test_change_without_current_image_sends_all_writable_attributes() -> None:
    meta = parse_image_meta(
        {"id": "i", "size": 5, "checksum": "ab", "name": "x", "properties": {"a": "b", "c": None}}
    )
    assert compute_change(meta, None, purge=False) == Change(
        {"name": "x"}, {"a": "b"}, frozenset()
    )


def test_change_without_current_image_rejects_reserved_names() -> None:
    with pytest.raises(PropertyNotAllowed, match="status"):
        compute_change(parse_image_meta({"properties": {"status": "x"}}), None, purge=False)


def test_only_changed_attributes_are_sent() -> None:
    now = v2_image(name="x", min_disk=1, protected=False, tags=["b", "a"], os_type="linux", a="1")
    image_meta = {
        "name": "x",
        "min_disk": "1",
        "min_ram": 64,
        "tags": ["a", "b"],
        "protected": "no",
        "properties": {"os_type": "linux", "a": 2, "b": ""},
    }
    wanted = Change({"min_ram": 64}, {"a": "2", "b": ""}, frozenset())
    assert compute_change(parse_image_meta(image_meta), now, purge=False) == wanted


def test_name_can_be_removed() -> None:
    for none in (None, ""):
        wanted = compute_change(parse_image_meta({"name": none}), v2_image(name="x"), purge=True)
        assert wanted == Change({"name": None}, {}, frozenset())
        assert (
            compute_change(parse_image_meta({"name": none}), v2_image(name=None), purge=True).base
            == {}
        )


def test_data_sources_are_always_sent() -> None:
    origins = {"location": "http://h/i", "copy_from": "http://h/c", "store": "fast"}
    assert compute_change(parse_image_meta(origins), v2_image(), purge=True).base == origins


BDM = '[{"device_name": "vda",   "boot_index":0}]'

WHOLE: dict[str, typing.Callable[[], fields.Image]] = {
    "v1": lambda: v1_image(
        name="x",
        owner="5c0ffee",
        is_public=True,
        size=5,
        checksum="ab",
        created_at="2026-11-22T15:48:37.652621",
        properties={"os_type": "linux", "block_device_mapping": BDM, "kernel_id": None},
    ),
    "v1 queued": lambda: v1_image(status="queued", size=0),
    "v1 shadowed": lambda: v1_image(properties={"status": "x", "owner": "y", "direct_url": "z"}),
    "v2": lambda: v2_image(
        name="x",
        owner=None,
        visibility="community",
        tags=["b", "a"],
        os_type="linux",
        block_device_mapping=BDM,
        mappings="[1",
        created_at="2026-11-22T15:48:37Z",
    ),
    "v2 queued": lambda: v2_image(status="queued", size=None),
    "v2 with reserved names": lambda: v2_image(
        os_glance_failed_import="", location="http://h/i", deleted="x", is_public="y", image_id="z"
    ),
}


@in_one_test("kind", WHOLE)
@in_one_test("extended", [False, True])
@in_one_test("purge", [False, True])
def test_unchanged_dict_sends_no_change(kind: str, extended: bool, purge: bool) -> None:
    now = WHOLE[kind]()
    whole = image_records.select_fields(
        WHOLE[kind](), parts_of(include_locations=True, extended=extended)
    )
    match = property_names.fold_name if kind.startswith("v1") else str
    wanted = compute_change(parse_image_meta(whole), now, purge=purge, match=match)
    assert wanted == Change({}, {}, frozenset())
    assert now == WHOLE[kind]()


def test_structures_are_compared_by_value() -> None:
    now = v2_image(block_device_mapping=BDM)
    for same in (BDM, '[{"boot_index": 0, "device_name": "vda"}]', now["properties"]):
        given = same if isinstance(same, dict) else {"block_device_mapping": same}
        assert (
            compute_change(parse_image_meta({"properties": given}), now, purge=True).properties
            == {}
        )
    changed = '[{"boot_index": 1, "device_name": "vda"}]'
    meta = parse_image_meta({"properties": {"block_device_mapping": changed}})
    assert compute_change(meta, now, purge=True).properties == {"block_device_mapping": changed}


@pytest.mark.parametrize(
    ("now", "then"),
    [("[1]", "[true]"), ("[0]", "[false]"), ("[1]", "[1.0]"), ('{"a": true}', '{"a": 1}')],
)
def test_values_equal_only_in_python_are_sent(now: str, then: str) -> None:
    for name in ("block_device_mapping", "mappings"):
        meta = parse_image_meta({"properties": {name: then}})
        assert compute_change(meta, v2_image(**{name: now}), purge=True).properties == {name: then}


def test_image_with_lone_surrogate_property_can_be_edited() -> None:
    now = v2_image(broken="\ud800", a="1")
    meta = parse_image_meta({"properties": {"a": "2"}})
    assert compute_change(meta, now, purge=False) == Change({}, {"a": "2"}, frozenset())
    assert compute_change(meta, now, purge=True) == Change({}, {"a": "2"}, frozenset({"broken"}))


def test_json_like_string_stays_a_string() -> None:
    now = v2_image(a="[1, 2]")
    meta = parse_image_meta({"properties": {"a": "[1,2]"}})
    assert compute_change(meta, now, purge=False).properties == {"a": "[1,2]"}


def test_purge_removes_omitted_properties() -> None:
    now = v2_image(a="1", b="2", c="3", Foo="4", foo="5")
    meta = parse_image_meta({"properties": {"a": "1", "b": None, "foo": "5"}})
    assert compute_change(meta, now, purge=True) == Change({}, {}, frozenset({"b", "c", "Foo"}))
    assert compute_change(meta, now, purge=False) == Change({}, {}, frozenset())


def test_purge_preserves_properties_of_the_server() -> None:
    now = v2_image(os_glance_failed_import="", os_glance_importing_to_stores="fast", a="1")
    assert compute_change(parse_image_meta({}), now, purge=True).removed == {"a"}


@pytest.mark.parametrize(
    "name", ["location", "copy_from", "store", "is_public", "deleted", "image_id", "properties"]
)
def test_purge_keeps_reserved_names(name: str) -> None:
    assert compute_change(
        parse_image_meta({}), v2_image(**{name: "x", "a": "1"}), purge=True
    ).removed == {"a"}
    now = v1_image(properties={name: "x", "a": "1"})
    assert compute_change(
        parse_image_meta({}), now, purge=True, match=property_names.fold_name
    ).removed == {"a"}


def test_v1_purge_compares_folded_names() -> None:
    now = v1_image(properties={"foo_bar": "1", "other": "2", "Made-By-V2": "3"})
    meta = parse_image_meta({"properties": {"Foo-Bar": "1", "Made-By-V2": "3"}})
    wanted = compute_change(meta, now, purge=True, match=property_names.fold_name)
    assert wanted.removed == {"other"}
    assert wanted.properties == {"Foo-Bar": "1"}


@pytest.mark.parametrize("name", ["owner", "status", "os_glance_x", "locations", "image_id"])
def test_reserved_name_cannot_be_added_or_changed(name: str) -> None:
    meta = parse_image_meta({"properties": {name: "x", "a": "1"}})
    for properties in ({}, {name: "y"}):
        now = v2_image()
        now["properties"] = properties
        with pytest.raises(PropertyNotAllowed, match=name):
            compute_change(meta, now, purge=False)
    now = v2_image()
    now["properties"] = {name: "x"}
    assert compute_change(meta, now, purge=True).properties == {"a": "1"}


@pytest.mark.parametrize("value", ["public", ["public"], {"a": 1}, None, 5])
def test_property_named_visibility_sets_no_visibility(value: object) -> None:
    now = v2_image()
    meta = parse_image_meta({"properties": {"visibility": value}})
    if value is None:
        assert compute_change(meta, now, purge=True) == Change({}, {}, frozenset())
        return
    with pytest.raises(PropertyNotAllowed, match="visibility"):
        compute_change(meta, now, purge=True)


def test_error_contains_reserved_name() -> None:
    changes.check_property_names(["os_type", "kernel_id"])
    with pytest.raises(PropertyNotAllowed, match="'self'"):
        changes.check_property_names(["os_type", "self"])


# -- is_public and visibility


@in_one_test("now", ["public", "private", "shared", "community"])
@in_one_test("is_public", [None, True, False])
@in_one_test("visibility", [None, "public", "private", "shared", "community"])
def test_v2_update_resolves_visibility(
    now: str, is_public: bool | None, visibility: str | None
) -> None:
    """If both disagree, the one that differs from the current value applies."""
    meta = parse_image_meta({"is_public": is_public, "visibility": visibility})
    differ = {
        **({"is_public": is_public} if is_public not in (None, now == "public") else {}),
        **({"visibility": visibility} if visibility not in (None, now) else {}),
    }
    disagree = is_public is not None and (visibility == "public") != is_public
    if len(differ) == 2 and disagree:
        with pytest.raises(ImageBadRequest, match="contradict"):
            compute_change(meta, v2_image(visibility=now), purge=False)
        return
    assert compute_change(meta, v2_image(visibility=now), purge=False).base == differ


@in_one_test(
    ("now", "is_public", "visibility", "wanted"),
    [
        (True, True, "public", {}),
        (True, False, None, {"is_public": False}),
        (True, None, "private", {"visibility": "private"}),
        (True, None, "shared", {"visibility": "shared"}),
        (True, True, "private", {"visibility": "private"}),
        (True, False, "public", {"is_public": False}),
        (True, False, "shared", {"is_public": False, "visibility": "shared"}),
        (False, False, None, {}),
        (False, False, "private", {}),
        (False, None, "shared", {}),
        (False, True, None, {"is_public": True}),
        (False, None, "public", {"visibility": "public"}),
        (False, False, "public", {"visibility": "public"}),
        (False, True, "public", {"is_public": True, "visibility": "public"}),
        # v1 does not distinguish private from shared, so neither is a change.
        (False, True, "private", {"is_public": True}),
    ],
)
def test_v1_update_resolves_is_public(
    now: bool, is_public: bool | None, visibility: str | None, wanted: dict[str, object]
) -> None:
    meta = parse_image_meta({"is_public": is_public, "visibility": visibility})
    found = compute_change(
        meta, v1_image(is_public=now), purge=False, match=property_names.fold_name
    )
    assert found.base == wanted


# ---------------------------------------------------------------------------------------------
# Limits of v1.


@pytest.mark.parametrize(
    "text", ["a\rb", "a\nb", "a\r\nb", "\0", " a", "a ", "\ta", "a\t", "\n", " ", "\N{EM SPACE}a"]
)
def test_value_invalid_in_v1_header_is_refused(text: str) -> None:
    assert converters.find_header_obstacle(text)
    with pytest.raises(PropertyNotAllowed, match="'a' cannot be sent over v1"):
        changes.check_v1_limits(ImageMeta({}, {"a": text}))
    with pytest.raises(ImageBadRequest, match="name cannot be sent over v1"):
        changes.check_v1_limits(ImageMeta({"name": text}, {}))


@pytest.mark.parametrize("text", ["", "a", "a b", "a\tb", "é", "%C3%A9", "a:b", '"', "\x7f"])
def test_value_valid_in_v1_header_is_accepted(text: str) -> None:
    assert converters.find_header_obstacle(text) is None
    changes.check_v1_limits(
        ImageMeta({"name": text, "min_disk": 1, "protected": True}, {"a": text})
    )


@pytest.mark.parametrize("name", ["", "a b", "os:type", "é", "a\n", "a/b", "(a)", '"a"', "a@b"])
def test_name_invalid_in_v1_header_is_refused(name: str) -> None:
    with pytest.raises(PropertyNotAllowed, match="not a valid HTTP header name"):
        changes.check_v1_limits(ImageMeta({}, {name: "x"}))


@pytest.mark.parametrize("name", ["Foo", "foo-bar", "FOO_BAR", "-"])
def test_folding_follows_its_option(name: str) -> None:
    changes.check_v1_limits(ImageMeta({}, {name: "x"}))
    with pytest.raises(PropertyNotAllowed, match="store it as"):
        changes.check_v1_limits(ImageMeta({}, {name: "x"}), folding=False)


@pytest.mark.parametrize("name", ["Owner", "Min-Disk", "os-hidden", "OS_GLANCE_X", "Image-Id"])
def test_name_folding_to_reserved_name_is_refused(name: str) -> None:
    with pytest.raises(PropertyNotAllowed, match=f"{name}.*reserved"):
        changes.check_v1_limits(ImageMeta({}, {name: "x"}))


@pytest.mark.parametrize("name", ["owner", "status", "os_glance_x"])
def test_existing_reserved_name_can_be_resent(name: str) -> None:
    changes.check_v1_limits(ImageMeta({}, {name: "x"}))


@pytest.mark.parametrize("pair", [("foo-bar", "foo_bar"), ("Foo", "foo"), ("A-b", "a_B")])
def test_names_with_equal_folding_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(PropertyNotAllowed, match=f"'{pair[1]}'.*'{pair[0]}'"):
        changes.check_v1_limits(ImageMeta({}, dict.fromkeys(pair, "x")))


def test_v1_header_value_limit_is_below_16384_bytes() -> None:
    changes.check_v1_limits(ImageMeta({}, {"a": "x" * 15_000}))
    changes.check_v1_limits(ImageMeta({}, {"a": "é" * 7_500}))
    for text in ("x" * 16_384, "é" * 8_192):
        with pytest.raises(PropertyNotAllowed, match="longer than"):
            changes.check_v1_limits(ImageMeta({}, {"a": text}))


def test_total_size_of_properties_is_limited() -> None:
    changes.check_v1_limits(ImageMeta({}, {f"p{number}": "x" * 400 for number in range(128)}))
    with pytest.raises(PropertyNotAllowed, match="the limit is 57344"):
        changes.check_v1_limits(ImageMeta({}, {f"p{number}": "x" * 500 for number in range(128)}))


#: RFC 9110, section 5.6.2.
TOKEN = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
unicode_texts = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=30)


@hypothesis.given(
    properties=strategies.dictionaries(
        strategies.text(TOKEN + " :é", max_size=10), unicode_texts, max_size=4
    ),
    name=unicode_texts,
)
def test_accepted_metadata_survives_header_round_trip(
    properties: dict[str, str], name: str
) -> None:
    try:
        changes.check_v1_limits(ImageMeta({"name": name}, properties))
    except (ImageBadRequest, PropertyNotAllowed):
        hypothesis.reject()
    sent = image_records.to_v1_headers({"name": name}, properties)
    wire = {key: v1_headers.to_wire(text) for key, text in sent.items()}
    prepared = requests.Request("POST", "http://glance.invalid/", headers=wire).prepare()
    assert {key: prepared.headers[key] for key in wire} == wire
    lines = [f"{key}: {text}\r\n" for key, text in wire.items()]
    block = io.BytesIO("".join([*lines, "\r\n"]).encode("latin-1"))
    message = http.client.parse_headers(block)
    read = [(key, v1_headers.from_wire(value)) for key, value in message.items()]
    assert message.defects == []
    assert read == list(sent.items())
    record, _ = parse_v1_headers(read)
    assert record["name"] == name
    assert record["properties"] == {
        key.lower().replace("_", "-"): text for key, text in properties.items()
    }


@hypothesis.given(name=unicode_texts, text=unicode_texts)
def test_v1_limit_error_names_property(name: str, text: str) -> None:
    begins = f"property {quote_value(name)} cannot be sent over v1: "
    said = begins
    try:
        changes.check_v1_limits(ImageMeta({}, {name: text}))
    except PropertyNotAllowed as error:
        said = error.message
    assert said.startswith(begins)


values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(strategies.characters(), max_size=10)
    | strategies.binary(max_size=4),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


@hypothesis.given(
    image_meta=strategies.dictionaries(
        strategies.sampled_from(sorted([*WRITABLE, *READ_ONLY])), values, max_size=4
    ),
    properties=values
    | strategies.dictionaries(
        strategies.sampled_from(["a", "mappings", "block_device_mapping"]), values, max_size=3
    ),
)
def test_any_dict_is_parsed_or_refused(image_meta: dict[str, object], properties: object) -> None:
    try:
        meta = parse_image_meta({**image_meta, "properties": properties})
    except (ImageBadRequest, PropertyNotAllowed):
        return
    for text in meta.properties.values():
        assert type(text) is str
        assert text.encode("utf-8").decode("utf-8") == text
    assert set(meta.base) <= set(WRITABLE)
    assert all(value is not None for name, value in meta.base.items() if name not in CLEARED)


@hypothesis.given(
    now=strategies.dictionaries(strategies.sampled_from("abcd"), unicode_texts, max_size=4),
    given=strategies.dictionaries(strategies.sampled_from("abcd"), unicode_texts, max_size=4),
    purge=strategies.booleans(),
)
def test_update_results_in_requested_properties(
    now: dict[str, str], given: dict[str, str], purge: bool
) -> None:
    wanted = compute_change(parse_image_meta({"properties": given}), v2_image(**now), purge=purge)
    kept = {name: text for name, text in now.items() if name not in wanted.removed}
    after = {**kept, **wanted.properties}
    assert after == (given if purge else now | given)
    assert not any(now.get(name) == text for name, text in wanted.properties.items())
