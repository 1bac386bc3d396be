# SPDX-License-Identifier: Apache-2.0
"""Output that cannot be written: a full disk, or streams that the parent process closed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from glance_compat import cli
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, in_process, sdk_may_warn

pytestmark = sdk_may_warn

FULL = Path("/dev/full")
has_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


@has_full
@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    "argv",
    [
        *("--version", "--help", "help", "list --help", "help list"),
        *("list", "list -f csv", "list -f json"),
    ],
)
def test_full_disk_under_stdout_is_one_line(
    argv: str,
    unbuffered: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = [{"name": "one"}]
    with GlanceFixture(fault_injection=False, images=images) as glance, FULL.open("w") as full:
        full.reconfigure(write_through=unbuffered)
        monkeypatch.setattr(sys, "stdout", full)
        assert cli.main([*options(glance), *argv.split()]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == "OutputError: cannot write the output: No space left on device"


@has_full
def test_full_disk_under_log_is_one_line() -> None:
    with GlanceFixture(fault_injection=False, images=[{"name": "one"}]) as glance:
        log = ("--debug", "--log-file", str(FULL))
        outcome = in_process("list", "-f", "value", "-c", "name", *log, *options(glance))
    # The rest of the command is done.
    assert (outcome.code, outcome.out) == (1, "one\n")
    assert outcome.err.splitlines()[-1] == (
        "OutputError: cannot write '/dev/full': No space left on device"
    )
    assert "Logging error" not in outcome.err


def test_log_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    outcome = in_process("list", "--log-file", str(tmp_path / "none" / "log"))
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("OutputError: cannot write ")
    assert outcome.error.endswith("/none/log': No such file or directory")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("closed", "code", "out", "err"),
    [
        (0, 0, "one\n", ""),
        (1, 1, "", "OutputError: cannot write the output: Bad file descriptor\n"),
        (2, 0, "one\n", ""),
    ],
)
def test_closed_standard_streams(
    environment: dict[str, str], closed: int, code: int, out: str, err: str
) -> None:
    with GlanceFixture(fault_injection=False, images=[{"name": "one"}]) as glance:
        argv = ["list", "-f", "value", "-c", "name", *options(glance)]
        script = f'exec "$@" {closed}>&-'
        done = subprocess.run(
            ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "glance_compat", *argv],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
