# SPDX-License-Identifier: Apache-2.0
"""The steps of a plan, and the report of what was done.

What must live here: the classes that callers get. What must not: the decisions (see
``decisions``), and carrying them out (see ``run``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping

from glance_compat.copying.comparison import Comparison
from glance_compat.copying.decisions import Action, Decision
from glance_compat.copying.wanted import Wanted
from glance_compat.exceptions import GlanceCompatError
from glance_compat.types import ExtendedImage


@dataclasses.dataclass(frozen=True, slots=True)
class Planned:
    """What all steps of one plan share.

    :param comparison: the two clouds, and what the caller chose.
    :param ids: the ids of the copies, existing and planned, by the ids of their sources.
    """

    comparison: Comparison
    ids: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What is needed to carry out a step.

    :param planned: what all steps of the plan share.
    :param image: the source.
    :param wanted: the metadata that the copy must have.
    :param decision: what has to be done.
    :param named: the ids of the source's images that its properties name. The value is True if
        this image can be copied only after that one; for False it is copied without it too.
    """

    planned: Planned
    image: ExtendedImage
    wanted: Wanted
    decision: Decision
    named: Mapping[str, bool] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What :func:`~glance_compat.copying.plan` proposes for one image, or ``sync`` has done.

    :param action: ``copy``: the target has no copy. ``update``: the metadata of the copy differ,
        or an interrupted run has not finished it. ``present``: nothing has to be done.
        ``refused``: the target cannot store the metadata. ``skipped``: the image has no data that
        can be read, or its copy differs and must not be changed.
    :param source_id: the id of the image.
    :param target_id: the id of the copy, or None if there is none. The id of a planned copy may
        change, if it turns out to be in use.
    :param reason: an explanation for people, or "".
    :param job: what ``sync`` needs; None in a step that ``plan`` has not returned.
    """

    action: Action
    source_id: str
    target_id: str | None
    reason: str
    job: typing.Any = dataclasses.field(default=None, repr=False, compare=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What :func:`~glance_compat.copying.sync` has done.

    :param steps: the steps in the order of the plan, with the actual ids of the copies and, if
        something has changed since the plan, another action and reason.
    :param failed: the errors of the steps that failed, by the id of the source. Nothing incomplete
        is left of them that a later run would not find.
    """

    steps: tuple[Step, ...]
    failed: Mapping[str, GlanceCompatError]
