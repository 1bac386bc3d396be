# SPDX-License-Identifier: Apache-2.0
"""``copy_image``: copy one image.

What must live here: the function, and the errors that take the place of the steps of a plan. What
must not: plans of several images (see ``plans``).
"""

from __future__ import annotations

import contextlib
import logging
import typing
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.copying.choices import SOURCE_PROPERTY, Choices, Visibility
from glance_compat.copying.comparison import Comparison
from glance_compat.copying.decisions import Decision, candidate_ids
from glance_compat.copying.sides import Side
from glance_compat.copying.transfer import Transfer
from glance_compat.service import ImageService
from glance_compat.streams.streams import Progress, check_progress
from glance_compat.types import ExtendedImage, Image

LOG = logging.getLogger(__name__)


def copy_image(
    source: ImageService,
    image_id: str,
    target: ImageService,
    *,
    source_context: object = None,
    target_context: object = None,
    id: str | None = None,  # noqa: A002 - the name of the attribute
    visibility: Visibility = "keep",
    properties: bool = True,
    tags: bool = True,
    members: Mapping[str, str] | None = None,
    decode: bool = False,
    update: bool = False,
    source_property: str = SOURCE_PROPERTY,
    progress: Progress | None = None,
) -> Image:
    """Copy an image with its data and metadata to another cloud, or within one cloud.

    The data is sent on as it arrives and is hashed once; nothing is stored on the way. Its size
    and checksum are compared with those of the source and with those that the target stores. The
    copy belongs to the caller's project in the target. It has a property with the id of its
    source, by which later calls find it: if the target has a copy with the same data already, it
    is returned, and no data is sent.

    The properties ``kernel_id``, ``ramdisk_id``, ``base_image_ref``, ``block_device_mapping`` and
    the one of the option ``successor_property`` get the ids of the copies of the images that they
    name. If there is no such copy, the id stays, and a warning is logged; so copy kernels and
    ramdisks first.

    :param source: the service of the cloud with the image.
    :param image_id: the id of the image, or its href in the source.
    :param target: the service of the cloud that gets the copy; it may be the same as ``source``.
    :param source_context: the request context for the source; None for the service's own
        credentials.
    :param target_context: the request context for the target. If it has a bare token, it needs
        ``project_id``, because copies of earlier calls are found only among the images of a known
        project.
    :param id: the id of the copy, a UUID. None: that of the source; if the target has used it
        already, another one, which depends only on the source's id and the target's project.
    :param visibility: "keep": that of the source. "private": the copy is private; v1 can only make
        it not public.
    :param properties: whether to copy the properties.
    :param tags: whether to copy the tags, which v1 does not have.
    :param members: the projects to share the copy with: a mapping of ids of the source's projects
        to ids of the target's. None: it is shared with no project.
    :param decode: whether to decode the name and the values of properties that
        python-glanceclient has percent-encoded (see the audit). Doubtful ones stay as they are.
    :param update: whether to change the metadata of a copy that exists and differs. Otherwise it
        is returned as it is.
    :param source_property: the name of the property that has the id of the source.
    :param progress: a function that is called with the number of bytes sent so far, and with the
        total or None. If it raises an exception, the copy is cancelled.
    :returns: the copy, with the keys that the methods of ``target`` return.
    :raises glance_compat.exceptions.ImageNotFound: the source does not have the image.
    :raises glance_compat.exceptions.ImageNotActive: the image has no data that can be read, or its
        copy is being uploaded.
    :raises glance_compat.exceptions.Invalid: an argument is invalid, or the target cannot store
        the metadata; the message has the findings of the audit. Nothing was sent.
    :raises glance_compat.exceptions.Conflict: ``id`` is in use.
    :raises glance_compat.exceptions.IntegrityError: the data is not that of the image. The copy
        was deleted.
    :raises glance_compat.exceptions.OutcomeUnknown: as in
        :meth:`glance_compat.ImageService.create`.
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
    progress = check_progress(progress)
    comparison = Comparison(
        Side(source, source_context, "source"), Side(target, target_context, "target"), choices
    )
    return comparison.target.select(_copy(comparison, image_id, id, progress))


def _copy(
    comparison: Comparison, image_id: str, chosen: str | None, progress: Progress | None
) -> ExtendedImage:
    """Copy an image, and return the copy.

    :param chosen: the id of the copy, or None.
    """
    source, target, choices = comparison.source, comparison.target, comparison.choices
    image = source.show(image_id)
    found = target.find_candidates([image["id"], *([chosen] if chosen else [])], choices)
    taken = {one["id"] for one in found}
    if chosen is not None:
        found = [one for one in found if one["id"] == chosen]
    ids = _find_references(comparison, image)
    wanted, decision = comparison.compare(image, comparison.candidates(found), ids)
    if decision.action in ("refused", "skipped"):
        return _existing_or_error(comparison, image, decision)
    transfer = Transfer(source, target, choices)
    for abandoned in decision.abandoned:
        transfer.remove_abandoned(abandoned)
    if decision.action == "copy":
        for note in comparison.notes_of(image, wanted):
            LOG.warning("The copy of image %s is not equal to it: %s", image["id"], note)
        free = iter([chosen]) if chosen else candidate_ids(image["id"], target.project, taken)
        with contextlib.closing(transfer.open(image)) as data:
            return transfer.create(image, wanted, data, free, progress)
    existing = typing.cast(ExtendedImage, decision.existing)
    return existing if decision.action == "present" else transfer.complete(existing, wanted)


def _find_references(comparison: Comparison, image: ExtendedImage) -> dict[str, str]:
    """Map the ids of the images that an image names to the ids of their copies in the target."""
    ids: dict[str, str] = {}
    for name, other in comparison.references_of(image):
        if other in ids:
            continue
        candidates = comparison.target.find_candidates([other], comparison.choices)
        copy = comparison.find_copy(other, comparison.candidates(candidates))
        if copy is None:
            LOG.warning(
                "%s of the copy of image %s stays as it is: the target has no copy of the image"
                " that it names",
                name,
                image["id"],
            )
        else:
            ids[other] = copy
    return ids


def _existing_or_error(
    comparison: Comparison, image: ExtendedImage, decision: Decision
) -> ExtendedImage:
    """Return the copy that exists and must not be changed, or raise an exception."""
    place = comparison.target.discovery.endpoint
    if decision.action == "refused":
        raise exceptions.Invalid(
            f"image {image['id']} cannot be copied to {place}: {decision.reason}",
            endpoint=place,
            image_id=image["id"],
        )
    if decision.existing is None:
        raise exceptions.ImageNotActive(
            f"image {image['id']} was not copied to {place}: {decision.reason}",
            image_id=image["id"],
        )
    LOG.warning("The copy of image %s was not changed: %s", image["id"], decision.reason)
    return decision.existing
