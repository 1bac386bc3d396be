# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit``: report what moving from v1 to v2, or back, would change or lose.

What must live here: the command, its options and its exit code. What must not: the output format
(``report``), the repairs (``repair``), or the code that reads images and detects findings
(``glance_compat.audit``).
"""

from __future__ import annotations

import argparse
import collections
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cliff.lister import Lister

from glance_compat import exceptions
from glance_compat.audit.kinds import KINDS, SEVERITIES, TARGET_APIS, Kind
from glance_compat.audit.reader import Reader, find_readable_apis, v1_lists, v2_lists
from glance_compat.cli import cloud, formatting, progress, projects, repair, report
from glance_compat.cli.accepted import Accepted, read_baseline, read_entries
from glance_compat.cli.argument_values import at_least
from glance_compat.cli.report import Progress, Tally
from glance_compat.cli.usage import UsageError, argument_type, check_columns
from glance_compat.discovery.versions import Discovery

#: Exit code when there are findings.
EXIT_FINDINGS = 3

#: Output formats that are written row by row.
_STREAMED = frozenset({"csv", "value"})


class Audit(Lister):
    """Report what moving from v1 to v2, or back, would change or lose for each image.

    Reads all images that the user may see, over each Images API that the endpoint offers, and
    writes nothing. A summary is written to stderr. Exit code: 0 no findings, 1 the audit failed or
    is incomplete, 2 usage error, 3 findings.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        _add_selection(parser)
        _add_known(parser)
        parser.add_argument("--long", action="store_true", help="show more columns")
        parser.add_argument(
            "--summary", action="store_true", help="show one row for each kind of finding"
        )
        parser.add_argument(
            "--exit-zero", action="store_true", help="exit with 0 even if there are findings"
        )
        parser.add_argument(
            "--progress",
            action="store_true",
            help="report the progress on stderr even if it is not a terminal",
        )
        parser.add_argument(
            "--page-size",
            metavar="NUMBER",
            type=argument_type(at_least(1)),
            help="images per request; default: as many as the server allows",
        )
        _add_repairs(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the rows, then the summary; return the exit code described at :class:`Audit`."""
        self._finish: Callable[[], int] = lambda: 0
        super().run(parsed_args)
        return self._finish()

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column names, and an iterator that reads images and yields the rows."""
        check_columns(parsed_args.columns, _columns(parsed_args))
        if parsed_args.images:
            return self._repair(parsed_args)
        if parsed_args.dry_run:
            raise UsageError("--dry-run needs --fix-percent-encoding")
        return self._audit(parsed_args)

    def _audit(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        accepted = _read_accepted(parsed_args)
        target = cloud.Cloud(self.app.options)
        discovery = _discover(target, self.app.options.api_version)
        apis, gaps = find_readable_apis(discovery, self.app.options.api_version)
        lists = {
            "v1": v1_lists(deleted=parsed_args.deleted),
            "v2": v2_lists(discovery.capabilities),
        }
        reader = Reader(
            {api: lists[api] for api in apis},
            {api: target.dispatcher(api_version=api[1:]) for api in apis},
            parsed_args.page_size,
        )
        tally = Tally(gaps)
        owner = (
            target.find_project_id(parsed_args.owner, parsed_args.project_domain)
            if parsed_args.owner
            else None
        )
        found = report.collect_findings(
            reader, tally, _select(parsed_args), owner, self._progress(parsed_args), accepted
        )
        # If no list can be read, raise the error as any other command does.
        first = list(itertools.islice(found, 1))
        if reader.failed:
            raise reader.errors[0]
        findings = itertools.chain(first, found)
        self._finish = lambda: self._end_audit(reader, tally, accepted, parsed_args)
        if parsed_args.summary:
            collections.deque(findings, maxlen=0)
            return report.SUMMARY, report.summary_rows(tally, parsed_args.formatter)
        columns = report.LONG if parsed_args.long or parsed_args.columns else report.SHORT
        return columns, report.finding_rows(findings, columns, parsed_args.formatter)

    def _end_audit(
        self, reader: Reader, tally: Tally, accepted: Accepted, parsed_args: argparse.Namespace
    ) -> int:
        if self.app.options.verbose_level or tally.failed:
            summary = report.format_summary(
                reader.read, tally, accepted, with_kinds=not parsed_args.summary
            )
            self.app.stderr.write(summary)
        for error in reader.errors:
            self.app.LOG.error(error)
        if parsed_args.owner and not tally.images:
            self.app.LOG.warning("No image of the project %s was read", parsed_args.owner)
        if tally.failed:
            return 1
        return EXIT_FINDINGS if tally.findings and not parsed_args.exit_zero else 0

    def _progress(self, parsed_args: argparse.Namespace) -> Progress:
        # Rows that are written to the same terminal would mix with the progress line.
        is_mixed = self.app.stdout.isatty() and parsed_args.formatter in _STREAMED
        on_terminal = self.app.stderr.isatty() and not is_mixed
        is_wanted = parsed_args.progress or (on_terminal and progress.is_wanted(self.app))
        return Progress(self.app.stderr if is_wanted else None, on_terminal=on_terminal)

    def _repair(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        target = cloud.Cloud(self.app.options)
        discovery = _discover(target, self.app.options.api_version)
        apis, _ = find_readable_apis(discovery, self.app.options.api_version)
        services = [
            target.service(
                api_version=api[1:], extended=True, v1_exact_show=True, v1_folding="refuse"
            )
            for api in apis
        ]
        repairs = [
            one
            for reference in parsed_args.images
            for one in repair.repair_image(
                services, reference, dry_run=parsed_args.dry_run, report=self._report
            )
        ]
        self._finish = lambda: 0 if all(one.is_done for one in repairs) else 1
        return report.REPAIRS, report.repair_rows(repairs, parsed_args.formatter)

    def _report(self, line: str) -> None:
        if self.app.options.verbose_level:
            self.app.stderr.write(f"{formatting.escape_controls(line)}\n")


def _columns(parsed_args: argparse.Namespace) -> Sequence[str]:
    """Return the columns that can be selected with ``-c``."""
    if parsed_args.images:
        return report.REPAIRS
    return report.SUMMARY if parsed_args.summary else report.LONG


def _discover(target: cloud.Cloud, pinned: str) -> Discovery:
    """Discover all versions of the endpoint, even if one is pinned.

    v2 is preferred, because only its discovery reports capabilities.
    """
    target.log_surprises(target.service())
    try:
        return target.service(api_version="auto", prefer="2").discover()
    except exceptions.GlanceCompatError:
        if pinned == "auto":
            raise
        # Users may have pinned a version because discovery fails.
        return target.service().discover()


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--target-api",
        choices=TARGET_APIS,
        help="show only findings that affect a move to this API; default: both",
    )
    parser.add_argument(
        "--severity",
        choices=SEVERITIES[:-1],
        default=SEVERITIES[0],
        help="show only findings of at least this severity; default: note",
    )
    parser.add_argument(
        "--kind",
        dest="kinds",
        metavar="KIND",
        choices=sorted(kind.name for kind in KINDS if kind.severity != "unread"),
        action="append",
        help="show only findings of this kind; may be repeated",
    )
    parser.add_argument(
        "--owner", metavar="PROJECT", help="audit only images of this project (name or id)"
    )
    projects.add_domain(parser)
    parser.add_argument(
        "--deleted",
        action="store_true",
        help="also audit deleted and killed images, which only v1 shows, and only to an admin",
    )


def _add_known(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="show only findings that are new since an earlier audit, whose output with -f json is"
        " in FILE; exit code 0 if there are none",
    )
    parser.add_argument(
        "--ignore",
        metavar="FILE",
        help="do not show what was accepted: a YAML list of entries with reason, and kind, image"
        " (an id) or property",
    )


def _read_accepted(parsed_args: argparse.Namespace) -> Accepted:
    baseline, ignored = parsed_args.baseline, parsed_args.ignore
    return Accepted(
        () if baseline is None else read_baseline(baseline),
        () if ignored is None else read_entries(ignored),
    )


def _add_repairs(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "repairs", "Without --fix-percent-encoding the command writes nothing."
    )
    group.add_argument(
        "--fix-percent-encoding",
        dest="images",
        metavar="IMAGE",
        nargs="+",
        help="decode the names and property values of these images that glanceclient"
        " percent-encoded; a decoding with low confidence is not written",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show the repairs without writing them"
    )


def _select(parsed_args: argparse.Namespace) -> list[Kind]:
    least = SEVERITIES.index(parsed_args.severity)
    return [
        kind
        for kind in KINDS
        if kind.severity == "unread"
        or (
            SEVERITIES.index(kind.severity) >= least
            and parsed_args.target_api in (None, *kind.target_apis)
            and (not parsed_args.kinds or kind.name in parsed_args.kinds)
        )
    ]
