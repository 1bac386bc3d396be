# SPDX-License-Identifier: Apache-2.0
"""retry: conditions, number of attempts and deadlines. The maximum delay is 0."""

from __future__ import annotations

import time
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat import exceptions
from glance_compat.exceptions import (
    BadResponse,
    DeadlineExceeded,
    GlanceCompatError,
    GlanceConnectionFailed,
    ImageNotFound,
)
from glance_compat.options import Options
from glance_compat.transport import retry
from glance_compat.transport.retry import Deadline, Retrying, is_transient, repeat

AT_ONCE = Options(backoff_max=0)
NEVER = Deadline(None)


class Calls:
    """A call with preset outcomes, of which the last one repeats."""

    def __init__(self, *outcomes: BaseException | str) -> None:
        self.outcomes = outcomes
        self.attempts: list[int] = []

    def __call__(self) -> str:
        outcome = self.outcomes[min(len(self.attempts), len(self.outcomes) - 1)]
        self.attempts.append(len(self.attempts) + 1)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def busy(status: int = 503, retry_after: float | None = None) -> BadResponse:
    error = BadResponse("busy", status=status)
    error.retry_after = retry_after
    return error


def cut() -> GlanceConnectionFailed:
    return GlanceConnectionFailed("cut")


# ---------------------------------------------------------------------------------------------
# Conditions of a retry.


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_statuses_are_transient(status: int) -> None:
    assert is_transient(busy(status))


@hypothesis.given(status=strategies.none() | strategies.integers(100, 599))
def test_other_statuses_are_not_transient(status: int | None) -> None:
    assert is_transient(BadResponse("no", status=status)) == (status in {429, 502, 503, 504})


@pytest.mark.parametrize("retry_after", [0, 0.5, 60])
def test_413_with_retry_after_is_transient(retry_after: float) -> None:
    assert is_transient(busy(413, retry_after))
    assert not is_transient(busy(413))
    assert not is_transient(busy(500, retry_after))


def test_failed_connection_is_transient() -> None:
    assert is_transient(cut())
    assert not is_transient(DeadlineExceeded("late"))
    assert not is_transient(None)


ALL_ERRORS = [
    kind
    for kind in vars(exceptions).values()
    if isinstance(kind, type) and issubclass(kind, GlanceCompatError)
]


def error_of(kind: type[GlanceCompatError], status: int | None) -> GlanceCompatError:
    if kind is exceptions.UnsupportedByVersion:
        return exceptions.UnsupportedByVersion("a", "b")
    return kind("no", status=status)


def test_only_these_errors_are_transient() -> None:
    statuses = (None, 429, 500, 503)
    found = {
        (kind, status)
        for kind in ALL_ERRORS
        for status in statuses
        if is_transient(error_of(kind, status))
    }
    lost = {(GlanceConnectionFailed, status) for status in statuses}
    assert found == {*lost, (BadResponse, 429), (BadResponse, 503)}


@pytest.mark.parametrize("error", [ConnectionError(), TimeoutError(), OSError(), KeyError("a")])
def test_foreign_errors_are_not_transient(error: Exception) -> None:
    assert not is_transient(error)


# ---------------------------------------------------------------------------------------------
# Number of attempts.


def test_successful_call_is_made_once() -> None:
    calls = Calls("done")
    assert repeat(calls, AT_ONCE, NEVER) == "done"
    assert calls.attempts == [1]


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_attempts_are_numbered(failures: int) -> None:
    calls = Calls(*[busy()] * failures, "done")
    assert repeat(calls, AT_ONCE, NEVER) == "done"
    assert calls.attempts == list(range(1, failures + 2))


@pytest.mark.parametrize("attempts", [1, 2, 4, 7])
def test_attempts_are_bounded(attempts: int) -> None:
    last = cut()
    calls = Calls(*[busy()] * (attempts - 1), last)
    with pytest.raises(GlanceConnectionFailed) as caught:
        repeat(calls, Options(backoff_max=0, max_attempts=attempts), NEVER)
    assert caught.value is last
    assert calls.attempts == list(range(1, attempts + 1))


@pytest.mark.parametrize(
    "error",
    [
        ImageNotFound("gone", status=404),
        BadResponse("broken", status=500),
        DeadlineExceeded("late"),
        exceptions.OutcomeUnknown("lost"),
        exceptions.IntegrityError("short"),
        exceptions.DataSourceError("unreadable"),
        KeyError("foreign"),
        KeyboardInterrupt(),
        SystemExit(3),
    ],
    ids=lambda error: type(error).__name__,
)
def test_permanent_error_is_not_repeated(error: BaseException) -> None:
    calls = Calls(error, "done")
    with pytest.raises(type(error)) as caught:
        repeat(calls, AT_ONCE, NEVER)
    assert caught.value is error
    assert calls.attempts == [1]


def test_permanent_error_ends_the_attempts() -> None:
    calls = Calls(busy(), ImageNotFound("gone"), "done")
    with pytest.raises(ImageNotFound):
        repeat(calls, AT_ONCE, NEVER)
    assert calls.attempts == [1, 2]


@pytest.mark.parametrize("result", [None, False, 0, "", busy()])
def test_any_result_is_a_success(result: object) -> None:
    assert repeat(lambda: result, AT_ONCE, NEVER) is result


# ---------------------------------------------------------------------------------------------
# Delays and deadlines.


@pytest.mark.parametrize("asked", [0, 0.5, 3600, 999_999])
def test_retry_after_is_capped_by_backoff_max(asked: float) -> None:
    begun = time.monotonic()
    calls = Calls(busy(429, retry_after=asked), busy(retry_after=asked), "done")
    assert repeat(calls, AT_ONCE, Deadline(30)) == "done"
    assert calls.attempts == [1, 2, 3]
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("asked", [60, 3600])
def test_pause_beyond_the_deadline_is_not_begun(asked: float) -> None:
    begun = time.monotonic()
    refused = busy(retry_after=asked)
    calls = Calls(refused, "done")
    with pytest.raises(BadResponse) as caught:
        repeat(calls, Options(backoff_max=1000), Deadline(50))
    assert caught.value is refused
    assert calls.attempts == [1]
    assert time.monotonic() - begun < 10


def test_passed_deadline_ends_the_attempts() -> None:
    deadline = Deadline(0)
    calls = Calls(cut(), "done")
    with pytest.raises(DeadlineExceeded) as caught:
        repeat(calls, AT_ONCE, deadline)
    assert calls.attempts == [1]
    assert isinstance(caught.value.__cause__, GlanceConnectionFailed)


def test_deadline_without_seconds_never_passes() -> None:
    assert NEVER.remaining() == float("inf")
    NEVER.check("a transfer")


@hypothesis.given(seconds=strategies.floats(min_value=0.001, max_value=1e9))
def test_remaining_time_decreases(seconds: float) -> None:
    deadline = Deadline(seconds)
    first, second = deadline.remaining(), deadline.remaining()
    assert 0 <= second <= first <= seconds * (1 + 1e-6)


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_remaining_time_is_never_negative(seconds: float) -> None:
    deadline = Deadline(seconds)
    assert deadline.remaining() == 0
    with pytest.raises(DeadlineExceeded, match=f"the call .*{seconds:g} s"):
        deadline.check("the call")


def test_check_passes_before_the_deadline() -> None:
    deadline = Deadline(3600)
    deadline.check("the call")
    assert 3590 < deadline.remaining() <= 3600


# ---------------------------------------------------------------------------------------------
# Waiting for an image.


def test_found_image_is_requested_once() -> None:
    calls = Calls("found")
    retry.until_found(calls)
    assert len(calls.attempts) == 1


def test_image_that_appears_later_is_awaited() -> None:
    calls = Calls(ImageNotFound("not yet"), "found")
    retry.until_found(calls)
    assert len(calls.attempts) == 2


def test_only_a_missing_image_is_awaited() -> None:
    calls = Calls(busy(), "found")
    with pytest.raises(BadResponse):
        retry.until_found(calls)
    assert len(calls.attempts) == 1


# ---------------------------------------------------------------------------------------------
# Until the server has settled.


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collect the pauses; the clock stands still meanwhile."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def is_active(status: str) -> bool:
    return status == "active"


def test_final_result_needs_no_second_request(slept: list[float]) -> None:
    assert retry.until_settled(Calls("active"), is_active, 600) == "active"
    assert slept == []


def test_pauses_grow_from_1_to_15_seconds(slept: list[float]) -> None:
    calls = Calls(*["saving"] * 7, "active")
    assert retry.until_settled(calls, is_active, 600) == "active"
    assert slept == [1, 2, 4, 8, 15, 15, 15]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, []), (0.5, [1]), (5, [1, 2, 2]), (31.5, [1, 2, 4, 8, 15, 1.5])]
)
def test_wait_ends_with_a_last_get(
    slept: list[float], seconds: float, expected: list[float]
) -> None:
    calls = Calls("saving")
    assert retry.until_settled(calls, is_active, seconds) == "saving"
    assert slept == pytest.approx(expected, abs=0.5)
    assert all(1 <= pause <= 15 for pause in slept)
    assert len(calls.attempts) == len(expected) + 1


def test_wait_for_the_server_ends_without_pauses(slept: list[float]) -> None:
    calls = Calls("saving")
    with retry.without_pauses():
        assert retry.until_settled(calls, is_active, 600) == "saving"
    assert 40 < len(calls.attempts) < 50
    assert slept == []


def test_background_work_is_awaited_without_pauses(slept: list[float]) -> None:
    calls = Calls("importing")
    with retry.without_pauses():
        assert retry.awaited(calls, is_active, Options(deadline=180)) == "importing"
    assert 80 < len(calls.attempts) < 110
    assert slept == []


# ---------------------------------------------------------------------------------------------
# Hooks, and the test mode without delays.


@pytest.fixture
def told() -> Iterator[list[Retrying]]:
    """Provide the arguments that a hook received."""
    found: list[Retrying] = []
    retry.set_hooks([found.append])
    yield found
    retry.set_hooks([])


def test_hook_gets_every_repeated_attempt(told: list[Retrying]) -> None:
    first, second = busy(), cut()
    assert repeat(Calls(first, second, "done"), AT_ONCE, NEVER) == "done"
    assert [(one.error, one.attempt, one.pause) for one in told] == [(first, 1, 0), (second, 2, 0)]


def test_hook_does_not_get_the_last_failure(told: list[Retrying]) -> None:
    with pytest.raises(BadResponse):
        repeat(Calls(busy()), Options(max_attempts=3, backoff_max=0), NEVER)
    assert [one.attempt for one in told] == [1, 2]
    with pytest.raises(ImageNotFound):
        repeat(Calls(ImageNotFound("gone")), AT_ONCE, NEVER)
    assert len(told) == 2


def test_failing_hook_is_logged_and_ignored(
    told: list[Retrying], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(said: Retrying) -> None:
        raise KeyError("of the hook")

    retry.set_hooks([broken, told.append])
    assert repeat(Calls(busy(), "done"), AT_ONCE, NEVER) == "done"
    assert len(told) == 1
    assert "A retry hook failed; the call continues" in caplog.text


def test_without_pauses_does_not_wait(told: list[Retrying]) -> None:
    patient = Options(backoff_max=600, max_attempts=5)
    begun = time.monotonic()
    with retry.without_pauses():
        assert repeat(Calls(busy(retry_after=500), busy(), "done"), patient, NEVER) == "done"
    assert time.monotonic() - begun < 100
    assert [one.pause for one in told] == [0, 0]


def test_missing_image_is_awaited_without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    calls = Calls(ImageNotFound("not there"))
    with retry.without_pauses(), pytest.raises(ImageNotFound):
        retry.until_found(calls)
    assert len(calls.attempts) == 5
    assert slept == []


def test_pauses_are_restored(told: list[Retrying]) -> None:
    with pytest.raises(KeyError), retry.without_pauses():
        raise KeyError
    repeat(Calls(busy(retry_after=0.01), "done"), Options(), NEVER)
    assert [one.pause for one in told] == [0.01]


def test_500_is_transient_only_if_it_may_pass() -> None:
    error = busy(500)
    assert not is_transient(error)
    error.may_pass = True
    assert is_transient(error)
