# SPDX-License-Identifier: Apache-2.0
"""``glance-compat demo``: make the same calls on three in-memory servers and show the results.

What must live here: formatting of the output. What must not: the calls and comparisons
(``demonstration``).
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence

from cliff.command import Command
from prettytable import PrettyTable, TableStyle

from glance_compat.cli import formatting
from glance_compat.cli.usage import require_extra

if typing.TYPE_CHECKING:
    from glance_compat.cli.comparison import Difference
    from glance_compat.cli.demonstration import Demonstration, Example
    from glance_compat.discovery.versions import OfferedVersion

_GREEN, _RED, _BOLD = "32", "31;1", "1"

_INTRODUCTION = """\
This demo sends the same calls to three Glance servers that run in memory and
listen on free local ports; no cloud is needed. "v1 only" and "both" behave
like Glance 15.0.2 (Pike), "v2 only" behaves like Glance 33."""

Rows = Iterable[Sequence[object]]


class Demo(Command):
    """Make the same calls on three in-memory servers, and compare the results.

    One server offers the Images API v1, one offers v2, one offers both. The output shows which API
    is chosen and why, the number of requests for each call, and whether the results are equal. If
    they are not, the exit code is 1.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the results; return 1 if results that should be equal differ, otherwise 0."""
        started = time.monotonic()
        shown = self.demonstrate()
        seconds = time.monotonic() - started
        page = _Page(self.app.stdout)
        self.app.stdout.write("\n\n".join(page.sections(shown, seconds)) + "\n")
        return 1 if shown.differences else 0

    @staticmethod
    def demonstrate() -> Demonstration:
        """Run the demonstration.

        The import is inside the method because only this command needs the extra ``fixtures``.
        """
        with require_extra("fixtures"):
            from glance_compat.cli import demonstration

        return demonstration.demonstrate()


class _Page:
    """Format the output of the demo.

    :param stream: where the output is written. Box-drawing characters are used if its encoding
        has them, colours if it is a terminal.
    """

    def __init__(self, stream: typing.TextIO) -> None:
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        self._boxes = encoding.replace("-", "").startswith("utf")
        self._colours = (
            stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        )

    def sections(self, shown: Demonstration, seconds: float) -> Iterator[str]:
        """Yield the sections of the output.

        :param shown: the results to format.
        :param seconds: duration of the demonstration, in seconds.
        """
        yield _INTRODUCTION
        yield self._section("1. The Images API that is used, and why", self._discoveries(shown))
        yield self._section(
            "2. Requests for each call, and whether the three servers' results are equal",
            self._calls(shown),
        )
        yield self._section(
            "3. Images written with plain HTTP, read with show()",
            self._reads(shown),
        )
        yield self._section(
            "4. What show() returns for such an image, over either API", self._image(shown)
        )
        yield self._section(
            "5. Known deviations: what one request over v1 does not return",
            self._deviations(shown),
        )
        if shown.differences:
            yield self._section(
                "DIFFERENT, but should be equal", self._differences(shown.differences)
            )
        yield self._result(shown, seconds)

    # -- sections

    def _discoveries(self, shown: Demonstration) -> str:
        return self._table(
            {"server": 7, "offers": 12, "chosen": 6, "because": 31, "requests": 8},
            (
                (name, _format_versions(found.offered), found.api, found.reason, found.requests)
                for name, found in shown.discoveries.items()
            ),
        )

    def _calls(self, shown: Demonstration) -> str:
        servers = tuple(shown.discoveries)
        total = {name: sum(one.requests.get(name, 0) for one in shown.calls) for name in servers}
        rows: list[Sequence[object]] = [
            (one.call, *(one.requests.get(name, "-") for name in servers), self._verdict(one))
            for one in shown.calls
        ]
        rows.append(("all requests", *total.values(), ""))
        return self._table(
            {"call": 35, **dict.fromkeys(servers, 7), "results": 9}, rows, line_before_last=True
        )

    def _reads(self, shown: Demonstration) -> str:
        return self._table(
            {"server": 8, "written over": 12, "read over": 9, "requests": 8, "the dict": 11},
            (
                (
                    one.reading.server,
                    one.reading.written_over,
                    one.reading.read_over,
                    one.requests,
                    self._verdict(one, "as expected"),
                )
                for one in shown.reads
            ),
        )

    def _image(self, shown: Demonstration) -> str:
        return self._table(
            {"key": 16, "value": 56},
            ((key, _format_value(one)) for key, one in shown.image.items()),
        )

    def _deviations(self, shown: Demonstration) -> str:
        return "\n".join(self._deviation(one.example) for one in shown.examples)

    def _deviation(self, example: Example) -> str:
        rows = [
            ("over v1", _format_value(example.over_v1)),
            ("over v2", _format_value(example.over_v2)),
            ("because", example.known.fact),
            ("remedy", example.known.remedy),
        ]
        # The same width for every deviation.
        columns = {f"{example.known.name:20}": 20, example.part: 52}
        return self._table(columns, ((label, text) for label, text in rows if text))

    def _differences(self, found: Iterable[Difference]) -> str:
        return self._table(
            {"where": 30, "side": 10, "value": 30},
            (
                (one.where, side, _format_value(value))
                for one in found
                for side, value in one.values.items()
            ),
        )

    def _result(self, shown: Demonstration, seconds: float) -> str:
        compared = (
            f"{len(shown.calls)} results on each of {len(shown.discoveries)} servers,"
            f" and {len(shown.reads)} images written with plain HTTP."
        )
        if shown.differences:
            label = self._styled("DIFFERENT", _RED)
            return f"{label}: {len(shown.differences)} times, of {compared}"
        return (
            f"{self._styled('EQUAL', _GREEN)}: {compared}\n"
            f"{len(shown.examples)} known deviations, no others. The demo took {seconds:.1f} s."
        )

    # -- formatting

    def _verdict(self, row: typing.Any, label: str = "equal") -> str:
        return self._styled("DIFFERENT", _RED) if row.differences else self._styled(label, _GREEN)

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def _section(self, title: str, body: str) -> str:
        return f"{self._styled(title, _BOLD)}\n{body}"

    def _table(
        self, columns: Mapping[str, int], rows: Rows, *, line_before_last: bool = False
    ) -> str:
        """Return a table of at most 80 characters, whatever the width of the terminal.

        :param columns: the column titles, and the width at which each column is wrapped.
        :param rows: the cells of each row.
        :param line_before_last: draw a line above the last row, for totals.
        """
        table = PrettyTable(list(columns))
        table.set_style(TableStyle.SINGLE_BORDER if self._boxes else TableStyle.DEFAULT)
        whole = list(rows)
        for title, column in zip(columns, zip(*whole, strict=True), strict=True):
            table.max_width[title] = columns[title]
            table.align[title] = "r" if all(_is_count(cell) for cell in column) else "l"
        for number, row in enumerate(whole, start=1):
            table.add_row(list(row), divider=line_before_last and number == len(whole) - 1)
        return str(table.get_string())


def _is_count(cell: object) -> bool:
    return isinstance(cell, int) or cell == "-"


def _format_value(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return str(value)
    return formatting.escape_controls(repr(value))


def _format_versions(offered: Sequence[OfferedVersion]) -> str:
    """Return the lowest and the highest minor version of each major version."""
    numbers = sorted({one.number for one in offered if one.number})
    majors = sorted({major for major, _ in numbers})
    parts = []
    for major in majors:
        minors = [minor for one, minor in numbers if one == major]
        parts.append(f"v{major}.{minors[0]} to v{major}.{minors[-1]}")
    return "\n".join(parts)
