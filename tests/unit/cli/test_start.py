# SPDX-License-Identifier: Apache-2.0
"""The start of the program: what it imports, and Ctrl-C while it does."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from glance_compat.cli import commands
from tests.unit.cli.running import PATIENCE

#: Packages that --help and --version must not import: each takes as long as the rest of the start.
SLOW_PACKAGES = {
    *("requests", "urllib3", "keystoneauth1", "openstack", "prettytable", "rich", "tenacity"),
    *("glance_compat.service", "glance_compat.transport", "glance_compat.routing"),
}

IMPORTS = """
import json, sys
from glance_compat.cli import main
main(sys.argv[1:])
print(json.dumps(sorted(sys.modules)))
"""

#: Runs the program, and interrupts it during the import with this number since the call of main().
INTERRUPTED = """
import itertools, signal, sys
number = int(sys.argv.pop(1))
found = itertools.count()
begun = []

def interrupt(event, arguments):
    if event == "import":
        if arguments[0] == "glance_compat.cli.interrupts":
            begun.append(True)
        if begun and next(found) == number:
            signal.raise_signal(signal.SIGINT)

# A shell that starts this in the background has SIGINT ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(interrupt)
from glance_compat.cli import main
sys.exit(main())
"""


def test_summary_of_command_is_first_line_of_its_docstring() -> None:
    manager = commands.create_manager()
    for name, entry in commands.COMMANDS.items():
        found, _, _ = manager.find_command(name.split())
        assert entry.summary == (inspect.getdoc(found) or "").splitlines()[0].removesuffix(".")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_start_imports_no_slow_package(environment: dict[str, str], option: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, option],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert "glance-compat" in done.stdout
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "glance_compat.cli.app" in imported
    assert not imported & SLOW_PACKAGES


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 30, 200, 600])
def test_interrupt_during_an_import_is_one_line(
    environment: dict[str, str], number: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, str(number), "list", "--endpoint", "http://[::1]:1"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Interrupted\n")
