# SPDX-License-Identifier: Apache-2.0
"""Properties of an image that contain the ids of other images.

What must live here: the names of these properties, and the replacement of the ids in them. What
must not: I/O.
"""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator, Mapping

#: Properties whose value is the id of another image: the kernel and the ramdisk of an Amazon
#: image, and the image that the server of a snapshot was booted from (Nova, compute/utils.py and
#: api/metadata; read in Nova 16 and 34). The option ``successor_property`` names one more.
LINKS = ("kernel_id", "ramdisk_id", "base_image_ref")

#: A property that only says where a snapshot comes from: no server is booted with its value.
ORIGIN = "base_image_ref"

#: A property whose value is a list of devices, which may have the key ``image_id`` (Nova,
#: block_device.py).
_MAPPING = "block_device_mapping"


def find_references(
    properties: Mapping[str, typing.Any], successor_property: str
) -> Iterator[tuple[str, str]]:
    """Yield the name of each property that names another image, with the image's id.

    :param properties: the properties of an image, with decoded structures.
    :param successor_property: the name of the property that links an image to its successor.
    """
    for name in (*LINKS, successor_property):
        value = properties.get(name)
        if isinstance(value, str) and value:
            yield name, value
    for device in _devices(properties):
        value = device.get("image_id")
        if isinstance(value, str) and value:
            yield _MAPPING, value


def replace_references(
    properties: Mapping[str, typing.Any], successor_property: str, ids: Mapping[str, str]
) -> dict[str, typing.Any]:
    """Return the properties with the ids of other images replaced by those of their copies.

    :param ids: the id of each copy, by the id of its source. Other ids are left as they are.
    """
    found = dict(properties)
    for name in (*LINKS, successor_property):
        if name in found and isinstance(found[name], str):
            found[name] = ids.get(found[name], found[name])
    if any(device.get("image_id") in ids for device in _devices(properties)):
        found[_MAPPING] = copy.deepcopy(found[_MAPPING])
        for device in _devices(found):
            device["image_id"] = ids.get(device.get("image_id", ""), device.get("image_id"))
    return found


def _devices(properties: Mapping[str, typing.Any]) -> Iterator[dict[str, typing.Any]]:
    devices = properties.get(_MAPPING)
    if isinstance(devices, list):
        for device in devices:
            if isinstance(device, dict) and isinstance(device.get("image_id"), str):
                yield device
