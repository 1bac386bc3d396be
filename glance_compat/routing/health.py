# SPDX-License-Identifier: Apache-2.0
"""Which endpoints did not respond lately.

What must live here: how long an unhealthy endpoint is tried last. What must not: which endpoints
there are (``catalog``), and what a call does with them (``dispatcher``).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence

#: How long an endpoint that did not answer is left to the last, in seconds.
UNHEALTHY_SECONDS = 30.0


class EndpointHealth:
    """Endpoints that did not answer lately, known to all threads of a process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Know of no illness; in a forked process the lock may be another thread's for ever."""
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def mark_unhealthy(self, endpoint: str) -> None:
        """Leave an endpoint to the last for a while."""
        with self._lock:
            self._until[endpoint] = self._clock() + UNHEALTHY_SECONDS

    def mark_healthy(self, endpoint: str) -> None:
        """It is well again."""
        with self._lock:
            self._until.pop(endpoint, None)

    def healthy_first(self, endpoints: Sequence[str]) -> list[str]:
        """The endpoints in the order in which to try them."""
        now = self._clock()
        with self._lock:
            return sorted(endpoints, key=lambda one: max(0.0, self._until.get(one, 0.0) - now))


ENDPOINT_HEALTH = EndpointHealth()
os.register_at_fork(after_in_child=ENDPOINT_HEALTH.reset)
