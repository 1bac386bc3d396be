# SPDX-License-Identifier: Apache-2.0
"""Write a download to a file object of the caller, or to a path.

What must live here: the checks of these two arguments, and the writing. What must not: reading and
verifying the data (see ``streams``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import logging
import os
import secrets
import stat
import time
import typing
from collections.abc import Iterable, Iterator

from glance_compat import exceptions
from glance_compat.redaction import quote_value
from glance_compat.streams.parts import Part, open_part

LOG = logging.getLogger(__name__)

#: How long to wait for another process to open a FIFO for reading, in seconds.
READER_SECONDS = 5.0


class Destination(typing.Protocol):
    """The file that a download is written to."""

    def open(self, source: str) -> contextlib.AbstractContextManager[typing.IO[bytes]]:
        """Open the file, as a context manager that gets the exception if the download fails.

        It is called before any request, so that no request is sent if the file is not writable.

        :param source: a string that identifies the service and the image. The name of the partial
            file is derived from it.
        :raises OSError: the file cannot be written.
        """

    def empty(self, file: typing.IO[bytes]) -> bool:
        """Discard what was written to the open file, unless a reader may have seen it.

        :returns: whether the file is empty now.
        :raises OSError: the file cannot be written.
        """

    def part(self, file: typing.IO[bytes]) -> Part | None:
        """Return the data in the open file that an earlier download has left, or None."""


class _FileObject:
    """A destination that is a file object of the caller, which stays open."""

    def __init__(self, file: typing.IO[bytes]) -> None:
        self._file = file

    def open(self, source: str) -> contextlib.AbstractContextManager[typing.IO[bytes]]:
        return contextlib.nullcontext(self._file)

    def empty(self, file: typing.IO[bytes]) -> bool:
        return False

    def part(self, file: typing.IO[bytes]) -> Part | None:
        return None


class _Path:
    """A destination that is a path. A relative path is made absolute immediately.

    The process may change its working directory later.
    """

    def __init__(self, path: str, mode: int | None, *, resume: bool = False) -> None:
        # abspath() is not used, because it removes ".." without following symbolic links.
        self._path = os.path.join(os.getcwd(), path)
        self._mode = mode
        self._resume = resume

    def open(self, source: str) -> contextlib.AbstractContextManager[typing.IO[bytes]]:
        if _is_special(self._path):
            return _open_special(self._path)
        return _replacing(self._path, source, self._mode, resume=self._resume)

    def empty(self, file: typing.IO[bytes]) -> bool:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return False
        file.seek(0)
        file.truncate()
        return True

    def part(self, file: typing.IO[bytes]) -> Part | None:
        if not self._resume or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        found = Part(file)
        return found if found.size else None


def check_destination(
    data: object, dst_path: object, *, mode: int | None = None, resume: bool = False
) -> Destination | None:
    """Check the arguments ``data`` and ``dst_path`` of a download.

    :param data: a binary file object, or None.
    :param dst_path: a path (str or PathLike), or None.
    :param mode: the permissions of the file at ``dst_path``; see ``Options.download_mode``.
    :param resume: whether the part of an earlier download is continued, and kept after a failure.
    :returns: the destination, or None if both arguments are None.
    :raises glance_compat.exceptions.Invalid: an argument is invalid, or both are set.
    :raises OSError: the path is relative, and the working directory does not exist.
    """
    if data is not None and dst_path is not None:
        raise exceptions.Invalid("data and dst_path are both set; pass only one of them")
    if resume and dst_path is None:
        raise exceptions.Invalid("resume needs dst_path: only the part of a file can be continued")
    if data is not None:
        return _FileObject(_check_writable(data))
    return None if dst_path is None else _Path(_check_path(dst_path), mode, resume=resume)


def _check_writable(data: object) -> typing.IO[bytes]:
    if isinstance(data, io.TextIOBase):
        raise exceptions.Invalid("data is a text stream; image data is bytes: open it with 'wb'")
    if isinstance(data, type) or not callable(getattr(data, "write", None)):
        raise exceptions.Invalid(
            f"data must be a file object to write to, not {type(data).__name__}"
        )
    file = typing.cast(typing.IO[bytes], data)
    if isinstance(data, io.IOBase) and (file.closed or not file.writable()):
        raise exceptions.Invalid("data is a file that is closed or not open for writing")
    return file


def _check_path(dst_path: object) -> str:
    # bytes are rejected, and so are numbers, which open() would treat as file descriptors.
    path = os.fspath(dst_path) if isinstance(dst_path, os.PathLike) else dst_path
    if not isinstance(path, str) or not path or "\0" in path:
        raise exceptions.Invalid(f"dst_path must be a path, not {quote_value(dst_path)}")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise exceptions.Invalid(
            f"dst_path {quote_value(path)} is not a valid path on this system"
        ) from None
    return path


def write_to_file(blocks: Iterable[bytes], file: typing.IO[bytes]) -> None:
    """Write all blocks to a file object at its current position, and flush it.

    :raises OSError: the file cannot be written.
    """
    for block in blocks:
        _write(block, file)
    with contextlib.suppress(AttributeError):
        file.flush()


def _write(block: bytes, file: typing.IO[bytes]) -> None:
    """Write a whole block. An unbuffered file may need several calls for it."""
    rest = block
    while rest:
        taken = file.write(rest)
        if not isinstance(file, io.RawIOBase):
            return
        if not taken:
            raise BlockingIOError(errno.EAGAIN, "the file accepts no more data")
        rest = rest[taken:]


def write_to_path(
    blocks: Iterable[bytes], path: str, source: str = "", *, mode: int | None = None
) -> None:
    """Write all blocks to a path; an incomplete file never appears at the path.

    :param source: a string that identifies the data; see :meth:`Destination.open`.
    :param mode: the permissions of the file; see ``Options.download_mode``.
    :raises OSError: the path cannot be written.
    """
    with _Path(path, mode).open(source) as file:
        write_to_file(blocks, file)


def _is_special(path: str) -> bool:
    """Return whether a path is a device, a FIFO or similar, which a file must not replace.

    :raises OSError: the path is a directory, or cannot be accessed.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not os.path.basename(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path) from None
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    return not stat.S_ISREG(mode)


# ---------------------------------------------------------------------------------------------
# Devices and FIFOs.


def _open_special(path: str) -> typing.IO[bytes]:
    """Open a device or a FIFO for writing.

    The path may have been replaced since it was checked. So a file is neither created nor
    truncated, and the type is checked again after opening.

    :raises OSError: the path is neither a device nor a FIFO, or no process opened the FIFO for
        reading within :data:`READER_SECONDS`.
    """
    file = _wait_for_reader(path)
    mode = os.fstat(file.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
        file.close()
        raise OSError(errno.EINVAL, "The path is no longer a device or FIFO", path)
    os.set_blocking(file.fileno(), True)
    return file


def _wait_for_reader(path: str) -> typing.IO[bytes]:
    """Open a device or a FIFO with O_NONBLOCK; retry while no process reads the FIFO.

    Without O_NONBLOCK, opening a FIFO waits forever for a reader.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    until = time.monotonic() + READER_SECONDS
    while True:
        try:
            return open(path, "wb", opener=lambda name, _: os.open(name, flags))
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
        time.sleep(0.05)


# ---------------------------------------------------------------------------------------------
# Regular files.


#: Errors after which a part is of no use: its data is wrong, or the image does not exist.
_USELESS = (exceptions.IntegrityError, exceptions.ImageUnacceptable, exceptions.NotFound)


@contextlib.contextmanager
def _replacing(
    path: str, source: str, mode: int | None, *, resume: bool
) -> Iterator[typing.IO[bytes]]:
    """Open a new file, and move it to the path at the end if no exception was raised.

    The new file is in the same directory, has mode 0600 while it is written, and is synced before
    it is moved. So the path never has an incomplete file.

    :param mode: the mode of the file at the end. None: that of the file at the path, else 0666
        less the umask.
    :param resume: whether to continue the file of an earlier call, and to keep it after a failure.
    :raises OSError: the path cannot be written.
    """
    try:
        part, file = _open_part(path, source, resume=resume)
    except OSError as error:
        error.filename = path  # The caller does not know the partial file.
        raise
    try:
        yield file
        file.flush()
        _set_mode(file, _default_mode(path) if mode is None else mode)
        _sync(file.fileno(), part)
        os.replace(part, path)
    except BaseException as error:
        is_named = part == _part_of(path, source)
        if resume and is_named and not isinstance(error, _USELESS) and _keep(part, file):
            raise
        # Removed before it is closed: as long as it is locked, no other download uses the name.
        _abandon(part, file)
        raise
    file.close()
    _sync_folder(os.path.dirname(path))


def _part_of(path: str, source: str) -> str:
    """Return the path of the partial file of a path and a source."""
    folder, name = os.path.split(path)
    digest = hashlib.sha256(f"{path}\0{source}".encode("utf-8", "surrogatepass")).hexdigest()
    # A file name has at most 255 bytes, and a character has up to four.
    return os.path.join(folder, f".{name[:50]}.{digest[:16]}.part")


def _open_part(path: str, source: str, *, resume: bool) -> tuple[str, typing.IO[bytes]]:
    """Open and lock a partial file in the directory of the path.

    The name is derived from the path and the source, so that a download continues or removes the
    partial file that an earlier download of the same image has left. If another process or thread
    is writing that file, the name is random.

    :returns: the path of the partial file, and the open file.
    """
    part = _part_of(path, source)
    if resume and (kept := open_part(part)):
        return part, kept
    _remove_abandoned(part)
    with contextlib.suppress(FileExistsError):
        file = _create(part)
        if _lock(file) and _is_at(part, file):
            return part, file
        file.close()
    folder, name = os.path.split(path)
    part = os.path.join(folder, f".{name[:50]}.{secrets.token_hex(8)}.part")
    return part, _create(part)


def _keep(part: str, file: typing.IO[bytes]) -> bool:
    """Close a partial file that a later download may continue; return False if it is empty."""
    with contextlib.suppress(OSError):
        # On a full disk, what cannot be written is missing in the part.
        file.flush()
    size = os.fstat(file.fileno()).st_size
    if not size or not _is_at(part, file):
        return False
    LOG.warning(
        "The first %d bytes are kept in %s, where a download with resume continues", size, part
    )
    with contextlib.suppress(OSError):
        file.close()
    return True


def _create(part: str, mode: int = 0o600) -> typing.IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    return open(part, "xb", opener=lambda name, _: os.open(name, flags, mode))


def _remove_abandoned(part: str) -> None:
    """Remove a partial file if it exists and no process holds its lock."""
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    # A file that cannot be opened, locked or removed stays. Then this download uses a random name.
    with contextlib.suppress(OSError):
        descriptor = os.open(part, flags)
        with open(descriptor, "wb", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_part(part, file)


def _lock(file: typing.IO[bytes]) -> bool:
    """Lock a file until it is closed; return False if it is already locked.

    On a file system without locks the result is True. No other download can lock the file there
    either, so none removes it.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        LOG.debug("Cannot lock a partial download: %s", error.strerror)
    return True


def _is_at(part: str, file: typing.IO[bytes]) -> bool:
    """Return whether a path still names this open file."""
    try:
        return os.path.samestat(os.lstat(part), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _abandon(part: str, file: typing.IO[bytes]) -> None:
    """Remove a partial file and close it, without an error that would replace the first one."""
    try:
        _remove_part(part, file)
    except OSError as error:
        LOG.warning("Cannot remove partial download %s: %s", part, error.strerror)
    with contextlib.suppress(OSError):
        file.close()


def _remove_part(part: str, file: typing.IO[bytes]) -> None:
    # If another file has this name, it belongs to another download.
    if _is_at(part, file):
        os.unlink(part)


#: Errors of file systems that do not support an operation (CIFS, vfat, some FUSE file systems).
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


def _sync_folder(folder: str) -> None:
    """Sync a directory, so that a renamed file in it survives a crash.

    Nothing is done if the directory cannot be opened, or if the file system does not support it.

    :raises OSError: the sync failed.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        # A directory with mode 0300 is writable, but cannot be opened. Other reasons, such as too
        # many open files, do not make the complete file invalid either.
        LOG.debug("Cannot sync folder %s: %s", folder, error.strerror)
        return
    try:
        _sync(descriptor, f"folder {folder}")
    finally:
        os.close(descriptor)


def _sync(descriptor: int, subject: str) -> None:
    """Sync a file or a directory, unless the file system does not support it.

    :param subject: the description of the file, for the log.
    :raises OSError: the sync failed.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
        LOG.debug("Cannot sync %s: %s", subject, error.strerror)


# ---------------------------------------------------------------------------------------------
# The permissions of the new file.


#: The file in which the kernel shows the umask of the process (Linux 4.7, proc(5)).
_STATUS = "/proc/self/status"


def _set_mode(file: typing.IO[bytes], mode: int) -> None:
    """Set the mode of a file, unless the file system does not support it.

    :raises OSError: setting the mode failed.
    """
    if stat.S_IMODE(os.fstat(file.fileno()).st_mode) == mode:
        return
    try:
        os.fchmod(file.fileno(), mode)
    except OSError as error:
        # On vfat, the mode of all files is that of the mount, and a change is EPERM.
        if error.errno not in _NOT_SUPPORTED | {errno.EPERM}:
            raise
        LOG.debug("Cannot set mode %04o of %s: %s", mode, file.name, error.strerror)


def _default_mode(path: str) -> int:
    """Return the mode of the file at the path, or the mode that a new file would get.

    The setuid, setgid and sticky bits are dropped, because they were set for the old data.

    :raises OSError: the file cannot be accessed.
    """
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        umask = _read_umask()
        return _mode_of_new_file(path) if umask is None else 0o666 & ~umask


def _read_umask() -> int | None:
    """Return the umask of the process, or None if the system does not show it.

    It is not read with ``os.umask``, which changes it for all threads.
    """
    try:
        with open(_STATUS, encoding="ascii", errors="replace") as status:
            lines = [line for line in status if line.startswith("Umask:")]
        return int(lines[0].split()[1], 8)
    except (OSError, IndexError, ValueError):
        return None


def _mode_of_new_file(path: str) -> int:
    """Return the mode that a new file gets in the directory of a path.

    :raises OSError: no file can be created there.
    """
    name = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")
    with _create(name, 0o666) as file:
        os.unlink(name)
        return stat.S_IMODE(os.fstat(file.fileno()).st_mode)
