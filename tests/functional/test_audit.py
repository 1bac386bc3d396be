# SPDX-License-Identifier: Apache-2.0
"""The audit of real servers: Glance 15.0.2 with both APIs and with one, and Glance 33.

The images are created without the library, over the API that can create them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from keystoneauth1 import exceptions as ksa_exceptions

from glance_compat.audit.detectors import count_v1_headers
from glance_compat.audit.kinds import KINDS_BY_NAME
from glance_compat.audit.records import ImageRecords
from tests.contract import targets
from tests.contract.shape import DATA
from tests.contract.targets import Target
from tests.functional.cloud import Cloud
from tests.functional.corpus.images import Entry
from tests.functional.corpus.making import make
from tests.functional.openrc import openrc
from tests.unit.cli.running import Outcome, program

pytestmark = pytest.mark.functional

Audit = Callable[..., Outcome]


class Case(NamedTuple):
    """An image, and the expected findings.

    :param by_v1: kinds that only v1's list reveals, repeated for each finding.
    :param by_v2: kinds that only v2's list reveals.
    :param by_any: kinds that either list reveals.
    """

    entry: Entry
    by_v1: tuple[str, ...] = ()
    by_v2: tuple[str, ...] = ()
    by_any: tuple[str, ...] = ()


CASES = (
    Case(Entry("plain of v1", "v1", data=DATA)),
    Case(Entry("plain of v2", data=DATA)),
    Case(
        Entry("shadowed", "v1", properties={"owner": "me", "status": "mine"}),
        by_v1=("shadowed-property", "shadowed-property"),
    ),
    Case(
        Entry("planted", "v1", properties={"direct_url": "file:///etc/shadow"}),
        by_v1=("spoofed-attribute",),
    ),
    Case(
        Entry("planted with a wrong type", "v1", properties={"os_hidden": "true"}),
        by_any=("spoofed-attribute",),
    ),
    Case(Entry("empty property", "v1", properties={"e": ""}), by_v1=("null-property",)),
    Case(
        Entry("words", "v1", properties={"is_public": "x", "location": "x"}),
        by_any=("reserved-property", "reserved-property"),
    ),
    Case(
        Entry("size 0", "v1", meta={"size": 0, "disk_format": None, "container_format": None}),
        by_any=("missing-formats", "image-without-data"),
    ),
    Case(Entry("size 5", "v1", meta={"size": 5}), by_any=("declared-size",)),
    Case(Entry("undashed", "v1", meta={"id": "(undashed)"}), by_any=("non-uuid-id",)),
    Case(Entry("no name", "v1", meta={"name": None}), by_any=("no-name",)),
    Case(Entry("None", "v1", meta={"name": "None"}), by_any=("none-string",)),
    Case(
        Entry("gc v1 my image ü", "glanceclient v1", properties={"text": "a, b", "n": "c+"}),
        by_any=("percent-encoded", "percent-encoded", "percent-encoded"),
    ),
    Case(
        Entry("gc-v1-key", "glanceclient v1", properties={"my key": "x"}),
        by_any=("percent-encoded-property-name",),
    ),
    Case(
        Entry("Folded", properties={"Foo-Bar": "x", "Owner": "x"}),
        by_any=("folded-name", "folds-to-reserved"),
    ),
    Case(Entry("folding", properties={"a-b": "x", "a_b": "y"}), by_any=("folding-names",)),
    Case(
        Entry("names", properties={"os:type": "x", "a b": "x", "a/b": "x", "": "x"}),
        by_any=("invalid-header-name",) * 4,
    ),
    Case(
        Entry("lines", properties={"p": "a\r\nX-Image-Meta-Name: evil", "q": "\0"}),
        by_any=("line-break", "line-break"),
    ),
    Case(Entry("blanks", properties={"p": " a"}), by_any=("outer-whitespace",)),
    Case(Entry("empty name", meta={"name": ""}), by_any=("empty-name",)),
    Case(
        Entry("many", properties={f"property_{one:03}": "x" for one in range(95)}),
        by_any=("too-many-headers",),
    ),
    Case(Entry("long", properties={"p": "x" * 20000}), by_any=("too-long-value",)),
    Case(
        Entry("large", properties={f"p{one}": "x" * 15000 for one in range(4)}),
        by_any=("too-large-metadata",),
    ),
    Case(Entry("private", meta={"visibility": "private"}), by_v2=("private-image",)),
    Case(Entry("community", meta={"visibility": "community"}), by_v2=("community-image",)),
    Case(Entry("tags", meta={"tags": ["a", "b"]}), by_v2=("tags",)),
    Case(Entry("closed", data=DATA, states=("deactivated",)), by_any=("deactivated-image",)),
)

#: Kinds that no image in CASES has.
ELSEWHERE = {
    # Tested below: for administrators, on Glance 33, or for an API that is not offered.
    *("deleted-image", "killed-image", "hidden-image", "no-owner", "server-owned-property"),
    *("one-api-only", "v1-not-read", "v2-not-read"),
    # These servers cannot be made to produce them without damage.
    *("lone-surrogate", "long-property-name", "import-status", "no-checksum"),
    *("multiple-stores", "multiple-locations", "unreadable-image", "half-deleted-image"),
    *("list-incomplete", "lists-not-read", "partly-inspected"),
}


def test_each_kind_is_tested_here_or_excluded() -> None:
    shown = {kind for case in CASES for kind in (*case.by_v1, *case.by_v2, *case.by_any)}
    assert shown | ELSEWHERE == KINDS_BY_NAME.keys()
    assert not shown & ELSEWHERE


@pytest.fixture(scope="module")
def pike(cloud: Cloud) -> Iterator[Target]:
    """Provide Glance 15.0.2 with both APIs."""
    [kind] = [one for one in targets.KINDS if one.name == "pike-v2"]
    target = targets.real(kind, cloud)
    yield target
    target.clean()


@pytest.fixture(scope="module")
def ids(pike: Target) -> dict[str, str]:
    """Return the name of each case, by image id."""
    return {make(pike, case.entry): case.entry.about for case in CASES}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def audited(cloud: Cloud, homes: Path) -> Audit:
    """Provide a function that runs the command in a region."""

    def run(region: str, *argv: str, user: str = "demo") -> Outcome:
        cloud.url(region)
        environment = openrc(cloud, user, homes)
        return program(environment, "audit", "--os-region-name", region, "-f", "json", *argv)

    return run


def kinds_by_image(outcome: Outcome, ids: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the kinds that were found in each image, sorted, by the name of the case."""
    assert outcome.code == 3, outcome.err
    found: dict[str, list[str]] = {about: [] for about in ids.values()}
    for row in json.loads(outcome.out):
        if row["id"] in ids:
            found[ids[row["id"]]].append(row["kind"])
    return {about: sorted(kinds) for about, kinds in found.items()}


@pytest.mark.parametrize(
    ("region", "told"),
    [("pike", {"by_v1", "by_v2"}), ("pike-v1", {"by_v1"}), ("pike-v2", {"by_v2"})],
)
def test_expected_kinds_are_found(
    audited: Audit, ids: dict[str, str], region: str, told: set[str]
) -> None:
    outcome = audited(region, "--target-api", "both")
    expected = {
        case.entry.about: sorted(
            kind for part in (*told, "by_any") for kind in getattr(case, part)
        )
        for case in CASES
    }
    assert kinds_by_image(outcome, ids) == expected
    unseen = {row["kind"] for row in json.loads(outcome.out) if row["id"] is None}
    assert (
        unseen == {"pike": set(), "pike-v1": {"v2-not-read"}, "pike-v2": {"v1-not-read"}}[region]
    )


def test_admin_audits_images_of_all_projects(
    audited: Audit, pike: Target, ids: dict[str, str]
) -> None:
    found = kinds_by_image(audited("pike", user="admin"), ids)
    # They include foreign community images, which v1 never lists and v2 only on request.
    assert found["community"] == ["community-image"]
    assert found["shadowed"] == ["shadowed-property", "shadowed-property"]
    assert found["plain of v1"] == []


def test_deleted_option_finds_deleted_and_killed_images(audited: Audit, pike: Target) -> None:
    entries = [
        Entry("gone", "v1", states=("deleted",)),
        Entry("cut off", "v1", states=("killed",)),
    ]
    made = {make(pike, entry): entry.about for entry in entries}
    argv = ("--deleted", "--kind", "deleted-image", "--kind", "killed-image")
    found = kinds_by_image(audited("pike-v1", *argv, user="admin"), made)
    assert found == {"gone": ["deleted-image"], "cut off": ["killed-image"]}


def test_image_without_owner_is_found(audited: Audit, pike: Target) -> None:
    made = {pike.make(user="admin", owner=None, name="nobody's"): "nobody's"}
    found = kinds_by_image(audited("pike", "--kind", "no-owner", user="admin"), made)
    assert found == {"nobody's": ["no-owner"]}


def test_audit_finds_kinds_on_glance_33(cloud: Cloud, audited: Audit) -> None:
    [kind] = [one for one in targets.KINDS if one.name == "glance-33"]
    target = targets.real(kind, cloud)
    records: dict[str, dict[str, Any]] = {
        "plain": {},
        "hidden": {"os_hidden": True},
        "hidden community": {"os_hidden": True, "visibility": "community"},
        "private": {"visibility": "private", "tags": ["a"]},
        "names": {"properties": {"Foo-Bar": "x", "é": "x"}},
        "my%20image": {},
    }
    try:
        made = {target.make(name=about, **more): about for about, more in records.items()}
        asked = ("--target-api", "both")
        outcome = audited("glance-33", *asked)
        foreign = audited("glance-33", *asked, user="other")
    finally:
        target.clean()
    assert kinds_by_image(outcome, made) == {
        "plain": [],
        "hidden": ["hidden-image"],
        "hidden community": ["community-image", "hidden-image"],
        "private": ["private-image", "tags"],
        "names": ["folded-name", "invalid-header-name"],
        "my%20image": ["percent-encoded"],
    }
    assert {row["kind"] for row in json.loads(outcome.out) if row["id"] is None} == {"v1-not-read"}
    seen = {about: kinds for about, kinds in kinds_by_image(foreign, made).items() if kinds}
    assert seen == {"hidden community": ["community-image", "hidden-image"]}


@pytest.mark.parametrize("data", [None, DATA])
def test_header_count_matches_glance_15_0_2(pike: Target, data: bytes | None) -> None:
    """A Python client can read an image with 99 headers, but not with 100."""
    base = count_v1_headers(
        ImageRecords(_listed(pike, make(pike, Entry("counted", "v1", data=data))), None)
    )
    for more, readable in ((99 - base, True), (100 - base, False)):
        properties = {f"p{number:03}": "x" for number in range(more)}
        image_id = make(pike, Entry("counted", "v1", properties=properties, data=data))
        assert count_v1_headers(ImageRecords(_listed(pike, image_id), None)) == base + more
        if readable:
            assert pike.send("HEAD", f"/v1/images/{image_id}").status_code == 200
        else:
            with pytest.raises(ksa_exceptions.ClientException):
                pike.send("HEAD", f"/v1/images/{image_id}")


def _listed(pike: Target, image_id: str) -> dict[str, Any]:
    path = "/v1/images/detail?limit=1000&name=eq:counted"
    [record] = [one for one in pike.send("GET", path).json()["images"] if one["id"] == image_id]
    return dict(record)


# ---------------------------------------------------------------------------------------------
# Repairs.

NAME = 'my image ü+%41, "x"'
TEXTS = {"text": NAME, "block_device_mapping": '[{"a": "é"}]', "url": "http://h/a b"}


@pytest.fixture
def encoded(pike: Target) -> str:
    """Create an image that glanceclient named over v1, with data, tags and protection."""
    entry = Entry(NAME, "glanceclient v1", properties=TEXTS, data=DATA)
    image_id = make(pike, entry)
    pike.patch(
        image_id,
        {"op": "replace", "path": "/tags", "value": ["a"]},
        {"op": "replace", "path": "/protected", "value": True},
        {"op": "add", "path": "/Vendor-Key", "value": " kept "},
    )
    return image_id


@pytest.mark.parametrize("region", ["pike", "pike-v1", "pike-v2"])
def test_repair_writes_only_decoded_strings(
    audited: Audit, pike: Target, encoded: str, region: str
) -> None:
    before = pike.record(encoded)
    dry = audited(region, "--fix", "percent-encoded", encoded, "--dry-run")
    assert pike.record(encoded) == before
    outcome = audited(region, "--fix", "percent-encoded", encoded)
    after = pike.record(encoded)
    assert {one["subject"] for one in json.loads(dry.out)} == {
        *("name", "property text", "property block_device_mapping", "property url")
    }
    # A URL is not decoded.
    assert outcome.code == 1
    left = {one["subject"]: one["outcome"] for one in json.loads(outcome.out)}
    assert left.pop("property url").startswith("refused because the confidence is low: ")
    assert set(left.values()) == {"written; nothing else changed"}
    repaired = {"name": NAME, **TEXTS, "url": before["url"]}
    assert after == {**before, **repaired, "updated_at": after["updated_at"]}


def test_shadowed_and_null_properties_are_repaired(audited: Audit, pike: Target) -> None:
    mapping = '[{"a":1}]'
    properties = {"owner": "me", "e": "", "block_device_mapping": mapping, "kept": "x"}
    image_id = make(pike, Entry("counted", "v1", properties=properties, data=DATA))
    pike.patch(image_id, {"op": "replace", "path": "/tags", "value": ["a"]})
    before = _listed(pike, image_id)
    kept = {name: before["properties"][name] for name in ("block_device_mapping", "kept")}
    moved = audited("pike", "--fix", "shadowed-property", image_id)
    after = _listed(pike, image_id)
    assert (moved.code, after["properties"]) == (0, {**kept, "v1_owner": "me", "e": None})
    filled = audited("pike", "--fix", "null-property", image_id)
    after = _listed(pike, image_id)
    assert (filled.code, after["properties"]) == (0, {**kept, "v1_owner": "me", "e": ""})
    unchanged = {"properties": before["properties"], "updated_at": before["updated_at"]}
    assert {**after, **unchanged} == before
    assert pike.record(image_id)["tags"] == ["a"]


@pytest.mark.parametrize("region", ["pike", "pike-v1", "pike-v2"])
def test_failed_repairs_change_nothing(
    audited: Audit, pike: Target, encoded: str, region: str
) -> None:
    pike.publish(encoded)
    missing = "70a599e0-31e7-49b7-b260-868f441e862b"
    argv = ("--fix-percent-encoding", missing, encoded)
    outcome = audited(region, *argv, user="other")
    assert outcome.code == 1
    assert [one["outcome"].split(": ")[:2] for one in json.loads(outcome.out)] == [
        ["failed", "ImageNotFound"],
        ["failed", "ImageNotAuthorized"],
    ]
    assert "Traceback" not in outcome.err
    assert pike.record(encoded)["name"] != NAME


def test_repair_works_on_glance_33(cloud: Cloud, audited: Audit) -> None:
    [kind] = [one for one in targets.KINDS if one.name == "glance-33"]
    target = targets.real(kind, cloud)
    try:
        image_id = target.make(name="caf%C3%A9", properties={"p": "a%20b", "q": "%E2%82%AC"})
        outcome = audited("glance-33", "--fix-percent-encoding", image_id)
        record = target.record(image_id)
    finally:
        target.clean()
    assert outcome.code == 0
    assert (record["name"], record["p"], record["q"]) == ("café", "a b", "€")


# ---------------------------------------------------------------------------------------------
# Failures.


def failed(outcome: Outcome, kind: str) -> None:
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith(f"{kind}: ")


@pytest.mark.parametrize("region", ["pike", "pike-v1", "pike-v2", "glance-33"])
def test_wrong_credentials_are_not_authenticated(audited: Audit, region: str) -> None:
    failed(audited(region, "--os-password", "not-mine"), "NotAuthenticated")


def test_invalid_token_is_not_authenticated(cloud: Cloud, audited: Audit) -> None:
    token = ("--os-auth-type", "admin_token", "--os-token", "nonsense")
    failed(audited("pike", "--endpoint", cloud.url("pike"), *token), "NotAuthenticated")


def test_audit_of_version_not_offered_fails(audited: Audit) -> None:
    failed(audited("glance-33", "--api-version", "1"), "NoUsableVersion")


def test_endpoint_of_another_service_is_no_usable_version(cloud: Cloud, audited: Audit) -> None:
    failed(audited("pike", "--endpoint", cloud.auth_url), "NoUsableVersion")
