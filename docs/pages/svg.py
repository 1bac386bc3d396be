# SPDX-License-Identifier: Apache-2.0
"""Drawings as SVG, which pages include as raw HTML.

Lines and text have the colour of the page's text, so a drawing fits a light and a dark theme.

What must live here: shapes. What must not: what a drawing shows.
"""

from __future__ import annotations

import math
from html import escape

#: Length and half the width of the head of an arrow, in pixels.
_HEAD = (9.0, 3.5)
_BASELINE = 4.5


class Drawing:
    """A drawing, to which shapes are added; all sizes are in pixels.

    :param width: the width; on a narrower page the drawing is scaled down.
    :param height: the height.
    :param title: the title, for screen readers.
    :param description: what the drawing shows, in words, for screen readers.
    """

    def __init__(self, width: float, height: float, title: str, description: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
            f' role="img" font-family="sans-serif" font-size="14" fill="currentColor"'
            f' style="display: block; width: 100%; max-width: {width:g}px; height: auto;'
            ' margin: 1em 0">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
        ]

    def band(self, x: float, y: float, width: float, height: float, label: str) -> None:
        """Add a background with a label in its upper left corner."""
        self._rectangle(x, y, width, height, 'fill-opacity="0.05"')
        self.text(x + 8, y + 12, label, 'font-size="12" fill-opacity="0.75"')

    def box(
        self, x: float, y: float, width: float, height: float, label: str, tooltip: str = ""
    ) -> None:
        """Add a box with a label in its middle.

        :param x: the middle of the box.
        :param y: the middle of the box.
        :param tooltip: what is shown while the mouse is over the box.
        """
        self._parts.append("<g>" + (f"<title>{escape(tooltip)}</title>" if tooltip else ""))
        shape = 'fill-opacity="0.08" stroke="currentColor" stroke-opacity="0.6"'
        self._rectangle(x - width / 2, y - height / 2, width, height, shape)
        self.text(x, y, label, 'text-anchor="middle" font-size="13"')
        self._parts.append("</g>")

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], *, dashed: bool = False
    ) -> None:
        """Add a line with a head at its end."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self.line(start, end, f'stroke-opacity="0.7"{dashes}')
        angle = math.atan2(end[1] - start[1], end[0] - start[0])
        length, half = _HEAD
        back = (end[0] - length * math.cos(angle), end[1] - length * math.sin(angle))
        side = (half * math.sin(angle), half * math.cos(angle))
        corners = (
            end,
            (back[0] + side[0], back[1] - side[1]),
            (back[0] - side[0], back[1] + side[1]),
        )
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        self._parts.append(f'<polygon points="{points}"/>')

    def line(self, start: tuple[float, float], end: tuple[float, float], style: str = "") -> None:
        """Add a line."""
        self._parts.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
            f' stroke="currentColor" {style}/>'
        )

    def text(self, x: float, y: float, text: str, style: str = "") -> None:
        """Add text; ``y`` is the middle of the line."""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y + _BASELINE:.1f}" {style}>{escape(text)}</text>'
        )

    def _rectangle(self, x: float, y: float, width: float, height: float, style: str) -> None:
        size = f'width="{width:.1f}" height="{height:.1f}"'
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} rx="4" {style}/>')

    def __str__(self) -> str:
        return "\n".join([*self._parts, "</svg>"]) + "\n"
