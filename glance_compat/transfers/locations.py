# SPDX-License-Identifier: Apache-2.0
"""Image data straight from where Glance has it, when the options allow the place.

Whoever may write locations, or metadata, is not trusted: a location is read only where an entry of
``allowed_location_schemes`` says so, by a handler of its scheme. Handlers are found through the
entry point group :data:`GROUP`; the one for files is here, the one for Ceph is ``rbd``.

What must live here: which locations may be read, and how a handler is asked. What must not: what
the data must turn out to be when it comes from the API (``v1``, ``v2``), going on when it breaks
off (``resume``), and its verification (``transfer``).
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
from glance_compat.backends.protocol import OpenedData
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.streams.streams import BLOCK_BYTES, HASHES, Expected
from glance_compat.urls import file_path_of, scheme_of

LOG = logging.getLogger("glance_compat")

#: The entry point group of handlers. The name of an entry point is the scheme.
GROUP = "glance_compat.locations"

#: Locations of one image that are tried; Glance's own limit (``image_location_quota``) is 10.
MOST_LOCATIONS = 10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A location whose scheme is allowed, as a handler gets it.

    :param url: as the image has it: it may have been written to deceive.
    :param metadata: as the image has it; empty for ``direct_url``.
    :param image_id: the image.
    :param size: of the image, in bytes; more is not read.
    :param entries: the entries of ``allowed_location_schemes`` that are of this scheme.
    :param options: all options; ``connect_timeout`` and ``stall_timeout`` are for handlers too.
    """

    url: str
    metadata: Mapping[str, typing.Any]
    image_id: str
    size: int
    entries: Sequence[str]
    options: Options = dataclasses.field(default_factory=Options)


class Handler(typing.Protocol):
    """What reads locations of one scheme."""

    def __call__(self, location: Location) -> Iterable[bytes]:
        """The data, from its first byte to its last.

        A generator does. A ``close()`` of what is returned is called once, however the download
        ends. An exception, here or out of the first block, means that the location cannot be
        read; one that comes later, that it broke off. Of an OSError the ``strerror`` is logged,
        of any other exception only the class: texts may hold credentials. An InvalidOption, here
        or out of the first block, goes to the caller: the options ask for what cannot be had.
        """


class Locations:
    """What of an image may be read directly.

    :param options: ``allowed_location_schemes`` says what; the rest is for the handlers.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._entries = options.allowed_location_schemes
        self._handlers: Mapping[str, Handler] | None = None

    def __bool__(self) -> bool:
        return bool(self._entries)

    def opened(self, found: Image, *, verify: str) -> OpenedData | None:
        """Begin to read the first location that is allowed and can be read.

        :param found: the image with its locations.
        :param verify: the option ``verify_downloads``.
        :returns: None: the data must come from the API.
        :raises glance_compat.exceptions.InvalidOption: a scheme has no handler, or that of the
            location lacks something.
        """
        if self._handlers is None:
            self._handlers = {scheme_of(one): _handler(scheme_of(one)) for one in self._entries}
        # The API knows what to say of images that give nothing, and has little to send of others.
        if found["status"] != "active" or not found["size"]:
            return None
        for location in itertools.islice(self._allowed(found), MOST_LOCATIONS):
            scheme = scheme_of(location.url)
            try:
                return self._open(self._handlers[scheme], location, found, verify)
            except _UnreadableError as why:
                LOG.warning(
                    "a %s location of image %s cannot be read: %s", scheme, found["id"], why
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
            with _unreadable():
                source = handler(location)
                stack.callback(_closed, source)
                blocks = filter(None, map(_checked, source))
                # A generator opens nothing before it is asked for its first block.
                first = list(itertools.islice(blocks, 1))
            LOG.info(
                "the data of image %s is read from a %s location",
                location.image_id,
                scheme_of(location.url),
            )
            return OpenedData(
                blocks=_limited(itertools.chain(first, blocks), location),
                close=stack.pop_all().close,
                expected=_expected(found, verify),
                disk_format=found["disk_format"],
            )


def _handler(scheme: str) -> Handler:
    try:
        found = _plugin(scheme)
    except Exception as error:
        raise exceptions.InvalidOption(
            f"allowed_location_schemes: there is no one handler of {scheme} in the entry point"
            f" group {GROUP} that can be loaded ({type(error).__name__})"
        ) from error
    if not callable(found):
        raise exceptions.InvalidOption(
            f"allowed_location_schemes: the handler of {scheme} is a {type(found).__name__}"
        )
    return typing.cast(Handler, found)


def _plugin(scheme: str) -> typing.Any:
    """What the one entry point of that name stands for; another package's before the library's.

    :raises ValueError: there are several.
    :raises LookupError: there is none.
    """
    known: list[extension.Extension[typing.Any]] = list(
        named.NamedExtensionManager(
            GROUP,
            [scheme],
            on_load_failure_callback=_not_loaded,
            on_missing_entrypoints_callback=_missing,
        )
    )
    others = [one for one in known if not one.module_name.startswith(f"{__package__}.")]
    [found] = others or known
    return found.plugin


def _not_loaded(manager: object, entry_point: object, error: BaseException) -> None:
    raise error


def _missing(schemes: object) -> None:
    raise LookupError


class _UnreadableError(Exception):
    """Nothing of a location could be read; the text may be logged."""


@contextlib.contextmanager
def _unreadable() -> Iterator[None]:
    try:
        yield
    except exceptions.InvalidOption:
        raise
    except Exception as error:
        raise _UnreadableError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """What of an error may be logged."""
    text = error.strerror if isinstance(error, OSError) else None
    return text if isinstance(text, str) and text.isprintable() else type(error).__name__


def _closed(source: object) -> None:
    close = getattr(source, "close", None)
    if not callable(close):
        return
    try:
        close()
    except Exception as error:  # noqa: BLE001 - the data is there, or its failure is known
        LOG.warning("a location could not be closed: %s", _reason(error))


def _checked(block: object) -> bytes:
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise TypeError("a handler gave something else than bytes")
    return bytes(block)


def _limited(blocks: Iterator[bytes], location: Location) -> Iterator[bytes]:
    """The blocks, of which no more than one goes beyond the size of the image.

    :raises glance_compat.exceptions.GlanceConnectionFailed: it breaks off.
    """
    given = 0
    while given <= location.size:
        try:
            block = next(blocks)
        except StopIteration:
            return
        except Exception as error:
            LOG.warning(
                "a %s location of image %s broke off after %d bytes: %s",
                scheme_of(location.url),
                location.image_id,
                given,
                _reason(error),
            )
            raise exceptions.GlanceConnectionFailed(
                f"a {scheme_of(location.url)} location of image {location.image_id} broke off"
                f" after {given} bytes: {_reason(error)}",
                image_id=location.image_id,
            ) from error
        given += len(block)
        yield block


def _expected(found: Image, verify: str) -> Expected:
    size = found["size"]
    if verify == "off":
        return Expected(size=size)
    if found["os_hash_algo"] in HASHES and found["os_hash_value"]:
        return Expected(size, found["os_hash_algo"], found["os_hash_value"])
    if found["checksum"]:
        return Expected(size, "md5", found["checksum"])
    LOG.warning("image %s has no checksum: its data is not verified", found["id"])
    return Expected(size=size)


# ---------------------------------------------------------------------------------------------
# Files.


def read_file(location: Location) -> Iterator[bytes]:
    """The handler of ``file``: a regular file below an allowed folder, over no symbolic link.

    :raises OSError: it is not that, or cannot be read within ``stall_timeout`` for a block.
    """
    begun = time.monotonic()
    with open(_descriptor(location), "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            # Nothing interrupts a file system that hangs, but it need not hang a second time.
            if time.monotonic() - begun > location.options.stall_timeout:
                raise OSError(errno.ETIMEDOUT, "a block took longer than stall_timeout")
            yield block
            begun = time.monotonic()


def _refuse(why: str) -> typing.NoReturn:
    raise PermissionError(errno.EPERM, why)


def _descriptor(location: Location) -> int:
    folder, parts = _place(location)
    # The folder itself is the operator's choice, links included.
    inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            outer = inner
            inner = os.open(
                part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=outer
            )
            os.close(outer)
        return _regular_file(parts[-1], inner)
    finally:
        os.close(inner)


def _regular_file(name: str, folder: int) -> int:
    # To open a device may already do something, and a FIFO waits for its other end.
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        _refuse("it is not a regular file")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    # Something else may have come to the name since.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        _refuse("it is not a regular file")
    return descriptor


def _place(location: Location) -> tuple[str, list[str]]:
    """The allowed folder that a location is in, and the names that lead from there to the file."""
    path = file_path_of(location.url)
    if path is None:
        _refuse("it is not of the form file:///folder/name")
    parts = path.split("/")
    # Of folders in folders the inner one: links may be allowed on the way to it.
    for folder in sorted(map(_folder, location.entries), key=len, reverse=True):
        leading = folder.split("/")
        if parts[: len(leading)] == leading and len(parts) > len(leading):
            return folder, parts[len(leading) :]
    _refuse("it is not in an allowed folder")


def _folder(entry: str) -> str:
    return typing.cast(str, file_path_of(entry.rstrip("/")))
