# SPDX-License-Identifier: Apache-2.0
"""What ``glance-compat audit`` writes: rows, the summary, how far it is.

What must live here: the form of findings, and counting them. What must not: reading, finding.
"""

from __future__ import annotations

import collections
import textwrap
import time
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from glance_compat.audit import findings
from glance_compat.audit.detectors import Hit
from glance_compat.audit.findings import Finding, Kind
from glance_compat.audit.reader import Reader
from glance_compat.cli import cells

#: Each column of a finding.
_CELLS: Mapping[str, Callable[[Finding], object]] = {
    "id": lambda one: one.image_id,
    "name": lambda one: one.name,
    "severity": lambda one: one.kind.severity,
    "kind": lambda one: one.kind.name,
    "towards": lambda one: ",".join(one.kind.towards),
    "subject": lambda one: one.hit.subject,
    "found": lambda one: one.hit.words,
    "owner": lambda one: one.owner,
    "value": lambda one: one.hit.value,
    "proposal": lambda one: one.hit.reading.text if one.hit.reading else None,
    "sureness": lambda one: one.hit.reading.sureness.value if one.hit.reading else None,
    "meaning": lambda one: one.kind.meaning,
    "to_do": lambda one: one.kind.to_do,
}
LONG = tuple(_CELLS)
SHORT = ("id", "name", "severity", "kind", "towards", "subject", "found")
SUMMARY = ("kind", "severity", "towards", "images", "findings", "meaning", "to_do")
REPAIRS = ("id", "subject", "before", "after", "sureness", "outcome")

#: Seconds before anything is said of how far it is, and between two lines of it.
_QUIET_SECONDS = 2.0
_SECONDS_ON_TERMINAL = 0.2
_SECONDS_OF_LINES = 10.0


class Progress:
    """Says how far an audit is.

    :param stream: None: says nothing.
    :param on_terminal: one line that is written over, else a line now and then.
    :param clock: seconds.
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
        self._next = clock() + _QUIET_SECONDS
        self._shown = False

    def at(self, images: int, findings: int) -> None:
        """So many images were read."""
        if self._stream is None or self._clock() < self._next:
            return
        line = f"{images} images read, {findings} findings"
        self._stream.write(f"\r{line}\x1b[K" if self._on_terminal else f"{line}\n")
        self._stream.flush()
        self._shown = True
        every = _SECONDS_ON_TERMINAL if self._on_terminal else _SECONDS_OF_LINES
        self._next = self._clock() + every

    def done(self) -> None:
        """Clear the line."""
        if self._stream is not None and self._shown and self._on_terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


#: Kinds that say that the audit itself failed; the others that something is not offered.
_FAILURES = frozenset({"list-incomplete", "unreadable-image"})


class Tally:
    """Counts what is found.

    :ivar images: read.
    :ivar with_findings: images.
    :ivar findings: without those of severity "unseen".
    :ivar failed: something was not read that should have been.
    :ivar by_kind: name of a kind to images and findings.
    :param gaps: what is known from the beginning not to be seen.
    """

    def __init__(self, gaps: Iterable[Finding] = ()) -> None:
        self.images = 0
        self.with_findings = 0
        self.findings = 0
        self.failed = False
        self.by_kind: dict[str, tuple[int, int]] = {}
        self.gaps = tuple(gaps)

    def add(self, found: Sequence[Finding]) -> None:
        """Count what was found in one image, or of no image at all."""
        counts = collections.Counter(one.kind.name for one in found)
        about_image = any(one.image_id is not None for one in found)
        for name, count in counts.items():
            images, findings = self.by_kind.get(name, (0, 0))
            self.by_kind[name] = (images + about_image, findings + count)
        seen = sum(one.kind.severity != "unseen" for one in found)
        self.failed = self.failed or not _FAILURES.isdisjoint(counts)
        self.findings += seen
        self.with_findings += bool(seen)

    @property
    def kinds(self) -> list[tuple[Kind, int, int]]:
        """The kinds that were found, the most serious first, with images and findings."""
        found = [(findings.BY_NAME[name], *counts) for name, counts in self.by_kind.items()]
        return sorted(
            found, key=lambda row: (-findings.SEVERITIES.index(row[0].severity), row[0].name)
        )


def found(
    reader: Reader,
    tally: Tally,
    kinds: Sequence[Kind],
    owner: str | None,
    progress: Progress,
) -> Iterator[Finding]:
    """All findings as the images are read, and what was not seen.

    :param owner: only images of this project.
    """
    for pair in reader.pairs():
        v1, v2 = pair
        record = v2 if v2 is not None else v1
        if record is None or (owner is not None and record.get("owner") != owner):
            continue
        ours = list(findings.findings(v1, v2, kinds))
        if reader.is_one_sided(pair):
            ours.append(_one_sided(record, "v1" if v2 is None else "v2"))
        tally.images += 1
        tally.add(ours)
        yield from ours
        progress.at(tally.images, tally.findings)
    progress.done()
    for gap in (*tally.gaps, *reader.gaps):
        tally.add([gap])
        yield gap


def _one_sided(record: Mapping[str, typing.Any], api: str) -> Finding:
    name, owner = record.get("name"), record.get("owner")
    return Finding(
        findings.BY_NAME["one-api-only"],
        Hit("image", f"only {api} listed it"),
        str(record["id"]),
        name if isinstance(name, str) else None,
        owner if isinstance(owner, str) else None,
    )


# ---------------------------------------------------------------------------------------------
# Rows.


def _written(values: Iterable[object], output_format: str) -> list[object]:
    write = cells.form(output_format)
    written = [write(value) for value in values]
    if output_format in ("json", "yaml"):
        return written
    shown = ["" if value is None else value for value in written]
    return [cells.spreadsheet_safe(one) for one in shown] if output_format == "csv" else shown


def rows(
    findings: Iterable[Finding], columns: Sequence[str], output_format: str
) -> Iterator[list[object]]:
    """A row for each finding."""
    return (_written((_CELLS[name](one) for name in columns), output_format) for one in findings)


def summary(tally: Tally, output_format: str) -> Iterator[list[object]]:
    """A row for each kind."""
    for kind, images, count in tally.kinds:
        towards = ",".join(kind.towards)
        cells_of = (kind.name, kind.severity, towards, images, count, kind.meaning, kind.to_do)
        yield _written(cells_of, output_format)


def repairs(steps: Iterable[object], output_format: str) -> Iterator[list[object]]:
    """A row for each step of a repair."""
    return (_written((getattr(one, name) for name in REPAIRS), output_format) for one in steps)


# ---------------------------------------------------------------------------------------------
# For people.

_WIDTH = 79


def text(read: Mapping[str, int], tally: Tally, *, explained: bool) -> str:
    """What was read, what was found, and what to do about it.

    :param read: records by API.
    :param explained: with a paragraph for each kind.
    """
    over = " and ".join(
        f"{_many(count, 'image')} over {api}" for api, count in sorted(read.items())
    )
    lines = ["", f"Read {over}. {_counts(tally)}"]
    for kind, images, count in tally.kinds if explained else ():
        of = f" ({_many(count, 'finding')}, in {_many(images, 'image')})" if images else ""
        lines += ["", f"{kind.severity}: {kind.name}{of}"]
        lines += _wrapped(kind.meaning)
        lines += _wrapped(f"To do: {kind.to_do}")
    return "\n".join(lines) + "\n"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _counts(tally: Tally) -> str:
    not_all = any(kind.severity == "unseen" for kind, _, _ in tally.kinds)
    if not tally.findings:
        return f"Nothing was found{', but not everything was seen' if not_all else ''}."
    count = collections.Counter[str]()
    for kind, _, found in tally.kinds:
        count[kind.severity] += found
    parts = [f"{count[one]} {one}" for one in findings.SEVERITIES[-2::-1] if count[one]]
    return (
        f"{_many(tally.findings, 'finding')} in {tally.with_findings} of"
        f" {_many(tally.images, 'image')}: {', '.join(parts)}."
    )


def _wrapped(paragraph: str) -> list[str]:
    return textwrap.wrap(
        paragraph, _WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )
