# SPDX-License-Identifier: Apache-2.0
"""docs/pictures/demo.svg shows what the command prints, and loads nothing."""

from __future__ import annotations

import re
from itertools import groupby
from xml.etree import ElementTree

import pytest

from docs import demo_picture

DEMO = demo_picture.FILE.read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
TIME = re.compile(r"\d+\.\d+ s\.$")


def lines_of(picture: str) -> list[str]:
    """Return the lines of text in a picture, without its title and the borders of tables.

    Releases of prettytable draw different borders.
    """
    texts = [
        one
        for one in ElementTree.fromstring(picture).iter(f"{SVG}text")  # noqa: S314 - our own file
        if "clip-path" in one.attrib
    ]
    rows = groupby(texts, key=lambda one: one.attrib["y"])
    found = ["".join(one.text or "" for one in row) for _, row in rows]
    words = [line for line in found if any(map(str.isalnum, line))]
    return [TIME.sub("TIME", line.replace("\xa0", " ").rstrip()) for line in words]


def test_picture_of_demo_shows_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = lines_of(DEMO)
    assert shown == lines_of(demo_picture.draw())
    assert "all requests" in "".join(shown)
    assert shown[-2].startswith("EQUAL: ")


def test_picture_loads_nothing() -> None:
    root = ElementTree.fromstring(DEMO)  # noqa: S314 - our own file
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        *("svg", "style", "defs", "clipPath", "rect", "circle", "g", "text")
    }
    named = [value for one in root.iter() for value in one.attrib.values()]
    styles = [one.text or "" for one in root.iter(f"{SVG}style")]
    assert [one for one in (*named, *styles) if "//" in one or "@" in one] == []
