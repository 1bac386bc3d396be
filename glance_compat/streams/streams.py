# SPDX-License-Identifier: Apache-2.0
"""Streams of image data for uploads and downloads, which count and hash the data.

What must live here: the streams and their verification. What must not: requests (see
``transport``), recovery after a failed transfer (``transfers``), and writing to files
(``target``).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import typing
from collections.abc import Callable, Iterable, Iterator

from glance_compat import exceptions
from glance_compat.redaction import quote_value
from glance_compat.streams.hashing import Hash, ThreadedHash, in_thread

if typing.TYPE_CHECKING:
    from oslo_utils.imageutils.format_inspector import FileInspector

LOG = logging.getLogger(__name__)

Progress = Callable[[int, "int | None"], object]

#: Size of the blocks that are read and sent, in bytes. Larger blocks take more system time on ext4
#: (measured: up to ten times as much for 1 MiB), smaller ones take more time in Python.
BLOCK_BYTES = 256 * 1024

#: Maximum size of a chunk of an upload whose size is unknown, in bytes.
CHUNK_BYTES = 64 * 1024


def is_available(algorithm: str) -> bool:
    """Return whether this host can compute a hash."""
    return _new_hash(algorithm) is not None


def _new_hash(algorithm: str) -> hashlib._Hash | None:
    try:
        return hashlib.new(algorithm, usedforsecurity=False)
    except ValueError:
        return None


#: Whether this host has MD5: not in FIPS mode.
HAS_MD5 = is_available("md5")

#: The hash of uploads on a host without MD5: the default of Glance's ``hashing_algorithm``.
_WITHOUT_MD5 = "sha512"


def _upload_hash() -> hashlib._Hash:
    return _new_hash("md5") or hashlib.new(_WITHOUT_MD5, usedforsecurity=False)


#: Number of bytes of a transfer after which a second thread hashes the rest. For less, starting a
#: thread takes more time than it saves.
THREADED_BYTES = 1024 * 1024


def _updated(found: Hash, block: bytes, count: int) -> Hash:
    """Add a block to the hash of a transfer, and return the hash to use from now on.

    :param count: number of bytes of the transfer so far, including the block.
    """
    if count - len(block) < THREADED_BYTES <= count:
        found = in_thread(found)
    found.update(block)
    return found


def _end_thread(found: Hash | None) -> None:
    if isinstance(found, ThreadedHash):
        found.close()


def check_progress(progress: object) -> Progress | None:
    """Check the argument ``progress``, and return it.

    :raises glance_compat.exceptions.Invalid: progress is neither callable nor None.
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
        # A StopIteration in an iterator would end the data early, without an error.
        raise RuntimeError("progress raised StopIteration") from stop


class Upload:
    """The data of an upload: an iterable that reads, counts and hashes the caller's data.

    :param data: bytes, a binary file object, which is read from its current position, or an
        iterable of bytes. A text file is read through its attribute ``buffer``.
    :param size: the size that the caller declares, in bytes, or None.
    :param checksum: the MD5 checksum that the caller declares, in hexadecimal, or None. It is
        compared before the last block is sent, so data with a different checksum never becomes an
        image. A host without MD5 can compare it only with that of the stored image.
    :param progress: a function that is called after each block with the number of bytes sent so
        far, and with the total or None.
    :param hashed: whether to hash the data. Data with a declared checksum is always hashed.
    :raises glance_compat.exceptions.Invalid: data has an unsupported type.
    :raises glance_compat.exceptions.DataSourceError: the size of the data differs from ``size``.
    """

    def __init__(
        self,
        data: object,
        *,
        size: int | None = None,
        checksum: str | None = None,
        progress: Progress | None = None,
        hashed: bool = True,
    ) -> None:
        self._source = _readable_source(data)
        self._start = _position(self._source)
        self._declared = checksum
        self._progress = progress
        self._is_hashed = hashed or checksum is not None
        self._hash = self._new_hash()
        #: Whether any data may have been sent since the start or the last rewind.
        self.begun = False
        #: Whether the last block may have been sent as well, so that the server may have all data.
        self.ended = False
        self.sent = 0
        #: The exception that the caller's data or callback raised, or None. It is raised to the
        #: caller instead of the exception of the request that it made fail.
        self.failure: BaseException | None = None
        measured = _count_remaining(self._source)
        if None not in (size, measured) and size != measured:
            raise exceptions.DataSourceError(
                f"the data has {measured} bytes, but size declares {size}; correct size, or leave"
                " it out"
            )
        self.size = measured if measured is not None else size

    def _new_hash(self) -> Hash | None:
        return _upload_hash() if self._is_hashed else None

    @property
    def algorithm(self) -> str | None:
        """Return the name of the hash of the data: "md5", or "sha512" on a host without MD5.

        It is None if the data is not hashed.
        """
        return self._hash.name if self._hash else None

    @property
    def digest(self) -> str | None:
        """Return the hash of the data sent so far, in hexadecimal, or None if it is not hashed."""
        return self._hash.hexdigest() if self._hash else None

    @property
    def declares_later(self) -> bool:
        """Return whether the declared checksum must be compared with that of the stored image."""
        return self._declared is not None and self.algorithm != "md5"

    def compare(
        self, checksum: str | None, algorithm: str | None, value: str | None
    ) -> bool | None:
        """Compare the hashes of a stored image with those of the data that was sent.

        :param checksum: the MD5 checksum of the stored image, in hexadecimal, or None.
        :param algorithm: the name of another hash of the image, or None.
        :param value: that hash, in hexadecimal, or None.
        :returns: whether they are equal, or None if there are none of the same algorithm or the
            data was not hashed.
        """
        if checksum and self.algorithm == "md5":
            return checksum.lower() == self.digest
        if checksum and self._declared and checksum.lower() != self._declared.lower():
            return False
        if value and self.algorithm == algorithm:
            return value.lower() == self.digest
        return True if checksum and self._declared else None

    def body(self) -> Iterable[bytes]:
        """Return the request body: sent with Content-Length if the size is known, else chunked."""
        return _Chunked(self) if self.size is None else _Sized(self, self.size)

    def rewind(self) -> bool:
        """Rewind the data to its start position.

        :returns: whether this succeeded, so that the data can be sent again.
        """
        if not self.begun:
            return True
        if self._start is None:
            return False
        try:
            typing.cast(typing.IO[bytes], self._source).seek(self._start)
        except _NOT_SEEKABLE:
            return False
        self.begun, self.ended, self.sent, self._hash = False, False, 0, self._new_hash()
        self.failure = None
        return True

    def __iter__(self) -> Iterator[bytes]:
        # Without a rewind, a second iteration would send no data.
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
        finally:
            _end_thread(self._hash)

    def _verified_blocks(self) -> Iterator[bytes]:
        """Yield the blocks; compare the size and checksum before the last block is yielded."""
        held: bytes | None = None
        for block in self._blocks():
            if held is not None:
                yield held
                _report_progress(self._progress, self.sent, self.size)
            held = block
            self.sent += len(block)
            if self._hash is not None:
                self._hash = _updated(self._hash, block, self.sent)
            self._check_length(ended=False)
        self._check_length(ended=True)
        declared = None if self.declares_later else self._declared
        if declared is not None and declared.lower() != self.digest:
            raise exceptions.IntegrityError(
                f"the data has MD5 {self.digest}, but {quote_value(declared)} was declared"
            )
        self.ended = True
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
            # A non-blocking file returns None if it has no data yet; only b"" is the end.
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


class _Chunked:
    """An iterable without a length, so that requests sends the blocks as chunks.

    urllib3 copies each block to put the length in front of it. Copies of more than 128 KiB are
    slow, because the C library gets the memory for each of them from the system and returns it
    (measured with glibc 2.36: 0.7 ms of CPU for each MiB in blocks of 256 KiB, else 0.2 ms).
    """

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            if len(block) <= CHUNK_BYTES:
                yield block
                continue
            view = memoryview(block)
            for start in range(0, len(view), CHUNK_BYTES):
                yield bytes(view[start : start + CHUNK_BYTES])


class _Sized:
    """An iterable with a length, so that requests sends a Content-Length."""

    def __init__(self, blocks: Iterable[bytes], size: int) -> None:
        self._blocks = blocks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        # requests would omit a false body, but empty data must be sent.
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
    """Return data in contiguous memory, as BytesIO requires; copy it if necessary."""
    try:
        strided = isinstance(data, memoryview) and not data.c_contiguous
        return data.tobytes() if strided and isinstance(data, memoryview) else data
    except ValueError:
        raise exceptions.Invalid("data is a released memoryview; pass one that is not") from None


# Raised by pipes, closed files, and classes that have no seek() or whose seek() has no whence.
_NOT_SEEKABLE = (AttributeError, OSError, TypeError, ValueError)


def _position(source: object) -> int | None:
    """Return the position of a seekable file, or None for any other object."""
    try:
        return typing.cast(typing.IO[bytes], source).tell()
    except _NOT_SEEKABLE:
        return None


def _count_remaining(source: object) -> int | None:
    """Return the number of bytes from the position of a seekable file to its end, or None."""
    start = _position(source)
    if start is None:
        return None
    file = typing.cast(typing.IO[bytes], source)
    try:
        # The return value of seek() is not used, because the caller's class may return None.
        file.seek(0, os.SEEK_END)
        end = file.tell()
        file.seek(start)
    except _NOT_SEEKABLE:
        return None
    return max(0, end - start)


class Expected(typing.NamedTuple):
    """The size and digest that downloaded data must have; None if unknown.

    :param size: the size, in bytes.
    :param algorithm: the name of the hash algorithm, such as "sha512".
    :param digest: the digest, in hexadecimal.
    """

    size: int | None = None
    algorithm: str | None = None
    digest: str | None = None


class Verifier(typing.Protocol):
    """An additional verification of downloaded data, such as that of a signature."""

    def update(self, block: bytes) -> None:
        """Add the next block of the data."""

    def verify(self) -> None:
        """Raise an exception of the library if the data is invalid; called after all blocks."""


class Download:
    """An iterator over the data of one image, as returned by ``download()``.

    The iterator stops only after all data was received and its size and hash were verified. To
    stop earlier, call :meth:`close`, or use the object as a context manager.

    :ivar received: number of bytes received so far.
    :ivar repeatable: whether a new request may get undamaged data.
    :raises glance_compat.exceptions.IntegrityError: raised instead of StopIteration, if the size
        or the hash of the data is wrong.
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
        repeatable: bool = False,
    ) -> None:
        """Create the iterator for an open response.

        :param blocks: an iterator over the data. It raises an exception if the connection fails.
        :param expected: the size and digest that the data must have.
        :param close: a function that releases the connection.
        :param image_id: the id of the image, for messages.
        :param progress: a function that is called after each block with the number of bytes
            received so far, and with the total or None.
        :param verifier: an additional verification, after those of size and hash, or None.
        :param repeatable: whether the data comes over a network, so that a new request may get
            undamaged data.
        """
        self._blocks = blocks
        self._expected = expected
        self._close = close
        self._image_id = image_id
        self._progress = progress
        self._verifier = verifier
        self.repeatable = repeatable
        self._hash = _create_hash(expected)
        self._failed: BaseException | None = None
        self._ended = False
        self.received = 0

    def __iter__(self) -> Download:
        return self

    def __next__(self) -> bytes:
        # After a failure, next() must not raise StopIteration, as if the image were complete.
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
        try:
            block = next(self._blocks, None)
        except exceptions.ImageUnacceptable:
            # Damaged data may have another format, but that is not the reason to report.
            self._verify()
            raise
        if block is None:
            self._verify()
            raise StopIteration
        self.received += len(block)
        size = self._expected.size
        if size is not None and self.received > size:
            # Stop here, and do not read or write the rest.
            self._differ(f"more than {size} bytes arrived, the size of the image")
        if self._hash is not None:
            self._hash = _updated(self._hash, block, self.received)
        if self._verifier is not None:
            self._verifier.update(block)
        _report_progress(self._progress, self.received, self._expected.size)
        return block

    def _verify(self) -> None:
        size, _, digest = self._expected
        if size is not None and size != self.received:
            self._differ(f"{self.received} bytes were received, but the image has {size}")
        if self._hash is not None and digest and self._hash.hexdigest() != digest.lower():
            self._differ(f"its {self._hash.name} does not match the image")
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
            # next() raises an exception from now on, like that of a closed file.
            self._failed = exceptions.Invalid(
                f"the download of image {self._image_id} was closed before its end",
                image_id=self._image_id,
            )
        _end_thread(self._hash)
        self._close()

    def __enter__(self) -> Download:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


#: Hash algorithms of os_hash_algo that are supported (the default of Glance 33 is sha512).
HASHES = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512"}) | {
    "sha3_224",
    "sha3_256",
    "sha3_384",
    "sha3_512",
    "blake2b",
    "blake2s",
}


def _create_hash(expected: Expected) -> Hash | None:
    if expected.digest is None or expected.algorithm not in HASHES:
        return None
    return _new_hash(expected.algorithm)


# The formats that the inspector may find, by disk_format, if it is not just the same name. Raw
# disks may have a partition table; Amazon formats are not distinguishable from raw ones; and an
# ISO image that can also boot from a disk has a partition table. Any other combination of two
# formats is treated as an attack.
_RAW = ({"raw"}, {"gpt"})
_CONTENT: typing.Mapping[str, tuple[set[str], ...]] = {
    **dict.fromkeys(("raw", "ami", "ari", "aki"), _RAW),
    "iso": ({"iso"}, {"iso", "gpt"}),
}
# Kernels and ramdisks. A kernel may have the signature of a master boot record at byte 510 and no
# partitions; Glance 33 accepts that too (set_data in glance/location.py).
_KERNELS = frozenset({"aki", "ari"})


def verify_format(blocks: Iterator[bytes], disk_format: str | None) -> Iterator[bytes]:
    """Yield the blocks, and raise an exception at the end if their format is not disk_format.

    oslo.utils inspects the data. It also rejects backing files and external data files. A
    disk_format that oslo.utils does not know, such as ploop, may have any data that is not of
    another known format, as on Glance 33.

    :raises glance_compat.exceptions.ImageUnacceptable: the data has a different format, is unsafe,
        or cannot be inspected.
    """
    # Imported here, because few calls inspect data, and the import takes long.
    from oslo_utils.imageutils import format_inspector

    inspected = format_inspector.InspectWrapper(typing.cast(typing.IO[bytes], blocks))
    yield from inspected
    if not disk_format:
        raise exceptions.ImageUnacceptable("the image has no disk_format to compare its data with")
    try:
        found = inspected.formats or []
        for inspector in found:
            _check_safety(inspector, disk_format)
    except (format_inspector.ImageFormatError, format_inspector.SafetyCheckFailed) as error:
        raise exceptions.ImageUnacceptable(f"the content is not safe: {error}") from error
    except Exception as error:
        # For text that resembles a VMDK descriptor, oslo.utils 10.2 raises AttributeError
        # (verified).
        raise exceptions.ImageUnacceptable("the content cannot be inspected") from error
    names = {str(one) for one in found}
    if disk_format not in _CONTENT and disk_format not in format_inspector.ALL_FORMATS:
        LOG.warning("Data with disk_format %s cannot be inspected", quote_value(disk_format))
        allowed: tuple[set[str], ...] = ({"raw"},)
    else:
        allowed = _CONTENT.get(disk_format, ({disk_format},))
    if names not in allowed:
        raise exceptions.ImageUnacceptable(
            f"the disk format is {disk_format}, but the content is {' and '.join(sorted(names))}"
        )


#: Number of bytes from the start of an image that :func:`detect_format` needs. The signature that
#: is farthest from the start is that of ISO 9660, at 32 KiB.
HEAD_BYTES = 1024 * 1024

#: The formats that oslo.utils detects and Glance has a disk_format for (Glance 33, option
#: ``disk_formats``).
_DETECTED = ("qcow2", "vhd", "vhdx", "vmdk", "vdi", "iso", "raw")


def detect_format(head: bytes) -> str:
    """Return the disk_format of an image, as oslo.utils detects it.

    Content without a known signature is ``raw``, as on Glance 33.

    :param head: the first :data:`HEAD_BYTES` of the data, or all of it.
    :raises glance_compat.exceptions.ImageUnacceptable: the content is of several formats, or of
        one that Glance has no disk_format for.
    """
    # Imported here, because few calls inspect data, and the import takes long.
    from oslo_utils.imageutils import format_inspector

    inspected = format_inspector.InspectWrapper(io.BytesIO(head))
    inspected.read(HEAD_BYTES)
    try:
        inspected.close()
        names = {str(one) for one in inspected.formats or []}
    except Exception as error:
        # As in verify_format.
        raise exceptions.ImageUnacceptable(
            "the content cannot be inspected; pass the disk format"
        ) from error
    for disk_format in _DETECTED:
        if names in _CONTENT.get(disk_format, ({disk_format},)):
            return disk_format
    raise exceptions.ImageUnacceptable(
        f"the content is {' and '.join(sorted(names))}, which is no disk format of Glance; pass"
        " the disk format"
    )


def _check_safety(inspector: FileInspector, disk_format: str) -> None:
    """Raise an exception if the data is unsafe.

    :raises SafetyCheckFailed: the data is unsafe.
    """
    from oslo_utils.imageutils import format_inspector

    try:
        inspector.safety_check()
    except format_inspector.SafetyCheckFailed as error:
        no_disk = disk_format in _KERNELS and str(inspector) == "gpt"
        if not no_disk or error.failures.keys() != {"mbr"}:
            raise
