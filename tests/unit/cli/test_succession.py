# SPDX-License-Identifier: Apache-2.0
"""``glance-compat hide``, ``unhide`` and ``supersede``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import as_user, options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

OLD = "70a599e0-31e7-49b7-b260-868f441e862b"
NEW = "80a599e0-31e7-49b7-b260-868f441e862b"
FORMATS = {"disk_format": "raw", "container_format": "bare", "data": b"data"}
IMAGES = [
    {"id": OLD, "name": "old", "owner": "fixture-project", **FORMATS},
    {"id": NEW, "name": "new", "owner": "fixture-project", **FORMATS},
]


@pytest.fixture
def newest() -> Iterator[GlanceFixture]:
    """Provide a Glance 33 with two images."""
    with GlanceFixture(
        fault_injection=False, apis=("v2",), release="33", images=IMAGES
    ) as running:
        yield running


def run(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process(*argv, *options(glance))


def listed(glance: GlanceFixture) -> set[str]:
    return set(run(glance, "list", "-f", "value", "-c", "name").out.split())


def test_images_are_hidden_and_shown_again(newest: GlanceFixture) -> None:
    outcome = run(newest, "hide", OLD, NEW)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert listed(newest) == set()
    outcome = run(newest, "unhide", OLD, "-v")
    assert (outcome.code, outcome.out) == (0, "")
    assert f"Showed image {OLD}" in outcome.err
    assert listed(newest) == {"old"}


def test_missing_image_does_not_stop_the_others(newest: GlanceFixture) -> None:
    outcome = run(newest, "hide", "gone", OLD, "--all-projects")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("ImageNotFound: no image has the id or the name 'gone'")
    assert listed(newest) == {"new"}


def test_image_is_superseded(newest: GlanceFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, newest, "demo", "fixture-project")
    outcome = in_process("supersede", "old", "new")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    old = newest.images[OLD]
    assert (old.os_hidden, old.properties["superseded_by"]) == (True, NEW)
    # The other way round would be a loop.
    outcome = in_process("supersede", "new", "old")
    assert outcome.code == 1
    assert outcome.error.startswith("Invalid: ")
    assert newest.images[NEW].os_hidden is False


@pytest.mark.parametrize("argv", [("hide", OLD), ("unhide", OLD), ("supersede", OLD, NEW)])
def test_older_servers_cannot_hide_images(glance: GlanceFixture, argv: tuple[str, ...]) -> None:
    for image in IMAGES:
        glance.add_image(image)
    outcome = run(glance, *argv)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert {one.method for one in glance.requests} <= {"GET", "HEAD"}
