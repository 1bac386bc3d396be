# SPDX-License-Identifier: Apache-2.0
"""Examinations that need more than the records of one image: other images, the time, definitions.

What must live here: the base class, and what examinations need to know. What must not: single
examinations (``comparisons`` and ``conditions``), I/O.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing
from collections.abc import Callable, Iterator, Mapping

from glance_compat.audit.records import NAME, ImageRecords, Match

#: Returns a description of the values that are allowed, by the names of properties whose values
#: are not, for the properties of an image.
CheckProperties = Callable[[Mapping[str, str]], Mapping[str, str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What examinations need to know besides the images.

    :param now: the time of the audit, with a time zone.
    :param stuck_after: an image that is in a temporary state for longer is stuck.
    :param check_properties: compares properties with the metadata definitions of the cloud.
    :param successor_property: the name of the property with the id of an image's successor.
    """

    now: datetime.datetime
    stuck_after: datetime.timedelta = datetime.timedelta(hours=24)
    check_properties: CheckProperties = lambda properties: {}
    successor_property: str = "superseded_by"


class ImageKey(typing.NamedTuple):
    """What findings say of the image that they are about."""

    image_id: str
    name: str | None
    owner: str | None

    @classmethod
    def of(cls, image: ImageRecords) -> ImageKey:
        """Return the key of an image."""
        return cls(image.image_id, image.text(NAME), image.text("owner"))


class Examination:
    """One examination of all images.

    :param circumstances: what it needs to know besides the images.
    """

    def __init__(self, circumstances: Circumstances) -> None:
        self._circumstances = circumstances

    def examine(self, image: ImageRecords) -> Iterator[Match]:
        """Yield what one image shows."""
        return iter(())

    def finish(self) -> Iterator[tuple[ImageKey, Match]]:
        """Yield what the comparison of all images shows."""
        return iter(())
