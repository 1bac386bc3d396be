# SPDX-License-Identifier: Apache-2.0
"""Run ``glance-compat serve`` in this process."""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Callable

from glance_compat.cli.app import GlanceCompat
from tests.unit.cli.running import Outcome

#: Seconds after which a server in this process counts as hung.
PATIENCE = 60


class _Announced(io.StringIO):
    """The stderr of a server, whose flush means that the server is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = threading.Event()

    def flush(self) -> None:
        super().flush()
        self.ready.set()


def while_serving(act: Callable[[str], None], *argv: str) -> Outcome:
    """Serve in this process while another thread uses the URL; stop with SIGTERM.

    An exception of the other thread is raised.
    """
    out, err = io.StringIO(), _Announced()
    problems: list[BaseException] = []
    server = threading.get_ident()

    def use() -> None:
        assert err.ready.wait(PATIENCE)
        try:
            act(out.getvalue().rstrip("\n"))
        except BaseException as problem:  # noqa: BLE001 - raised again in the thread of the test
            problems.append(problem)
        # Sent to the waiting thread, because in another one the signal would end the process.
        if out.getvalue():
            signal.pthread_kill(server, signal.SIGTERM)

    user = threading.Thread(target=use)
    user.start()
    code = GlanceCompat(stdout=out, stderr=err).run(["serve", *argv])
    err.ready.set()
    user.join()
    for problem in problems:
        raise problem
    return Outcome(code, out.getvalue(), err.getvalue())
