# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit``: what a move from v1 to v2, or back, would change or lose.

What must live here: the command, its rows, its summary and its exit code. What must not: what is
found and how the lists are read (``glance_compat.audit``), repairs (``repair``).
"""

from __future__ import annotations

import argparse
import collections
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cliff.lister import Lister

from glance_compat import exceptions
from glance_compat.audit import findings
from glance_compat.audit.findings import Kind
from glance_compat.audit.reader import Reader, offered, sources_v1, sources_v2
from glance_compat.cli import cells, cloud, repair, report
from glance_compat.cli.images import at_least
from glance_compat.cli.report import Progress, Tally
from glance_compat.cli.usage import UsageError, checked
from glance_compat.discovery.versions import Discovery

#: Something was found. 1 and 2 are taken: failed, wrong usage.
EXIT_FOUND = 3

#: Formats that are written row by row.
_STREAMED = frozenset({"csv", "value"})


class Audit(Lister):
    """Say what a move from v1 to v2, or back, would change or lose of each image.

    Reads all images that the caller may see, over each Images API that the endpoint offers, and
    writes nothing. A summary goes to stderr. Exit code: 0 nothing found, 1 failed or not all was
    read, 2 wrong usage, 3 something found.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add what is wanted of it."""
        parser = super().get_parser(prog_name)
        _add_choice(parser)
        parser.add_argument("--long", action="store_true", help="more columns")
        parser.add_argument(
            "--summary", action="store_true", help="one row for each kind, not for each finding"
        )
        parser.add_argument(
            "--exit-zero", action="store_true", help="exit with 0 also when something was found"
        )
        parser.add_argument(
            "--progress",
            action="store_true",
            help="say on stderr how far it is, also where that is no terminal",
        )
        parser.add_argument(
            "--page-size",
            metavar="NUMBER",
            type=checked(at_least(1)),
            help="images in one answer of the server; default: as many as it grants",
        )
        group = parser.add_argument_group(
            "repairs", "Without these options nothing is ever written."
        )
        group.add_argument(
            "--fix-percent-encoding",
            dest="images",
            metavar="IMAGE",
            nargs="+",
            help="decode the name and the values of properties that glanceclient encoded, of these"
            " images; what is not sure is refused",
        )
        group.add_argument(
            "--dry-run", action="store_true", help="show what would be written, write nothing"
        )
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the rows, then the summary; see :class:`Audit` for the exit code."""
        self._end: Callable[[], int] = lambda: 0
        super().run(parsed_args)
        return self._end()

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return columns, and rows as they are found."""
        if parsed_args.images:
            return self._repairs(parsed_args)
        if parsed_args.dry_run:
            raise UsageError("--dry-run goes with --fix-percent-encoding")
        return self._audit(parsed_args)

    def _audit(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        place = cloud.Place(self.app.options)
        discovery = _discovery(place, self.app.options.api_version)
        apis, gaps = offered(discovery, self.app.options.api_version)
        sources = {
            "v1": sources_v1(deleted=parsed_args.deleted),
            "v2": sources_v2(discovery.capabilities),
        }
        reader = Reader(
            {api: sources[api] for api in apis},
            {api: place.dispatcher(api_version=api[1:]) for api in apis},
            parsed_args.page_size,
        )
        tally = Tally(gaps)
        found = report.found(
            reader, tally, _kinds(parsed_args), parsed_args.owner, self._progress(parsed_args)
        )
        # What fails at once is an error like that of any other command.
        first = list(itertools.islice(found, 1))
        if reader.failed:
            raise reader.errors[0]
        rows = itertools.chain(first, found)
        self._end = lambda: self._ended(reader, tally, parsed_args)
        if parsed_args.summary:
            collections.deque(rows, maxlen=0)
            return report.SUMMARY, report.summary(tally, parsed_args.formatter)
        columns = report.LONG if parsed_args.long or parsed_args.columns else report.SHORT
        return columns, report.rows(rows, columns, parsed_args.formatter)

    def _ended(self, reader: Reader, tally: Tally, parsed_args: argparse.Namespace) -> int:
        if self.app.options.verbose_level or tally.failed:
            summary = report.text(reader.read, tally, explained=not parsed_args.summary)
            self.app.stderr.write(summary)
        for error in reader.errors:
            self.app.LOG.error(error)
        if tally.failed:
            return 1
        return EXIT_FOUND if tally.findings and not parsed_args.exit_zero else 0

    def _progress(self, parsed_args: argparse.Namespace) -> Progress:
        both = self.app.stdout.isatty() and parsed_args.formatter in _STREAMED
        on_terminal = self.app.stderr.isatty() and not both
        wanted = parsed_args.progress or (on_terminal and self.app.options.verbose_level > 0)
        return Progress(self.app.stderr if wanted else None, on_terminal=on_terminal)

    def _repairs(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        place = cloud.Place(self.app.options)
        discovery = _discovery(place, self.app.options.api_version)
        apis, _ = offered(discovery, self.app.options.api_version)
        services = [
            place.service(
                api_version=api[1:], extended=True, v1_exact_show=True, v1_folding="refuse"
            )
            for api in apis
        ]
        steps = [
            step
            for reference in parsed_args.images
            for step in repair.repaired(
                services,
                reference,
                dry_run=parsed_args.dry_run,
                tell=self._tell,
            )
        ]
        self._end = lambda: 0 if all(step.done for step in steps) else 1
        return report.REPAIRS, report.repairs(steps, parsed_args.formatter)

    def _tell(self, line: str) -> None:
        if self.app.options.verbose_level:
            self.app.stderr.write(f"{cells.escaped(line)}\n")


def _discovery(place: cloud.Place, pinned: str) -> Discovery:
    """What the endpoint offers, whichever API is pinned; v2 in detail, where it is there."""
    try:
        return place.service(api_version="auto", prefer="2").discover()
    except exceptions.GlanceCompatError:
        if pinned == "auto":
            raise
        # Who pins a version may do so because the endpoint does not tell.
        return place.service().discover()


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """Add what to look for."""
    parser.add_argument(
        "--towards",
        choices=findings.TOWARDS,
        help="the API to which users move: only what concerns that move; default: either",
    )
    parser.add_argument(
        "--severity",
        choices=findings.SEVERITIES[:-1],
        default=findings.SEVERITIES[0],
        help="only what is at least so serious; default: note",
    )
    parser.add_argument(
        "--kind",
        dest="kinds",
        metavar="KIND",
        choices=sorted(kind.name for kind in findings.KINDS if kind.severity != "unseen"),
        action="append",
        help="only this kind of finding; may be repeated",
    )
    parser.add_argument(
        "--owner", metavar="PROJECT", help="only images of this project, by its id"
    )
    parser.add_argument(
        "--deleted",
        action="store_true",
        help="deleted and killed images too, which v1 shows to an administrator",
    )


def _kinds(parsed_args: argparse.Namespace) -> list[Kind]:
    least = findings.SEVERITIES.index(parsed_args.severity)
    return [
        kind
        for kind in findings.KINDS
        if kind.severity == "unseen"
        or (
            findings.SEVERITIES.index(kind.severity) >= least
            and parsed_args.towards in (None, *kind.towards)
            and (not parsed_args.kinds or kind.name in parsed_args.kinds)
        )
    ]
