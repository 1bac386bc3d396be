# SPDX-License-Identifier: Apache-2.0
"""Process-wide cache of discovery results, with a TTL.

What must live here: the cached results per endpoint, the locks around them, how many endpoints are
cached, and when a result expires. What must not: requests (the caller passes ``fetch``), or the
choice of a version.
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

#: Facts, or an error that was never raised: one that was would keep the request of its caller
#: alive, with the token, through its traceback and its cause.
Outcome = Facts | exceptions.GlanceCompatError

#: Endpoints that are cached; the one that was used longest ago makes room for another. Catalogs
#: may name a different endpoint for every project.
CACHED_ENDPOINTS = 1024

#: Results that are cached of one endpoint: its document, and versions that paths name.
CACHED_RESULTS = 16


class CacheKey(typing.NamedTuple):
    """Identify the endpoint that cached facts belong to.

    :param endpoint: the unversioned endpoint, without credentials.
    :param version: the version in the configured URL's path; for an endpoint without a version
        document, the facts depend on it.
    """

    endpoint: str
    version: str | None


class _CachedResult(typing.NamedTuple):
    outcome: Outcome
    fetched_at: float


#: Key of the facts of a version document, which is the same whatever version the path names.
_DOCUMENT = "document"


@dataclasses.dataclass(slots=True)
class _Entry:
    """Hold the cached results of one endpoint.

    :param results: by the version that the path names, or :data:`_DOCUMENT`.
    """

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    results: dict[str | None, _CachedResult] = dataclasses.field(default_factory=dict)


class DiscoveryCache:
    """Cache discovery results per endpoint, for all threads of a process.

    One thread at a time queries an endpoint. The other threads wait for its result, but no longer
    than they would wait for their own request.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        #: Replaced whenever a result was stored or dropped: what was made from results holds while
        #: this is the same object.
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
        """Return the cached facts, or fetch them when there are none or they have expired.

        :param failed_at: when the caller's own last attempt failed, by :attr:`clock`, in seconds.
            A cached failure that is not newer is fetched again.
        :param deadline: the caller's own; waiting for another thread never exceeds it.
        :raises glance_compat.exceptions.GlanceCompatError: the error of the fetch, raised now or
            cached for ``discovery_failure_ttl``.
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
        """Return until when the cached facts count, by :attr:`clock`, in seconds.

        :returns: 0 for provisional facts and for failures, of which each call decides anew.
        """
        found = self._find_fresh(self._entry(key.endpoint), key, options, None)
        lasts = found and isinstance(found.outcome, Facts) and not found.outcome.provisional
        return found.fetched_at + options.discovery_ttl if found and lasts else 0.0

    def invalidate(self, key: CacheKey, offered: tuple[OfferedVersion, ...]) -> None:
        """Drop the facts that offer exactly ``offered``, so that the next call fetches again.

        Facts that another thread has fetched since, with another offer, stay.
        """
        entry = self._entry(key.endpoint)
        for name in (_DOCUMENT, key.version):
            result = entry.results.get(name)
            if result and isinstance(result.outcome, Facts) and result.outcome.offered == offered:
                entry.results.pop(name, None)
        self.state = object()

    def forget(self, endpoint: str) -> None:
        """Drop all results of an endpoint, whatever version its path names."""
        with self._lock:
            self._entries.pop(endpoint, None)
        self.state = object()

    def reset_locks(self) -> None:
        """Replace all locks after a fork; the results stay.

        The threads that held a lock do not exist in the child process.
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
        """Fetch and cache; the caller whose fetch fails receives the error with its cause."""
        try:
            facts = fetch()
        except CallerAuthError as error:
            raise error.error from error.error.__cause__
        except (exceptions.NotAuthenticated, exceptions.DeadlineExceeded):
            # Caused by this caller's token or deadline; another caller may succeed.
            raise
        except exceptions.GlanceCompatError as error:
            # A copy has the text and the numbers, and neither cause, context nor traceback.
            self._store(entry, key.version, copy.copy(error))
            raise
        self._store(entry, _DOCUMENT if facts.minor_known else key.version, facts)
        return facts

    def _store(self, entry: _Entry, name: str | None, outcome: Outcome) -> None:
        """Store a result; called with the lock of the entry."""
        entry.results.pop(name, None)
        entry.results[name] = _CachedResult(outcome, self.clock())
        if len(entry.results) > CACHED_RESULTS:
            # invalidate() may be dropping it, in another thread.
            entry.results.pop(next(iter(tuple(entry.results))), None)


class CallerAuthError(Exception):
    """Wrap one caller's authentication failure, which says nothing about the endpoint.

    It is raised to that caller and never cached.
    """

    def __init__(self, error: exceptions.GlanceCompatError) -> None:
        super().__init__()
        self.error = error


@contextlib.contextmanager
def _hold_lock(
    lock: threading.Lock, options: Options, endpoint: str, deadline: Deadline | None
) -> Iterator[None]:
    # The longest that one discovery may take: the document and both probes.
    timeout = 3 * (options.connect_timeout + options.read_timeout)
    if deadline is not None:
        timeout = min(timeout, deadline.remaining())
    if not lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX)):
        raise exceptions.DeadlineExceeded(
            f"could not discover the Images API versions of {endpoint}: another thread has been"
            f" fetching them for {timeout:g} s; check that the endpoint responds, or raise the"
            " option deadline",
            endpoint=endpoint,
        )
    try:
        yield
    finally:
        lock.release()


DISCOVERY_CACHE = DiscoveryCache()
os.register_at_fork(after_in_child=DISCOVERY_CACHE.reset_locks)
