# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --fix`` of properties that are NULL, or that v2 hides."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

pytestmark = sdk_may_warn

IMAGE_ID = "70a599e0-31e7-49b7-b260-868f441e862b"
OTHER_ID = "70a599e0-31e7-49b7-b260-868f441e862c"
MAPPING = '[{"a":1}]'
IMAGE: Mapping[str, Any] = {
    "id": IMAGE_ID,
    "name": "one",
    "properties": {
        "owner": "platform team",
        "status": None,
        "empty": None,
        "block_device_mapping": MAPPING,
        "kept": "x",
    },
    "tags": ["a"],
    "visibility": "private",
    "protected": True,
    "data": b"bytes",
}

MOVED = {
    "v1_owner": "platform team",
    "v1_status": None,
    "empty": None,
    "block_device_mapping": MAPPING,
    "kept": "x",
}
FILLED = {**IMAGE["properties"], "empty": ""}

of_v1 = pytest.mark.parametrize("apis", [("v1",), ("v1", "v2")], ids="+".join)


def on(apis: tuple[str, ...] = ("v1", "v2"), **changed: Any) -> GlanceFixture:
    return GlanceFixture(fault_injection=False, apis=apis, images=[{**IMAGE, **changed}])


def fixed(glance: GlanceFixture, kind: str, *argv: str) -> Outcome:
    given = argv or (IMAGE_ID,)
    return in_process("audit", *options(glance), "-f", "json", "--fix", kind, *given)


def rows(outcome: Outcome) -> dict[str, tuple[str | None, str | None, str]]:
    return {
        one["subject"]: (one["before"], one["after"], one["outcome"])
        for one in json.loads(outcome.out)
    }


def writes(glance: GlanceFixture) -> list[str]:
    return [one.method for one in glance.requests if one.method not in ("GET", "HEAD")]


@of_v1
def test_shadowed_properties_are_moved(apis: tuple[str, ...]) -> None:
    with on(apis) as glance:
        before = glance.images[IMAGE_ID]
        outcome = fixed(glance, "shadowed-property")
        after = glance.images[IMAGE_ID]
        assert writes(glance) == ["PUT"]
        again = fixed(glance, "shadowed-property")
    done = "; nothing else changed"
    text = "platform team"
    assert rows(outcome) == {
        "property owner": (text, text, f"written as property v1_owner{done}"),
        "property status": (None, None, f"written as property v1_status{done}"),
    }
    assert outcome.code == 0
    assert outcome.err.splitlines() == [
        f"{IMAGE_ID} property owner: 'platform team' moves to property v1_owner",
        f"{IMAGE_ID} property status: NULL moves to property v1_status",
    ]
    assert after.properties == MOVED
    moved = dataclasses.replace(before, properties=MOVED, updated_at=after.updated_at)
    assert moved == after
    assert rows(again) == {"image": (None, None, "no property is shadowed")}


def test_null_properties_become_empty_strings() -> None:
    with on() as glance:
        before = glance.images[IMAGE_ID]
        outcome = fixed(glance, "null-property")
        after = glance.images[IMAGE_ID]
        assert writes(glance) == ["PATCH"]
        again = fixed(glance, "null-property")
    refused = "refused because the property has the name of an attribute"
    assert rows(outcome) == {
        "property empty": (None, "", "written; nothing else changed"),
        "property status": (None, "", refused),
    }
    assert outcome.code == 1
    assert f"{IMAGE_ID} property empty: NULL becomes ''" in outcome.err.splitlines()
    assert after.properties == FILLED
    filled = dataclasses.replace(before, properties=FILLED, updated_at=after.updated_at)
    assert filled == after
    assert rows(again) == {"property status": (None, "", refused)}


def test_empty_strings_become_null_when_another_property_is_moved() -> None:
    with on(properties={"status": "x", "empty": ""}) as glance:
        assert fixed(glance, "shadowed-property").code == 0
        assert glance.images[IMAGE_ID].properties == {"v1_status": "x", "empty": None}


@pytest.mark.parametrize("kind", ["null-property", "shadowed-property"])
def test_dry_run_writes_nothing(kind: str) -> None:
    with on() as glance:
        before = glance.images
        outcome = fixed(glance, kind, IMAGE_ID, "--dry-run")
        assert glance.images == before
        assert writes(glance) == []
    assert all("would be written" in one or "refused" in one for *_, one in rows(outcome).values())


@pytest.mark.parametrize(
    ("apis", "kind", "needed"),
    [
        (
            ("v1",),
            "null-property",
            "v2, which is not read here: v1 stores an empty string as NULL",
        ),
        (("v2",), "null-property", "v1, which is not read here: only v1 shows which values"),
        (("v2",), "shadowed-property", "v1, which is not read here: v2 can neither show nor"),
    ],
)
def test_repair_without_the_api_that_it_needs_fails(
    apis: tuple[str, ...], kind: str, needed: str
) -> None:
    with on(apis) as glance:
        outcome = fixed(glance, kind)
        assert writes(glance) == []
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith(f"NoUsableVersion: --fix {kind} needs {needed}")


def test_property_is_not_moved_onto_another() -> None:
    properties = {"owner": "a", "v1_owner": "b"}
    with on(properties=properties) as glance:
        outcome = fixed(glance, "shadowed-property")
        assert glance.images[IMAGE_ID].properties == properties
    assert outcome.code == 1
    refused = "refused because the image has a property v1_owner already"
    assert rows(outcome) == {"property owner": ("a", "a", refused)}


@pytest.mark.parametrize("properties", [{"Vendor-Key": "x"}, {"lines": "a\nb"}, {"p": " x"}])
def test_move_that_would_change_another_property_is_refused(properties: dict[str, str]) -> None:
    stored = {"owner": "a", **properties}
    with on(properties=stored) as glance:
        outcome = fixed(glance, "shadowed-property")
        assert glance.images[IMAGE_ID].properties == stored
        assert writes(glance) == []
    assert outcome.code == 1
    assert rows(outcome)["image"][2].startswith("failed: PropertyNotAllowed: ")


@of_v1
def test_name_means_an_image_of_the_own_project(
    monkeypatch: pytest.MonkeyPatch, apis: tuple[str, ...]
) -> None:
    foreign = {"name": "one", "owner": "other", "visibility": "public", "properties": {}}
    with on(apis, owner="platform", properties={"owner": "x"}) as glance:
        glance.add_image({**foreign, "id": OTHER_ID})
        as_user(monkeypatch, glance, "admin", "platform")
        argv = ("audit", "-f", "json", "--fix", "shadowed-property", "one")
        ambiguous = in_process(*argv, "--all-projects")
        outcome = in_process(*argv)
        assert glance.images[IMAGE_ID].properties == {"v1_owner": "x"}
    assert outcome.code == 0
    assert ambiguous.code == 1
    assert rows(ambiguous)["image"][2].startswith("failed: AmbiguousName: 2 images are called")
    assert {IMAGE_ID, OTHER_ID} <= set(ambiguous.err.split())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--fix", "tags", "x"), "--fix cannot repair 'tags'."),
        (("--fix", "null-properties", "x"), "Did you mean null-property?"),
        (("--fix", "null-property"), "--fix null-property needs the images to repair"),
        (("--dry-run",), "--dry-run needs --fix"),
        (("--all-projects",), "--all-projects needs --fix"),
    ],
)
def test_incomplete_options_are_wrong_usage(argv: tuple[str, ...], message: str) -> None:
    outcome = in_process("audit", *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith("UsageError: ")
    assert message in outcome.error


def test_unexpected_image_after_repair_is_integrity_error() -> None:
    record = {"id": IMAGE_ID, "name": "one", "status": "active", "owner": "p", "size": 3}
    stored = {**record, "properties": {"status": "x"}}
    changed = {**record, "owner": "q", "properties": {"v1_status": "x"}}
    head = Reply(200, b"", (("X-Image-Meta-Id", IMAGE_ID), ("X-Image-Meta-Name", "one")))
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v1.1", "status": "CURRENT"}]}
        server.on("GET", "/", json_reply(versions, 300))
        server.on("HEAD", f"/v1/images/{IMAGE_ID}", head)
        server.on("GET", "/v1/images/detail", lambda seen: json_reply({"images": [stored]}))
        server.on("PUT", f"/v1/images/{IMAGE_ID}", lambda seen: put())

        def put() -> Reply:
            server.on("GET", "/v1/images/detail", lambda seen: json_reply({"images": [changed]}))
            return json_reply({"image": changed})

        token = ("--endpoint", server.url, "--os-auth-type", "admin_token", "--os-token", "any")
        outcome = in_process("audit", *token, "-f", "json", "--fix", "shadowed-property", IMAGE_ID)
    assert outcome.code == 1
    assert rows(outcome)["image"][2].startswith(
        "failed: IntegrityError: the repair was written, but owner of the image differ from the"
    )
