# SPDX-License-Identifier: Apache-2.0
"""Declare every kind of finding: what moving images between v1 and v2 can change or lose.

What must live here: the severity of each kind, and the texts that explain it. What must not: the
code that recognises a kind (``detectors``) or prints findings (``cli``), and differences that
affect every image, which are rows of ``metadata.deviations``.
"""

from __future__ import annotations

import dataclasses

from glance_compat.audit import detectors
from glance_compat.audit.detectors import Detector
from glance_compat.audit.examinations import Examination
from glance_compat.metadata.fields import ATTRIBUTE_CHARACTERS
from glance_compat.metadata.property_names import SERVER_OWNED_PREFIX
from glance_compat.metadata.v1_limits import V1_LINE_BYTES

#: The severities, the least serious first. "unread" means that a list or a record was not read.
SEVERITIES = ("note", "change", "loss", "unread")

#: The APIs that users can move to.
TARGET_APIS = ("v1", "v2")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding.

    :param name: a unique name, which scripts can rely on.
    :param severity: one of :data:`SEVERITIES`.
    :param target_apis: the kind affects a move to these APIs; empty for a kind that has nothing to
        do with a move.
    :param meaning: an explanation for readers who do not know the APIs, with the source of each
        fact.
    :param to_do: what the operator can do about it.
    :param detect: a function that recognises the kind in the records of an image; None if the kind
        is not about the content of one image.
    :param begin: the class of an examination that needs more than the records of one image, or
        None.
    """

    name: str
    severity: str
    target_apis: tuple[str, ...]
    meaning: str
    to_do: str
    detect: Detector | None = None
    begin: type[Examination] | None = None


_V1, _V2, _BOTH = ("v1",), ("v2",), ("v1", "v2")

KINDS: tuple[Kind, ...] = (
    # -- lost or damaged
    Kind(
        name="shadowed-property",
        severity="loss",
        target_apis=_V2,
        meaning=(
            "v1 stores a property that has the name of a v2 attribute. v2 shows the attribute"
            " instead, and can neither change nor remove the property (verified on Glance"
            " 15.0.2)."
        ),
        to_do=(
            "If anything uses the property, give it another name while v1 is available: run"
            " glance-compat audit --fix shadowed-property IMAGE, first with --dry-run. Otherwise"
            " ignore it."
        ),
        detect=detectors.find_shadowed_properties,
    ),
    Kind(
        name="spoofed-attribute",
        severity="loss",
        target_apis=_V2,
        meaning=(
            "A property has the name of an attribute that only newer servers have, or only with"
            " certain settings. Without the attribute, v2 shows the property in its place, and"
            " clients trust a value that any user may have written (verified on Glance 15.0.2:"
            " direct_url, locations). With it, v2 hides the property."
        ),
        to_do="Find out who wrote the property and why; remove it while v1 is available.",
        detect=detectors.find_spoofed_attributes,
    ),
    Kind(
        name="line-break",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "v1 returns metadata in headers and does not escape this value. What follows the line"
            " break is lost, hides other attributes, or is read as an attribute that the image"
            " does not have (verified on Glance 15.0.2)."
        ),
        to_do=(
            "Remove the line breaks over v2 before v1 is used. If the value looks like a header,"
            " find out why: it may be an attack."
        ),
        detect=detectors.for_each_text(detectors.describe_line_break),
    ),
    Kind(
        name="invalid-header-name",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "The name is not a valid HTTP header name. v1 shows the property under a part of the"
            " name, or Python clients lose every header after it (verified on Glance 15.0.2)."
        ),
        to_do="Rename the property over v2; use letters, digits and underscores.",
        detect=detectors.for_each_property(detectors.describe_invalid_header_name),
    ),
    Kind(
        name="folding-names",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "v1 converts names to lower case and dashes to underscores, so these properties have"
            " the same name there. v1 shows one of the values, and an update that keeps all"
            " properties keeps only one (verified on Glance 15.0.2)."
        ),
        to_do="Keep one of them, over v2, with a name in lower case and with underscores.",
        detect=detectors.find_colliding_names,
    ),
    Kind(
        name="folds-to-reserved",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "v1 converts the name to lower case and dashes to underscores; the result is the name"
            " of an attribute. After an update over v1, v2 no longer shows the property (verified"
            " on Glance 15.0.2)."
        ),
        to_do="Rename the property over v2.",
        detect=detectors.find_names_folded_to_reserved,
    ),
    Kind(
        name="too-many-headers",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "v1 returns each property as a header. Python clients read at most 99 headers and fail"
            " on this image, on its data too (verified on Glance 15.0.2). This library reads it."
        ),
        to_do="Remove properties over v2.",
        detect=detectors.for_image(detectors.describe_too_many_headers),
    ),
    Kind(
        name="too-long-value",
        severity="loss",
        target_apis=_V1,
        meaning=(
            f"v1 refuses a header of more than {V1_LINE_BYTES} bytes (verified on Glance 15.0.2:"
            " 400). The value cannot be written over v1, and an update that sends all properties"
            " fails. Beyond 65536 bytes many clients cannot read it."
        ),
        to_do="Shorten the value over v2, or store it elsewhere.",
        detect=detectors.for_each_property(detectors.describe_long_value),
    ),
    Kind(
        name="too-large-metadata",
        severity="loss",
        target_apis=_V1,
        meaning=(
            "The properties together do not fit into one request over v1 (verified on Glance"
            " 15.0.2: 400 beyond 64 KiB of headers), so no update can keep all of them."
        ),
        to_do="Remove or shorten properties over v2.",
        detect=detectors.for_image(detectors.describe_large_metadata),
    ),
    Kind(
        name="lone-surrogate",
        severity="loss",
        target_apis=_BOTH,
        meaning=(
            "The value contains half of a character (a lone surrogate), which no client can send"
            " or print. This library shows U+FFFD in its place (verified on Glance 15.0.2)."
        ),
        to_do="Write the value again.",
        detect=detectors.for_each_text(detectors.describe_lone_surrogate),
    ),
    # -- change of meaning
    Kind(
        name="percent-encoded",
        severity="change",
        target_apis=_V2,
        meaning=(
            "python-glanceclient percent-encoded the value before it sent it over v1, and Glance"
            " stores it encoded (bug 1766235). Over v2 the same client neither encodes values nor"
            " finds encoded ones."
        ),
        to_do="Run glance-compat audit --fix percent-encoded IMAGE, first with --dry-run.",
        detect=detectors.find_percent_encoding,
    ),
    Kind(
        name="percent-encoded-property-name",
        severity="change",
        target_apis=_V2,
        meaning=(
            "python-glanceclient percent-encoded the property's name before it sent it over v1."
            " The case of its letters is lost."
        ),
        to_do=(
            "Rename the property over v2, if you know the original name; --fix percent-encoded"
            " does not."
        ),
        detect=detectors.find_percent_encoded_names,
    ),
    Kind(
        name="reserved-property",
        severity="change",
        target_apis=_V2,
        meaning=(
            "The name has a meaning for v1 or for Glance itself. v2 refuses to set some of these"
            " (location, deleted, deleted_at: 403, verified on Glance 15.0.2 and 33) and stores"
            " the others as ordinary properties. This library changes none of them."
        ),
        to_do="If anything uses the property, copy it to another name; otherwise remove it.",
        detect=detectors.for_each_property(detectors.describe_reserved_name),
    ),
    Kind(
        name="non-uuid-id",
        severity="change",
        target_apis=_V2,
        meaning=(
            "v1 accepts ids that are not UUIDs with dashes. v2 shows such an image, but its schema"
            " does not allow the id (verified on Glance 15.0.2), so strict clients refuse it."
        ),
        to_do="If clients fail, create a new image with the same data.",
        detect=detectors.for_image(detectors.describe_non_uuid),
    ),
    Kind(
        name="missing-formats",
        severity="change",
        target_apis=_V2,
        meaning=(
            "v1 activates some images without formats (size 0, copy_from). v2 changes the formats"
            " of queued images only (403, verified on Glance 15.0.2 and 33), so they stay unset."
        ),
        to_do="Set disk_format and container_format while v1 is available.",
        detect=detectors.for_image(detectors.describe_missing_formats),
    ),
    Kind(
        name="deleted-image",
        severity="change",
        target_apis=_V2,
        meaning=(
            "v1 shows deleted images to an admin; v2 never shows them (verified on Glance 15.0.2"
            " and 33)."
        ),
        to_do="Save the metadata that you still need, for example for billing.",
        detect=detectors.for_image(detectors.describe_deleted),
    ),
    Kind(
        name="long-property-name",
        severity="change",
        target_apis=_V2,
        meaning=(
            f"The property's name is longer than {ATTRIBUTE_CHARACTERS} characters. Glance"
            " 15.0.2 does not check this; v2 of Glance 33 responds with 400."
        ),
        to_do="Rename the property.",
        detect=detectors.for_each_property(detectors.describe_long_name),
    ),
    Kind(
        name="folded-name",
        severity="change",
        target_apis=_V1,
        meaning=(
            "v1 converts names to lower case and dashes to underscores: an update over v1 creates"
            " a second property beside this one, or renames it (verified on Glance 15.0.2)."
        ),
        to_do="Rename the property over v2, and inform its users.",
        detect=detectors.find_folded_names,
    ),
    Kind(
        name="outer-whitespace",
        severity="change",
        target_apis=_V1,
        meaning=(
            "Whitespace at the beginning or the end of a header is not part of its value: v1 does"
            " not return all of it and cannot write it (verified on Glance 15.0.2)."
        ),
        to_do="Remove the whitespace over v2.",
        detect=detectors.for_each_text(detectors.describe_outer_whitespace),
    ),
    Kind(
        name="empty-name",
        severity="change",
        target_apis=_V1,
        meaning="v1 stores an empty name as null (verified on Glance 15.0.2).",
        to_do="Give the image a name.",
        detect=detectors.find_empty_name,
    ),
    Kind(
        name="community-image",
        severity="change",
        target_apis=_V1,
        meaning=(
            "v1 has no community images. It lists this one only to its owner, and an update with"
            " is_public False makes it a shared image (verified on Glance 15.0.2)."
        ),
        to_do="Make it public or share it before its users move to v1.",
        detect=detectors.for_image(detectors.match_visibility("community")),
    ),
    Kind(
        name="hidden-image",
        severity="change",
        target_apis=_V1,
        meaning="v1 has no hidden images and lists this one (os_hidden exists since v2.7).",
        to_do="Delete or unhide it over v2 before its users move to v1.",
        detect=detectors.for_image(detectors.describe_hidden),
    ),
    Kind(
        name="tags",
        severity="change",
        target_apis=_V1,
        meaning=(
            "v1 does not show tags and cannot filter by them. An update over v1 keeps them"
            " (verified on Glance 15.0.2)."
        ),
        to_do="Copy the tags that matter into a property.",
        detect=detectors.for_image(detectors.describe_tags),
    ),
    Kind(
        name="deactivated-image",
        severity="change",
        target_apis=_V1,
        meaning=(
            "v1 never returns the data of a deactivated image, not even to an admin, and cannot"
            " reactivate it (verified on Glance 15.0.2)."
        ),
        to_do="Reactivate or delete it while v2 is available.",
        detect=detectors.for_image(detectors.match_status("deactivated")),
    ),
    # -- notes
    Kind(
        name="null-property",
        severity="note",
        target_apis=_V2,
        meaning=(
            "v1 stores an empty value as NULL: its list returns null, its headers leave the"
            " property out, v2 returns '' (verified on Glance 15.0.2)."
        ),
        to_do=(
            "Nothing, unless a client distinguishes '' from null; then run glance-compat audit"
            " --fix null-property IMAGE, first with --dry-run."
        ),
        detect=detectors.for_each_property(detectors.describe_null),
    ),
    Kind(
        name="no-name",
        severity="note",
        target_apis=_BOTH,
        meaning="Both APIs return null, which many clients do not expect.",
        to_do="Give the image a name.",
        detect=detectors.find_missing_name,
    ),
    Kind(
        name="none-string",
        severity="note",
        target_apis=_V2,
        meaning=(
            "Python clients of v1 sent the string None for a missing value; over v2 it is a"
            " string like any other."
        ),
        to_do="If no value was intended, remove the property or give the image a name.",
        detect=detectors.for_each_text(detectors.describe_none_string),
    ),
    Kind(
        name="no-checksum",
        severity="note",
        target_apis=_BOTH,
        meaning=(
            "Images that were created from a location or with copy_from have no checksum, so"
            " downloads cannot be verified over either API (verified on Glance 15.0.2)."
        ),
        to_do="Upload the data again, if downloads must be verified.",
        detect=detectors.for_image(detectors.describe_missing_checksum),
    ),
    Kind(
        name="image-without-data",
        severity="note",
        target_apis=_V2,
        meaning=(
            "The image became active without data, for example to represent a volume. For a"
            " download v1 returns no bytes and v2 returns 204, which some clients treat as an"
            " error (verified on Glance 15.0.2)."
        ),
        to_do="Nothing, if it represents a volume or a snapshot.",
        detect=detectors.for_image(detectors.describe_missing_data),
    ),
    Kind(
        name="declared-size",
        severity="note",
        target_apis=_V2,
        meaning=(
            "The size was declared over v1 before the upload. v1 compares it with the size of the"
            " data, v2 does not (verified on Glance 15.0.2)."
        ),
        to_do="Nothing; the upload sets the real size.",
        detect=detectors.for_image(detectors.describe_declared_size),
    ),
    Kind(
        name="killed-image",
        severity="note",
        target_apis=_V2,
        meaning=(
            "Its upload failed. v2 does not list killed images, but shows one by its id (verified"
            " on Glance 15.0.2)."
        ),
        to_do="Delete it.",
        detect=detectors.for_image(detectors.match_status("killed")),
    ),
    Kind(
        name="half-deleted-image",
        severity="note",
        target_apis=_BOTH,
        meaning=(
            "Its deletion was interrupted: both APIs still list the image, neither returns its"
            " data or deletes it (verified on Glance 15.0.2: v1 404, v2 400)."
        ),
        to_do="Remove it from Glance's database, or ask an operator to.",
        detect=detectors.for_image(detectors.describe_half_deleted),
    ),
    Kind(
        name="private-image",
        severity="note",
        target_apis=_V1,
        meaning=(
            "v1 does not distinguish private from shared: an update with is_public False makes"
            " this a shared image, which can have members (verified on Glance 15.0.2)."
        ),
        to_do="Nothing, as long as it has no members.",
        detect=detectors.for_image(detectors.match_visibility("private")),
    ),
    Kind(
        name="import-status",
        severity="note",
        target_apis=_V1,
        meaning="v1 does not have this status: the image is being imported over v2.",
        to_do="Wait until the import has ended.",
        detect=detectors.for_image(detectors.match_status("uploading", "importing")),
    ),
    Kind(
        name="multiple-stores",
        severity="note",
        target_apis=_V1,
        meaning="v1 does not show which stores have the data.",
        to_do="Nothing.",
        detect=detectors.for_image(detectors.describe_stores),
    ),
    Kind(
        name="multiple-locations",
        severity="note",
        target_apis=_V1,
        meaning="v1 never shows locations (verified on Glance 15.0.2).",
        to_do="Nothing.",
        detect=detectors.for_image(detectors.describe_locations),
    ),
    Kind(
        name="server-owned-property",
        severity="note",
        target_apis=_BOTH,
        meaning=(
            f"Only Glance itself writes properties that begin with {SERVER_OWNED_PREFIX}: v2 of"
            " Glance 33 rejects a change or removal with 403; v1 lets any user change them."
        ),
        to_do="Nothing, if Glance wrote it.",
        detect=detectors.for_each_property(detectors.describe_server_owned),
    ),
    Kind(
        name="no-owner",
        severity="note",
        target_apis=_BOTH,
        meaning=(
            "Every user sees an image without an owner, whatever its visibility, over both APIs"
            " (verified on Glance 15.0.2)."
        ),
        to_do="Set its owner, as an admin.",
        detect=detectors.for_image(detectors.describe_missing_owner),
    ),
    # -- not read
    Kind(
        name="one-api-only",
        severity="unread",
        target_apis=_BOTH,
        meaning=(
            "One API listed the image and the other did not: it was created or deleted during the"
            " audit, or the APIs show it to different users. Its record in the other API was not"
            " read."
        ),
        to_do="Run the audit again; if the finding stays, run it as an admin.",
    ),
    Kind(
        name="unreadable-image",
        severity="unread",
        target_apis=_BOTH,
        meaning="A list contains the image in a format that Glance never sends, so that a part of"
        " the image was not read.",
        to_do="Find out which server responds at the endpoint.",
        detect=detectors.for_image(detectors.describe_unreadable),
    ),
    Kind(
        name="partly-inspected",
        severity="unread",
        target_apis=_BOTH,
        meaning=(
            f"The value is longer than {detectors.INSPECTED_CHARACTERS} characters. Only its"
            " beginning was inspected, and percent-encoding was not decoded."
        ),
        to_do="Find out who wrote the value; shorten it, and run the audit again.",
        detect=detectors.find_partly_inspected,
    ),
    Kind(
        name="v1-not-read",
        severity="unread",
        target_apis=_V2,
        meaning=(
            "v1 was not read. Only v1 shows the properties that v2 hides, and which values are"
            " NULL."
        ),
        to_do="If the cloud ever had v1, run the audit on an endpoint that offers it.",
    ),
    Kind(
        name="v2-not-read",
        severity="unread",
        target_apis=_V1,
        meaning=(
            "v2 was not read. Only v2 shows tags, locations, community images of other projects,"
            " and the difference between private and shared."
        ),
        to_do="If the cloud has v2, run the audit on an endpoint that offers it.",
    ),
    Kind(
        name="lists-not-read",
        severity="unread",
        target_apis=_BOTH,
        meaning=(
            "v2 lists community images of other projects (since 2.5) and hidden images (since 2.7)"
            " only on request, and older servers misread that request. The minor version is"
            " unknown, so these lists were not read."
        ),
        to_do="Run the audit on an endpoint that returns its version document.",
    ),
    Kind(
        name="list-incomplete",
        severity="unread",
        target_apis=_BOTH,
        meaning="A list could not be read to its end, so images may be missing from the audit.",
        to_do="Fix the cause of the error, and run the audit again.",
    ),
)

KINDS_BY_NAME = {kind.name: kind for kind in KINDS}
