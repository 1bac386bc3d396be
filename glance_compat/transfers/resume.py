# SPDX-License-Identifier: Apache-2.0
"""A download that goes on after its connection was cut.

What must live here: where to go on, and whether what comes is the same data. What must not: when
to give up (``retry``), which endpoint to ask (``dispatch``), verification (``transfer``).
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, OpenedData
from glance_compat.streams.streams import Expected
from glance_compat.transport import retry

#: Repeats a call whose first attempt has failed with an error.
Repeat = Callable[[Callable[[ImagesApi], bytes], exceptions.GlanceCompatError], bytes]


class Resumed:
    """The blocks of an image over as many connections as it takes.

    After a cut it goes on where it was: with Range where the API knows it, else from the start,
    and what was given already is dropped.

    :param opened: the data that has begun to arrive.
    :param reopen: opens the data again, from that byte on if it can.
    :param repeat: repeats a call that fails for the moment.
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
        self._given = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block = next(self._blocks)
        except exceptions.GlanceCompatError as error:
            if not retry.is_transient(error):
                raise
            if self._given == self.expected.size:
                # Nothing but the end of the answer is missing.
                raise StopIteration from error
            # The attempt that failed counts, and its endpoint is unhealthy.
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
        """What of an answer was not given yet.

        :raises glance_compat.exceptions.IntegrityError: it is of other data.
        """
        if not _agree(self.expected, opened.expected):
            self._differ("it changed while it was read")
        known = self._given - opened.start
        for block in opened.blocks:
            if known < len(block):
                yield block[known:]
            known = max(0, known - len(block))
        if known:
            self._differ(f"{self._given} bytes came, and now it ends before them")

    def _differ(self, how: str) -> typing.NoReturn:
        raise exceptions.IntegrityError(
            f"the data of image {self._image_id} is damaged: {how}", image_id=self._image_id
        )


def _agree(one: Expected, other: Expected) -> bool:
    """Whether two answers may be of the same data; what one does not say does not count."""
    # Two algorithms cannot be compared; the whole is, in the end.
    alike = one.algorithm == other.algorithm
    digests = [found.digest for found in (one, other) if found.digest and alike]
    sizes = [found.size for found in (one, other) if found.size is not None]
    return len({*digests}) < 2 and len({*sizes}) < 2
