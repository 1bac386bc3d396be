# SPDX-License-Identifier: Apache-2.0
"""Continue a download after its connection was cut.

What must live here: where to continue, and whether the new response has the same data. What must
not: when to give up (``retry``), which endpoint to use (``dispatcher``), verification
(``streams``).
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
    """Yield the blocks of an image, over as many connections as it takes.

    After a cut the download continues at the same byte: with a Range request where the API
    supports it, or else from the start, without the bytes that were already yielded.

    :param opened: the data that has begun to arrive.
    :param reopen: opens the data again, at a byte if the API supports it.
    :param repeat: repeats a call whose first attempt has failed.
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
                # Only the end of the response is missing.
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
        """Yield the blocks of a new response that were not yielded before.

        :raises glance_compat.exceptions.IntegrityError: the response has other data.
        """
        if not _may_be_same_data(self.expected, opened.expected):
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


def _may_be_same_data(one: Expected, other: Expected) -> bool:
    """Whether two responses may have the same data; values that one lacks are not compared."""
    # Digests of two algorithms cannot be compared; the whole is verified at the end.
    alike = one.algorithm == other.algorithm
    digests = [found.digest for found in (one, other) if found.digest and alike]
    sizes = [found.size for found in (one, other) if found.size is not None]
    return len({*digests}) < 2 and len({*sizes}) < 2
