# SPDX-License-Identifier: Apache-2.0
"""``sync``: carry out the steps of a plan, several at a time.

What must live here: the workers, the order in which they begin, and the report. What must not: the
requests of one copy (see ``transfer``).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import threading
import typing
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

from glance_compat import exceptions
from glance_compat.copying.decisions import candidate_ids
from glance_compat.copying.steps import Job, Report, Step
from glance_compat.copying.transfer import Transfer
from glance_compat.copying.wanted import Wanted
from glance_compat.redaction import quote_value
from glance_compat.streams.streams import Progress

#: A function that is called with a step, the number of bytes sent so far, and the total or None.
StepProgress = Callable[[Step, int, "int | None"], object]


def sync(
    plan: Iterable[Step], *, workers: int = 4, progress: StepProgress | None = None
) -> Report:
    """Carry out the steps of a plan, several at a time.

    The failure of one image does not stop the others; it is in the report. An image whose kernel,
    or another image that its properties name, could not be copied is left for the next run. If a
    run is interrupted, a new plan finds what is left from the target alone. If the program itself
    is interrupted (Ctrl-C), the copies that have begun are cancelled and removed, and the
    exception is raised.

    :param plan: the steps that :func:`plan` has returned, or some of them.
    :param workers: maximum number of images that are copied at a time. Each needs one connection
        to each cloud, and memory for a few blocks of data.
    :param progress: a function that is called, in the threads of the workers, with the step, the
        number of bytes sent so far, and the total or None. If it raises an exception, all copies
        are cancelled, and ``sync`` raises it.
    :raises glance_compat.exceptions.Invalid: an argument is invalid.
    """
    steps = list(plan)
    if not all(isinstance(one, Step) and one.job is not None for one in steps):
        raise exceptions.Invalid("plan must be a list of steps that plan() has returned")
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise exceptions.Invalid(
            f"workers must be a whole number of at least 1, not {quote_value(workers)}"
        )
    if progress is not None and not callable(progress):
        raise exceptions.Invalid(f"progress must be callable, not {type(progress).__name__}")
    return _Run(steps, progress).execute(workers)


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """The outcome of one step.

    :param step: the step as it was carried out.
    :param error: the exception, or None.
    """

    step: Step
    error: exceptions.GlanceCompatError | None = None

    @property
    def has_copy(self) -> bool:
        """Whether the target now has the copy."""
        return self.error is None and self.step.action in ("copy", "update", "present")


class _Run:
    """The execution of a list of steps."""

    def __init__(self, steps: list[Step], progress: StepProgress | None) -> None:
        self._steps = steps
        self._progress = progress
        self._cancelled = threading.Event()
        self._futures: dict[tuple[int, str], Future[_Outcome]] = {}

    def execute(self, workers: int) -> Report:
        """Carry out all steps, and return the report."""
        futures = []
        with ThreadPoolExecutor(workers, thread_name_prefix="glance-compat-sync") as pool:
            try:
                for step in self._steps:
                    # A step needs only earlier ones, which the pool begins first.
                    future = pool.submit(self._carry_out, step, dict(self._futures_of(step)))
                    self._futures[_key_of(step)] = future
                    futures.append(future)
                concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_EXCEPTION)
                outcomes = [future.result() for future in _failed_first(futures)]
            except BaseException:
                self._cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        by_step = {_key_of(one.step): one for one in outcomes}
        ordered = [by_step[_key_of(step)] for step in self._steps]
        failed = {one.step.source_id: one.error for one in ordered if one.error is not None}
        return Report(tuple(one.step for one in ordered), failed)

    def _futures_of(self, step: Step) -> Iterable[tuple[str, Future[_Outcome]]]:
        """Yield the earlier steps whose copies a step names, by the id of their source."""
        job = _job_of(step)
        for other in job.named:
            future = self._futures.get((id(job.planned), other))
            if future is not None:
                yield other, future

    def _carry_out(self, step: Step, needed: dict[str, Future[_Outcome]]) -> _Outcome:
        """Carry out one step, in a thread of a worker."""
        try:
            outcomes = {other: future.result() for other, future in needed.items()}
            if self._cancelled.is_set():
                raise CancelledError
            return _Outcome(self._execute(step, outcomes))
        except exceptions.GlanceCompatError as error:
            return _Outcome(step, error)

    def _execute(self, step: Step, outcomes: dict[str, _Outcome]) -> Step:
        job = _job_of(step)
        if step.action in ("refused", "skipped"):
            return step
        comparison = job.planned.comparison
        transfer = Transfer(comparison.source, comparison.target, comparison.choices)
        for abandoned in job.decision.abandoned:
            transfer.remove_abandoned(abandoned)
        if step.action == "present":
            return step
        missing = [other for other, one in outcomes.items() if _has_failed(one)]
        needed = [other for other in missing if job.named[other]]
        if needed:
            reason = f"image {needed[0]}, which its properties name, could not be copied"
            return dataclasses.replace(step, action="skipped", reason=reason)
        ids = dict(job.planned.ids)
        ids |= {
            other: one.step.target_id
            for other, one in outcomes.items()
            if one.step.target_id is not None
        }
        ids = {other: copy for other, copy in ids.items() if other not in missing}
        wanted = comparison.with_ids(job.image, job.wanted.members, ids)
        if job.decision.existing is not None:
            updated = transfer.complete(job.decision.existing, wanted)
            return dataclasses.replace(step, target_id=updated["id"])
        return self._copy(step, job, transfer, wanted)

    def _copy(self, step: Step, job: Job, transfer: Transfer, wanted: Wanted) -> Step:
        """Copy an image, and report whether the source has changed since the plan was made."""
        source, target = job.planned.comparison.source, job.planned.comparison.target
        try:
            data = transfer.open(job.image)
        except (exceptions.NotFound, exceptions.ImageNotActive) as error:
            reason = f"the image has changed since the plan was made: {error}"
            return dataclasses.replace(step, action="skipped", target_id=None, reason=reason)
        taken = {job.image["id"]} - {step.target_id}
        ids = candidate_ids(job.image["id"], target.project, taken)
        with contextlib.closing(data):
            created = transfer.create(job.image, wanted, data, ids, self._progress_of(step))
        now = source.find_quickly(job.image["id"])
        if now is None or now["updated_at"] != job.image["updated_at"]:
            change = "was deleted" if now is None else "has changed"
            hint = f"the image {change} since the plan was made; plan again"
            reason = f"{step.reason}; {hint}" if step.reason else hint
            return dataclasses.replace(step, target_id=created["id"], reason=reason)
        return dataclasses.replace(step, target_id=created["id"])

    def _progress_of(self, step: Step) -> Progress:
        """Return the progress function of one copy, which also cancels it."""

        def report(done: int, total: int | None) -> None:
            if self._cancelled.is_set():
                raise CancelledError
            if self._progress is not None:
                self._progress(step, done, total)

        return report


def _failed_first(futures: list[Future[_Outcome]]) -> list[Future[_Outcome]]:
    """Return the futures, those first that have raised the exception of a caller's function."""
    return sorted(futures, key=lambda one: not (one.done() and one.exception()))


def _has_failed(outcome: _Outcome) -> bool:
    """Return whether an image that had to be copied was not, so that a later run may succeed."""
    planned = _job_of(outcome.step).decision.action
    return planned in ("copy", "update") and not outcome.has_copy


def _job_of(step: Step) -> Job:
    return typing.cast(Job, step.job)


def _key_of(step: Step) -> tuple[int, str]:
    return id(_job_of(step).planned), step.source_id
