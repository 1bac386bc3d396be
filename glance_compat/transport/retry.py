# SPDX-License-Identifier: Apache-2.0
"""The retry policy of the library.

A call is retried if its error is transient (:func:`is_transient`) and the code that makes the call
permits it. The number of attempts and the delays are options, and a :class:`Deadline` limits the
total time.

What must live here: all retries, and all delays between them. What must not: requests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import email.utils
import logging
import re
import socket
import threading
import time
import typing
from collections.abc import Callable, Iterable, Iterator

import tenacity

from glance_compat import exceptions
from glance_compat.options import Options

LOG = logging.getLogger(__name__)

Result = typing.TypeVar("Result")

#: HTTP statuses of temporary failures, after which a retry may succeed (RFC 9110 and RFC 6585).
TRANSIENT_STATUS = frozenset({429, 502, 503, 504})

#: With the header Retry-After, the rate limit of older clouds and of some proxies (RFC 9110,
#: section 15.5.14); without it, a quota.
TOO_LARGE = 413


class Deadline:
    """The time, on the monotonic clock, until which a call must be complete.

    :param seconds: the number of seconds from now, or None for no limit. (Transfers of data have
        no deadline, but a stall timeout.)
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the number of seconds left: at least 0, or infinity without a limit."""
        return float("inf") if self._end is None else max(0.0, self._end - time.monotonic())

    def check(self, subject: str) -> None:
        """Raise an exception if the deadline has passed.

        :param subject: the description of the request, for the message.
        :raises glance_compat.exceptions.DeadlineExceeded: the deadline has passed.
        """
        if not self.remaining():
            raise exceptions.DeadlineExceeded(self.exceeded(subject))

    def exceeded(self, subject: str) -> str:
        """Return the message for a request that did not finish before the deadline.

        :param subject: the description of the request.
        """
        return (
            f"{subject} failed: it did not finish within the deadline of {self.seconds:g} s."
            " Check the endpoint, or raise the option deadline."
        )

    def begin_response(self, sock: object) -> None:
        """Note that a response is read from a socket; :meth:`end_response` ends that."""

    def end_response(self) -> None:
        """Note that no response is read any more. The socket may serve other calls now."""


class CancellableDeadline(Deadline):
    """A deadline that another thread can bring forward, which ends the call.

    :param seconds: as for :class:`Deadline`.
    """

    def __init__(self, seconds: float | None) -> None:
        super().__init__(seconds)
        self._changing = threading.Lock()
        self._socket: object = None

    def cancel(self) -> None:
        """Let the deadline pass now, and wake the thread that waits for a response.

        The socket of that response is shut down, so its connection is not used again.
        """
        with self._changing:
            self._end = time.monotonic()
            self.seconds = self.seconds or 0.0
            sock = self._socket
            # Not shutdown() of a TLS socket, which changes the object under the waiting thread.
            if isinstance(sock, socket.socket):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def begin_response(self, sock: object) -> None:
        with self._changing:
            self._socket = sock

    def end_response(self) -> None:
        with self._changing:
            self._socket = None


def is_transient(error: BaseException | None) -> bool:
    """Return whether an error is temporary, so that a retry may succeed."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return False
    if isinstance(error, exceptions.GlanceConnectionFailed):
        return error.is_transient
    if not isinstance(error, exceptions.BadResponse):
        return False
    is_rate_limit = error.status == TOO_LARGE and error.retry_after is not None
    return is_rate_limit or error.status in TRANSIENT_STATUS or error.may_pass


def parse_retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks the client to wait, or None.

    Its value is a number of seconds or an HTTP date (RFC 9110, section 10.2.3). Some servers send
    a decimal fraction.

    :param value: the value of the header, or None.
    :param date: the value of the header Date, with which an HTTP date is compared, or None for the
        clock of this host, which may differ from the server's.
    """
    if not value:
        return None
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value):
        return float(value)
    until = _parse_http_date(value)
    if until is None:
        return None
    now = _parse_http_date(date or "") or datetime.datetime.now(datetime.timezone.utc)
    return max(0.0, (until - now).total_seconds())


def _parse_http_date(value: str) -> datetime.datetime | None:
    """Parse an HTTP date in any of the three forms of RFC 9110, section 5.6.7."""
    if len(value) > _DATE_CHARACTERS:
        return None
    try:
        found = email.utils.parsedate_to_datetime(value)
        # Two of the forms may have no time zone; they are UTC.
        return found.replace(tzinfo=found.tzinfo or datetime.timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


#: Maximum length of a date that is parsed. HTTP dates have at most 33 characters.
_DATE_CHARACTERS = 64


# ---------------------------------------------------------------------------------------------
# Hooks and settings for the whole process, for metrics and for tests.


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """A failed attempt that will be retried; the argument of a retry hook.

    :param error: the exception of the attempt.
    :param attempt: the number of the attempt, starting at 1.
    :param pause: the delay before the next attempt, in seconds.
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
    """Set the hooks that are called before each retry; they replace all earlier hooks.

    A hook is called in the thread of the call, before the delay. If a hook raises an exception,
    the exception is logged and the call continues.

    :param hooks: functions whose argument is a :class:`Retrying`.
    """
    _PROCESS.hooks = tuple(hooks)


@contextlib.contextmanager
def without_pauses() -> Iterator[None]:
    """Retry without delays, in all threads of the process. For use in the tests of programs.

    Time limits for waiting still count the delays that are skipped.
    """
    before, _PROCESS.pauses = _PROCESS.pauses, False
    try:
        yield
    finally:
        _PROCESS.pauses = before


def _sleep(seconds: float) -> None:
    if _PROCESS.pauses:
        time.sleep(seconds)


def pause(seconds: float, options: Options, deadline: Deadline) -> None:
    """Wait as long as a server asks for, but no longer than the options and the deadline permit.

    :param seconds: the seconds of the header Retry-After.
    """
    _sleep(min(seconds, options.backoff_max, deadline.remaining()))


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
            LOG.exception("A retry hook failed; the call continues")


# ---------------------------------------------------------------------------------------------
# Retries.


def repeat(
    call: Callable[[], Result],
    options: Options,
    deadline: Deadline,
    again: Callable[[BaseException], bool] = is_transient,
) -> Result:
    """Make a call and return its result; retry it after errors that ``again`` permits.

    It is retried until the option ``max_attempts`` or the deadline is reached.

    :param call: the function to call.
    :param options: the options with the number of attempts and the maximum delay.
    :param deadline: limits the call with all its attempts.
    :param again: a function that returns whether a retry is permitted after an exception. It is
        called once for each exception.
    :raises glance_compat.exceptions.DeadlineExceeded: the call failed temporarily, and the
        deadline has passed.
    :raises Exception: the exception of the last attempt, unchanged.
    """
    try:
        return call()
    except BaseException as error:  # noqa: BLE001 - raised below, unless a retry is permitted
        failed = error
    # Outside the except block, so that later exceptions do not get this one as their context.
    try:
        return repeat_after(failed, call, options, deadline, again)
    finally:
        # Avoids a reference cycle through the traceback, which would keep connections open.
        del failed


def repeat_after(
    failed: BaseException,
    call: Callable[[], Result],
    options: Options,
    deadline: Deadline,
    again: Callable[[BaseException], bool] = is_transient,
) -> Result:
    """Retry a call whose first attempt has already failed; otherwise like :func:`repeat`.

    :param failed: the exception of the first attempt.
    """
    jitter = tenacity.wait_random_exponential(multiplier=0.5, max=options.backoff_max)

    def wait(state: tenacity.RetryCallState) -> float:
        seconds = getattr(state.outcome and state.outcome.exception(), "retry_after", None)
        return jitter(state) if seconds is None else float(min(seconds, options.backoff_max))

    def is_over(state: tenacity.RetryCallState) -> bool:
        no_time = state.upcoming_sleep >= deadline.remaining()
        return no_time or state.attempt_number >= options.max_attempts

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_exception(again),
        stop=is_over,
        wait=wait,
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
    """Convert a transient error to DeadlineExceeded if the deadline has passed."""
    try:
        yield
    except exceptions.GlanceCompatError as error:
        if not is_transient(error) or deadline.remaining():
            raise
        raise exceptions.DeadlineExceeded(
            f"{error} The call was not retried: the deadline of {deadline.seconds:g} s has"
            " passed.",
            status=error.status,
            request_id=error.request_id,
            endpoint=error.endpoint,
            image_id=error.image_id,
        ) from error


#: Longest pause between two GETs of an image whose data the server is still storing, in seconds.
_LONGEST_LOOK = 15.0

# After a lost connection, a server may complete the request a little later.
_SETTLING = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(5),
    wait=tenacity.wait_exponential(multiplier=0.05),
    sleep=_sleep,
    reraise=True,
)


def until_found(call: Callable[[], object]) -> None:
    """Repeat a call for about a second, until it does not raise ImageNotFound.

    :raises glance_compat.exceptions.ImageNotFound: the image was not found in that time.
    """
    policy = _SETTLING.copy(retry=tenacity.retry_if_exception_type(exceptions.ImageNotFound))
    policy(call)


def until(call: Callable[[], Result], settled: Callable[[Result], bool]) -> Result:
    """Repeat a call for about a second, until its result is final.

    :param settled: a function that returns whether a result is final.
    :returns: the last result, final or not.
    """
    policy = _SETTLING.copy(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(call)


def until_settled(
    call: Callable[[], Result],
    settled: Callable[[Result], bool],
    seconds: float,
    *,
    first: float = 1.0,
) -> Result:
    """Repeat a call, with growing pauses, until its result is final or the time is over.

    :param settled: a function that returns whether a result is final.
    :param seconds: the time limit, in seconds; with 0 the call is made once. A call is not
        interrupted by it, and the last pause may exceed it by less than ``first``.
    :param first: the first pause, in seconds. Each pause is twice the one before, up to 15 s.
    :returns: the last result, final or not.
    """
    left = _time_left(Deadline(seconds), seconds)
    growing = tenacity.wait_exponential(multiplier=first, max=_LONGEST_LOOK)
    policy = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        stop=lambda state: left(state) <= 0,
        wait=lambda state: min(growing(state), max(first, left(state))),
        sleep=_sleep,
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(call)


def _time_left(deadline: Deadline, seconds: float) -> Callable[[tenacity.RetryCallState], float]:
    """Return a function that returns the seconds left; skipped pauses count as elapsed time."""
    return lambda state: min(deadline.remaining(), seconds - state.idle_for)


def awaited(
    call: Callable[[], Result], settled: Callable[[Result], bool], options: Options
) -> Result:
    """Repeat a call until its result is final, but no longer than the option ``deadline``.

    A call that raises a transient error or a BadResponse is retried.

    :param settled: a function that returns whether a result is final.
    :returns: the last result, final or not.
    :raises Exception: the exception of the last attempt, if all attempts of a call failed.
    """
    deadline = Deadline(options.deadline)
    left = _time_left(deadline, options.deadline)

    def again(error: BaseException) -> bool:
        return is_transient(error) or isinstance(error, exceptions.BadResponse)

    policy = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda found: not settled(found)),
        stop=lambda state: state.upcoming_sleep >= left(state),
        wait=tenacity.wait_exponential(multiplier=0.05, max=2),
        sleep=_sleep,
        retry_error_callback=lambda state: typing.cast(tenacity.Future, state.outcome).result(),
    )
    return policy(lambda: repeat(call, options, deadline, again))
