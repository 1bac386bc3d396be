# SPDX-License-Identifier: Apache-2.0
"""Assemble a download: where its data comes from, and how it is verified.

What must live here: which parts a download needs, in which order. What must not: continuing after
a cut (``resume``), reading without the API (``locations``), the rules of signatures
(``signatures``), where the data is written (``target``).
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
        """Open the data of an image.

        :param context: the caller's context, for the key manager.
        :param trusted: ids of trusted certificates; empty: signatures are not verified.
        :raises glance_compat.exceptions.GlanceCompatError: the image has no data, or its
            signature or certificate is invalid.
        """
        found = self._fetch_image(identity, image_id, always=bool(trusted))
        verifier = None
        if trusted:
            verifier = signatures.create_verifier(typing.cast(Image, found), context, trusted)
        opened = self._open_location(found) or self._dispatcher.repeat(
            identity, lambda api: api.open_data(image_id), deadline=False
        )
        return self._create_download(identity, image_id, opened, progress, verifier)

    def _fetch_image(self, identity: Identity, image_id: str, *, always: bool) -> Image | None:
        """Fetch the image, if a signature or a location is needed."""
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
            blocks = streams.verify_format(blocks, opened.disk_format)
        return Download(
            blocks,
            opened.expected,
            source.close,
            image_id=image_id,
            progress=progress,
            verifier=verifier,
        )
