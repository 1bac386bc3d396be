# SPDX-License-Identifier: Apache-2.0
"""``--fix percent-encoded``: decode the strings that glanceclient percent-encoded.

What must live here: which decodings are written. What must not: code that decodes a string
(``glance_compat.audit.percent_encoding``).
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence

from glance_compat.audit.detectors import find_encoded_texts
from glance_compat.audit.percent_encoding import Confidence, Decoding
from glance_compat.audit.records import NAME, PROPERTY
from glance_compat.cli.repair import Access, Image, Repair, check_written
from glance_compat.metadata.property_names import decode_structured, is_reserved, property_to_str


class DecodeStrings:
    """Decode the name and the property values of an image.

    The image is read over all APIs, because v2 hides some properties, and written over the newest
    one.
    """

    NEEDS: typing.ClassVar[Mapping[str, str]] = {}
    NOTHING: typing.ClassVar[str] = "nothing is percent-encoded"

    def __init__(self, access: Access) -> None:
        self._access = access
        self._image: Image = {}

    def plan(self, image_id: str) -> list[Repair]:
        """Return what would be written; see :class:`glance_compat.cli.repair.Fix`."""
        images: list[Image] = [
            service.show(None, image_id) for service in self._access.services.values()
        ]
        *others, self._image = images
        shadowed = [one["shadowed_properties"] or {} for one in (self._image, *others)]
        texts = {} if self._image["name"] is None else {NAME: self._image["name"]}
        texts |= {
            PROPERTY + name: property_to_str(value) or ""
            for properties in (self._image["properties"], *shadowed)
            for name, value in properties.items()
        }
        return [
            _plan_repair(image_id, subject, text, decoding)
            for subject, text, decoding in find_encoded_texts(texts)
        ]

    def write(self, image_id: str, repairs: Sequence[Repair]) -> None:
        """Write the decoded strings; see :class:`glance_compat.cli.repair.Fix`."""
        image, service = self._image, self._access.newest
        texts = {one.subject: one.after or "" for one in repairs}
        name = {NAME: texts.pop(NAME)} if NAME in texts else {}
        properties = {subject.removeprefix(PROPERTY): text for subject, text in texts.items()}
        service.update(None, image_id, {**name, "properties": properties}, purge_props=False)
        shown = {key: decode_structured(key, text) for key, text in properties.items()}
        expected = {**image, **name, "properties": {**image["properties"], **shown}}
        check_written(image_id, expected, service.show(None, image_id))


def _plan_repair(image_id: str, subject: str, text: str, decoding: Decoding) -> Repair:
    refusal = ""
    if decoding.confidence is Confidence.LOW:
        refusal = f"refused because the confidence is low: {decoding.why}"
    elif is_reserved(subject.removeprefix(PROPERTY)) and subject != NAME:
        refusal = "refused because the property has the name of an attribute"
    return Repair(
        image_id,
        subject,
        refusal,
        is_done=not refusal,
        before=text,
        after=decoding.text,
        confidence=decoding.confidence.value,
    )
