# SPDX-License-Identifier: Apache-2.0
"""``glance-compat demo``: its results, its output, and its failures."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest

from glance_compat.cli.app import GlanceCompat
from glance_compat.cli.demo import Demo
from glance_compat.cli.demonstration import (
    CONTEXT,
    EXAMPLES,
    EXPECTED,
    LAST_STEPS,
    READINGS,
    STEPS,
    STORED,
    Demonstration,
    Step,
    demonstrate,
)
from glance_compat.service import ImageService
from tests.unit.cli.running import Outcome, Terminal, in_process


@pytest.fixture(scope="module")
def shown() -> Demonstration:
    return demonstrate()


def run(stream: io.TextIOBase, command: type[Demo]) -> Outcome:
    """Run a command as ``demo`` on a stream."""
    assert isinstance(stream, (io.StringIO, io.TextIOWrapper))
    app = GlanceCompat(stdout=stream, stderr=io.StringIO())
    app.command_manager.add_command("demo", command)
    code = app.run(["demo"])
    stream.seek(0)
    return Outcome(code, stream.read(), "")


@pytest.fixture
def demo(shown: Demonstration) -> type[Demo]:
    """Return the command with earlier results, for tests of its output."""

    class Repeated(Demo):
        @staticmethod
        def demonstrate() -> Demonstration:
            return shown

    return Repeated


def test_results_of_three_servers_are_equal(shown: Demonstration) -> None:
    assert shown.differences == []
    assert len(shown.calls) == len(STEPS) + len(LAST_STEPS) + 1
    assert len(shown.reads) == len(READINGS)


def test_demo_servers_offer_their_named_versions(
    shown: Demonstration,
) -> None:
    chosen = {name: found.api for name, found in shown.discoveries.items()}
    assert chosen == {"v1 only": "v1", "v2 only": "v2", "both": "v2"}
    majors = {
        name: {one.id[:2] for one in found.offered} for name, found in shown.discoveries.items()
    }
    assert majors == {"v1 only": {"v1"}, "v2 only": {"v2"}, "both": {"v1", "v2"}}


def test_request_counts_match_design(shown: Demonstration) -> None:
    spent = {one.call: tuple(one.requests.values()) for one in shown.calls}
    assert spent == {
        "create(meta, data)": (1, 3, 3),
        "show(id)": (1, 1, 1),
        "update(id, meta, purge_props=False)": (1, 1, 1),
        "update(id, meta)": (2, 2, 2),
        "detail(filters={property: value})": (2, 1, 1),
        "download(id)": (1, 1, 1),
        "add_member(id, project_id)": (1, 1, 1),
        "members(id)": (1, 1, 1),
        STORED: (),
        "delete(id)": (1, 1, 1),
        "show(id) after delete": (1, 1, 1),
    }


def test_plain_http_images_are_read_over_other_api(shown: Demonstration) -> None:
    crossed = {
        (one.reading.written_over, one.reading.read_over)
        for one in shown.reads
        if one.reading.server == "both"
    }
    assert crossed == {("v1", "v2"), ("v2", "v1")}


def _kind(service: ImageService, image_id: str) -> object:
    return service.discover(CONTEXT).api


def test_different_results_are_reported() -> None:
    steps = (*STEPS, Step("discover().api", _kind))
    [found] = demonstrate(steps=steps).differences
    assert found.where == "discover().api"
    assert found.values == {"v1 only": "v1", "v2 only": "v2", "both": "v2"}


def test_unexpected_dict_is_a_difference() -> None:
    found = demonstrate(expected={**EXPECTED, "min_disk": 3, "more": None}).differences
    assert len(found) == 2 * len(READINGS)
    assert {one.where for one in found} >= {
        "written over v1, read over v2: min_disk",
        "written over v2, read over v1: more",
    }
    assert found[0].values == {"expected": 3, "found": 2}


def test_changed_deviation_is_a_difference() -> None:
    wrong = [
        *(dataclasses.replace(one, over_v1="another") for one in EXAMPLES),
        *(dataclasses.replace(one, over_v2="another") for one in EXAMPLES),
    ]
    found = demonstrate(examples=wrong).differences
    assert len(found) == len(wrong)


def test_failure_on_one_server_is_a_difference() -> None:
    def act(service: ImageService, image_id: str) -> object:
        return service.update_member(CONTEXT, image_id, "nobody", "accepted")

    [found] = demonstrate(steps=(*STEPS, Step("update_member", act))).differences
    assert found.values == {
        "v1 only": "UnsupportedByVersion",
        "v2 only": "MemberNotFound",
        "both": "MemberNotFound",
    }


class Unequal(Demo):
    """A demo with different results on its servers."""

    @staticmethod
    def demonstrate() -> Demonstration:
        return demonstrate(steps=(*STEPS, Step("discover().api", _kind)))


def test_different_results_exit_1() -> None:
    outcome = run(io.StringIO(), Unequal)
    assert outcome.code == 1
    rows = [re.split(r" *│ *", line)[1:-1] for line in outcome.out.splitlines()]
    assert ["discover().api", "1", "1", "1", "DIFFERENT"] not in rows
    assert ["discover().api", "0", "0", "0", "DIFFERENT"] in rows
    assert ["discover().api", "v1 only", "'v1'"] in rows
    assert ["discover().api", "both", "'v2'"] in rows
    assert outcome.out.splitlines()[-1].startswith("DIFFERENT: 1 times")
    assert "EQUAL" not in outcome.out


def test_equal_results_exit_0() -> None:
    outcome = in_process("demo")
    assert (outcome.code, outcome.err) == (0, "")
    assert (
        "EQUAL: 11 results on each of 3 servers, and 4 images written with plain HTTP."
        in outcome.out
    )
    assert "DIFFERENT" not in outcome.out
    for part in ("v1 only", "because", "all requests", "written over", "Zoë's image"):
        assert part in outcome.out
    for example in EXAMPLES:
        assert f"│ {example.known.name} " in outcome.out


def test_demo_fits_80_columns(demo: type[Demo]) -> None:
    assert max(len(line) for line in run(io.StringIO(), demo).out.splitlines()) <= 80


def test_demo_output_in_ascii(demo: type[Demo]) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    outcome = run(stream, demo)
    assert outcome.code == 0
    assert "+---" in outcome.out
    assert "│" not in outcome.out


def test_only_terminal_gets_colours(demo: type[Demo], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32mEQUAL\x1b[0m" in run(Terminal(), demo).out
    assert "\x1b" not in run(io.StringIO(), demo).out


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", ""), ("TERM", "dumb")])
def test_environment_disables_colours(
    demo: type[Demo], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    outcome = run(Terminal(), demo)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out
