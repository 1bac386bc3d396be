# SPDX-License-Identifier: Apache-2.0
"""What a fresh embedded Glance costs each test: ``python benchmarks/fresh_fixtures.py [COUNT]``.

Each is made, asked once and thrown away, as by a test; the target is 2 ms without sockets and
50 ms with them, on a machine that has nothing else to do. The time of the processor is told as
well, which other work on the machine does not change. The last row is a program of its own.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import requests

from glance_compat.fixture import NOVA_IMAGES, GlanceFixture

HEADERS = {"X-Auth-Token": "any"}


def nothing(glance: GlanceFixture) -> None:
    """Only make it."""


def asked(glance: GlanceFixture) -> None:
    """List images once."""
    answer = glance.session().get(f"{glance.url}/v2/images")
    assert answer.status_code == 200


CASES: dict[str, tuple[dict[str, object], Callable[[GlanceFixture], None], float]] = {
    "without sockets": ({"sockets": False}, nothing, 2),
    "without sockets, 33": ({"sockets": False, "release": "33", "apis": ("v2",)}, nothing, 2),
    "without sockets, images of Nova": ({"sockets": False, "images": NOVA_IMAGES}, nothing, 2),
    "without sockets, asked once": ({"sockets": False}, asked, 0),
    "with sockets": ({}, nothing, 50),
    "with sockets, asked once": ({}, asked, 0),
}


def times(
    options: dict[str, object], use: Callable[[GlanceFixture], None], count: int
) -> Iterator[tuple[float, float]]:
    """Yield milliseconds that each takes, on the clock and of the processor."""
    for _ in range(count):
        began, busy = time.perf_counter(), time.process_time()
        with GlanceFixture(**options) as glance:  # type: ignore[arg-type]
            use(glance)
        yield (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000


def serve() -> tuple[float, float]:
    """Seconds until ``glance-compat serve`` answers, and of those until it is imported."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import glance_compat.fixture"], check=True)
    imported = time.perf_counter() - began
    command = [sys.executable, "-m", "glance_compat.cli", "serve", "--export", "none"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert requests.get(url, timeout=10).status_code == 300
        took = time.perf_counter() - began
        server.terminate()
    return took, imported


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print(f"{count} of each, in ms{'':18} median   mean    cpu    worst   target")
    for name, (options, use, target) in CASES.items():
        taken = list(times(options, use, count))
        clock, busy = zip(*taken, strict=True)
        print(
            f"{name:34} {statistics.median(clock):8.2f} {statistics.mean(clock):6.2f}"
            f" {statistics.mean(busy):6.2f} {max(clock):8.2f} {f'< {target}' if target else '':>8}"
        )
    took, imported = serve()
    print(f"glance-compat serve answers after {took:.2f} s; its imports take {imported:.2f} s")


if __name__ == "__main__":
    main()
