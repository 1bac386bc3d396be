# SPDX-License-Identifier: Apache-2.0
"""Record the endpoints that failed recently, so that calls try them last.

What must live here: the record of unhealthy endpoints, its expiry and its maximum size. What must
not: the list of endpoints (see ``catalog``), and sending calls to them (see ``dispatcher``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

from glance_compat.redaction import redact_url

#: How long an endpoint counts as unhealthy after a failure, in seconds.
UNHEALTHY_SECONDS = 30.0

#: Maximum number of recorded endpoints. Beyond it, the one that failed first is removed. Service
#: catalogs may contain a different endpoint for every project.
RECORDED_ENDPOINTS = 1024


class EndpointHealth:
    """The endpoints that failed recently, for all threads of a process.

    :param clock: returns the current time, in seconds.
    :ivar unhealthy_until: the time, on the clock, until which an endpoint counts as unhealthy, by
        the URL without credentials. The items are in the order of these times.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Remove all records, and create a new lock.

        It is called in the child process after a fork, where a thread that held the old lock does
        not exist.
        """
        self.unhealthy_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def mark_unhealthy(self, endpoint: str) -> None:
        """Record a failure of an endpoint: calls try it last for :data:`UNHEALTHY_SECONDS`."""
        name = redact_url(endpoint)
        with self._lock:
            self.unhealthy_until.pop(name, None)
            self.unhealthy_until[name] = self._clock() + UNHEALTHY_SECONDS
            if len(self.unhealthy_until) > RECORDED_ENDPOINTS:
                del self.unhealthy_until[next(iter(self.unhealthy_until))]

    def mark_healthy(self, endpoint: str) -> None:
        """Remove the record of an endpoint after it has responded."""
        with self._lock:
            self.unhealthy_until.pop(redact_url(endpoint), None)

    def healthy_first(self, endpoints: Sequence[str]) -> list[str]:
        """Return the endpoints in the order in which to try them: unhealthy ones last."""
        now = self._clock()

        def pause(url: str) -> float:
            return max(0.0, self.unhealthy_until.get(redact_url(url), 0.0) - now)

        with self._lock:
            return sorted(endpoints, key=pause)


ENDPOINT_HEALTH = EndpointHealth()
os.register_at_fork(after_in_child=ENDPOINT_HEALTH.reset)
