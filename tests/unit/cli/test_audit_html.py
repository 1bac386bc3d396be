# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --format html``: one page that needs no network."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "</td></tr></table><!--",
    "&lt;b&gt; &amp; ]]> ${alert(1)} `x`",
    "\x1b]0;owned\x07\u202egnp\ud800",
)
IMAGES: tuple[Mapping[str, Any], ...] = (
    {"name": "my%20image", "properties": {"note": "a%20b", "empty": None}},
    {"name": "zebra", "properties": {"owner": "me"}, "owner": "p2", "visibility": "public"},
    *(
        {"name": f"{text} ", "properties": {f"{text}": f" {text}"}, "tags": ["t"]}
        for text in HOSTILE
        if text.isascii()
    ),
    {"name": f" {HOSTILE[-1][:-1]}", "owner": "<b>", "visibility": "public"},
)


def written(tmp_path: Path, *argv: str, images: tuple[Mapping[str, Any], ...] = IMAGES) -> Outcome:
    path = str(tmp_path / "report.html")
    with GlanceFixture(fault_injection=False, images=images) as glance:
        return in_process("audit", *options(glance), "-f", "html", "--output", path, *argv)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a page with hostile metadata."""
    folder = tmp_path_factory.mktemp("page")
    outcome = written(folder)
    assert (outcome.code, outcome.out) == (3, "")
    assert len(outcome.err.splitlines()) == 2
    return folder / "report.html"


class Elements(HTMLParser):
    """The elements, attributes, cells and inline code of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.code: dict[str, str] = {}
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self._inside = tag
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            assert self._inside not in self.code, "there is one script, and one style"
            self.code[self._inside] = data
        elif self._inside == "td":
            self.cells[-1] += data


def test_hostile_metadata_adds_no_element(page: Path) -> None:
    text = page.read_text()
    found = Elements(text)
    assert found.tags == {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "br", "table"),
        *("thead", "tbody", "tr", "th", "td", "svg", "rect", "label", "input", "output"),
        *("button", "script"),
    }
    assert not {name for name in found.attributes if name.startswith("on")}
    assert not {"src", "href", "style", "action"} & found.attributes
    for hostile in HOSTILE[:-1]:
        assert f"{hostile} " in found.cells
    assert text.replace("\n", "").isprintable()


def test_policy_allows_only_the_code_of_the_page(page: Path) -> None:
    text = page.read_text()
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    hashes = {
        name: base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        for name, code in Elements(text).code.items()
    }
    assert policy == [
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src"
        f" 'sha256-{hashes['script']}'; base-uri 'none'; form-action 'none'"
    ]
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert "://" not in text


def test_page_has_counts_and_a_bar_for_each_kind(tmp_path: Path) -> None:
    written(tmp_path, images=IMAGES[:2])
    text = (tmp_path / "report.html").read_text()
    assert "4 findings in 2 of 2 images: 1 loss, 2 change, 1 note." in text
    assert re.findall(r'<rect width="([\d.]+)"', text) == ["50.0", "100.0", "50.0"]
    assert Elements(text).cells[:4] == ["loss", "shadowed-property", "1", "1"]


def test_page_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("x" * 1_000_000)
    assert written(tmp_path, images=({"name": "plain"},)).code == 0
    assert path.read_text().endswith("</html>\n")
    assert "Nothing was found." in path.read_text()
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    outcome = written(tmp_path / "missing")
    assert outcome.code == 1
    assert outcome.err.splitlines()[-1].startswith("OutputError: cannot write '")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("-f", "html"), "-f html needs --output FILE"),
        (("--output", "x"), "--output needs -f html"),
        (("-f", "html", "--output", "x", "-c", "id"), "leave out -c, --long, --summary"),
        (("-f", "html", "--output", "x", "--fix", "null-property", "y"), "for findings, not for"),
    ],
)
def test_incomplete_options_are_wrong_usage(argv: tuple[str, ...], message: str) -> None:
    outcome = in_process("audit", *argv)
    assert outcome.code == 2
    assert message in outcome.error
    assert not Path("x").exists()


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def rendered(url: str, profile: Path) -> str:
    """Return the page as a browser shows it, after its script has run."""
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={profile}", url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=120)
    return done.stdout.decode()


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome is installed")
def test_browser_searches_the_page(page: Path, tmp_path: Path) -> None:
    every = rendered(page.as_uri(), tmp_path)
    total = every.count("data-rank=")
    assert f'id="shown">{total} of {total}<' in every
    assert "alert(1)</script>" not in every
    found = rendered(f"{page.as_uri()}#ZEBRA%20loss", tmp_path)
    assert f'id="shown">1 of {total}<' in found
    assert found.count('<tr hidden="">') == total - 1
