# SPDX-License-Identifier: Apache-2.0
"""Streams of image data: uploads from the caller, downloads to the caller, and their hashes.

What must live here: streams and hashing. What must not: requests (``transport``), what to do when
one fails (``transfers``), and where a download is written (``target``).
"""

from __future__ import annotations

import hashlib
import io
import os
import typing
from collections.abc import Callable, Iterable, Iterator

from oslo_utils.imageutils import format_inspector

from glance_compat import exceptions
from glance_compat.redaction import quote_value

Progress = Callable[[int, "int | None"], object]

#: Bytes to read and send at a time. Larger blocks take more system time on ext4 (measured: up to
#: ten times as much for 1 MiB), smaller ones take more time in Python.
BLOCK_BYTES = 256 * 1024


def _md5() -> hashlib._Hash:
    return hashlib.new("md5", usedforsecurity=False)


def check_progress(progress: object) -> Progress | None:
    """Return the callback for progress, or None.

    :raises glance_compat.exceptions.Invalid: it is not callable.
    """
    if progress is not None and not callable(progress):
        raise exceptions.Invalid(f"progress must be callable, not {type(progress).__name__}")
    return progress


def _report_progress(progress: Progress | None, done: int, total: int | None) -> None:
    if progress is None:
        return
    try:
        progress(done, total)
    except StopIteration as stop:
        # In an iterator it would end the data early, and look like success.
        raise RuntimeError("progress raised StopIteration") from stop


class Upload:
    """The caller's data, read once from its current position, counted and hashed.

    :param data: bytes, a binary file object, or an iterable of bytes. A text file is read
        through its buffer.
    :param size: the size that the caller declares, in bytes, or None.
    :param checksum: the MD5 that the caller declares, hexadecimal, or None. It is compared before
        the last block is sent, so data with another checksum never becomes an image.
    :param progress: called after each block with the bytes sent so far, and the total or None.
    :raises glance_compat.exceptions.Invalid: data has another type.
    :raises glance_compat.exceptions.DataSourceError: data has another size than declared.
    """

    def __init__(
        self,
        data: object,
        *,
        size: int | None = None,
        checksum: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._source = _readable_source(data)
        self._start = _position(self._source)
        self._declared = checksum
        self._progress = progress
        self._hash = _md5()
        #: Whether any data may have been sent since the start or the last rewind.
        self.begun = False
        self.sent = 0
        #: The error of the caller's side, which is raised instead of the one that it caused below.
        self.failure: BaseException | None = None
        measured = _count_remaining(self._source)
        if None not in (size, measured) and size != measured:
            raise exceptions.DataSourceError(
                f"the data has {measured} bytes, but size declares {size}; correct size, or leave"
                " it out"
            )
        self.size = measured if measured is not None else size

    @property
    def checksum(self) -> str:
        """Return the MD5 of the data sent so far, hexadecimal, as Glance has it."""
        return self._hash.hexdigest()

    def body(self) -> Iterable[bytes]:
        """Return the body for requests: with Content-Length if the size is known, or chunked."""
        return self if self.size is None else _Sized(self, self.size)

    def rewind(self) -> bool:
        """Go back to the position where the data started.

        :returns: False if that is not possible, so that the data cannot be sent again.
        """
        if not self.begun:
            return True
        if self._start is None:
            return False
        try:
            typing.cast(typing.IO[bytes], self._source).seek(self._start)
        except _NOT_SEEKABLE:
            return False
        self.begun, self.sent, self._hash = False, 0, _md5()
        self.failure = None
        return True

    def __iter__(self) -> Iterator[bytes]:
        # Sent a second time, data that cannot be rewound would be empty.
        if not self.rewind():
            self.failure = exceptions.DataSourceError(
                "the data must be sent again, but it can be read only once; pass a seekable file"
            )
            raise self.failure
        self.begun = True
        try:
            yield from self._verified_blocks()
        except GeneratorExit:
            raise
        except BaseException as failure:
            self.failure = failure
            raise

    def _verified_blocks(self) -> Iterator[bytes]:
        """Yield the blocks; the last one only after size and checksum were compared."""
        held: bytes | None = None
        for block in self._blocks():
            if held is not None:
                yield held
                _report_progress(self._progress, self.sent, self.size)
            held = block
            self.sent += len(block)
            self._hash.update(block)
            self._check_length(ended=False)
        self._check_length(ended=True)
        if self._declared is not None and self._declared != self.checksum:
            raise exceptions.IntegrityError(
                f"the data has MD5 {self.checksum}, but {quote_value(self._declared)} was declared"
            )
        if held is not None:
            yield held
            _report_progress(self._progress, self.sent, self.size)

    def _blocks(self) -> Iterator[bytes]:
        blocks = iter(self._source) if not hasattr(self._source, "read") else self._read()
        while True:
            try:
                block = next(blocks)
            except StopIteration:
                return
            except Exception as error:
                raise exceptions.DataSourceError(
                    f"the data could not be read after {self.sent} bytes: {type(error).__name__}"
                ) from error
            if not isinstance(block, (bytes, bytearray, memoryview)):
                raise exceptions.DataSourceError(
                    f"the data holds {type(block).__name__}, not bytes"
                )
            if len(block):
                yield bytes(block)

    def _read(self) -> Iterator[bytes]:
        source = typing.cast(typing.IO[bytes], self._source)
        while True:
            block = source.read(BLOCK_BYTES)
            # None is not the end: a non-blocking file has no data yet.
            if block is not None and not len(block):
                return
            yield block

    def _check_length(self, *, ended: bool) -> None:
        if self.size is None or (self.sent <= self.size and not ended) or self.sent == self.size:
            return
        raise exceptions.DataSourceError(
            f"the data ended after {self.sent} bytes of {self.size}"
            if ended
            else f"the data is longer than the {self.size} bytes declared"
        )


class _Sized:
    """An iterable that requests sends with a Content-Length."""

    def __init__(self, blocks: Iterable[bytes], size: int) -> None:
        self._blocks = blocks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        # requests treats a false body as no body; empty data is still data.
        return True

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._blocks)


def _readable_source(data: object) -> Iterable[bytes] | typing.IO[bytes]:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return io.BytesIO(_to_contiguous(data))
    if isinstance(data, io.TextIOBase):
        buffer = getattr(data, "buffer", None)
        if buffer is None:
            raise exceptions.Invalid("data is a text stream; open the file in binary mode")
        return typing.cast(typing.IO[bytes], buffer)
    if callable(getattr(data, "read", None)):
        return typing.cast(typing.IO[bytes], data)
    if isinstance(data, Iterable) and not isinstance(data, (str, dict)):
        return data
    raise exceptions.Invalid(
        f"data must be bytes, a binary file or an iterable of bytes, not {type(data).__name__}"
    )


def _to_contiguous(data: bytes | bytearray | memoryview) -> bytes | bytearray | memoryview:
    """Return data with contiguous bytes, which BytesIO needs; copy it if necessary."""
    try:
        strided = isinstance(data, memoryview) and not data.c_contiguous
        return data.tobytes() if strided and isinstance(data, memoryview) else data
    except ValueError:
        raise exceptions.Invalid("data is a released memoryview; pass one that is not") from None


# A pipe, a closed file, and classes without seek(), or with a seek() without whence.
_NOT_SEEKABLE = (AttributeError, OSError, TypeError, ValueError)


def _position(source: object) -> int | None:
    """Return the position of a seekable file; None for anything else."""
    try:
        return typing.cast(typing.IO[bytes], source).tell()
    except _NOT_SEEKABLE:
        return None


def _count_remaining(source: object) -> int | None:
    """Return the bytes from here to the end of a seekable file; None for anything else."""
    start = _position(source)
    if start is None:
        return None
    file = typing.cast(typing.IO[bytes], source)
    try:
        # seek() of the caller's own class may return None.
        file.seek(0, os.SEEK_END)
        end = file.tell()
        file.seek(start)
    except _NOT_SEEKABLE:
        return None
    return max(0, end - start)


class Expected(typing.NamedTuple):
    """The expected size, in bytes, and digest of a download; None where they are unknown."""

    size: int | None = None
    algorithm: str | None = None
    digest: str | None = None


class Verifier(typing.Protocol):
    """Verifies data in addition to size and hash."""

    def update(self, block: bytes) -> None:
        """Take the next part of the data."""

    def verify(self) -> None:
        """Raise an error of the library if the data is invalid; called after the last part."""


class Download:
    """The data of one image, as an iterator of bytes: what ``download()`` returns.

    The iterator ends only after all of the data has arrived and its size and hash are right. Call
    :meth:`close`, or use ``contextlib.closing``, to stop earlier.

    :ivar received: bytes that have arrived.
    :raises glance_compat.exceptions.IntegrityError: instead of the end, if the data
        has another size or hash.
    """

    def __init__(
        self,
        blocks: Iterator[bytes],
        expected: Expected,
        close: Callable[[], object],
        *,
        image_id: str,
        progress: Progress | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        """Make a download of data that has begun to arrive.

        :param blocks: the bytes as they arrive; it raises the errors of the connection.
        :param expected: compared at the end.
        :param close: releases the connection.
        :param verifier: judges the data after size and hash.
        """
        self._blocks = blocks
        self._expected = expected
        self._close = close
        self._image_id = image_id
        self._progress = progress
        self._verifier = verifier
        self._hash = _create_hash(expected)
        self._failed: BaseException | None = None
        self._ended = False
        self.received = 0

    def __iter__(self) -> Download:
        return self

    def __next__(self) -> bytes:
        # A next() after a failure must not look like the end of a complete image.
        if self._failed is not None:
            raise self._failed
        if self._ended:
            raise StopIteration
        try:
            return self._next()
        except StopIteration:
            self._ended = True
            self.close()
            raise
        except BaseException as failure:
            self._failed = failure
            self.close()
            raise

    def _next(self) -> bytes:
        block = next(self._blocks, None)
        if block is None:
            self._verify()
            raise StopIteration
        self.received += len(block)
        size = self._expected.size
        if size is not None and self.received > size:
            # The rest is neither read nor written.
            self._differ(f"more than {size} bytes arrived, the size of the image")
        if self._hash is not None:
            self._hash.update(block)
        if self._verifier is not None:
            self._verifier.update(block)
        _report_progress(self._progress, self.received, self._expected.size)
        return block

    def _verify(self) -> None:
        size, _, digest = self._expected
        if size is not None and size != self.received:
            self._differ(f"{self.received} bytes were received, but the image has {size}")
        if self._hash is not None and self._hash.hexdigest() != digest:
            self._differ(f"its {self._hash.name} is not that of the image")
        if self._verifier is not None:
            self._verifier.verify()

    def _differ(self, how: str) -> typing.NoReturn:
        raise exceptions.IntegrityError(
            f"the data of image {self._image_id} is damaged: {how}; download it again",
            image_id=self._image_id,
        )

    def close(self) -> None:
        """Release the connection. The rest of the data cannot be read afterwards."""
        if not self._ended and self._failed is None:
            # Like the next() of a closed file.
            self._failed = exceptions.Invalid(
                f"the download of image {self._image_id} was closed before its end",
                image_id=self._image_id,
            )
        self._close()

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: Hash algorithms that Glance may store and that are compared (Glance 33: sha512 by default).
HASHES = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}) | {
    "sha3_224",
    "sha3_256",
    "sha3_384",
    "sha3_512",
    "blake2b",
    "blake2s",
}


def _create_hash(expected: Expected) -> hashlib._Hash | None:
    if expected.digest is None or expected.algorithm not in HASHES:
        return None
    return hashlib.new(expected.algorithm, usedforsecurity=False)


# disk_format to what the inspector may find, where that is not just the format's own name. A
# partition table makes a raw disk, the Amazon formats are raw to everybody, and an ISO image that
# boots from a disk too has a partition table. Any other two formats in one are a disguise.
_RAW = ({"raw"}, {"gpt"})
_CONTENT: typing.Mapping[str, tuple[set[str], ...]] = {
    **dict.fromkeys(("raw", "ami", "ari", "aki"), _RAW),
    "iso": ({"iso"}, {"iso", "gpt"}),
}
_NOT_INSPECTABLE = frozenset({"ploop"})


def verify_format(blocks: Iterator[bytes], disk_format: str | None) -> Iterator[bytes]:
    """Pass data through, and raise an error at its end if it does not have its disk format.

    The inspector is that of oslo.utils, which also refuses backing files and external data files.

    :raises glance_compat.exceptions.ImageUnacceptable: the content has another format, or is
        unsafe.
    """
    inspected = format_inspector.InspectWrapper(typing.cast(typing.IO[bytes], blocks))
    yield from inspected
    if disk_format is None or disk_format in _NOT_INSPECTABLE:
        raise exceptions.ImageUnacceptable(f"disk format {disk_format} cannot be inspected")
    try:
        found = inspected.formats or []
        for inspector in found:
            inspector.safety_check()
    except (format_inspector.ImageFormatError, format_inspector.SafetyCheckFailed) as error:
        raise exceptions.ImageUnacceptable(f"the content is not safe: {error}") from error
    except Exception as error:
        # AttributeError for text like a VMDK descriptor (verified on oslo.utils 10.2).
        raise exceptions.ImageUnacceptable("the content cannot be inspected") from error
    names = {str(one) for one in found}
    if names not in _CONTENT.get(disk_format, ({disk_format},)):
        raise exceptions.ImageUnacceptable(
            f"the disk format is {disk_format}, but the content is {' and '.join(sorted(names))}"
        )
