# SPDX-License-Identifier: Apache-2.0
"""Run commands, in this process or as programs."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


@dataclasses.dataclass(frozen=True)
class BinaryOutcome:
    """The result of a command that may read data from stdin and write data to stdout."""

    code: int
    data: bytes
    err: str

    @property
    def error(self) -> str:
        """The error message of a failed command, which must be one line."""
        return Outcome(self.code, "", self.err).error


class Pipe(io.RawIOBase):
    """A stream that cannot be rewound.

    :param blocks: what each read returns. An exception among them is raised.
    """

    def __init__(self, *blocks: bytes | BaseException) -> None:
        self._blocks = list(blocks)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._blocks:
            return 0
        block = self._blocks.pop(0)
        if isinstance(block, BaseException):
            raise block
        part = block[: len(target)]
        if block[len(part) :]:
            self._blocks.insert(0, block[len(part) :])
        target[: len(part)] = part
        return len(part)


def with_data(*argv: str, stdin: io.IOBase | None = None) -> BinaryOutcome:
    """Run a command as :func:`in_process` does, with binary streams."""
    written, err = io.BytesIO(), io.StringIO()
    source = io.BufferedReader(stdin) if isinstance(stdin, io.RawIOBase) else stdin
    out = io.TextIOWrapper(written, write_through=True)
    into = io.TextIOWrapper(typing.cast(typing.IO[bytes], source or io.BytesIO()))
    code = GlanceCompat(stdout=out, stderr=err, stdin=into).run(list(argv))
    # Otherwise the streams are closed with their wrappers.
    into.detach(), out.detach()
    return BinaryOutcome(code, written.getvalue(), err.getvalue())
