# SPDX-License-Identifier: Apache-2.0
"""Whole programs: imports, the start of the command line, and the audit of all images."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import ratios, tables, targets
from benchmarks.targets import Target
from benchmarks.worker import Sample

_BARE_CLIFF = (
    "import sys; from cliff.app import App; from cliff.commandmanager import CommandManager;"
    "sys.exit(App('x', '1', CommandManager('x')).run(['--version']))"
)

#: Statement to title; the first is what the others are compared with.
IMPORTS = {
    "keystoneauth1 and tenacity": "import keystoneauth1.session, tenacity",
    "python": "pass",
    "glance_compat": "import keystoneauth1.session, tenacity, glance_compat",
    "glance_compat.ImageService": "from glance_compat import ImageService",
    "python-glanceclient": "import glanceclient.v2.client",
    "openstacksdk": "import openstack",
}

#: The same for command lines.
STARTS = {
    "bare cliff": ["-c", _BARE_CLIFF],
    "glance-compat": ["-m", "glance_compat.cli", "--version"],
    "openstack": ["-m", "openstackclient.shell", "--version"],
}


def ran(arguments: Sequence[str], allowed: Sequence[int] = (0,)) -> Sample:
    """Run a Python program to its end.

    :param allowed: exit codes of success.
    :raises subprocess.CalledProcessError: it ended with another.
    """
    program = [sys.executable, *arguments]
    begun = time.perf_counter()
    with subprocess.Popen(
        program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=targets.environment()
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise subprocess.CalledProcessError(process.returncode, program)
    cpu = usage.ru_utime + usage.ru_stime
    return Sample(time.perf_counter() - begun, cpu, resident=usage.ru_maxrss * 1024)


def _compared(title: str, commands: Mapping[str, Sequence[str]], rounds: int) -> tables.Table:
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, arguments in commands.items():
            samples[name].append(ran(arguments))
    first = next(iter(commands))
    floor = [one.cpu for one in samples[first]]
    lines = []
    for name, found in samples.items():
        cpus = [one.cpu for one in found]
        above = [own - other for own, other in zip(cpus, floor, strict=True)]
        walls = ratios.spread([one.wall for one in found]).median
        lines.append(
            [
                name,
                f"{walls * 1e3:.0f}",
                f"{ratios.spread(cpus).median * 1e3:.0f}",
                f"{ratios.spread(above).median * 1e3:+.0f}",
                str(ratios.ratio(cpus, [floor])),
            ]
        )
    header = ["program", "wall, ms", "CPU, ms", f"CPU above {first}, ms", f"CPU / {first}"]
    return tables.Table(title, header, lines)


def starts(rounds: int) -> Iterator[tables.Table]:
    """Measure imports and the start of command lines."""
    statements = {name: ["-c", statement] for name, statement in IMPORTS.items()}
    yield _compared("Imports", statements, rounds)
    yield _compared("Command lines, --version", STARTS, rounds)


def audit(target: Target, rounds: int) -> tables.Table:
    """Audit all images over all APIs of an endpoint."""
    options = ["--os-auth-type", "admin_token", "--endpoint", target.url]
    options += ["--os-token", target.token]
    command = ["-m", "glance_compat.cli", *options, "audit", "-f", "csv"]
    samples = [ran(command, allowed=(0, 3)) for _ in range(rounds)]
    cpu = ratios.spread([one.cpu for one in samples])
    wall = ratios.spread([one.wall for one in samples])
    resident = max(one.resident for one in samples) / 2**20
    header = ["images", "wall, s", "CPU, s", "process, MiB"]
    lines = [[f"{target.images:,}", str(wall), str(cpu), f"{resident:.0f}"]]
    return tables.Table("Audit, glance-compat audit -f csv", header, lines)
