# SPDX-License-Identifier: Apache-2.0
"""Make one call under one fault, and observe the outcome."""

from __future__ import annotations

import atexit
import concurrent.futures
import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keystoneauth1.session import Session

from glance_compat import ImageService, Options
from glance_compat.fixture import GlanceFixture
from glance_compat.fixture.faults import Fault
from glance_compat.transport import retry
from tests.faults.calls import ACTIVE, CALLS, IMAGES, MEMBER, Api, Step, shown, state

#: Seconds after which a call counts as hung.
DEADLINE = 60.0
OLD = b"what was there before"

#: No delays between attempts, and timeouts that only a stall exceeds.
OPTIONS: Mapping[str, Any] = {
    "max_attempts": 3,
    "backoff_max": 0,
    "connect_timeout": 30,
    "read_timeout": 30,
    "stall_timeout": 30,
    "deadline": 50,
    "max_response_bytes": 2**20,
}


_NUMBERS = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Seen:
    """The observed outcome of a call.

    :ivar result: the return value, or None.
    :ivar error: the exception, or None.
    :ivar state: the stored images after the call.
    :ivar files: the content of each file in the download folder, by name.
    :ivar happened: number of times that the fault was injected.
    """

    result: object
    error: BaseException | None
    state: list[tuple[object, ...]]
    files: dict[str, bytes]
    happened: int


def make(
    call: str,
    api: Api,
    step: Step | None = None,
    fault: Fault | None = None,
    times: int | None = 1,
    *,
    sockets: bool = False,
    like: str | None = None,
    watch: Callable[[GlanceFixture, Session], object] | None = None,
    **options: Any,
) -> Seen:
    """Make a call on a new Glance, and return the outcome.

    :param like: a call whose server configuration is used instead.
    :param watch: is called with the server and the session of the call, before the call.
    """
    wanted = dataclasses.replace(CALLS[call], server=CALLS[like or call].server)
    chosen = Options(**{**OPTIONS, **wanted.options, **options})
    # The system reuses ports, and the library caches what it discovers about a URL.
    prefix = f"/{next(_NUMBERS)}"
    with GlanceFixture(
        (api,), prefix=prefix, sockets=sockets, **{"images": IMAGES, **wanted.server}
    ) as glance:
        owner = ImageService(glance.session(), options=chosen)
        if "member" in call:
            owner.add_member(None, ACTIVE, MEMBER)
        elif call != "discover":
            # Discover now, so that no request of the call is a discovery request.
            owner.discover()
        if step is not None and fault is not None:
            path = prefix if step.path == "/" else step.path
            glance.faults.add(fault, step.method, path, nth=step.nth, times=times)
        session = glance.session(wanted.token)
        if watch is not None:
            watch(glance, session)
        service = ImageService(session, options=chosen)
        folder = _folder()
        (folder / "image").write_bytes(OLD)
        with retry.without_pauses():
            result, error = _within_time(functools.partial(wanted.make, service, folder))
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        for name in files:
            (folder / name).unlink()
        glance.run_tasks()
        return Seen(shown(result), error, state(glance.images), files, len(glance.faults.happened))


@functools.cache
def _folder() -> Path:
    """Return an empty folder for one call after another: a new one takes longer than a call."""
    made = tempfile.TemporaryDirectory()
    atexit.register(made.cleanup)
    return Path(made.name)


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor()


def _within_time(call: Any) -> tuple[object, BaseException | None]:
    """Run a call in a thread, and raise TimeoutError if it hangs."""
    future = _threads().submit(call)
    error = future.exception(timeout=DEADLINE)
    return (None, error) if error is not None else (future.result(), None)


@functools.cache
def undisturbed(call: str, api: Api) -> Seen:
    """Return the outcome of a call without a fault."""
    return make(call, api)


@functools.cache
def untouched(call: str, api: Api) -> list[tuple[object, ...]]:
    """Return the stored images before a call."""
    return make("members" if "member" in call else "show", api, like=call).state
