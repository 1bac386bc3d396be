# SPDX-License-Identifier: Apache-2.0
"""Which endpoints failed lately.

What must live here: how long an unhealthy endpoint is tried last. What must not: which endpoints
there are (``catalog``), and what a call does with them (``dispatcher``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

#: How long an endpoint is tried last after it failed, in seconds.
UNHEALTHY_SECONDS = 30.0


class EndpointHealth:
    """The endpoints that failed lately, shared by all threads of a process.

    :ivar unhealthy_until: URL to the time, by the clock, at which it is tried in turn again.
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
        with self._lock:
            self.unhealthy_until[endpoint] = self._clock() + UNHEALTHY_SECONDS

    def mark_healthy(self, endpoint: str) -> None:
        """Try an endpoint in turn again."""
        with self._lock:
            self.unhealthy_until.pop(endpoint, None)

    def healthy_first(self, endpoints: Sequence[str]) -> list[str]:
        """Sort endpoints into the order in which to try them."""
        now = self._clock()
        with self._lock:
            return sorted(
                endpoints, key=lambda url: max(0.0, self.unhealthy_until.get(url, 0.0) - now)
            )


ENDPOINT_HEALTH = EndpointHealth()
os.register_at_fork(after_in_child=ENDPOINT_HEALTH.reset)
