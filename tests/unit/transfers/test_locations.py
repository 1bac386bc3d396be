# SPDX-License-Identifier: Apache-2.0
"""locations: only files below an allowed folder are read."""

from __future__ import annotations

import dataclasses
import gc
import os
import socket
import threading
from pathlib import Path

import pytest

from glance_compat.options import Options
from glance_compat.streams.streams import BLOCK_BYTES
from glance_compat.transfers.locations import Location, read_file
from glance_compat.urls import file_path_of, scheme_of

DATA = b"what a disk holds" * 1000
SECRET = b"not for you"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Create an allowed folder with a file, next to files that must not be read."""
    found = tmp_path / "images"
    (found / "inner").mkdir(parents=True)
    (found / "image").write_bytes(DATA)
    (found / "inner" / "image").write_bytes(DATA)
    # A file whose name contains a literal percent sequence.
    for name in ("%69mage", "image%00", "inner%2Fimage", "..%2Fsecret"):
        (found / name).write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "images2").mkdir()
    (tmp_path / "images2" / "image").write_bytes(SECRET)
    return found


def location(url: str, *entries: str | Path) -> Location:
    """Return the argument of the handler; folders become entries."""
    return Location(
        url=url,
        metadata={},
        image_id="1",
        size=len(DATA),
        entries=[one.as_uri() if isinstance(one, Path) else one for one in entries],
    )


def read(url: str, *entries: str | Path) -> bytes:
    return b"".join(read_file(location(url, *entries)))


@pytest.fixture(scope="module", autouse=True)
def no_garbage() -> None:
    """Close the connections of earlier tests, which would otherwise close during a count."""
    gc.collect()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    "url",
    [
        "file://{folder}/image",
        "file://localhost{folder}/image",
        "FILE://{folder}/image",
        "file://{folder}/inner/image",
    ],
)
@pytest.mark.parametrize("end", ["", "/"])
def test_file_in_allowed_folder_is_read(folder: Path, url: str, end: str) -> None:
    before = open_files()
    assert read(url.format(folder=folder), folder.as_uri() + end) == DATA
    assert open_files() == before


def test_file_in_any_allowed_folder_is_read(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "images2"
    assert read(f"file://{other}/image", folder, other) == SECRET
    assert read(f"file://{folder}/image", folder, other) == DATA


@pytest.mark.parametrize(
    "name", ["a b", "ü", "a;b", "a\\b", "a:b@c", "...", "\uff0e\uff0e", "-rf", "~"]
)
def test_path_characters_are_literal(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"literally " + name.encode())
    assert read(f"file://{folder}/{name}", folder) == b"literally " + name.encode()


#: Locations that are not files below the folder. ``{0}`` is the folder's path.
HOSTILE = (
    "",
    "file",
    "file:",
    "file://",
    "file:///",
    "file:///etc/passwd",
    "file://{0}",
    "file://{0}/",
    "file://{0}/image/",
    "file://{0}2/image",
    "file://{0}/../secret",
    "file://{0}/inner/../image",
    "file://{0}/inner/../../secret",
    "file://{0}/./image",
    "file://{0}//image",
    "file://{0}/inner//image",
    "file:/{0}/image",
    "file:{0}/image",
    "file:////{0}/image",
    "file://./{0}/image",
    "file://../{0}/image",
    "file://elsewhere.example{0}/image",
    "file://user:password@localhost{0}/image",
    "file://127.0.0.1{0}/image",
    "file://localhost:80{0}/image",
    "file://localhost.{0}/image",
    "file://{0}/%2e%2e/secret",
    "file://{0}/..%2Fsecret",
    "file://{0}/%2e%2e%2fsecret",
    "file://{0}/inner%2Fimage",
    "file://{0}/%69mage",
    "file://{0}/image%00",
    "file://{0}/image\0",
    "file://{0}/\0/../../secret",
    "file://{0}/image\n",
    "file://{0}/.\n./secret",
    "file://{0}/.\t./secret",
    "file://{0}/.\r./secret",
    "\tfile://{0}/image",
    " file://{0}/image",
    "file://{0}/image?x=y",
    "file://{0}/image#x",
    "file://{0}/..;/secret",
    "file://{0}\\..\\secret",
    "file://{0}/" + "a/" * 5000 + "image",
    "file://{0}/" + "a" * 100_000,
    "file://{0}/missing",
    "file://{0}/image/image",
    "file://{0}/inner",
    "file://{0}/\ud800",
    "http://localhost{0}/image",
    "filesystem://{0}/image",
    "file+x://{0}/image",
    "/{0}/image",
    "{0}/image",
)


@pytest.mark.parametrize("url", HOSTILE, ids=lambda url: ascii(url)[:60])
def test_disallowed_file_location_is_refused(folder: Path, url: str) -> None:
    before = open_files()
    # UnicodeEncodeError is raised for a string that is not a valid path.
    with pytest.raises((OSError, UnicodeEncodeError)):
        read(url.format(folder), folder)
    assert open_files() == before


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("link", "../secret"),
        ("link", "image"),
        ("link", "missing"),
        ("link", "link"),
        ("link", "/etc/passwd"),
        ("link/secret", ".."),
        ("link/image", "inner"),
        ("link/image", "."),
        ("inner/link", "../image"),
        ("inner/link/image", "../inner"),
        ("inner/link/secret", "../.."),
    ],
)
def test_links_are_not_followed(folder: Path, name: str, target: str) -> None:
    before = open_files()
    (folder / name.partition("link")[0] / "link").symlink_to(target)
    with pytest.raises(OSError, match=r".+"):
        read(f"file://{folder}/{name}", folder)
    assert open_files() == before


def test_allowed_folder_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert read(f"file://{tmp_path}/link/image", tmp_path / "link") == DATA
    # If only the outer folder is allowed, the link is not followed.
    with pytest.raises(OSError, match=r".+"):
        read(f"file://{tmp_path}/link/image", tmp_path)
    assert read(f"file://{tmp_path}/link/image", tmp_path, tmp_path / "link") == DATA


def test_missing_folder_is_an_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(f"file://{folder}/missing/image", folder / "missing")
    with pytest.raises(NotADirectoryError):
        read(f"file://{folder}/image/image", folder / "image")


def test_only_regular_files_are_read(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        # The path of a Unix socket has at most 108 bytes.
        listening.bind(os.path.relpath(folder / "socket"))
        for name in ("fifo", "socket", "inner"):
            with pytest.raises(PermissionError, match="not a regular file"):
                read(f"file://{folder}/{name}", folder)
    for name in ("zero", "null", "tty"):
        with pytest.raises(PermissionError, match="not a regular file"):
            read(f"file:///dev/{name}", "file:///dev")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "elsewhere"), [("inner", "images2"), ("image", "secret")], ids=["folder", "file"]
)
def test_concurrently_created_links_are_not_followed(
    folder: Path, tmp_path: Path, name: str, elsewhere: str
) -> None:
    real, link = folder / name, tmp_path / "link"
    link.symlink_to(tmp_path / elsewhere)
    ended = threading.Event()

    def exchange() -> None:
        while not ended.is_set():
            real.rename(tmp_path / "kept")
            link.rename(real)
            real.rename(link)
            (tmp_path / "kept").rename(real)

    url = f"file://{real}/image" if real.is_dir() else f"file://{real}"
    thread = threading.Thread(target=exchange)
    thread.start()
    found = set()
    try:
        for _ in range(10_000):
            try:
                found.add(read(url, folder))
            except OSError as error:
                found.add(type(error).__name__.encode())
    finally:
        ended.set()
        thread.join()
    assert found
    assert SECRET not in found


def test_slow_block_times_out(folder: Path) -> None:
    before = open_files()
    hurried = dataclasses.replace(
        location(f"file://{folder}/image", folder), options=Options(stall_timeout=1e-9)
    )
    with pytest.raises(TimeoutError, match="stall_timeout"):
        next(iter(read_file(hurried)))
    assert open_files() == before


def test_time_of_consumer_does_not_count(folder: Path) -> None:
    (folder / "large").write_bytes(bytes(2 * BLOCK_BYTES))
    patient = dataclasses.replace(
        location(f"file://{folder}/large", folder), options=Options(stall_timeout=0.5)
    )
    blocks = iter(read_file(patient))
    first = next(blocks)
    assert not threading.Event().wait(0.6)
    assert len(first + b"".join(blocks)) == 2 * BLOCK_BYTES


def test_closing_iterator_closes_file(folder: Path) -> None:
    before = open_files()
    blocks = read_file(location(f"file://{folder}/image", folder))
    assert next(iter(blocks))
    assert open_files() == before + 1
    blocks.close()  # type: ignore[attr-defined]
    assert open_files() == before


@pytest.mark.parametrize(
    ("url", "scheme"),
    [("file:///a", "file"), ("RBD://a/b", "rbd"), ("a+b:c", "a+b"), ("", ""), ("none", "none")],
)
def test_scheme_of_extracts_scheme(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


def test_file_path_of_extracts_path() -> None:
    assert file_path_of("file:///a/b") == "/a/b"
    assert file_path_of("file:///") is None
