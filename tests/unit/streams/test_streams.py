# SPDX-License-Identifier: Apache-2.0
"""streams: uploads send the caller's data unchanged, and downloads return verified data."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import struct
import threading
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest
import requests
from hypothesis import strategies

from glance_compat.exceptions import (
    DataSourceError,
    ImageUnacceptable,
    IntegrityError,
    Invalid,
)
from glance_compat.streams import streams, target
from glance_compat.streams.streams import (
    BLOCK_BYTES,
    CHUNK_BYTES,
    Download,
    Expected,
    Upload,
    verify_format,
)
from tests.cases import in_one_test

DATA = bytes(range(256)) * 4096  # four blocks
MD5 = hashlib.new("md5", DATA, usedforsecurity=False).hexdigest()


def md5_of(data: bytes) -> str:
    return hashlib.new("md5", data, usedforsecurity=False).hexdigest()


def cut(data: bytes, size: int = BLOCK_BYTES) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


class Pipe(io.RawIOBase):
    """Data that can be read only once, with short reads."""

    def __init__(self, data: bytes, at_once: int = 1000) -> None:
        self._blocks = iter(cut(data, at_once))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return next(self._blocks, b"")


class Unreadable(io.BytesIO):
    """A file that fails after its first block."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(size)


def breaking(error: BaseException) -> Iterator[bytes]:
    yield b"first"
    raise error


def pour(blocks: Iterable[bytes], into: bytearray) -> None:
    for block in blocks:
        into += block


def sent(upload: Upload) -> bytes:
    return b"".join(upload.body())


# ---------------------------------------------------------------------------------------------
# Uploads: all types of data.

SOURCES: dict[str, Callable[[bytes], object]] = {
    "bytes": lambda data: data,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "file": io.BytesIO,
    "pipe": Pipe,
    "list": lambda data: cut(data, 1000),
    "tuple": lambda data: tuple(cut(data, 1000)),
    "iterator": lambda data: iter(cut(data, 1000)),
    "generator of memoryviews": lambda data: (memoryview(one) for one in cut(data, 1000)),
    "empty blocks in between": lambda data: itertools.chain(
        [b""], *([one, b""] for one in cut(data, 1000))
    ),
}
MEASURED = {"bytes", "bytearray", "memoryview", "file"}


@in_one_test("kind", SOURCES)
@in_one_test("data", [b"", b"x", DATA], ids=["empty", "one byte", "blocks"])
def test_any_data_is_sent_counted_and_hashed(kind: str, data: bytes) -> None:
    upload = Upload(SOURCES[kind](data))
    assert upload.size == (len(data) if kind in MEASURED else None)
    assert sent(upload) == data
    assert upload.sent == len(data)
    assert upload.digest == md5_of(data)
    assert upload.failure is None


@pytest.mark.parametrize("kind", SOURCES)
def test_correct_declared_size_is_accepted(kind: str) -> None:
    upload = Upload(SOURCES[kind](DATA), size=len(DATA), checksum=MD5)
    body = upload.body()
    assert isinstance(body, typing.Sized)
    assert len(body) == len(DATA)
    assert b"".join(body) == DATA


@in_one_test("kind", sorted(MEASURED))
@in_one_test("size", [0, len(DATA) - 1, len(DATA) + 1])
def test_wrong_declared_size_is_refused_immediately(kind: str, size: int) -> None:
    with pytest.raises(DataSourceError, match=f"{len(DATA)} bytes, but size declares {size};"):
        Upload(SOURCES[kind](DATA), size=size)


@in_one_test("kind", sorted(SOURCES.keys() - MEASURED))
@in_one_test(
    ("size", "words"),
    [(0, "longer"), (len(DATA) - 1, "longer"), (len(DATA) + 1, "ended after"), (1, "longer")],
)
def test_wrong_size_of_stream_fails_before_last_block(kind: str, size: int, words: str) -> None:
    upload = Upload(SOURCES[kind](DATA), size=size)
    given = bytearray()
    with pytest.raises(DataSourceError, match=words) as caught:
        pour(upload, given)
    assert len(given) < len(DATA)
    assert len(given) <= size
    assert upload.failure is caught.value


@in_one_test("kind", SOURCES)
@in_one_test("data", [b"", b"x", DATA], ids=["empty", "one byte", "blocks"])
def test_wrong_checksum_fails_before_last_block(kind: str, data: bytes) -> None:
    upload = Upload(SOURCES[kind](data), checksum=md5_of(b"other"))
    given = bytearray()
    with pytest.raises(IntegrityError, match="MD5") as caught:
        pour(upload, given)
    assert len(given) < len(data) or not data
    assert upload.failure is caught.value


def test_blocks_have_the_configured_size() -> None:
    blocks = list(Upload(io.BytesIO(DATA)))
    assert {len(block) for block in blocks} == {BLOCK_BYTES}


@in_one_test("blocks", [[DATA], cut(DATA), cut(DATA, CHUNK_BYTES + 1), [b"x", DATA, b"y"]])
def test_blocks_of_unknown_number_are_sent_in_small_chunks(blocks: list[bytes]) -> None:
    chunks = list(Upload(iter(blocks)).body())
    assert max(map(len, chunks)) == CHUNK_BYTES
    assert {type(chunk) for chunk in chunks} == {bytes}
    assert b"".join(chunks) == b"".join(blocks)


@in_one_test("kind", SOURCES)
def test_data_is_not_hashed_if_not_requested(kind: str) -> None:
    upload = Upload(SOURCES[kind](DATA), hashed=False)
    assert sent(upload) == DATA
    assert (upload.sent, upload.algorithm, upload.digest) == (len(DATA), None, None)
    assert upload.compare(md5_of(b"other"), "sha512", "0" * 128) is None


def test_declared_checksum_is_compared_even_if_hashing_is_not_requested() -> None:
    upload = Upload(DATA, checksum=md5_of(b"other"), hashed=False)
    with pytest.raises(IntegrityError, match="MD5"):
        sent(upload)


def test_file_is_sent_from_current_position() -> None:
    file = io.BytesIO(b"head" + DATA)
    file.seek(4)
    upload = Upload(file, size=len(DATA))
    assert file.tell() == 4
    assert sent(upload) == DATA


def test_file_positioned_beyond_end_is_empty() -> None:
    file = io.BytesIO(b"short")
    file.seek(100)
    upload = Upload(file)
    assert upload.size == 0
    assert sent(upload) == b""


def test_text_file_is_read_as_bytes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(DATA)
    with path.open(encoding="ascii", newline="") as file:
        upload = Upload(file)
        assert upload.size == len(DATA)
        assert sent(upload) == DATA


def test_pipe_is_sent() -> None:
    reader, writer = os.pipe()

    def fill() -> None:
        with os.fdopen(writer, "wb") as file:
            file.write(DATA)

    thread = threading.Thread(target=fill)
    thread.start()
    with os.fdopen(reader, "rb") as file:
        upload = Upload(file)
        assert upload.size is None
        assert sent(upload) == DATA
        assert not upload.rewind()
    thread.join()


@pytest.mark.parametrize(
    "data",
    ["text", io.StringIO("text"), 5, 1.5, {"a": b"b"}, object(), None],
    ids=lambda data: type(data).__name__,
)
def test_invalid_data_type_is_rejected(data: object) -> None:
    with pytest.raises(Invalid, match="data"):
        Upload(data)


@pytest.mark.parametrize("block", ["text", 5, None, [b"x"]], ids=lambda one: type(one).__name__)
def test_non_bytes_block_is_refused(block: object) -> None:
    upload = Upload(iter([b"first", block, b"last"]))
    with pytest.raises(DataSourceError, match=f"{type(block).__name__}, not bytes"):
        sent(upload)
    assert isinstance(upload.failure, DataSourceError)


class Answering:
    """A file object whose read() returns the passed values."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def read(self, size: int) -> object:
        return next(self._answers, b"")


@pytest.mark.parametrize("answer", ["text", 5, None, ["x"]], ids=lambda one: type(one).__name__)
def test_file_returning_non_bytes_is_refused(answer: object) -> None:
    upload = Upload(Answering(b"first", answer, b"last"))
    with pytest.raises(DataSourceError):
        sent(upload)


def test_non_blocking_pipe_without_data_is_an_error() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"first")
    with os.fdopen(reader, "rb", buffering=0) as file, os.fdopen(writer, "wb"):
        upload = Upload(file)
        with pytest.raises(DataSourceError, match="NoneType"):
            sent(upload)


class Odd:
    """A file object whose seek() returns None, or has no argument whence."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()


class SeekGivesNothing(Odd):
    def seek(self, offset: int, whence: int = 0) -> None:
        self._file.seek(offset, whence)


def test_file_with_seek_returning_none_is_measured() -> None:
    upload = Upload(SeekGivesNothing(DATA))
    assert upload.size == len(DATA)
    assert sent(upload) == DATA
    assert upload.rewind()


def test_file_with_tell_only_is_sent_once() -> None:
    upload = Upload(Odd(DATA))
    assert upload.size is None
    assert sent(upload) == DATA
    assert not upload.rewind()


class SeekKnowsNoEnd(Odd):
    def seek(self, offset: int) -> None:
        self._file.seek(offset)


def test_file_without_seek_end_is_rewound() -> None:
    upload = Upload(SeekKnowsNoEnd(DATA))
    assert upload.size is None
    assert sent(upload) == DATA
    assert upload.rewind()
    assert sent(upload) == DATA


# -- failures


@pytest.mark.parametrize(
    "source",
    [
        lambda: Unreadable(DATA),
        lambda: breaking(OSError("disk")),
        lambda: breaking(ValueError("closed")),
        lambda: breaking(IntegrityError("another cloud's")),
    ],
)
def test_failing_source_raises_data_source_error(source: Callable[[], object]) -> None:
    upload = Upload(source())
    with pytest.raises(DataSourceError, match="could not be read after") as caught:
        sent(upload)
    assert upload.failure is caught.value
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_interrupt_while_reading_data_is_reraised(error: BaseException) -> None:
    upload = Upload(breaking(error))
    with pytest.raises(type(error)):
        sent(upload)
    assert upload.failure is error


def test_closed_file_raises_data_source_error() -> None:
    file = io.BytesIO(DATA)
    upload = Upload(file)
    file.close()
    with pytest.raises(DataSourceError, match="ValueError"):
        sent(upload)


def test_abandoned_transfer_is_not_an_upload_failure() -> None:
    upload = Upload(DATA)
    blocks = iter(upload)
    next(blocks)
    typing.cast("typing.Generator[bytes, None, None]", blocks).close()
    assert upload.failure is None
    assert upload.rewind()


# -- progress


def test_upload_progress_counts_sent_bytes() -> None:
    told: list[tuple[int, int | None]] = []
    upload = Upload(DATA, progress=lambda done, total: told.append((done, total)))
    seen = []
    for block in upload:
        seen.append(len(told))
        assert block
    count = len(DATA) // BLOCK_BYTES
    assert told == [(n * BLOCK_BYTES, len(DATA)) for n in range(1, count + 1)]
    # A block is reported after it was sent, when the next one is requested.
    assert seen == list(range(count))


def test_progress_of_unsized_data_has_no_total() -> None:
    told: list[tuple[int, int | None]] = []
    sent(Upload(Pipe(b"abc", 2), progress=lambda done, total: told.append((done, total))))
    assert told == [(2, None), (3, None)]


class Cancelled(Exception):
    pass


def cancel_after(calls: int, error: BaseException) -> Callable[[int, int | None], None]:
    counted = itertools.count(1)

    def progress(done: int, total: int | None) -> None:
        if next(counted) == calls:
            raise error

    return progress


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_progress_exception_cancels_upload(calls: int) -> None:
    error = Cancelled()
    upload = Upload(DATA, progress=cancel_after(calls, error))
    given: list[bytes] = []
    with pytest.raises(Cancelled):
        given.extend(upload)
    assert len(given) == calls
    assert upload.failure is error


@pytest.mark.parametrize("calls", [1, 4])
def test_stop_iteration_in_progress_fails_upload(calls: int) -> None:
    upload = Upload(DATA, progress=cancel_after(calls, StopIteration()))
    with pytest.raises(RuntimeError, match="StopIteration"):
        sent(upload)
    assert isinstance(upload.failure, RuntimeError)


# -- rewinding


@in_one_test("kind", sorted(MEASURED))
@in_one_test("blocks", [0, 1, 4])
def test_rewound_data_is_resent_completely(kind: str, blocks: int) -> None:
    upload = Upload(SOURCES[kind](DATA), checksum=MD5)
    assert len(list(itertools.islice(upload, blocks))) == blocks
    assert upload.rewind()
    assert upload.sent == 0
    assert sent(upload) == DATA
    assert (upload.sent, upload.digest) == (len(DATA), MD5)


def test_file_is_rewound_to_initial_position() -> None:
    file = io.BytesIO(b"head" + DATA)
    file.seek(4)
    upload = Upload(file)
    assert sent(upload) == DATA
    assert upload.rewind()
    assert file.tell() == 4
    assert sent(upload) == DATA


@pytest.mark.parametrize("kind", sorted(SOURCES.keys() - MEASURED))
def test_unseekable_upload_data_is_sent_once(kind: str) -> None:
    upload = Upload(SOURCES[kind](DATA))
    assert upload.rewind()
    assert sent(upload) == DATA
    assert not upload.rewind()
    with pytest.raises(DataSourceError, match="only once"):
        sent(upload)
    assert isinstance(upload.failure, DataSourceError)


def test_repeated_iteration_resends_all_data() -> None:
    upload = Upload(io.BytesIO(DATA))
    assert sent(upload) == sent(upload) == DATA
    assert upload.sent == len(DATA)


def test_rewind_clears_failure() -> None:
    upload = Upload(DATA, progress=cancel_after(1, Cancelled()))
    with pytest.raises(Cancelled):
        sent(upload)
    assert upload.rewind()
    assert upload.failure is None
    assert sent(upload) == DATA
    assert upload.failure is None


def test_closed_file_cannot_be_rewound() -> None:
    file = io.BytesIO(DATA)
    upload = Upload(file)
    sent(upload)
    file.close()
    assert not upload.rewind()


# -- requests


def prepared(upload: Upload) -> requests.PreparedRequest:
    return requests.Request("PUT", "http://glance.invalid/", data=upload.body()).prepare()


def test_sized_data_is_sent_with_content_length() -> None:
    for upload in (Upload(DATA), Upload(Pipe(DATA), size=len(DATA))):
        request = prepared(upload)
        assert request.headers["Content-Length"] == str(len(DATA))
        assert "Transfer-Encoding" not in request.headers


@pytest.mark.parametrize("source", [b"", Pipe(b""), Pipe(DATA)])
def test_unsized_data_is_sent_in_chunks(source: object) -> None:
    request = prepared(Upload(source))
    assert request.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in request.headers
    assert request.body is not None


@hypothesis.given(
    blocks=strategies.lists(strategies.binary(max_size=5), max_size=6),
    slack=strategies.none() | strategies.integers(-2, 2),
    right=strategies.none() | strategies.booleans(),
)
def test_upload_is_complete_or_fails(
    blocks: list[bytes], slack: int | None, right: bool | None
) -> None:
    data = b"".join(blocks)
    hypothesis.assume(slack is None or len(data) + slack >= 0)
    size = None if slack is None else len(data) + slack
    declared = None if right is None else md5_of(data if right else data + b"x")
    upload = Upload(iter(blocks), size=size, checksum=declared)
    given = bytearray()
    if slack or right is False:
        with pytest.raises((DataSourceError, IntegrityError)):
            pour(upload, given)
        assert given != data or not data
        assert upload.failure is not None
        return
    pour(upload, given)
    assert bytes(given) == data
    assert (upload.sent, upload.digest, upload.failure) == (len(data), md5_of(data), None)


# ---------------------------------------------------------------------------------------------
# Download.


NOTHING_SAID = Expected()


class Connection:
    """The blocks of a response, and a record of the release of the connection."""

    def __init__(self, blocks: Iterable[bytes], error: BaseException | None = None) -> None:
        self.closed = 0
        self.given = 0
        self.blocks = self._arriving(blocks, error)

    def _arriving(self, blocks: Iterable[bytes], error: BaseException | None) -> Iterator[bytes]:
        for block in blocks:
            self.given += 1
            yield block
        if error is not None:
            raise error

    def close(self) -> None:
        self.closed += 1

    def download(
        self, expected: Expected = NOTHING_SAID, progress: streams.Progress | None = None
    ) -> Download:
        return Download(self.blocks, expected, self.close, image_id="8f6a", progress=progress)


ALGORITHMS = sorted(streams.HASHES)


@in_one_test("algorithm", ALGORITHMS)
@in_one_test("data", [b"", b"x", DATA], ids=["empty", "one byte", "blocks"])
def test_matching_download_is_returned(algorithm: str, data: bytes) -> None:
    digest = hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()
    connection = Connection(cut(data))
    download = connection.download(Expected(len(data), algorithm, digest))
    assert b"".join(download) == data
    assert download.received == len(data)
    assert connection.closed == 1
    assert next(download, None) is None


@in_one_test("algorithm", ALGORITHMS)
def test_hash_mismatch_raises_integrity_error(algorithm: str) -> None:
    digest = hashlib.new(algorithm, b"other", usedforsecurity=False).hexdigest()
    connection = Connection(cut(DATA))
    download = connection.download(Expected(len(DATA), algorithm, digest))
    given = bytearray()
    with pytest.raises(IntegrityError, match=f"8f6a.*{algorithm}") as caught:
        pour(download, given)
    assert given == DATA
    assert caught.value.image_id == "8f6a"
    assert connection.closed == 1


@pytest.mark.parametrize("size", [0, 1, len(DATA) - 1, len(DATA) + 1])
def test_size_mismatch_raises_integrity_error(size: int) -> None:
    connection = Connection(cut(DATA))
    longer = f"more than {size} bytes arrived, the size of the image"
    shorter = f"{len(DATA)} bytes were received, but the image has {size};"
    with pytest.raises(IntegrityError, match=longer if size < len(DATA) else shorter):
        list(connection.download(Expected(size)))
    assert connection.closed == 1


@pytest.mark.parametrize(
    "expected",
    [
        Expected(),
        Expected(len(DATA)),
        Expected(algorithm="md5"),
        Expected(algorithm="md4", digest="ab"),
        Expected(algorithm="shake_128", digest="ab"),
        Expected(algorithm="crc32", digest="ab"),
        Expected(digest="ab"),
    ],
)
def test_download_does_not_compare_unknown_values(expected: Expected) -> None:
    assert b"".join(Connection(cut(DATA)).download(expected)) == DATA


def test_connection_error_is_raised_again() -> None:
    error = ConnectionError("cut")
    connection = Connection([b"first"], error)
    download = connection.download(Expected(100))
    assert next(download) == b"first"
    for _ in range(3):
        with pytest.raises(ConnectionError) as caught:
            next(download)
        assert caught.value is error
    assert connection.closed == 1


def test_integrity_error_is_raised_again() -> None:
    download = Connection([b"short"]).download(Expected(100))
    assert next(download) == b"short"
    for _ in range(3):
        with pytest.raises(IntegrityError):
            next(download)


def test_closed_download_reads_no_further_data() -> None:
    connection = Connection(cut(DATA))
    download = connection.download(Expected(len(DATA)))
    next(download)
    download.close()
    assert connection.closed == 1
    # The failure must not look like the end of a complete image.
    with pytest.raises(Invalid, match="closed before its end"):
        next(download)
    assert connection.given == 1


def test_complete_download_can_be_closed() -> None:
    download = Connection(cut(DATA)).download(Expected(len(DATA)))
    assert b"".join(download) == DATA
    download.close()
    assert list(download) == []


def test_context_manager_closes_download() -> None:
    connection = Connection(cut(DATA))
    with connection.download(Expected(len(DATA))) as download:
        assert next(download) == DATA[:BLOCK_BYTES]
        assert connection.closed == 0
    assert connection.closed == 1
    with pytest.raises(KeyError), connection.download() as download:
        raise KeyError("caller's own")
    assert connection.closed == 2


def test_closed_download_raises_failure_again() -> None:
    download = Connection([b"short"]).download(Expected(100))
    with pytest.raises(IntegrityError):
        list(download)
    download.close()
    with pytest.raises(IntegrityError):
        next(download)


def test_download_progress_counts_received_bytes() -> None:
    told: list[tuple[int, int | None]] = []
    connection = Connection([b"ab", b"c"])
    list(connection.download(Expected(3), lambda done, total: told.append((done, total))))
    assert told == [(2, 3), (3, 3)]


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_progress_exception_cancels_download(calls: int) -> None:
    connection = Connection(cut(DATA))
    download = connection.download(Expected(len(DATA)), cancel_after(calls, Cancelled()))
    given: list[bytes] = []
    with pytest.raises(Cancelled):
        given.extend(download)
    assert len(given) == 0 or given == cut(DATA)[: calls - 1]
    assert connection.closed == 1
    with pytest.raises(Cancelled):
        next(download)


@pytest.mark.parametrize("calls", [1, 4])
def test_stop_iteration_in_progress_fails_download(tmp_path: Path, calls: int) -> None:
    connection = Connection(cut(DATA))
    download = connection.download(Expected(len(DATA)), cancel_after(calls, StopIteration()))
    with pytest.raises(RuntimeError, match="StopIteration"):
        target.write_to_path(download, str(tmp_path / "image"))
    assert list(tmp_path.iterdir()) == []
    assert connection.closed == 1


@hypothesis.given(
    blocks=strategies.lists(strategies.binary(max_size=5), max_size=6),
    other=strategies.lists(strategies.binary(max_size=5), max_size=6),
)
def test_download_succeeds_only_with_matching_data(
    blocks: list[bytes], other: list[bytes]
) -> None:
    data, stored = b"".join(blocks), b"".join(other)
    connection = Connection(blocks)
    download = connection.download(Expected(len(stored), "md5", md5_of(stored)))
    if data == stored:
        assert b"".join(download) == data
    else:
        with pytest.raises(IntegrityError):
            list(download)
    assert connection.closed == 1


# ---------------------------------------------------------------------------------------------
# Content.


def qcow2(*, version: int = 3, backing: int = 0, features: int = 0) -> bytes:
    """Return a header as in qemu's docs/interop/qcow2.txt, and an empty cluster."""
    header = struct.pack(
        ">4sIQIIQ", b"QFI\xfb", version, backing, 8 if backing else 0, 16, 1 << 30
    )
    return (header.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(65536, b"\0")


def vmdk(created_as: str = "monolithicSparse", extent: str = "disk.vmdk") -> bytes:
    """Return a sparse extent with an embedded descriptor, as in VMware's specification."""
    header = struct.pack("<4sIIQQQQIQQ", b"KDMV", 1, 3, 2048, 128, 1, 20, 512, 0, 21)
    descriptor = f'# Disk DescriptorFile\nversion=1\ncreateType="{created_as}"\n'
    descriptor += f'RW 2048 SPARSE "{extent}"\nddb.adapterType = "ide"\n'
    return header.ljust(512, b"\0") + descriptor.encode().ljust(20 * 512, b"\0") + bytes(65536)


def vhd() -> bytes:
    footer = b"conectix".ljust(40, b"\0") + struct.pack(">Q", 1 << 20)
    return footer.ljust(65536, b"\0")


def vdi() -> bytes:
    return (bytes(64) + struct.pack("<I", 0xBEDA107F)).ljust(65536, b"\0")


def iso(start: bytes = b"") -> bytes:
    return start.ljust(32768, b"\0") + b"\x01CD001\x01".ljust(2048, b"\0") + bytes(32768)


def partitioned() -> bytes:
    """Return a disk with a master boot record of one partition."""
    entry = struct.pack("<B3BB3BII", 0x80, 0, 2, 0, 0x83, 0, 0, 0, 2048, 4096)
    return (bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa" + bytes(65536)


CONTENTS: dict[str, bytes] = {
    "raw": bytes(range(1, 256)) * 300,
    "qcow2": qcow2(),
    "vmdk": vmdk(),
    "vhd": vhd(),
    "vdi": vdi(),
    "iso": iso(),
}


def inspected(data: bytes, disk_format: str | None, size: int = 1000) -> bytes:
    return b"".join(verify_format(iter(cut(data, size)), disk_format))


@in_one_test("content", CONTENTS)
@in_one_test("disk_format", CONTENTS)
def test_content_must_match_declared_format(content: str, disk_format: str) -> None:
    data = CONTENTS[content]
    if content == disk_format:
        assert inspected(data, disk_format) == data
        assert inspected(data, disk_format, len(data)) == data
        return
    with pytest.raises(ImageUnacceptable, match=f"format is {disk_format}.*content is {content}"):
        inspected(data, disk_format)


def test_verify_format_yields_all_data_before_raising() -> None:
    blocks = verify_format(iter(cut(CONTENTS["qcow2"])), "raw")
    given = bytearray()
    with pytest.raises(ImageUnacceptable):
        pour(blocks, given)
    assert given == CONTENTS["qcow2"]


@in_one_test("disk_format", ["raw", "ami", "ari", "aki"])
@in_one_test("data", [b"", b"x", partitioned()], ids=["empty", "x", "partitioned"])
def test_raw_accepts_unrecognized_content(disk_format: str, data: bytes) -> None:
    assert inspected(data, disk_format) == data


def with_partitions(data: bytes) -> bytes:
    return data[:446] + partitioned()[446:512] + data[512:]


def test_partitioned_content_of_other_format_is_refused() -> None:
    for content in ("qcow2", "vhd", "vdi", "iso"):
        with pytest.raises(ImageUnacceptable, match=f"content is gpt and {content}|{content} and"):
            inspected(with_partitions(CONTENTS[content]), "raw")


def test_ambiguous_content_is_refused() -> None:
    for data, disk_format in (
        (with_partitions(CONTENTS["qcow2"]), "qcow2"),
        (iso(CONTENTS["qcow2"][:1000]), "qcow2"),
        (iso(CONTENTS["qcow2"][:1000]), "iso"),
    ):
        with pytest.raises(ImageUnacceptable, match=" and "):
            inspected(data, disk_format)


def test_hybrid_iso_is_accepted() -> None:
    data = with_partitions(CONTENTS["iso"])
    assert inspected(data, "iso") == data


def test_gpt_format_needs_partition_table() -> None:
    assert inspected(partitioned(), "gpt") == partitioned()
    with pytest.raises(ImageUnacceptable, match="format is gpt, but the content is raw"):
        inspected(CONTENTS["raw"], "gpt")


@pytest.mark.parametrize("size", [1, 7, 512, 65536])
def test_format_is_detected_with_any_block_size(size: int) -> None:
    short = CONTENTS["qcow2"][:2048]
    assert inspected(short, "qcow2", size) == short


@pytest.mark.parametrize(
    ("data", "disk_format"),
    [
        (qcow2(backing=512), "qcow2"),
        (qcow2(version=2, backing=512), "qcow2"),
        (qcow2(features=1 << 2), "qcow2"),
        (qcow2(features=1 << 60), "qcow2"),
        (qcow2(version=1), "qcow2"),
        (vmdk("monolithicFlat"), "vmdk"),
        (vmdk(extent="/etc/shadow"), "vmdk"),
        (b"QED\0".ljust(65536, b"\0"), "qed"),
    ],
    ids=[
        "backing file",
        "backing file of version 2",
        "external data file",
        "unknown feature",
        "version 1",
        "flat extent",
        "extent elsewhere",
        "qed",
    ],
)
def test_unsafe_content_is_refused(data: bytes, disk_format: str) -> None:
    for claimed in (disk_format, "raw"):
        with pytest.raises(ImageUnacceptable):
            inspected(data, claimed)


@pytest.mark.parametrize("disk_format", [None, ""])
def test_data_without_disk_format_is_refused(disk_format: str | None) -> None:
    with pytest.raises(ImageUnacceptable, match="has no disk_format"):
        inspected(CONTENTS["raw"], disk_format)


@pytest.mark.parametrize("disk_format", ["ploop", "root-tar"])
def test_unknown_disk_format_has_any_unknown_data(
    disk_format: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Glance 33 accepts the same ("noise as ploop" of the measured uploads)."""
    assert inspected(CONTENTS["raw"], disk_format) == CONTENTS["raw"]
    assert caplog.messages == [f"Data with disk_format '{disk_format}' cannot be inspected"]
    for content in ("qcow2", "vmdk", "iso"):
        with pytest.raises(ImageUnacceptable, match=f"is {disk_format}.*content is {content}"):
            inspected(CONTENTS[content], disk_format)


BOOT_SECTOR = b"kernel".ljust(510, b"\1") + b"\x55\xaa" + bytes(65536)


@pytest.mark.parametrize("disk_format", ["aki", "ari"])
def test_kernel_may_have_signature_of_boot_record(disk_format: str) -> None:
    assert inspected(BOOT_SECTOR, disk_format) == BOOT_SECTOR


@pytest.mark.parametrize("disk_format", ["raw", "ami"])
def test_disk_with_invalid_boot_record_is_refused(disk_format: str) -> None:
    with pytest.raises(ImageUnacceptable, match="mbr"):
        inspected(BOOT_SECTOR, disk_format)


@pytest.mark.parametrize("disk_format", ["aki", "ari"])
@pytest.mark.parametrize(
    "data",
    [CONTENTS["qcow2"], CONTENTS["vmdk"], CONTENTS["iso"], iso(BOOT_SECTOR[:512])],
    ids=["qcow2", "vmdk", "iso", "bootable iso"],
)
def test_kernel_with_disk_content_is_refused(data: bytes, disk_format: str) -> None:
    with pytest.raises(ImageUnacceptable):
        inspected(data, disk_format)


@pytest.mark.parametrize("disk_format", ["raw", "vmdk", "iso"])
def test_content_crashing_the_inspector_is_refused(disk_format: str) -> None:
    # Text that oslo.utils treats as a malformed VMDK descriptor.
    data = b"#!/bin/sh\n" * 60 + b"\xff" * 100
    with pytest.raises(ImageUnacceptable, match="cannot be inspected"):
        inspected(data, disk_format)


@hypothesis.given(
    content=strategies.sampled_from(sorted(CONTENTS)),
    disk_format=strategies.sampled_from([*CONTENTS, "luks", "vhdx", "gpt"]),
    places=strategies.dictionaries(strategies.integers(0, 600), strategies.integers(0, 255)),
    length=strategies.none() | strategies.integers(0, 4096),
)
def test_any_content_is_returned_completely_or_refused(
    content: str, disk_format: str, places: dict[int, int], length: int | None
) -> None:
    data = bytearray(CONTENTS[content])
    for place, value in places.items():
        data[place] = value
    data = data[:length]
    with contextlib.suppress(ImageUnacceptable):
        assert inspected(bytes(data), disk_format, 4096) == data


def test_truncated_header_is_refused() -> None:
    with pytest.raises(ImageUnacceptable):
        inspected(CONTENTS["qcow2"][:100], "qcow2")


def test_connection_error_passes_unchanged() -> None:
    connection = Connection(cut(CONTENTS["qcow2"]), ConnectionError("cut"))
    with pytest.raises(ConnectionError):
        list(verify_format(connection.blocks, "qcow2"))


def test_checksum_comparison_ignores_case() -> None:
    digest = hashlib.md5(b"data", usedforsecurity=False).hexdigest().upper()
    expected = Expected(4, "md5", digest)
    assert list(Download(iter([b"data"]), expected, bool, image_id="8f6a")) == [b"data"]
    assert list(Upload(b"data", checksum=digest)) == [b"data"]
