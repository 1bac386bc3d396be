# SPDX-License-Identifier: Apache-2.0
"""Progress of transfers on a terminal, and Ctrl-C during a transfer."""

from __future__ import annotations

import contextlib
import io
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat.cli.app import GlanceCompat
from glance_compat.fixture import GlanceFixture, faults
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, Terminal, sdk_may_warn

pytestmark = sdk_may_warn

DATA = os.urandom(3_000_000)
IMAGE = {"name": "disk", "disk_format": "raw", "container_format": "bare", "data": DATA}


@pytest.fixture(params=["v1", "v2"])
def stored(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance with one API, one image, and faults."""
    with GlanceFixture(apis=(request.param,), images=[IMAGE]) as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(DATA)
    return path


def add_fault(glance: GlanceFixture, fault: faults.Fault) -> None:
    """Inject a fault into the next response with the data of the image."""
    [image_id] = glance.images
    for path in (f"v1/images/{image_id}", f"v2/images/{image_id}/file"):
        glance.faults.add(fault, "GET", path)


def stderr_of(stream: io.StringIO, *argv: str) -> str:
    app = GlanceCompat(stdout=io.StringIO(), stderr=stream)
    assert app.run(list(argv)) == 0
    return stream.getvalue()


def test_transfers_show_progress_on_a_terminal(
    stored: GlanceFixture, disk: Path, tmp_path: Path
) -> None:
    upload = ("create", "new", "--file", str(disk), "--disk-format", "raw", *options(stored))
    shown = stderr_of(Terminal(), *upload)
    assert "Uploading" in shown
    assert "MB" in shown
    download = ("save", "disk", "--file", str(tmp_path / "copy"), *options(stored))
    assert "Downloading" in stderr_of(Terminal(), *download)
    assert (tmp_path / "copy").read_bytes() == DATA


def test_terminal_shows_nothing_of_the_bar_afterwards(stored: GlanceFixture, disk: Path) -> None:
    upload = ("create", "new", "--file", str(disk), "--disk-format", "raw", *options(stored))
    shown = stderr_of(Terminal(), *upload)
    # The last control sequence erases the line; and the cursor was never hidden.
    assert shown.rpartition("\x1b[2K")[2].strip() == ""
    assert "\x1b[?25l" not in shown


@pytest.mark.parametrize(
    ("stream", "argv"), [(io.StringIO, ()), (Terminal, ("--no-progress",)), (Terminal, ("-q",))]
)
def test_no_progress_is_shown(
    stored: GlanceFixture, tmp_path: Path, stream: type[io.StringIO], argv: tuple[str, ...]
) -> None:
    save = ("save", "disk", "--file", str(tmp_path / "copy"), *argv, *options(stored))
    assert stderr_of(stream(), *save) == ""


def test_log_is_written_above_the_bar(stored: GlanceFixture, tmp_path: Path) -> None:
    add_fault(stored, faults.BodyReset(after=1_000_000))
    save = ("save", "disk", "--file", str(tmp_path / "copy"), "-v", *options(stored))
    shown = stderr_of(Terminal(), *save)
    assert (tmp_path / "copy").read_bytes() == DATA
    # The line of the log is whole, and the bar is drawn below it.
    [line] = [one for one in shown.splitlines() if "continues at byte" in one]
    assert line.rpartition("\x1b[2K")[2].startswith("The download of image ")


# ---------------------------------------------------------------------------------------------
# Ctrl-C.


# A shell that starts the tests in the background ignores SIGINT, and child processes inherit that.
_PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from glance_compat.cli import main
sys.exit(main())
"""


class Running:
    """A program whose stderr is a terminal."""

    def __init__(self, environment: dict[str, str], *argv: str) -> None:
        self._terminal, stderr = os.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *argv],
            env={**environment, "TERM": "xterm", "COLUMNS": "60"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        os.close(stderr)
        self._shown = ""

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read_until(self, text: str) -> None:
        """Read stderr until a text appears.

        :raises OSError: the program has ended.
        """
        until = time.monotonic() + PATIENCE
        while text not in self._shown:
            assert time.monotonic() < until, self._shown
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._shown += os.read(self._terminal, 1000).decode(errors="replace")

    def interrupt(self) -> tuple[int, str]:
        """Send SIGINT; return the exit code and the last line on stderr."""
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            self.read_until("nothing")
        self._process.communicate(timeout=PATIENCE)
        os.close(self._terminal)
        return self._process.returncode, self._shown.rpartition("\x1b[2K")[2]


@pytest.mark.slow
def test_interrupted_upload_leaves_no_image(
    stored: GlanceFixture, environment: dict[str, str]
) -> None:
    argv = ("create", "new", "--disk-format", "raw", "--file", "-", *options(stored))
    running = Running(environment, *argv)
    running.send(DATA)
    running.read_until("/? MB")
    assert running.interrupt() == (130, "Interrupted\r\n")
    assert [one.name for one in stored.images.values() if not one.deleted] == ["disk"]


@pytest.mark.slow
def test_interrupted_download_leaves_the_old_file(
    stored: GlanceFixture, environment: dict[str, str], tmp_path: Path
) -> None:
    # stevedore keeps a cache in the home directory, which is tmp_path.
    folder = tmp_path / "images"
    folder.mkdir()
    old = folder / "copy"
    old.write_bytes(b"old")
    add_fault(stored, faults.BodyStalled(after=1_000_000))
    running = Running(environment, "save", "disk", "--file", str(old), *options(stored))
    running.read_until("/3.0 MB")
    assert running.interrupt() == (130, "Interrupted\r\n")
    assert [one.name for one in folder.iterdir()] == ["copy"]
    assert old.read_bytes() == b"old"
