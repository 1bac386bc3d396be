# SPDX-License-Identifier: Apache-2.0
"""``--fix null-property`` and ``--fix shadowed-property``: repair what only v1 shows.

Both read the image's record in the list of v1, which is the only one that shows all properties
unchanged. What must live here: which properties are written, and how. What must not: code that
finds them (``glance_compat.audit.detectors``).
"""

from __future__ import annotations

import abc
import typing
from collections.abc import Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.kinds import KINDS_BY_NAME
from glance_compat.audit.reader import find_record
from glance_compat.audit.records import PROPERTY, ImageRecords
from glance_compat.audit.writer import replace_properties
from glance_compat.cli.repair import Access, Repair, check_written
from glance_compat.metadata.property_names import is_reserved

#: Prefix of the new names of shadowed properties.
_PREFIX = "v1_"


class _RecordFix(abc.ABC):
    """A repair of properties in the record of v1."""

    NEEDS: typing.ClassVar[Mapping[str, str]]
    NOTHING: typing.ClassVar[str]
    #: The name of the kind of finding.
    KIND: typing.ClassVar[str]

    def __init__(self, access: Access) -> None:
        self._access = access
        self._image = ImageRecords({"id": ""}, None)

    def plan(self, image_id: str) -> list[Repair]:
        """Return what would be written; see :class:`glance_compat.cli.repair.Fix`."""
        self._image = ImageRecords(self._read(image_id), None)
        detect = KINDS_BY_NAME[self.KIND].detect
        found = detect(self._image) if detect is not None else ()
        return [
            self._plan_repair(image_id, match.subject.removeprefix(PROPERTY)) for match in found
        ]

    def write(self, image_id: str, repairs: Sequence[Repair]) -> None:
        """Write the repairs; see :class:`glance_compat.cli.repair.Fix`."""
        properties = dict(self._image.properties)
        for one in repairs:
            name = one.subject.removeprefix(PROPERTY)
            del properties[name]
            properties[one.new_name or name] = one.after
        stored = self._send(image_id, properties, repairs)
        expected = {**(self._image.v1 or {}), "properties": stored}
        check_written(image_id, expected, self._read(image_id))

    def _read(self, image_id: str) -> Mapping[str, typing.Any]:
        name = self._access.services["v1"].show(None, image_id)["name"]
        record = find_record(self._access.dispatchers["v1"], image_id, name)
        if record is None:
            raise exceptions.ImageNotFound(
                f"image {image_id} is not in the list of v1, which shows all properties",
                image_id=image_id,
            )
        return record

    @abc.abstractmethod
    def _plan_repair(self, image_id: str, name: str) -> Repair:
        """Return the repair of one property."""

    @abc.abstractmethod
    def _send(
        self, image_id: str, properties: Mapping[str, str | None], repairs: Sequence[Repair]
    ) -> Mapping[str, str | None]:
        """Send the request, and return the properties that the server should have stored.

        :param properties: all properties that the image must have.
        """


class FillNulls(_RecordFix):
    """Replace values that are NULL with empty strings, which is what v2 shows for them."""

    NEEDS: typing.ClassVar[Mapping[str, str]] = {
        "v1": "only v1 shows which values are NULL",
        "v2": "v1 stores an empty string as NULL",
    }
    NOTHING = "no property is NULL"
    KIND = "null-property"

    def _plan_repair(self, image_id: str, name: str) -> Repair:
        refusal = "refused because the property has the name of an attribute"
        is_refused = is_reserved(name)
        return Repair(
            image_id,
            PROPERTY + name,
            refusal if is_refused else "",
            is_done=not is_refused,
            after="",
        )

    def _send(
        self, image_id: str, properties: Mapping[str, str | None], repairs: Sequence[Repair]
    ) -> Mapping[str, str | None]:
        changed = {one.subject.removeprefix(PROPERTY): one.after for one in repairs}
        service = self._access.services["v2"]
        service.update(None, image_id, {"properties": changed}, purge_props=False)
        return properties


class MoveShadowed(_RecordFix):
    """Give properties that v2 hides behind an attribute a name that v2 shows."""

    NEEDS: typing.ClassVar[Mapping[str, str]] = {
        "v1": "v2 can neither show nor change the property"
    }
    NOTHING = "no property is shadowed"
    KIND = "shadowed-property"

    def _plan_repair(self, image_id: str, name: str) -> Repair:
        new_name = _PREFIX + name
        refusal = ""
        if new_name in self._image.properties:
            refusal = f"refused because the image has a property {new_name} already"
        value = self._image.properties[name]
        return Repair(
            image_id,
            PROPERTY + name,
            refusal,
            is_done=not refusal,
            before=value,
            after=value,
            new_name=new_name,
        )

    def _send(
        self, image_id: str, properties: Mapping[str, str | None], repairs: Sequence[Repair]
    ) -> Mapping[str, str | None]:
        sent = {name: value or "" for name, value in properties.items()}
        removed = frozenset(one.subject.removeprefix(PROPERTY) for one in repairs)
        replace_properties(self._access.dispatchers["v1"], image_id, sent, removed)
        # v1 stores an empty string as NULL.
        return {name: value or None for name, value in properties.items()}
