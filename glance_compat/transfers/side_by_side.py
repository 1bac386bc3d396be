# SPDX-License-Identifier: Apache-2.0
"""Download one image over several connections: each fetches another range of the data.

What must live here: the ranges, the threads that fetch them, and their order. What must not: the
requests (see ``backends``), continuation after a lost connection (``resume``), and verification of
the data (``streams``).
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import OpenedData
from glance_compat.transfers.resume import may_be_same_data
from glance_compat.transport.retry import CancellableDeadline

#: Number of bytes of a range. The library holds at most one range in memory for each connection.
RANGE_BYTES = 8 * 1024 * 1024

#: How long :meth:`SideBySide.close` waits for a thread, in seconds. A thread that waits for a
#: response ends in milliseconds; one that still connects ends after the option
#: ``connect_timeout``.
END_SECONDS = 1.0

#: A function that opens one range of the data, with one attempt. Its arguments are the offset of
#: the first byte, the offset after the last one, and the deadline of the request and its response.
OpenRange = Callable[[int, int, CancellableDeadline], OpenedData]


class _Range:
    """One range of the data, with the blocks that have arrived and were not yielded yet.

    :param start: the offset of the first byte.
    :param end: the offset after the last byte.
    """

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.blocks: collections.deque[bytes] = collections.deque()
        self.is_taken = False
        self.has_ended = False
        self.failure: BaseException | None = None


class SideBySide:
    """The data of an image in order, from the start of a first response on.

    The thread that iterates reads the first response. Other threads fetch the ranges behind it,
    one range each, and at most as many ranges ahead as there are connections. A failed range is
    not repeated here: its error is raised after the data before it.

    :param first: the response with the first range; its ``end`` is set.
    :param size: the size of all data, in bytes.
    :param open_range: a function that opens another range.
    :param connections: number of connections.
    :param image_id: the id of the image, for messages.
    """

    def __init__(
        self, first: OpenedData, size: int, open_range: OpenRange, connections: int, image_id: str
    ) -> None:
        self._first = first
        self._first_end = first.end or 0
        self._open_range = open_range
        self._ahead = connections - 1
        self._image_id = image_id
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._closed = False
        self._later = (
            _Range(start, min(start + RANGE_BYTES, size))
            for start in range(self._first_end, size, RANGE_BYTES)
        )
        #: The ranges that follow the one that is read now.
        self._following: collections.deque[_Range] = collections.deque()
        self._deadlines: set[CancellableDeadline] = set()
        self._threads: list[threading.Thread] = []
        self._advance()
        for _ in range(self._ahead):
            self._start_thread()

    def __iter__(self) -> Iterator[bytes]:
        yield from self._checked(self._first, self._first.start, self._first_end)
        # The connection of the first response is free now.
        self._start_thread()
        while self._following:
            yield from self._arriving(self._following.popleft())

    def close(self) -> None:
        """End all requests, and wait for their threads to end."""
        self._first.close()
        if os.getpid() != self._process:
            return
        with self._changed:
            self._closed = True
            deadlines = list(self._deadlines)
            self._changed.notify_all()
        for deadline in deadlines:
            deadline.cancel()
        for thread in self._threads:
            thread.join(END_SECONDS)

    # -- the thread that iterates

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="glance_compat-range", daemon=True)
        # RuntimeError: the process may have no more threads. A range that no thread has taken when
        # it is needed is fetched then.
        with contextlib.suppress(RuntimeError):
            thread.start()
            self._threads.append(thread)

    def _advance(self) -> None:
        """Let the threads take ranges, as many as they may be ahead."""
        with self._changed:
            while len(self._following) < self._ahead and (one := next(self._later, None)):
                self._following.append(one)
            self._changed.notify_all()

    def _arriving(self, wanted: _Range) -> Iterator[bytes]:
        """Yield the blocks of a range as they arrive; then raise its error, if there is one."""
        self._check_process()
        self._advance()
        with self._changed:
            is_taken, wanted.is_taken = wanted.is_taken, True
        if not is_taken:
            self._fetch(wanted)
        while True:
            self._check_process()
            with self._changed:
                while not wanted.blocks and not wanted.has_ended:
                    self._changed.wait()
                block = wanted.blocks.popleft() if wanted.blocks else None
            if block is None:
                break
            yield block
        if wanted.failure is not None:
            raise wanted.failure

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise exceptions.Invalid(
                "the transfer was begun by another process, which was forked since; start a new"
                " transfer in this process"
            )

    # -- the other threads

    def _work(self) -> None:
        while (wanted := self._take()) is not None:
            self._fetch(wanted)

    def _take(self) -> _Range | None:
        """Wait for a range that no thread has taken, and return it; None if there is no more."""
        with self._changed:
            while not self._closed:
                for one in self._following:
                    if not one.is_taken:
                        one.is_taken = True
                        return one
                self._changed.wait()
        return None

    def _fetch(self, wanted: _Range) -> None:
        """Fetch a range; keep its blocks, and its error if it fails."""
        deadline = CancellableDeadline(None)
        with self._changed:
            self._deadlines.add(deadline)
            if self._closed:
                return
        try:
            opened = self._open_range(wanted.start, wanted.end, deadline)
            with contextlib.closing(opened):
                self._check(opened, wanted)
                for block in self._checked(opened, wanted.start, wanted.end):
                    with self._changed:
                        wanted.blocks.append(block)
                        self._changed.notify_all()
        except BaseException as failure:  # noqa: BLE001 - raised in the thread that iterates
            wanted.failure = failure
        with self._changed:
            self._deadlines.discard(deadline)
            wanted.has_ended = True
            self._changed.notify_all()

    # -- checks

    def _check(self, opened: OpenedData, wanted: _Range) -> None:
        if not may_be_same_data(self._first.expected, opened.expected):
            raise exceptions.IntegrityError(
                f"the data of image {self._image_id} is damaged: it changed while it was read;"
                " download it again",
                image_id=self._image_id,
            )
        if (opened.start, opened.end) != (wanted.start, wanted.end):
            raise self._unusable("the server sent another range than was requested")

    def _checked(self, opened: OpenedData, start: int, end: int) -> Iterator[bytes]:
        """Yield the blocks of a range, which must have the length of the range."""
        for block in opened.blocks:
            start += len(block)
            if start > end:
                break
            yield block
        if start != end:
            raise self._unusable("the server sent more or less data than the range has")

    def _unusable(self, reason: str) -> exceptions.BadResponse:
        """Return a temporary error, after which the rest is fetched over one connection."""
        error = exceptions.BadResponse(
            f"the data of image {self._image_id} cannot be fetched side by side: {reason}",
            image_id=self._image_id,
        )
        error.may_pass = True
        return error
