# SPDX-License-Identifier: Apache-2.0
"""hashing: the hash of a second thread is that of hashlib, and the thread always ends."""

from __future__ import annotations

import _thread
import hashlib
import os
import subprocess
import sys
import threading
import typing

import pytest

from glance_compat.exceptions import IntegrityError
from glance_compat.streams.hashing import MOST_BYTES, ThreadedHash, in_thread
from glance_compat.streams.streams import BLOCK_BYTES, Download, Expected, Upload
from tests.cases import in_one_test

DATA = bytes(range(256)) * 16384  # 4 MiB
DIGEST = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.new("md5", DATA, usedforsecurity=False).hexdigest()

needs_processors = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2, reason="a second thread gains nothing on one processor"
)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def hash_threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "glance_compat-hash"]


@in_one_test("size", [100_000, BLOCK_BYTES, MOST_BYTES, MOST_BYTES + 1, len(DATA)])
def test_digest_is_that_of_hashlib(size: int) -> None:
    found = ThreadedHash(hashlib.sha256(b""))
    for block in cut(DATA, size):
        found.update(block)
    assert (found.name, found.hexdigest()) == ("sha256", DIGEST)
    found.close()
    assert found.hexdigest() == DIGEST


def test_hash_continues_with_what_was_hashed_before() -> None:
    found = ThreadedHash(hashlib.sha256(DATA[:100]))
    found.update(DATA[100:1000])
    assert found.hexdigest() == hashlib.sha256(DATA[:1000]).hexdigest()
    found.update(DATA[1000:])
    assert found.hexdigest() == DIGEST
    found.close()


def test_block_that_changes_later_is_hashed_as_it_was() -> None:
    found = ThreadedHash(hashlib.sha256())
    block = bytearray(BLOCK_BYTES)
    for part in cut(DATA, BLOCK_BYTES):
        block[:] = part
        found.update(typing.cast(bytes, block))
    assert found.hexdigest() == DIGEST
    found.close()


class Counting:
    """A hash that records how many bytes had been passed when it hashed a block."""

    name = "counting"

    def __init__(self) -> None:
        self.given = self.hashed = self.most = 0

    def update(self, data: bytes, /) -> None:
        self.most = max(self.most, self.given - self.hashed)
        self.hashed += len(data)

    def hexdigest(self) -> str:
        return str(self.hashed)


@in_one_test("size", [1, 1000, BLOCK_BYTES, MOST_BYTES])
def test_few_bytes_wait_to_be_hashed(size: int) -> None:
    plain = Counting()
    found = ThreadedHash(plain)
    block = bytes(size)
    for _ in range(40):
        found.update(block)
        plain.given += size
    assert found.hexdigest() == str(40 * size)
    assert plain.most <= MOST_BYTES
    found.close()


class Broken(Counting):
    def update(self, data: bytes, /) -> None:
        raise MemoryError("no memory for the hash")


def test_error_of_the_thread_is_raised_to_the_caller() -> None:
    found = ThreadedHash(Broken())
    for block in cut(DATA, BLOCK_BYTES):
        found.update(block)
    with pytest.raises(MemoryError, match="no memory for the hash"):
        found.hexdigest()
    found.close()


def test_thread_of_a_forgotten_hash_ends() -> None:
    before = set(hash_threads())
    found = ThreadedHash(hashlib.sha256())
    found.update(DATA)
    [thread] = set(hash_threads()) - before
    del found
    thread.join(60)
    assert not thread.is_alive()


def test_green_threads_do_not_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    # As eventlet and gevent replace it.
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: pytest.fail("not to be called"))
    plain = hashlib.sha256()
    assert in_thread(plain) is plain


def run(program: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


ONE_PROCESSOR = """
import hashlib, os
from glance_compat.streams.hashing import in_thread
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
plain = hashlib.sha256()
assert in_thread(plain) is plain
"""

FORKED = """
import hashlib, os, signal
from glance_compat.exceptions import Invalid
from glance_compat.streams.hashing import ThreadedHash
from glance_compat.streams.streams import Download, Expected, Upload

blocks = [bytes(256 * 1024)] * 64
md5 = hashlib.md5(b"".join(blocks)).hexdigest()
download = Download(iter(blocks), Expected(None, "md5", md5), lambda: None, image_id="one")
upload = Upload(iter(blocks))
body = iter(upload.body())
for _ in range(8):
    next(download)
for _ in range(32):
    next(body)
assert isinstance(download._hash, ThreadedHash) and isinstance(upload._hash, ThreadedHash)
child = os.fork()
if child:
    assert sum(map(len, download)) == 56 * 256 * 1024
    assert sum(map(len, body)) == 56 * 256 * 1024
    assert upload.digest == md5
    status = os.waitpid(child, 0)[1]
    raise SystemExit(f"child: {status}" if status else 0)
signal.alarm(30)
failed = []
for call in (lambda: list(download), lambda: list(body)):
    try:
        call()
    except Invalid as error:
        failed.append(str(error))
download.close()
del download, upload, body
os._exit(0 if len(failed) == 2 and "forked" in failed[0] else 1)
"""


@pytest.mark.slow
def test_one_processor_needs_no_thread() -> None:
    run(ONE_PROCESSOR)


@pytest.mark.slow
@needs_processors
def test_transfer_fails_in_a_forked_process_and_goes_on_in_its_own() -> None:
    run(FORKED)


def download_of(data: bytes) -> Download:
    blocks = iter(cut(data, BLOCK_BYTES))
    return Download(blocks, Expected(None, "md5", MD5), lambda: None, image_id="one")


@needs_processors
def test_large_transfers_use_a_thread_until_they_end() -> None:
    before = set(hash_threads())
    upload = Upload(iter(cut(DATA, BLOCK_BYTES)))
    for blocks in (download_of(DATA), iter(upload)):
        first = [next(blocks) for _ in range(8)]
        assert len(set(hash_threads()) - before) == 1
        assert b"".join([*first, *blocks]) == DATA
        assert set(hash_threads()) <= before
    assert upload.digest == MD5


@needs_processors
def test_closed_transfers_end_their_threads() -> None:
    before = set(hash_threads())
    download = download_of(DATA)
    blocks = iter(Upload(DATA))
    for one in (download, blocks):
        for _ in range(8):
            next(one)
    assert len(set(hash_threads()) - before) == 2
    download.close()
    typing.cast(typing.Any, blocks).close()
    assert set(hash_threads()) <= before


def test_small_transfers_use_no_thread() -> None:
    before = set(hash_threads())
    blocks = iter(Upload(iter(cut(DATA[:1_000_000], 100_000))))
    for _ in range(9):
        next(blocks)
    assert set(hash_threads()) <= before


@in_one_test("place", [0, 1_000_000, len(DATA) - 1])
def test_damage_is_found_wherever_it_is(place: int) -> None:
    damaged = bytearray(DATA)
    damaged[place] ^= 1
    with pytest.raises(IntegrityError):
        list(download_of(bytes(damaged)))
    sent: list[bytes] = []
    with pytest.raises(IntegrityError):
        sent.extend(Upload(iter(cut(bytes(damaged), BLOCK_BYTES)), checksum=MD5))
    assert len(b"".join(sent)) < len(DATA)


def test_data_that_is_sent_again_is_hashed_again() -> None:
    upload = Upload(DATA)
    blocks = iter(upload)
    for _ in range(8):
        next(blocks)
    assert upload.rewind()
    assert b"".join(upload) == DATA
    assert upload.digest == MD5
