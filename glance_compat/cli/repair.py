# SPDX-License-Identifier: Apache-2.0
"""``glance-compat audit --fix``: repair what the audit found in single images.

What must live here: the steps of a repair, whatever is repaired: GET, report, write, GET. What
must not: what is written (``repair_encoding`` and ``repair_properties``).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat import exceptions
from glance_compat.audit.records import IMAGE
from glance_compat.cli.references import AmbiguousName, Finder
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.service import ImageService

Image = Mapping[str, typing.Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Repair:
    """One row of the repair report: one string, or the image as a whole.

    :param id: the image's id; if the image could not be repaired, the reference that the user
        passed.
    :param subject: ``name``, ``property NAME``, or ``image``.
    :param outcome: what happened, for display.
    :param is_done: whether nothing is left to repair.
    :param before: the stored string; None if it is NULL.
    :param after: the string that replaces it.
    :param confidence: the confidence of the decoding of a percent-encoded string.
    :param new_name: the name that the property gets, or None if it keeps its name.
    """

    id: str
    subject: str
    outcome: str = ""
    is_done: bool = True
    before: str | None = None
    after: str | None = None
    confidence: str | None = None
    new_name: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """The ways to read and write images over each API that the endpoint offers.

    :param services: an image service for each API, in order; with the options ``extended`` and
        ``v1_exact_show``.
    :param dispatchers: a dispatcher for each API.
    """

    services: Mapping[str, ImageService]
    dispatchers: Mapping[str, Dispatcher]

    @property
    def newest(self) -> ImageService:
        """The service of v2, if the endpoint offers it, else that of v1."""
        return list(self.services.values())[-1]


class Fix(typing.Protocol):
    """The repair of one kind of finding.

    :ivar NEEDS: the APIs that the repair needs, and why.
    :ivar NOTHING: the outcome if there is nothing to repair.
    """

    NEEDS: typing.ClassVar[Mapping[str, str]]
    NOTHING: typing.ClassVar[str]

    def __init__(self, access: Access) -> None: ...

    def plan(self, image_id: str) -> list[Repair]:
        """Return what would be written to an image, and what is refused; send no writes."""

    def write(self, image_id: str, repairs: Sequence[Repair]) -> None:
        """Write repairs with one request, then GET the image and check that nothing else changed.

        :raises glance_compat.exceptions.IntegrityError: the image differs from what is expected.
        """


def check_apis(fix: type[Fix], access: Access, kind: str) -> None:
    """Check that the endpoint offers the APIs that a repair needs.

    :raises glance_compat.exceptions.NoUsableVersion: it does not.
    """
    for api, why in fix.NEEDS.items():
        if api not in access.services:
            raise exceptions.NoUsableVersion(
                f"--fix {kind} needs {api}, which is not read here: {why}"
            )


def repair_image(
    fix: Fix,
    finder: Finder,
    reference: str,
    *,
    dry_run: bool,
    report: Callable[[str], object],
) -> Iterator[Repair]:
    """Repair one image.

    :param fix: what is repaired.
    :param finder: finds the image.
    :param reference: the image's id, URL or name.
    :param dry_run: write nothing.
    :param report: called with a line about each change before it is written.
    """
    try:
        image_id = finder.find(reference)["id"]
        repairs = fix.plan(image_id)
        for one in repairs:
            report(f"{one.id} {one.subject}: {_describe(one)}")
        planned = [one for one in repairs if one.is_done]
        if planned and not dry_run:
            fix.write(image_id, planned)
    except (exceptions.GlanceCompatError, AmbiguousName) as error:
        outcome = f"failed: {type(error).__name__}: {error}"
        report(f"{reference}: {outcome}")
        if isinstance(error, AmbiguousName):
            for line in error.details.splitlines():
                report(line)
        yield Repair(reference, IMAGE, outcome, is_done=False)
        return
    if not repairs:
        yield Repair(image_id, IMAGE, fix.NOTHING)
    for one in repairs:
        place = f" as property {one.new_name}" if one.new_name else ""
        outcome = (
            f"would be written{place}" if dry_run else f"written{place}; nothing else changed"
        )
        yield dataclasses.replace(one, outcome=outcome) if one.is_done else one


def _describe(repair: Repair) -> str:
    if not repair.is_done:
        return repair.outcome
    before = "NULL" if repair.before is None else repr(repair.before)
    if repair.new_name:
        return f"{before} moves to property {repair.new_name}"
    return f"{before} becomes {repair.after!r}"


def check_written(image_id: str, expected: Image, current: Image) -> None:
    """Check an image after a repair.

    :param expected: the attributes that it should have; ``updated_at`` is not compared.
    :raises glance_compat.exceptions.IntegrityError: an attribute differs.
    """
    different = sorted(
        key for key in expected if key != "updated_at" and expected[key] != current.get(key)
    )
    if different:
        raise exceptions.IntegrityError(
            f"the repair was written, but {', '.join(different)} of the image differ from the"
            " expected values, probably because of a concurrent update. Check the image, and"
            " repeat the repair if it is still needed",
            image_id=image_id,
        )
