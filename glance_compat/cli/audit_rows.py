# SPDX-License-Identifier: Apache-2.0
"""Format the results of ``glance-compat audit`` as rows of a table or of CSV, JSON or YAML.

What must live here: the columns, and the value of each. What must not: the report for people
(``audit_report``), and counts (``audit_tally``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat.audit.findings import Finding
from glance_compat.cli import formatting
from glance_compat.cli.audit_tally import Tally

#: The columns of a finding, and the function that returns the value of each.
_COLUMNS: Mapping[str, Callable[[Finding], object]] = {
    "id": lambda one: one.image_id,
    "name": lambda one: one.name,
    "severity": lambda one: one.kind.severity,
    "kind": lambda one: one.kind.name,
    "target_api": lambda one: _join(one.kind.target_apis),
    "subject": lambda one: one.match.subject,
    "details": lambda one: one.match.details,
    "owner": lambda one: one.owner,
    "value": lambda one: one.match.value,
    "proposal": lambda one: one.match.decoding.text if one.match.decoding else None,
    "confidence": lambda one: one.match.decoding.confidence.value if one.match.decoding else None,
    "meaning": lambda one: one.kind.meaning,
    "to_do": lambda one: one.kind.to_do,
}
LONG = tuple(_COLUMNS)
SHORT = ("id", "name", "severity", "kind", "target_api", "subject", "details")
SUMMARY = ("kind", "severity", "target_api", "images", "findings", "meaning", "to_do")
REPAIRS = ("id", "subject", "before", "after", "confidence", "outcome")


def _join(target_apis: Iterable[str]) -> str:
    return ",".join(target_apis)


def _format_row(values: Iterable[object], output_format: str) -> list[object]:
    write = formatting.formatter_for(output_format)
    row = [write(value) for value in values]
    if output_format in ("json", "yaml"):
        return row
    return ["" if value is None else value for value in row]


def finding_rows(
    findings: Iterable[Finding], columns: Sequence[str], output_format: str
) -> Iterator[list[object]]:
    """Yield a row for each finding.

    :param columns: the names of the columns.
    :param output_format: the name of cliff's output format.
    """
    return (
        _format_row((_COLUMNS[name](one) for name in columns), output_format) for one in findings
    )


def summary_rows(tally: Tally, output_format: str) -> Iterator[list[object]]:
    """Yield a row for each kind that was found."""
    for kind, images, count in tally.kinds:
        about = (kind.name, kind.severity, _join(kind.target_apis))
        yield _format_row((*about, images, count, kind.meaning, kind.to_do), output_format)


def repair_rows(repairs: Iterable[object], output_format: str) -> Iterator[list[object]]:
    """Yield a row for each repair."""
    return (
        _format_row((getattr(one, name) for name in REPAIRS), output_format) for one in repairs
    )
