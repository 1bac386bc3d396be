# SPDX-License-Identifier: Apache-2.0
"""target: downloads are written unchanged, and a path never has partial data."""

from __future__ import annotations

import errno
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
    """Yield the blocks of a download, and then raise an error."""
    yield from blocks
    raise error


class Cancelled(Exception):
    """An exception of the caller."""


def test_data_is_written_at_current_position() -> None:
    file = io.BytesIO(b"head....")
    file.seek(4)
    target.write_to_file([b"ta", b"il"], file)
    assert file.getvalue() == b"headtail"


class Collecting:
    """A file object without flush(), whose write() returns None."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []

    def write(self, block: bytes) -> None:
        self.blocks.append(block)


def test_file_object_needs_only_write() -> None:
    file = Collecting()
    target.write_to_file(cut(DATA), typing.cast("typing.IO[bytes]", file))
    assert b"".join(file.blocks) == DATA


class Slow(io.RawIOBase):
    """An unbuffered file that accepts a limited number of bytes per write."""

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


def test_partial_writes_are_continued() -> None:
    file = Slow(1, 1000, 7)
    target.write_to_file(cut(DATA[:10_000], 3000), typing.cast("typing.IO[bytes]", file))
    assert file.data == DATA[:10_000]


@pytest.mark.parametrize("taken", [0, None])
def test_write_without_progress_is_an_error(taken: int | None) -> None:
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
def test_data_is_written_to_path(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "image"
    target.write_to_path(cut(data), str(path))
    assert path.read_bytes() == data
    assert left(path) == ["image"]


def test_existing_file_is_replaced(old: Path) -> None:
    with old.open("rb") as before:
        target.write_to_path(cut(DATA), str(old))
        assert before.read() == b"old"
    assert old.read_bytes() == DATA
    assert left(old) == ["image"]


def test_relative_path_is_accepted(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(old.parent)
    target.write_to_path([b"new"], "image")
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize(
    "error", [ConnectionError("cut"), IntegrityError("short"), KeyboardInterrupt(), Cancelled()]
)
@pytest.mark.parametrize("blocks", [[], [b"new"], cut(DATA)], ids=len)
def test_existing_file_survives_failure(
    old: Path, blocks: list[bytes], error: BaseException
) -> None:
    with pytest.raises(type(error)):
        target.write_to_path(arriving(blocks, error), str(old))
    assert old.read_bytes() == b"old"
    assert stat.S_IMODE(old.stat().st_mode) == 0o644
    assert left(old) == ["image"]


def test_failed_download_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "image"
    download = Download(iter([b"a"]), Expected(2), bool, image_id="8f6a")
    with pytest.raises(IntegrityError):
        target.write_to_path(download, str(path))
    assert left(path) == []


def test_path_never_holds_partial_data(old: Path) -> None:
    def looking() -> Iterator[bytes]:
        for block in cut(DATA):
            yield block
            assert old.read_bytes() == b"old"
            [part] = [name for name in left(old) if name != "image"]
            assert stat.S_IMODE((old.parent / part).stat().st_mode) == 0o600

    target.write_to_path(looking(), str(old))
    assert old.read_bytes() == DATA


def test_file_created_meanwhile_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "image"

    def racing() -> Iterator[bytes]:
        yield b"new"
        path.write_bytes(b"other")

    target.write_to_path(racing(), str(path))
    assert path.read_bytes() == b"new"


def test_symbolic_link_is_replaced(tmp_path: Path) -> None:
    old, link = tmp_path / "target", tmp_path / "image"
    old.write_bytes(b"old")
    link.symlink_to(old)
    target.write_to_path([b"new"], str(link))
    assert old.read_bytes() == b"old"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


def test_dangling_link_is_replaced(tmp_path: Path) -> None:
    old, link = tmp_path / "target", tmp_path / "image"
    link.symlink_to(old)
    target.write_to_path([b"new"], str(link))
    assert not old.exists()
    assert link.read_bytes() == b"new"


@pytest.mark.parametrize("linked", [False, True])
def test_fifo_is_written_in_place(tmp_path: Path, linked: bool) -> None:
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


def test_device_is_written_in_place() -> None:
    target.write_to_path(cut(DATA), os.devnull)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        target.write_to_path([b"new"], str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["missing/image", "file/image"])
def test_path_without_parent_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
        target.write_to_path([b"new"], str(tmp_path / path))
    assert caught.value.filename == str(tmp_path / path)
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 85])
def test_long_file_name_is_accepted(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    target.write_to_path([b"new"], str(path))
    assert path.read_bytes() == b"new"


# ---------------------------------------------------------------------------------------------
# The partial file.


def parts(folder: Path) -> list[str]:
    return [name for name in sorted(os.listdir(folder)) if name.endswith(".part")]


def test_partial_file_name_depends_on_path_and_source(tmp_path: Path) -> None:
    names: list[str] = []

    def blocks() -> Iterator[bytes]:
        names.extend(parts(tmp_path))
        yield b"new"

    for name, source in (("a", "one"), ("a", "one"), ("a", "two"), ("b", "one")):
        target.write_to_path(blocks(), str(tmp_path / name), source)
    assert [name.split(".")[1] for name in names] == ["a", "a", "a", "b"]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_concurrent_downloads_use_separate_partial_files(tmp_path: Path) -> None:
    path = tmp_path / "image"

    def inner() -> Iterator[bytes]:
        yield b"inner"
        assert len(parts(tmp_path)) == 2

    def outer() -> Iterator[bytes]:
        yield b"outer"
        [mine] = parts(tmp_path)
        target.write_to_path(inner(), str(path), "source")
        assert path.read_bytes() == b"inner"
        assert parts(tmp_path) == [mine]

    target.write_to_path(outer(), str(path), "source")
    assert path.read_bytes() == b"outer"
    assert left(path) == ["image"]


def abandon(path: Path) -> Path:
    """Create a partial file like one that a killed process left."""
    found: list[str] = []

    def blocks() -> Iterator[bytes]:
        found.extend(parts(path.parent))
        yield b"new"

    target.write_to_path(blocks(), str(path), "source")
    path.unlink()
    part = path.parent / found[0]
    part.write_bytes(b"abandoned")
    return part


def test_abandoned_partial_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "image"
    abandon(path)
    with pytest.raises(Cancelled):
        target.write_to_path(arriving([b"new"], Cancelled()), str(path), "source")
    assert left(path) == []


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_irregular_partial_file_is_not_used(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "image", tmp_path / "other"
    other.write_bytes(b"other")
    part = abandon(path)
    part.unlink()
    if kind == "link":
        part.symlink_to(other)
    elif kind == "folder":
        part.mkdir()
    else:
        os.mkfifo(part)
    target.write_to_path([b"new"], str(path), "source")
    assert path.read_bytes() == b"new"
    assert other.read_bytes() == b"other"
    assert left(path) == sorted([part.name, "image", "other"])


def test_partial_file_of_another_download_is_not_removed(tmp_path: Path) -> None:
    """Another file with the same name replaces the partial file during the download."""
    path = tmp_path / "image"

    def blocks() -> Iterator[bytes]:
        yield b"new"
        [part] = parts(tmp_path)
        (tmp_path / part).unlink()
        (tmp_path / part).write_bytes(b"of another download")
        raise Cancelled

    with pytest.raises(Cancelled):
        target.write_to_path(blocks(), str(path))
    [part] = left(path)
    assert (tmp_path / part).read_bytes() == b"of another download"


@pytest.mark.parametrize("reason", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_folder_that_cannot_be_synced_is_no_error(
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reason: int,
) -> None:
    """CIFS and some FUSE file systems cannot sync a folder; the file is complete anyway."""
    monkeypatch.setattr(os, "fsync", refuse_folders(reason))
    with caplog.at_level("DEBUG", "glance_compat.streams.target"):
        target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"new"
    assert caplog.messages == [f"Cannot sync folder {old.parent}: {os.strerror(reason)}"]


@pytest.mark.parametrize("reason", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_folder_that_fails_to_sync_is_an_error(
    old: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    monkeypatch.setattr(os, "fsync", refuse_folders(reason))
    with pytest.raises(OSError, match=os.strerror(reason)):
        target.write_to_path([b"new"], str(old))


def refuse_folders(reason: int) -> typing.Callable[[int], None]:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(reason, os.strerror(reason))
        fsync(descriptor)

    return refuse


# The permissions of the new file.


def failing(reason: int) -> typing.Callable[..., typing.NoReturn]:
    def fail(*_: object, **__: object) -> typing.NoReturn:
        raise OSError(reason, os.strerror(reason))

    return fail


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o077, 0o002, 0])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_new_file_has_mode_of_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "image"
    target.write_to_path([b"new"], str(path))
    assert mode_of(path) == 0o666 & ~umask


def test_new_file_has_mode_of_umask_without_proc(
    tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "_STATUS", str(tmp_path / "missing"))
    path = tmp_path / "image"
    target.write_to_path([b"new"], str(path))
    assert mode_of(path) == 0o666 & ~umask
    assert left(path) == ["image"]


@pytest.mark.parametrize("status", ["", "Name:\tpython\n", "Umask:\n", "Umask:\tnone\n"])
def test_unreadable_umask_is_derived_from_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    file = tmp_path / "status"
    file.write_text(status)
    monkeypatch.setattr(target, "_STATUS", str(file))
    path, usual = tmp_path / "image", tmp_path / "usual"
    usual.touch()
    target.write_to_path([b"new"], str(path))
    assert mode_of(path) == mode_of(usual)


def test_umask_of_process_is_never_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """os.umask() would change it for the other threads for a moment."""
    monkeypatch.setattr(os, "umask", failing(errno.EPERM))
    target.write_to_path([b"new"], str(tmp_path / "image"))
    monkeypatch.setattr(target, "_STATUS", str(tmp_path / "missing"))
    target.write_to_path([b"new"], str(tmp_path / "other"))


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o640, 0o664, 0o444])
def test_replaced_file_keeps_its_mode(old: Path, mode: int) -> None:
    old.chmod(mode)
    target.write_to_path([b"new"], str(old))
    assert mode_of(old) == mode


@pytest.mark.parametrize("bit", [stat.S_ISUID, stat.S_ISGID, stat.S_ISVTX])
def test_new_data_has_no_setuid_setgid_and_sticky(old: Path, bit: int) -> None:
    old.chmod(0o755 | bit)
    target.write_to_path([b"new"], str(old))
    assert mode_of(old) == 0o755


def test_replaced_link_has_mode_of_its_file(old: Path) -> None:
    old.chmod(0o640)
    link = old.with_name("link")
    link.symlink_to(old)
    target.write_to_path([b"new"], str(link))
    assert not link.is_symlink()
    assert mode_of(link) == 0o640


def test_file_that_appears_meanwhile_determines_mode(tmp_path: Path) -> None:
    path = tmp_path / "image"

    def racing() -> Iterator[bytes]:
        yield b"new"
        path.touch(0o600)

    target.write_to_path(racing(), str(path))
    assert mode_of(path) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0])
@pytest.mark.parametrize("exists", [False, True])
def test_mode_of_option_is_exact(tmp_path: Path, umask: int, mode: int, exists: bool) -> None:
    path = tmp_path / "image"
    if exists:
        path.touch(0o755)
    target.write_to_path([b"new"], str(path), mode=mode)
    assert mode_of(path) == mode


def test_mode_of_option_does_not_apply_to_devices() -> None:
    before = Path(os.devnull).stat().st_mode
    target.write_to_path([b"new"], os.devnull, mode=0o600)
    assert Path(os.devnull).stat().st_mode == before


@pytest.mark.parametrize(
    "reason", [errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS]
)
def test_file_system_without_modes_is_not_an_error(
    old: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    reason: int,
) -> None:
    """On vfat, all files have the mode of the mount."""
    monkeypatch.setattr(os, "fchmod", failing(reason))
    with caplog.at_level("DEBUG", "glance_compat.streams.target"):
        target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"new"
    [message] = caplog.messages
    assert message.startswith("Cannot set mode 0644 of ")
    assert message.endswith(os.strerror(reason))


def test_mode_that_cannot_be_set_is_an_error(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fchmod", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"old"
    assert left(old) == ["image"]


# Other errors of the file system.


@pytest.mark.parametrize("reason", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_file_system_without_sync_is_not_an_error(
    old: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    """Some FUSE file systems cannot sync files either."""
    monkeypatch.setattr(os, "fsync", failing(reason))
    target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"new"


@pytest.mark.parametrize("reason", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_file_that_fails_to_sync_is_an_error(
    old: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    monkeypatch.setattr(os, "fsync", failing(reason))
    with pytest.raises(OSError, match=os.strerror(reason)):
        target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"old"
    assert left(old) == ["image"]


@pytest.mark.parametrize("reason", [errno.EACCES, errno.EROFS, errno.EIO, errno.ENOENT])
def test_download_error_is_raised_if_part_cannot_be_removed(
    old: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reason: int
) -> None:
    """The caller gets the error of the download, not that of the removal."""
    monkeypatch.setattr(os, "unlink", failing(reason))
    with pytest.raises(IntegrityError, match="short"):
        target.write_to_path(arriving([b"new"], IntegrityError("short")), str(old))
    assert old.read_bytes() == b"old"
    [message] = caplog.messages
    assert message.startswith("Cannot remove partial download")
    assert message.endswith(os.strerror(reason))


@pytest.mark.parametrize("reason", [errno.EMFILE, errno.ENFILE, errno.EIO])
def test_folder_that_cannot_be_opened_is_not_an_error(
    old: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    usual = os.open

    def refuse(path: str, flags: int, *rest: int) -> int:
        if os.path.isdir(path):
            raise OSError(reason, os.strerror(reason))
        return usual(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    target.write_to_path([b"new"], str(old))
    assert old.read_bytes() == b"new"
