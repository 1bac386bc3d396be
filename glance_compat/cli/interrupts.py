# SPDX-License-Identifier: Apache-2.0
"""The program's handler for Ctrl-C (SIGINT).

While modules are imported, the handler ends the process immediately: a KeyboardInterrupt there may
be lost in a callback of the import system, or converted to another exception. While a command
runs, it raises KeyboardInterrupt, so that the command can remove what it has begun. After the
command, while the interpreter exits, it ends the process with the exit code of the command.

What must live here: the handler. What must not: imports that take time, because Ctrl-C is not
handled before this module is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: The exit code that a shell reports for a program killed by SIGINT (128 + 2), as Ctrl-C does.
EXIT_INTERRUPTED = 130

MESSAGE = "Interrupted\n"
_STDERR = 2


class Handler:
    """A handler of SIGINT whose effect depends on what the program is doing."""

    def __init__(self) -> None:
        self._importing = 0
        self._result: int | None = None

    def install(self) -> None:
        """Handle SIGINT, unless it is ignored, as in the background of a shell script."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self)

    @contextlib.contextmanager
    def importing(self) -> Iterator[None]:
        """Return a context manager in which Ctrl-C ends the process immediately.

        Nothing may be done in it that has to be undone.
        """
        self._importing += 1
        try:
            yield
        finally:
            self._importing -= 1

    def finish(self, result: int) -> None:
        """Make Ctrl-C end the process with this exit code: the command is done."""
        self._result = result

    def __call__(self, number: int, frame: object) -> None:
        """End the process, or raise KeyboardInterrupt."""
        if self._result is not None:
            os._exit(self._result)
        if self._importing:
            os.write(_STDERR, MESSAGE.encode())
            os._exit(EXIT_INTERRUPTED)
        raise KeyboardInterrupt


#: The handler of this process; it has no effect until it is installed.
HANDLER = Handler()
