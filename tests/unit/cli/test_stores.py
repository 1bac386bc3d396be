# SPDX-License-Identifier: Apache-2.0
"""``glance-compat stores``, and data in one of several stores."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from glance_compat import ImageService
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE = "70a599e0-31e7-49b7-b260-868f441e862b"
ADMIN = "admin:fixture-project:admin"
IMAGE = {
    "id": ONE,
    "name": "one",
    "disk_format": "raw",
    "container_format": "bare",
    "data": b"data",
}


@pytest.fixture
def newest() -> Iterator[GlanceFixture]:
    """Provide a Glance 33 with two stores and one image."""
    with GlanceFixture(
        fault_injection=False, apis=("v2",), release="33", images=[IMAGE], task_mode="manual"
    ) as running:
        yield running


def run(glance: GlanceFixture, *argv: str, token: str = ADMIN) -> Outcome:
    return in_process(*argv, *options(glance, token))


def test_stores_are_listed(newest: GlanceFixture) -> None:
    stores = json.loads(run(newest, "stores", "-f", "json").out)
    assert [(one["id"], one["type"]) for one in stores] == [("fast", "file"), ("slow", "file")]
    assert [one["default"] for one in stores].count(True) == 1
    [first, _] = json.loads(run(newest, "stores", "-f", "json", token="token").out)
    assert first["type"] is None
    assert run(newest, "stores", "-c", "id", "-f", "value").out.split() == ["fast", "slow"]


def test_unknown_column_is_wrong_usage(newest: GlanceFixture) -> None:
    outcome = run(newest, "stores", "-c", "ids")
    assert outcome.code == 2
    assert "Did you mean id?" in outcome.error


def test_data_is_deleted_from_one_store_only(newest: GlanceFixture) -> None:
    service = ImageService(newest.session(ADMIN))
    [other] = {"fast", "slow"} - set(newest.images[ONE].stores)
    service.copy_to_stores(None, ONE, [other])
    newest.run_tasks()
    assert sorted(newest.images[ONE].stores) == ["fast", "slow"]
    outcome = run(newest, "delete", ONE, "--store", "fast")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert newest.images[ONE].stores == ("slow",)
    outcome = run(newest, "delete", ONE, "--store", "slow")
    assert outcome.code == 1
    assert outcome.error.startswith("ImageDeleteConflict: ")
    assert newest.images[ONE].status == "active"


@pytest.mark.parametrize("argv", [("stores",), ("delete", ONE, "--store", "fast")])
def test_older_servers_have_no_stores(glance: GlanceFixture, argv: tuple[str, ...]) -> None:
    glance.add_image(IMAGE)
    outcome = run(glance, *argv)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("UnsupportedByVersion: ")
    assert {one.method for one in glance.requests} <= {"GET", "HEAD"}
