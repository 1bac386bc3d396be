# SPDX-License-Identifier: Apache-2.0
"""Decide what has to be done for one image, from what the two clouds show.

What must live here: the steps, and the rules by which they are chosen. What must not: I/O and the
clock.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence

from glance_compat.copying.choices import Choices
from glance_compat.copying.wanted import Wanted, find_differences, is_same_data, parse_source
from glance_compat.metadata.changes import UUID
from glance_compat.types import ExtendedImage

Action = typing.Literal["copy", "update", "present", "refused", "skipped"]

#: Statuses of an image whose data is complete.
COMPLETE = frozenset({"active", "deactivated"})

#: Statuses of a copy to which no data is being sent.
_ABANDONED = frozenset({"queued", "killed"})

#: How long a copy without data must not have changed before it may be removed.
_ABANDONED_AFTER = datetime.timedelta(minutes=10)


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What has to be done for one image.

    :param action: ``copy``; ``update``: the copy exists, and its metadata differ; ``present``:
        nothing has to be done; ``refused``: the target cannot store the metadata; ``skipped``: the
        source has no data, or its copy must not be changed.
    :param existing: the copy in the target, if there is one.
    :param reason: an explanation for people; "" if there is nothing to explain.
    :param abandoned: ids of records without data that an interrupted run has left in the target.
    """

    action: Action
    existing: ExtendedImage | None = None
    reason: str = ""
    abandoned: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Candidates:
    """The images of the target that may be the copy of an image.

    :param images: the images.
    :param project: the id of the caller's project in the target. Other projects' images are never
        a copy, because any user may write the source property.
    :param now: the current time, in UTC.
    """

    images: Sequence[ExtendedImage]
    project: str | None
    now: datetime.datetime

    def own(self) -> Iterator[ExtendedImage]:
        return (one for one in self.images if one["owner"] == self.project)


def decide(
    image: ExtendedImage,
    wanted: Wanted,
    candidates: Candidates,
    choices: Choices,
    *,
    find_refusal: Callable[[], str | None] = lambda: None,
    match: Callable[[str], str] = str,
    shared_with: Callable[[ExtendedImage], frozenset[str] | None] = lambda one: None,
) -> Decision:
    """Return what has to be done for an image.

    :param image: the source.
    :param wanted: the metadata that the copy must have.
    :param candidates: the images of the target that may be the copy.
    :param find_refusal: returns why the target cannot store the metadata, or None.
    :param match: returns the name under which the target stores a property.
    :param shared_with: returns the ids of the projects that an image of the target is shared with,
        or None if members are not copied.
    """
    linked = [one for one in candidates.own() if _source_of(one, choices) == image["id"]]
    abandoned = tuple(one["id"] for one in linked if _is_abandoned(one, candidates.now))

    def differences_of(one: ExtendedImage) -> list[str]:
        return find_differences(wanted, one, choices, match, shared_with(one))

    existing = _find_copy(image, candidates, choices, differences_of)
    if existing is None:
        return _decide_new(image, linked, abandoned, find_refusal)
    if not is_finished(existing, choices):
        reason = "finishes the copy that an interrupted run has left"
        return Decision("update", existing, reason, abandoned)
    differences = differences_of(existing)
    if not differences:
        return Decision("present", existing, "", abandoned)
    reason = f"the copy differs in {', '.join(differences)}"
    refusal = find_refusal()
    if refusal is not None:
        return Decision("refused", existing, f"{reason}; {refusal}", abandoned)
    if not choices.update:
        return Decision("skipped", existing, f"{reason}; update would change it", abandoned)
    return Decision("update", existing, reason, abandoned)


def _decide_new(
    image: ExtendedImage,
    linked: Sequence[ExtendedImage],
    abandoned: tuple[str, ...],
    find_refusal: Callable[[], str | None],
) -> Decision:
    if image["status"] != "active":
        return Decision("skipped", None, f"the status of the image is {image['status']}")
    storing = [one for one in linked if one["status"] not in COMPLETE | _ABANDONED]
    if storing:
        one = storing[0]
        reason = f"image {one['id']} of the target is being uploaded: its status is"
        return Decision("skipped", None, f"{reason} {one['status']}")
    refusal = find_refusal()
    if refusal is not None:
        return Decision("refused", None, refusal, abandoned)
    return Decision("copy", None, "", abandoned)


def _find_copy(
    image: ExtendedImage,
    candidates: Candidates,
    choices: Choices,
    differences_of: Callable[[ExtendedImage], list[str]],
) -> ExtendedImage | None:
    """Return the copy of an image, or None if there is none.

    That is an image with the same data that has the source property or the same id, or else an
    image without the property that is equal in all that is compared.
    """

    found = find_linked(image, candidates, choices)
    if found is not None or not image["size"]:
        return found
    others = (
        one
        for one in candidates.own()
        if _has_data_of(image, one) and _source_of(one, choices) is None
    )
    return next((one for one in others if not differences_of(one)), None)


def find_linked(
    image: ExtendedImage, candidates: Candidates, choices: Choices
) -> ExtendedImage | None:
    """Return the image with the same data that has the source property, or else the same id."""
    found = [
        one
        for one in candidates.own()
        if _has_data_of(image, one)
        and (one["id"] == image["id"] or _source_of(one, choices) == image["id"])
    ]

    def preference(one: ExtendedImage) -> tuple[bool, bool, str]:
        is_linked = _source_of(one, choices) == image["id"]
        return not is_linked, not is_finished(one, choices), one["id"]

    return min(found, key=preference, default=None)


def _has_data_of(image: ExtendedImage, one: ExtendedImage) -> bool:
    return one["status"] in COMPLETE and is_same_data(image, one)


def _source_of(one: ExtendedImage, choices: Choices) -> str | None:
    parsed = parse_source(one["properties"].get(choices.source_property))
    return parsed[0] if parsed else None


def is_finished(one: ExtendedImage, choices: Choices) -> bool:
    """Return whether nothing says that a copy lacks its members or its protection."""
    parsed = parse_source(one["properties"].get(choices.source_property))
    return parsed is None or parsed[1]


def _is_abandoned(one: ExtendedImage, now: datetime.datetime) -> bool:
    changed = one["updated_at"]
    is_old = changed is not None and now - changed > _ABANDONED_AFTER
    return is_old and one["status"] in _ABANDONED


# ---------------------------------------------------------------------------------------------
# Ids.

#: How many ids are tried for one copy. The id of a deleted image cannot be used again, so each
#: failed copy takes one.
MOST_IDS = 100


def candidate_ids(
    source_id: str, project: str | None, taken: Collection[str] = ()
) -> Iterator[str]:
    """Yield the ids to try for a copy: that of the source, then others that depend on it.

    :param project: the id of the project that will own the copy.
    :param taken: ids that are known to be in use.
    """
    if UUID.fullmatch(source_id) and source_id not in taken:
        yield source_id
    for number in range(MOST_IDS):
        name = f"{source_id} {project or ''} {number}"
        chosen = str(uuid.uuid5(_NAMESPACE, name))
        if chosen not in taken:
            yield chosen


#: The namespace of the ids of copies (RFC 9562), made once with uuid4().
_NAMESPACE = uuid.UUID("5f0b7d8e-4f5c-4d0e-9c39-0f1d4a7be2c6")
