# SPDX-License-Identifier: Apache-2.0
"""Running commands, in this process and as programs."""

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

#: openstacksdk 4 warns of an option whether or not it is used; users are not shown it.
sdk_may_warn = pytest.mark.filterwarnings("ignore:Support for InfluxDB:PendingDeprecationWarning")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a failed command."""
        assert "Traceback" not in self.err
        [line] = self.err.splitlines()
        return line


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def clean_environment(home: Path) -> dict[str, str]:
    """The environment without any cloud in it, and with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def in_process(*argv: str) -> Outcome:
    """Run a command through cliff; what argparse itself writes is not captured."""
    out, err = io.StringIO(), io.StringIO()
    try:
        code = GlanceCompat(stdout=out, stderr=err).run(list(argv))
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Outcome(code, out.getvalue(), err.getvalue())


def program(environment: Mapping[str, str], *argv: str) -> Outcome:
    """Run ``glance-compat`` as a program of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "glance_compat.cli", *argv],
        env=dict(environment),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
