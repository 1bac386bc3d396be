# SPDX-License-Identifier: Apache-2.0
"""Continue a download after its connection was lost.

What must live here: the offset to continue at, and the check that the new response has the same
data. What must not: the limit of attempts (see ``retry``), the selection of an endpoint
(``dispatcher``), and verification of the data (``streams``).
"""

from __future__ import annotations

import logging
import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, OpenedData
from glance_compat.streams.streams import Expected
from glance_compat.transport import retry

LOG = logging.getLogger(__name__)

#: A function that repeats a call. Its arguments are the call and the exception of the call's first
#: attempt.
Repeat = Callable[[Callable[[ImagesApi], bytes], exceptions.GlanceCompatError], bytes]


class Resumed:
    """An iterator over the data of an image that reconnects if the connection is lost.

    After that the download continues at the same byte: with a Range request if the API supports
    it; otherwise from the start, and the bytes that were already yielded are skipped.

    :param opened: the download that is already open; the caller has the bytes before its start.
    :param reopen: a function that opens the download again. Its second argument is the offset to
        start at, in bytes; the API may ignore it.
    :param repeat: a function that repeats a call whose first attempt has failed.
    :param image_id: the id of the image, for messages.
    """

    def __init__(
        self,
        opened: OpenedData,
        reopen: Callable[[ImagesApi, int], OpenedData],
        repeat: Repeat,
        *,
        image_id: str,
    ) -> None:
        self.expected = opened.expected
        self._opened = opened
        self._reopen = reopen
        self._repeat = repeat
        self._image_id = image_id
        self._blocks = opened.blocks
        self._given = opened.start

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
        except exceptions.GlanceCompatError as error:
            if not retry.is_transient(error):
                raise
            if self._given == self.expected.size:
                # All data has arrived, and only the end of the response is missing.
                raise StopIteration from error
            LOG.info(
                "The download of image %s continues at byte %d after an error: %s",
                self._image_id,
                self._given,
                error,
            )
            # The failed read counts as the first attempt, and its endpoint as unhealthy.
            block = self._repeat(self._open_again, error)
        if not block:
            raise StopIteration
        self._given += len(block)
        return block

    def close(self) -> None:
        """Release the connection."""
        self._opened.close()

    def _open_again(self, api: ImagesApi) -> bytes:
        self.close()
        self._opened = self._reopen(api, self._given)
        self._blocks = self._rest(self._opened)
        return next(self._blocks, b"")

    def _rest(self, opened: OpenedData) -> Iterator[bytes]:
        """Yield the blocks of a new response, without the bytes that were yielded before.

        :raises glance_compat.exceptions.IntegrityError: the response has different data.
        """
        if not may_be_same_data(self.expected, opened.expected):
            self._differ("it changed while it was read")
        known = self._given - opened.start
        for block in opened.blocks:
            if known < len(block):
                yield block[known:]
            known = max(0, known - len(block))
        if known:
            self._differ(
                f"{self._given} bytes were received, and the new response ends before them"
            )

    def _differ(self, how: str) -> typing.NoReturn:
        raise exceptions.IntegrityError(
            f"the data of image {self._image_id} is damaged: {how}; download it again",
            image_id=self._image_id,
        )


def may_be_same_data(one: Expected, other: Expected) -> bool:
    """Return whether two responses may have the same data, judged by their size and digest.

    Values that one of them does not have are not compared.
    """
    # Digests of different algorithms cannot be compared; all data is verified at the end.
    alike = one.algorithm == other.algorithm
    digests = [found.digest.lower() for found in (one, other) if found.digest and alike]
    sizes = [found.size for found in (one, other) if found.size is not None]
    return len({*digests}) < 2 and len({*sizes}) < 2
