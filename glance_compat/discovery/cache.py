# SPDX-License-Identifier: Apache-2.0
"""Process-wide cache of discovery results, with a TTL.

What must live here: the cached results per endpoint, their locks, their expiry, and the limits of
their number. What must not: requests (the caller passes a function that fetches), and the choice
of a version.
"""

from __future__ import annotations

import collections
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

#: Facts, or an exception that was never raised. The traceback and cause of a raised one would keep
#: its caller's request in memory, with the token.
Outcome = Facts | exceptions.GlanceCompatError

#: Maximum number of cached endpoints. Beyond it, the least recently used endpoint is removed.
#: Service catalogs may contain a different endpoint for every project.
CACHED_ENDPOINTS = 1024

#: Maximum number of cached results per endpoint: one from the version document, and others for
#: URLs with different versions in the path.
CACHED_RESULTS = 16


class CacheKey(typing.NamedTuple):
    """Key of a cached discovery result.

    :param endpoint: the unversioned URL of the endpoint, without credentials.
    :param version: the version in the path of the configured URL, or None. The result depends on
        it if the endpoint has no version document.
    """

    endpoint: str
    version: str | None


class _CachedResult(typing.NamedTuple):
    outcome: Outcome
    fetched_at: float


#: Key of a result from a version document, which does not depend on the version in the path.
_DOCUMENT = "document"


@dataclasses.dataclass(slots=True)
class _Entry:
    """The cached results of one endpoint.

    :param lock: held by the thread that fetches a result.
    :param results: the results, by :data:`_DOCUMENT` or the version in the path.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    results: dict[str | None, _CachedResult] = dataclasses.field(default_factory=dict)


class DiscoveryCache:
    """Caches discovery results per endpoint, for all threads of a process.

    Only one thread at a time queries an endpoint. Other threads wait for its result, but no longer
    than their own requests could take.

    :param clock: returns the current time, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        #: A new object whenever a result is stored or removed. Values that were derived from the
        #: results remain valid as long as this is the same object.
        self.state = object()
        self._entries: collections.OrderedDict[str, _Entry] = collections.OrderedDict()
        self._lock = threading.Lock()

    def get(
        self,
        key: CacheKey,
        options: Options,
        fetch: Callable[[], Facts],
        failed_at: float | None = None,
        deadline: Deadline | None = None,
    ) -> Facts:
        """Return the cached facts, or fetch them if there are none or they have expired.

        :param options: the options with the TTLs and time limits.
        :param fetch: a function that fetches the facts.
        :param failed_at: time of the caller's last failed attempt, on :attr:`clock`, in seconds. A
            failure cached at or before that time is ignored, and the facts are fetched again.
        :param deadline: the deadline of the caller's call; it also limits the wait for another
            thread.
        :raises glance_compat.exceptions.GlanceCompatError: fetching the facts failed, now or less
            than ``discovery_failure_ttl`` seconds ago.
        """
        entry = self._entry(key.endpoint)

        def cached() -> Outcome | None:
            found = self._find_fresh(entry, key, options, failed_at)
            return found and found.outcome

        outcome = cached()
        if outcome is None:
            with _hold_lock(entry.lock, options, key.endpoint, deadline):
                outcome = cached() or self._fetch(entry, key, fetch)
            self.state = object()
        if isinstance(outcome, exceptions.GlanceCompatError):
            raise copy.copy(outcome)
        return outcome

    def expires_at(self, key: CacheKey, options: Options) -> float:
        """Return the time at which the cached facts expire, on :attr:`clock`, in seconds.

        :returns: the time, or 0 for provisional facts and failures, which every call must look up
            again.
        """
        found = self._find_fresh(self._entry(key.endpoint), key, options, None)
        lasts = found and isinstance(found.outcome, Facts) and not found.outcome.provisional
        return found.fetched_at + options.discovery_ttl if found and lasts else 0.0

    def invalidate(self, key: CacheKey, offered: tuple[OfferedVersion, ...]) -> None:
        """Remove the facts with exactly these versions, so that the next call fetches again.

        If another thread has fetched different versions in the meantime, those stay in the cache.

        :param offered: the versions in the facts to remove.
        """
        entry = self._entry(key.endpoint)
        for name in (_DOCUMENT, key.version):
            result = entry.results.get(name)
            if result and isinstance(result.outcome, Facts) and result.outcome.offered == offered:
                entry.results.pop(name, None)
        self.state = object()

    def forget(self, endpoint: str) -> None:
        """Remove all results of an endpoint."""
        with self._lock:
            self._entries.pop(endpoint, None)
        self.state = object()

    def reset_locks(self) -> None:
        """Replace all locks in the child process after a fork; the results stay.

        The threads that held a lock do not exist in the child process and cannot release it.
        """
        self._lock = threading.Lock()
        for entry in self._entries.values():
            entry.lock = threading.Lock()

    def _entry(self, endpoint: str) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(endpoint, _Entry())
            self._entries.move_to_end(endpoint)
            if len(self._entries) > CACHED_ENDPOINTS:
                self._entries.popitem(last=False)
            return entry

    def _find_fresh(
        self, entry: _Entry, key: CacheKey, options: Options, failed_at: float | None
    ) -> _CachedResult | None:
        results = (entry.results.get(name) for name in (_DOCUMENT, key.version))
        fresh = (one for one in results if one and self._is_fresh(one, options, failed_at))
        return next(fresh, None)

    def _is_fresh(self, result: _CachedResult, options: Options, failed_at: float | None) -> bool:
        if isinstance(result.outcome, Facts) and not result.outcome.provisional:
            ttl = options.discovery_ttl
        elif failed_at is not None and result.fetched_at <= failed_at:
            return False
        else:
            ttl = options.discovery_failure_ttl
        return self.clock() - result.fetched_at < ttl

    def _fetch(self, entry: _Entry, key: CacheKey, fetch: Callable[[], Facts]) -> Facts:
        """Fetch the facts and cache them, or cache the failure and raise it with its cause."""
        try:
            facts = fetch()
        except CallerAuthError as error:
            raise error.error from error.error.__cause__
        except (exceptions.NotAuthenticated, exceptions.DeadlineExceeded):
            # Not cached, because another caller's token or deadline may be better.
            raise
        except exceptions.GlanceCompatError as error:
            # The copy has the message and attributes, but no cause, context or traceback.
            self._store(entry, key.version, copy.copy(error))
            raise
        self._store(entry, _DOCUMENT if facts.minor_known else key.version, facts)
        return facts

    def _store(self, entry: _Entry, name: str | None, outcome: Outcome) -> None:
        """Store a result. The caller must hold the lock of the entry."""
        entry.results.pop(name, None)
        entry.results[name] = _CachedResult(outcome, self.clock())
        if len(entry.results) > CACHED_RESULTS:
            # With a default, because invalidate() may remove it in another thread.
            entry.results.pop(next(iter(tuple(entry.results))), None)


class CallerAuthError(Exception):
    """Wraps an authentication failure of one caller, which must not be cached for the others.

    :param error: the exception that :meth:`DiscoveryCache.get` raises to this caller.
    """

    def __init__(self, error: exceptions.GlanceCompatError) -> None:
        super().__init__()
        self.error = error


@contextlib.contextmanager
def _hold_lock(
    lock: threading.Lock, options: Options, endpoint: str, deadline: Deadline | None
) -> Iterator[None]:
    # The maximum duration of one discovery: one request for the document and two probes.
    timeout = 3 * (options.connect_timeout + options.read_timeout)
    if deadline is not None:
        timeout = min(timeout, deadline.remaining())
    if not lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
        raise exceptions.DeadlineExceeded(
            f"could not discover the Images API versions of {endpoint}: another thread has been"
            f" fetching them for {timeout:g} s; check that the endpoint responds, or increase"
            " the option deadline",
            endpoint=endpoint,
        )
    try:
        yield
    finally:
        lock.release()


DISCOVERY_CACHE = DiscoveryCache()
os.register_at_fork(after_in_child=DISCOVERY_CACHE.reset_locks)
