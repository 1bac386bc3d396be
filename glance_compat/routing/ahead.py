# SPDX-License-Identifier: Apache-2.0
"""Make the first attempt of a call in a second thread, before its result is needed.

What must live here: the thread, and what happens to the call if it is not needed any more. What
must not: the call and its retries (see ``dispatcher``), and the decision which call is needed next
(see ``backends.pagination``).
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import threading
import time
import typing
from collections.abc import Callable

from glance_compat.transport.retry import CancellableDeadline

Result = typing.TypeVar("Result")

#: How long :meth:`Ahead.cancel` waits for the thread, in seconds. A thread that waits for a
#: response ends in milliseconds; one that still connects ends after the option
#: ``connect_timeout``.
END_SECONDS = 1.0


class Ahead(typing.Generic[Result]):
    """A call that is being made in a second thread.

    The thread makes one attempt. If it fails, it is repeated only when the result is asked for, by
    the thread that asks. In a forked process, where the thread does not exist, and if no thread
    can be started, the whole call is made then.

    :param attempt: a function that makes the first attempt.
    :param deadline: the deadline of that attempt.
    :param repeat: a function that makes the whole call.
    :param repeat_after: a function that continues the call after its first attempt has failed; its
        arguments are the exception, and the seconds that were spent waiting for that attempt.
    """

    def __init__(
        self,
        attempt: Callable[[], Result],
        deadline: CancellableDeadline,
        repeat: Callable[[], Result],
        repeat_after: Callable[[BaseException, float], Result],
    ) -> None:
        self._attempt = attempt
        self._deadline = deadline
        self._repeat = repeat
        self._repeat_after = repeat_after
        self._results: list[Result] = []
        self._failed: BaseException | None = None
        self._process = os.getpid()
        # The same context variables as in a call without a thread.
        self._thread = threading.Thread(
            target=contextvars.copy_context().run,
            args=(self._run,),
            name="glance_compat-ahead",
            daemon=True,
        )
        # RuntimeError: the process may have no more threads, or is about to end.
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def result(self) -> Result:
        """Return the result of the call, or raise its exception."""
        begun = time.monotonic()
        self._join(None)
        failed, self._failed = self._failed, None
        if self._results:
            return self._results.pop()
        if failed is None:
            return self._repeat()
        try:
            return self._repeat_after(failed, time.monotonic() - begun)
        finally:
            # Avoids a reference cycle through the traceback.
            del failed

    def cancel(self) -> None:
        """End the call, whose result is not needed, and wait for its thread to end."""
        if os.getpid() == self._process:
            self._deadline.cancel()
            self._join(END_SECONDS)

    def _join(self, seconds: float | None) -> None:
        # The garbage collector may cancel the call in any thread, even in that of the call.
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self._results.append(self._attempt())
        except BaseException as failed:  # noqa: BLE001 - raised in the thread that asks
            self._failed = failed
