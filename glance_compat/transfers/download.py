# SPDX-License-Identifier: Apache-2.0
"""A download put together: where its data comes from, and what it has to pass.

What must live here: which of the rooms below a download needs, in which order. What must not:
going on after a cut (``resume``), reading past the API (``locations``), what a signature says
(``signatures``), where the data goes (``destination``).
"""

from __future__ import annotations

import typing
from collections.abc import Sequence

from glance_compat.backends.protocol import ImagesApi, OpenedData
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams import streams
from glance_compat.streams.streams import Download, Progress, Verifier
from glance_compat.transfers import signatures
from glance_compat.transfers.locations import Locations
from glance_compat.transfers.resume import Resumed
from glance_compat.transport.client import Identity


class Downloader:
    """Reads of image data of one image service."""

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
    ) -> Download:
        """The data of an image, as it begins to arrive.

        :param context: the caller's own, for the key manager.
        :param trusted: ids of certificates; none: no signature is looked at.
        :raises glance_compat.exceptions.GlanceCompatError: there is no such data, or its
            signature is refused before any is read.
        """
        found = self._looked_at(identity, image_id, always=bool(trusted))
        verifier = None
        if trusted:
            verifier = signatures.verifier_of(typing.cast(Image, found), context, trusted)
        opened = self._direct(found) or self._dispatcher.repeat(
            identity, lambda api: api.open_data(image_id), deadline=False
        )
        return self._verified(identity, image_id, opened, progress, verifier)

    def _looked_at(self, identity: Identity, image_id: str, *, always: bool) -> Image | None:
        """The image, before its data is asked for, where something of it is needed."""
        if not always and not self._locations:
            return None

        def call(api: ImagesApi) -> Image | None:
            return api.show(image_id) if always or api.shows_locations else None

        return self._dispatcher.repeat(identity, call)

    def _direct(self, found: Image | None) -> OpenedData | None:
        if found is None:
            return None
        return self._locations.opened(found, verify=self._options.verify_downloads)

    def _verified(
        self,
        identity: Identity,
        image_id: str,
        opened: OpenedData,
        progress: Progress | None,
        verifier: Verifier | None,
    ) -> Download:
        source = Resumed(
            opened,
            lambda api, start: api.open_data(image_id, start=start),
            lambda call, failed: self._dispatcher.repeat(
                identity, call, deadline=False, failed=failed
            ),
            image_id=image_id,
        )
        blocks = iter(source)
        if self._options.check_format:
            blocks = streams.checked_format(blocks, opened.disk_format)
        return Download(
            blocks,
            opened.expected,
            source.close,
            image_id=image_id,
            progress=progress,
            verifier=verifier,
        )
