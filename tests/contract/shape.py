# SPDX-License-Identifier: Apache-2.0
"""The keys and types of an image dict, and the comparison of two of them."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from typing import Any, cast

from glance_compat.types import ExtendedImage, Image

#: The types that the value may have, by key.
KEYS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "name": (str, type(None)),
    "status": (str,),
    "size": (int,),
    "checksum": (str, type(None)),
    "container_format": (str, type(None)),
    "disk_format": (str, type(None)),
    "min_disk": (int,),
    "min_ram": (int,),
    "owner": (str, type(None)),
    "is_public": (bool,),
    "created_at": (datetime.datetime,),
    "updated_at": (datetime.datetime,),
    "deleted_at": (datetime.datetime, type(None)),
    "deleted": (bool,),
    "properties": (dict,),
}
LOCATION_KEYS: dict[str, tuple[type, ...]] = {
    "locations": (list,),
    "direct_url": (str, type(None)),
}
EXTENDED_KEYS: dict[str, tuple[type, ...]] = {
    "visibility": (str, type(None)),
    "protected": (bool, type(None)),
    "tags": (list, type(None)),
    "virtual_size": (int, type(None)),
    "os_hidden": (bool, type(None)),
    "os_hash_algo": (str, type(None)),
    "os_hash_value": (str, type(None)),
    "stores": (list, type(None)),
    "shadowed_properties": (dict, type(None)),
}
STRUCTURED = ("block_device_mapping", "mappings")

DATA = b"some bytes of an image\n" * 40
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
MD5_OF_NOTHING = hashlib.md5(b"", usedforsecurity=False).hexdigest()
FORMATS = {"disk_format": "raw", "container_format": "bare"}


def check(
    image: Mapping[str, Any], *, locations: bool = False, extended: bool = False
) -> Mapping[str, Any]:
    """Assert that a dict has the keys and types of the contract; return it."""
    keys = KEYS | (LOCATION_KEYS if locations else {}) | (EXTENDED_KEYS if extended else {})
    assert type(image) is dict
    assert image.keys() == keys.keys()
    # bool is an int, so types are compared and not instances.
    assert {
        name: type(value) for name, value in image.items() if type(value) not in keys[name]
    } == {}
    for key in ("created_at", "updated_at", "deleted_at"):
        if image[key] is not None:
            assert (key, image[key].utcoffset(), image[key].microsecond) == (
                key,
                datetime.timedelta(0),
                0,
            )
    for key, value in image["properties"].items():
        assert type(key) is str
        assert type(value) is str or key in STRUCTURED
    return image


def extended(image: Image) -> ExtendedImage:
    """Return an image of a service with ``Options(extended=True)``, with its exact type."""
    return cast(ExtendedImage, image)


def without_times(image: Mapping[str, Any]) -> dict[str, Any]:
    """Return an image without the values that differ from run to run."""
    return {
        key: value
        for key, value in image.items()
        if key not in ("id", "created_at", "updated_at", "deleted_at")
    }


def new_image(target_project: str, name: str | None, **other: Any) -> dict[str, Any]:
    """Return the expected result of :func:`without_times` for a new image."""
    return {
        "name": name,
        "status": "queued",
        "size": 0,
        "checksum": None,
        "container_format": None,
        "disk_format": None,
        "min_disk": 0,
        "min_ram": 0,
        "owner": target_project,
        "is_public": False,
        "deleted": False,
        "properties": {},
        **other,
    }
