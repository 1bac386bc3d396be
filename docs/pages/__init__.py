# SPDX-License-Identifier: Apache-2.0
"""Pages of the documentation that are generated from tables, each time the documentation is built.

What must live here: how a table becomes reStructuredText. What must not: facts, which stand in the
tables of ``glance_compat`` and ``tests``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pages import capabilities, commands, differences, filters, reliability, security

#: Name of the file, without its ending, to the function that makes its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "capabilities": capabilities.page,
    "commands": commands.page,
    "differences": differences.page,
    "filters": filters.page,
    "reliability": reliability.page,
    "security": security.page,
}


def write_pages(folder: Path) -> None:
    """Write all pages; a page that is as it was is left alone, so that Sphinx skips it."""
    for name, page in PAGES.items():
        path, text = folder / f"{name}.rst", page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
