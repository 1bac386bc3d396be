# SPDX-License-Identifier: Apache-2.0
"""``glance-compat discover``."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml

from glance_compat.discovery.versions import Discovery
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import in_process, sdk_may_warn

pytestmark = sdk_may_warn


def test_json_has_fields_of_discovery() -> None:
    with GlanceFixture(fault_injection=False) as glance:
        outcome = in_process("discover", "--endpoint", glance.url, "-f", "json")
    found = json.loads(outcome.out)
    assert list(found) == [one.name for one in dataclasses.fields(Discovery)]
    assert found["version"] == [2, 5]
    assert found["offered"][0] == {"id": "v2.5", "status": "CURRENT"}
    assert found["capabilities"] == sorted(found["capabilities"])
    assert "offers v1 and v2" in found["reason"]
    assert found["requests"] == 1


def test_yaml_equals_json() -> None:
    with GlanceFixture(fault_injection=False) as glance:
        argv = ("discover", "--endpoint", glance.url, "-f")
        assert yaml.safe_load(in_process(*argv, "yaml").out) == json.loads(
            in_process(*argv, "json").out
        )


def test_discover_table_is_readable() -> None:
    with GlanceFixture(fault_injection=False) as glance:
        outcome = in_process("discover", "--endpoint", f"{glance.url}/v2")
    assert outcome.code == 0
    lines = [line.strip("| ") for line in outcome.out.splitlines()]
    assert f"endpoint     | {glance.url}" in lines
    assert "version      | 2.5" in lines
    assert "v1.0 DEPRECATED" in {line.split("|")[-1].strip() for line in lines}
    assert not any(line.startswith("endpoints") for line in lines)


def test_pinned_version_has_no_minor() -> None:
    outcome = in_process("discover", "--endpoint", "http://127.0.0.1:1", "--api-version", "2")
    assert outcome.code == 0
    assert "2.(unknown)" in outcome.out
    assert "pinned" in outcome.out


@pytest.mark.parametrize("prefix", ["", "/image"])
def test_value_format_prints_one_value(prefix: str) -> None:
    with GlanceFixture(fault_injection=False, apis=("v1",), prefix=prefix) as glance:
        outcome = in_process("discover", "--endpoint", glance.url, "-f", "value", "-c", "api")
    assert (outcome.code, outcome.out) == (0, "v1\n")


def test_verbose_commands_say_which_api_they_use(glance: GlanceFixture) -> None:
    outcome = in_process("list", "-v", *options(glance))
    [line] = [one for one in outcome.err.splitlines() if one.startswith("Using Images API ")]
    assert glance.url in line
    assert "version document" in line
