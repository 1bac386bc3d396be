# SPDX-License-Identifier: Apache-2.0
"""What is known of endpoints: learnt once in a process, and believed for a while."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
import threading
import time
import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.discovery.versions import Facts, OfferedVersion
from glance_compat.options import Options
from glance_compat.transport.retry import Deadline


class CacheKey(typing.NamedTuple):
    """What facts are of.

    :param endpoint: the unversioned endpoint.
    :param version: that its configured path names; without a document, it is one of the facts.
    """

    endpoint: str
    version: str | None


class _Known(typing.NamedTuple):
    outcome: Facts | exceptions.GlanceCompatError
    learnt_at: float


#: The document of an endpoint is the same whatever version its path names.
_DOCUMENT = "document"


@dataclasses.dataclass(slots=True)
class _Entry:
    """What is known of one endpoint.

    :param known: by the version that the path names, or :data:`_DOCUMENT`.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    known: dict[str | None, _Known] = dataclasses.field(default_factory=dict)


class DiscoveryCache:
    """What is known of endpoints, shared by all threads of a process.

    One thread asks about an endpoint at a time; the others wait for its answer, no longer than
    they would wait for their own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def facts(
        self,
        place: CacheKey,
        options: Options,
        ask: Callable[[], Facts],
        failed_at: float | None = None,
        deadline: Deadline | None = None,
    ) -> Facts:
        """What is known, asking if nothing is or if it is too old.

        :param failed_at: when the caller's own last attempt failed, by :attr:`clock`: a failure
            that is not newer is asked about again.
        :param deadline: the caller's own; nobody waits longer.
        :raises glance_compat.exceptions.GlanceCompatError: what asking raised, now or within
            ``discovery_failure_ttl``.
        """
        with self._lock:
            entry = self._entries.setdefault(place.endpoint, _Entry())

        def believed() -> Facts | exceptions.GlanceCompatError | None:
            known = (entry.known.get(key) for key in (_DOCUMENT, place.version))
            usable = (one for one in known if one and self._is_believed(one, options, failed_at))
            return next((one.outcome for one in usable), None)

        known = believed()
        if known is None:
            with _held(entry.lock, options, place.endpoint, deadline):
                known = believed() or self._learn(entry, place, ask)
        if isinstance(known, exceptions.GlanceCompatError):
            # One failure may be raised in many threads, each with a traceback of its own.
            raise copy.copy(known) from known.__cause__
        return known

    def doubt(self, place: CacheKey, offered: tuple[OfferedVersion, ...]) -> None:
        """Ask again next time, unless somebody has asked since this was said to be offered."""
        with self._lock:
            entry = self._entries.setdefault(place.endpoint, _Entry())
        for key in (_DOCUMENT, place.version):
            known = entry.known.get(key)
            if known and isinstance(known.outcome, Facts) and known.outcome.offered == offered:
                entry.known.pop(key, None)

    def forget(self, endpoint: str) -> None:
        """Know nothing of an endpoint, whatever version its path names."""
        with self._lock:
            self._entries.pop(endpoint, None)

    def renew_locks(self) -> None:
        """In a new process: threads that held a lock are not in it, what they learnt is."""
        self._lock = threading.Lock()
        for entry in self._entries.values():
            entry.lock = threading.Lock()

    def _is_believed(self, known: _Known, options: Options, failed_at: float | None) -> bool:
        if isinstance(known.outcome, Facts) and not known.outcome.provisional:
            ttl = options.discovery_ttl
        elif failed_at is not None and known.learnt_at <= failed_at:
            return False
        else:
            ttl = options.discovery_failure_ttl
        return self.clock() - known.learnt_at < ttl

    def _learn(
        self, entry: _Entry, place: CacheKey, ask: Callable[[], Facts]
    ) -> Facts | exceptions.GlanceCompatError:
        outcome: Facts | exceptions.GlanceCompatError
        try:
            outcome = ask()
        except CallerAuthError as trouble:
            raise trouble.error from trouble.error.__cause__
        except (exceptions.NotAuthenticated, exceptions.DeadlineExceeded):
            # Of this caller's token and time; another's may do.
            raise
        except exceptions.GlanceCompatError as error:
            outcome = error.with_traceback(None)
        is_document = isinstance(outcome, Facts) and outcome.minor_known
        entry.known[_DOCUMENT if is_document else place.version] = _Known(outcome, self.clock())
        return outcome


class CallerAuthError(Exception):
    """One caller's trouble with the token, which says nothing of the endpoint."""

    def __init__(self, error: exceptions.GlanceCompatError) -> None:
        super().__init__()
        self.error = error


@contextlib.contextmanager
def _held(
    lock: threading.Lock, options: Options, endpoint: str, deadline: Deadline | None
) -> Iterator[None]:
    # What one look-up may take at the most, asking the APIs themselves included.
    patience = 3 * (options.connect_timeout + options.read_timeout)
    if deadline is not None:
        patience = min(patience, deadline.remaining())
    if not lock.acquire(timeout=min(patience, threading.TIMEOUT_MAX)):
        raise exceptions.DeadlineExceeded(
            f"another thread is still asking {endpoint} for its versions after {patience:g} s",
            endpoint=endpoint,
        )
    try:
        yield
    finally:
        lock.release()


DISCOVERY_CACHE = DiscoveryCache()
os.register_at_fork(after_in_child=DISCOVERY_CACHE.renew_locks)
