# SPDX-License-Identifier: Apache-2.0
"""An embedded Glance in a process of its own, which reports what it has used."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks import bodies, targets
from benchmarks.targets import Target


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a server has used since it started.

    :ivar cpu: seconds of processor time, user and system, of all threads.
    :ivar resident: most bytes that the process ever had in memory.
    """

    cpu: float
    resident: int


class Server:
    """A running server.

    :ivar target: where it listens.
    :ivar before: its usage before it had images.
    """

    def __init__(self, process: subprocess.Popen[str], images: int) -> None:
        self._process = process
        self.before = self._read()
        url = self._line().strip()
        self.target = Target(url, bodies.TOKEN, bodies.image_id(0), 0, images)

    def usage(self) -> Usage:
        """Ask for the usage."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Usage:
        return Usage(**json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextlib.contextmanager
def started(release: str, images: int) -> Iterator[Server]:
    """Start a server.

    :param release: as for the fixture.
    :param images: images that it has.
    """
    program = targets.command("embedded-server", "--release", release, "--images", str(images))
    with subprocess.Popen(
        program,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=targets.environment(),
    ) as process:
        yield Server(process, images)


def main(release: str, images: int) -> None:
    """Serve until standard input ends; each line of it is answered with the usage.

    The first line of output is the usage without images, the second the URL.
    """
    from glance_compat.fixture import GlanceFixture

    # As glance-compat serve has it.
    with GlanceFixture(
        release=release, fault_injection=False, fail_on="nothing", recorded_requests=0
    ) as glance:
        _report()
        for number in range(images):
            # Parsed for each image, as in a request: images share no strings.
            properties = json.loads(json.dumps(bodies.PROPERTIES))
            own = {"id": bodies.image_id(number), "name": f"benchmark {number % 1000}"}
            glance.add_image({**bodies.RECORD, **own, "properties": properties, "owner": _OWNER})
        print(glance.url, flush=True)
        for _ in sys.stdin:
            _report()


#: The project of :data:`bodies.TOKEN`.
_OWNER = bodies.TOKEN.split(":")[1]


def _report() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dataclasses.asdict(Usage(time.process_time(), peak))), flush=True)
