# SPDX-License-Identifier: Apache-2.0
"""The only retry policy: whether a call is repeated, how often, after which pause, until when.

The error decides *whether* (:func:`is_transient`), together with the caller, which alone knows if
a call may be repeated. *How often* and the *pauses* are options. *Until when* is a
:class:`Deadline`.

What must live here: every pause and every repetition of a call. What must not: requests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
import typing
from collections.abc import Callable, Iterable, Iterator

import tenacity

from glance_compat import exceptions
from glance_compat.options import Options

LOG = logging.getLogger(__name__)

Result = typing.TypeVar("Result")

#: HTTP statuses after which the same request may succeed (RFC 9110 and RFC 6585).
TRANSIENT_STATUS = frozenset({429, 502, 503, 504})


class Deadline:
    """The time at which a call gives up, on the monotonic clock.

    :param seconds: from now; None for never (transfers of data have a stall timeout instead).
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never negative, and infinite if there is no end."""
        return float("inf") if self._end is None else max(0.0, self._end - time.monotonic())

    def check(self, subject: str) -> None:
        """Raise an error if the deadline has passed.

        :param subject: what did not finish, for the message.
        :raises glance_compat.exceptions.DeadlineExceeded: it has passed.
        """
        if not self.remaining():
            raise exceptions.DeadlineExceeded(self.exceeded(subject))

    def exceeded(self, subject: str) -> str:
        """Return the message about something that did not finish in time."""
        return (
            f"{subject} failed: it did not finish within the deadline of {self.seconds:g} s."
            " Check the endpoint, or raise the option deadline."
        )


def is_transient(error: BaseException | None) -> bool:
    """Return whether the same call may succeed a little later."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return False
    if isinstance(error, exceptions.GlanceConnectionFailed):
        return True
    return isinstance(error, exceptions.BadResponse) and error.status in TRANSIENT_STATUS


# ---------------------------------------------------------------------------------------------
# Process-wide, for metrics and for tests.


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """A failed attempt that will be repeated, as hooks receive it.

    :param error: why it failed.
    :param attempt: its number, from 1.
    :param pause: seconds until the next attempt.
    """

    error: exceptions.GlanceCompatError
    attempt: int
    pause: float


Hook = Callable[[Retrying], object]


@dataclasses.dataclass(slots=True)
class _Process:
    hooks: tuple[Hook, ...] = ()
    pauses: bool = True


_PROCESS = _Process()


def set_hooks(hooks: Iterable[Hook]) -> None:
    """Set the hooks that are called whenever a failed attempt will be repeated.

    They replace earlier ones. They are called in the thread of the call, before the pause. An
    exception that a hook raises is logged and otherwise ignored.
    """
    _PROCESS.hooks = tuple(hooks)


@contextlib.contextmanager
def without_pauses() -> Iterator[None]:
    """Repeat attempts without a pause, in all threads; for tests of programs.

    Only :func:`awaited` still pauses while a server works in the background.
    """
    before, _PROCESS.pauses = _PROCESS.pauses, False
    try:
        yield
    finally:
        _PROCESS.pauses = before


def _sleep(seconds: float) -> None:
    if _PROCESS.pauses:
        time.sleep(seconds)


def _call_hooks(state: tenacity.RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    retrying = Retrying(
        error=typing.cast(exceptions.GlanceCompatError, error),
        attempt=state.attempt_number,
        pause=state.upcoming_sleep if _PROCESS.pauses else 0.0,
    )
    for hook in _PROCESS.hooks:
        try:
            hook(retrying)
        except Exception:
            LOG.exception("A retry hook failed; the call goes on")


# ---------------------------------------------------------------------------------------------
# How often, and after which pause.


def repeat(
    call: Callable[[], Result],
    options: Options,
    deadline: Deadline,
    again: Callable[[BaseException], bool] = is_transient,
) -> Result:
    """Call until it succeeds, fails permanently, or attempts or time run out.

    :param again: whether an error permits another attempt; asked once for each error.
    :raises glance_compat.exceptions.DeadlineExceeded: the call failed temporarily, and the
        deadline has passed.
    :raises Exception: the last error of the call, unchanged.
    """
    try:
        return call()
    except BaseException as error:  # noqa: BLE001 - raised below, unless it permits another
        failed = error
    # Not in the except block: what fails later does not come from the first error.
    try:
        return repeat_after(failed, call, options, deadline, again)
    finally:
        # The traceback of the error leads here, a circle that would keep connections open.
        del failed


def repeat_after(
    failed: BaseException,
    call: Callable[[], Result],
    options: Options,
    deadline: Deadline,
    again: Callable[[BaseException], bool] = is_transient,
) -> Result:
    """Repeat a call whose first attempt has already failed, like :func:`repeat`.

    :param failed: the error of the first attempt.
    """
    jitter = tenacity.wait_random_exponential(multiplier=0.5, max=options.backoff_max)

    def pause(state: tenacity.RetryCallState) -> float:
        seconds = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return jitter(state) if seconds is None else float(min(seconds, options.backoff_max))

    def is_over(state: tenacity.RetryCallState) -> bool:
        no_time = state.upcoming_sleep >= deadline.remaining()
        return no_time or state.attempt_number >= options.max_attempts

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception(again),
        stop=is_over,
        wait=pause,
        sleep=_sleep,
        before_sleep=_call_hooks,
        reraise=True,
    )
    for attempt in policy:
        with attempt, _deadline_named(deadline):
            if attempt.retry_state.attempt_number == 1:
                raise failed
            return call()
    raise AssertionError("tenacity ended without an outcome")  # pragma: no cover


@contextlib.contextmanager
def _deadline_named(deadline: Deadline) -> Iterator[None]:
    """Turn a transient error that came at the deadline into DeadlineExceeded."""
    try:
        yield
    except exceptions.GlanceCompatError as error:
        if not is_transient(error) or deadline.remaining():
            raise
        raise exceptions.DeadlineExceeded(
            f"{error} It is not repeated: the deadline of {deadline.seconds:g} s has passed.",
            status=error.status,
            request_id=error.request_id,
            endpoint=error.endpoint,
            image_id=error.image_id,
        ) from error


# A server that was still reading a request when its connection was cut finishes it later.
_SETTLING = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(5),
    wait=tenacity.wait_exponential(multiplier=0.05),
    sleep=_sleep,
    reraise=True,
)


def until_found(call: Callable[[], object]) -> None:
    """Call until the image is found, for about a second.

    :raises glance_compat.exceptions.ImageNotFound: it was not found in that time.
    """
    policy = _SETTLING.copy(retry=tenacity.retry_if_exception_type(exceptions.ImageNotFound))
    policy(call)


def until(call: Callable[[], Result], settled: Callable[[Result], bool]) -> Result:
    """Call until the result is settled, for about a second.

    :param settled: returns whether a result is final.
    :returns: the last result, settled or not.
    """
    policy = _SETTLING.copy(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(call)


def awaited(
    call: Callable[[], Result], settled: Callable[[Result], bool], options: Options
) -> Result:
    """Call until the result is settled, within the option ``deadline``.

    Calls that fail with a transient error or a BadResponse are repeated.

    :param settled: returns whether a result is final.
    :returns: the last result, settled or not.
    :raises Exception: the error of the last attempt, if all attempts of a call failed.
    """
    deadline = Deadline(options.deadline)

    def again(error: BaseException) -> bool:
        return is_transient(error) or isinstance(error, exceptions.BadResponse)

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        stop=lambda state: state.upcoming_sleep >= deadline.remaining(),
        wait=tenacity.wait_exponential(multiplier=0.05, max=2),
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(lambda: repeat(call, options, deadline, again))
