# SPDX-License-Identifier: Apache-2.0
"""Read the pages of the built manual."""

from __future__ import annotations

import dataclasses
import functools
import html.parser
import os
import re
import zlib
from collections.abc import Mapping
from pathlib import Path

#: Tags whose content is no prose.
_CODE = ("code", "pre", "script", "style")

#: Tags, and the attribute with which each of them loads a file when the page is shown.
_LOADING = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "video": "src",
}


@dataclasses.dataclass(frozen=True)
class Page:
    """One HTML page.

    :param ids: the anchors of the page.
    :param links: where its links go to.
    :param assets: the files that a browser loads to show it.
    :param parts: the pieces of its text, without code.
    """

    ids: set[str] = dataclasses.field(default_factory=set)
    links: set[str] = dataclasses.field(default_factory=set)
    assets: set[str] = dataclasses.field(default_factory=set)
    parts: list[str] = dataclasses.field(default_factory=list)

    @property
    def text(self) -> str:
        """The text without code, with single spaces."""
        return " ".join("".join(self.parts).split())


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside += tag in _CODE
        named = {name: value or "" for name, value in attrs}
        if "id" in named:
            self.page.ids.add(named["id"])
        if tag == "a" and "href" in named:
            self.page.links.add(named["href"])
        if named.get(_LOADING.get(tag, ""), ""):
            self.page.assets.add(named[_LOADING[tag]])

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag in _CODE

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.page.parts.append(data)


def folder() -> Path:
    """Return the folder with the built manual."""
    return Path(os.environ["GLANCE_COMPAT_MANUAL"])


@functools.cache
def pages() -> Mapping[str, Page]:
    """Return all pages, by the path of their file in the folder."""
    found = {}
    for path in sorted(folder().rglob("*.html")):
        reader = _Reader()
        reader.feed(path.read_text(encoding="utf-8"))
        found[path.relative_to(folder()).as_posix()] = reader.page
    return found


@functools.cache
def documented() -> Mapping[str, frozenset[str]]:
    """Return the names that have an anchor, by their kind, such as ``py:class``.

    Sphinx writes them into the inventory ``objects.inv``; a name with two places is a warning.
    """
    found: dict[str, set[str]] = {}
    *_head, packed = (folder() / "objects.inv").read_bytes().split(b"\n", 4)
    for line in zlib.decompress(packed).decode().splitlines():
        entry = re.fullmatch(r"(.+?) (\S+:\S+) -?\d+ \S* .*", line)
        assert entry, line
        found.setdefault(entry[2], set()).add(entry[1])
    return {kind: frozenset(names) for kind, names in found.items()}
