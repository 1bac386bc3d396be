# SPDX-License-Identifier: Apache-2.0
"""Tables as text, and what a reader has to know of the machine."""

from __future__ import annotations

import dataclasses
import datetime
import os
import platform
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Table:
    """Cells with a title and a header; the first column is text, the others are figures."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def markdown(table: Table) -> str:
    """Return a table in Markdown, aligned so that it is legible as it is."""
    widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(cells, widths) for cells in (table.header, rule, *table.rows)]
    return "\n".join((f"### {table.title}", "", *lines, ""))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {' | '.join((first, *rest))} |"


def machine() -> str:
    """Return a sentence about the machine, how busy it is, and today."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    load = " ".join(f"{figure:.1f}" for figure in os.getloadavg())
    return (
        f"{today}, {platform.machine()}, {_processor()}, {os.cpu_count()} processors,"
        f" Python {platform.python_version()}, load average {load}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown processor"
