# SPDX-License-Identifier: Apache-2.0
"""One subject in one process: it does a job when a line on standard input names it.

The first line of output lists the jobs that the subject does; each further line is the sample
of one order. Between orders the process is idle, so that rounds can be interleaved.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import resource
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, TextIO

from benchmarks.jobs import JOBS, Job
from benchmarks.subjects import SUBJECTS
from benchmarks.targets import Target

Work = Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Sample:
    """What one order took.

    :ivar wall: seconds on the clock.
    :ivar cpu: seconds of the processor, of all threads of this process and not of the server.
    :ivar caller: those of the calling thread alone. With a second free processor, no job that
        hashes in a second thread takes less than the busier of its threads.
    :ivar peak: most bytes of Python objects at one time above those before; 0 when not traced.
    :ivar resident: most bytes that the process ever had in memory.
    """

    wall: float
    cpu: float
    peak: int = 0
    resident: int = 0
    caller: float = 0


def jobs_of(subject: object) -> list[str]:
    """Return the names of the jobs that a subject can do."""
    is_thread_safe = getattr(subject, "is_thread_safe", True)
    return [
        name
        for name, job in JOBS.items()
        if hasattr(subject, job.method) and (is_thread_safe or job.threads == 1)
    ]


def timed(subject: Any, job: Job, calls: int) -> Sample:
    """Do a job some times; what it leaves is removed after the clock has stopped."""
    work = getattr(subject, job.method)
    left: list[str] = []
    begun, busy, own = time.perf_counter(), time.process_time(), time.thread_time()
    if job.threads > 1:
        _threaded(work, calls // job.threads, job.threads)
    else:
        for _ in range(calls):
            made = work()
            if job.leaves_image:
                left.append(made)
    sample = Sample(
        time.perf_counter() - begun,
        time.process_time() - busy,
        caller=time.thread_time() - own,
    )
    if hasattr(subject, "delete"):
        for image_id in left:
            subject.delete(image_id)
    return sample


def _threaded(work: Work, calls: int, count: int) -> None:
    def repeat() -> None:
        for _ in range(calls):
            work()

    threads = [threading.Thread(target=repeat) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def traced(subject: Any, job: Job) -> Sample:
    """Do a job once and return the memory it takes, its result included."""
    work = getattr(subject, job.method)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    result = work()
    peak = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    del result
    return Sample(0, 0, peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def obey(subject: Any, orders: TextIO, output: TextIO) -> None:
    """Carry out orders, ``JOB CALLS`` or ``JOB memory``, until there are no more."""
    print(json.dumps(jobs_of(subject)), file=output, flush=True)
    for line in orders:
        name, calls = line.split()
        job = JOBS[name]
        gc.collect()
        sample = traced(subject, job) if calls == "memory" else timed(subject, job, int(calls))
        print(json.dumps(dataclasses.asdict(sample)), file=output, flush=True)


def main(name: str, api: str, target: str) -> int:
    """Create the subject and carry out the orders of standard input.

    :param target: a :class:`Target` as JSON.
    :returns: exit code; 3 when the subject is not installed.
    """
    subject = SUBJECTS[name]
    if not subject.is_installed():
        return 3
    fields = json.loads(target)
    fields["apis"] = tuple(fields["apis"])
    obey(subject.create(Target(**fields), api), sys.stdin, sys.stdout)
    return 0
