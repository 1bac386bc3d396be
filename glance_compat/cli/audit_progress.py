# SPDX-License-Identifier: Apache-2.0
"""Report the progress of an audit on a line of stderr.

What must live here: when a message is written, and where. What must not: the bars of transfers
(``progress``).
"""

from __future__ import annotations

import time
import typing
from collections.abc import Callable

#: Seconds before the first progress message, and between messages on a terminal and elsewhere.
_QUIET_SECONDS = 2.0
_SECONDS_ON_TERMINAL = 0.2
_SECONDS_OF_LINES = 10.0


class Progress:
    """Report the progress of an audit.

    :param stream: where the messages are written; None: report nothing.
    :param on_terminal: whether to overwrite a single line; otherwise write a line every 10 s.
    :param clock: a function that returns the time in seconds.
    """

    def __init__(
        self,
        stream: typing.TextIO | None,
        *,
        on_terminal: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._on_terminal = on_terminal
        self._clock = clock
        self._begin = clock()
        self._next = self._begin + _QUIET_SECONDS
        self._is_shown = False

    def update(self, images: int, findings: int) -> None:
        """Report the number of images and findings so far, unless the last report is recent."""
        if self._stream is None or self._clock() < self._next:
            return
        rate = images / max(self._clock() - self._begin, 0.001)
        line = f"{images} images read ({rate:.0f}/s), {findings} findings"
        self._stream.write(f"\r{line}\x1b[K" if self._on_terminal else f"{line}\n")
        self._stream.flush()
        self._is_shown = True
        interval = _SECONDS_ON_TERMINAL if self._on_terminal else _SECONDS_OF_LINES
        self._next = self._clock() + interval

    def clear(self) -> None:
        """Clear the line on a terminal."""
        if self._stream is not None and self._is_shown and self._on_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
