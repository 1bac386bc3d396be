# SPDX-License-Identifier: Apache-2.0
"""A process that is killed while it copies leaves nothing that a second run does not complete."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from glance_compat import ImageService
from glance_compat.copying import plan, sync
from glance_compat.fixture import GlanceFixture

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
#: How many moments are tried, spread over the whole run.
TIMES = 500 if LONG else 50

FORMATS = {"disk_format": "raw", "container_format": "bare", "owner": "fixture-project"}
IDS = tuple(f"aaaaaaaa-0000-4000-8000-{number:012}" for number in range(3))
DATA = {one: one.encode() * 20_000 for one in IDS}
IMAGES: list[dict[str, Any]] = [
    {"id": IDS[0], "name": "kernel", "data": DATA[IDS[0]], **FORMATS},
    {"id": IDS[1], "name": "machine", "properties": {"kernel_id": IDS[0]}, **FORMATS}
    | {"data": DATA[IDS[1]]},
    {"id": IDS[2], "name": "protected", "protected": True, "data": DATA[IDS[2]], **FORMATS},
]

#: For each line of input, the number of a line of Python, fork a child that copies all images and
#: kills itself before it executes that line, in any thread. The number 0 means never. A child that
#: ends prints how many lines it executed.
PROGRAM = """
import itertools, os, signal, sys, threading
from keystoneauth1 import token_endpoint
from keystoneauth1.session import Session
from glance_compat import ImageService
from glance_compat.copying import plan, sync
class Context:
    auth_token = "token"
    project_id = "fixture-project"

def copy(fatal):
    # Services of the child: a connection that the parent keeps open does not end with the child.
    old, new = [
        ImageService(Session(auth=token_endpoint.Token(url, "token")), endpoint_override=url)
        for url in sys.argv[1:]
    ]
    old.discover(), new.discover()
    lines = itertools.count(1)
    def trace(frame, event, argument):
        if event == "line" and next(lines) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace
    threading.settrace(trace)
    sys.settrace(trace)
    sync(plan(old, new, target_context=Context), workers=2)
    sys.settrace(None)
    return next(lines) - 1

for line in sys.stdin:
    child = os.fork()
    if not child:
        os.write(1, b"%d " % copy(int(line)))
        os._exit(0)
    os.write(1, b"status %d\\n" % os.waitpid(child, 0)[1])
"""


@pytest.fixture
def old() -> Iterator[GlanceFixture]:
    """Provide the cloud with the images."""
    with GlanceFixture(apis=("v2",), images=IMAGES, fault_injection=False) as running:
        yield running


@pytest.fixture(params=["v1", "v2"])
def new(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide the cloud that gets the copies."""
    with GlanceFixture(apis=(request.param,), fault_injection=False) as running:
        yield running


@pytest.fixture
def copying(old: GlanceFixture, new: GlanceFixture) -> Iterator[subprocess.Popen[str]]:
    """A process that forks one run for each line of its input."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, old.url, new.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def copy(process: subprocess.Popen[str], fatal: int) -> str:
    """Copy, killed before the line with a number; return what the process wrote."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{fatal}\n")
    process.stdin.flush()
    return process.stdout.readline()


def wait_for_uploads(glance: GlanceFixture) -> None:
    """Wait until the server has noticed that the process was killed."""
    until = time.monotonic() + 60
    while any(one.status in ("saving", "uploading") for one in glance.images.values()):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_run_after_a_killed_one_completes_it(
    copying: subprocess.Popen[str], old: GlanceFixture, new: GlanceFixture
) -> None:
    number, _, status = copy(copying, 0).partition(" ")
    assert status == "status 0\n"
    service = ImageService(old.session(), endpoint_override=old.url)
    target = ImageService(new.session(), endpoint_override=new.url)
    seen = set()
    lines = int(number)
    for moment in range(1, lines, max(1, lines // TIMES)):
        new.reset()
        assert copy(copying, moment).endswith(("status 9\n", "status 0\n"))
        wait_for_uploads(new)
        copies = {one.id: one for one in new.images.values() if one.status == "active"}
        seen.add(len(copies))
        assert {hashlib.sha256(one.data or b"").digest() for one in copies.values()} <= {
            hashlib.sha256(data).digest() for data in DATA.values()
        }
        assert sync(plan(service, target)).failed == {}, moment
        assert {one.action for one in plan(service, target)} == {"present"}, moment
        active = [one for one in new.images.values() if one.status == "active"]
        found = {str(one.properties["glance_compat_source"]): one for one in active}
        assert len(active) == len(found) == len(IDS), moment
        assert {one: found[one].data for one in IDS} == DATA
        assert found[IDS[1]].properties["kernel_id"] == found[IDS[0]].id
        assert [found[one].protected for one in IDS] == [False, False, True]
    # Some processes were killed before, some after, and some in between.
    assert {0, len(IDS)} < seen
