# SPDX-License-Identifier: Apache-2.0
"""A process that is killed while it downloads leaves the old file or the whole image."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.faults.calls import ACTIVE, DATA, FORMATS

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
TIMES = 1000 if LONG else 50
CONTENT = DATA * 2
OLD = b"what was there before"

#: Downloads again and again, and says so; a new process for every kill would cost seconds.
PROGRAM = """
import os, sys
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from glance_compat import ImageService
url, image_id, folder = sys.argv[1:]
service = ImageService(Session(auth=token_endpoint.Token(url, "t")), endpoint_override=url)
service.discover()
while line := sys.stdin.readline():
    child = os.fork()
    if not child:
        service.download(None, image_id, dst_path=os.path.join(folder, line.strip()))
        os._exit(0)
    print(child, flush=True)
    # Nobody else may get its number before it is killed.
    sys.stdin.readline()
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    images = [{"id": ACTIVE, "data": CONTENT, **FORMATS}]
    with GlanceFixture(images=images, injectable=False) as fixture:
        yield fixture


@pytest.fixture
def downloading(glance: GlanceFixture, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks one download for each line that it is given."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, glance.url, ACTIVE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def test_no_part_of_an_image_is_left_at_the_path(
    downloading: subprocess.Popen[str], tmp_path: Path
) -> None:
    chance = random.Random(7)  # noqa: S311 - moments, not secrets
    undisturbed = _one(downloading, tmp_path / "undisturbed", None)
    assert (tmp_path / "undisturbed").read_bytes() == CONTENT
    seen = {OLD: 0, CONTENT: 0}
    for number in range(TIMES):
        path = tmp_path / f"image-{number}"
        path.write_bytes(OLD)
        _one(downloading, path, chance.uniform(0, 1.2 * undisturbed))
        content = path.read_bytes()
        assert content in seen, f"{len(content)} bytes are at the path"
        seen[content] += 1
        path.unlink()
    assert seen[OLD], "no process was killed before its end"


def _one(process: subprocess.Popen[str], path: Path, moment: float | None) -> float:
    """Let one download begin, and kill it after so many seconds; return how long it took."""
    assert process.stdin is not None
    assert process.stdout is not None
    begun = time.monotonic()
    process.stdin.write(f"{path.name}\n")
    process.stdin.flush()
    child = int(process.stdout.readline())
    if moment is not None:
        _kill(child, begun + moment)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ended\n"
    return time.monotonic() - begun


def _kill(child: int, moment: float) -> None:
    """Kill at a moment, which is what is tested here: no condition can be waited for."""
    while time.monotonic() < moment:
        os.sched_yield()
    os.kill(child, signal.SIGKILL)
