# SPDX-License-Identifier: Apache-2.0
"""Which endpoints failed lately.

What must live here: how long an unhealthy endpoint is tried last, and how many are recorded. What
must not: which endpoints there are (``catalog``), and what a call does with them (``dispatcher``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

from glance_compat.redaction import redact_url

#: How long an endpoint is tried last after it failed, in seconds.
UNHEALTHY_SECONDS = 30.0

#: Endpoints that are recorded; the one that failed longest ago makes room for another. Catalogs
#: may name a different endpoint for every project.
RECORDED_ENDPOINTS = 1024


class EndpointHealth:
    """The endpoints that failed lately, shared by all threads of a process.

    :ivar unhealthy_until: URL, without credentials, to the time, by the clock, at which it is
        tried in turn again; in the order of these times.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget all failures. A forked process needs a new lock: another thread may hold the old
        one."""
        self.unhealthy_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def mark_unhealthy(self, endpoint: str) -> None:
        """Try an endpoint last for :data:`UNHEALTHY_SECONDS`."""
        name = redact_url(endpoint)
        with self._lock:
            self.unhealthy_until.pop(name, None)
            self.unhealthy_until[name] = self._clock() + UNHEALTHY_SECONDS
            if len(self.unhealthy_until) > RECORDED_ENDPOINTS:
                del self.unhealthy_until[next(iter(self.unhealthy_until))]

    def mark_healthy(self, endpoint: str) -> None:
        """Try an endpoint in turn again."""
        with self._lock:
            self.unhealthy_until.pop(redact_url(endpoint), None)

    def healthy_first(self, endpoints: Sequence[str]) -> list[str]:
        """Sort endpoints into the order in which to try them."""
        now = self._clock()

        def pause(url: str) -> float:
            return max(0.0, self.unhealthy_until.get(redact_url(url), 0.0) - now)

        with self._lock:
            return sorted(endpoints, key=pause)


ENDPOINT_HEALTH = EndpointHealth()
os.register_at_fork(after_in_child=ENDPOINT_HEALTH.reset)
