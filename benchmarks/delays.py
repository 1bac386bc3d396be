# SPDX-License-Identifier: Apache-2.0
"""A link with a delay: several connections for one image, and pages that are fetched ahead."""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from keystoneauth1 import session, token_endpoint

from benchmarks import embedded_server, link, tables
from benchmarks.copies import FORMATS
from glance_compat import ImageService, Options
from glance_compat.types import Image

#: Images in a page.
PAGE = 100

#: Time that the program works on each image, in seconds. It sleeps, as while it waits for another
#: service.
WORK = 0.001

CONNECTIONS = (1, 2, 4, 8)


def _service(url: str, token: str, connections: int = 1) -> ImageService:
    return ImageService(
        session.Session(auth=token_endpoint.Token(url, token)),
        endpoint_override=url,
        options=Options(download_connections=connections),
    )


def _seconds(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median time of each call, in seconds. The rounds are interleaved."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            found[name].append(time.perf_counter() - begun)
    return {name: statistics.median(figures) for name, figures in found.items()}


def _downloads(url: str, token: str, image_id: str, mib: int, rounds: int) -> tables.Table:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        found = _seconds(
            {
                str(count): functools.partial(
                    _service(url, token, count).download, None, image_id, dst_path=path
                )
                for count in CONNECTIONS
            },
            rounds,
        )
    return tables.Table(
        f"Download of {mib} MiB to a path, verified",
        ["connections", "MiB/s", "times as fast as one"],
        [
            [name, f"{mib / seconds:.0f}", f"{found['1'] / seconds:.2f}"]
            for name, seconds in found.items()
        ],
    )


def _walk(images: Callable[[], Iterator[Image]]) -> None:
    for _ in images():
        time.sleep(WORK)


def _lists(url: str, token: str, rounds: int) -> tables.Table:
    walked = functools.partial(
        _service(url, token)._images, None, None, None, None, PAGE, None, None
    )
    found = _seconds(
        {
            name: functools.partial(_walk, functools.partial(walked, ahead=ahead))
            for name, ahead in (("when it is needed", False), ("ahead", True))
        },
        rounds,
    )
    return tables.Table(
        f"A program that works {WORK * 1000:.0f} ms on each image, pages of {PAGE}",
        ["the next page is fetched", "wall, s", "ratio"],
        [
            [name, f"{seconds:.2f}", f"{seconds / found['when it is needed']:.2f}"]
            for name, seconds in found.items()
        ],
    )


def run(mib: int, images: int, rounds: int) -> list[tables.Table]:
    """Measure downloads and lists over a link with a delay.

    :param mib: the size of the image that is downloaded.
    :param images: images in the list.
    :param rounds: downloads and lists of each type, of which the median counts.
    """
    with embedded_server.started("33", images) as server:
        url, token = server.target.url, server.target.token
        image = _service(url, token).create(None, FORMATS, bytes(mib * 2**20))
        with link.started(url) as far:
            return [
                _downloads(far, token, image["id"], mib, rounds),
                _lists(far, token, rounds),
            ]
