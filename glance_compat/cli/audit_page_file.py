# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --format html --output FILE``.

What must live here: the options, and writing the file. What must not: the page (``audit_page``).
"""

from __future__ import annotations

import argparse
import datetime
import typing
from collections.abc import Iterable, Sequence

from cliff.formatters.base import ListFormatter
from stevedore.extension import Extension

from glance_compat.cli.audit_page import format_page
from glance_compat.cli.audit_report import Report
from glance_compat.cli.usage import UsageError, file_errors
from glance_compat.streams.target import write_to_path

#: The value of ``--format``.
FORMAT = "html"


class _Page(ListFormatter):
    """What cliff must know of the format."""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """Add the option for the file."""
        group = parser.add_argument_group("HTML formatter")
        group.add_argument(
            "--output",
            metavar="FILE",
            help="with -f html: the file to write; if it exists, it is replaced when the page is"
            " complete",
        )

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[typing.Any]],
        stdout: typing.TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """Raise NotImplementedError; cliff requires the method, but :func:`write` is used."""
        raise NotImplementedError


def plugin() -> Extension[ListFormatter]:
    """Return the format in the form in which cliff loads formats."""
    return Extension(FORMAT, None, _Page, _Page())  # type: ignore[arg-type]


def check(parsed_args: argparse.Namespace) -> None:
    """Check that the options agree with each other.

    :raises glance_compat.cli.usage.UsageError: they do not.
    """
    if parsed_args.formatter != FORMAT:
        if parsed_args.output is not None:
            raise UsageError("--output needs -f html")
        return
    if not parsed_args.output:
        raise UsageError("-f html needs --output FILE")
    if parsed_args.fix or parsed_args.fix_encoding:
        raise UsageError("-f html is for findings, not for repairs")
    if parsed_args.columns or parsed_args.long or parsed_args.summary or parsed_args.sort_columns:
        raise UsageError("-f html shows everything: leave out -c, --long, --summary and sorting")


def write(report: Report, path: str) -> None:
    """Write the page; the file at the path is replaced when the page is complete.

    :raises glance_compat.cli.usage.OutputError: the file cannot be written.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    # Lone surrogates were escaped; nothing else fails.
    parts = (part.encode("utf-8", "replace") for part in format_page(report, now))
    with file_errors(path):
        write_to_path(parts, path)
