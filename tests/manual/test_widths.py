# SPDX-License-Identifier: Apache-2.0
"""No page of the manual scrolls sideways, on a desk and on a telephone.

They need Chromium; Debian's package is ``chromium``.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.manual.pages import folder, pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

#: Seconds for a browser on a busy machine; it needs two.
PATIENCE = 300

#: Shows each page in a frame, and writes the names of those whose content is wider than its box.
SCRIPT = """
const PARTS = ".content, .table-wrapper, img, svg";
const tooWide = [];
const isWider = element => element.scrollWidth > element.clientWidth + 1;
for (const url of URLS) {
    const frame = document.createElement("iframe");
    frame.style.cssText = `border: 0; height: 900px; width: ${WIDTH}px`;
    frame.src = url;
    document.body.append(frame);
    await new Promise(resolve => { frame.onload = resolve; });
    const page = frame.contentDocument;
    const boxes = [page.scrollingElement, ...page.querySelectorAll(PARTS)];
    for (const box of boxes.filter(box => box.clientWidth && isWider(box))) {
        tooWide.push([url.split("/").pop(), box.tagName, box.textContent.trim().slice(0, 40)]);
    }
    frame.remove();
}
const result = document.createElement("pre");
result.textContent = JSON.stringify(tooWide);
document.body.append(result);
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """Return the path of a browser."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return found or pytest.skip(f"no browser is installed: {', '.join(BROWSERS)}")


@pytest.mark.parametrize("width", [1280, 500])
def test_page_and_its_tables_fit_the_width(browser: str, width: int, tmp_path: Path) -> None:
    urls = [(folder() / name).resolve().as_uri() for name in pages() if "/" not in name]
    assert urls
    script = f"const URLS = {json.dumps(urls)}, WIDTH = {width};\n{SCRIPT}"
    check = tmp_path / "check.html"
    check.write_text(f'<body><script type="module">{script}</script></body>', encoding="utf-8")
    done = subprocess.run(
        [
            browser,
            "--headless=new",
            # Root, as in a container, has no sandbox; the pages are the project's own.
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width + 100},1000",
            "--virtual-time-budget=60000",
            "--dump-dom",
            check.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    result = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    assert result, done.stderr
    assert json.loads(html.unescape(result[1])) == []
