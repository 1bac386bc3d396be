# SPDX-License-Identifier: Apache-2.0
"""Copies between two embedded clouds, beside a download and an upload alone."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable

from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session

from benchmarks import embedded_server, tables
from benchmarks.embedded_server import Server
from glance_compat import ImageService
from glance_compat.copying import copy_image, plan, sync

FORMATS = {"disk_format": "raw", "container_format": "bare"}
#: The filter that selects the small images.
_SMALL = {"property-benchmark": "small"}


class _Context:
    """A user of one project."""

    auth_token = "user:benchmark:member"
    project_id = "benchmark"


def _service(server: Server) -> ImageService:
    auth = token_endpoint.Token(server.target.url, _Context.auth_token)
    return ImageService(Session(auth=auth), endpoint_override=server.target.url)


def _seconds(call: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def _one_image(source: ImageService, target: ImageService, mib: int, rounds: int) -> tables.Table:
    block = bytes(2**20)
    image = source.create(None, {"name": "large", **FORMATS}, (block for _ in range(mib)))

    def download() -> None:
        with source.download(None, image["id"]) as data:
            for _ in data:
                pass

    def upload() -> None:
        blocks = (block for _ in range(mib))
        created = target.create(None, {"name": "large", "size": mib * 2**20, **FORMATS}, blocks)
        target.delete(None, created["id"])

    def copy() -> None:
        copied = copy_image(source, image["id"], target, target_context=_Context)
        target.delete(None, copied["id"])

    found = {call.__name__: _seconds(call, rounds) for call in (download, upload, copy)}
    slower = max(found["download"], found["upload"])
    lines = [
        [name, f"{mib / seconds:.0f}", f"{slower / seconds:.2f}"]
        for name, seconds in found.items()
    ]
    return tables.Table(
        f"One image of {mib} MiB", ["call", "MiB/s", "ratio to the slower of both alone"], lines
    )


#: Large images that several workers copy.
_LARGE_IMAGES = 8


def _large_images(
    servers: tuple[Server, Server], source: ImageService, target: ImageService, mib: int
) -> tables.Table:
    """Compare copies side by side with what the processors allow.

    The limit is the data divided by the time that all processors together would need for the
    processor time that this process and both servers have used.
    """
    block = bytes(2**20)
    for number in range(_LARGE_IMAGES):
        meta = {"name": str(number), "properties": {"benchmark": "large"}, **FORMATS}
        source.create(None, meta, (block for _ in range(mib)))
    steps = plan(source, target, target_context=_Context, filters={"property-benchmark": "large"})

    def used() -> float:
        return time.process_time() + sum(one.usage().cpu for one in servers)

    lines = []
    for workers in (1, 4):
        before, begun = used(), time.perf_counter()
        report = sync(steps, workers=workers)
        seconds, cpu = time.perf_counter() - begun, used() - before
        assert not report.failed
        for step in report.steps:
            target.delete(None, str(step.target_id))
        rate = _LARGE_IMAGES * mib / seconds
        limit = _LARGE_IMAGES * mib / cpu * len(os.sched_getaffinity(0))
        lines.append([str(workers), f"{rate:.0f}", f"{limit:.0f}", f"{rate / limit:.2f}"])
    heads = ["workers", "MiB/s", "limit of the processors, MiB/s", "ratio"]
    return tables.Table(f"{_LARGE_IMAGES} images of {mib} MiB", heads, lines)


def _many_images(source: ImageService, target: ImageService, count: int) -> tables.Table:
    for number in range(count):
        meta = {"name": str(number), "properties": {"benchmark": "small"}, **FORMATS}
        source.create(None, meta, b"small")
    lines = []
    for workers in (1, 4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.perf_counter()
        steps = plan(source, target, target_context=_Context, filters=_SMALL)
        planned = time.perf_counter()
        report = sync(steps, workers=workers)
        ended = time.perf_counter()
        assert not report.failed
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        rate = f"{count / (ended - planned):.0f}"
        lines.append([str(workers), f"{planned - begun:.2f}", rate, f"{grown / 1024:.1f}"])
        for step in report.steps:
            target.delete(None, str(step.target_id))
    heads = ["workers", "plan, s", "images per second", "growth of memory, MiB"]
    return tables.Table(f"{count} small images", heads, lines)


def run(mib: int, count: int, rounds: int) -> list[tables.Table]:
    """Measure copies of one large image, of several side by side, and of many small ones.

    :param mib: the size of the large image; each of the several has a quarter of it.
    :param count: the number of small images.
    :param rounds: copies of the large image, of which the median counts.
    """
    with embedded_server.started("33", 0) as old, embedded_server.started("33", 0) as new:
        source, target = _service(old), _service(new)
        return [
            _one_image(source, target, mib, rounds),
            _large_images((old, new), source, target, max(1, mib // 4)),
            _many_images(source, target, count),
        ]
