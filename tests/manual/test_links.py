# SPDX-License-Identifier: Apache-2.0
"""The links of the manual lead somewhere, and a browser shows it without a network."""

from __future__ import annotations

import re
from urllib.parse import unquote, urldefrag, urlsplit

from tests.manual.pages import folder, pages

#: What a style sheet loads.
_LOADED = re.compile(r"""(?:@import\s+|url\()\s*["']?([^"')\s;]+)""")


def is_outside(url: str) -> bool:
    """Tell whether a URL leads out of the manual."""
    parts = urlsplit(url)
    return bool(parts.netloc or parts.scheme not in ("", "data"))


def test_pages_load_nothing_remote() -> None:
    remote = {
        (name, url) for name, page in pages().items() for url in page.assets if is_outside(url)
    }
    assert remote == set()
    assert {"_static/styles/furo.css"} & {
        url.partition("?")[0] for url in pages()["index.html"].assets
    }


def test_style_sheets_load_nothing_remote() -> None:
    sheets = list(folder().rglob("*.css"))
    assert sheets
    loaded = {(sheet.name, url) for sheet in sheets for url in _LOADED.findall(sheet.read_text())}
    assert {one for one in loaded if is_outside(one[1])} == set()


def test_links_inside_lead_to_an_anchor() -> None:
    broken = set()
    for name, page in pages().items():
        for link in page.links:
            url, fragment = urldefrag(link)
            if is_outside(link):
                continue
            target = (folder() / name).parent / unquote(url) if url else folder() / name
            path = target.resolve().relative_to(folder().resolve()).as_posix()
            known = pages()[path].ids if path in pages() else None
            missing = known is None and not target.is_file()
            if missing or (fragment and known is not None and fragment not in known):
                broken.add((name, link))
    assert broken == set()


def test_links_outside_have_the_form_of_a_web_address() -> None:
    outside = {link for page in pages().values() for link in page.links if is_outside(link)}
    assert outside
    malformed = {
        link
        for link in outside
        if not re.fullmatch(r"https://([a-z0-9-]+\.)+[a-z]{2,}(/[^\s<>\"]*)?", link)
    }
    assert malformed == set()
