# SPDX-License-Identifier: Apache-2.0
"""Show the progress of several transfers at a time on a terminal, one line each."""

from __future__ import annotations

import contextlib
import threading
import typing
from collections.abc import Iterator

from cliff.app import App

from glance_compat.cli import progress
from glance_compat.cli.usage import require_extra

if typing.TYPE_CHECKING:
    from rich.progress import TaskID

#: A function that is called, in any thread, with an image id, the number of bytes transferred so
#: far, and the total or None.
ReportOne = typing.Callable[[str, int, int | None], None]


@contextlib.contextmanager
def transfers(app: App) -> Iterator[ReportOne | None]:
    """Show a bar for each transfer, until it ends, and remove all of them at the end.

    :returns: a context manager for a function that reports the progress of one transfer; None if
        no bars are shown.
    """
    if not progress.is_wanted(app):
        yield None
        return
    with require_extra("cli"):
        from rich.progress import Progress

    bars = Progress(*progress.columns(), **progress.settings(app))
    tasks: dict[str, TaskID] = {}
    lock = threading.Lock()

    def report(image_id: str, done: int, total: int | None) -> None:
        with lock:
            if image_id not in tasks:
                tasks[image_id] = bars.add_task(image_id, total=total)
            task = tasks[image_id]
            bars.update(task, completed=done, total=total)
            if done == total:
                bars.remove_task(tasks.pop(image_id))

    with progress.log_through(app.stderr, bars.console), bars:
        yield report
