# SPDX-License-Identifier: Apache-2.0
"""Format the results of ``glance-compat audit``: rows, summary, progress.

What must live here: code that prints and counts findings. What must not: code that reads images
or detects findings (``glance_compat.audit``).
"""

from __future__ import annotations

import collections
import textwrap
import time
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat.audit.findings import Finding, examine_image
from glance_compat.audit.kinds import KINDS_BY_NAME, SEVERITIES, Kind
from glance_compat.audit.reader import Reader
from glance_compat.audit.records import IMAGE, Match
from glance_compat.cli import formatting
from glance_compat.cli.accepted import Accepted

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


#: Seconds before the first progress message, and between messages on a terminal and elsewhere.
_QUIET_SECONDS = 2.0
_SECONDS_ON_TERMINAL = 0.2
_SECONDS_OF_LINES = 10.0


class Progress:
    """Report the progress of an audit.

    :param stream: where the messages are written; None: report nothing.
    :param on_terminal: whether to overwrite a single line; otherwise write a line every 10 s.
    :param clock: a function that returns the time in seconds.
    """

    def __init__(
        self,
        stream: typing.TextIO | None,
        *,
        on_terminal: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._on_terminal = on_terminal
        self._clock = clock
        self._begin = clock()
        self._next = self._begin + _QUIET_SECONDS
        self._is_shown = False

    def update(self, images: int, findings: int) -> None:
        """Report the number of images and findings so far, unless the last report is recent."""
        if self._stream is None or self._clock() < self._next:
            return
        rate = images / max(self._clock() - self._begin, 0.001)
        line = f"{images} images read ({rate:.0f}/s), {findings} findings"
        self._stream.write(f"\r{line}\x1b[K" if self._on_terminal else f"{line}\n")
        self._stream.flush()
        self._is_shown = True
        interval = _SECONDS_ON_TERMINAL if self._on_terminal else _SECONDS_OF_LINES
        self._next = self._clock() + interval

    def clear(self) -> None:
        """Clear the line on a terminal."""
        if self._stream is not None and self._is_shown and self._on_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


#: The kinds of severity "unread" that are failures of the audit. The others of that severity mean
#: that the endpoint does not offer a list.
_FAILURES = frozenset({"list-incomplete", "unreadable-image"})


class Tally:
    """Count findings.

    :ivar images: number of images read.
    :ivar with_findings: number of images with findings.
    :ivar findings: number of findings, without those of severity "unread".
    :ivar failed: whether a list or an image that the endpoint offers could not be read.
    :ivar by_kind: number of images and number of findings, by the name of the kind.
    :param gaps: findings of severity "unread" that are known before the audit starts.
    """

    def __init__(self, gaps: Iterable[Finding] = ()) -> None:
        self.images = 0
        self.with_findings = 0
        self.findings = 0
        self.failed = False
        self.by_kind: dict[str, tuple[int, int]] = {}
        self.gaps = tuple(gaps)

    def add(self, found: Sequence[Finding]) -> None:
        """Count the findings of one image, or findings that are not about an image."""
        counts = collections.Counter(one.kind.name for one in found)
        is_about_image = any(one.image_id is not None for one in found)
        for name, count in counts.items():
            images, findings = self.by_kind.get(name, (0, 0))
            self.by_kind[name] = (images + is_about_image, findings + count)
        read = sum(one.kind.severity != "unread" for one in found)
        self.failed = self.failed or not _FAILURES.isdisjoint(counts)
        self.findings += read
        self.with_findings += bool(read)

    @property
    def kinds(self) -> list[tuple[Kind, int, int]]:
        """Return each kind of finding with its number of images and of findings, worst first."""
        found = [(KINDS_BY_NAME[name], *counts) for name, counts in self.by_kind.items()]
        return sorted(found, key=lambda row: (-SEVERITIES.index(row[0].severity), row[0].name))


def collect_findings(
    reader: Reader,
    tally: Tally,
    kinds: Sequence[Kind],
    owner: str | None,
    progress: Progress,
    accepted: Accepted,
) -> Iterator[Finding]:
    """Read the images and yield their findings, then a finding for each part that was not read.

    :param reader: reads the images.
    :param tally: counts the findings as they are yielded.
    :param kinds: the kinds of findings to look for.
    :param owner: audit only images of the project with this id; None: images of all projects.
    :param progress: reports the progress.
    :param accepted: the findings that are neither yielded nor counted in the tally.
    """
    for pair in reader.pairs():
        v1, v2 = pair
        record = v2 if v2 is not None else v1
        if record is None or (owner is not None and record.get("owner") != owner):
            continue
        found = list(examine_image(v1, v2, kinds))
        if reader.is_one_sided(pair):
            found.append(_one_sided(record, "v1" if v2 is None else "v2"))
        tally.images += 1
        found = [one for one in found if not accepted.hides(one)]
        tally.add(found)
        yield from found
        progress.update(tally.images, tally.findings)
    progress.clear()
    for gap in (*tally.gaps, *reader.gaps):
        tally.add([gap])
        yield gap


def _one_sided(record: Mapping[str, typing.Any], api: str) -> Finding:
    name, owner = record.get("name"), record.get("owner")
    return Finding(
        KINDS_BY_NAME["one-api-only"],
        Match(IMAGE, f"only {api} listed it"),
        str(record["id"]),
        name if isinstance(name, str) else None,
        owner if isinstance(owner, str) else None,
    )


# ---------------------------------------------------------------------------------------------
# Rows.


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


# ---------------------------------------------------------------------------------------------
# Summary.

_WIDTH = 79


def format_summary(
    read: Mapping[str, int], tally: Tally, accepted: Accepted, *, with_kinds: bool
) -> str:
    """Format the number of images read and of findings.

    :param read: number of records read, by API.
    :param tally: the counts.
    :param accepted: the findings that were hidden.
    :param with_kinds: whether to add a paragraph for each kind: its meaning, and what to do.
    """
    over = " and ".join(
        f"{_pluralize(count, 'image')} over {api}" for api, count in sorted(read.items())
    )
    lines = ["", f"Read {over}. {_format_counts(tally)}"]
    hidden = (
        (accepted.in_baseline, "known from the baseline"),
        (accepted.ignored, "accepted in the file of --ignore"),
    )
    lines += [
        f"Not shown: {_pluralize(count, 'finding')} {why}." for count, why in hidden if count
    ]
    for kind, images, count in tally.kinds if with_kinds else ():
        counts = f"{_pluralize(count, 'finding')} in {_pluralize(images, 'image')}"
        lines += ["", f"{kind.severity}: {kind.name}" + (f" ({counts})" if images else "")]
        lines += _wrap(kind.meaning)
        lines += _wrap(f"To do: {kind.to_do}")
    return "\n".join(lines) + "\n"


def _pluralize(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _format_counts(tally: Tally) -> str:
    is_partial = any(kind.severity == "unread" for kind, _, _ in tally.kinds)
    if not tally.findings:
        return f"Nothing was found{', but not everything was read' if is_partial else ''}."
    by_severity = collections.Counter[str]()
    for kind, _, count in tally.kinds:
        by_severity[kind.severity] += count
    parts = [f"{by_severity[one]} {one}" for one in SEVERITIES[-2::-1] if by_severity[one]]
    return (
        f"{_pluralize(tally.findings, 'finding')} in {tally.with_findings} of"
        f" {_pluralize(tally.images, 'image')}: {', '.join(parts)}."
    )


def _wrap(paragraph: str) -> list[str]:
    return textwrap.wrap(
        paragraph, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )
