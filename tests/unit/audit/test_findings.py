# SPDX-License-Identifier: Apache-2.0
"""Each kind of finding: images that have it, and similar images that do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glance_compat import exceptions
from glance_compat.audit.detectors import INSPECTED_CHARACTERS, count_v1_headers
from glance_compat.audit.findings import examine_image
from glance_compat.audit.kinds import KINDS, KINDS_BY_NAME, SEVERITIES, TARGET_APIS, Kind
from glance_compat.audit.records import ImageRecords
from glance_compat.metadata import changes, v1_limits
from glance_compat.metadata.fields import V1_PROPERTY
from glance_compat.metadata.property_names import is_reserved
from tests.cases import in_one_test

Json = dict[str, Any]

IMAGE_ID = "70a599e0-31e7-49b7-b260-868f441e862b"

#: An image without findings, as Glance 15.0.2 lists it.
V1: Json = {
    "id": IMAGE_ID,
    "name": "plain",
    "status": "active",
    "size": 3,
    "checksum": "900150983cd24fb0d6963f7d28e17f72",
    "container_format": "bare",
    "disk_format": "raw",
    "min_disk": 0,
    "min_ram": 0,
    "owner": "a-project",
    "is_public": False,
    "protected": False,
    "deleted": False,
    "deleted_at": None,
    "virtual_size": None,
    "created_at": "2026-11-22T15:48:37.652621",
    "updated_at": "2026-11-22T15:48:37.652621",
    "properties": {"os_type": "linux"},
}
V2: Json = {
    **{key: V1[key] for key in ("id", "name", "status", "size", "checksum", "owner")},
    **{key: V1[key] for key in ("container_format", "disk_format", "min_disk", "min_ram")},
    "protected": False,
    "virtual_size": None,
    "visibility": "shared",
    "tags": [],
    "created_at": "2026-11-22T15:48:37Z",
    "updated_at": "2026-11-22T15:48:37Z",
    "self": f"/v2/images/{IMAGE_ID}",
    "file": f"/v2/images/{IMAGE_ID}/file",
    "schema": "/v2/schemas/image",
    "os_type": "linux",
}
#: Additional attributes of Glance 33.
V33: Json = {
    **V2,
    "os_hidden": False,
    "os_hash_algo": "sha512",
    "os_hash_value": "0" * 128,
    "stores": "fast",
}


def on_v1(**changed: Any) -> Json:
    return {**V1, **changed}


def with_v1(properties: Mapping[str, Any]) -> Json:
    return {**V1, "properties": dict(properties)}


def on_v2(changed: Mapping[str, Any] | None = None, **more: Any) -> Json:
    return {**V2, **(changed or {}), **more}


def on_33(**changed: Any) -> Json:
    return {**V33, **changed}


def without(record: Json, *keys: str) -> Json:
    return {key: value for key, value in record.items() if key not in keys}


@dataclasses.dataclass(frozen=True)
class Case:
    """An image in the list of one or both APIs.

    :param subjects: the expected subjects of the kind's findings.
    """

    kind: str
    v1: Json | None = None
    v2: Json | None = None
    subjects: tuple[str, ...] = ()


def has(kind: str, *subjects: str, v1: Json | None = None, v2: Json | None = None) -> Case:
    return Case(kind, v1, v2, subjects or ("image",))


def almost(kind: str, v1: Json | None = None, v2: Json | None = None) -> Case:
    return Case(kind, v1, v2)


#: Names whose total length is one character below the limit of a property header.
_ROOM = v1_limits.V1_LINE_BYTES - len(V1_PROPERTY) - len("p: \r\n")
_MANY = {f"p{number:03}": "x" for number in range(100)}

CASES = (
    has(
        "shadowed-property",
        "property owner",
        "property status",
        v1=with_v1({"status": "mine", "owner": "me"}),
        v2=V2,
    ),
    has("shadowed-property", "property schema", v1=with_v1({"schema": None})),
    almost("shadowed-property", v1=with_v1({"Status": "x", "owner_id": "x"}), v2=V2),
    almost("shadowed-property", v2=V2),
    has(
        "spoofed-attribute",
        "property direct_url",
        "property locations",
        v1=with_v1({"direct_url": "file:///etc/shadow", "locations": "bogus"}),
        v2=on_v2(direct_url="file:///etc/shadow", locations="bogus"),
    ),
    has("spoofed-attribute", "property os_hidden", v2=on_v2(os_hidden="true")),
    has("spoofed-attribute", "property locations", v2=on_v2(locations="bogus")),
    almost("spoofed-attribute", v1=V1, v2=on_v2(direct_url="file:///x", locations=[])),
    almost("spoofed-attribute", v2=on_33(os_hidden=True, locations=[])),
    has("line-break", "name", v1=on_v1(name="a\nb")),
    has("line-break", "property p", "property q", v2=on_v2(p="a\r\nX-Y: z", q="\0")),
    almost("line-break", v1=on_v1(name="a\tb\x0b\x1b\x85\u2028c")),
    has("invalid-header-name", "property os:type", v1=with_v1({"os:type": "x"})),
    has("invalid-header-name", "property a b", "property ", v2=on_v2({"a b": "", "": ""})),
    has("invalid-header-name", "property a/b", "property é", v2=on_v2({"a/b": "", "é": ""})),
    almost("invalid-header-name", v2=on_v2({"a~b": "", "a.b": "", "A-b": "", "a^b|c": ""})),
    has("folding-names", "property foo_bar", v1=with_v1({"foo-bar": "1", "Foo_Bar": "2"})),
    almost("folding-names", v1=with_v1({"foo-bar": "1", "foo.bar": "2"})),
    almost("folding-names", v1=with_v1({"foo bar": "1", "Foo bar": "2"})),
    has("folds-to-reserved", "property Owner", v1=with_v1({"Owner": "1"})),
    has("folds-to-reserved", "property min-disk", v2=on_v2({"min-disk": "1"})),
    almost("folds-to-reserved", v1=with_v1({"owner": "1", "Owner-Id": "1"})),
    has("too-many-headers", v1=with_v1(_MANY)),
    has("too-many-headers", v2=on_v2(_MANY)),
    almost("too-many-headers", v1=with_v1(dict.fromkeys(_MANY))),
    has("too-many-headers", v1=with_v1(dict(list(_MANY.items())[:79]))),
    almost("too-many-headers", v1=with_v1(dict(list(_MANY.items())[:78]))),
    has("too-long-value", "property p", v1=with_v1({"p": "x" * (_ROOM + 1)})),
    has("too-long-value", "property p", v2=on_v2(p="é" * (_ROOM // 2 + 1))),
    almost("too-long-value", v1=with_v1({"p": "x" * _ROOM})),
    has("too-large-metadata", v1=with_v1({f"p{one}": "x" * 15000 for one in range(4)})),
    almost("too-large-metadata", v1=with_v1({f"p{one}": "x" * 15000 for one in range(3)})),
    has("lone-surrogate", "name", v1=on_v1(name="half \ud83d")),
    almost("lone-surrogate", v1=on_v1(name="whole \U0001f600")),
    has("percent-encoded", "name", v1=on_v1(name="my%20image")),
    has("percent-encoded", "property p", v2=on_v2(p="caf%C3%A9")),
    almost("percent-encoded", v1=on_v1(name="100% of my%20image")),
    has("percent-encoded-property-name", "property my%20key", v1=with_v1({"my%20key": "x"})),
    almost("percent-encoded-property-name", v1=with_v1({"My%20Key": "x", "a%zz": "x"})),
    has("reserved-property", "property is_public", v1=with_v1({"is_public": "True"})),
    has("reserved-property", "property location", v2=on_v2(location="file:///x")),
    almost("reserved-property", v1=with_v1({"owner": "x", "os_glance_x": "x", "uris": "x"})),
    has("non-uuid-id", v1=on_v1(id="70a599e031e749b7b260868f441e862b")),
    almost("non-uuid-id", v1=on_v1(id=IMAGE_ID.upper())),
    has("missing-formats", v1=on_v1(disk_format=None)),
    has("missing-formats", v2=on_v2(container_format=None, status="deactivated")),
    almost("missing-formats", v1=on_v1(disk_format=None, container_format=None, status="queued")),
    has("deleted-image", v1=on_v1(deleted=True, status="deleted")),
    has("deleted-image", v1=on_v1(deleted=True, status="pending_delete")),
    almost("deleted-image", v1=on_v1(status="killed")),
    almost("deleted-image", v1=on_v1(status="deleted")),
    has("half-deleted-image", v1=on_v1(status="deleted"), v2=on_v2(status="deleted")),
    has("half-deleted-image", v2=on_v2(status="pending_delete")),
    almost("half-deleted-image", v1=on_v1(deleted=True, status="deleted")),
    has("long-property-name", f"property {'n' * 256}", v1=with_v1({"n" * 256: "x"})),
    almost("long-property-name", v1=with_v1({"n" * 255: "x"})),
    has("folded-name", "property Vendor-Key", v2=on_v2({"Vendor-Key": "x"})),
    almost("folded-name", v2=on_v2({"vendor_key": "x", "Owner": "x", "a B": "x"})),
    almost("folded-name", v2=on_v2({"Vendor-Key": "x", "vendor_key": "y"})),
    has("outer-whitespace", "name", "property p", v2=on_v2(name=" a", p="a\t")),
    almost("outer-whitespace", v2=on_v2(name="a b", p="", q="a\n")),
    has("empty-name", "name", v2=on_v2(name="")),
    almost("empty-name", v2=on_v2(name=" ")),
    has("community-image", v1=V1, v2=on_v2(visibility="community")),
    almost("community-image", v1=V1, v2=on_v2(visibility="public")),
    has("hidden-image", v2=on_33(os_hidden=True)),
    almost("hidden-image", v2=on_v2(os_hidden="true")),
    has("tags", v1=V1, v2=on_v2(tags=["b", "a"])),
    almost("tags", v1=with_v1({"tags": "a"}), v2=on_v2(tags=[])),
    has("deactivated-image", v1=on_v1(status="deactivated")),
    almost("deactivated-image", v1=on_v1(status="killed")),
    has("null-property", "property p", v1=with_v1({"p": None})),
    has("null-property", "property p", v2=on_v2(p=None)),
    almost("null-property", v1=with_v1({"p": ""})),
    has("no-name", "name", v1=on_v1(name=None)),
    almost("no-name", v1=on_v1(name="")),
    has("none-string", "name", "property p", v1={**with_v1({"p": "None"}), "name": "None"}),
    almost("none-string", v1={**with_v1({"p": "none"}), "name": None}),
    has("no-checksum", v1=on_v1(checksum=None)),
    has("no-checksum", v2=on_v2(checksum=None, os_hash_value="planted")),
    almost("no-checksum", v2=on_33(checksum=None)),
    almost("no-checksum", v1=on_v1(checksum=None, size=0)),
    almost("no-checksum", v1=on_v1(checksum=None, status="queued")),
    has("image-without-data", v1=on_v1(checksum=None, size=0)),
    has("image-without-data", v2=on_v2(checksum=None, size=None)),
    almost("image-without-data", v1=on_v1(checksum="d41d8cd98f00b204e9800998ecf8427e", size=0)),
    almost("image-without-data", v1=on_v1(checksum=None, size=0, status="queued")),
    has("declared-size", v1=on_v1(status="queued")),
    almost("declared-size", v1=on_v1(status="queued", size=0)),
    almost("declared-size", v2=on_v2(status="queued", size=None)),
    has("killed-image", v1=on_v1(status="killed")),
    almost("killed-image", v1=on_v1(status="saving")),
    has("private-image", v1=V1, v2=on_v2(visibility="private")),
    almost("private-image", v1=on_v1(visibility="private"), v2=on_v2(visibility="shared")),
    has("import-status", v2=on_33(status="importing")),
    has("import-status", v2=on_33(status="uploading")),
    almost("import-status", v2=on_33(status="saving")),
    has("multiple-stores", v2=on_33(stores="fast,slow")),
    almost("multiple-stores", v2=on_33(stores="fast")),
    almost("multiple-stores", v2=on_v2(stores="fast,slow")),
    has("multiple-locations", v2=on_v2(locations=[{"url": "a"}, {"url": "b"}])),
    almost("multiple-locations", v2=on_v2(locations=[{"url": "a"}])),
    almost("multiple-locations", v2=on_v2(locations="ab")),
    has("server-owned-property", "property os_glance_x", v2=on_33(os_glance_x="")),
    almost("server-owned-property", v2=on_33(os_glanced="", my_os_glance_x="")),
    has("no-owner", v1=on_v1(owner=None)),
    almost("no-owner", v1=on_v1(owner="")),
    has("unreadable-image", v1=on_v1(name=["a"])),
    has("unreadable-image", v1=on_v1(properties=[])),
    has("unreadable-image", v1=with_v1({"p": 1, "q": "x"})),
    has("unreadable-image", v2=on_v2(name=1)),
    has("partly-inspected", "name", v1=on_v1(name="x" * (INSPECTED_CHARACTERS + 1))),
    almost("partly-inspected", v1=on_v1(name="x" * INSPECTED_CHARACTERS)),
    almost("unreadable-image", v1=on_v1(name=None, properties={}), v2=on_v2(p=["x"], q=1)),
)


@in_one_test(
    "case",
    CASES,
    ids=lambda case: f"{case.kind}-{'is' if case.subjects else 'is not'}",
)
def test_each_kind_is_detected(case: Case) -> None:
    found = examine_image(case.v1, case.v2, [KINDS_BY_NAME[case.kind]])
    assert tuple(one.match.subject for one in found) == case.subjects


def test_each_kind_has_positive_and_negative_cases() -> None:
    told = {kind.name for kind in KINDS if kind.detect}
    assert {case.kind for case in CASES if case.subjects} == told
    assert {case.kind for case in CASES if not case.subjects} == told


@pytest.mark.parametrize(("v1", "v2"), [(V1, V2), (V1, None), (None, V2), (None, V33)])
def test_plain_record_has_no_findings(v1: Json | None, v2: Json | None) -> None:
    assert list(examine_image(v1, v2)) == []


def test_two_records_reveal_more_findings() -> None:
    v1 = with_v1({"status": "mine", "p": None})
    v2 = on_v2(p="", tags=["a"], visibility="private")
    kinds = {one.kind.name for one in examine_image(v1, v2)}
    assert kinds == {"shadowed-property", "null-property", "tags", "private-image"}
    assert {one.kind.name for one in examine_image(v1, None)} == {
        *("shadowed-property", "null-property")
    }
    assert {one.kind.name for one in examine_image(None, v2)} == {"tags", "private-image"}


def test_finding_has_image_and_decoding() -> None:
    [found] = examine_image(on_v1(name="my%20image"), None)
    assert (found.image_id, found.name, found.owner) == (IMAGE_ID, "my%20image", "a-project")
    assert found.match.value == "my%20image"
    assert found.match.decoding is not None
    assert found.match.decoding.text == "my image"
    assert found.match.details.startswith(
        "'my%20image' was probably 'my image' (high confidence: "
    )


@in_one_test("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_declared_completely(kind: Kind) -> None:
    assert kind.severity in SEVERITIES
    assert kind.target_apis
    assert set(kind.target_apis) <= set(TARGET_APIS)
    for sentence in (kind.meaning, kind.to_do):
        assert sentence.endswith(".")
        assert sentence == " ".join(sentence.split())


def test_kind_names_are_unique() -> None:
    assert len(KINDS_BY_NAME) == len(KINDS)


@pytest.mark.parametrize(
    ("properties", "headers"), [({}, 21), ({"a": "b"}, 22), ({"a": None}, 21)]
)
def test_header_count_matches_headers_of_glance_15_0_2(properties: Json, headers: int) -> None:
    # Verified: 21 headers besides the properties, with data, an owner, a name and formats.
    assert count_v1_headers(ImageRecords(with_v1(properties), None)) == headers
    queued = without(on_v2(status="queued", size=None, checksum=None, **properties), "os_type")
    assert count_v1_headers(ImageRecords(None, queued)) == headers - 3


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None), max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(sorted(V1)) | st.text(max_size=5), VALUES, max_size=8),
    st.dictionaries(st.sampled_from(sorted(V33)) | st.text(max_size=5), VALUES, max_size=8),
    st.sampled_from(["v1", "v2", "both"]),
)
def test_any_record_can_be_examined(v1: Json, v2: Json, which: str) -> None:
    one = {**V1, **v1, "id": "x"} if which != "v2" else None
    other = {**V33, **v2, "id": "x"} if which != "v1" else None
    for finding in examine_image(one, other):
        assert finding.image_id == "x"
        assert isinstance(finding.match.details, str)


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=4))
def test_audit_and_library_agree_on_v1_limits(properties: dict[str, str]) -> None:
    """The audit and the library agree on what v1 cannot carry."""
    stored = {name: text for name, text in properties.items() if not is_reserved(name)}
    found = {
        one.kind.name
        for one in examine_image(with_v1(stored), None)
        if one.kind.name in KINDS_BY_NAME and "v1" in one.kind.target_apis
    }
    try:
        changes.check_v1_limits(changes.ImageMeta({}, stored), folding=False)
    except exceptions.PropertyNotAllowed:
        assert found
    else:
        assert found == set()
