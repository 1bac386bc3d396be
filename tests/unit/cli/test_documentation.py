# SPDX-License-Identifier: Apache-2.0
"""The commands in the documentation work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.running import PATIENCE, in_process, sdk_may_warn

pytestmark = sdk_may_warn

PAGE = (Path(__file__).parents[3] / "docs" / "cli.rst").read_text()
COMMANDS = re.findall(r"^    \$ glance-compat (.+)$", PAGE, re.MULTILINE)
WITHOUT_CLOUDS_YAML = [one for one in COMMANDS if "--os-cloud" not in one and "serve" not in one]
SILENT = {"deactivate", "delete", "hide", "member add", "save", "set", "supersede", "unset"}
PROPERTIES = {"os_type": "linux"}
IMAGE_FORMATS = {"disk_format": "raw", "container_format": "bare"}
IMAGE_ID = "70a599e0-31e7-49b7-b260-868f441e862b"
SUCCESSOR_ID = "a90b1f25-5d3e-4c52-9f63-7a08d1c2be44"


def test_page_shows_every_command() -> None:
    assert {shlex.split(one)[0] for one in WITHOUT_CLOUDS_YAML} == {
        *("create", "deactivate", "delete", "demo", "discover", "hide", "list", "member", "save"),
        *("set", "show", "stores", "supersede", "unset"),
    }


@pytest.mark.parametrize("line", WITHOUT_CLOUDS_YAML)
def test_documented_command_works(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    Path("disk.img").write_bytes(b"the data of a disk")
    image = {
        "id": IMAGE_ID,
        "name": "one",
        "data": b"the data of one",
        "properties": PROPERTIES,
        **IMAGE_FORMATS,
    }
    successor = {"id": SUCCESSOR_ID, "name": "two", "data": b"the data of two", **IMAGE_FORMATS}
    with GlanceFixture(release="33", images=[image, successor]) as glance:
        monkeypatch.setenv("OS_AUTH_TYPE", "admin_token")
        monkeypatch.setenv("OS_ENDPOINT", glance.url)
        # Only an admin may deactivate images.
        monkeypatch.setenv("OS_TOKEN", "admin:fixture-project:admin")
        argv = shlex.split(line.replace("http://127.0.0.1:9292", glance.url))
        outcome = in_process(*argv)
    says_format = outcome.err.startswith("disk_format: raw ") and argv[0] == "create"
    assert (outcome.code, outcome.err if not says_format else "") == (0, "")
    # Scripts need no output of a command that only changes something.
    assert bool(outcome.out.strip()) == (
        argv[0] not in SILENT and " ".join(argv[:2]) not in SILENT
    )


@pytest.mark.slow
def test_documented_script_works(environment: dict[str, str], tmp_path: Path) -> None:
    script = PAGE.split("shell script::\n")[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=tmp_path,
        env={**environment, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "url").read_text().startswith("http://127.0.0.1:")
