# SPDX-License-Identifier: Apache-2.0
"""Namespaces for tests."""

from __future__ import annotations

from typing import Any

from glance_compat.definitions.documents import parse_namespace
from glance_compat.definitions.properties import Definition


def namespace(
    properties: dict[str, Any], name: str = "Test::One", prefix: str | None = None, **other: Any
) -> dict[str, Any]:
    """Return the JSON of a namespace for images."""
    association = {"name": "OS::Glance::Image"} | ({} if prefix is None else {"prefix": prefix})
    return {
        "namespace": name,
        "visibility": "public",
        "resource_type_associations": [{"name": "OS::Nova::Flavor", "prefix": "no:"}, association],
        "properties": properties,
        **other,
    }


def schema(**keywords: Any) -> dict[str, Any]:
    """Return the JSON of a property; its type is string unless another is passed."""
    return {"title": "T", "type": "string", **keywords}


def defined(**keywords: Any) -> Definition:
    """Return the definition of a property "p"."""
    [found] = parse_namespace(namespace({"p": schema(**keywords)})).definitions
    return found
