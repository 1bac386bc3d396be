# SPDX-License-Identifier: Apache-2.0
"""Examine images for every kind of finding.

What must live here: the findings of an image. What must not: the texts that explain a kind
(``kinds``), the functions that recognise it (``detectors``), I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from glance_compat.audit.examinations import Circumstances, ImageKey
from glance_compat.audit.kinds import KINDS, Kind
from glance_compat.audit.records import NAME, ImageRecords, Match, Record


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One finding: its kind, and where in which image it was found.

    :param kind: the kind of finding.
    :param match: the place in the image, and details.
    :param image_id: the image's id; None if the finding is about a whole list.
    :param name: the image's name as stored.
    :param owner: the id of the project that owns the image.
    """

    kind: Kind
    match: Match
    image_id: str | None = None
    name: str | None = None
    owner: str | None = None


def examine_image(
    v1: Record | None, v2: Record | None, kinds: Iterable[Kind] = KINDS
) -> Iterator[Finding]:
    """Run the detectors on one image, and yield the findings.

    :param v1: the image's record in v1's list, or None if v1 was not read.
    :param v2: the image's record in v2's list, or None if v2 was not read.
    :param kinds: the kinds of findings to look for.
    """
    image = ImageRecords(v1, v2)
    for kind in kinds:
        for match in kind.detect(image) if kind.detect is not None else ():
            yield Finding(kind, match, image.image_id, image.text(NAME), image.text("owner"))


class Examiner:
    """Examine all images of a cloud, one after the other.

    :param kinds: the kinds of findings to look for.
    :param circumstances: what the examinations need to know besides the images.
    """

    def __init__(self, kinds: Sequence[Kind], circumstances: Circumstances) -> None:
        self._kinds = kinds
        self._examinations = [
            (kind, kind.begin(circumstances)) for kind in kinds if kind.begin is not None
        ]

    @property
    def compares(self) -> bool:
        """Whether :meth:`finish` may yield findings."""
        return bool(self._examinations)

    def examine(self, v1: Record | None, v2: Record | None) -> Iterator[Finding]:
        """Yield the findings of one image; see :func:`examine_image`."""
        yield from examine_image(v1, v2, self._kinds)
        if self._examinations:
            image = ImageRecords(v1, v2)
            for kind, examination in self._examinations:
                for match in examination.examine(image):
                    key = ImageKey.of(image)
                    yield Finding(kind, match, key.image_id, key.name, key.owner)

    def finish(self) -> Iterator[Finding]:
        """Yield the findings that follow from the comparison of all images."""
        for kind, examination in self._examinations:
            for key, match in examination.finish():
                yield Finding(kind, match, key.image_id, key.name, key.owner)
