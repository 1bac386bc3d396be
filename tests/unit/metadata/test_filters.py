# SPDX-License-Identifier: Apache-2.0
"""The query parameters of each filter in both APIs, and filtering by the library."""

from __future__ import annotations

import copy
import datetime
import enum
import typing

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.exceptions import Invalid, UnsupportedByVersion
from glance_compat.fixture.glance.releases import RELEASES
from glance_compat.metadata import fields, filters
from glance_compat.metadata.filters import Query, ServerQuery, parse_query, sort_images
from glance_compat.metadata.image_records import from_v1, from_v2
from tests.cases import in_one_test

UTC = datetime.timezone.utc
EASTERN = datetime.timezone(datetime.timedelta(hours=2))
PIKE, NEW = (2, 5), (2, 17)

#: The parameters of every list: all images that the caller may see, newest first.
V1_ALL = [("is_public", "none"), ("sort_key", "created_at"), ("sort_dir", "desc")]
V2_ALL = [("member_status", "all"), ("sort", "created_at:desc")]
V1_SORT, V2_SORT = V1_ALL[1:], V2_ALL[1:]

TIME = "2026-11-22T15:48:37Z"


class Firmware(str, enum.Enum):
    UEFI = "uefi"


class Case(typing.NamedTuple):
    """One filter: its value, and the expected parameters in each API.

    :param v1: the parameters, or None if the API does not have the filter.
    :param exact: for v1 and v2, whether the server filters exactly.
    """

    name: str
    value: object
    v1: list[tuple[str, str]] | None
    v2: list[tuple[str, str]] | None
    exact: tuple[bool, bool]
    version: tuple[int, int] = PIKE


def both(name: str, value: object, text: str, exact: bool = True) -> Case:
    return Case(name, value, [(name, text)], [(name, text)], (exact, exact))


def v2_alone(name: str, value: object, text: str) -> Case:
    """Return a filter that v1 ignores, so that the library filters."""
    return Case(name, value, [], [(name, text)], (False, True))


def v2_time(name: str, value: str, sent: str | None) -> Case:
    return Case(name, value, [], [] if sent is None else [(name, sent)], (False, False))


CASES = [
    both("name", "cirros", "eq:cirros"),
    both("name", "in:a,b", "eq:in:a,b"),
    both("name", 'c,d "é"', 'eq:c,d "é"'),
    both("name", "", "eq:"),
    both("status", "active", "eq:active"),
    both("disk_format", "raw", "eq:raw"),
    both("container_format", "bare", "eq:bare"),
    v2_alone("id", "8f6a", "eq:8f6a"),
    v2_alone("owner", "5c0ffee", "5c0ffee"),
    v2_alone("checksum", "ab", "ab"),
    v2_alone("size", "5", "5"),
    Case("size", 0, [], [], (False, False)),
    both("size_min", 5, "5"),
    both("size_max", "5", "5"),
    both("min_disk", 1, "1"),
    both("min_ram", 0, "0"),
    Case("protected", "yes", [("protected", "True")], [("protected", "true")], (True, True)),
    Case("protected", False, [("protected", "False")], [("protected", "false")], (True, True)),
    Case("is_public", True, [("is_public", "True")], [("visibility", "public")], (False, True)),
    Case("is_public", "no", [("is_public", "False")], [], (False, False)),
    Case(
        "visibility",
        "public",
        [("is_public", "True")],
        [("visibility", "public")],
        (False, True),
    ),
    *(
        Case("visibility", visibility, None, [("visibility", visibility)], (False, True))
        for visibility in ("private", "shared", "community")
    ),
    Case(
        "changes-since",
        TIME,
        [("changes-since", TIME)],
        [("updated_at", f"gt:{TIME}")],
        (True,) * 2,
    ),
    *(
        Case(
            "changes-since",
            when,
            [("changes-since", TIME)],
            [("updated_at", f"gt:{TIME}")],
            (True,) * 2,
        )
        for when in (
            "2026-11-22T15:48:37",
            "2026-11-22T17:48:37.500000+02:00",
            datetime.datetime(2026, 11, 22, 15, 48, 37, 500_000),  # noqa: DTZ001 - read as UTC
            datetime.datetime(2026, 11, 22, 15, 48, 37, 500_000, tzinfo=UTC),
            datetime.datetime(2026, 11, 22, 17, 48, 37, tzinfo=EASTERN),
        )
    ),
    v2_time("created_at", f"gt:{TIME}", f"gte:{TIME}"),
    v2_time("created_at", f"gte:{TIME}", f"gte:{TIME}"),
    v2_time("updated_at", f"eq:{TIME}", f"gte:{TIME}"),
    v2_time("updated_at", f"lt:{TIME}", "lte:2026-11-22T15:48:38Z"),
    v2_time("updated_at", f"lte:{TIME}", "lte:2026-11-22T15:48:38Z"),
    v2_time("updated_at", f"neq:{TIME}", None),
    v2_time("updated_at", "gte:2026-11-22T16:48:37.999999+01:00", f"gte:{TIME}"),
    v2_time("updated_at", "gte:0001-01-01T00:00:00Z", "gte:0001-01-01T00:00:00Z"),
    v2_time("updated_at", "lte:9999-12-31T23:59:59Z", None),
    v2_time("updated_at", "lt:9999-12-31T23:59:59Z", None),
    Case("tag", "a", None, [("tag", "a")], (False, True)),
    Case("tag", [], [], [], (True, True)),
    Case("tag", ["b", "a"], None, [("tag", "b"), ("tag", "a")], (False, True)),
    Case("member_status", "all", [], [("member_status", "all")], (True, True)),
    *(
        Case("member_status", status, None, [("member_status", status)], (False, True))
        for status in ("accepted", "pending", "rejected")
    ),
    Case("os_hidden", False, [], [], (True, True)),
    Case("os_hidden", True, None, None, (True, True)),
    Case("os_hidden", True, None, [("os_hidden", "true")], (True, True), NEW),
    Case("os_hidden", "off", [], [("os_hidden", "false")], (True, True), NEW),
    Case("deleted", False, [], [], (True, True)),
    Case("deleted", True, None, None, (True, True), NEW),
]
IDS = [f"{case.name}={case.value}" for case in CASES]


def test_every_filter_has_a_case() -> None:
    assert {case.name for case in CASES} == {row.name for row in filters.FILTERS}


@in_one_test("case", CASES, ids=IDS)
def test_filter_is_sent_over_v1(case: Case) -> None:
    query = parse_query({case.name: case.value})
    if case.v1 is None:
        with pytest.raises(UnsupportedByVersion, match=case.name):
            filters.to_v1_query(query)
        return
    public = [] if any(name == "is_public" for name, _ in case.v1) else V1_ALL[:1]
    assert filters.to_v1_query(query) == ServerQuery([*case.v1, *public, *V1_SORT], case.exact[0])


@in_one_test("case", CASES, ids=IDS)
def test_filter_is_sent_over_v2(case: Case) -> None:
    query = parse_query({case.name: case.value})
    if case.v2 is None:
        with pytest.raises(UnsupportedByVersion, match=f"{case.name}.*v2.{case.version[1]}"):
            filters.to_v2_query(query, case.version)
        return
    status = [] if case.name == "member_status" else V2_ALL[:1]
    assert filters.to_v2_query(query, case.version) == ServerQuery(
        [*case.v2, *status, *V2_SORT], case.exact[1]
    )


@pytest.mark.parametrize("nothing", [None, {}, {"name": None, "property-a": None, "bogus": None}])
def test_empty_filters_select_all_visible_images(
    nothing: dict[str, object] | None,
) -> None:
    query = parse_query(nothing)
    assert filters.to_v1_query(query) == ServerQuery(V1_ALL, exact=True)
    assert filters.to_v2_query(query, PIKE) == ServerQuery(V2_ALL, exact=True)
    assert query.matches(from_v2({"id": "i"}))


def test_filters_are_sent_together() -> None:
    query = parse_query({"name": "a", "owner": "b", "is_public": False, "property-c": "d"})
    assert filters.to_v1_query(query) == ServerQuery(
        [("name", "eq:a"), ("is_public", "False"), ("property-c", "d"), *V1_SORT], exact=False
    )
    assert filters.to_v2_query(query, PIKE) == ServerQuery(
        [("name", "eq:a"), ("owner", "b"), ("member_status", "all"), ("c", "d"), *V2_SORT],
        exact=False,
    )


def test_queries_do_not_share_parameter_lists() -> None:
    query = parse_query({"deleted": False, "os_hidden": False})
    filters.to_v1_query(query).params.append(("limit", "1"))
    filters.to_v2_query(query, PIKE).params.append(("limit", "1"))
    assert filters.to_v1_query(query).params == V1_ALL
    assert filters.to_v2_query(query, PIKE).params == V2_ALL


# ---------------------------------------------------------------------------------------------
# Invalid filters.


def each(names: str, *values: object) -> list[tuple[str, object]]:
    return [(name, value) for name in names.split() for value in values]


WRONG = [
    *each("name status id owner", 1, b"a", ["a"]),
    *each("name tag checksum", "\ud800"),
    # Glance takes some of these; as one value they match nothing.
    *each("status id disk_format container_format", "in:queued,active", "neq:raw", "eq:a"),
    *each("owner checksum", "in:a,b", "gt:a", "lte:a"),
    *each("name disk_format container_format checksum", ["a", "b"], ("a",), {"a"}),
    *each("status", "ACTIVE", "x", "", "active "),
    *each("size size_min size_max", -1, "x", 1.5, ""),
    *each("min_disk min_ram", -1, True, []),
    *each("protected is_public deleted", "", "x", 2),
    ("visibility", "all"),
    ("visibility", ["public"]),
    ("member_status", "bogus"),
    ("changes-since", "yesterday"),
    ("changes-since", 5),
    ("created_at", TIME),
    ("created_at", f"in:{TIME}"),
    ("updated_at", "gt:"),
    ("updated_at", "gt"),
    ("updated_at", 5),
    ("tag", 5),
    ("tag", [5]),
    ("tag", {"a": "b"}),
    ("os_hidden", "maybe"),
]


@in_one_test(("name", "value"), WRONG)
def test_error_names_invalid_filter(name: str, value: object) -> None:
    with pytest.raises(Invalid, match=f"filter {name} must be"):
        parse_query({name: value})


def test_error_lists_the_statuses() -> None:
    with pytest.raises(Invalid) as caught:
        parse_query({"status": "in:queued,active"})
    assert str(caught.value) == (
        "filter status must be one of queued, saving, uploading, importing, active, deactivated,"
        " killed, pending_delete, deleted, not 'in:queued,active'"
    )


def test_every_status_of_the_servers_is_a_filter() -> None:
    for release in RELEASES.values():
        for status in release.image_statuses:
            assert parse_query({"status": status}).filters == {"status": status}


def test_error_says_how_to_list_several_values() -> None:
    with pytest.raises(Invalid, match="without an operator; list once for each value, not 'in:a'"):
        parse_query({"disk_format": "in:a"})
    with pytest.raises(Invalid, match=r"filter property-os_type must be one value, not \['a', 'b"):
        parse_query({"property-os_type": ["a", "b"]})


@pytest.mark.parametrize("value", [["a"], ("a", "b"), {"a"}, frozenset("a"), {"a": "b"}, []])
def test_several_property_values_are_refused(value: object) -> None:
    with pytest.raises(Invalid, match="filter property-a must be one value"):
        parse_query({"property-a": value})


@pytest.mark.parametrize("name", ["name", "size", "is_public", "changes-since", "tag"])
def test_unprintably_long_number_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match=f"filter {name} must be"):
        parse_query({name: 10**5000})


@pytest.mark.parametrize(
    "name", ["bogus", "Name", "property_x", "Property-x", "properties", "sort", "limit", "", 5]
)
def test_unknown_filter_is_refused(name: object) -> None:
    with pytest.raises(Invalid, match="unknown filter"):
        parse_query(typing.cast("dict[str, object]", {name: "x"}))


@pytest.mark.parametrize("given", [[], "name", 5, [("name", "x")]])
def test_filters_must_be_a_dict(given: typing.Any) -> None:
    with pytest.raises(Invalid, match="dict"):
        parse_query(given)


def test_arguments_are_not_modified() -> None:
    given: dict[str, object] = {"tag": ["b", "a"], "property-a": 1, "size": "5", "name": None}
    keys, directions = ["name", "size"], ["asc", "desc"]
    before = copy.deepcopy((given, keys, directions))
    query = parse_query(given, keys, directions)
    filters.to_v2_query(query, PIKE)
    query.matches(from_v2({"id": "i"}))
    assert (given, keys, directions) == before


# ---------------------------------------------------------------------------------------------
# Properties.


@pytest.mark.parametrize(
    "name", ["os_type", "type", "owner_id", "property-x", "Kind", "prop", "ramdisk_id", "a b"]
)
def test_property_filter_loses_only_its_prefix(name: str) -> None:
    query = parse_query({f"property-{name}": "x"})
    assert query.properties == {name: "x"}
    assert (f"property-{name}", "x") in filters.to_v1_query(query).params
    assert (name, "x") in filters.to_v2_query(query, PIKE).params


@pytest.mark.parametrize(
    ("value", "text"), [(1, "1"), (True, "True"), ("a:b,c", "a:b,c"), (" a ", " a "), (1.5, "1.5")]
)
def test_property_filter_is_sent_as_stored(value: object, text: str) -> None:
    query = parse_query({"property-a": value})
    assert ("property-a", text) in filters.to_v1_query(query).params
    assert ("a", text) in filters.to_v2_query(query, PIKE).params
    assert filters.to_v1_query(query).exact
    assert filters.to_v2_query(query, PIKE).exact
    assert query.matches(from_v1({"id": "i", "properties": {"a": text}}))
    assert not query.matches(from_v1({"id": "i", "properties": {"a": text + "x"}}))


@pytest.mark.parametrize(
    "value", ["\ud800", b"x", bytearray(b"x"), pytest.param(10**5000, id="n")]
)
def test_impossible_property_value_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match="property 'a'"):
        parse_query({"property-a": value})


def test_impossible_property_name_is_refused() -> None:
    with pytest.raises(Invalid, match="surrogates"):
        parse_query({"property-\ud800": "x"})


def test_str_enum_filter_is_sent_as_its_value() -> None:
    query = parse_query({"property-a": Firmware.UEFI, "name": Firmware.UEFI})
    assert query.properties == {"a": "uefi"}
    assert ("name", "eq:uefi") in filters.to_v1_query(query).params
    assert ("a", "uefi") in filters.to_v2_query(query, PIKE).params


@pytest.mark.parametrize("name", ["block_device_mapping", "mappings"])
def test_structure_filter_accepts_string_or_value(name: str) -> None:
    stored = '[{"device_name":"vda"}]'
    found = from_v2({"id": "i", name: stored})
    for given in (stored, found["properties"][name], '[{"device_name": "vda"}]'):
        query = parse_query({f"property-{name}": given})
        # Servers compare strings, and a structure has many JSON representations.
        assert filters.to_v1_query(query) == ServerQuery(V1_ALL, exact=False)
        assert filters.to_v2_query(query, PIKE) == ServerQuery(V2_ALL, exact=False)
        assert query.matches(found)
        assert query.matches(from_v1({"id": "i", "properties": {name: stored}}))
    for other in ('[{"device_name": "vdb"}]', "[]", "vda", ""):
        assert not parse_query({f"property-{name}": other}).matches(found)


def test_undecodable_structure_is_matched_as_string() -> None:
    query = parse_query({"property-mappings": "[1"})
    assert query.matches(from_v2({"id": "i", "mappings": "[1"}))
    assert not query.matches(from_v2({"id": "i", "mappings": "[1]"}))


def test_library_filters_by_empty_property() -> None:
    query = parse_query({"property-a": ""})
    assert filters.to_v1_query(query) == ServerQuery(V1_ALL, exact=False)
    assert filters.to_v2_query(query, PIKE) == ServerQuery(V2_ALL, exact=False)
    assert query.matches(from_v1({"id": "i", "properties": {"a": None}}))
    assert query.matches(from_v2({"id": "i", "a": ""}))
    assert not query.matches(from_v2({"id": "i"}))
    assert not query.matches(from_v2({"id": "i", "a": "x"}))


@in_one_test(
    "name",
    [
        *("owner", "status", "visibility", "tags", "self", "os_hidden", "stores", "direct_url"),
        *("limit", "marker", "sort", "sort_key", "sort_dir", "tag", "member_status", "size_min"),
        *("changes-since", "properties", "deleted", "is_public"),
    ],
)
def test_property_filter_never_sets_v2_query_parameter(name: str) -> None:
    query = parse_query({f"property-{name}": "x"})
    assert filters.to_v2_query(query, NEW) == ServerQuery(V2_ALL, exact=False)
    assert not query.matches(from_v2({"id": "i"}))
    v1 = from_v1({"id": "i", "properties": {name: "x"}})
    assert query.matches(v1) == (name in v1["properties"])


# ---------------------------------------------------------------------------------------------
# Filtering by the library.

IMAGE: dict[str, object] = {
    "id": "8f6a",
    "name": "cirros",
    "status": "active",
    "disk_format": "raw",
    "container_format": "bare",
    "owner": "5c0ffee",
    "checksum": "ab",
    "size": 5,
    "min_disk": 1,
    "min_ram": 64,
    "protected": True,
    "created_at": TIME,
    "updated_at": TIME,
}


def images(visibility: str = "shared", **given: object) -> list[fields.Image]:
    """Return an image as read over v1, and over v2."""
    return [
        from_v1({**IMAGE, "is_public": visibility == "public", **given}),
        from_v2({**IMAGE, "visibility": visibility, **given}),
    ]


@in_one_test(
    ("name", "value", "other"),
    [
        ("name", "cirros", "Cirros"),
        ("status", "active", "queued"),
        ("disk_format", "raw", "qcow2"),
        ("container_format", "bare", "ovf"),
        ("id", "8f6a", "8f6b"),
        ("owner", "5c0ffee", "other"),
        ("checksum", "ab", "cd"),
        ("size", 5, 6),
        ("size_min", 5, 6),
        ("size_max", 5, 4),
        ("min_disk", 1, 0),
        ("min_ram", 64, 65),
        ("protected", True, False),
        ("is_public", False, True),
        ("created_at", f"eq:{TIME}", f"neq:{TIME}"),
        ("created_at", f"gte:{TIME}", f"gt:{TIME}"),
        ("updated_at", f"lte:{TIME}", f"lt:{TIME}"),
        ("updated_at", "gt:2026-11-22T15:48:36Z", "gt:2026-11-22T15:48:38Z"),
        ("updated_at", "lt:2026-11-22T15:48:38Z", "lt:2026-11-22T15:48:36Z"),
    ],
)
def test_library_matches_filter(name: str, value: object, other: object) -> None:
    for found in images():
        assert parse_query({name: value}).matches(found)
        assert not parse_query({name: other}).matches(found)
        assert not parse_query({name: value, "name": "x"}).matches(found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("owner", "x"), ("checksum", "x"), ("name", "x")),
        *(("created_at", f"neq:{TIME}"), ("updated_at", f"lt:{TIME}")),
    ],
)
def test_filter_does_not_match_missing_value(name: str, value: str) -> None:
    assert not parse_query({name: value}).matches(from_v2({"id": "i"}))


def test_deleted_filter_excludes_images_listed_by_v1() -> None:
    gone = from_v1({**IMAGE, "deleted": True, "deleted_at": TIME})
    since: dict[str, object] = {"changes-since": TIME}
    assert parse_query(since).matches(gone)
    assert not parse_query({**since, "deleted": False}).matches(gone)
    assert all(parse_query({**since, "deleted": False}).matches(found) for found in images())


def test_unknown_size_matches_size_0() -> None:
    for found in images(size=None):
        assert parse_query({"size": 0}).matches(found)
        assert not parse_query({"size": 1}).matches(found)


def test_is_public_and_visibility_public_match_the_same_images() -> None:
    for word in ({"is_public": True}, {"visibility": "public"}):
        assert all(parse_query(word).matches(found) for found in images("public"))
        assert not any(parse_query(word).matches(found) for found in images("shared"))


@pytest.mark.parametrize("visibility", ["private", "shared", "community"])
def test_visibility_filter_matches_only_that_visibility(visibility: str) -> None:
    query = parse_query({"visibility": visibility})
    for other in ("public", "private", "shared", "community"):
        assert query.matches(images(other)[1]) == (other == visibility)


@hypothesis.given(
    operator=strategies.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"]),
    when=strategies.integers(-3, 3),
    micro=strategies.integers(0, 999_999),
)
def test_server_query_includes_every_matching_image(operator: str, when: int, micro: int) -> None:
    base = datetime.datetime(2026, 11, 22, 15, 48, 37, tzinfo=UTC)
    stored = base + datetime.timedelta(seconds=when, microseconds=micro)
    query = parse_query({"updated_at": f"{operator}:{TIME}"})
    shown = from_v2({"id": "i", "updated_at": stored.strftime("%Y-%m-%dT%H:%M:%SZ")})
    [sent] = [
        text for name, text in filters.to_v2_query(query, PIKE).params if name == "updated_at"
    ] or ["gte:1970-01-01T00:00:00Z"]
    asked, _, time = sent.partition(":")
    limit = datetime.datetime.fromisoformat(time.replace("Z", "+00:00"))
    # The server compares stored times with microseconds.
    served = stored >= limit if asked == "gte" else stored <= limit
    assert served or not query.matches(shown)


# ---------------------------------------------------------------------------------------------
# Sort order.


@pytest.mark.parametrize(
    ("sort_key", "sort_dir", "wanted"),
    [
        (None, None, [("created_at", "desc")]),
        ("", "", [("created_at", "desc")]),
        ([], [], [("created_at", "desc")]),
        ((), (), [("created_at", "desc")]),
        ([], "asc", [("created_at", "asc")]),
        (None, "asc", [("created_at", "asc")]),
        ("name", None, [("name", "desc")]),
        (["name", "size"], "asc", [("name", "asc"), ("size", "asc")]),
        (("name", "size"), ("asc", "desc"), [("name", "asc"), ("size", "desc")]),
        (["id"], ["asc"], [("id", "asc")]),
        ("size", "asc", [("size", "asc")]),
    ],
)
def test_sort_arguments_are_normalized(
    sort_key: object, sort_dir: object, wanted: list[tuple[str, str]]
) -> None:
    query = parse_query(None, sort_key, sort_dir)
    assert list(query.sort) == wanted
    # v1 sorts by one key only, and pages sorted by size lose images, so the library sorts.
    assert query.is_sorted_locally == (len(wanted) > 1 or wanted[0][0] == "size")
    key, direction = ("created_at", "desc") if query.is_sorted_locally else wanted[0]
    assert filters.to_v2_query(query, PIKE).params == [V2_ALL[0], ("sort", f"{key}:{direction}")]
    assert filters.to_v1_query(query).params == [
        V1_ALL[0],
        ("sort_key", key),
        ("sort_dir", direction),
    ]


@in_one_test(
    ("sort_key", "sort_dir"),
    [
        ("owner", None),
        ("Name", None),
        (5, None),
        (["name", None], None),
        (["name", ["size"]], None),
        ({"name": "asc"}, None),
        ({"name"}, None),
        ("name", {"asc"}),
        ("name", "up"),
        ("name", 1),
        ("name", ["asc", "desc"]),
        (["name", "size"], ["asc", "desc", "asc"]),
        (["name", "size"], ["asc", "up"]),
        ("name,size", None),
    ],
)
def test_invalid_sort_arguments_are_refused(sort_key: object, sort_dir: object) -> None:
    with pytest.raises(Invalid, match="sort"):
        parse_query(None, sort_key, sort_dir)


def test_sort_keys_exist_on_both_apis() -> None:
    names = {"name", "status", "container_format", "disk_format", "size", "id"}
    assert names | {"created_at", "updated_at"} == filters.SORT_KEYS


def named(*names: str | None) -> list[fields.Image]:
    return [from_v2({"id": f"i{n}", "name": name}) for n, name in enumerate(names)]


def test_none_sorts_first_and_id_breaks_ties() -> None:
    given = named("b", None, "a", "b", None)
    before = copy.deepcopy(given)
    ids = [one["id"] for one in sort_images(given, [("name", "asc")])]
    assert ids == ["i1", "i4", "i2", "i0", "i3"]
    ids = [one["id"] for one in sort_images(given, [("name", "desc")])]
    assert ids == ["i3", "i0", "i2", "i4", "i1"]
    assert given == before


def test_first_sort_key_takes_precedence() -> None:
    given = [
        from_v2({"id": "1", "name": "a", "size": 2}),
        from_v2({"id": "2", "name": "b", "size": None}),
        from_v2({"id": "3", "name": "a", "size": 1}),
        from_v2({"id": "4", "name": None, "size": 9}),
    ]
    ordered = sort_images(given, [("name", "desc"), ("size", "asc")])
    assert [one["id"] for one in ordered] == ["2", "3", "1", "4"]
    ordered = sort_images(given, [("size", "asc"), ("name", "desc")])
    assert [one["id"] for one in ordered] == ["2", "3", "1", "4"]


times = strategies.none() | strategies.datetimes(
    min_value=datetime.datetime(1970, 1, 1),  # noqa: DTZ001 - the zone is given
    timezones=strategies.just(UTC),
)


@hypothesis.given(
    given=strategies.lists(
        strategies.fixed_dictionaries(
            {
                "id": strategies.text(max_size=3),
                "name": strategies.none() | strategies.text(max_size=2),
                "size": strategies.integers(0, 3),
                "created_at": times,
            }
        ),
        max_size=8,
    ),
    sort=strategies.lists(
        strategies.tuples(
            strategies.sampled_from(["id", "name", "size", "created_at"]),
            strategies.sampled_from(["asc", "desc"]),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_sorting_accepts_any_images_and_keys(
    given: list[fields.Image], sort: list[tuple[str, str]]
) -> None:
    ordered = sort_images(given, sort)
    assert sorted(map(repr, ordered)) == sorted(map(repr, given))
    assert sort_images(list(reversed(ordered)), sort) == ordered or len(
        {one["id"] for one in given}
    ) < len(given)
    key, direction = sort[0]
    column = [one[key] for one in ordered]
    column = column if direction == "asc" else column[::-1]
    present = [one for one in column if one is not None]
    assert column == [None] * (len(column) - len(present)) + sorted(present)


# ---------------------------------------------------------------------------------------------
# Pages.


@pytest.mark.parametrize(
    ("exact", "size", "left", "limit"),
    [
        (True, 10, None, 10),
        (True, 10, 3, 3),
        (True, 10, 30, 10),
        (False, 10, None, 10),
        (False, 10, 3, 10),
    ],
)
def test_page_limit_does_not_exceed_remaining_count(
    exact: bool, size: int, left: int | None, limit: int
) -> None:
    assert filters.page_limit(ServerQuery([], exact), size, left) == limit


# ---------------------------------------------------------------------------------------------
# Arbitrary filters.

names = strategies.sampled_from(
    [row.name for row in filters.FILTERS] + ["property-", "property-a"]
)
values = (
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(strategies.characters(), max_size=8)
    | strategies.sampled_from([f"gt:{TIME}", "lte:9998-12-31", "public", "all", "5", "true"])
    | strategies.lists(strategies.text(max_size=3), max_size=2)
)


@hypothesis.given(given=strategies.dictionaries(names | strategies.text(max_size=5), values))
def test_any_filters_are_parsed_or_invalid(given: dict[str, object]) -> None:
    try:
        query = parse_query(given)
    except Invalid:
        return
    assert isinstance(query, Query)
    for found in images():
        assert query.matches(found) in (True, False)
    for send in (filters.to_v1_query, lambda one: filters.to_v2_query(one, NEW)):
        try:
            sent = send(query)
        except UnsupportedByVersion:
            continue
        assert all(type(text) is str for pair in sent.params for text in pair)


# ---------------------------------------------------------------------------------------------
# Strings that a server may reject.

AWKWARD = {"name": "größe", "owner": "ü", "status": "active", "property-p": "ü", "property-q": "q"}


def test_risky_values_are_filtered_by_library() -> None:
    query = parse_query(AWKWARD)
    assert query.has_risky_values
    omits_risky_values = query.without_risky_values()
    assert not omits_risky_values.has_risky_values
    sent = [("status", "eq:active")]
    all_of_v1, *sorted_by = V1_ALL
    assert filters.to_v1_query(omits_risky_values) == ServerQuery(
        [*sent, all_of_v1, ("property-q", "q"), *sorted_by], exact=False
    )
    assert filters.to_v2_query(omits_risky_values, PIKE) == ServerQuery(
        [*sent, V2_ALL[0], ("q", "q"), *V2_SORT], exact=False
    )
    record = {"id": "i", "name": "größe", "owner": "ü", "status": "active", "p": "ü", "q": "q"}
    assert omits_risky_values.matches(from_v2(record))
    for key in ("name", "owner", "p"):
        assert not omits_risky_values.matches(from_v2({**record, key: "x"}))


@pytest.mark.parametrize(
    ("given", "awkward"),
    [
        ({}, False),
        ({"name": "x" * 255}, False),
        ({"name": "x" * 256}, True),
        ({"tag": ["a", "b"]}, False),
        ({"tag": ["x" * 200, "y" * 200]}, True),
        ({"size_min": 10**19, "created_at": "gt:2020-01-01T00:00:00Z"}, False),
    ],
)
def test_has_risky_values_detects_unsafe_values(given: dict[str, object], awkward: bool) -> None:
    assert parse_query(given).has_risky_values is awkward


def test_risky_tag_filter_is_applied_by_library() -> None:
    omits_risky_values = parse_query({"tag": ["ü", "a"]}).without_risky_values()
    assert filters.to_v2_query(omits_risky_values, PIKE) == ServerQuery(V2_ALL, exact=False)
    assert omits_risky_values.matches(from_v2({"id": "i", "tags": ["b", "a", "ü"]}))
    assert not omits_risky_values.matches(from_v2({"id": "i", "tags": ["a"]}))
    assert not omits_risky_values.matches(from_v2({"id": "i"}))


@pytest.mark.parametrize("key", ["size_min", "size_max"])
def test_numbers_are_clamped_to_database_range(key: str) -> None:
    largest = (key, str(2**63 - 1))
    for value in (2**63 - 1, 2**63, 10**19):
        query = parse_query({key: value})
        assert largest in filters.to_v1_query(query).params
        assert largest in filters.to_v2_query(query, PIKE).params
