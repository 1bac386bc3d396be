# SPDX-License-Identifier: Apache-2.0
"""``glance-compat demo``: the library at work on three servers, for somebody who never saw it.

What must live here: how it is shown. What is done and compared is in ``life``.
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

from glance_compat.cli import cells
from glance_compat.cli.usage import needs

if typing.TYPE_CHECKING:
    from glance_compat.cli.comparing import Difference
    from glance_compat.cli.life import Demonstration, Example
    from glance_compat.discovery.versions import OfferedVersion

_GREEN, _RED, _BOLD = "32", "31;1", "1"

_INTRODUCTION = """\
The same calls go to three Glance servers, which run in memory and listen on
free ports of this machine: no cloud is needed. "v1 only" and "both" behave
like Glance 15.0.2 (Pike), "v2 only" like Glance 33."""

Rows = Iterable[Sequence[object]]


class Demo(Command):
    """Run the life of an image on three servers in memory, and compare.

    One server offers the Images API v1, one v2, one both. Shown are the API that is chosen and
    why, the requests that each call costs, and whether the results are equal: the exit code is 1
    if they are not.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the demonstration; 1 when something differs that should not."""
        begun = time.monotonic()
        shown = self.demonstrate()
        took = time.monotonic() - begun
        page = _Page(self.app.stdout)
        self.app.stdout.write("\n\n".join(page.sections(shown, took)) + "\n")
        return 1 if shown.differences else 0

    @staticmethod
    def demonstrate() -> Demonstration:
        """Do it; the servers are imported for this command alone."""
        with needs("fixtures"):
            from glance_compat.cli import life

        return life.demonstrate()


class _Page:
    """The text of a demonstration, for one stream.

    :param stream: gets boxes drawn if its encoding has them, and colours if it is a terminal.
    """

    def __init__(self, stream: typing.TextIO) -> None:
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        self._boxes = encoding.replace("-", "").startswith("utf")
        self._colours = (
            stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        )

    def sections(self, shown: Demonstration, took: float) -> Iterator[str]:
        """All of it, part by part.

        :param took: seconds.
        """
        yield _INTRODUCTION
        yield self._titled("1. Which Images API is spoken, and why", self._discoveries(shown))
        yield self._titled(
            "2. The life of an image: requests for each call, and whether the results\n"
            "   of the three servers are equal",
            self._life(shown),
        )
        yield self._titled(
            "3. Images of others: written with plain HTTP, read by glance-compat with show()",
            self._others(shown),
        )
        yield self._titled("4. The dict that this gives, over either API", self._image(shown))
        yield self._titled(
            "5. Known deviations: what one request over v1 cannot tell", self._deviations(shown)
        )
        if shown.differences:
            yield self._titled("DIFFERENT, and should not be", self._different(shown.differences))
        yield self._result(shown, took)

    # -- the parts

    def _discoveries(self, shown: Demonstration) -> str:
        return self._table(
            {"server": 7, "offers": 12, "chosen": 6, "because": 31, "requests": 8},
            (
                (name, _range(found.offered), found.api, found.reason, found.requests)
                for name, found in shown.discoveries.items()
            ),
        )

    def _life(self, shown: Demonstration) -> str:
        servers = tuple(shown.discoveries)
        total = {name: sum(one.requests.get(name, 0) for one in shown.called) for name in servers}
        rows: list[Sequence[object]] = [
            (one.call, *(one.requests.get(name, "-") for name in servers), self._equal(one))
            for one in shown.called
        ]
        rows.append(("requests in all", *total.values(), ""))
        return self._table(
            {"call": 35, **dict.fromkeys(servers, 7), "results": 9}, rows, line_before_last=True
        )

    def _others(self, shown: Demonstration) -> str:
        return self._table(
            {"server": 8, "written over": 12, "read over": 9, "requests": 8, "the dict": 11},
            (
                (
                    one.reading.server,
                    one.reading.written_over,
                    one.reading.read_over,
                    one.requests,
                    self._equal(one, "as expected"),
                )
                for one in shown.read
            ),
        )

    def _image(self, shown: Demonstration) -> str:
        return self._table(
            {"key": 16, "value": 56}, ((key, _value(one)) for key, one in shown.image.items())
        )

    def _deviations(self, shown: Demonstration) -> str:
        return "\n".join(self._deviation(one.example) for one in shown.deviated)

    def _deviation(self, example: Example) -> str:
        rows = [
            ("over v1", _value(example.over_v1)),
            ("over v2", _value(example.over_v2)),
            ("because", example.known.fact),
            ("to avoid it", example.known.remedy),
        ]
        # Of one width, whatever the name.
        columns = {f"{example.known.name:20}": 20, example.part: 52}
        return self._table(columns, ((word, text) for word, text in rows if text))

    def _different(self, found: Iterable[Difference]) -> str:
        return self._table(
            {"where": 30, "side": 10, "value": 30},
            (
                (one.where, side, _value(value))
                for one in found
                for side, value in one.values.items()
            ),
        )

    def _result(self, shown: Demonstration, took: float) -> str:
        compared = (
            f"{len(shown.called)} results on each of {len(shown.discoveries)} servers,"
            f" and {len(shown.read)} images of others."
        )
        if shown.differences:
            word = self._styled("DIFFERENT", _RED)
            return f"{word}: {len(shown.differences)} times, of {compared}"
        return (
            f"{self._styled('EQUAL', _GREEN)}: {compared}\n"
            f"The {len(shown.deviated)} deviations are the known ones. It took {took:.1f} s."
        )

    # -- the form

    def _equal(self, row: typing.Any, word: str = "equal") -> str:
        return self._styled("DIFFERENT", _RED) if row.differences else self._styled(word, _GREEN)

    def _styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text

    def _titled(self, title: str, body: str) -> str:
        return f"{self._styled(title, _BOLD)}\n{body}"

    def _table(
        self, columns: Mapping[str, int], rows: Rows, *, line_before_last: bool = False
    ) -> str:
        """A table of a fixed form, whatever the terminal's width.

        :param columns: titles, and how wide each may be before it is wrapped; in all they fit
            into 80 characters.
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


def _value(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return str(value)
    return cells.escaped(repr(value))


def _range(offered: Sequence[OfferedVersion]) -> str:
    """The versions of a document in short: the first and the last of each major."""
    numbers = sorted({one.number for one in offered if one.number})
    majors = sorted({major for major, _ in numbers})
    parts = []
    for major in majors:
        minors = [minor for one, minor in numbers if one == major]
        parts.append(f"v{major}.{minors[0]} to v{major}.{minors[-1]}")
    return "\n".join(parts)
