# SPDX-License-Identifier: Apache-2.0
"""Format the findings of an audit for people: a summary first, then the findings of each image.

What must live here: the order and the form of this text. What must not: rows for programs
(``audit_rows``), and the page (``audit_page``).
"""

from __future__ import annotations

import collections
import itertools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence

from glance_compat.audit.findings import Finding
from glance_compat.audit.kinds import SEVERITIES
from glance_compat.cli import audit_summary
from glance_compat.cli.accepted import Accepted
from glance_compat.cli.audit_summary import WORST_FIRST
from glance_compat.cli.audit_tally import Tally
from glance_compat.cli.formatting import escape_controls
from glance_compat.redaction import quote_value

#: Maximum number of projects in the summary.
_SHOWN_PROJECTS = 10

#: The minimum width, in characters, so that no id is broken.
_LEAST_WIDTH = 45


class Report(typing.NamedTuple):
    """What is known at the end of an audit.

    :param findings: all findings.
    :param tally: their counts.
    :param read: number of records read, by API.
    :param accepted: the findings that were hidden.
    :param project_names: the names of projects, by id; those that are unknown are missing.
    """

    findings: Sequence[Finding]
    tally: Tally
    read: Mapping[str, int]
    accepted: Accepted
    project_names: Mapping[str, str]

    def totals(self) -> list[str]:
        """Return the lines with the numbers of images and findings."""
        return list(audit_summary.format_totals(self.read, self.tally, self.accepted))

    def images(self) -> list[tuple[Finding, ...]]:
        """Return the findings of each image, the image with the worst finding first."""
        about_images = (one for one in self.findings if one.image_id is not None)
        groups = (
            tuple(sorted(group, key=_rank))
            for _, group in itertools.groupby(
                sorted(about_images, key=lambda one: one.image_id or ""),
                lambda one: one.image_id,
            )
        )
        return sorted(groups, key=lambda group: (_rank(group[0])[0], group[0].name or ""))

    def not_about_images(self) -> list[Finding]:
        """Return the findings that are not about an image: what was not read."""
        return [one for one in self.findings if one.image_id is None]

    def projects(self) -> list[tuple[str | None, collections.Counter[str]]]:
        """Return the number of findings of each severity, by owner, the worst first."""
        counts: dict[str | None, collections.Counter[str]] = {}
        for one in self.findings:
            if one.image_id is not None:
                counts.setdefault(one.owner, collections.Counter())[one.kind.severity] += 1
        return sorted(
            counts.items(),
            key=lambda item: ([-item[1][one] for one in SEVERITIES[::-1]], item[0] or ""),
        )

    def project(self, owner: str | None) -> str:
        """Return the name and the id of a project, for display."""
        if owner is None:
            return "no project"
        name = self.project_names.get(owner)
        return owner if name is None else f"{name} ({owner})"


def _rank(finding: Finding) -> tuple[int, str, str]:
    return (
        -SEVERITIES.index(finding.kind.severity),
        finding.kind.name,
        finding.match.subject,
    )


def format_report(report: Report, width: int, *, with_summary: bool) -> Iterator[str]:
    """Yield the lines of the report.

    :param report: what is known at the end of the audit.
    :param width: the maximum length of a line, in characters, if ids fit into it.
    :param with_summary: whether to write the summary, and explain the kinds.
    """
    width = max(width, _LEAST_WIDTH)
    if with_summary:
        for line in report.totals():
            yield from audit_summary.wrap(line, width, first="", following="")
        yield from _format_table(
            ("findings", "images", "severity", "kind"),
            [
                (str(count), str(images or ""), kind.severity, kind.name)
                for kind, images, count in report.tally.kinds
            ],
        )
        yield from _format_projects(report)
    if report.not_about_images():
        yield ""
        yield "Not read"
        yield from _format_findings(report.not_about_images(), width)
    for group in report.images():
        yield ""
        yield from _format_image(group, report, width)
    if with_summary:
        yield from audit_summary.format_kinds(report.tally, min(width, audit_summary.WIDTH))


def _format_projects(report: Report) -> Iterator[str]:
    counted = report.projects()
    severities = [name for name in WORST_FIRST if any(counts[name] for _, counts in counted)]
    rows = [
        (*(str(counts[name]) for name in severities), report.project(owner))
        for owner, counts in counted[:_SHOWN_PROJECTS]
    ]
    yield from _format_table((*severities, "project"), rows)
    left = counted[_SHOWN_PROJECTS:]
    if left:
        count = sum(counts.total() for _, counts in left)
        yield (
            f"and {audit_summary.pluralize(count, 'finding')} of"
            f" {audit_summary.pluralize(len(left), 'project')} more"
        )


def _format_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield an empty line and the lines of a table, or nothing if it has no rows.

    The last column has names of any length; it is not padded. The columns before the first word
    are numbers.
    """
    if not rows:
        return
    yield ""
    cells = [header, *(tuple(escape_controls(cell) for cell in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        *padded, last = [
            cell.ljust(width) if is_word else cell.rjust(width)
            for cell, width, is_word in zip(row, widths, _are_words(header), strict=True)
        ]
        yield "  ".join([*padded, last.rstrip()])


def _are_words(header: Iterable[str]) -> list[bool]:
    return [name in ("severity", "kind", "project") for name in header]


def _format_image(group: Sequence[Finding], report: Report, width: int) -> Iterator[str]:
    first = group[0]
    yield _format_name(first.name)
    place = escape_controls(f"{first.image_id}, {report.project(first.owner)}")
    yield from audit_summary.wrap(place, width)
    yield from _format_findings(group, width)


def _format_name(name: str | None) -> str:
    if name is None:
        return "(no name)"
    # A name that begins with spaces would look like a finding.
    return escape_controls(name if name and name == name.strip() else quote_value(name))


def _format_findings(findings: Iterable[Finding], width: int) -> Iterator[str]:
    for one in findings:
        text = f"{one.kind.severity} {one.kind.name}, {one.match.subject}: {one.match.details}"
        yield from audit_summary.wrap(
            escape_controls(text), width, first="    ", following="        "
        )
