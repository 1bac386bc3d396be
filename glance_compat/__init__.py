# SPDX-License-Identifier: Apache-2.0
"""A client for OpenStack Glance that works the same over the Images API v1 and v2."""

from __future__ import annotations

# The package ``typing`` would be imported for this constant alone; type checkers know the name.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from glance_compat import exceptions
    from glance_compat.definitions.properties import Definition, Definitions
    from glance_compat.discovery.versions import Discovery, OfferedVersion
    from glance_compat.options import Options
    from glance_compat.service import BoundImageService, ImageService
    from glance_compat.streams.streams import Download
    from glance_compat.types import ExtendedImage, Image, Location, Member, Task

__all__ = [
    "BoundImageService",
    "Definition",
    "Definitions",
    "Discovery",
    "Download",
    "ExtendedImage",
    "Image",
    "ImageService",
    "Location",
    "Member",
    "OfferedVersion",
    "Options",
    "Store",
    "Task",
    "exceptions",
]

# Imported on first use, because programs call glance_compat.nova.install() before eventlet patches
# the standard library, and urllib3 must be imported after that.
_HOMES = {
    "BoundImageService": "service",
    "Definition": "definitions.properties",
    "Definitions": "definitions.properties",
    "Discovery": "discovery.versions",
    "Download": "streams.streams",
    "ExtendedImage": "types",
    "Image": "types",
    "ImageService": "service",
    "Location": "types",
    "Member": "types",
    "OfferedVersion": "discovery.versions",
    "Options": "options",
    "Store": "types",
    "Task": "types",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "exceptions":
        return importlib.import_module("glance_compat.exceptions")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"glance_compat.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
