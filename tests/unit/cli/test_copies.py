# SPDX-License-Identifier: Apache-2.0
"""``glance-compat copy`` and ``glance-compat sync``."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glance_compat.cli.app import GlanceCompat
from glance_compat.fixture import GlanceFixture
from glance_compat.fixture.faults import Status
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, Outcome, Terminal, in_process, sdk_may_warn

pytestmark = sdk_may_warn

ONE = "70a599e0-31e7-49b7-b260-868f441e862b"
TWO = "a90b1f25-5d3e-4c52-9f63-7a08d1c2be44"
FORMATS = {"disk_format": "raw", "container_format": "bare", "owner": "fixture-project"}
IMAGES: list[dict[str, Any]] = [
    {"id": ONE, "name": "one", "data": b"data of one", "properties": {"os": "x"}, **FORMATS},
    {"id": TWO, "name": "two", "data": b"data of two", "tags": ["t"], **FORMATS},
]


@pytest.fixture
def old() -> Iterator[GlanceFixture]:
    """Provide a cloud with v2 and two images."""
    with GlanceFixture(apis=("v2",), images=IMAGES) as running:
        yield running


@pytest.fixture(params=["v1", "v2"])
def new(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide an empty cloud with one API."""
    with GlanceFixture(apis=(request.param,)) as running:
        yield running


def is_v2(new: GlanceFixture) -> bool:
    return in_process("discover", *options(new), "-f", "value", "-c", "api").out == "v2\n"


def to(new: GlanceFixture) -> tuple[str, ...]:
    project = ("--to-os-token", "token", "--to-os-project-id", "fixture-project")
    return ("--to-endpoint", new.url, *project)


def run(old: GlanceFixture, new: GlanceFixture, *argv: str) -> Outcome:
    return in_process(*argv, *options(old), *to(new))


def rows(outcome: Outcome) -> dict[str, tuple[str, str]]:
    return {one["name"]: (one["action"], one["reason"]) for one in json.loads(outcome.out)}


def test_copy_shows_the_copy(old: GlanceFixture, new: GlanceFixture) -> None:
    outcome = run(old, new, "copy", "one", "-f", "json")
    assert (outcome.code, outcome.err) == (0, "")
    copy = json.loads(outcome.out)
    assert (copy["id"], copy["status"]) == (ONE, "active")
    assert copy["properties"] == {"os": "x", "glance_compat_source": ONE}
    assert new.images[ONE].data == b"data of one"


def test_copy_gets_a_chosen_id_or_fails(old: GlanceFixture, new: GlanceFixture) -> None:
    assert run(old, new, "copy", "one", "--id", TWO).code == 0
    assert new.images[TWO].data == b"data of one"
    in_process("delete", TWO, *options(new))
    assert run(old, new, "copy", "one", "--id", TWO).code == 1
    assert run(old, new, "copy", "one", "--keep-id", "--no-properties").code == 0
    assert new.images[ONE].properties == {"glance_compat_source": ONE}


def test_refused_image_is_exit_code_3(old: GlanceFixture, new: GlanceFixture) -> None:
    outcome = run(old, new, "copy", "two")
    if is_v2(new):
        assert outcome.code == 0
        return
    assert outcome.code == 3
    assert outcome.error.endswith("image has the tags t (tags)")
    assert new.images == {}
    assert run(old, new, "copy", "two", "--no-tags").code == 0


def test_sync_does_what_the_plan_shows(old: GlanceFixture, new: GlanceFixture) -> None:
    with_tags = is_v2(new)
    code = 0 if with_tags else 3
    dry = run(old, new, "sync", "--dry-run", "-f", "json")
    assert (dry.code, dry.err) == (code, "")
    assert rows(dry)["one"] == ("copy", "")
    assert rows(dry)["two"][0] == ("copy" if with_tags else "refused")
    assert new.images == {}
    assert run(old, new, "sync", "-f", "json") == dry
    again = run(old, new, "sync", "--workers", "1", "--no-tags", "-f", "json")
    assert again.code == 0
    assert rows(again) == {
        "one": ("present", ""),
        "two": ("present" if with_tags else "copy", ""),
    }


def test_sync_takes_the_images_that_filters_select(old: GlanceFixture, new: GlanceFixture) -> None:
    found = [
        rows(run(old, new, "sync", "--dry-run", "-f", "json", *argv)).keys()
        for argv in (
            ("--name", "one"),
            ("--property", "os=x"),
            ("--tag", "t"),
            ("--size-min", "1kB"),
            ("--disk-format", "raw"),
        )
    ]
    assert found == [{"one"}, {"one"}, {"two"}, set(), {"one", "two"}]


def test_failure_of_one_image_is_exit_code_1(old: GlanceFixture, new: GlanceFixture) -> None:
    old.faults.add(Status(403), method="GET", path=f"*{ONE}/file", times=None)
    outcome = run(old, new, "sync", "--no-tags", "-f", "json")
    assert outcome.code == 1
    action, reason = rows(outcome)["one"]
    assert action == "failed"
    assert "403" in reason
    assert rows(outcome)["two"] == ("copy", "")
    assert run(old, new, "sync", "--no-tags", "--name", "two", "-f", "json").code == 0


def test_update_is_an_option(old: GlanceFixture, new: GlanceFixture) -> None:
    assert run(old, new, "copy", "one").code == 0
    in_process("set", ONE, "--name", "mine", *options(new))
    assert rows(run(old, new, "sync", "--name", "one", "-f", "json"))["one"][0] == "skipped"
    assert new.images[ONE].name == "mine"
    run(old, new, "sync", "--name", "one", "--update")
    assert new.images[ONE].name == "one"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "choose the cloud that gets the copies"),
        (("--to-endpoint", "http://127.0.0.1:9", "--to-os-token", "y"), "need each other"),
        (("--to-endpoint", "http://127.0.0.1:9", "--source-property", "Own"), "source_property"),
        (("--to-endpoint", "http://127.0.0.1:9", "-c", "nam"), "Did you mean name?"),
    ],
)
def test_wrong_options_are_wrong_usage(
    old: GlanceFixture, argv: tuple[str, ...], message: str
) -> None:
    outcome = in_process("sync", *options(old), *argv)
    assert outcome.code == 2
    assert message in outcome.error


def test_token_of_the_source_never_goes_to_the_target(
    old: GlanceFixture, new: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_TOKEN", "secret")
    monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
    argv = ("sync", "--no-tags", "--endpoint", old.url, "--to-endpoint", new.url)
    assert in_process(*argv).code == 0
    assert old.requests[-1].headers["X-Auth-Token"] == "secret"
    assert not any("secret" in str(one.headers) for one in new.requests)
    # Whose the copies are is not known without a project.
    again = in_process(*argv)
    assert again.code == 1
    assert "the caller's project is unknown" in again.error


def test_target_is_a_cloud_of_clouds_yaml(
    old: GlanceFixture, new: GlanceFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = {
        "auth": {
            "auth_url": new.auth_url,
            "username": "demo",
            "password": "any",
            "project_name": "target",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
    }
    file = tmp_path / "two-clouds.yaml"
    file.write_text(json.dumps({"clouds": {"new": entry, "other": entry}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    # Variables choose the source only.
    monkeypatch.setenv("OS_REGION_NAME", "nowhere")
    outcome = in_process("copy", "one", *options(old), "--to-os-cloud", "new", "-f", "json")
    assert (outcome.err, outcome.code) == ("", 0)
    assert new.images[ONE].owner == json.loads(outcome.out)["owner"] != "fixture-project"


def test_each_copy_has_its_line_on_a_terminal(old: GlanceFixture, new: GlanceFixture) -> None:
    out, err = io.StringIO(), Terminal()
    argv = ["sync", "--no-tags", *options(old), *to(new)]
    assert GlanceCompat(stdout=out, stderr=err).run(argv) == 0
    assert ONE in err.getvalue()
    assert TWO in err.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.slow
def test_documented_playground_works(environment: dict[str, str], tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "copying.rst").read_text()
    block = page.split("a new one with Glance 33::\n")[1].split("\nThe last ``sync``")[0]
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", textwrap.dedent(block)],
        cwd=tmp_path,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    *_, one, two, three, machine, kernel = done.stdout.splitlines()
    assert sorted([one, two, three]) == [
        "present kernel",
        "present my%20machine",
        "refused reserved",
    ]
    assert kernel.startswith("kernel ")
    assert machine.startswith("my machine ")
    assert '"kernel_id": "aaaaaaaa-0000-4000-8000-00000000000a"' in machine
