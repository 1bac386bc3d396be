# SPDX-License-Identifier: Apache-2.0
"""``glance-compat set``, ``unset``, ``member``, ``deactivate`` and ``reactivate``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE = "70a599e0-31e7-49b7-b260-868f441e862b"
IMAGE: Mapping[str, Any] = {
    "id": ONE,
    "name": "one",
    "owner": "fixture-project",
    "disk_format": "raw",
    "container_format": "bare",
    "data": b"data",
    "properties": {"a": "1", "b": "2"},
}


@pytest.fixture
def one(glance: GlanceFixture) -> GlanceFixture:
    """Provide a Glance with one API and one image."""
    glance.add_image(IMAGE)
    return glance


def run(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process(*argv, *options(glance))


def done(glance: GlanceFixture, *argv: str) -> Any:
    """Run a command that must succeed silently, and return the image afterwards."""
    outcome = run(glance, *argv)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    return glance.images[ONE]


def is_v1(glance: GlanceFixture) -> bool:
    outcome = run(glance, "discover", "-f", "value", "-c", "api")
    return outcome.out.strip() == "v1"


def writes(glance: GlanceFixture) -> list[str]:
    """Return the methods of the requests that may have changed something."""
    return [one.method for one in glance.requests if one.method not in ("GET", "HEAD")]


# ---------------------------------------------------------------------------------------------
# set and unset.


def test_set_changes_what_is_given_and_keeps_the_rest(one: GlanceFixture) -> None:
    argv = ("--name", "new", "--min-disk", "2", "--min-ram", "0", "--protected")
    image = done(one, "set", ONE, *argv, "--property", "b=3", "--property", "c=")
    assert (image.name, image.min_disk, image.min_ram, image.protected) == ("new", 2, 0, True)
    # v1 stores an empty value as null.
    assert {key: value or "" for key, value in image.properties.items()} == {
        "a": "1",
        "b": "3",
        "c": "",
    }
    assert image.data == b"data"
    assert done(one, "set", ONE, "--unprotected").protected is False


def test_set_finds_own_images_by_name(one: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    one.add_image({**IMAGE, "id": ONE.replace("7", "8"), "owner": "other", "visibility": "public"})
    as_user(monkeypatch, one, "demo", "fixture-project")
    outcome = in_process("set", "one", "--name", "new")
    assert (outcome.code, outcome.err) == (0, "")
    assert one.images[ONE].name == "new"
    refused = in_process("set", "one", "--name", "new")
    assert refused.code == 1
    assert "pass its id, or --all-projects" in refused.error


@pytest.mark.parametrize("command", ["set", "unset"])
def test_nothing_to_change_is_wrong_usage(one: GlanceFixture, command: str) -> None:
    outcome = run(one, command, ONE)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"nothing to {command}" in outcome.error
    assert not one.requests


def test_set_adds_tags(one: GlanceFixture) -> None:
    if is_v1(one):
        outcome = run(one, "set", ONE, "--name", "new", "--tag", "t")
        assert outcome.code == 1
        assert outcome.error.startswith("UnsupportedByVersion: ")
        assert writes(one) == []
        return
    done(one, "set", ONE, "--tag", "b")
    assert done(one, "set", ONE, "--tag", "a", "--tag", "b").tags == ["a", "b"]


def test_set_hides_images() -> None:
    with GlanceFixture(
        fault_injection=False, apis=("v2",), release="33", images=[IMAGE]
    ) as glance:
        assert done(glance, "set", ONE, "--hidden").os_hidden is True
        assert done(glance, "set", ONE, "--unhidden").os_hidden is False


@pytest.mark.parametrize("option", ["--hidden", "--community"])
def test_set_refuses_what_the_api_lacks(one: GlanceFixture, option: str) -> None:
    if option == "--community" and not is_v1(one):
        return
    outcome = run(one, "set", ONE, "--name", "new", option)
    assert outcome.code == 1
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert writes(one) == []
    assert one.images[ONE].name == "one"


def test_set_visibility(one: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, one, "admin", "fixture-project")
    for option, public in (("--public", True), ("--private", False)):
        outcome = in_process("set", ONE, option)
        assert (outcome.code, outcome.err) == (0, "")
        shown = json.loads(in_process("show", ONE, "-f", "json", "-c", "is_public").out)
        assert shown == {"is_public": public}


def test_set_owner_is_found_by_name(one: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, one, "admin", "fixture-project")
    outcome = in_process("set", ONE, "--project", "fixture-project", "--name", "new")
    assert (outcome.code, outcome.err) == (0, "")
    assert one.images[ONE].owner == "fixture-project"


@pytest.mark.parametrize(
    "argv",
    [
        ("--property", "a"),
        ("--property", "=a"),
        ("--min-disk", "x"),
        ("--protected", "--unprotected"),
        ("--hidden", "--unhidden"),
        ("--public", "--private"),
        ("--bogus",),
    ],
)
def test_invalid_value_is_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process("set", ONE, *argv).code == 2
    assert "glance-compat set: error: " in capsys.readouterr().err


def test_reserved_property_is_refused(one: GlanceFixture) -> None:
    outcome = run(one, "set", ONE, "--name", "new", "--property", "checksum=x")
    assert outcome.code == 1
    assert outcome.error.startswith("PropertyNotAllowed: ")
    assert one.images[ONE].name == "one"


def test_unset_removes_properties(one: GlanceFixture) -> None:
    assert done(one, "unset", ONE, "--property", "a").properties == {"b": "2"}
    assert done(one, "unset", ONE, "--property", "b").properties == {}


@pytest.mark.parametrize("argv", [("--property", "zz"), ("--property", "a", "--property", "zz")])
def test_unset_of_missing_property_changes_nothing(
    one: GlanceFixture, argv: tuple[str, ...]
) -> None:
    outcome = run(one, "unset", ONE, *argv)
    assert outcome.code == 1
    assert f"image {ONE} has no property 'zz', and nothing was changed" in outcome.error
    assert writes(one) == []


def test_unset_removes_tags(one: GlanceFixture) -> None:
    if is_v1(one):
        outcome = run(one, "unset", ONE, "--tag", "t", "--property", "a")
        assert outcome.code == 1
        assert outcome.error.startswith("UnsupportedByVersion: ")
        assert writes(one) == []
        return
    done(one, "set", ONE, "--tag", "x", "--tag", "y")
    assert done(one, "unset", ONE, "--tag", "x").tags == ["y"]
    assert "has no tag 'x'" in run(one, "unset", ONE, "--tag", "x").error
    image = done(one, "unset", ONE, "--tag", "y", "--property", "b")
    assert (image.tags, image.properties) == ([], {"a": "1"})


# ---------------------------------------------------------------------------------------------
# member.


def members(glance: GlanceFixture) -> list[dict[str, Any]]:
    outcome = run(glance, "member", "list", ONE, "-f", "json")
    assert (outcome.code, outcome.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def test_members_are_added_listed_and_removed(one: GlanceFixture) -> None:
    assert members(one) == []
    done(one, "member", "add", ONE, "other")
    done(one, "member", "add", ONE, "other")
    status = None if is_v1(one) else "pending"
    assert members(one) == [{"member_id": "other", "can_share": False, "status": status}]
    done(one, "member", "remove", ONE, "other")
    assert members(one) == []
    outcome = run(one, "member", "remove", ONE, "other")
    assert outcome.code == 1
    assert outcome.error.startswith("MemberNotFound: ")


@pytest.mark.parametrize(
    ("option", "status"),
    [("--accept", "accepted"), ("--reject", "rejected"), ("--pending", "pending")],
)
def test_member_set_changes_status(one: GlanceFixture, option: str, status: str) -> None:
    done(one, "member", "add", ONE, "other")
    argv = ("member", "set", ONE, "other", option, *options(one, "user:other:member"))
    outcome = in_process(*argv)
    if is_v1(one):
        assert outcome.code == 1
        assert outcome.error.startswith("UnsupportedByVersion: ")
        return
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert members(one)[0]["status"] == status


@pytest.mark.parametrize(
    "argv",
    [
        ("set", ONE, "other"),
        ("set", ONE, "other", "--accept", "--reject"),
        ("add", ONE),
        ("list",),
        ("list", ONE, "-c", "nonsense"),
    ],
)
def test_wrong_arguments_of_member_are_wrong_usage(argv: tuple[str, ...]) -> None:
    assert in_process("member", *argv).code == 2


def test_member_alone_lists_its_commands() -> None:
    outcome = in_process("member")
    assert outcome.code == 2
    assert outcome.error == (
        "member is not a command. Commands: member add, member list, member remove, member set"
    )


def test_unknown_project_is_no_member(one: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PROJECT_NAME", "fixture-project")
    outcome = run(one, "member", "add", ONE, "a/b")
    assert outcome.code == 1
    assert outcome.error.startswith("InvalidImageRef: ")
    assert writes(one) == []


def test_empty_project_is_wrong_usage(one: GlanceFixture) -> None:
    before = writes(one)
    for command in ("add", "remove"):
        outcome = run(one, "member", command, ONE, "")
        assert outcome.code == 2
        assert outcome.error == (
            "UsageError: the project is empty: pass the id or the name of a project"
        )
    assert writes(one) == before


# ---------------------------------------------------------------------------------------------
# deactivate and reactivate.


def test_images_are_deactivated_and_reactivated(
    one: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(monkeypatch, one, "admin", "fixture-project")
    outcome = in_process("deactivate", "one")
    if not any(request.path.startswith("/v2/") for request in one.requests):
        assert outcome.code == 1
        assert outcome.error.startswith("UnsupportedByVersion: ")
        return
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert one.images[ONE].status == "deactivated"
    outcome = in_process("reactivate", ONE, "missing")
    assert (outcome.code, outcome.out) == (1, "")
    assert "'missing'" in outcome.error
    assert one.images[ONE].status == "active"
