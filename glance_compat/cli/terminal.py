# SPDX-License-Identifier: Apache-2.0
"""The terminal as rich sees it; imported only where a terminal needs it.

What must live here: how rich writes to the terminal. What must not: what is written.
"""

from __future__ import annotations

import typing

from rich.console import Console


class _Console(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Leave the cursor as it is: a program that is killed would not show it again."""
        return False


def console(stream: typing.TextIO) -> Console:
    """Return a console that writes to a terminal, and interprets no markup."""
    return _Console(file=stream, markup=False, emoji=False, highlight=False)
