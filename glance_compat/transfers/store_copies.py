# SPDX-License-Identifier: Apache-2.0
"""Copy the data of an image to more stores of the server, and wait until it has done so.

What must live here: the sequence of calls of a copy, and which stores must have the data at its
end. What must not: requests (see ``backends``), and the GETs until the end (see ``watching``).
"""

from __future__ import annotations

from glance_compat.backends.protocol import ImportRequest, ImportState
from glance_compat.metadata.fields import Image
from glance_compat.options import Options
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams.streams import Progress
from glance_compat.transfers.starting import Start
from glance_compat.transfers.watching import Watch
from glance_compat.transport.client import Identity


class StoreCopier:
    """Copies the data of images of one image service to more stores."""

    def __init__(self, dispatcher: Dispatcher, options: Options) -> None:
        self._dispatcher = dispatcher
        self._options = options

    def copy(
        self,
        identity: Identity,
        image_id: str,
        request: ImportRequest,
        progress: Progress | None,
        *,
        wait: bool,
    ) -> Image:
        """Copy the data, and return the image; see ``ImageService.copy_to_stores``."""
        start = Start(
            lambda api: api.copy_to_stores(image_id, request),
            lambda api: api.has_copied(image_id, request),
        )
        self._dispatcher.repeat(identity, start)
        if not wait:
            return self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        wanted = self._list_wanted(identity, request)
        watch = Watch(
            dispatcher=self._dispatcher,
            identity=identity,
            image_id=image_id,
            request=request,
            updated_at=None,
            progress=progress,
            is_over=lambda watch: _is_over(watch, wanted),
        )
        watch.wait(self._options.settle_timeout)
        missing = _list_missing(watch, wanted)
        what = f"copy the data of image {image_id} to the stores {', '.join(sorted(wanted))}"
        if watch.has_failed() or (missing and _is_over(watch, wanted)):
            failed = tuple(sorted(missing)) if watch.seen else None
            raise watch.failure(what, "check these stores", failed)
        if watch.seen is None or missing:
            raise watch.unknown(
                f"copied the data of image {image_id} to {', '.join(sorted(missing))}",
                self._options.settle_timeout,
            )
        return watch.seen.image

    def _list_wanted(self, identity: Identity, request: ImportRequest) -> set[str]:
        if not request.all_stores:
            return set(request.stores)
        stores = self._dispatcher.repeat(identity, lambda api: api.stores())
        return {one["id"] for one in stores if not one["read_only"]}


def _list_missing(watch: Watch, wanted: set[str]) -> set[str]:
    """Return the names of the stores that do not have the data, as far as it is known."""
    return wanted - set((watch.seen.image["stores"] or ()) if watch.seen else ())


def _is_over(watch: Watch, wanted: set[str]) -> bool:
    """Return whether the copy has ended: all stores have the data, or it has failed.

    If the image shows neither a running copy nor a failed one, the copy has not begun yet, unless
    it was seen running before.
    """
    if watch.seen is None or watch.seen.state is not ImportState.DONE:
        return False
    missing = _list_missing(watch, wanted)
    return not missing or watch.has_run or bool(missing & set(watch.seen.failed_stores))
