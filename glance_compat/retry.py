# SPDX-License-Identifier: Apache-2.0
"""The only retry policy: whether, how often, how long, and until when.

*Whether* is said by the error (:func:`is_transient`) and by the caller, who alone knows if a call
may be repeated. *How often and how long* are options. *Until when* is a :class:`Deadline`.
"""

from __future__ import annotations

import contextlib
import time
import typing
from collections.abc import Callable, Iterator

import tenacity

from glance_compat import exceptions
from glance_compat.options import Options

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


def repeat(call: Callable[[int], Result], options: Options, deadline: Deadline) -> Result:
    """Call until it succeeds, fails for good, or attempts or time run out.

    :param call: takes the number of the attempt, from 1.
    :raises glance_compat.exceptions.DeadlineExceeded: it failed for the moment, and time is over.
    :raises Exception: the last error of the call, as it is.
    """
    jitter = tenacity.wait_random_exponential(multiplier=0.5, max=options.backoff_max)

    def pause(state: tenacity.RetryCallState) -> float:
        asked = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return float(min(asked, options.backoff_max)) if asked is not None else jitter(state)

    def over(state: tenacity.RetryCallState) -> bool:
        no_time = state.upcoming_sleep >= deadline.remaining()
        return no_time or state.attempt_number >= options.max_attempts

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_transient),
        stop=over,
        wait=pause,
        reraise=True,
    )
    for attempt in policy:
        with attempt, _told_apart(deadline):
            return call(attempt.retry_state.attempt_number)
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


def until_found(call: Callable[[], object]) -> None:
    """Call until the image is found, for about a second.

    A server that is still reading a request when the connection is cut makes the record later.

    :raises glance_compat.exceptions.ImageNotFound: it was not found.
    """
    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(exceptions.ImageNotFound),
        stop=tenacity.stop_after_attempt(5),
        wait=tenacity.wait_exponential(multiplier=0.05),
        reraise=True,
    )
    policy(call)
