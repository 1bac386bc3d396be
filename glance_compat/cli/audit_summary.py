# SPDX-License-Identifier: Apache-2.0
"""Summarise an audit in sentences: what was read, what was found, what was not shown, and why.

What must live here: the paragraphs that both the summary below a table and the report for people
have. What must not: single findings (``report`` and ``audit_report``).
"""

from __future__ import annotations

import collections
import textwrap
from collections.abc import Iterator, Mapping

from glance_compat.audit.kinds import SEVERITIES
from glance_compat.cli.accepted import Accepted
from glance_compat.cli.audit_tally import Tally

#: The severities of findings, the worst first.
WORST_FIRST = SEVERITIES[-2::-1]

#: Width of paragraphs, in characters.
WIDTH = 79


def format_totals(read: Mapping[str, int], tally: Tally, accepted: Accepted) -> Iterator[str]:
    """Yield the lines with the numbers of images read, of findings, and of what is not shown.

    :param read: number of records read, by API.
    :param tally: the counts.
    :param accepted: the findings that were hidden.
    """
    over = " and ".join(
        f"{pluralize(count, 'image')} over {api}" for api, count in sorted(read.items())
    )
    yield f"Read {over}. {_format_counts(tally)}"
    hidden = (
        (
            tally.unasked,
            "about a move to v1, which the endpoint does not offer (shown with --target-api both)",
        ),
        (accepted.in_baseline, "known from the baseline"),
        (accepted.ignored, "accepted in the file of --ignore"),
    )
    for count, why in hidden:
        if count:
            yield f"Not shown: {pluralize(count, 'finding')} {why}."


def format_kinds(tally: Tally, width: int = WIDTH) -> Iterator[str]:
    """Yield the lines of a paragraph for each kind that was found: its meaning, and what to do."""
    for kind, images, count in tally.kinds:
        counts = f"{pluralize(count, 'finding')} in {pluralize(images, 'image')}"
        yield ""
        yield f"{kind.severity}: {kind.name}" + (f" ({counts})" if images else "")
        yield from wrap(kind.meaning, width)
        yield from wrap(f"To do: {kind.to_do}", width)


def pluralize(count: int, noun: str) -> str:
    """Return a number with a noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def wrap(paragraph: str, width: int, *, first: str = "    ", following: str = "    ") -> list[str]:
    """Return the lines of a paragraph.

    :param first: the indentation of the first line.
    :param following: that of the other lines.
    """
    return textwrap.wrap(
        paragraph,
        width,
        initial_indent=first,
        subsequent_indent=following,
        break_on_hyphens=False,
    )


def _format_counts(tally: Tally) -> str:
    is_partial = any(kind.severity == "unread" for kind, _, _ in tally.kinds)
    if not tally.findings:
        return f"Nothing was found{', but not everything was read' if is_partial else ''}."
    by_severity = collections.Counter[str]()
    for kind, _, count in tally.kinds:
        by_severity[kind.severity] += count
    parts = [f"{by_severity[one]} {one}" for one in WORST_FIRST if by_severity[one]]
    return (
        f"{pluralize(tally.findings, 'finding')} in {tally.with_findings} of"
        f" {pluralize(tally.images, 'image')}: {', '.join(parts)}."
    )
