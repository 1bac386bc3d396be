# SPDX-License-Identifier: Apache-2.0
"""The v1 record and the v2 record of one image, and the matches that detectors find in them.

A record is the JSON object of an image in a list of v1 (``/v1/images/detail``) or v2
(``/v2/images``). Unlike the headers of v1, these lists contain all metadata unchanged.

What must live here: code that reads attributes and properties from either record. What must not:
code that examines them (``detectors``), I/O.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterable, Mapping

from glance_compat.audit.percent_encoding import Decoding
from glance_compat.metadata.property_names import V2_BASE_KEYS

Record = Mapping[str, typing.Any]

#: The subjects of matches. The subject of a property is PROPERTY followed by the property's name.
IMAGE = "image"
NAME = "name"
PROPERTY = "property "


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """One part of an image in which a detector recognised its kind of finding.

    :param subject: ``image``, ``name``, or ``property NAME``.
    :param details: what was found, for display.
    :param value: the stored value.
    :param decoding: the decoding of a percent-encoded string.
    """

    subject: str
    details: str
    value: object = None
    decoding: Decoding | None = None


class ImageRecords:
    """The records of one image; at least one of them is not None.

    :param v1: its v1 record, or None if v1 was not read.
    :param v2: its v2 record, or None if v2 was not read.
    """

    def __init__(self, v1: Record | None, v2: Record | None) -> None:
        self.v1 = v1
        self.v2 = v2
        self._any: Record = v2 if v2 is not None else v1 if v1 is not None else {}

    def attribute(self, name: str) -> typing.Any:
        """Return the value of an attribute that has the same name in both APIs, or None."""
        return self._any.get(name)

    @property
    def image_id(self) -> str:
        return str(self._any["id"])

    @property
    def is_multihash(self) -> bool:
        """Whether os_hidden, os_hash_* and stores are attributes of the server (since v2.7).

        On an older server os_hidden can only be a property, whose value is never a boolean.
        """
        return isinstance(self.attribute("os_hidden"), bool)

    @property
    def status(self) -> str | None:
        return self.text("status")

    @property
    def size(self) -> int:
        """Size in bytes; 0 if unknown."""
        size = self.attribute("size")
        return size if isinstance(size, int) else 0

    def text(self, name: str) -> str | None:
        """Return the value of an attribute if it is a string, otherwise None."""
        value = self.attribute(name)
        return value if isinstance(value, str) else None

    @functools.cached_property
    def properties(self) -> dict[str, str | None]:
        """All properties, by name; a property that is NULL in the database is None.

        They are read from the v1 record, if there is one, because v2 hides some properties.
        """
        if self.v1 is not None:
            stored = self.v1.get("properties")
            items: Iterable[tuple[object, object]] = (
                stored.items() if isinstance(stored, Mapping) else ()
            )
        else:
            items = ((key, value) for key, value in self._any.items() if key not in V2_BASE_KEYS)
        return {
            str(name): value for name, value in items if value is None or isinstance(value, str)
        }

    @functools.cached_property
    def texts(self) -> dict[str, str]:
        """The image's name and all properties that are strings, by subject."""
        name = self.text(NAME)
        found = {} if name is None else {NAME: name}
        return found | {
            PROPERTY + key: text for key, text in self.properties.items() if text is not None
        }
