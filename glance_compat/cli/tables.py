# SPDX-License-Identifier: Apache-2.0
"""Fit tables to the width of the terminal.

What must live here: which columns may wrap, and which are left out. What must not: the values of
the columns (see ``formatting``).
"""

from __future__ import annotations

import argparse
import typing
from collections.abc import Iterable, Sequence

import prettytable
from cliff.formatters import table as cliff_table
from cliff.utils import terminal_width

#: Columns that never wrap, so that an id can be copied.
_WHOLE = frozenset({"id", "member_id", "Field"})

#: Maximum width of these columns, in characters: Keystone's longest ids. A user may write longer
#: member ids, up to 255 characters.
_LONGEST_ID = 64

#: Width to which other columns may shrink, in characters; that of the values of one image is
#: enough for an id.
_LEAST, _LEAST_VALUE = 8, 36


class FittingTable(cliff_table.TableFormatter):
    """A table whose ids never wrap, if they are as long as those of Keystone.

    If the terminal is too narrow for the columns, the last ones are left out, and a line says so.
    """

    def __init__(self) -> None:
        self._left_out: list[str] = []

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[typing.Any]],
        stdout: typing.TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Write the table, then the names of columns that were left out."""
        super().emit_list(column_names, data, stdout, parsed_args)
        if self._left_out:
            names = ", ".join(self._left_out)
            stdout.write(f"Too narrow for: {names} (-f json shows all columns)\n")

    def _assign_max_widths(  # type: ignore[override]
        self,
        table: prettytable.PrettyTable,
        max_width: int,
        min_width: int = 0,
        fit_width: bool = False,
    ) -> None:
        """Set the widths of the columns; cliff calls this before it writes the table."""
        self._left_out = []
        width = max_width if max_width > 0 else _width_of_terminal(fit_width)
        lines = table.get_string().splitlines()
        if not width or not lines or len(lines[0]) <= width:
            return
        natural = self._field_widths(table.field_names, lines[0])
        least = {name: _least_width(name, one) for name, one in natural.items()}
        while len(natural) > 1 and _total(least) > width:
            name = next(reversed(natural))
            self._left_out.insert(0, name)
            table.del_column(name)
            del natural[name], least[name]
        for name, one in _shrink(natural, least, width).items():
            table.max_width[name] = one


def _least_width(name: str, natural: int) -> int:
    if name in _WHOLE and natural <= _LONGEST_ID:
        return natural
    least = _LEAST_VALUE if name == "Value" or name in _WHOLE else _LEAST
    # prettytable wraps values, but not the names of columns.
    return min(natural, max(len(name), least))


def _total(widths: dict[str, int]) -> int:
    """Return the width of a table: each column has two spaces and a line beside it."""
    return sum(widths.values()) + 3 * len(widths) + 1


def _shrink(natural: dict[str, int], least: dict[str, int], width: int) -> dict[str, int]:
    """Return widths that fit, if the least ones do: the widest columns shrink first."""
    widths = dict(natural)
    while _total(widths) > width:
        candidates = [name for name in widths if widths[name] > least[name]]
        if not candidates:
            break
        widths[max(candidates, key=lambda name: widths[name])] -= 1
    return widths


def _width_of_terminal(fit_width: bool) -> int | None:
    return terminal_width() if cliff_table._do_fit(fit_width) else None
