# SPDX-License-Identifier: Apache-2.0
"""What a fresh embedded Glance costs each test: made, perhaps asked once, thrown away."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from benchmarks import tables
from glance_compat.fixture import NOVA_IMAGES, GlanceFixture

Use = Callable[[GlanceFixture], object]


def _nothing(glance: GlanceFixture) -> None:
    """Only make it."""


def _asked(glance: GlanceFixture) -> None:
    """List images once."""
    assert glance.session().get(f"{glance.url}/v2/images").status_code == 200


#: Options of the fixture, and what is done with it.
CASES: dict[str, tuple[dict[str, Any], Use]] = {
    "without sockets": ({"sockets": False}, _nothing),
    "without sockets, 33": ({"sockets": False, "release": "33", "apis": ("v2",)}, _nothing),
    "without sockets, images of Nova": ({"sockets": False, "images": NOVA_IMAGES}, _nothing),
    "without sockets, asked once": ({"sockets": False}, _asked),
    "with sockets": ({}, _nothing),
    "with sockets, asked once": ({}, _asked),
}


def _times(options: Mapping[str, Any], use: Use, count: int) -> Iterator[tuple[float, float]]:
    for _ in range(count):
        begun, busy = time.perf_counter(), time.process_time()
        with GlanceFixture(**options) as glance:
            use(glance)
        yield (time.perf_counter() - begun) * 1e3, (time.process_time() - busy) * 1e3


def run(count: int) -> tables.Table:
    """Measure all cases.

    :param count: fixtures of each.
    """
    lines = []
    for name, (options, use) in CASES.items():
        walls, cpus = zip(*_times(options, use, count), strict=True)
        medians = [f"{statistics.median(figures):.2f}" for figures in (walls, cpus)]
        lines.append([name, *medians, f"{max(walls):.2f}"])
    return tables.Table(
        "A fresh embedded Glance", ["fixture", "wall, ms", "CPU, ms", "worst wall, ms"], lines
    )
