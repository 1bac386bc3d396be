# SPDX-License-Identifier: Apache-2.0
"""Draw docs/pictures/demo.svg: the output of ``glance-compat demo``, from a real run.

Run ``python -m docs.demo_picture`` after the output has changed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from glance_compat.cli.app import GlanceCompat

FILE = Path(__file__).parent / "pictures" / "demo.svg"

#: The width of the output of ``demo``, in characters.
COLUMNS = 80

# rich's own template loads a font from another host.
_TEMPLATE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: monospace; font-size: {char_height}px; line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class _Terminal(io.StringIO):
    """A stream to which commands write in colour."""

    def isatty(self) -> bool:
        return True


def run_demo() -> Iterator[str]:
    """Yield the first three and the last section of what ``demo`` prints on a terminal.

    :raises RuntimeError: the demo failed.
    """
    terminal = _Terminal()
    if GlanceCompat(stdout=terminal, stderr=terminal).run(["demo"]):
        raise RuntimeError(terminal.getvalue())
    sections = terminal.getvalue().rstrip().split("\n\n")
    yield from (*sections[:3], "[...]", sections[-1])


def draw() -> str:
    """Return the picture, as SVG."""
    console = Console(record=True, file=io.StringIO(), width=COLUMNS)
    console.print(Text.from_ansi("\n\n".join(run_demo())))
    return console.export_svg(title="glance-compat demo", code_format=_TEMPLATE, unique_id="demo")


def main() -> None:
    """Draw the picture anew."""
    os.environ.pop("NO_COLOR", None)
    os.environ["TERM"] = "xterm"
    FILE.write_text(draw(), encoding="utf-8")


if __name__ == "__main__":
    main()
