# SPDX-License-Identifier: Apache-2.0
"""A process that is killed during a download leaves the old file or the whole image."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.faults.calls import ACTIVE, DATA, FORMATS

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
#: How many moments are tried, spread over the whole download; and the last lines, among which the
#: file is replaced, are tried one by one.
TIMES = 1000 if LONG else 50
LAST_LINES = 60
CONTENT = DATA * 2
OLD = b"what was there before"

#: For each line of input, a file name and a number, fork a child that downloads the image and
#: kills itself before it executes the line of Python with that number, counted from the beginning
#: of the download, in the library and below it. The number 0 means never. A child that ends prints
#: how many lines it executed. A new process for every kill would cost seconds.
PROGRAM = """
import itertools, os, signal, sys
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from glance_compat import ImageService
url, image_id, folder = sys.argv[1:]
service = ImageService(Session(auth=token_endpoint.Token(url, "t")), endpoint_override=url)
service.discover()

def download(name, fatal):
    lines = itertools.count(1)
    def trace(frame, event, argument):
        if event == "line" and next(lines) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    service.download(None, image_id, dst_path=os.path.join(folder, name))
    sys.settrace(None)
    return next(lines) - 1

for line in sys.stdin:
    name, fatal = line.split()
    child = os.fork()
    if not child:
        os.write(1, b"%d " % download(name, int(fatal)))
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    os.write(1, b"status %d\\n" % status)
"""


@pytest.fixture
def glance() -> Iterator[GlanceFixture]:
    images = [{"id": ACTIVE, "data": CONTENT, **FORMATS}]
    with GlanceFixture(images=images, fault_injection=False) as fixture:
        yield fixture


@pytest.fixture
def downloading(glance: GlanceFixture, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks one download for each line of its input."""
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


def download(process: subprocess.Popen[str], path: Path, fatal: int) -> str:
    """Download to a path, killed before the line with a number; return what the process wrote."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path.name} {fatal}\n")
    process.stdin.flush()
    return process.stdout.readline()


def moments(lines: int) -> list[int]:
    """Return the numbers of the lines before which a download is killed."""
    spread = range(1, lines, max(1, lines // TIMES))
    return sorted({*spread, *range(max(1, lines - LAST_LINES), lines + 1)})


@pytest.mark.slow
def test_killed_download_leaves_old_file_or_whole_image(
    downloading: subprocess.Popen[str], tmp_path: Path
) -> None:
    number, _, status = download(downloading, tmp_path / "undisturbed", 0).partition(" ")
    assert status == "status 0\n"
    assert (tmp_path / "undisturbed").read_bytes() == CONTENT
    seen = {OLD: 0, CONTENT: 0}
    for moment in moments(int(number)):
        path = tmp_path / f"image-{moment}"
        path.write_bytes(OLD)
        # The number of lines varies a little with how the data arrives.
        assert download(downloading, path, moment).endswith(("status 9\n", "status 0\n"))
        content = path.read_bytes()
        assert content in seen, f"{len(content)} bytes are at the path"
        seen[content] += 1
        path.unlink()
    assert seen[OLD], "no process was killed before the file was replaced"
    assert seen[CONTENT], "no process was killed after the file was replaced"
