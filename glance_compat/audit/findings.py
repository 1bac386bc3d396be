# SPDX-License-Identifier: Apache-2.0
"""What would change or be lost when the users of an image move from v1 to v2, or back.

What must live here: the kinds of finding, declared once: what each means and what can be done.
What must not: how it is told from a record (``traces``), I/O, how findings are shown (``cli``),
and differences that concern every image alike, which are rows of ``deviations``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator

from glance_compat.audit import detectors
from glance_compat.audit.detectors import NAME, Hit, Record, Seen
from glance_compat.metadata.fields import SERVER_OWNED_PREFIX
from glance_compat.metadata.v1_limits import V1_LINE_BYTES

#: From the least to the most serious. "unseen" is not about an image: something was not read.
SEVERITIES = ("note", "change", "loss", "unseen")

#: The API to which users move.
TOWARDS = ("v1", "v2")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding.

    :param name: unique, for scripts.
    :param severity: of :data:`SEVERITIES`.
    :param towards: which moves it concerns, of :data:`TOWARDS`.
    :param meaning: for somebody who does not know the APIs, with the source of the fact.
    :param to_do: what can be done about it.
    :param look: finds it in an image; None: it is not about what an image holds.
    """

    name: str
    severity: str
    towards: tuple[str, ...]
    meaning: str
    to_do: str
    look: Callable[[Seen], Iterator[Hit]] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """A kind of finding at one place of one image.

    :param image_id: None where it is about a whole list.
    :param name: the image's, as it is stored.
    """

    kind: Kind
    hit: Hit
    image_id: str | None = None
    name: str | None = None
    owner: str | None = None


# ---------------------------------------------------------------------------------------------
# The table.

_V1, _V2, _BOTH = ("v1",), ("v2",), ("v1", "v2")

KINDS: tuple[Kind, ...] = (
    # -- lost or damaged
    Kind(
        name="shadowed-property",
        severity="loss",
        towards=_V2,
        meaning=(
            "v1 keeps a property with the name of an attribute of v2, which shows the attribute"
            " and never the property, and can neither change nor remove it (seen on Glance"
            " 15.0.2)."
        ),
        to_do=(
            "If anything uses the property, copy it to another name while v1 is there; else leave"
            " it."
        ),
        look=detectors.shadowed,
    ),
    Kind(
        name="planted-attribute",
        severity="loss",
        towards=_V2,
        meaning=(
            "A property has the name of an attribute that only newer servers have, or only with"
            " certain settings. Until then v2 shows the property in its place, so that its users"
            " take for the server's word what anybody wrote (seen on Glance 15.0.2: direct_url,"
            " locations); later it is hidden."
        ),
        to_do="Find out who wrote it and why; remove it while v1 is there.",
        look=detectors.planted,
    ),
    Kind(
        name="line-break",
        severity="loss",
        towards=_V1,
        meaning=(
            "v1 shows an image as headers and writes this text into them as it is: what follows"
            " the line break is lost, hides other attributes, or is taken for an attribute that"
            " the image does not have (seen on Glance 15.0.2)."
        ),
        to_do=(
            "Write the text without line breaks over v2 before anybody uses v1. If it reads like"
            " a header, ask why: it may be meant to deceive."
        ),
        look=detectors.of_texts(detectors.line_break),
    ),
    Kind(
        name="unfit-property-name",
        severity="loss",
        towards=_V1,
        meaning=(
            "No header can have this name. v1 shows the property under a part of the name, or"
            " every header after it is lost to Python clients (seen on Glance 15.0.2)."
        ),
        to_do="Rename the property over v2: letters, digits and underscores.",
        look=detectors.of_properties(detectors.unfit_name),
    ),
    Kind(
        name="folding-names",
        severity="loss",
        towards=_V1,
        meaning=(
            "v1 takes upper case and dashes for lower case and underscores, so these properties"
            " are one to it: it shows one value, and an update that keeps all of them keeps one"
            " (seen on Glance 15.0.2)."
        ),
        to_do="Keep one of them, over v2, under the name in lower case with underscores.",
        look=detectors.merged,
    ),
    Kind(
        name="folds-to-reserved",
        severity="loss",
        towards=_V1,
        meaning=(
            "v1 writes the name in lower case with underscores, which is the name of an"
            " attribute: after an update over v1, v2 does not show the property any more (seen on"
            " Glance 15.0.2)."
        ),
        to_do="Rename the property over v2.",
        look=detectors.made_reserved,
    ),
    Kind(
        name="too-many-headers",
        severity="loss",
        towards=_V1,
        meaning=(
            "v1 shows each property as a header. Clients in Python read 99 headers at most and"
            " fail on this image, its data too (seen on Glance 15.0.2); this library reads it."
        ),
        to_do="Remove properties over v2.",
        look=detectors.of_image(detectors.too_many),
    ),
    Kind(
        name="too-long-value",
        severity="loss",
        towards=_V1,
        meaning=(
            f"A header of more than {V1_LINE_BYTES} bytes is refused (seen on Glance 15.0.2: 400),"
            " so that the value cannot be written over v1, nor kept in an update that sends all"
            " properties; beyond 65536 bytes many clients cannot read it."
        ),
        to_do="Shorten the value over v2, or keep it elsewhere.",
        look=detectors.of_properties(detectors.too_long),
    ),
    Kind(
        name="too-large-metadata",
        severity="loss",
        towards=_V1,
        meaning=(
            "All properties together are more than one request over v1 can hold (seen on Glance"
            " 15.0.2: 400 beyond 64 KiB of headers), so that no update can keep all of them."
        ),
        to_do="Remove or shorten properties over v2.",
        look=detectors.of_image(detectors.too_large),
    ),
    Kind(
        name="broken-text",
        severity="loss",
        towards=_BOTH,
        meaning=(
            "The text has half of a character (a lone surrogate), which no client can send or"
            " print. This library shows U+FFFD in its place (seen on Glance 15.0.2)."
        ),
        to_do="Write the text again.",
        look=detectors.of_texts(detectors.broken),
    ),
    # -- means something else
    Kind(
        name="percent-encoded",
        severity="change",
        towards=_V2,
        meaning=(
            "python-glanceclient encoded text before it sent it over v1, and Glance keeps it so"
            " (bug 1766235). Over v2 the same client writes and looks for the text itself, and"
            " does not find this one."
        ),
        to_do="Repair it: glance-compat audit --fix-percent-encoding IMAGE, first with --dry-run.",
        look=detectors.percent,
    ),
    Kind(
        name="percent-encoded-property-name",
        severity="change",
        towards=_V2,
        meaning=(
            "python-glanceclient encoded the property's name before it sent it over v1. In which"
            " case it was written is lost."
        ),
        to_do="Rename the property over v2, if you know what it was; it is not repaired for you.",
        look=detectors.percent_names,
    ),
    Kind(
        name="reserved-property",
        severity="change",
        towards=_V2,
        meaning=(
            "The name means something to v1 or to Glance itself. v2 refuses to set some of these"
            " (location, deleted, deleted_at: 403, seen on Glance 15.0.2 and 33) and takes the"
            " others for properties without a meaning; this library does not change any."
        ),
        to_do="If anything uses the property, copy it to another name; else remove it.",
        look=detectors.of_properties(detectors.reserved),
    ),
    Kind(
        name="foreign-id",
        severity="change",
        towards=_V2,
        meaning=(
            "v1 takes ids that are not UUIDs with dashes; v2 shows such an image, but its schema"
            " does not allow the id (seen on Glance 15.0.2), so that strict clients refuse it."
        ),
        to_do="Make a new image of the same data, if clients fail.",
        look=detectors.of_image(detectors.foreign_id),
    ),
    Kind(
        name="missing-formats",
        severity="change",
        towards=_V2,
        meaning=(
            "v1 activates some images without formats (size 0, copy_from). v2 changes formats of"
            " queued images only (403, seen on Glance 15.0.2 and 33), so they stay unknown."
        ),
        to_do="Set disk_format and container_format while v1 is there.",
        look=detectors.of_image(detectors.without_formats),
    ),
    Kind(
        name="deleted-image",
        severity="change",
        towards=_V2,
        meaning=(
            "v1 shows deleted images to an administrator; v2 shows them to nobody (seen on Glance"
            " 15.0.2 and 33)."
        ),
        to_do="Keep what you need of it, for billing say, elsewhere.",
        look=detectors.of_image(detectors.deleted),
    ),
    Kind(
        name="long-property-name",
        severity="change",
        towards=_V2,
        meaning=(
            f"The property's name has more than {detectors.NAME_CHARACTERS} characters: Glance"
            " 15.0.2 does not check it, v2 of Glance 33 answers 400."
        ),
        to_do="Rename the property.",
        look=detectors.of_properties(detectors.long_name),
    ),
    Kind(
        name="folded-name",
        severity="change",
        towards=_V1,
        meaning=(
            "v1 writes names in lower case, with underscores for dashes: an update over v1 makes"
            " a second property beside this one, or renames it (seen on Glance 15.0.2)."
        ),
        to_do="Rename the property over v2, and tell those who look for the old name.",
        look=detectors.renamed,
    ),
    Kind(
        name="outer-blanks",
        severity="change",
        towards=_V1,
        meaning=(
            "White space at the beginning or the end of a header is not part of its value: v1"
            " does not show all of it and cannot write it (seen on Glance 15.0.2)."
        ),
        to_do="Write the text without it, over v2.",
        look=detectors.of_texts(detectors.outer_blanks),
    ),
    Kind(
        name="empty-name",
        severity="change",
        towards=_V1,
        meaning="Over v1 an empty name is stored as none at all (seen on Glance 15.0.2).",
        to_do="Give the image a name.",
        look=detectors.empty_name,
    ),
    Kind(
        name="community-image",
        severity="change",
        towards=_V1,
        meaning=(
            "v1 has no community images: it lists this one to its owner alone, and an update with"
            " is_public False makes it a shared one (seen on Glance 15.0.2)."
        ),
        to_do="Make it public or share it, if its users move to v1.",
        look=detectors.of_image(detectors.visibility("community")),
    ),
    Kind(
        name="hidden-image",
        severity="change",
        towards=_V1,
        meaning="v1 knows no hidden images (os_hidden came with v2.7).",
        to_do="Delete it or show it again over v2, if its users move to v1.",
        look=detectors.of_image(detectors.hidden),
    ),
    Kind(
        name="tags",
        severity="change",
        towards=_V1,
        meaning=(
            "v1 shows no tags, and finds no images by them; an update over v1 keeps them (seen on"
            " Glance 15.0.2)."
        ),
        to_do="Write what matters into a property.",
        look=detectors.of_image(detectors.tagged),
    ),
    Kind(
        name="deactivated-image",
        severity="change",
        towards=_V1,
        meaning=(
            "Over v1 nobody can read a deactivated image, not even an administrator, and nobody"
            " can activate it again (seen on Glance 15.0.2)."
        ),
        to_do="Activate or delete it over v2, before v2 is gone.",
        look=detectors.of_image(detectors.status("deactivated")),
    ),
    # -- worth knowing
    Kind(
        name="null-property",
        severity="note",
        towards=_V2,
        meaning=(
            "v1 stores an empty value as NULL: its list says null, its headers leave it out, v2"
            " says '' (seen on Glance 15.0.2)."
        ),
        to_do="Nothing, unless a client tells '' from nothing.",
        look=detectors.of_properties(detectors.null),
    ),
    Kind(
        name="no-name",
        severity="note",
        towards=_BOTH,
        meaning="Both APIs say null, which many clients do not expect.",
        to_do="Give the image a name.",
        look=detectors.unnamed,
    ),
    Kind(
        name="none-as-text",
        severity="note",
        towards=_V2,
        meaning=(
            "The text None is what Python clients of v1 sent for nothing; over v2 it is text like"
            " any other."
        ),
        to_do="Remove the property or give the image a name, if nothing was meant.",
        look=detectors.of_texts(detectors.none_as_text),
    ),
    Kind(
        name="no-checksum",
        severity="note",
        towards=_BOTH,
        meaning=(
            "Images of a location or a copy have no checksum, so that what is downloaded cannot be"
            " verified over either API (seen on Glance 15.0.2)."
        ),
        to_do="Upload the data again, if it must be verified.",
        look=detectors.of_image(detectors.without_checksum),
    ),
    Kind(
        name="image-without-data",
        severity="note",
        towards=_V2,
        meaning=(
            "The image was made active without data, as for a volume. v1 answers a download with"
            " no bytes, v2 with 204, which some clients take for an error (seen on Glance"
            " 15.0.2)."
        ),
        to_do="Nothing, if it stands for a volume or a snapshot.",
        look=detectors.of_image(detectors.without_data),
    ),
    Kind(
        name="declared-size",
        severity="note",
        towards=_V2,
        meaning=(
            "Over v1 the size was declared before the data came; v1 compares it then, v2 does not"
            " (seen on Glance 15.0.2)."
        ),
        to_do="Nothing; the size becomes the true one with the data.",
        look=detectors.of_image(detectors.only_declared),
    ),
    Kind(
        name="killed-image",
        severity="note",
        towards=_V2,
        meaning=(
            "Its data was cut off. v2 lists a killed image to nobody, although it shows it (seen"
            " on Glance 15.0.2)."
        ),
        to_do="Delete it.",
        look=detectors.of_image(detectors.status("killed")),
    ),
    Kind(
        name="half-deleted-image",
        severity="note",
        towards=_BOTH,
        meaning=(
            "Its deletion broke off: both APIs go on listing the image, neither gives its data or"
            " deletes it (seen on Glance 15.0.2: v1 404, v2 400)."
        ),
        to_do="Remove it in Glance's database, or ask those who can.",
        look=detectors.of_image(detectors.half_deleted),
    ),
    Kind(
        name="private-image",
        severity="note",
        towards=_V1,
        meaning=(
            "v1 does not tell private from shared: an update with is_public False makes this a"
            " shared one, which can be given members (seen on Glance 15.0.2)."
        ),
        to_do="Nothing, as long as it has no members.",
        look=detectors.of_image(detectors.visibility("private")),
    ),
    Kind(
        name="import-status",
        severity="note",
        towards=_V1,
        meaning="v1 knows no such status: the image is being imported over v2.",
        to_do="Wait for its end.",
        look=detectors.of_image(detectors.status("uploading", "importing")),
    ),
    Kind(
        name="several-stores",
        severity="note",
        towards=_V1,
        meaning="v1 does not tell in which stores the data is.",
        to_do="Nothing.",
        look=detectors.of_image(detectors.in_stores),
    ),
    Kind(
        name="several-locations",
        severity="note",
        towards=_V1,
        meaning="v1 never tells locations (seen on Glance 15.0.2).",
        to_do="Nothing.",
        look=detectors.of_image(detectors.at_locations),
    ),
    Kind(
        name="server-owned-property",
        severity="note",
        towards=_BOTH,
        meaning=(
            f"Glance writes {SERVER_OWNED_PREFIX}... itself: v2 of Glance 33 answers 403 to who"
            " changes or removes it, v1 lets anybody do it."
        ),
        to_do="Nothing, if Glance wrote it.",
        look=detectors.of_properties(detectors.server_owned),
    ),
    Kind(
        name="no-owner",
        severity="note",
        towards=_BOTH,
        meaning=(
            "Everybody sees an image without an owner, whatever its visibility, over both APIs"
            " (seen on Glance 15.0.2)."
        ),
        to_do="Give it an owner, as an administrator.",
        look=detectors.of_image(detectors.ownerless),
    ),
    # -- not seen
    Kind(
        name="one-api-only",
        severity="unseen",
        towards=_BOTH,
        meaning=(
            "One API listed the image and the other did not: it was made or deleted during the"
            " audit, or one API shows it to other users. What the other holds was not seen."
        ),
        to_do="Audit again; if it stays so, audit as an administrator.",
    ),
    Kind(
        name="unreadable-image",
        severity="unseen",
        towards=_BOTH,
        meaning="A list has the image in a form that is not Glance's; a part of it was not read.",
        to_do="Find out what answers at the endpoint.",
        look=detectors.of_image(detectors.unreadable),
    ),
    Kind(
        name="v1-unseen",
        severity="unseen",
        towards=_V2,
        meaning=(
            "Without v1 nobody sees the properties that v2 hides, nor which values are NULL."
        ),
        to_do="Audit over an endpoint that offers v1, if there ever was one.",
    ),
    Kind(
        name="v2-unseen",
        severity="unseen",
        towards=_V1,
        meaning=(
            "Without v2 nobody sees tags, locations, community images of other projects, nor"
            " private from shared."
        ),
        to_do="Audit over an endpoint that offers v2, if there is one.",
    ),
    Kind(
        name="lists-unasked",
        severity="unseen",
        towards=_BOTH,
        meaning=(
            "v2 lists community images of other projects (from 2.5) and hidden images (from 2.7)"
            " only to who asks for them, which older servers would misunderstand."
        ),
        to_do="Audit over an endpoint whose version document can be read.",
    ),
    Kind(
        name="list-incomplete",
        severity="unseen",
        towards=_BOTH,
        meaning="A list could not be read to its end: images may be missing from this audit.",
        to_do="Mend what the error says, and audit again.",
    ),
)

BY_NAME = {kind.name: kind for kind in KINDS}


def findings(
    v1: Record | None, v2: Record | None, kinds: Iterable[Kind] = KINDS
) -> Iterator[Finding]:
    """What there is to say of one image.

    :param v1: its record of v1's list, or None where it was not read.
    :param v2: its record of v2's list, or None where it was not read.
    :param kinds: what to look for.
    """
    seen = Seen(v1, v2)
    for kind in kinds:
        for hit in kind.look(seen) if kind.look is not None else ():
            yield Finding(kind, hit, seen.image_id, seen.text(NAME), seen.text("owner"))
