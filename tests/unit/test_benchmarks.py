# SPDX-License-Identifier: Apache-2.0
"""The benchmarks, with tiny sizes and in this process."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from benchmarks import (
    bodies,
    copies,
    definitions,
    delays,
    embedded,
    embedded_server,
    instructions,
    link,
    memory,
    programs,
    ratios,
    rounds,
    tables,
)
from benchmarks.canned_server import CannedServer
from benchmarks.jobs import JOBS
from benchmarks.rounds import Key
from benchmarks.subjects import NO_API, SUBJECTS
from benchmarks.targets import Target
from benchmarks.worker import Sample, jobs_of, timed, traced

IMAGES = 3
SIZE = 64 * 1024

#: The subjects that every installation with the extra ``test`` has.
NAMES = ("md5", "raw-socket", "requests", "requests-close", "keystoneauth1", "glance_compat")


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    server = CannedServer(IMAGES, SIZE)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield Target(server.url, bodies.TOKEN, bodies.image_id(0), SIZE, IMAGES)
    server.close()
    thread.join()


class Local:
    """A subject in this process."""

    def __init__(self, subject: Any) -> None:
        self._subject = subject
        self.jobs: Collection[str] = jobs_of(subject)

    def order(self, job: str, calls: int | str) -> Sample:
        if calls == "memory":
            return traced(self._subject, JOBS[job])
        return timed(self._subject, JOBS[job], int(calls))


@pytest.fixture
def created(target: Target) -> Iterator[Callable[[Key], Any]]:
    """Provide a function that creates subjects; close their connections afterwards."""
    with contextlib.ExitStack() as stack:

        def create(key: Key) -> Any:
            subject = SUBJECTS[key[0]].create(target, key[1])
            stack.callback(getattr(subject, "close", lambda: None))
            return subject

        yield create


@pytest.mark.slow
def test_rounds_make_a_table_for_each_job_and_api(
    target: Target, created: Callable[[Key], Any]
) -> None:
    workers = {key: Local(created(key)) for key in rounds.keys(NAMES, target.apis)}
    made = {table.title: table for table in rounds.run(workers, target, JOBS, 1, calls=1)}
    assert set(made) == {f"{job.title}, {api}" for job in JOBS.values() for api in ("v1", "v2")}
    show = made["Show an image, v1"]
    assert [row[0] for row in show.rows] == [name for name in NAMES if name != "md5"]
    assert show.header[4:] == [
        "wall / requests",
        "CPU / requests",
        "wall / requests-close",
        "CPU / requests-close",
        "wall / keystoneauth1",
        "CPU / keystoneauth1",
    ]
    assert ["requests", "1.00 (1.00-1.00)"] in [[row[0], row[4]] for row in show.rows]
    upload = made["Upload, verified, v2"]
    assert upload.header[4:] == ["wall / md5 or raw-socket", "CPU / md5 or raw-socket"]
    assert [row[0] for row in upload.rows] == ["md5", "raw-socket", "glance_compat"]


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("name", ["requests", "raw-socket", "keystoneauth1", "glance_compat"])
def test_subjects_see_all_images(name: str, api: str, created: Callable[[Key], Any]) -> None:
    images = created((name, api)).list()
    assert [image["id"] for image in images] == [bodies.image_id(n) for n in range(IMAGES)]


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_pages_follow_each_other(api: str) -> None:
    server = CannedServer(bodies.LARGEST_PAGE + 1, 0)
    pages = [server._page(api, b"limit=1000")]
    last = bodies.image_id(bodies.LARGEST_PAGE - 1).encode()
    pages.append(server._page(api, b"limit=1000&marker=" + last))
    assert [page.count(b'"id"') for page in pages] == [bodies.LARGEST_PAGE, 1]
    assert [b'"next"' in page for page in pages] == [api == "v2", False]
    server.close()


def test_memory_is_measured_per_image(target: Target, created: Callable[[Key], Any]) -> None:
    @contextlib.contextmanager
    def start(key: Key) -> Iterator[Local]:
        yield Local(created(key))

    [table] = memory.run(start, ["glance_compat", "md5"], target.speaking(["v2"]), ["list"])
    [[name, _, each, _]] = table.rows
    assert name == "glance_compat"
    assert int(each.replace(",", "")) > 1000


def test_instructions_are_the_difference_of_two_runs() -> None:
    report = "==1== I   refs:      1,234,567\n"
    assert instructions.count_of(report) == 1234567
    counted = instructions.per_call(
        lambda key, job, calls: 8_000_000 + 3_000_000 * calls, ("requests", "v2"), JOBS["show"]
    )
    assert counted == 3_000_000
    assert instructions.per_call(lambda *_: None, ("md5", NO_API), JOBS["show"]) is None
    found = {"requests": 2000.0, "glance_compat": 3000.0}
    table = instructions.table(found, JOBS["list"], "v2", units=10)
    assert table.rows == [["requests", "200", "1.00"], ["glance_compat", "300", "1.50"]]


@pytest.mark.slow
def test_embedded_server_is_measured_beside_another() -> None:
    with embedded_server.started("33", 3) as server:
        real = server.target.speaking(["v2"])
        made = list(embedded.run(server, real, ("v2",), rounds=1, calls=2))
    shows, pages, memory_table = made
    assert [row[0] for row in shows.rows] == ["embedded, v2", "real, v2"]
    [cpu, rate, ratio] = shows.rows[0][1:]
    assert float(cpu.split()[0]) > 0
    assert int(rate) > 1
    assert float(ratio.split()[0]) > 0
    assert shows.rows[1][1::2] == ["-", "-"]
    assert [row[0] for row in pages.rows][:2] == [f"default order, from {n}" for n in (0, 1)]
    assert float(memory_table.rows[0][1]) > 1


@pytest.mark.slow
def test_copies_are_measured_beside_each_half_alone() -> None:
    one, several, many = copies.run(1, 3, 1)
    assert [row[0] for row in one.rows] == ["download", "upload", "copy"]
    assert [row[0] for row in several.rows] == ["1", "4"]
    assert [row[0] for row in many.rows] == ["1", "4"]


@pytest.mark.slow
def test_delays_are_measured_with_and_without_what_hides_them() -> None:
    downloads, lists = delays.run(1, 3, 1)
    assert [row[0] for row in downloads.rows] == ["1", "2", "4", "8"]
    assert [row[0] for row in lists.rows] == ["when it is needed", "ahead"]
    assert float(lists.rows[0][1]) >= link.ROUND_TRIP


def test_checks_of_properties_are_measured() -> None:
    table = definitions.run(10)
    assert [row[0] for row in table.rows] == [*definitions.CASES, "an image with all of them"]
    assert all(float(row[1]) > 0 for row in table.rows)


def test_ratio_uses_slowest_floor_of_each_round() -> None:
    found = ratios.ratio([4, 6, 9], [[1, 2, 3], [2, 1, 1]])
    assert (found.median, found.low, found.high) == (3, 2, 3)
    assert str(found) == "3.00 (2.00-3.00)"


def test_failing_program_is_an_error() -> None:
    assert programs.ran(["-S", "-c", "raise SystemExit(3)"], allowed=(0, 3)).cpu > 0
    with pytest.raises(subprocess.CalledProcessError):
        programs.ran(["-S", "-c", "raise SystemExit(3)"])


def test_tables_are_markdown() -> None:
    text = tables.markdown(tables.Table("Show", ["subject", "ms"], [["requests", "1.5"]]))
    assert text.splitlines() == [
        "### Show",
        "",
        "| subject  |  ms |",
        "| -------- | --: |",
        "| requests | 1.5 |",
    ]
