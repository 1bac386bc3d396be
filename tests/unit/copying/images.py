# SPDX-License-Identifier: Apache-2.0
"""Images for the unit tests of copies, as a service with the option extended returns them."""

from __future__ import annotations

import datetime
from typing import Any, cast

from glance_compat.types import ExtendedImage

SOURCE = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER = "bbbbbbbb-0000-4000-8000-000000000002"
NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.timezone.utc)


def image(**values: Any) -> ExtendedImage:
    """Return an active image of v2 with these values."""
    found: dict[str, Any] = {
        "id": SOURCE,
        "name": "one",
        "status": "active",
        "size": 4,
        "checksum": "c" * 32,
        "container_format": "bare",
        "disk_format": "raw",
        "min_disk": 0,
        "min_ram": 0,
        "owner": "mine",
        "is_public": values.get("visibility") == "public",
        "created_at": NOW,
        "updated_at": NOW,
        "deleted_at": None,
        "deleted": False,
        "visibility": "shared",
        "protected": False,
        "tags": [],
        "virtual_size": None,
        "os_hidden": False,
        "os_hash_algo": None,
        "os_hash_value": None,
        "stores": None,
        "properties": {},
        "shadowed_properties": None,
    }
    return cast(ExtendedImage, found | values)
