# SPDX-License-Identifier: Apache-2.0
"""Examine one image for every kind of finding.

What must live here: the result of an audit, image by image. What must not: what each kind means
(``kinds``), how it is recognised (``detectors``), I/O.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from glance_compat.audit.kinds import KINDS, Kind
from glance_compat.audit.records import NAME, ImageRecords, Match, Record


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A kind of finding at one place of one image.

    :param image_id: None if the finding is about a whole list.
    :param name: the image's name as it is stored.
    :param owner: the id of the image's project.
    """

    kind: Kind
    match: Match
    image_id: str | None = None
    name: str | None = None
    owner: str | None = None


def examine_image(
    v1: Record | None, v2: Record | None, kinds: Iterable[Kind] = KINDS
) -> Iterator[Finding]:
    """Return everything that the detectors find in one image.

    :param v1: the image's record in v1's list, or None if v1 was not read.
    :param v2: the image's record in v2's list, or None if v2 was not read.
    :param kinds: the kinds to look for.
    """
    image = ImageRecords(v1, v2)
    for kind in kinds:
        for match in kind.detect(image) if kind.detect is not None else ():
            yield Finding(kind, match, image.image_id, image.text(NAME), image.text("owner"))
