# SPDX-License-Identifier: Apache-2.0
"""What a check of a property against its metadata definition costs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from benchmarks import tables
from glance_compat.definitions.checks import find_problems
from glance_compat.definitions.documents import parse_namespace
from glance_compat.definitions.properties import Definitions

#: The definition of a property, and a value that it allows, by the name of the case.
CASES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "string": ({"type": "string"}, "linux"),
    "one of 20 values": (
        {"type": "string", "enum": [f"value{number}" for number in range(20)]},
        "value19",
    ),
    "integer in a range": ({"type": "integer", "minimum": 1, "maximum": 64}, "16"),
    "boolean": ({"type": "boolean"}, "true"),
    "pattern of a UUID": (
        {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"},
        "01234567-89ab-cdef-0123-456789abcdef",
    ),
    "list of three": (
        {"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}},
        "<or> a <or> b <or> c",
    ),
}


def _definitions() -> Definitions:
    namespace = {
        "namespace": "Benchmark",
        "resource_type_associations": [{"name": "OS::Glance::Image"}],
        "properties": {name: dict(schema) for name, (schema, _) in CASES.items()},
    }
    return Definitions(parse_namespace(namespace).definitions)


def _seconds(definitions: Definitions, properties: Mapping[str, str], count: int) -> float:
    """Return the CPU time of some checks of an image."""
    started = time.process_time()
    for _ in range(count):
        assert not find_problems(definitions, properties)
    return time.process_time() - started


def run(count: int) -> tables.Table:
    """Measure all cases, and an image with a property of each.

    :param count: the number of checks of each.
    """
    definitions = _definitions()
    images = {name: {name: value} for name, (_, value) in CASES.items()}
    images["an image with all of them"] = {name: value for name, (_, value) in CASES.items()}
    lines = []
    for name, properties in images.items():
        # The first check of a definition prepares it.
        find_problems(definitions, properties)
        seconds = _seconds(definitions, properties, count) / count / len(properties)
        lines.append([name, f"{seconds * 1e6:.1f}", f"{1 / max(seconds, 1e-9):,.0f}"])
    return tables.Table(
        "Checks of properties against definitions",
        ["property", "CPU of a check, us", "checks per CPU second"],
        lines,
    )
