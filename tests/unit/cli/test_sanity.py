# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --sanity``: what is wrong with images, whatever the API."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from glance_compat.audit.sanity_kinds import SANITY_KINDS
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

GIB = 1 << 30
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def ago(**spans: float) -> str:
    return (NOW - datetime.timedelta(**spans)).isoformat()


def identifier(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


#: The properties of a signature that can be verified, as far as the properties show.
SIGNED = {
    "img_signature": base64.b64encode(b"a signature").decode(),
    "img_signature_hash_method": "SHA-256",
    "img_signature_key_type": "RSA-PSS",
    "img_signature_certificate_uuid": identifier(99),
}

#: Images, and the kinds of their findings over each API.
Case = tuple[Mapping[str, Any], set[str]]

#: For both APIs.
CASES: tuple[Case, ...] = (
    ({"data": b"fine", "properties": {**SIGNED, "os_type": "linux"}}, set()),
    ({"created_at": ago(hours=23)}, set()),
    ({"created_at": ago(hours=25)}, {"stuck-image"}),
    ({"created_at": ago(days=9), "updated_at": ago(hours=1)}, set()),
    ({"status": "saving", "created_at": ago(days=2)}, {"stuck-image"}),
    ({"data": b"a disk", "disk_format": "floppy"}, {"unusable-format"}),
    ({"status": "active", "size": 5, "checksum": None}, {"unverifiable-data"}),
    ({"name": "twice"}, {"same-name"}),
    ({"name": "twice"}, {"same-name"}),
    ({"name": "twice", "owner": "other", "visibility": "public"}, set()),
    ({"data": b"the same"}, {"same-data"}),
    ({"data": b"the same"}, {"same-data"}),
    ({"owner": None, "visibility": "public"}, {"unowned-image"}),
    ({"properties": {"img_signature": "x"}}, {"broken-signature"}),
    ({"properties": {**SIGNED, "img_signature": "no base64!"}}, {"broken-signature"}),
    ({"properties": {**SIGNED, "img_signature_hash_method": "MD5"}}, {"broken-signature"}),
    ({"properties": {**SIGNED, "img_signature_key_type": "ROT13"}}, {"broken-signature"}),
    ({"properties": {**SIGNED, "img_signature_key_type": "ECC_SECP384R1"}}, set()),
    ({"data": b"closed", "status": "deactivated"}, {"unavailable-image"}),
)
#: Only for v2.
CASES_OF_V2: tuple[Case, ...] = (
    ({"status": "importing", "created_at": ago(days=2)}, {"stuck-image"}),
    ({"data": b"big", "virtual_size": 2 * GIB + 1, "min_disk": 2}, {"small-min-disk"}),
    ({"data": b"fits", "virtual_size": 2 * GIB, "min_disk": 2}, set()),
    ({"visibility": "community"}, {"unlisted-image"}),
    ({"os_hidden": True}, {"no-successor"}),
    ({"os_hidden": True, "properties": {"superseded_by": identifier(77)}}, {"no-successor"}),
    ({"os_hidden": True, "properties": {"superseded_by": identifier(1)}}, {"no-successor"}),
    ({"os_hidden": True, "properties": {"superseded_by": identifier(0)}}, set()),
    ({"properties": {"hw_cdrom_bus": "floppy"}}, {"invalid-property"}),
    ({"properties": {"hw_cdrom_bus": "ide"}}, set()),
)


#: Metadata definitions, as Glance's own files have them.
DEFINITIONS = {
    "namespace": "OS::Compute::LibvirtImage",
    "visibility": "public",
    "protected": True,
    "owner": "admin",
    "resource_type_associations": [{"name": "OS::Glance::Image"}],
    "properties": {
        "hw_cdrom_bus": {"title": "CD", "type": "string", "enum": ["ide", "scsi", "virtio"]}
    },
}


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    path = tmp_path / "definitions.json"
    path.write_text(json.dumps(DEFINITIONS))
    return path


def glance_with(*cases: Case, **more: Any) -> GlanceFixture:
    images = [
        {"id": identifier(number), "disk_format": "raw", "container_format": "bare", **image}
        for number, (image, _) in enumerate(cases)
    ]
    return GlanceFixture(fault_injection=False, images=images, page_cap=5, **more)


def audited(glance: GlanceFixture, *argv: str) -> Outcome:
    token = "admin:fixture-project:admin"
    return in_process("audit", *options(glance, token), "--sanity", *argv)


def found(outcome: Outcome) -> dict[str | None, set[str]]:
    kinds: dict[str | None, set[str]] = {}
    for one in json.loads(outcome.out):
        kinds.setdefault(one["id"], set()).add(one["kind"])
    return kinds


def expected(*cases: Case) -> dict[str | None, set[str]]:
    return {identifier(number): kinds for number, (_, kinds) in enumerate(cases) if kinds}


def test_each_kind_is_tested() -> None:
    tested = set().union(*(kinds for _, kinds in (*CASES, *CASES_OF_V2)))
    assert tested == {kind.name for kind in SANITY_KINDS if kind.severity != "unread"}


def test_expected_kinds_are_found_over_v2(definitions: Path) -> None:
    cases = (*CASES, *CASES_OF_V2)
    with glance_with(*cases, release="33", definitions=definitions) as glance:
        outcome = audited(glance, "-f", "json")
        assert {one.method for one in glance.requests} == {"GET"}
    assert found(outcome) == expected(*cases)
    assert outcome.code == 3


def test_expected_kinds_are_found_over_v1() -> None:
    with glance_with(*CASES, apis=("v1",)) as glance:
        outcome = audited(glance, "-f", "json")
    gaps = {"v2-not-read", "definitions-not-read"}
    assert found(outcome) == {**expected(*CASES), None: gaps}


def test_both_apis_are_not_read_twice() -> None:
    with glance_with(*CASES) as glance:
        outcome = audited(glance, "-f", "json", "--kind", "same-name")
        assert not [one for one in glance.requests if one.path.startswith("/v1/images")]
    assert found(outcome) == {identifier(7): {"same-name"}, identifier(8): {"same-name"}}
    assert "Read 19 images over v2. 2 findings in 2 of 19 images: 2 change." in outcome.err


def test_image_counts_once_for_single_and_compared_findings() -> None:
    image = {"name": "twice", "data": b"d", "disk_format": "floppy"}
    with glance_with((image, set()), (image, set()), release="33") as glance:
        outcome = audited(glance, "-f", "json", "--severity", "change")
    assert "4 findings in 2 of 2 images: 4 change." in outcome.err


@pytest.mark.parametrize(
    ("argv", "stuck"),
    [((), 1), (("--stuck-after", "1h"), 2), (("--stuck-after", "2w"), 0)],
)
def test_stuck_after_is_an_age(argv: tuple[str, ...], stuck: int) -> None:
    images: list[Case] = [
        ({"created_at": ago(hours=2)}, set()),
        ({"created_at": ago(days=3)}, set()),
    ]
    with glance_with(*images) as glance:
        outcome = audited(glance, "-f", "json", "--kind", "stuck-image", *argv)
    assert len(found(outcome)) == stuck
    assert outcome.code == (3 if stuck else 0)


def test_owner_is_compared_with_all_images() -> None:
    same = {"data": b"the same", "visibility": "public"}
    images: list[Case] = [({**same, "owner": "a"}, set()), ({**same, "owner": "b"}, set())]
    with glance_with(*images) as glance:
        outcome = audited(glance, "-f", "json", "--owner", "a")
    assert found(outcome) == {identifier(0): {"same-data"}}
    [row] = json.loads(outcome.out)
    assert row["details"] == f"has the same data as {identifier(1)}"
    assert "1 finding in 1 of 1 image: 1 note." in outcome.err


def test_large_group_names_a_few_others() -> None:
    with glance_with(*[({"data": b"the same"}, set())] * 9) as glance:
        rows = json.loads(audited(glance, "-f", "json", "--kind", "same-data").out)
    others = ", ".join(map(identifier, (0, 1, 2)))
    assert rows[8]["details"] == f"has the same data as {others} and 5 more"
    assert identifier(1) not in rows[1]["details"]


def test_deleted_images_can_hang_too() -> None:
    gone = {"status": "pending_delete", "deleted": True, "deleted_at": ago(days=2)}
    with glance_with(({**gone, "created_at": ago(days=3)}, set())) as glance:
        assert found(audited(glance, "-f", "json")) == {}
        outcome = audited(glance, "-f", "json", "--deleted")
    assert found(outcome) == {identifier(0): {"stuck-image"}}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--stuck-after", "1h"), "--stuck-after needs --sanity"),
        (("--kind", "same-name"), "--kind same-name needs --sanity"),
        (("--sanity", "--kind", "tags"), "--kind tags cannot be used with --sanity"),
        (
            ("--sanity", "--target-api", "v2"),
            "--target-api concerns a move, and --sanity does not",
        ),
    ],
)
def test_contradictory_options_are_wrong_usage(argv: tuple[str, ...], message: str) -> None:
    outcome = in_process("audit", *argv)
    assert (outcome.code, outcome.error) == (2, f"UsageError: {message}")


EVIL = "\x1b]0;owned\x07\u202e"


def test_output_is_printable() -> None:
    properties = {"img_signature": EVIL, "superseded_by": EVIL}
    image = {"name": EVIL, "disk_format": EVIL, "owner": EVIL, "properties": properties}
    hidden = {**image, "status": "active", "size": 1, "os_hidden": True}
    with glance_with((hidden, set()), (hidden, set()), release="33") as glance:
        for argv in ((), ("-f", "csv", "--long"), ("-f", "json")):
            outcome = audited(glance, *argv)
            assert outcome.code == 3
            assert (outcome.out + outcome.err).replace("\n", "").replace("\r", "").isprintable()
