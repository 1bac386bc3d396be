# SPDX-License-Identifier: Apache-2.0
"""Hash image data in a second thread, while the calling thread receives or sends the next block.

What must live here: the thread, its queue, and the decision whether a thread gains anything. What
must not: the choice of the algorithm, and the comparison of hashes (see ``streams``).
"""

from __future__ import annotations

import collections
import contextlib
import os
import threading
import typing
import weakref

from glance_compat import exceptions
from glance_compat.threads import are_native

#: Maximum number of bytes that wait to be hashed. A larger block is hashed by the calling thread.
MOST_BYTES = 2 * 1024 * 1024


class Hash(typing.Protocol):
    """The part of a hash of hashlib that transfers use."""

    @property
    def name(self) -> str:
        """The name of the algorithm."""

    def update(self, data: bytes, /) -> None:
        """Add the next block of the data."""

    def hexdigest(self) -> str:
        """Return the hash of all blocks, in hexadecimal."""


def in_thread(plain: Hash) -> Hash:
    """Return a hash that continues another one in a second thread.

    The same hash is returned if a thread would gain nothing: the process may use only one
    processor, or its threads are green threads, as with eventlet and gevent.

    :param plain: a hash of hashlib, which must not be used any more.
    """
    return ThreadedHash(plain) if are_native() and _count_processors() > 1 else plain


def _count_processors() -> int:
    with contextlib.suppress(AttributeError, OSError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ThreadedHash:
    """A hash that another thread computes, at most :data:`MOST_BYTES` behind.

    The thread ends with :meth:`close`, or when the object is deleted. In a forked process, where
    the thread does not exist, the methods raise an exception.

    :param plain: a hash of hashlib.
    """

    def __init__(self, plain: Hash) -> None:
        self.name = plain.name
        self._work = work = _Work(plain)
        # The thread has no reference to this object, so that a forgotten transfer ends it.
        self._thread = threading.Thread(target=work.run, name="glance_compat-hash", daemon=True)
        self._finalizer = weakref.finalize(self, work.stop)
        self._finalizer.atexit = False
        self._thread.start()

    def update(self, data: bytes, /) -> None:
        """Add the next block; wait if too many bytes have not been hashed yet.

        :raises glance_compat.exceptions.Invalid: the process was forked.
        """
        # Bytes that another type refers to may change before they are hashed.
        self._work.put(data if type(data) is bytes else bytes(data))

    def hexdigest(self) -> str:
        """Return the hash of all blocks, in hexadecimal.

        :raises glance_compat.exceptions.Invalid: the process was forked.
        """
        return self._work.finish().hexdigest()

    def close(self) -> None:
        """End the thread after it has hashed all blocks."""
        if self._finalizer.detach() and self._work.stop():
            self._thread.join()


class _Work:
    """The blocks that a thread hashes.

    :param plain: a hash of hashlib.
    """

    def __init__(self, plain: Hash) -> None:
        self._hash = plain
        self._process = os.getpid()
        self._changed = threading.Condition()
        #: The blocks that are not hashed yet; the first one may be hashed at the moment.
        self._blocks: collections.deque[bytes] = collections.deque()
        self._bytes = 0
        self._stopped = False
        self._failure: BaseException | None = None

    def put(self, block: bytes) -> None:
        """Add a block; wait until there is room for it."""
        self._check_process()
        with self._changed:
            while self._blocks and self._bytes + len(block) > MOST_BYTES:
                self._changed.wait()
            if len(block) > MOST_BYTES:
                self._hash.update(block)
                return
            self._blocks.append(block)
            self._bytes += len(block)
            self._changed.notify_all()

    def finish(self) -> Hash:
        """Return the hash, after all blocks were hashed."""
        self._check_process()
        with self._changed:
            while self._blocks:
                self._changed.wait()
        if self._failure is not None:
            raise self._failure
        return self._hash

    def stop(self) -> bool:
        """Make the thread end; return whether it exists in this process."""
        if os.getpid() != self._process:
            # The lock may be held by the thread, which does not exist in this process.
            return False
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        return True

    def run(self) -> None:
        """Hash the blocks, in the thread."""
        while (block := self._next()) is not None:
            try:
                self._hash.update(block)
            except BaseException as failure:  # noqa: BLE001 - raised in the calling thread
                self._failure = failure
            with self._changed:
                self._blocks.popleft()
                self._bytes -= len(block)
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            while not self._blocks and not self._stopped:
                self._changed.wait()
            return self._blocks[0] if self._blocks else None

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise exceptions.Invalid(
                "the transfer was begun by another process, which was forked since; start a new"
                " transfer in this process"
            )
