# SPDX-License-Identifier: Apache-2.0
"""``plan``: compare the images of two clouds, and return what has to be done.

What must live here: reading the two lists, and the order of the steps. What must not: the decision
for one image (see ``decisions``), and everything that changes a cloud.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from glance_compat.copying.choices import SOURCE_PROPERTY, Choices, Visibility
from glance_compat.copying.comparison import Comparison
from glance_compat.copying.decisions import Candidates, Decision, candidate_ids, find_linked
from glance_compat.copying.references import ORIGIN
from glance_compat.copying.sides import Side
from glance_compat.copying.steps import Job, Planned, Step
from glance_compat.copying.wanted import Wanted, parse_source
from glance_compat.redaction import quote_value
from glance_compat.service import ImageService
from glance_compat.types import ExtendedImage


def plan(
    source: ImageService,
    target: ImageService,
    *,
    source_context: object = None,
    target_context: object = None,
    filters: Mapping[str, object] | None = None,
    visibility: Visibility = "keep",
    properties: bool = True,
    tags: bool = True,
    members: Mapping[str, str] | None = None,
    decode: bool = False,
    update: bool = False,
    source_property: str = SOURCE_PROPERTY,
) -> list[Step]:
    """Compare the images of two clouds, and return what has to be done, for :func:`sync`.

    Nothing is changed. The images of the source, and those of the target that belong to the
    caller's project, are listed once each.

    An image of the target is the copy of an image if it belongs to the caller's project, has the
    same data (size, and every hash that both clouds have), and has the id of the image, or its id
    in the source property. An image of another program is one too if it is equal in all that is
    compared. The property alone proves nothing, because any user may write it.

    :param filters: the images of the source, as in
        :meth:`glance_compat.ImageService.iter_detail`. None: all that the caller sees, without
        hidden ones. With ``{"owner": project}`` these are the images of one project.

    The other parameters are those of :func:`copy_image`.

    :returns: one step for each image, in the order in which :func:`sync` begins them: an image
        comes after those that its properties name.
    :raises glance_compat.exceptions.GlanceCompatError: an argument is invalid, or a cloud cannot
        be read.
    """
    choices = Choices(
        visibility=visibility,
        properties=properties,
        tags=tags,
        members=members,
        decode=decode,
        update=update,
        source_property=source_property,
    )
    comparison = Comparison(
        Side(source, source_context, "source"), Side(target, target_context, "target"), choices
    )
    images = {one["id"]: one for one in comparison.source.iter_images(filters)}
    return list(_Planner(comparison, images).steps())


class _Planner:
    """Makes the steps of one plan.

    :param comparison: the two clouds, and what the caller chose.
    :param images: the images to copy, by id.
    """

    def __init__(self, comparison: Comparison, images: Mapping[str, ExtendedImage]) -> None:
        self._comparison = comparison
        self._choices = comparison.choices
        self._images = images
        self._references = {
            image_id: comparison.references_of(image) for image_id, image in images.items()
        }
        named = {other for found in self._references.values() for _, other in found}
        self._by_source: dict[str, list[ExtendedImage]] = {}
        self._alike: dict[tuple[str | None, int], list[ExtendedImage]] = {}
        self._taken: set[str] = set()
        self._index_target(named | images.keys())
        self._ids: dict[str, str] = {}

    def steps(self) -> Iterator[Step]:
        """Yield the steps, in the order in which they are carried out."""
        self._foresee_ids()
        planned = Planned(self._comparison, self._ids)
        for image in order_by_references(self._images, self._references):
            wanted, decision = self._comparison.compare(image, self._candidates(image), self._ids)
            target_id = self._note_id(image, decision)
            named: dict[str, bool] = {}
            for name, other in self._references[image["id"]]:
                if other in self._images:
                    named[other] = named.get(other, False) or name != ORIGIN
            job = Job(planned, image, wanted, decision, named)
            reason = self._explain(image, wanted, decision)
            yield Step(decision.action, image["id"], target_id, reason, job)

    # -- the images of the target

    def _index_target(self, source_ids: set[str]) -> None:
        """List the target, and keep the images that may be copies."""
        keys = {self._key_of(image) for image in self._images.values()}
        target = self._comparison.target
        filters = {"owner": target.project} if target.project is not None else {}
        for one in target.iter_with_hidden(filters):
            parsed = parse_source(one["properties"].get(self._choices.source_property))
            if parsed is not None and parsed[0] in source_ids:
                self._by_source.setdefault(parsed[0], []).append(one)
            if one["id"] in source_ids:
                self._taken.add(one["id"])
                if parsed is None or parsed[0] != one["id"]:
                    self._by_source.setdefault(one["id"], []).append(one)
            if parsed is None and _name_and_size(one) in keys:
                self._alike.setdefault(_name_and_size(one), []).append(one)

    def _candidates(self, image: ExtendedImage) -> Candidates:
        found = {one["id"]: one for one in self._by_source.get(image["id"], ())}
        for one in self._alike.get(self._key_of(image), ()):
            found.setdefault(one["id"], one)
        return self._comparison.candidates(list(found.values()))

    def _key_of(self, image: ExtendedImage) -> tuple[str | None, int]:
        """Return the name that the copy of an image gets, and its size."""
        wanted = self._comparison.with_ids(image, (), {})
        return wanted.base.get("name") or None, image["size"]

    # -- the ids of the copies

    def _foresee_ids(self) -> None:
        """Note the ids that the copies have, or will probably get."""
        project = self._comparison.target.project
        for image_id, image in self._images.items():
            found = find_linked(image, self._candidates(image), self._choices)
            if found is not None:
                self._ids[image_id] = found["id"]
            elif image["status"] == "active":
                self._ids[image_id] = next(candidate_ids(image_id, project, self._taken))
        others = {other for found in self._references.values() for _, other in found}
        for other in others - self._images.keys():
            candidates = self._comparison.candidates(self._by_source.get(other, []))
            copy = self._comparison.find_copy(other, candidates)
            if copy is not None:
                self._ids[other] = copy

    def _note_id(self, image: ExtendedImage, decision: Decision) -> str | None:
        """Return the id of the copy, or None if there will be none."""
        if decision.existing is not None:
            self._ids[image["id"]] = decision.existing["id"]
        elif decision.action != "copy":
            self._ids.pop(image["id"], None)
        return self._ids.get(image["id"])

    def _explain(self, image: ExtendedImage, wanted: Wanted, decision: Decision) -> str:
        """Return the reason of a step, with everything that the copy will not have."""
        reasons = [decision.reason] if decision.reason else []
        if decision.action == "copy":
            reasons += self._comparison.notes_of(image, wanted)
            reasons += [
                f"{name} names image {quote_value(other)}, which has no copy in the target"
                for name, other in self._references[image["id"]]
                if other not in self._ids
            ]
        if decision.abandoned and decision.action in ("copy", "update", "present"):
            listed = ", ".join(decision.abandoned)
            reasons.append(f"removes what an interrupted run has left: {listed}")
        return "; ".join(reasons)


def _name_and_size(image: ExtendedImage) -> tuple[str | None, int]:
    return image["name"] or None, image["size"]


def order_by_references(
    images: Mapping[str, ExtendedImage], references: Mapping[str, Sequence[tuple[str, str]]]
) -> Iterator[ExtendedImage]:
    """Yield each image after those that it names, except in a circle.

    :param references: the references of each image, by its id: names of properties, and ids.
    """
    begun: set[str] = set()
    for root in images:
        # Not recursive: a series of images may be longer than Python's stack.
        stack = [(root, iter(references[root]))] if root not in begun else []
        begun.add(root)
        while stack:
            image_id, others = stack[-1]
            for _, other in others:
                if other in images and other not in begun:
                    begun.add(other)
                    stack.append((other, iter(references[other])))
                    break
            else:
                stack.pop()
                yield images[image_id]
