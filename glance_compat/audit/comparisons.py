# SPDX-License-Identifier: Apache-2.0
"""Compare each image with all others: the same data, the same name, a successor.

Each comparison keeps a few strings of each image until the end of the audit. What must live here:
the comparisons. What must not: the texts that explain a kind (``sanity_kinds``), I/O.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Iterator

from glance_compat.audit.detectors import WITH_DATA
from glance_compat.audit.examinations import Circumstances, Examination, ImageKey
from glance_compat.audit.records import IMAGE, NAME, PROPERTY, ImageRecords, Match
from glance_compat.redaction import quote_value

#: Maximum number of other images in the details of a finding.
_SHOWN = 3


class _Same(Examination, abc.ABC):
    """Find images that have something in common."""

    #: The subject of the findings, and how the details begin.
    SUBJECT, WHAT = IMAGE, ""

    def __init__(self, circumstances: Circumstances) -> None:
        super().__init__(circumstances)
        self._groups: dict[Hashable, list[ImageKey]] = {}

    def examine(self, image: ImageRecords) -> Iterator[Match]:
        """Remember the image; see :class:`glance_compat.audit.examinations.Examination`."""
        shared = self.select(image)
        if shared is not None:
            self._groups.setdefault(shared, []).append(ImageKey.of(image))
        return iter(())

    def finish(self) -> Iterator[tuple[ImageKey, Match]]:
        """Yield each image that is not alone in its group."""
        for group in self._groups.values():
            if len(group) > 1:
                for key in group:
                    yield key, Match(self.SUBJECT, f"{self.WHAT} {_list_others(group, key)}")

    @abc.abstractmethod
    def select(self, image: ImageRecords) -> Hashable | None:
        """Return what an image may have in common with others, or None if it does not count."""


def _list_others(group: list[ImageKey], key: ImageKey) -> str:
    # A few more than are shown suffice, so that a large group takes no quadratic time.
    others = [one.image_id for one in group[: _SHOWN + 1] if one is not key][:_SHOWN]
    more = len(group) - 1 - len(others)
    return ", ".join(others) + (f" and {more} more" if more else "")


class SameData(_Same):
    """Find images with the same data, by their hashes; if there is none, by checksum and size."""

    WHAT = "has the same data as"

    def select(self, image: ImageRecords) -> Hashable | None:
        """Return the hash of the data; empty data does not count."""
        if image.status not in WITH_DATA or not image.size:
            return None
        value = image.text("os_hash_value") if image.is_multihash else None
        if value is not None:
            return (image.text("os_hash_algo"), value)
        checksum = image.text("checksum")
        return None if checksum is None else (checksum, image.size)


class SameName(_Same):
    """Find images of one project with the same name; hidden images do not count."""

    SUBJECT, WHAT = NAME, "is also the name of"

    def select(self, image: ImageRecords) -> Hashable | None:
        """Return the project and the name."""
        name = image.text(NAME)
        is_hidden = image.attribute("os_hidden") is True
        return None if not name or is_hidden else (image.text("owner"), name)


class MissingSuccessor(Examination):
    """Find hidden images without a successor that can be used."""

    def __init__(self, circumstances: Circumstances) -> None:
        super().__init__(circumstances)
        self._statuses: dict[str, str | None] = {}
        self._links: list[tuple[ImageKey, str]] = []

    def examine(self, image: ImageRecords) -> Iterator[Match]:
        """Yield a hidden image that names no successor."""
        self._statuses[image.image_id] = image.status
        if image.attribute("os_hidden") is not True:
            return
        link = image.properties.get(self._circumstances.successor_property)
        if link:
            self._links.append((ImageKey.of(image), link))
        else:
            yield Match(IMAGE, "is hidden, and names no successor")

    def finish(self) -> Iterator[tuple[ImageKey, Match]]:
        """Yield hidden images whose successor is missing or has no data."""
        subject = PROPERTY + self._circumstances.successor_property
        for key, link in self._links:
            if link not in self._statuses:
                yield (
                    key,
                    Match(subject, f"names {quote_value(link)}, which no list contains", link),
                )
            elif self._statuses[link] != "active":
                status = self._statuses[link]
                yield key, Match(subject, f"names {link}, whose status is {status}", link)
