# SPDX-License-Identifier: Apache-2.0
"""The only retry policy: whether, how often, how long, and until when.

*Whether* is said by the error (:func:`is_transient`) and by the caller, who alone knows if a call
may be repeated. *How often and how long* are options. *Until when* is a :class:`Deadline`.
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

LOG = logging.getLogger("glance_compat")

Result = typing.TypeVar("Result")

#: Answers after which the same request may succeed (RFC 9110 and RFC 6585).
TRANSIENT_STATUS = frozenset({429, 502, 503, 504})


class Deadline:
    """A moment after which a call gives up; the clock is monotonic.

    :param seconds: from now on; None for never (transfers of data have a stall time-out instead).
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative; infinite without an end."""
        return float("inf") if self._end is None else max(0.0, self._end - time.monotonic())

    def check(self, what: str) -> None:
        """:raises glance_compat.exceptions.DeadlineExceeded: the moment has passed."""
        if not self.remaining():
            raise exceptions.DeadlineExceeded(
                f"{what} did not end within the deadline of {self.seconds:g} seconds"
            )


def is_transient(error: BaseException | None) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return False
    if isinstance(error, exceptions.GlanceConnectionFailed):
        return True
    return isinstance(error, exceptions.BadResponse) and error.status in TRANSIENT_STATUS


# ---------------------------------------------------------------------------------------------
# For metrics and for tests; of the whole process.


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """What a hook is told of an attempt that failed and will be made again.

    :param error: why it failed.
    :param attempt: its number, from 1.
    :param pause: seconds until the next.
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
    """Call these, in place of those before, whenever a failed attempt will be made again.

    They are called in the thread of the call, before the pause. What a hook raises is logged.
    """
    _PROCESS.hooks = tuple(hooks)


@contextlib.contextmanager
def without_pauses() -> Iterator[None]:
    """Make every attempt at once, in all threads; for tests of what uses the library."""
    before, _PROCESS.pauses = _PROCESS.pauses, False
    try:
        yield
    finally:
        _PROCESS.pauses = before


def _sleep(seconds: float) -> None:
    if _PROCESS.pauses:
        time.sleep(seconds)


def _tell_hooks(state: tenacity.RetryCallState) -> None:
    error = state.outcome and state.outcome.exception()
    said = Retrying(
        error=typing.cast(exceptions.GlanceCompatError, error),
        attempt=state.attempt_number,
        pause=state.upcoming_sleep if _PROCESS.pauses else 0.0,
    )
    for hook in _PROCESS.hooks:
        try:
            hook(said)
        except Exception:
            LOG.exception("a hook for retries failed")


# ---------------------------------------------------------------------------------------------
# How often and how long.


def repeat(
    call: Callable[[], Result],
    options: Options,
    deadline: Deadline,
    again: Callable[[BaseException], bool] = is_transient,
) -> Result:
    """Call until the call succeeds, fails for good, or attempts or time run out.

    :param again: whether an error permits another attempt; asked once for each error.
    :raises glance_compat.exceptions.DeadlineExceeded: the call failed temporarily, and the
        deadline has passed.
    :raises Exception: the last error of the call, as it is.
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
    """Like :func:`repeat`, for a call whose first attempt has failed already.

    :param failed: the error of the first attempt.
    """
    jitter = tenacity.wait_random_exponential(multiplier=0.5, max=options.backoff_max)

    def pause(state: tenacity.RetryCallState) -> float:
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return float(min(asked, options.backoff_max)) if asked is not None else jitter(state)

    def over(state: tenacity.RetryCallState) -> bool:
        no_time = state.upcoming_sleep >= deadline.remaining()
        return no_time or state.attempt_number >= options.max_attempts

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception(again),
        stop=over,
        wait=pause,
        sleep=_sleep,
        before_sleep=_tell_hooks,
        reraise=True,
    )
    for attempt in policy:
        with attempt, _told_apart(deadline):
            if attempt.retry_state.attempt_number == 1:
                raise failed
            return call()
    raise AssertionError("tenacity ended without an outcome")  # pragma: no cover


@contextlib.contextmanager
def _told_apart(deadline: Deadline) -> Iterator[None]:
    """Say of a failure at the end of the time that the time had come to its end."""
    try:
        yield
    except exceptions.GlanceCompatError as error:
        if not is_transient(error) or deadline.remaining():
            raise
        raise exceptions.DeadlineExceeded(
            f"{error}; the deadline of {deadline.seconds:g} seconds has passed",
            status=error.status,
            request_id=error.request_id,
            endpoint=error.endpoint,
            image_id=error.image_id,
        ) from error


# A server that is still reading a request when the connection is cut comes to its end later.
_SETTLING = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(5),
    wait=tenacity.wait_exponential(multiplier=0.05),
    reraise=True,
)


def until_found(call: Callable[[], object]) -> None:
    """Call until the image is found, for about a second.

    :raises glance_compat.exceptions.ImageNotFound: it was not found.
    """
    policy = _SETTLING.copy(retry=tenacity.retry_if_exception_type(exceptions.ImageNotFound))
    policy(call)


def until(call: Callable[[], Result], settled: Callable[[Result], bool]) -> Result:
    """Call until what it returns is settled, for about a second.

    :returns: the last that was returned, settled or not.
    """
    policy = _SETTLING.copy(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(call)


def awaited(
    call: Callable[[], Result], settled: Callable[[Result], bool], options: Options
) -> Result:
    """Call until what it returns is settled, for as long as a call may take.

    Each time, what fails for the moment or gives an answer that is none is called again.

    :returns: the last that was returned, settled or not.
    :raises Exception: what the call raised in all of its attempts.
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
