# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --fix`` writes only the reported changes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

pytestmark = sdk_may_warn

IMAGE_ID = "70a599e0-31e7-49b7-b260-868f441e862b"
OTHER_ID = "70a599e0-31e7-49b7-b260-868f441e862c"

IMAGE: Mapping[str, Any] = {
    "id": IMAGE_ID,
    "name": "my%20image",
    "properties": {
        "text": "caf%C3%A9%20%2B",
        "block_device_mapping": "%5B%7B%22a%22%3A1%7D%5D",
        "plain": "100%",
        "null": None,
        "kept": "x",
    },
    "tags": ["a"],
    "visibility": "private",
    "min_disk": 3,
    "data": b"bytes",
}
REPAIRED = {
    "text": "café +",
    "block_device_mapping": '[{"a":1}]',
    "plain": "100%",
    "null": None,
    "kept": "x",
}

each_cloud = pytest.mark.parametrize("apis", [("v1",), ("v2",), ("v1", "v2")], ids="+".join)


def fixed(glance: GlanceFixture, *argv: str, token: str = "token") -> Outcome:
    given = argv or (IMAGE_ID,)
    return in_process(
        "audit", *options(glance, token), "-f", "json", "--fix", "percent-encoded", *given
    )


def outcomes(outcome: Outcome) -> dict[str, str]:
    return {one["subject"]: one["outcome"] for one in json.loads(outcome.out)}


def on(apis: tuple[str, ...], **changed: Any) -> GlanceFixture:
    return GlanceFixture(fault_injection=False, apis=apis, images=[{**IMAGE, **changed}])


@each_cloud
def test_only_high_confidence_is_repaired(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        before = glance.images[IMAGE_ID]
        outcome = fixed(glance)
        after = glance.images[IMAGE_ID]
        again = fixed(glance)
    assert outcome.code == 0
    assert json.loads(outcome.out) == [
        {
            "id": IMAGE_ID,
            "subject": subject,
            "before": old,
            "after": new,
            "confidence": "high",
            "outcome": "written; nothing else changed",
        }
        for subject, old, new in (
            ("name", "my%20image", "my image"),
            ("property text", "caf%C3%A9%20%2B", "café +"),
            ("property block_device_mapping", "%5B%7B%22a%22%3A1%7D%5D", '[{"a":1}]'),
        )
    ]
    assert (after.name, after.properties) == ("my image", REPAIRED)
    repaired = dataclasses.replace(before, name=after.name, properties=after.properties)
    assert dataclasses.replace(repaired, updated_at=after.updated_at) == after
    assert (again.code, outcomes(again)) == (0, {"image": "nothing is percent-encoded"})


@each_cloud
def test_old_option_is_an_alias(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        argv = ("--fix-percent-encoding", IMAGE_ID, "--dry-run")
        old = in_process("audit", *options(glance), "-f", "json", *argv)
        assert old == fixed(glance, IMAGE_ID, "--dry-run")
    assert old.code == 0


@each_cloud
def test_repair_is_reported_before_it_is_written(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        outcome = fixed(glance)
    assert outcome.err.splitlines() == [
        f"{IMAGE_ID} name: 'my%20image' becomes 'my image'",
        f"{IMAGE_ID} property text: 'caf%C3%A9%20%2B' becomes 'café +'",
        f"{IMAGE_ID} property block_device_mapping: '%5B%7B%22a%22%3A1%7D%5D' becomes"
        " '[{\"a\":1}]'",
    ]


@each_cloud
def test_dry_run_writes_nothing(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        before = glance.images
        outcome = fixed(glance, IMAGE_ID, "--dry-run")
        assert glance.images == before
        assert {one.method for one in glance.requests} <= {"GET", "HEAD"}
    assert outcome.code == 0
    assert set(outcomes(outcome).values()) == {"would be written"}


@each_cloud
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("my%2520image", "it is encoded more than once"),
        ("http://h/a%20b", "it contains a URL, in which escapes may be intended"),
        (
            "a%0D%0AX-Image-Meta-Name:%20evil",
            "the decoded string contains control characters or line breaks",
        ),
        ("caf%C3%83%C2%A9", "the decoded string is UTF-8 that was read as Latin-1"),
    ],
)
def test_low_confidence_is_not_repaired(apis: tuple[str, ...], text: str, why: str) -> None:
    with on(apis, properties={"doubtful": text, "fine": "a%20b"}) as glance:
        outcome = fixed(glance)
        properties = glance.images[IMAGE_ID].properties
    assert outcome.code == 1
    assert outcomes(outcome) == {
        "name": "written; nothing else changed",
        "property doubtful": f"refused because the confidence is low: {why}",
        "property fine": "written; nothing else changed",
    }
    assert properties == {"doubtful": text, "fine": "a b"}
    assert (
        f"{IMAGE_ID} property doubtful: refused because the confidence is low: {why}"
        in outcome.err
    )


@each_cloud
def test_repair_has_confidence_of_audit(apis: tuple[str, ...]) -> None:
    # A JSON string was written by another client, although the library returns it decoded.
    with on(apis, properties={"mappings": '[{"a": 1}]'}) as glance:
        found = in_process("audit", *options(glance), "-f", "json", "--long")
        dry = fixed(glance, IMAGE_ID, "--dry-run")
    [row] = [one for one in json.loads(found.out) if one["kind"] == "percent-encoded"]
    [step] = json.loads(dry.out)
    assert (row["confidence"], step["confidence"]) == ("medium", "medium")
    assert (row["proposal"], step["after"]) == ("my image", "my image")


@pytest.mark.parametrize("apis", [("v1",), ("v1", "v2")])
def test_shadowed_property_is_not_repaired(apis: tuple[str, ...]) -> None:
    with on(apis, name="plain", properties={"status": "my%20status"}) as glance:
        outcome = fixed(glance)
        properties = glance.images[IMAGE_ID].properties
    assert outcome.code == 1
    assert outcomes(outcome) == {
        "property status": "refused because the property has the name of an attribute"
    }
    assert properties == {"status": "my%20status"}


def test_repair_over_v1_refuses_folded_name() -> None:
    properties = {"Vendor-Key": "a%20b"}
    with on(("v1",), properties=properties) as glance:
        outcome = fixed(glance)
        assert glance.images[IMAGE_ID].properties == properties
        assert glance.images[IMAGE_ID].name == "my%20image"
    assert outcome.code == 1
    assert outcomes(outcome)["image"].startswith("failed: PropertyNotAllowed: ")
    with on(("v1", "v2"), properties=properties) as glance:
        assert fixed(glance).code == 0
        assert glance.images[IMAGE_ID].properties == {"Vendor-Key": "a b"}


@each_cloud
def test_protected_image_is_repaired(apis: tuple[str, ...]) -> None:
    # Protection prevents only deletion.
    with on(apis, protected=True) as glance:
        outcome = fixed(glance)
        assert (glance.images[IMAGE_ID].name, glance.images[IMAGE_ID].protected) == (
            "my image",
            True,
        )
    assert outcome.code == 0


@each_cloud
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"owner": "somebody", "visibility": "public"}, "ImageNotAuthorized"),
        ({"owner": "somebody", "visibility": "community"}, "ImageNotAuthorized"),
        # It may be a name, and without Keystone the project of a name is unknown.
        ({"owner": "somebody", "visibility": "private"}, "InvalidImageRef"),
    ],
)
def test_image_of_other_project_is_not_repaired(
    apis: tuple[str, ...], changed: Mapping[str, Any], error: str
) -> None:
    with on(apis, **changed) as glance:
        outcome = fixed(glance)
        assert glance.images[IMAGE_ID].name == "my%20image"
    assert outcome.code == 1
    assert list(outcomes(outcome)) == ["image"]
    assert outcomes(outcome)["image"].startswith(f"failed: {error}: ")
    assert f"{IMAGE_ID}: failed: {error}: " in outcome.err.splitlines()[-1]
    assert "Traceback" not in outcome.err


@each_cloud
def test_failed_repair_does_not_stop_others(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        outcome = fixed(glance, OTHER_ID, "../x", "http://192.0.2.1/v2/images/x", IMAGE_ID)
        name = glance.images[IMAGE_ID].name
    assert (outcome.code, name) == (1, "my image")
    rows = json.loads(outcome.out)
    assert [(one["id"], one["outcome"].split(": ")[1:2]) for one in rows[:3]] == [
        # Without Keystone, the project whose images a name may mean is unknown.
        (OTHER_ID, ["InvalidImageRef"]),
        ("../x", ["InvalidImageRef"]),
        ("http://192.0.2.1/v2/images/x", ["InvalidImageRef"]),
    ]
    assert {one["id"] for one in rows[3:]} == {IMAGE_ID}


@pytest.mark.parametrize("output_format", ["table", "value", "csv", "json", "yaml"])
def test_output_is_printable(output_format: str) -> None:
    evil = "\x1b]0;owned\x07\u202e"
    with on(("v2",), properties={f"{evil}": "a%20b", "p": "%1B%5B31m"}) as glance:
        outcome = in_process(
            *("audit", *options(glance), "-f", output_format),
            *("--fix-percent-encoding", IMAGE_ID, f"x{evil}"),
        )
    assert outcome.code == 1
    assert "owned" in outcome.out
    assert (outcome.out + outcome.err).replace("\n", "").replace("\r", "").isprintable()


RECORD = {
    "id": IMAGE_ID,
    "name": "my%20image",
    "status": "active",
    "visibility": "shared",
    "size": 3,
    "kept": "x",
}


@pytest.mark.parametrize(
    ("after", "different"),
    [
        ({"name": "my%20image"}, "name"),
        ({"name": "my image", "kept": "y"}, "properties"),
        ({"name": "my image", "visibility": "public"}, "is_public, visibility"),
    ],
)
def test_unexpected_image_after_repair_is_integrity_error(
    after: dict[str, Any], different: str
) -> None:
    path = f"/v2/images/{IMAGE_ID}"
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v2.5", "status": "CURRENT"}]}
        server.on("GET", "/", json_reply(versions, 300))
        found = json_reply(RECORD)
        server.on("GET", path, found, found, json_reply({**RECORD, **after}))
        server.on("PATCH", path, json_reply({**RECORD, "name": "my image"}))
        token = ("--endpoint", server.url, "--os-auth-type", "admin_token", "--os-token", "any")
        outcome = in_process("audit", *token, "-f", "json", "--fix-percent-encoding", IMAGE_ID)
        [patch] = [json.loads(one.body) for one in server.seen if one.method == "PATCH"]
    assert patch == [{"op": "replace", "path": "/name", "value": "my image"}]
    assert outcome.code == 1
    said = outcomes(outcome)["image"]
    assert said.startswith(
        f"failed: IntegrityError: the repair was written, but {different} of the image differ from"
        " the expected values, probably because of a concurrent update"
    )


def test_refused_repair_is_reported() -> None:
    path = f"/v2/images/{IMAGE_ID}"
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v2.5", "status": "CURRENT"}]}
        server.on("GET", "/", json_reply(versions, 300))
        server.on("GET", path, json_reply(RECORD))
        server.on("PATCH", path, Reply(400, b"no"))
        token = ("--endpoint", server.url, "--os-auth-type", "admin_token", "--os-token", "any")
        outcome = in_process("audit", *token, "-f", "json", "--fix-percent-encoding", IMAGE_ID)
    assert outcome.code == 1
    assert outcomes(outcome)["image"].startswith("failed: ImageBadRequest: ")


def test_refused_connection_is_connection_failed() -> None:
    outcome = in_process(
        "audit", "--endpoint", "http://127.0.0.1:1", "--fix-percent-encoding", IMAGE_ID
    )
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("GlanceConnectionFailed: ")
