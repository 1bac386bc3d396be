# SPDX-License-Identifier: Apache-2.0
"""Show the progress of a transfer on a terminal.

What must live here: the bar, and when it is shown. What must not: the progress of an audit, which
is a line (``report``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Iterator

from cliff.app import App

from glance_compat.cli.usage import require_extra

if typing.TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

#: The argument ``progress`` of the service's methods.
Report = typing.Callable[[int, int | None], None]


def is_wanted(app: App) -> bool:
    """Return whether to show progress: stderr is a terminal, and no option prevents it."""
    options = app.options
    return bool(app.stderr.isatty() and options.verbose_level > 0 and options.show_progress)


@contextlib.contextmanager
def transfer(app: App, title: str) -> Iterator[Report | None]:
    """Show a bar while data is transferred, and remove it at the end.

    :param title: what is done; one word.
    :returns: a context manager for a function that is called with the number of bytes transferred
        so far and the total, or None; None if no bar is shown.
    """
    if not is_wanted(app):
        yield None
        return
    with require_extra("cli"):
        from rich.progress import Progress
    bar = Progress(*columns(), **settings(app))
    task = bar.add_task(title, total=None)

    def report(done: int, total: int | None) -> None:
        if done < bar.tasks[0].completed:
            # A retry begins anew.
            bar.reset(task, total=total)
        bar.update(task, completed=done, total=total)

    with log_through(app.stderr, bar.console), bar:
        yield report


def columns() -> list[ProgressColumn]:
    """Return the columns of a bar: what is transferred, how much of it, how fast, how long."""
    from rich import progress

    return [
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(compact=True),
    ]


def settings(app: App) -> dict[str, typing.Any]:
    """Return the arguments of rich's Progress."""
    from glance_compat.cli import terminal

    return {
        "console": terminal.console(app.stderr),
        "expand": True,
        # The bar disappears, so that the result is as in a pipe.
        "transient": True,
        # What others write to these streams is none of this program's output.
        "redirect_stdout": False,
        "redirect_stderr": False,
    }


@contextlib.contextmanager
def log_through(stderr: typing.TextIO, console: Console) -> Iterator[None]:
    """Write the lines of the log above the bar, instead of into it."""
    from rich import text

    def write(line: str) -> None:
        console.print(text.Text(line), soft_wrap=True)

    handlers = [
        one
        for one in logging.getLogger().handlers
        if isinstance(one, logging.StreamHandler) and one.stream is stderr
    ]
    for handler in handlers:
        handler.setStream(_Lines(write))
    try:
        yield
    finally:
        for handler in handlers:
            handler.setStream(stderr)


class _Lines:
    """A stream that passes each line to a function."""

    def __init__(self, write: typing.Callable[[str], object]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        """Pass the lines of a text on."""
        for line in text.splitlines():
            self._write(line)

    def flush(self) -> None:
        """Do nothing: each line is written immediately."""
