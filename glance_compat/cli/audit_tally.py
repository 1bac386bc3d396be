# SPDX-License-Identifier: Apache-2.0
"""Collect the findings of an audit, and count them.

What must live here: the loop over all images, and the counts. What must not: code that reads
images or detects findings (``glance_compat.audit``), output.
"""

from __future__ import annotations

import collections
import itertools
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence

from glance_compat.audit.findings import Examiner, Finding
from glance_compat.audit.kinds import KINDS_BY_NAME, SEVERITIES, Kind
from glance_compat.audit.reader import Reader
from glance_compat.audit.records import IMAGE, Match
from glance_compat.cli.accepted import Accepted
from glance_compat.cli.audit_progress import Progress
from glance_compat.cli.audit_selection import Selection

#: The kinds of severity "unread" that are failures of the audit. The others of that severity mean
#: that the endpoint does not offer a list.
_FAILURES = frozenset({"list-incomplete", "unreadable-image"})


class Tally:
    """Count findings.

    :ivar images: number of images read.
    :ivar with_findings: number of images with findings.
    :ivar findings: number of findings, without those of severity "unread".
    :ivar failed: whether a list or an image that the endpoint offers could not be read.
    :ivar unasked: number of findings that the selection hides because they do not concern the
        endpoint.
    :ivar by_kind: number of images and number of findings, by kind.
    :param gaps: findings of severity "unread" that are known before the audit starts.
    """

    def __init__(self, gaps: Iterable[Finding] = ()) -> None:
        self.images = 0
        self.with_findings = 0
        self.findings = 0
        self.failed = False
        self.unasked = 0
        self.by_kind: dict[Kind, tuple[int, int]] = {}
        self.gaps = tuple(gaps)

    def add(self, found: Sequence[Finding], *, is_counted: bool = False) -> None:
        """Count the findings of one image, or findings that are not about an image.

        :param is_counted: whether other findings of the image were counted before.
        """
        counts = collections.Counter(one.kind for one in found)
        is_about_image = any(one.image_id is not None for one in found)
        for kind, count in counts.items():
            images, findings = self.by_kind.get(kind, (0, 0))
            self.by_kind[kind] = (images + is_about_image, findings + count)
        read = sum(one.kind.severity != "unread" for one in found)
        self.failed = self.failed or any(kind.name in _FAILURES for kind in counts)
        self.findings += read
        self.with_findings += bool(read) and not is_counted

    @property
    def kinds(self) -> list[tuple[Kind, int, int]]:
        """Return each kind of finding with its number of images and of findings, worst first."""
        found = [(kind, *counts) for kind, counts in self.by_kind.items()]
        return sorted(found, key=lambda row: (-SEVERITIES.index(row[0].severity), row[0].name))


def collect_findings(
    reader: Reader,
    tally: Tally,
    examiner: Examiner,
    selection: Selection,
    progress: Progress,
    accepted: Accepted,
) -> Iterator[Finding]:
    """Read the images and yield their findings, then a finding for each part that was not read.

    :param reader: reads the images.
    :param tally: counts the findings as they are yielded.
    :param examiner: finds the findings.
    :param selection: the images to audit, and the kinds of findings that are not shown.
    :param progress: reports the progress.
    :param accepted: the findings that are neither yielded nor counted in the tally.
    """

    def asked(found: Iterable[Finding]) -> list[Finding]:
        every = list(found)
        shown = [one for one in every if one.kind not in selection.unasked]
        tally.unasked += len(every) - len(shown)
        return [one for one in shown if not accepted.hides(one)]

    with_findings: set[str | None] = set()
    for pair in reader.pairs():
        v1, v2 = pair
        record = v2 if v2 is not None else v1
        if record is None:
            continue
        every = examiner.examine(v1, v2)
        if not selection.has_owner(record.get("owner")):
            # Comparisons need the other images as well.
            collections.deque(every, maxlen=0)
            continue
        if reader.is_one_sided(pair):
            every = itertools.chain(every, [_one_sided(record, "v1" if v2 is None else "v2")])
        found = asked(every)
        tally.images += 1
        tally.add(found)
        if examiner.compares and found:
            with_findings.add(found[0].image_id)
        yield from found
        progress.update(tally.images, tally.findings)
    for one in asked(one for one in examiner.finish() if selection.has_owner(one.owner)):
        tally.add([one], is_counted=one.image_id in with_findings)
        with_findings.add(one.image_id)
        yield one
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
