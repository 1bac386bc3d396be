# SPDX-License-Identifier: Apache-2.0
"""Start a download: select the source of the data, and combine it with the verification.

What must live here: the combination of these parts. What must not: continuation after a lost
connection (see ``resume``), direct reads (``locations``), the rules of signatures
(``signatures``), and the files that the data is written to (``target``).
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, OpenedData
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.redaction import quote_value
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams import streams
from glance_compat.streams.parts import Part
from glance_compat.streams.streams import Download, Progress, Verifier
from glance_compat.streams.target import Destination, write_to_file
from glance_compat.threads import are_native
from glance_compat.transfers import side_by_side, signatures
from glance_compat.transfers.locations import Locations
from glance_compat.transfers.resume import Resumed
from glance_compat.transport import retry
from glance_compat.transport.client import Identity
from glance_compat.transport.retry import Deadline

LOG = logging.getLogger(__name__)


class Downloader:
    """Starts the downloads of one image service."""

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._options = options
        self._locations = Locations(options)

    def open(
        self,
        identity: Identity,
        context: object,
        image_id: str,
        trusted: Sequence[str],
        progress: Progress | None,
        part: Part | None = None,
        *,
        to_path: bool = False,
    ) -> Download:
        """Start a download of the data of an image.

        :param identity: the identity of the caller.
        :param context: the caller's request context, which is passed to the key manager.
        :param trusted: ids of trusted certificates. If empty, signatures are not verified.
        :param progress: a function that is called with the number of bytes received so far, and
            with the total or None.
        :param part: the data that an earlier download has left. It is discarded if the download
            cannot continue behind it.
        :param to_path: whether the data is for a path, so that the option
            ``download_connections`` applies.
        :raises glance_compat.exceptions.GlanceCompatError: the image has no data, or its
            signature or certificate is invalid.
        """
        found = self._fetch_image(identity, image_id, always=bool(trusted))
        verifier = None
        if trusted:
            verifier = signatures.create_verifier(typing.cast(Image, found), context, trusted)
        direct = self._open_location(found)
        if direct is not None and part is not None:
            part.discard()
            part = None
        connections = self._options.download_connections if to_path and are_native() else 1
        opened = direct or self._open_data(identity, image_id, part, connections)
        return self._create_download(
            identity, image_id, opened, progress, verifier, part, repeatable=direct is None
        )

    def _open_data(
        self, identity: Identity, image_id: str, part: Part | None, connections: int
    ) -> OpenedData:
        """Open the data behind the part; if that is impossible, all data, without the part.

        A part is continued only if a digest verifies the whole data in the end.

        :param connections: number of connections over which to fetch the data.
        """

        def opened(start: int) -> OpenedData:
            end = start + side_by_side.RANGE_BYTES if connections > 1 else None
            found = self._dispatcher.repeat(
                identity, lambda api: api.open_data(image_id, start=start, end=end), deadline=False
            )
            return self._open_rest(identity, image_id, found, connections)

        if part is None:
            return opened(0)
        found = opened(part.size)
        if found.start == part.size and found.expected.digest:
            LOG.info("The download of image %s continues at byte %d", image_id, part.size)
            return found
        LOG.info(
            "The download of image %s begins anew, and %d bytes of an earlier one are"
            " discarded: the server sends all data, or there is no digest that verifies them",
            image_id,
            part.size,
        )
        part.discard()
        if not found.start:
            return found
        found.close()
        return opened(0)

    def _open_rest(
        self, identity: Identity, image_id: str, first: OpenedData, connections: int
    ) -> OpenedData:
        """Return all data from the start of a response on, which may have only a range of it.

        :param connections: number of connections over which to fetch the data.
        """
        size = first.expected.size
        if first.end is None or (size is not None and first.end >= size):
            return first
        if size is None:
            # How many ranges there are is unknown.
            first.close()
            return self._dispatcher.repeat(
                identity, lambda api: api.open_data(image_id, start=first.start), deadline=False
            )
        found = side_by_side.SideBySide(
            first,
            size,
            lambda start, end, deadline: self._dispatcher.attempt(
                identity, lambda api: api.open_range(image_id, start, end), deadline
            ),
            connections,
            image_id,
        )
        return dataclasses.replace(first, blocks=iter(found), close=found.close, end=None)

    def save(
        self,
        identity: Identity,
        opened: Callable[[Part | None], Download],
        destination: Destination,
        file: typing.IO[bytes],
    ) -> None:
        """Write a download to a file, and download damaged data again.

        It is downloaded again within the option ``max_attempts``, first from another endpoint, if
        the file can be emptied: then no reader has seen the damaged data.

        :param opened: a function that starts the download; its argument is that of :meth:`open`.
        :param file: the open file of the destination.
        :raises glance_compat.exceptions.IntegrityError: the data was damaged each time.
        """
        source: Download | None = None

        def write() -> None:
            nonlocal source
            part = destination.part(file)
            with opened(part) as source:
                if part is None:
                    write_to_file(source, file)
                else:
                    file.seek(part.size)
                    write_to_file(_skip(source, part.size), file)

        def again(error: BaseException) -> bool:
            if source is None or not source.repeatable or not _is_damage(error):
                return False
            if not destination.empty(file):
                return False
            LOG.warning("A download was damaged and is retried within max_attempts: %s", error)
            self._dispatcher.avoid_endpoint(identity)
            return True

        retry.repeat(write, self._options, Deadline(None), again)

    def _fetch_image(self, identity: Identity, image_id: str, *, always: bool) -> Image | None:
        """Fetch the image if its signature or its locations are needed, else return None.

        :param always: whether the signature is needed.
        """
        if not always and not self._locations:
            return None

        def call(api: ImagesApi) -> Image | None:
            return api.show(image_id) if always or api.shows_locations else None

        return self._dispatcher.repeat(identity, call)

    def _open_location(self, found: Image | None) -> OpenedData | None:
        if found is None:
            return None
        return self._locations.open(found, verify=self._options.verify_downloads)

    def _create_download(
        self,
        identity: Identity,
        image_id: str,
        opened: OpenedData,
        progress: Progress | None,
        verifier: Verifier | None,
        part: Part | None,
        *,
        repeatable: bool,
    ) -> Download:
        source = Resumed(
            opened,
            lambda api, start: api.open_data(image_id, start=start),
            lambda call, failed: self._dispatcher.repeat(
                identity, call, deadline=False, failed=failed
            ),
            image_id=image_id,
        )
        # The part is hashed and inspected as well, but not written again.
        known = part.blocks() if part is not None and part.size else ()
        return Download(
            self._inspect(itertools.chain(known, source), opened, image_id),
            opened.expected,
            source.close,
            image_id=image_id,
            progress=progress,
            verifier=verifier,
            repeatable=repeatable,
        )

    def _inspect(
        self, blocks: Iterator[bytes], opened: OpenedData, image_id: str
    ) -> Iterator[bytes]:
        """Return the blocks, with the inspection that the option ``check_format`` asks for.

        Like Glance 33 (``set_data`` in glance/location.py), only bare images are inspected: the
        disk_format of an image in a container is that of the disk in the container.
        """
        if not self._options.check_format:
            return blocks
        if opened.container_format not in (None, "bare"):
            LOG.warning(
                "The data of image %s is not inspected: its container_format is %s, and"
                " check_format applies to bare images only",
                image_id,
                quote_value(opened.container_format),
            )
            return blocks
        return streams.verify_format(blocks, opened.disk_format)


def _skip(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield the blocks without their first bytes."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(0, count - len(block))


def _is_damage(error: BaseException) -> bool:
    """Return whether data was damaged in transit; a wrong signature does not count as damage."""
    signed = isinstance(error, exceptions.SignatureVerificationError)
    return isinstance(error, exceptions.IntegrityError) and not signed
