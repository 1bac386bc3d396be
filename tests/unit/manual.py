# SPDX-License-Identifier: Apache-2.0
"""Read the examples of a page of the manual."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def sections(page: str) -> dict[str, str]:
    """Return the text of each section of a page, by its title.

    :param page: the name of a file in ``docs``.
    """
    parts = re.split(r"^(\S.*)\n([=-])\2{2,}\n", _read(page), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::3], parts[2::3], strict=True))


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a text in a language."""
    parts = text.split(f".. code-block:: {language}\n\n")[1:]
    return [textwrap.dedent(part[: _end(part)]) for part in parts]


def commands(text: str) -> list[str]:
    """Return the commands in the code blocks of a text, without the prompt."""
    parts = re.split(r"^\$ ", "".join(blocks(text, "console")), flags=re.MULTILINE)
    return [part.strip() for part in parts[1:]]


def _read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def _end(part: str) -> int:
    """Return the position of the first line that is not indented."""
    position = 0
    for line in part.splitlines(keepends=True):
        if line.strip() and not line.startswith("   "):
            break
        position += len(line)
    return position


def rows(text: str) -> list[list[str]]:
    """Return the cells of all ``list-table`` directives of a text, without their headings."""
    found: list[list[str]] = []
    for table in text.split(".. list-table::")[1:]:
        body = table[: _end(table.partition("\n")[2]) + table.index("\n") + 1]
        parts = re.split(r"^   \* - ", body, flags=re.MULTILINE)[1:]
        found += [re.split(r"^     -(?: |$)", part, flags=re.MULTILINE) for part in parts][1:]
    return found


def literals(cell: str) -> list[str]:
    """Return the code in a cell."""
    return re.findall(r"``(.+?)``", cell)
