# SPDX-License-Identifier: Apache-2.0
"""Instructions per call under valgrind: what other work on the machine does not change.

Each subject runs twice, with few and with more calls. The difference is what the calls cost
without the start of the process. Only instructions in user mode count, of the client alone:
neither the kernel nor the server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterator

from benchmarks import rounds, tables, targets
from benchmarks.jobs import JOBS, Job
from benchmarks.rounds import Key
from benchmarks.targets import Target

#: Calls in both runs: the first one discovers and connects.
_WARM = 1

_COUNT = re.compile(r"I +refs: +([\d,]+)")

#: Calls that count, where one call does not last.
_CALLS = {"show": 50}

Count = Callable[[Key, Job, int], int | None]


def is_available() -> bool:
    """Return whether valgrind is installed."""
    return shutil.which("valgrind") is not None


def count_of(report: str) -> int:
    """Return the instructions that a report of cachegrind names.

    :raises ValueError: it names none.
    """
    found = _COUNT.search(report)
    if found is None:
        raise ValueError(f"cachegrind reported no instructions: {report[-500:]}")
    return int(found.group(1).replace(",", ""))


def counter(target: Target, python: Callable[[str], str]) -> Count:
    """Return what counts the instructions of a subject from its start to its end.

    :param python: the interpreter of a subject.
    """

    def count(key: Key, job: Job, calls: int) -> int | None:
        options = ["--tool=cachegrind", "--cache-sim=no", f"--cachegrind-out-file={os.devnull}"]
        finished = subprocess.run(
            ["valgrind", *options, *rounds.worker_command(key, target, python(key[0]))],
            input=f"{job.name} {calls}\n",
            capture_output=True,
            text=True,
            check=False,
            env=targets.environment(),
        )
        able = job.name in finished.stdout.partition("\n")[0]
        if finished.returncode and able:
            raise RuntimeError(finished.stderr[-2000:])
        return count_of(finished.stderr) if able else None

    return count


def per_call(count: Count, key: Key, job: Job) -> float | None:
    """Return the instructions of one call, or None where the subject does not do the job."""
    few = count(key, job, _WARM)
    if few is None:
        return None
    calls = _CALLS.get(job.name, 1)
    more = count(key, job, _WARM + calls)
    assert more is not None
    return (more - few) / calls


def table(found: dict[str, float], job: Job, api: str, units: float) -> tables.Table:
    """Return the table of one job and one API.

    :param found: subject to instructions per call.
    :param units: see :func:`benchmarks.rounds.units`.
    """
    floors = [name for names in job.against for name in names if name in found]
    header = ["subject", f"instructions a {job.per}", *(f"/ {name}" for name in floors)]
    lines = [
        [name, f"{value / units:,.0f}", *(f"{value / found[floor]:.2f}" for floor in floors)]
        for name, value in found.items()
    ]
    return tables.Table(f"{job.title}, {api}: instructions", header, lines)


def run(
    count: Count, names: Collection[str], target: Target, jobs: Collection[str]
) -> Iterator[tables.Table]:
    """Count jobs one after the other and yield their tables."""
    for name in jobs:
        job = JOBS[name]
        for api in target.apis:
            counted = {key[0]: per_call(count, key, job) for key in rounds.keys(names, [api])}
            found = {subject: value for subject, value in counted.items() if value is not None}
            if found:
                yield table(found, job, api, rounds.units(job, target))
