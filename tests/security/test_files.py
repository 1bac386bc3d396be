# SPDX-License-Identifier: Apache-2.0
"""Files of downloads, while local users or the process itself change the directory."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glance_compat import ImageService
from glance_compat.streams import target
from tests.security.images import VICTIM_ID, response, service_at, v1_headers
from tests.security.raw_server import Parts, RawServer, Received

DATA = b"data"
NOBODY = 65534


@pytest.fixture
def server() -> Iterator[RawServer]:
    whole = response(v1_headers(VICTIM_ID), DATA)
    with RawServer(lambda received: [whole]) as raw:
        yield raw


def download(server: RawServer, path: str, progress: Callable[[int, int | None], object]) -> None:
    service: ImageService = service_at(server.url, api_version="1")
    service.download(None, VICTIM_ID, dst_path=path, progress=progress)


@pytest.mark.parametrize("name", ["image", "./image", "folder/../image"])
def test_relative_path_is_resolved_at_call(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The working directory changes while the data arrives."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "folder").mkdir(parents=True)
        (folder / "image").write_bytes(b"old")
    monkeypatch.chdir(here)
    download(server, name, lambda done, total: os.chdir(there))
    assert (here / "image").read_bytes() == DATA
    assert (there / "image").read_bytes() == b"old"


def test_parent_of_linked_folder_is_resolved_by_system(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b")
    monkeypatch.chdir(tmp_path)
    download(server, "link/../image", lambda done, total: None)
    assert (tmp_path / "a" / "image").read_bytes() == DATA
    assert not (tmp_path / "image").exists()


def test_fifo_without_a_reader_is_an_error(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "READER_SECONDS", 0.1)
    os.mkfifo(tmp_path / "fifo")
    raised: list[BaseException] = []

    def run() -> None:
        try:
            download(server, str(tmp_path / "fifo"), lambda done, total: None)
        except OSError as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert "No such device or address" in str(raised[0])
    assert server.received == []


class Swap:
    """Replace a path just before it is opened for the first time."""

    def __init__(self) -> None:
        self.path = ""
        self.replace: Callable[[], object] = str
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and self.path and arguments[0] == self.path:
            self.path = ""
            self.replace()


#: One for all tests, because an audit hook cannot be removed.
SWAP = Swap()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_file_that_replaces_a_fifo_is_not_written(
    server: RawServer, tmp_path: Path, kind: str
) -> None:
    fifo, victim = tmp_path / "fifo", tmp_path / "victim"
    os.mkfifo(fifo)
    victim.write_bytes(b"precious")

    def replace() -> None:
        fifo.unlink()
        if kind == "link":
            fifo.symlink_to(victim)
        else:
            os.link(victim, fifo)

    SWAP.replace, SWAP.path = replace, str(fifo)
    with pytest.raises(OSError, match="no longer a device or FIFO"):
        download(server, str(fifo), lambda done, total: None)
    assert SWAP.path == ""
    assert victim.read_bytes() == b"precious"
    assert server.received == []


def test_link_named_like_partial_file_is_not_followed(server: RawServer, tmp_path: Path) -> None:
    """Another user with write access to the folder can guess the name."""
    victim, names = tmp_path / "victim", list[str]()
    victim.write_bytes(b"precious")

    def note(done: int, total: int | None) -> None:
        names.extend(one.name for one in tmp_path.iterdir() if one.name.endswith(".part"))

    download(server, str(tmp_path / "image"), note)
    (tmp_path / names[0]).symlink_to(victim)
    download(server, str(tmp_path / "image"), note)
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "image").read_bytes() == DATA
    assert len(set(names)) == 2


def as_nobody(call: Callable[[], object]) -> int:
    """Run in a child process, as a user without privileges; return its exit status."""
    child = os.fork()
    if not child:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            call()
        except BaseException as error:  # noqa: BLE001 - a child must not return into pytest
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_folder_that_cannot_be_listed_can_be_written() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        if os.getuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o300)
        path = folder / "image"
        assert as_nobody(lambda: target.write_to_path([DATA], str(path))) == 0
        folder.chmod(0o700)
        assert [one.name for one in folder.iterdir()] == ["image"]
        assert path.read_bytes() == DATA
    finally:
        shutil.rmtree(folder)


PROGRAM = """
import sys
from tests.security.images import VICTIM_ID, service_at
url, path = sys.argv[1:]
service_at(url, api_version="1").download(None, VICTIM_ID, dst_path=path)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_partial_file_of_killed_download_is_removed(
    tmp_path: Path, number: signal.Signals
) -> None:
    begun, goes_on = threading.Event(), threading.Event()
    head, _, _ = response(v1_headers(VICTIM_ID), DATA).partition(DATA)

    def answer(received: Received) -> Parts:
        if goes_on.is_set():
            return [head + DATA]
        begun.set()
        return [head + DATA[:2]]

    path = tmp_path / "image"
    with RawServer(answer) as server:
        arguments = [sys.executable, "-W", "ignore", "-c", PROGRAM, server.url, str(path)]
        with subprocess.Popen(arguments) as process:
            assert begun.wait(60)
            process.send_signal(number)
            assert process.wait(60) == -number
        [part] = tmp_path.iterdir()
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        goes_on.set()
        download(server, str(path), lambda done, total: None)
    assert [one.name for one in tmp_path.iterdir()] == ["image"]
    assert path.read_bytes() == DATA


def test_download_beside_another_uses_its_own_partial_file(
    server: RawServer, tmp_path: Path
) -> None:
    """The partial file of a download that is under way is locked, and not removed."""
    path = tmp_path / "image"
    names: list[set[str]] = []

    def list_parts(done: int, total: int | None) -> None:
        names.append({one.name for one in tmp_path.glob(".*.part")})

    def start_another(done: int, total: int | None) -> None:
        list_parts(done, total)
        download(server, str(path), list_parts)
        assert path.read_bytes() == DATA
        list_parts(done, total)

    download(server, str(path), start_another)
    [first, both, after] = names[:3]
    assert first == after
    assert len(first) == 1
    assert first < both
    assert [one.name for one in tmp_path.iterdir()] == ["image"]
