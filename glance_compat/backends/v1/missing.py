# SPDX-License-Identifier: Apache-2.0
"""What v1 does not have: each method raises UnsupportedByVersion."""

from __future__ import annotations

from collections.abc import Sequence

from glance_compat.backends.protocol import ImportRequest
from glance_compat.backends.v1.images import V1Images
from glance_compat.metadata.fields import Image
from glance_compat.transport.messages import Response
from glance_compat.types import Location, Member, Store, Task


class V1Missing(V1Images):
    """The methods of the interface that v1 cannot implement."""

    def stores(self) -> list[Store]:
        raise self._unsupported("stores", "list the stores")

    def delete_from_store(self, image_id: str, store: str) -> None:
        raise self._unsupported("store-delete", "delete data from one store", image_id)

    def tasks(self, image_id: str) -> list[Task]:
        raise self._unsupported("tasks", "the tasks of an image", image_id)

    def locations(self, image_id: str) -> list[Location]:
        raise self._unsupported("locations-api", "the locations of an image", image_id)

    def copy_to_stores(self, image_id: str, request: ImportRequest) -> None:
        raise self._unsupported("copy-image", "a copy of the data in another store", image_id)

    def has_copied(self, image_id: str, request: ImportRequest) -> bool:
        return False

    def get_metadefs(self, path: str, params: Sequence[tuple[str, str]] = ()) -> Response:
        raise self._unsupported("property-definitions", "property definitions")

    def deactivate(self, image_id: str) -> Image:
        raise self._unsupported("deactivate", "deactivate an image", image_id)

    def reactivate(self, image_id: str) -> Image:
        raise self._unsupported("deactivate", "reactivate an image", image_id)

    def add_tag(self, image_id: str, tag: str) -> None:
        raise self._unsupported("tags", "add a tag", image_id)

    def remove_tag(self, image_id: str, tag: str) -> None:
        raise self._unsupported("tags", "remove a tag", image_id)

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        raise self._unsupported("member-status", "the status of a member", image_id)
