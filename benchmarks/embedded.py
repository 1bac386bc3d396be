# SPDX-License-Identifier: Apache-2.0
"""The embedded Glance over sockets: what a show, a page and an image in memory cost."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

import requests

from benchmarks import bodies, ratios, tables
from benchmarks.embedded_server import Server
from benchmarks.subjects.raw_socket import RawSocket
from benchmarks.targets import Target

#: Images in a page, and pages in a round.
PAGE = 100
PAGES = 5
#: Sort parameters of the lists; the empty one is the order by time of creation.
SORTS = ("", "sort=name:asc", "sort=size:desc")


@dataclasses.dataclass(frozen=True)
class Sample:
    """The cost of one call.

    :ivar wall: seconds.
    :ivar cpu: seconds of the server's processor time; 0 if it is not known.
    """

    wall: float
    cpu: float = 0.0


def run(
    server: Server, real: Target | None, apis: Sequence[str], rounds: int, calls: int
) -> Iterator[tables.Table]:
    """Measure a server and yield the tables.

    :param real: a real Glance to compare with.
    :param apis: those that the embedded server offers.
    :param calls: shows in a round.
    """
    yield _shows(server, real, apis, rounds, calls)
    yield _pages(server, apis[-1], rounds)
    yield _memory(server)


def _shows(
    server: Server, real: Target | None, apis: Sequence[str], rounds: int, calls: int
) -> tables.Table:
    clients = {f"embedded, {api}": RawSocket(server.target, api) for api in apis}
    if real is not None:
        clients |= {f"real, {api}": RawSocket(real, api) for api in real.apis}
    found: dict[str, list[Sample]] = {name: [] for name in clients}
    for client in clients.values():
        client.show()
    for _ in range(rounds):
        for name, client in clients.items():
            # The CPU of a real server, often of several processes, is not known.
            used = server if name.startswith("embedded") else None
            found[name].append(_sample(client.show, calls, used))
    for client in clients.values():
        client.close()
    lines = []
    for name, samples in found.items():
        rates = _rates(samples)
        beside = name.replace("embedded", "real")
        compared = beside != name and beside in found
        ratio = ratios.ratio(rates, [_rates(found[beside])]) if compared else "-"
        cpu = f"{ratios.spread([one.cpu * 1e3 for one in samples])}" if samples[0].cpu else "-"
        lines.append([name, cpu, f"{ratios.spread(rates).median:.0f}", str(ratio)])
    header = ["server", "server's CPU, ms", "shows a second", "times the real one's"]
    return tables.Table("Show an image over one connection", header, lines)


def _rates(samples: Sequence[Sample]) -> list[float]:
    return [1 / one.wall for one in samples]


def _sample(call: Callable[[], object], calls: int, server: Server | None) -> Sample:
    before = server.usage().cpu if server else 0.0
    begun = time.perf_counter()
    for _ in range(calls):
        call()
    wall = (time.perf_counter() - begun) / calls
    return Sample(wall, (server.usage().cpu - before) / calls if server else 0.0)


def _pages(server: Server, api: str, rounds: int) -> tables.Table:
    lines = []
    with requests.Session() as session:
        session.headers["X-Auth-Token"] = server.target.token
        address = f"{server.target.url}/{api}/images" + ("/detail" if api == "v1" else "")
        for sort in SORTS:
            ids = _ids(session, f"{address}?{sort}")
            for position in sorted({0, len(ids) // 2, max(len(ids) - PAGE, 0)}):
                marker = f"&marker={ids[position - 1]}" if position else ""
                url = f"{address}?{sort}&limit={PAGE}{marker}"
                session.get(url)
                samples = [
                    _sample(lambda url=url: session.get(url), PAGES, server)  # type: ignore[misc]
                    for _ in range(rounds)
                ]
                cells = [
                    str(ratios.spread([figure * 1e3 for figure in figures]))
                    for figures in ([one.cpu for one in samples], [one.wall for one in samples])
                ]
                lines.append([f"{sort or 'default order'}, from {position:,}", *cells])
    header = ["page", "server's CPU, ms", "wall, ms"]
    return tables.Table(f"Pages of {PAGE} of {server.target.images:,} images", header, lines)


def _ids(session: requests.Session, address: str) -> list[str]:
    """Return the ids of all images, in the order of the list."""
    found: list[str] = []
    marker = ""
    while True:
        page = session.get(f"{address}&limit={bodies.LARGEST_PAGE}{marker}").json()["images"]
        found += (image["id"] for image in page)
        if len(page) < bodies.LARGEST_PAGE:
            return found
        marker = f"&marker={found[-1]}"


def _memory(server: Server) -> tables.Table:
    before, now = server.before.resident, server.usage().resident
    each = (now - before) / server.target.images / 1024
    line = ["embedded", f"{before / 2**20:.0f}", f"{now / 2**20:.0f}", f"{each:.2f}"]
    header = ["server", "MiB without images", "MiB after all of this", "KiB an image"]
    return tables.Table(f"Memory with {server.target.images:,} images", header, [line])
