# SPDX-License-Identifier: Apache-2.0
"""reStructuredText: titles, tables and escaped strings."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence


def title(text: str, line: str = "=") -> str:
    """Make a title."""
    return f"{text}\n{line * len(text)}\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    """Make a table with a header.

    :param widths: as the option of ``list-table``.
    """
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (header, *rows):
        for number, cell in enumerate(row):
            lines.append(f"   {'* ' if number == 0 else '  '}- {cell}".rstrip())
    return "\n".join(lines) + "\n"


def described(kind: str, name: str, body: str) -> str:
    """Make an entry that links and the search find by its name.

    :param kind: the directive, such as ``filter``; ``docs/conf.py`` adds those of this project.
    :param body: the description, in reStructuredText.
    """
    return f".. {kind}:: {name}\n\n{textwrap.indent(body.rstrip(), '   ')}\n\n"


def code(text: object) -> str:
    """Make a literal."""
    return f"``{text}``"


def codes(texts: Iterable[object]) -> str:
    """Make a list of literals, with commas."""
    return ", ".join(code(text) for text in texts)


def escaped(text: str) -> str:
    """Escape a string, so that reStructuredText shows it as it is."""
    for character in ("\\", "*", "`", "|"):
        text = text.replace(character, f"\\{character}")
    # A word that ends in an underscore would be a link.
    return re.sub(r"_(?![A-Za-z0-9])", r"\\_", text)
