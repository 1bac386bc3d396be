# SPDX-License-Identifier: Apache-2.0
"""Medians and ratios of interleaved rounds. Pure."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Spread:
    """The median of some figures, with the lowest and the highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


def spread(figures: Sequence[float]) -> Spread:
    """Return the median of the figures of all rounds.

    :raises statistics.StatisticsError: there are none.
    """
    return Spread(statistics.median(figures), min(figures), max(figures))


def ratio(figures: Sequence[float], floors: Sequence[Sequence[float]]) -> Spread:
    """Return the ratio to the slowest of some floors, taken within each round.

    What slows a machine down for a while slows down all of one round.

    :param figures: of one subject, one of each round.
    :param floors: of each floor, one of each round.
    """
    slowest = [max(of_round) for of_round in zip(*floors, strict=True)]
    return spread([own / floor for own, floor in zip(figures, slowest, strict=True)])
