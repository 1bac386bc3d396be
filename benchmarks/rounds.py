# SPDX-License-Identifier: Apache-2.0
"""Interleaved rounds: every subject does the job once in each round, in turn."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from benchmarks import ratios, tables, targets
from benchmarks.jobs import JOBS, Job
from benchmarks.subjects import NO_API, SUBJECTS
from benchmarks.targets import Target
from benchmarks.worker import Sample

#: Subject and API.
Key = tuple[str, str]


class Asked(Protocol):
    """Whatever carries out orders for a subject."""

    jobs: Collection[str]

    def order(self, job: str, calls: int | str) -> Sample:
        """Carry out one order."""


class Process:
    """A subject in a process of its own; see :mod:`benchmarks.worker`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.jobs: Collection[str] = json.loads(self._line() or "[]")

    def order(self, job: str, calls: int | str) -> Sample:
        """Carry out one order.

        :param calls: how many, or "memory".
        :raises RuntimeError: the subject failed; what it wrote to stderr says why.
        """
        assert self._process.stdin is not None
        print(job, calls, file=self._process.stdin, flush=True)
        line = self._line()
        if not line:
            raise RuntimeError(f"{job} failed, see above: {self._process.args!r}")
        return Sample(**json.loads(line))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def worker_command(key: Key, target: Target, python: str) -> list[str]:
    """Return the command that runs a subject."""
    fields = json.dumps(dataclasses.asdict(target))
    return targets.command("worker", *key, fields, python=python)


@contextlib.contextmanager
def process(key: Key, target: Target, python: str = sys.executable) -> Iterator[Process]:
    """Start a subject; one that is not installed has no jobs."""
    with subprocess.Popen(
        worker_command(key, target, python),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=targets.environment(),
    ) as started:
        try:
            yield Process(started)
        finally:
            started.kill()


def keys(names: Collection[str], apis: Collection[str]) -> list[Key]:
    """Return the chosen subjects, each with the APIs that it speaks."""
    wanted = (*apis, NO_API)
    return [(name, api) for name in names for api in SUBJECTS[name].apis if api in wanted]


def measured(
    workers: Mapping[Key, Asked], job: Job, rounds: int, calls: int
) -> dict[Key, list[Sample]]:
    """Return the samples of all rounds; one call of each comes before, to warm it up."""
    able = {key: worker for key, worker in workers.items() if job.name in worker.jobs}
    for worker in able.values():
        worker.order(job.name, job.threads)
    found: dict[Key, list[Sample]] = {key: [] for key in able}
    for _ in range(rounds):
        for key, worker in able.items():
            found[key].append(worker.order(job.name, calls))
    return found


def units(job: Job, target: Target) -> float:
    """Return how many images or MiB one call handles; see :class:`Job`."""
    return {"call": 1.0, "image": target.images, "MiB": target.size / 2**20}[job.per]


def table(
    found: Mapping[Key, list[Sample]], job: Job, api: str, per_call: float
) -> tables.Table | None:
    """Return the table of one job and one API, or None where nobody did it.

    :param per_call: units in one order.
    """
    rows = {name: samples for (name, its), samples in found.items() if its in (api, NO_API)}
    if not any(its == api for _, its in found):
        return None
    floors = [names for names in job.against if set(names) <= set(rows)]
    heads = [f"{what} / {' or '.join(names)}" for names in floors for what in ("wall", "CPU")]
    figures = [f"{what}, us a {job.per}" for what in ("wall", "CPU", "CPU of the calling thread")]
    header = ["subject", *figures, *heads]
    lines = [
        [name, *_own(samples, per_call), *_ratios(samples, [[rows[n] for n in f] for f in floors])]
        for name, samples in rows.items()
    ]
    return tables.Table(f"{job.title}, {api}", header, lines)


def _own(samples: list[Sample], per_call: float) -> list[str]:
    return [
        f"{ratios.spread(figures).median / per_call * 1e6:.1f}"
        for figures in (
            [one.wall for one in samples],
            [one.cpu for one in samples],
            [one.caller for one in samples],
        )
    ]


def _ratios(samples: list[Sample], floors: list[list[list[Sample]]]) -> list[str]:
    cells: list[str] = []
    for floor in floors:
        walls = [[one.wall for one in of_round] for of_round in floor]
        cpus = [[one.cpu for one in of_round] for of_round in floor]
        cells.append(str(ratios.ratio([one.wall for one in samples], walls)))
        cells.append(str(ratios.ratio([one.cpu for one in samples], cpus)))
    return cells


def run(
    workers: Mapping[Key, Asked],
    target: Target,
    jobs: Collection[str],
    rounds: int,
    calls: int | None = None,
) -> Iterator[tables.Table]:
    """Measure jobs one after the other and yield their tables.

    :param calls: in one round; default: as many as the job says.
    """
    for name in jobs:
        job = JOBS[name]
        number = max(calls or job.calls, job.threads)
        found = measured(workers, job, rounds, number)
        for api in target.apis:
            made = table(found, job, api, units(job, target) * number)
            if made is not None:
                yield made
