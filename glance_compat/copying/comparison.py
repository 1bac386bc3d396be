# SPDX-License-Identifier: Apache-2.0
"""Compare an image of the source with those of the target that may be its copy.

What must live here: the combination of what the two clouds show with the pure rules. What must
not: the rules (see ``decisions``), and lists of whole clouds (see ``plans``).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from glance_compat import exceptions
from glance_compat.copying.choices import Choices
from glance_compat.copying.decisions import Candidates, Decision, decide, find_linked
from glance_compat.copying.references import find_references
from glance_compat.copying.refusals import find_notes, find_refusal
from glance_compat.copying.sides import Side, mapped_members
from glance_compat.copying.wanted import Wanted, compute_wanted
from glance_compat.types import ExtendedImage


class Comparison:
    """The comparison of two clouds.

    :param source: the cloud with the images.
    :param target: the cloud that gets the copies.
    :param choices: what the caller chose.
    """

    def __init__(self, source: Side, target: Side, choices: Choices) -> None:
        self.source = source
        self.target = target
        self.choices = choices

    def candidates(self, images: Sequence[ExtendedImage]) -> Candidates:
        """Return images of the target as candidates for the copy of an image.

        :raises glance_compat.exceptions.Invalid: the caller's project in the target is unknown, so
            that it cannot be established whose these images are.
        """
        owned = [one for one in images if one["owner"] is not None]
        if self.target.project is None and owned:
            raise exceptions.Invalid(
                f"image {owned[0]['id']} of {self.target.discovery.endpoint} may be a copy of an"
                " earlier run, but the caller's project is unknown: log in to Keystone"
                " (--to-os-cloud), or name the project (project_id of target_context;"
                " --to-os-project-id)"
            )
        now = datetime.datetime.now(datetime.timezone.utc)
        return Candidates(images, self.target.project, now)

    def compare(
        self,
        image: ExtendedImage,
        candidates: Candidates,
        ids: Mapping[str, str],
    ) -> tuple[Wanted, Decision]:
        """Return the metadata that the copy of an image must have, and what has to be done.

        :param ids: the ids of the copies of other images, by the id of their source.
        """
        wanted = self.wanted(image, ids)
        decision = decide(
            image,
            wanted,
            candidates,
            self.choices,
            find_refusal=lambda: find_refusal(
                image, wanted, self.target.discovery, self.target.options
            ),
            match=self.target.match,
            shared_with=self._shared_with,
        )
        return wanted, decision

    def wanted(self, image: ExtendedImage, ids: Mapping[str, str]) -> Wanted:
        """Return the metadata that the copy of an image must have."""
        return self.with_ids(image, mapped_members(self.source, image, self.choices), ids)

    def with_ids(
        self, image: ExtendedImage, members: tuple[str, ...], ids: Mapping[str, str]
    ) -> Wanted:
        """Return the metadata that a copy must have, without a request.

        :param members: ids of the target's projects that the copy must be shared with.
        :param ids: as in :meth:`compare`.
        """
        successor = self.source.options.successor_property
        return compute_wanted(image, self.choices, ids, successor, members)

    def references_of(self, image: ExtendedImage) -> list[tuple[str, str]]:
        """Return the names of the properties that name another image, with the image's id."""
        if not self.choices.properties:
            return []
        successor = self.source.options.successor_property
        return [
            (name, other)
            for name, other in find_references(image["properties"], successor)
            if other != image["id"]
        ]

    def notes_of(self, image: ExtendedImage, wanted: Wanted) -> list[str]:
        """Return what the target stores differently from what is wanted."""
        return find_notes(image, wanted, self.target.discovery)

    def find_copy(self, image_id: str, candidates: Candidates) -> str | None:
        """Return the id of the copy of an image in the target, or None if there is none.

        :param image_id: the id of an image of the source, which is fetched to compare its data.
        """
        others = list(candidates.own())
        image = self.source.find(image_id) if others else None
        found = find_linked(image, candidates, self.choices) if image is not None else None
        return found["id"] if found is not None else None

    def _shared_with(self, one: ExtendedImage) -> frozenset[str] | None:
        return frozenset(self.target.members_of(one)) if self.choices.members else None
