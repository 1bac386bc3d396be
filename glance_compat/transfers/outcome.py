# SPDX-License-Identifier: Apache-2.0
"""Find out whether the data of an upload was stored, if the response to the upload was lost.

What must live here: the GETs after a lost response, and what they prove. What must not: uploads,
the decision to send data again, and the deletion of images (see ``upload``).
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

from glance_compat import exceptions
from glance_compat.metadata.fields import Image
from glance_compat.streams.streams import Upload
from glance_compat.transport import retry

#: Statuses of an image whose data the server is still receiving, storing or importing. A proxy may
#: respond with 504 long before the server is done.
STORING = frozenset({"saving", "uploading", "importing"})

#: Statuses with which a proxy responds in place of the server; None: no response was received. The
#: server may still execute the request.
FROM_PROXIES = frozenset({None, 502, 504})


@dataclasses.dataclass(slots=True)
class LostResponse:
    """An upload whose response was lost.

    :param show: a function that fetches the image.
    :param image_id: the id of the image.
    :param upload: the data.
    :param error: the exception of the upload.
    :param exists: whether the server has responded that the image exists.
    :param gone: whether the image existed and was deleted by another client.
    """

    show: Callable[[], Image]
    image_id: str
    upload: Upload
    error: BaseException
    exists: bool
    gone: bool = False
    _seen: Image | None = None

    def find_stored(self, seconds: float) -> Image | None:
        """GET the image, and return it if all of its data is stored.

        While the server is still storing the data, the image is fetched again.

        :param seconds: how long the image is fetched again, in seconds; with 0 it is fetched once.
        :returns: the image, or None if it does not exist or is not complete.
        :raises glance_compat.exceptions.OutcomeUnknown: the image cannot be fetched, or the server
            is still storing the data.
        """
        look = self._look if seconds else self._show_once
        try:
            found = retry.until_settled(look, self._is_settled, seconds)
        except exceptions.ImageNotFound:
            self.gone = self.exists
            return None
        except exceptions.GlanceCompatError as failure:
            raise self._not_established(failure) from self.error
        if found["deleted"]:
            self.gone = True
            return None
        if not self._is_settled(found):
            raise self._still_storing(found["status"], seconds) from self.error
        complete = found["size"] == self.upload.sent and _is_data_of(found, self.upload)
        return found if found["status"] == "active" and complete else None

    def _look(self) -> Image:
        if self._seen is None:
            self._seen = self._show_when_begun() if self._may_begin_later() else self._show_once()
            return self._seen
        # The server was storing the data at the last GET; if this GET fails, the next may not.
        with contextlib.suppress(exceptions.BadResponse, exceptions.GlanceConnectionFailed):
            self._seen = self._show_once()
        return self._seen

    def _show_once(self) -> Image:
        found = self.show()
        self.exists = True
        return found

    def _may_begin_later(self) -> bool:
        """Return whether a proxy may still hold a request that has not reached the server."""
        return self.upload.ended and getattr(self.error, "status", None) in FROM_PROXIES

    def _show_when_begun(self) -> Image:
        """GET the image for about a second, until the server has begun to store its data."""

        def show() -> Image | None:
            try:
                return self._show_once()
            except exceptions.ImageNotFound:
                if self.exists:
                    raise
                return None

        found = retry.until(show, lambda shown: shown is not None and shown["status"] != "queued")
        return found or self._show_once()

    def _is_settled(self, found: Image) -> bool:
        # Without the last block the server cannot store a complete image, whatever its status.
        return found["status"] not in STORING or not self.upload.ended

    def _not_established(self, failure: exceptions.GlanceCompatError) -> Exception:
        return exceptions.OutcomeUnknown(
            f"the data of image {self.image_id} was sent, but {self._loss()}, and a follow-up GET"
            f" could not establish the outcome ({failure}); check the image before you send the"
            " data again",
            status=getattr(self.error, "status", None),
            endpoint=failure.endpoint,
            image_id=self.image_id,
        )

    def _still_storing(self, status: str, seconds: float) -> Exception:
        return exceptions.OutcomeUnknown(
            f"the data of image {self.image_id} was sent, but {self._loss()}, and the server is"
            f" still storing the data after {seconds:g} s (status {status}); show the image later,"
            " before you send the data again or delete the image",
            status=getattr(self.error, "status", None),
            request_id=getattr(self.error, "request_id", None),
            endpoint=getattr(self.error, "endpoint", None),
            image_id=self.image_id,
        )

    def _loss(self) -> str:
        status = getattr(self.error, "status", None)
        return "its response was lost" if status is None else f"the response was {status}"


def _is_data_of(stored: Image, upload: Upload) -> bool:
    """Return whether an image of the same size has the data that was sent.

    On a host without MD5, the size alone proves it for an image without another hash. Likewise if
    the data was not hashed, because the option ``verify_uploads`` is False.
    """
    same = upload.compare(stored["checksum"], stored["os_hash_algo"], stored["os_hash_value"])
    return upload.algorithm != "md5" if same is None else same
