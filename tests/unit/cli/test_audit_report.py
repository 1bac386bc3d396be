# SPDX-License-Identifier: Apache-2.0
"""The report of ``glance-compat audit`` for people: a summary, then the findings of each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli import keystone
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE, TWO, THREE = (f"00000000-0000-4000-8000-00000000000{one}" for one in (1, 2, 3))
IMAGES: tuple[Mapping[str, Any], ...] = (
    {"id": ONE, "name": "my%20image", "properties": {"note": "a%20b", "empty": None}},
    {"id": TWO, "name": "zebra", "properties": {"owner": "me"}, "owner": "p2"},
    {"id": THREE, "name": "plain"},
)

REPORT = f"""\
Read 3 images over v1 and 3 images over v2. 4 findings in 2 of 3 images: 1
loss, 2 change, 1 note.

findings  images  severity  kind
       1       1  loss      shadowed-property
       2       1  change    percent-encoded
       1       1  note      null-property

loss  change  note  project
   1       0     0  p2
   0       2     1  fixture-project

zebra
    {TWO}, p2
    loss shadowed-property, property owner: v1 shows 'me', v2 shows 'p2'

my%20image
    {ONE}, fixture-project
    change percent-encoded, name: 'my%20image' was probably 'my image' (high
        confidence: it contains spaces)
    change percent-encoded, property note: 'a%20b' was probably 'a b' (high
        confidence: it contains spaces)
    note null-property, property empty: v1 returns null, v2 returns ''

loss: shadowed-property (1 finding in 1 image)
"""


def on(*images: Mapping[str, Any], **more: Any) -> GlanceFixture:
    return GlanceFixture(fault_injection=False, images=images or IMAGES, **more)


def audited(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process("audit", *options(glance, "admin:admin-project:admin"), *argv)


def test_report_has_summary_then_findings_by_image() -> None:
    with on() as glance:
        outcome = audited(glance)
    assert outcome.out[: len(REPORT)] == REPORT
    assert (outcome.code, outcome.err) == (3, "")
    rest = outcome.out[len(REPORT) :]
    assert [line for line in rest.splitlines() if line and line[0] != " "] == [
        "change: percent-encoded (2 findings in 1 image)",
        "note: null-property (1 finding in 1 image)",
    ]
    assert rest.count("    To do: ") == 3


def test_quiet_report_has_only_the_findings() -> None:
    with on() as glance:
        outcome = audited(glance, "-q")
    begin, end = REPORT.index("zebra"), REPORT.index("\nloss: ")
    assert outcome.out == f"\n{REPORT[begin:end]}"


LIST, OWN = "/v3/projects", "/v3/auth/projects"
PROJECT = "0123456789abcdef0123456789abcdef"
NAMED = (200, {"projects": [{"id": PROJECT, "name": "plat\x1bform"}, {"id": "other"}]})


@pytest.mark.parametrize(
    ("answers", "project"),
    [
        ({LIST: NAMED}, f"plat\\x1bform ({PROJECT})"),
        ({LIST: (403, {}), OWN: NAMED}, f"plat\\x1bform ({PROJECT})"),
        ({LIST: (500, {})}, PROJECT),
        ({}, PROJECT),
    ],
)
def test_projects_are_named_where_the_identity_service_permits(
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[str, tuple[int, dict[str, Any]]],
    project: str,
) -> None:
    image = {"id": ONE, "name": "a%20b", "owner": PROJECT, "visibility": "public"}
    with on(image) as glance, keystone.running({("one", "public"): glance.url}) as server:
        server.projects.update(answers)
        as_user(monkeypatch, glance, "anybody", "any")
        monkeypatch.setenv("OS_AUTH_URL", server.url)
        monkeypatch.setenv("OS_PASSWORD", keystone.PASSWORD)
        outcome = in_process("audit")
    assert (outcome.code, outcome.err) == (3, "")
    assert f"\n     1  {project}\n" in outcome.out
    assert f"\n    {ONE}, {project}\n" in outcome.out.replace("\n    (", " (")


def test_many_projects_are_summed_up() -> None:
    images = [{"name": "a%20b", "owner": f"p{number:02}"} for number in range(12)]
    with on(*images) as glance:
        outcome = audited(glance)
    table = outcome.out.split("change  project\n")[1].split("\n\n")[0].splitlines()
    assert table == [
        *(f"     1  p{number:02}" for number in range(10)),
        "and 2 findings of 2 projects more",
    ]


def test_what_was_not_read_comes_before_the_images() -> None:
    with on(apis=("v2",)) as glance:
        outcome = audited(glance)
    not_read = outcome.out.index("\nNot read\n    unread v1-not-read, v1: the endpoint offers v2.")
    assert not_read < outcome.out.index("\nmy%20image\n")


@pytest.mark.parametrize("width", [60, 80, 160])
def test_report_fits_and_shows_whole_ids(width: int) -> None:
    images = {"id": ONE, "name": "n", "owner": "o" * 32, "properties": {"p" * 90: "a%20b " * 50}}
    with on(images, {"id": TWO, "tags": ["several tags"] * 3}) as glance:
        outcome = audited(glance, "--max-width", str(width))
    lines = outcome.out.splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith(f"    {ONE},") for line in lines)


EVIL = "\x1b]0;owned\x07\x9b31m\x7f\u202egnp"


def test_report_is_printable() -> None:
    properties = {f"{EVIL}\n{EVIL}": f"{EVIL}\r\n{EVIL}: {EVIL}", "direct_url": EVIL}
    evil = {"name": f" {EVIL} ", "properties": properties, "tags": [EVIL], "owner": EVIL}
    with on(evil) as glance:
        outcome = audited(glance)
    assert outcome.code == 3
    assert outcome.out.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["    loss shadowed-property, name: x", "", None])
def test_name_cannot_look_like_a_finding(name: str | None) -> None:
    with on({"id": ONE, "name": name, "properties": {"status": "x"}}) as glance:
        outcome = audited(glance)
    [line] = [
        before
        for before, after in zip(
            outcome.out.splitlines(), outcome.out.splitlines()[1:], strict=False
        )
        if after.startswith(f"    {ONE}, ")
    ]
    assert line == ("(no name)" if name is None else repr(name))
