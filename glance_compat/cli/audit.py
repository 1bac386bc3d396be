# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit``: report what a move between v1 and v2 would change, or what is wrong.

What must live here: the command and its exit code. What must not: the output format
(``audit_rows`` and ``audit_report``), the repairs (``audit_fixes``), or the code that reads images
and detects findings (``glance_compat.audit``).
"""

from __future__ import annotations

import argparse
import collections
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cliff.formatters.base import ListFormatter
from cliff.lister import Lister
from cliff.utils import terminal_width
from stevedore import ExtensionManager

from glance_compat import exceptions
from glance_compat.audit.findings import Examiner
from glance_compat.audit.reader import Reader, find_readable_apis, offers, v1_lists, v2_lists
from glance_compat.cli import (
    audit_circumstances,
    audit_fixes,
    audit_page_file,
    audit_rows,
    audit_selection,
    audit_summary,
    cloud,
    formatting,
    progress,
)
from glance_compat.cli.accepted import Accepted, read_baseline, read_entries
from glance_compat.cli.argument_values import at_least
from glance_compat.cli.audit_progress import Progress
from glance_compat.cli.audit_report import Report, format_report
from glance_compat.cli.audit_selection import select
from glance_compat.cli.audit_summary import WIDTH
from glance_compat.cli.audit_tally import Tally, collect_findings
from glance_compat.cli.usage import argument_type, check_columns
from glance_compat.discovery.versions import Discovery

#: Exit code when there are findings.
EXIT_FINDINGS = 3

#: Output formats that are written row by row.
_STREAMED = frozenset({"csv", "value"})


class Audit(Lister):
    """Report what a move between v1 and v2 would change in images, or what is wrong with them.

    Reads all images that the user may see, over each Images API that the endpoint offers, and
    writes nothing. Shows a summary and the findings of each image; with -c, --long, --summary or
    another format, rows for programs, and the summary on stderr. Exit code: 0 no findings, 1 the
    audit failed or is incomplete, 2 usage error, 3 findings.
    """

    def _load_formatter_plugins(self) -> ExtensionManager[ListFormatter]:
        plugins = super()._load_formatter_plugins()
        plugins.extensions.append(audit_page_file.plugin())
        return plugins

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        audit_selection.add_options(parser)
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
        audit_fixes.add_options(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Write the rows, then the summary; return the exit code described at :class:`Audit`."""
        self._finish: Callable[[], int] = lambda: 0
        self._text: Report | None = None
        super().run(parsed_args)
        return self._finish()

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column names, and an iterator that reads images and yields the rows."""
        audit_page_file.check(parsed_args)
        fix = audit_fixes.parse_fix(parsed_args)
        if fix is not None:
            check_columns(parsed_args.columns, audit_rows.REPAIRS)
            return self._repair(fix, parsed_args)
        audit_selection.check(parsed_args)
        columns = audit_rows.SUMMARY if parsed_args.summary else audit_rows.LONG
        check_columns(parsed_args.columns, columns)
        return self._audit(parsed_args)

    def _audit(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        accepted = _read_accepted(parsed_args)
        target = cloud.Cloud(self.app.options)
        discovery = _discover(target, self.app.options.api_version)
        readable, gaps = find_readable_apis(discovery, self.app.options.api_version)
        apis = audit_circumstances.choose_apis(readable, parsed_args)
        lists = {
            "v1": v1_lists(deleted=parsed_args.deleted),
            "v2": v2_lists(discovery.capabilities),
        }
        reader = Reader(
            {api: lists[api] for api in apis},
            {api: target.dispatcher(api_version=api[1:]) for api in apis},
            parsed_args.page_size,
        )
        owner = (
            target.find_project_id(parsed_args.owner, parsed_args.project_domain)
            if parsed_args.owner
            else None
        )
        selection = select(parsed_args, owner, has_v1=offers(discovery, 1))
        circumstances, more_gaps = audit_circumstances.describe(
            target, selection.kinds, parsed_args
        )
        tally = Tally(selection.filter_gaps([*gaps, *more_gaps]))
        examiner = Examiner(selection.kinds, circumstances)
        found = collect_findings(
            reader, tally, examiner, selection, self._progress(parsed_args), accepted
        )
        # If no list can be read, raise the error as any other command does.
        first = list(itertools.islice(found, 1))
        if reader.failed:
            raise reader.errors[0]
        findings = itertools.chain(first, found)
        self._finish = lambda: self._summarise(reader, tally, accepted, parsed_args)
        if _is_for_people(parsed_args):
            listed = list(findings)
            names = target.project_names() if any(one.owner for one in listed) else {}
            self._text = Report(listed, tally, reader.read, accepted, names)
            if parsed_args.formatter != audit_page_file.FORMAT:
                self._finish = lambda: self._end_audit(reader, tally, parsed_args)
            return audit_rows.SHORT, ()
        if parsed_args.summary:
            collections.deque(findings, maxlen=0)
            return audit_rows.SUMMARY, audit_rows.summary_rows(tally, parsed_args.formatter)
        columns = audit_rows.LONG if parsed_args.long or parsed_args.columns else audit_rows.SHORT
        return columns, audit_rows.finding_rows(findings, columns, parsed_args.formatter)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """Write the report or the page for people, or the rows."""
        if self._text is None:
            return super().produce_output(parsed_args, column_names, data)
        if parsed_args.formatter == audit_page_file.FORMAT:
            audit_page_file.write(self._text, parsed_args.output)
            return 0
        is_terminal = self.app.stdout.isatty() or parsed_args.fit_width
        width = parsed_args.max_width or (is_terminal and terminal_width()) or WIDTH
        with_summary = bool(self.app.options.verbose_level)
        for line in format_report(self._text, width, with_summary=with_summary):
            self.app.stdout.write(f"{line}\n")
        return 0

    def _summarise(
        self, reader: Reader, tally: Tally, accepted: Accepted, parsed_args: argparse.Namespace
    ) -> int:
        if self.app.options.verbose_level or tally.failed:
            is_short = parsed_args.summary or parsed_args.formatter == audit_page_file.FORMAT
            kinds = () if is_short else audit_summary.format_kinds(tally)
            totals = audit_summary.format_totals(reader.read, tally, accepted)
            for line in ("", *totals, *kinds):
                self.app.stderr.write(f"{line}\n")
        return self._end_audit(reader, tally, parsed_args)

    def _end_audit(self, reader: Reader, tally: Tally, parsed_args: argparse.Namespace) -> int:
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

    def _repair(
        self, fix: tuple[str, list[str]], parsed_args: argparse.Namespace
    ) -> tuple[Sequence[str], Iterable[Any]]:
        target = cloud.Cloud(self.app.options)
        discovery = _discover(target, self.app.options.api_version)
        apis, _ = find_readable_apis(discovery, self.app.options.api_version)
        found = audit_fixes.repair_images(
            target, apis, *fix, parsed_args=parsed_args, report=self._report
        )
        repairs = list(found)
        self._finish = lambda: 0 if all(one.is_done for one in repairs) else 1
        return audit_rows.REPAIRS, audit_rows.repair_rows(repairs, parsed_args.formatter)

    def _report(self, line: str) -> None:
        if self.app.options.verbose_level:
            self.app.stderr.write(f"{formatting.escape_controls(line)}\n")


def _is_for_people(parsed_args: argparse.Namespace) -> bool:
    """Return whether to write a report for people instead of rows with columns."""
    wants_rows = parsed_args.columns or parsed_args.long or parsed_args.sort_columns
    is_table = parsed_args.formatter == "table" and not wants_rows and not parsed_args.summary
    return is_table or parsed_args.formatter == audit_page_file.FORMAT


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
