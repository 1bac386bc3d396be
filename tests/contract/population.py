# SPDX-License-Identifier: Apache-2.0
"""A small set of images of several owners, for tests of lists."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from typing import Any

from glance_compat import ImageService
from tests.contract.shape import DATA
from tests.contract.targets import Target

#: The property that all of them have, so that lists can exclude images of other tests.
MARK = "population"


@dataclasses.dataclass(frozen=True)
class Population:
    """The images, by their names in the tests.

    :param run: the value of the property MARK.
    :param ids: the id of each image, by its name.
    :param begun: a time before the first image was created.
    """

    target: Target
    run: str
    ids: dict[str, str]
    begun: datetime.datetime

    def list_names(
        self, service: ImageService, filters: dict[str, Any] | None = None, **arguments: Any
    ) -> list[str]:
        """List these images, and return their names."""
        asked = {f"property-{MARK}": self.run, **(filters or {})}
        return [str(one["name"]) for one in service.detail(None, filters=asked, **arguments)]


#: Names that a filter could misinterpret.
COLON = "a:b"
OPERATOR = "gt:5"
LIST = "in:x,y"
QUOTED = 'c,d "e"'
ACCENT = "é+ü &%41"

#: In order of creation: name, owner, data, and the rest of the record.
ROWS: tuple[tuple[str, str, bytes | None, dict[str, Any]], ...] = (
    (COLON, "demo", None, {"visibility": "private", "min_ram": 64, "min_disk": 2}),
    (OPERATOR, "demo", DATA, {"tags": ["t1", "t2"], "properties": {"kind": "Kind: a,b"}}),
    (LIST, "demo", b"", {"tags": ["t1"], "properties": {"os_type": "linux", "type": "x"}}),
    (QUOTED, "demo", b"four", {"visibility": "community", "container_format": "ovf"}),
    ("public", "demo", b"twelve bytes", {"properties": {"project_id": "p", "limit": "5"}}),
    ("protected", "demo", None, {"protected": True, "disk_format": "vmdk"}),
    ("theirs public", "stranger", DATA, {"properties": {"Kind": "upper"}}),
    ("theirs private", "stranger", DATA, {"visibility": "private"}),
    ("pending", "other", None, {}),
    ("accepted", "other", None, {}),
    ("rejected", "other", None, {"properties": {"empty": ""}}),
)
MINE = (COLON, OPERATOR, LIST, QUOTED, "public", "protected")
SHARED = ("pending", "accepted", "rejected")
PUBLIC = ("public", "theirs public")
ALL = tuple(row[0] for row in ROWS)
#: The images that demo sees.
VISIBLE = tuple(name for name in ALL if name != "theirs private")


def populate(target: Target) -> Population:
    """Create the images."""
    run = uuid.uuid4().hex
    begun = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    ids: dict[str, str] = {}
    for name, owner, data, record in ROWS:
        properties = {MARK: run, **record.get("properties", {})}
        ids[name] = target.make(owner, data, **{**record, "name": name, "properties": properties})
    for name in PUBLIC:
        target.publish(ids[name])
    target.deactivate(ids[QUOTED])
    for status in SHARED:
        target.share(ids[status], "demo", status, owner="other")
    return Population(target, run, ids, begun)
