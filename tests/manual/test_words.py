# SPDX-License-Identifier: Apache-2.0
"""The manual names who does something, and uses plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.manual.pages import pages

#: What the manual does not say, to what it says instead.
INSTEAD: Mapping[str, str] = {
    r"somebody|nobody|anybody|whoever": "the user, the caller, the server, no program",
    r"in the end": "finally, or nothing",
    r"at all": "nothing, or never",
    r"an? [\w-]+(?: [\w-]+)? of (?:its|their) own": "its own page, not a page of its own",
    r"for ever": "permanently, until the process ends",
    r"octets?(?!-stream)": "byte",
}

#: Pages with texts of the past, and lists of names.
LEFT_OUT = {"release-notes.html", "genindex.html", "py-modindex.html", "search.html"}


@pytest.mark.parametrize("words", INSTEAD)
def test_words_are_plain(words: str) -> None:
    found = [
        (name, page.text[max(0, match.start() - 40) : match.end() + 20])
        for name, page in pages().items()
        if name not in LEFT_OUT
        for match in re.finditer(rf"\b(?:{words})\b", page.text, re.IGNORECASE)
    ]
    assert found == [], f"say instead: {INSTEAD[words]}"
