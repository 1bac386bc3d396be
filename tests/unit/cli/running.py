# SPDX-License-Identifier: Apache-2.0
"""Run commands, in this process or as programs."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from glance_compat.cli.app import GlanceCompat

#: Seconds after which a program hangs.
PATIENCE = 120

#: openstacksdk 4 always warns about an option; Python hides the warning from users.
sdk_may_warn = pytest.mark.filterwarnings("ignore:Support for InfluxDB:PendingDeprecationWarning")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error message of a failed command, which must be one line."""
        assert "Traceback" not in self.err
        [line] = self.err.splitlines()
        return line


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def clean_environment(home: Path) -> dict[str, str]:
    """Return the environment without cloud settings and with another home directory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def in_process(*argv: str) -> Outcome:
    """Run a command through cliff; the output of argparse is not captured."""
    out, err = io.StringIO(), io.StringIO()
    try:
        code = GlanceCompat(stdout=out, stderr=err).run(list(argv))
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def program(environment: Mapping[str, str], *argv: str) -> Outcome:
    """Run ``glance-compat`` as a program."""
    done = subprocess.run(
        [sys.executable, "-m", "glance_compat.cli", *argv],
        env=dict(environment),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
