# SPDX-License-Identifier: Apache-2.0
"""Watch an image while the server imports or copies its data.

What must live here: the repeated GETs, what they prove, and the error of a failure. What must not:
what an image shows of an import (see ``backends``), and cleanup (see ``importing``).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, Importing, ImportRequest, ImportState
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.streams.streams import Progress
from glance_compat.transport import retry
from glance_compat.transport.client import Identity

#: First pause between two GETs, in seconds. Small images are imported in less than that.
_FIRST_PAUSE = 0.1


@dataclasses.dataclass(slots=True, kw_only=True)
class Watch:
    """An import or a copy, and what is known of it.

    :param image_id: the id of the image.
    :param updated_at: the time of its last change before the import, or None if it is unknown.
    :param progress: a function that is called before each GET, or None.
    :param is_over: a function that returns whether a state of the image is the last one.
    :ivar seen: the image at the last successful GET, or None if it is deleted.
    :ivar error: the exception of the last GET if it failed, or None.
    """

    dispatcher: Dispatcher
    identity: Identity
    image_id: str
    request: ImportRequest
    updated_at: datetime.datetime | None
    progress: Progress | None
    is_over: Callable[[Watch], bool]
    seen: Importing | None = None
    error: exceptions.GlanceCompatError | None = None
    has_run: bool = False
    is_gone: bool = False

    def wait(self, seconds: float) -> None:
        """GET the image until its state is final, or the time is over.

        :param seconds: the time limit, in seconds; with 0 there is one GET.
        """
        retry.until_settled(self._look, bool, seconds, first=_FIRST_PAUSE)

    def _look(self) -> bool:
        """GET the image, and return whether the watch is over."""
        if self.progress is not None:
            self.progress(0, None)
        try:
            self.seen = self.dispatcher.once(self.identity, self._show)
            self.error = None
        except exceptions.ImageNotFound:
            self.seen, self.is_gone = None, True
            return True
        except exceptions.GlanceCompatError as error:
            # A server that restarts will respond again; with other errors, the next GET fails too.
            self.error = error
            may_pass = (exceptions.BadResponse, exceptions.GlanceConnectionFailed)
            return not isinstance(error, may_pass)
        is_changed = self.updated_at not in (None, self.seen.image["updated_at"])
        self.has_run = self.has_run or is_changed or self.seen.state is ImportState.RUNNING
        return self.has_failed() or self.is_over(self)

    def _show(self, api: ImagesApi) -> Importing:
        return api.show_import(self.image_id, self.request)

    def has_failed(self) -> bool:
        """Return whether the image shows that the import has failed, or is deleted."""
        if self.seen is None:
            return self.is_gone
        if self.seen.state is ImportState.UNCLEAR:
            # The image is queued: the import has not begun, or it has ended.
            return self.has_run
        return self.seen.state is ImportState.FAILED

    def failure(
        self, what: str, advice: str, failed_stores: tuple[str, ...] | None = None
    ) -> exceptions.ImportFailed:
        """Return the exception for a failure, with the reasons that the server reports.

        :param what: what the server could not do.
        :param advice: what the user can do.
        :param failed_stores: names of the stores that did not get the data, or None for those that
            the image names.
        """
        if self.seen is None:
            return exceptions.ImportFailed(
                f"the server could not {what}: the image was deleted in the meantime; find out"
                " which client deleted it",
                reasons=("the image was deleted",),
                image_id=self.image_id,
            )
        failed = self.seen.failed_stores if failed_stores is None else failed_stores
        reasons = self.dispatcher.once(
            self.identity, lambda api: api.import_messages(self.image_id)
        )
        said = f"the server reports: {'; '.join(reasons)}" if reasons else "no reason is reported"
        stores = f"; failed stores: {', '.join(failed)}" if failed else ""
        return exceptions.ImportFailed(
            f"the server could not {what}: {said}{stores}; {advice}",
            reasons=reasons or (f"the status of the image is {self.seen.image['status']}",),
            failed_stores=failed,
            image_id=self.image_id,
        )

    def unknown(self, what: str, seconds: float) -> exceptions.OutcomeUnknown:
        """Return the exception for an outcome that the GETs did not establish.

        :param what: what the server has not done.
        """
        status = "unknown" if self.seen is None else self.seen.image["status"]
        why = f" ({self.error})" if self.error else ""
        return exceptions.OutcomeUnknown(
            f"the server has not {what} after {seconds:g} s (status {status}){why}; show the image"
            " later",
            endpoint=self.error.endpoint if self.error else None,
            image_id=self.image_id,
        )


def is_done(watch: Watch) -> bool:
    """Return whether the import has ended, and the image has data."""
    return watch.seen is not None and watch.seen.state is ImportState.DONE
