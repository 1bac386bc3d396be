# SPDX-License-Identifier: Apache-2.0
"""The functions of ``nova.image.glance`` (Nova 34) that Nova and others call, as data."""

from __future__ import annotations

import inspect
from typing import Any

#: The parameters by name: variadic ones with a star, defaults as in the source.
SURFACE = {
    "generate_glance_url": "context",
    "get_api_servers": "context",
    "get_default_image_service": "",
    "get_remote_image_service": "context image_href",
    "GlanceClientWrapper.__init__": "self context=None endpoint=None",
    "GlanceClientWrapper.call": "self context version method controller=None args=None"
    " kwargs=None",
    "GlanceImageServiceV2.__init__": "self client=None",
    "GlanceImageServiceV2.show": "self context image_id include_locations=False show_deleted=True",
    "GlanceImageServiceV2.detail": "self context **kwargs",
    "GlanceImageServiceV2.create": "self context image_meta data=None",
    "GlanceImageServiceV2.update": "self context image_id image_meta data=None purge_props=True",
    "GlanceImageServiceV2.delete": "self context image_id",
    "GlanceImageServiceV2.download": "self context image_id data=None dst_path=None"
    " trusted_certs=None",
    "GlanceImageServiceV2.image_import_copy": "self context image_id stores",
    "API.generate_image_url": "image_ref context",
    "API.get_all": "self context **kwargs",
    "API.get": "self context id_or_uri include_locations=False show_deleted=True",
    "API.create": "self context image_info data=None",
    "API.update": "self context id_or_uri image_info data=None purge_props=False",
    "API.delete": "self context id_or_uri",
    "API.download": "self context id_or_uri data=None dest_path=None trusted_certs=None",
    "API.copy_image_to_store": "self context image_id store",
}


def found(module: Any, name: str) -> Any:
    """Return the function of that name."""
    for part in name.split("."):
        module = getattr(module, part)
    return module


def spelt(function: Any) -> str:
    """Return a signature in the format of SURFACE."""
    return " ".join(
        ("**" if one.kind is one.VAR_KEYWORD else "")
        + one.name
        + ("" if one.default is one.empty else f"={one.default!r}")
        for one in inspect.signature(function).parameters.values()
    )
