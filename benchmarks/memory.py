# SPDX-License-Identifier: Apache-2.0
"""Peak memory of one call, in a process that has done nothing before but one call to warm up."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager

from benchmarks import rounds, tables
from benchmarks.jobs import JOBS
from benchmarks.rounds import Asked, Key
from benchmarks.targets import Target

#: Starts a subject.
Start = Callable[[Key], AbstractContextManager[Asked]]


def run(
    start: Start, names: Collection[str], target: Target, jobs: Collection[str]
) -> Iterator[tables.Table]:
    """Measure jobs one after the other and yield their tables."""
    for name in jobs:
        for api in target.apis:
            lines = [
                line
                for key in rounds.keys(names, [api])
                if (line := _line(start, key, name, target)) is not None
            ]
            if lines:
                header = ["subject", "peak, KiB", "peak, bytes an image", "process, MiB"]
                yield tables.Table(f"{JOBS[name].title}, {api}: memory", header, lines)


def _line(start: Start, key: Key, name: str, target: Target) -> list[str] | None:
    with start(key) as worker:
        if name not in worker.jobs:
            return None
        if "show" in worker.jobs:
            worker.order("show", 1)
        sample = worker.order(name, "memory")
    each = sample.peak / target.images if JOBS[name].per == "image" else 0
    resident = f"{sample.resident / 2**20:.0f}"
    return [key[0], f"{sample.peak / 1024:,.0f}", f"{each:,.0f}" if each else "-", resident]
