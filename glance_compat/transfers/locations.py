# SPDX-License-Identifier: Apache-2.0
"""Read image data directly from its location, without the Images API, if the options allow it.

Users who can write locations are not trusted, so a location is read only if an entry of the option
``allowed_location_schemes`` allows it. A handler for the URL scheme reads it. Handlers are entry
points of the group :data:`GROUP`; the one for files is in this module, the one for Ceph in
``rbd``.

What must live here: the selection of a location, the calls of handlers, and the handler for files.
What must not: the expected size and digest of data from the API (see ``backends``), continuation
after a lost connection (``resume``), and verification (``streams``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import logging
import os
import stat
import time
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stevedore import extension, named

from glance_compat import exceptions
from glance_compat.backends.protocol import OpenedData, choose_expected
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.redaction import describe_error
from glance_compat.streams.streams import BLOCK_BYTES
from glance_compat.urls import file_path_of, scheme_of

LOG = logging.getLogger(__name__)

#: The entry point group of location handlers. The name of an entry point is the URL scheme.
GROUP = "glance_compat.locations"

#: Maximum number of locations to try per image. Glance's own limit (``image_location_quota``) is
#: 10 by default.
MOST_LOCATIONS = 10

#: Modules whose exceptions never have credentials in their messages. Messages of handlers may.
_SAFE = (__name__,)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A location of an image, with an allowed URL scheme; the argument of a handler.

    :param url: the URL in the image. It is untrusted: an attacker may have written it.
    :param metadata: the metadata of the location in the image; empty for ``direct_url``.
    :param image_id: the id of the image.
    :param size: the size of the image, in bytes. Not more than one block beyond it is read.
    :param entries: the entries of ``allowed_location_schemes`` with this scheme.
    :param options: all options. Handlers should respect ``connect_timeout`` and ``stall_timeout``.
    """

    url: str
    metadata: Mapping[str, typing.Any]
    image_id: str
    size: int
    entries: Sequence[str]
    options: Options = dataclasses.field(default_factory=Options)


class Handler(typing.Protocol):
    """A function that reads locations of one URL scheme."""

    def __call__(self, location: Location) -> Iterable[bytes]:
        """Return an iterable over all data of the location in blocks, such as a generator.

        If the iterable has a method ``close()``, it is called once at the end of the download,
        whether the download succeeds or fails.

        If the call or the first block raises an exception, the location counts as unreadable and
        the next one is tried; but InvalidOption is raised to the caller. If a later block raises
        an exception, the connection counts as lost. The log contains the ``strerror`` of an
        OSError, but only the class of any other exception, because its message may contain
        credentials.
        """


class Locations:
    """Opens locations of images that may be read directly.

    :param options: the options; ``allowed_location_schemes`` lists the allowed locations. Handlers
        get all options.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._entries = options.allowed_location_schemes
        self._handlers: Mapping[str, Handler] | None = None

    def __bool__(self) -> bool:
        return bool(self._entries)

    def open(self, found: Image, *, verify: str) -> OpenedData | None:
        """Open the first location of an image that is allowed and readable.

        :param found: the image with its locations.
        :param verify: the value of the option ``verify_downloads``.
        :returns: the open data, or None if the data must be downloaded from the API.
        :raises glance_compat.exceptions.InvalidOption: there is no handler for an allowed scheme,
            or the handler rejects the options.
        """
        if self._handlers is None:
            self._handlers = {
                scheme_of(one): _load_handler(scheme_of(one)) for one in self._entries
            }
        # Images without data are left to the API, which responds with the right error; and so are
        # empty images, because there is nothing to gain.
        if found["status"] != "active" or not found["size"]:
            return None
        for location in itertools.islice(self._allowed(found), MOST_LOCATIONS):
            scheme = scheme_of(location.url)
            try:
                return self._open(self._handlers[scheme], location, found, verify)
            except _UnreadableError as why:
                LOG.warning(
                    "Skipping a %s location of image %s, which cannot be read: %s",
                    scheme,
                    found["id"],
                    why,
                )
        return None

    def _allowed(self, found: Image) -> Iterator[Location]:
        direct = {"url": found["direct_url"], "metadata": {}}
        seen = set()
        for one in (*found["locations"], direct):
            url, metadata = one.get("url"), one.get("metadata")
            if not isinstance(url, str) or url in seen:
                continue
            seen.add(url)
            entries = tuple(each for each in self._entries if scheme_of(each) == scheme_of(url))
            if entries:
                yield Location(
                    url=url,
                    metadata=metadata if isinstance(metadata, dict) else {},
                    image_id=found["id"],
                    size=found["size"],
                    entries=entries,
                    options=self._options,
                )

    def _open(self, handler: Handler, location: Location, found: Image, verify: str) -> OpenedData:
        with contextlib.ExitStack() as stack:
            with _unreadable_errors():
                source = handler(location)
                stack.callback(_close, source)
                blocks = filter(None, map(_to_bytes, source))
                # Read the first block now, because a generator opens the location only then.
                first = list(itertools.islice(blocks, 1))
            LOG.info(
                "Reading the data of image %s from a %s location",
                location.image_id,
                scheme_of(location.url),
            )
            return OpenedData(
                blocks=_limit_size(itertools.chain(first, blocks), location),
                close=stack.pop_all().close,
                expected=choose_expected(
                    verify, found, subject=f"image {found['id']} at its location"
                ),
                disk_format=found["disk_format"],
                container_format=found["container_format"],
            )


def _load_handler(scheme: str) -> Handler:
    try:
        found = _find_plugin(scheme)
    except Exception as error:
        raise exceptions.InvalidOption(
            f"allowed_location_schemes: no handler for {scheme} can be loaded from the entry point"
            f" group {GROUP} ({type(error).__name__}); install exactly one, or remove the entry"
        ) from error
    if not callable(found):
        raise exceptions.InvalidOption(
            f"allowed_location_schemes: the handler for {scheme} must be callable, not a"
            f" {type(found).__name__}"
        )
    return typing.cast(Handler, found)


def _find_plugin(scheme: str) -> typing.Any:
    """Return the object of the entry point for a URL scheme.

    An entry point of another package overrides the one of this library.

    :raises ValueError: several other packages have an entry point for the scheme.
    :raises LookupError: there is no entry point for the scheme.
    """
    known: list[extension.Extension[typing.Any]] = list(
        named.NamedExtensionManager(
            GROUP,
            [scheme],
            on_load_failure_callback=_raise_error,
            on_missing_entrypoints_callback=_raise_missing,
        )
    )
    others = [one for one in known if not one.module_name.startswith(f"{__package__}.")]
    [found] = others or known
    return found.plugin


def _raise_error(manager: object, entry_point: object, error: BaseException) -> None:
    raise error


def _raise_missing(schemes: object) -> None:
    raise LookupError


class _UnreadableError(Exception):
    """Raised if a location, or a block of it, is not readable. Its message may be logged."""


@contextlib.contextmanager
def _unreadable_errors() -> Iterator[None]:
    try:
        yield
    except exceptions.InvalidOption:
        raise
    except Exception as error:
        raise _UnreadableError(describe_error(error, _SAFE)) from error


def _close(source: object) -> None:
    close = getattr(source, "close", None)
    if not callable(close):
        return
    try:
        close()
    except Exception as error:  # noqa: BLE001 - the data is there, or its failure is known
        LOG.warning("A location could not be closed: %s", describe_error(error, _SAFE))


def _to_bytes(block: object) -> bytes:
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise _UnreadableError(f"the location handler yielded {type(block).__name__}, not bytes")
    return bytes(block)


def _limit_size(blocks: Iterator[bytes], location: Location) -> Iterator[bytes]:
    """Yield the blocks, but stop after the first one that exceeds the size of the image.

    :raises glance_compat.exceptions.GlanceConnectionFailed: the handler raised an exception.
    """
    given = 0
    while given <= location.size:
        try:
            block = next(blocks)
        except StopIteration:
            return
        except Exception as error:
            LOG.warning(
                "Download interrupted: a %s location of image %s failed after %d bytes: %s",
                scheme_of(location.url),
                location.image_id,
                given,
                describe_error(error, _SAFE),
            )
            raise exceptions.GlanceConnectionFailed(
                f"a {scheme_of(location.url)} location of image {location.image_id} failed"
                f" after {given} bytes: {describe_error(error, _SAFE)}",
                image_id=location.image_id,
            ) from error
        given += len(block)
        yield block


# ---------------------------------------------------------------------------------------------
# Files.


def read_file(location: Location) -> Iterator[bytes]:
    """Yield the data of a ``file`` location.

    The location must be a regular file in or below an allowed directory, and the path from there
    must not contain symbolic links.

    :raises OSError: the location is not such a file, or reading a block took longer than
        ``stall_timeout``.
    """
    begun = time.monotonic()
    with open(_open_file(location), "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            # A read that hangs cannot be interrupted, but no further read is started.
            if time.monotonic() - begun > location.options.stall_timeout:
                raise OSError(errno.ETIMEDOUT, "reading a block took longer than stall_timeout")
            yield block
            begun = time.monotonic()


def _refuse(why: str) -> typing.NoReturn:
    raise PermissionError(errno.EPERM, why)


def _open_file(location: Location) -> int:
    folder, parts = _split_path(location)
    # The operator configured this directory, so it may be a symbolic link.
    inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            outer = inner
            inner = os.open(
                part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=outer
            )
            os.close(outer)
        return _open_regular_file(parts[-1], inner)
    finally:
        os.close(inner)


def _open_regular_file(name: str, folder: int) -> int:
    # Checked before opening, because opening a device may have side effects, and opening a FIFO
    # waits for its other end.
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        _refuse("it is not a regular file")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    # Checked again, because the file may have been replaced in the meantime.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _refuse("it is not a regular file")
    return descriptor


def _split_path(location: Location) -> tuple[str, list[str]]:
    """Return the allowed directory that contains a location, and the path from there as names.

    :raises PermissionError: the location is not in or below an allowed directory.
    """
    path = file_path_of(location.url)
    if path is None:
        _refuse("it is not of the form file:///folder/name")
    parts = path.split("/")
    # The innermost directory first, because only the path up to the allowed directory may contain
    # symbolic links.
    for folder in sorted(map(_folder_of, location.entries), key=len, reverse=True):
        leading = folder.split("/")
        if parts[: len(leading)] == leading and len(parts) > len(leading):
            return folder, parts[len(leading) :]
    _refuse("it is not in an allowed folder")


def _folder_of(entry: str) -> str:
    return typing.cast(str, file_path_of(entry.rstrip("/")))
