# SPDX-License-Identifier: Apache-2.0
"""Declare the kinds of findings that have nothing to do with a move: what is wrong with images.

What must live here: as in ``kinds``, the severity of each kind, and the texts that explain it.
What must not: the code that recognises a kind (``conditions`` and ``comparisons``).
"""

from __future__ import annotations

from glance_compat.audit import comparisons, conditions, detectors
from glance_compat.audit.kinds import KINDS, Kind

SANITY_KINDS: tuple[Kind, ...] = (
    Kind(
        name="broken-signature",
        severity="loss",
        target_apis=(),
        meaning=(
            "The image has properties of a signature that cannot be verified: one is missing or"
            " invalid. Services that verify signatures refuse the image. The certificate and the"
            " data are not checked."
        ),
        to_do="Sign the data again, or remove the four properties.",
        detect=detectors.for_image(conditions.describe_broken_signature),
    ),
    Kind(
        name="stuck-image",
        severity="change",
        target_apis=(),
        meaning=(
            "The image has been in a temporary status for longer than --stuck-after. The client or"
            " the process of Glance that worked on it has probably ended."
        ),
        to_do=(
            "Ask its owner, then delete it. If it is pending_delete, find out whether the scrubber"
            " of Glance runs."
        ),
        begin=conditions.StuckImages,
    ),
    Kind(
        name="unusable-format",
        severity="change",
        target_apis=(),
        meaning=(
            "The image has data, but no format, or one that Glance 33 does not accept by default."
            " Most hypervisors cannot use such an image."
        ),
        to_do="Create the image again with the format that its data has.",
        detect=conditions.find_unusable_formats,
    ),
    Kind(
        name="unverifiable-data",
        severity="change",
        target_apis=(),
        meaning=(
            "The image has data, but no checksum and no hash, so nothing notices if its data"
            " changes. Glance computes none for data that it has not received itself."
        ),
        to_do="Upload the data again, if it comes from a source that you trust.",
        detect=detectors.for_image(detectors.describe_missing_checksum),
    ),
    Kind(
        name="invalid-property",
        severity="change",
        target_apis=(),
        meaning=(
            "The value of a property is not what the metadata definitions of the cloud allow."
            " Glance does not enforce them; services may ignore or misread the value."
        ),
        to_do="Correct the value, or the definition.",
        begin=conditions.ForbiddenProperties,
    ),
    Kind(
        name="same-name",
        severity="change",
        target_apis=(),
        meaning=(
            "Several images of one project have the same name. Clients refuse the name, or use one"
            " of the images, which may be the old one. Hidden images do not count."
        ),
        to_do="Rename, hide or delete all but one of them.",
        begin=comparisons.SameName,
    ),
    Kind(
        name="unowned-image",
        severity="change",
        target_apis=(),
        meaning=(
            "Every user sees an image without an owner, whatever its visibility (verified on"
            " Glance 15.0.2), and only an admin can change it."
        ),
        to_do="Set its owner, as an admin.",
        detect=detectors.for_image(detectors.describe_missing_owner),
    ),
    Kind(
        name="small-min-disk",
        severity="note",
        target_apis=(),
        meaning=(
            "The disk in the image is larger than min_disk, so that users may choose a flavor on"
            " which the image cannot be booted."
        ),
        to_do="Set min_disk to at least virtual_size.",
        detect=detectors.for_image(conditions.describe_small_min_disk),
    ),
    Kind(
        name="same-data",
        severity="note",
        target_apis=(),
        meaning=(
            "Several images have the same data, by its hash, or by checksum and size if there is"
            " no hash. Most stores keep it several times."
        ),
        to_do="Use one of them, and delete the others.",
        begin=comparisons.SameData,
    ),
    Kind(
        name="unavailable-image",
        severity="note",
        target_apis=(),
        meaning="The image is deactivated: its owner and other users cannot download its data.",
        to_do="Reactivate it, or delete it if it is no longer under examination.",
        detect=detectors.for_image(detectors.match_status("deactivated")),
    ),
    Kind(
        name="unlisted-image",
        severity="note",
        target_apis=(),
        meaning=(
            "The image is a community image: other projects may use it, but see it in no list that"
            " does not ask for community images."
        ),
        to_do="Publish its id, or make it public or private.",
        detect=detectors.for_image(detectors.match_visibility("community")),
    ),
    Kind(
        name="no-successor",
        severity="note",
        target_apis=(),
        meaning=(
            "The image is hidden, but its property superseded_by names no active image, so that"
            " its users do not learn what to use instead."
        ),
        to_do="Run glance-compat supersede OLD NEW, or delete the image.",
        begin=comparisons.MissingSuccessor,
    ),
    Kind(
        name="definitions-not-read",
        severity="unread",
        target_apis=(),
        meaning=(
            "The metadata definitions of the cloud were not read, so properties were not compared"
            " with them."
        ),
        to_do="Run the audit on an endpoint with v2, with the package jsonschema.",
    ),
    *(
        kind
        for kind in KINDS
        if kind.severity == "unread" and kind.name not in ("v1-not-read", "partly-inspected")
    ),
)

#: The kinds of all audits, by name.
ALL_KINDS_BY_NAME = {kind.name: kind for kind in (*KINDS, *SANITY_KINDS)}
