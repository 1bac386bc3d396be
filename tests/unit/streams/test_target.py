# SPDX-License-Identifier: Apache-2.0
"""destination: what is written is what came, and a path never holds a part of it."""

from __future__ import annotations

import io
import itertools
import os
import stat
import threading
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from glance_compat.exceptions import IntegrityError
from glance_compat.streams import target
from glance_compat.streams.streams import BLOCK_BYTES, Download, Expected

DATA = bytes(range(256)) * 4096  # four blocks


def cut(data: bytes, size: int = BLOCK_BYTES) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def arriving(blocks: Iterable[bytes], error: BaseException) -> Iterator[bytes]:
    """Blocks of a download that fails in the end."""
    yield from blocks
    raise error


class Cancelled(Exception):
    """The caller's own."""


def test_data_is_written_where_a_file_stands() -> None:
    file = io.BytesIO(b"head....")
    file.seek(4)
    target.write_to_file([b"ta", b"il"], file)
    assert file.getvalue() == b"headtail"


class Collecting:
    """A file object of somebody's own: no flush(), and write() gives nothing."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)


def test_a_file_object_needs_write_only() -> None:
    file = Collecting()
    target.write_to_file(cut(DATA), typing.cast("typing.IO[bytes]", file))
    assert b"".join(file.blocks) == DATA


class Slow(io.RawIOBase):
    """A file without a buffer, which takes as many bytes at once as it was given."""

    def __init__(self, *taken: int | None) -> None:
        self._taken = itertools.cycle(taken)
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, block: object) -> int | None:
        data = bytes(typing.cast(bytes, block))
        count = next(self._taken)
        self.data += data[: count or 0]
        return count if count is None else min(count, len(data))


def test_a_file_that_takes_a_part_is_given_the_rest() -> None:
    file = Slow(1, 1000, 7)
    target.write_to_file(cut(DATA[:10_000], 3000), typing.cast("typing.IO[bytes]", file))
    assert file.data == DATA[:10_000]


@pytest.mark.parametrize("taken", [0, None])
def test_a_file_that_takes_nothing_is_an_error(taken: int | None) -> None:
    file = Slow(5, taken)
    with pytest.raises(OSError, match="accepts no more data"):
        target.write_to_file([b"0123456789"], typing.cast("typing.IO[bytes]", file))
    assert file.data == b"01234"


def test_data_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "image"
    with path.open("wb") as file:
        target.write_to_file([b"data"], file)
        assert path.read_bytes() == b"data"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(b"old")
    path.chmod(0o644)
    return path


def left(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "blocks"])
def test_data_is_put_at_a_path(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "image"
    target.write_to_path(cut(data), str(path))
    assert path.read_bytes() == data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert left(path) == ["image"]


def test_an_old_file_is_replaced(old: Path) -> None:
    with old.open("rb") as before:
        target.write_to_path(cut(DATA), str(old))
        assert before.read() == b"old"
    assert old.read_bytes() == DATA
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert left(old) == ["image"]


def test_a_path_may_be_relative(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old.parent)
    target.write_to_path([b"new"], "image")
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize(
    "error", [ConnectionError("cut"), IntegrityError("short"), KeyboardInterrupt(), Cancelled()]
)
@pytest.mark.parametrize("blocks", [[], [b"new"], cut(DATA)], ids=len)
def test_an_old_file_survives_every_failure(
    old: Path, blocks: list[bytes], error: BaseException
) -> None:
    with pytest.raises(type(error)):
        target.write_to_path(arriving(blocks, error), str(old))
    assert old.read_bytes() == b"old"
    assert stat.S_IMODE(old.stat().st_mode) == 0o644
    assert left(old) == ["image"]


def test_nothing_is_left_of_a_failure_without_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / "image"
    download = Download(iter([b"a"]), Expected(2), bool, image_id="8f6a")
    with pytest.raises(IntegrityError):
        target.write_to_path(download, str(path))
    assert left(path) == []


def test_the_path_never_holds_a_part(old: Path) -> None:
    def looking() -> Iterator[bytes]:
        for block in cut(DATA):
            yield block
            assert old.read_bytes() == b"old"
            [part] = [name for name in left(old) if name != "image"]
            assert stat.S_IMODE((old.parent / part).stat().st_mode) == 0o600

    target.write_to_path(looking(), str(old))
    assert old.read_bytes() == DATA


def test_a_file_that_comes_in_between_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "image"

    def racing() -> Iterator[bytes]:
        yield b"new"
        path.write_bytes(b"other")

    target.write_to_path(racing(), str(path))
    assert path.read_bytes() == b"new"


def test_a_symbolic_link_is_replaced_not_followed(tmp_path: Path) -> None:
    old, link = tmp_path / "target", tmp_path / "image"
    old.write_bytes(b"old")
    link.symlink_to(old)
    target.write_to_path([b"new"], str(link))
    assert old.read_bytes() == b"old"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


def test_a_link_to_nothing_is_replaced_not_followed(tmp_path: Path) -> None:
    old, link = tmp_path / "target", tmp_path / "image"
    link.symlink_to(old)
    target.write_to_path([b"new"], str(link))
    assert not old.exists()
    assert link.read_bytes() == b"new"


@pytest.mark.parametrize("linked", [False, True])
def test_a_fifo_is_written_in_place(tmp_path: Path, linked: bool) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = tmp_path / "link" if linked else fifo
    if linked:
        path.symlink_to(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    target.write_to_path(cut(DATA), str(path))
    reader.join()
    assert read == [DATA]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert path.is_symlink() is linked


def test_a_device_is_written_in_place() -> None:
    target.write_to_path(cut(DATA), os.devnull)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_folder_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        target.write_to_path([b"new"], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["missing/image", "file/image"])
def test_a_path_in_no_folder_cannot_be_written(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        target.write_to_path([b"new"], str(tmp_path / path))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 85])
def test_a_long_name_can_be_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    target.write_to_path([b"new"], str(path))
    assert path.read_bytes() == b"new"
