# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial-cloud.rst: its commands print what the page shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.running import in_process, sdk_may_warn
from tests.unit.test_documentation import ROOT, blocks_of

pytestmark = sdk_may_warn

PAGE = ROOT / "docs" / "tutorial-cloud.rst"
BLOCKS = blocks_of(PAGE)
#: The files that the reader saves, in the order of their blocks.
FILES = list(
    zip(
        re.findall(r"Save this as ``(.+)``:", PAGE.read_text()),
        [one for one in BLOCKS if not one.startswith("$ ")],
        strict=True,
    )
)
#: Each command, and the output that the page shows for it.
COMMANDS = [
    (command, output.strip())
    for block in BLOCKS
    for command, output in re.findall(r"^\$ (.+)\n?((?:(?!\$ ).*\n?)*)", block, re.MULTILINE)
]
#: The exit codes of the audits; all other commands exit with 0.
CODES = [3, 0, 0, 0, 0]


def log_in(monkeypatch: pytest.MonkeyPatch, glance: GlanceFixture) -> None:
    """Set the variables of the openrc file."""
    monkeypatch.setenv("OS_AUTH_URL", glance.auth_url)
    for name in ("USERNAME", "PASSWORD", "PROJECT_NAME"):
        monkeypatch.setenv(f"OS_{name}", "fixture-project")
    for name in ("USER", "PROJECT"):
        monkeypatch.setenv(f"OS_{name}_DOMAIN_ID", "default")


def test_commands_print_what_the_page_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in FILES:
        Path(name).write_text(content)
    codes = iter(CODES)
    lines = [command for command, _ in COMMANDS]
    [serve] = [one for one in lines if " serve " in one]
    assert serve == "glance-compat serve --config cloud.yaml > url 2> openrc &"
    with GlanceFixture.from_file("cloud.yaml") as glance:
        log_in(monkeypatch, glance)
        for command, shown in COMMANDS[lines.index(". ./openrc") + 1 : lines.index("kill %1")]:
            program, *argv = shlex.split(command)
            if program == "glance-compat":
                done = in_process(*argv)
                assert done.code == (next(codes) if argv[0] == "audit" else 0), command
                said = [join(done.out, done.err), join(done.err, done.out)]
                assert shown in said, f"{command} prints:\n{said[0]}"
            elif program == "export":
                monkeypatch.setenv(*argv[0].split("="))
            elif program == "echo":
                Path(argv[2]).write_text(f"{argv[0]}\n")
            else:
                assert program == "cmp"
                first, second = argv
                assert Path(first).read_bytes() == Path(second).read_bytes()
    assert list(codes) == []


def join(first: str, second: str) -> str:
    """Return two outputs as a terminal shows them, without blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in (first + second).strip().splitlines())
