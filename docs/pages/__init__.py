# SPDX-License-Identifier: Apache-2.0
"""Pages of the documentation that are generated from tables, each time the documentation is built.

What must live here: how a table becomes reStructuredText or a drawing. What must not: facts, which
stand in the tables of ``glance_compat`` and ``tests``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pages import (
    capabilities,
    choosing,
    commands,
    differences,
    facts,
    filters,
    findings,
    packages,
    reliability,
    retries,
    security,
)

#: Name of the page to the function that makes its text.
PAGES: Mapping[str, Callable[[], str]] = {
    "capabilities": capabilities.page,
    "choosing": choosing.page,
    "commands": commands.page,
    "differences": differences.page,
    "facts": facts.page,
    **facts.pages(),
    "filters": filters.page,
    "findings": findings.page,
    "outcomes": reliability.outcomes,
    "reliability": reliability.page,
    "retries": retries.page,
    "security": security.page,
}

#: Name of the drawing to the function that makes its SVG.
DRAWINGS: Mapping[str, Callable[[], str]] = {
    "packages": packages.library,
    "packages-of-the-fixture": packages.fixture,
}


def write_pages(folder: Path) -> None:
    """Write all pages; a page that is as it was is left alone, so that Sphinx skips it."""
    texts = {f"{name}.rst": page for name, page in PAGES.items()}
    drawings = {f"{name}.svg": drawing for name, drawing in DRAWINGS.items()}
    for name, page in {**texts, **drawings}.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
