# SPDX-License-Identifier: Apache-2.0
"""Calls that return different results over v1 and v2, and the reasons.

What must live here: differences that the library cannot avoid because of the server's API. What
must not: differences that it could avoid. The documentation is generated from this table, and each
row has a test that asserts both results on real servers.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One difference between v1 and v2 that is visible to callers.

    :param name: a unique name, for tests and links.
    :param calls: the methods of ImageService that have the difference.
    :param v1: the result over v1.
    :param v2: the result over v2.
    :param fact: the behaviour of Glance that causes the difference, with its source.
    :param remedy: how a caller can avoid it, or "" if that is not possible.
    """

    name: str
    calls: tuple[str, ...]
    v1: str
    v2: str
    fact: str
    remedy: str = ""


_EXACT = "Options(v1_exact_show=True) reads the lossless list, at the cost of one more request."

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        name="head-property-case",
        calls=("show",),
        v1=(
            "Names of properties are in lower case, foo-bar; of names that differ only in case,"
            " one is shown."
        ),
        v2="Names of properties are as they were written: Foo-Bar.",
        fact=(
            "v1 shows one image as headers only, and writes their names in lower case (verified on"
            " Glance 15.0.2). Only v2 can have written such a name."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-empty-property",
        calls=("show",),
        v1="A property without a value is not shown.",
        v2="A property without a value is shown as ''.",
        fact=(
            "Over v1 an empty value is stored as NULL, and headers leave NULL out (verified on"
            " Glance 15.0.2: HEAD omits it, the list says null, v2 says '')."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-blanks",
        calls=("show",),
        v1="Blanks and tabs at the beginning of a name or a value are not shown.",
        v2="They are shown.",
        fact=(
            "A header's value begins after its blanks (RFC 9110, section 5.5); only v2 can have"
            " written such a value (verified on Glance 15.0.2). Sent back with a purge, it is"
            " stored as it was shown."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-property-colon",
        calls=("show",),
        v1="A property with a colon in its name is shown under the part before the colon: os.",
        v2="It is shown under its own name: os:type.",
        fact=(
            "v1 writes names as they are, and a header's name ends at its first colon (verified on"
            " Glance 15.0.2). Only v2 can have written such a name. Sent back with a purge, it is"
            " stored as it was shown."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-forged-header",
        calls=("show",),
        v1=(
            "What follows a line break in a property's value is shown as another property, or as"
            " an attribute that the image does not have."
        ),
        v2="The value is shown as it is, with its line break.",
        fact=(
            "v1 writes a value with CR LF as it is into its headers (verified on Glance 15.0.2)."
            " What follows and is a well-formed header that is there only once cannot be told from"
            " a true one. An attribute that has a value cannot be forged: it would be there twice,"
            " which is noticed and looked up. Sent back with a purge, it is stored as it was"
            " shown."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="deleted-images",
        calls=("show",),
        v1="An administrator sees deleted images, with deleted True and deleted_at.",
        v2="A deleted image is ImageNotFound, for an administrator too.",
        fact="v2 shows deleted images to no caller (verified on Glance 15.0.2 and 33).",
        remedy="show(..., show_deleted=False) raises ImageNotFound on both.",
    ),
    Deviation(
        name="changes-since",
        calls=("detail", "iter_detail"),
        v1="With the filter changes-since, deleted and killed images are listed as well.",
        v2="They are not.",
        fact=(
            "v2 never lists deleted or killed images, whatever the filter (verified on Glance"
            " 15.0.2 and 33); a caller who asks v1 for changes wants to know of deletions."
        ),
    ),
    Deviation(
        name="property-folding",
        calls=("create", "update"),
        v1=(
            "A new property Foo-Bar is stored as foo_bar, beside an old one of that spelling; a"
            " purge stores those that it keeps as foo_bar. A warning is logged once for each name."
        ),
        v2="The name is stored as it is, and a purge leaves it alone.",
        fact=(
            "v1 takes names from headers, in lower case and with underscores for dashes, and"
            " cannot remove one property: a purge sends what stays (verified on Glance 15.0.2)."
        ),
        remedy='Options(v1_folding="refuse") raises PropertyNotAllowed.',
    ),
    Deviation(
        name="purge-of-the-unportable",
        calls=("update",),
        v1=(
            "A purge that would keep a property that v1 cannot carry (a line break, blanks around"
            " it, an invalid header name) is PropertyNotAllowed and changes nothing."
        ),
        v2="The purge succeeds.",
        fact=(
            "A purge over v1 sends all properties that stay, as headers (verified on Glance"
            " 15.0.2)."
        ),
        remedy="purge_props=False never touches such a property.",
    ),
    Deviation(
        name="visibility-words",
        calls=("create", "update"),
        v1=(
            "private and shared both mean: not public. A new image is shared, and an image that is"
            " not public stays as it is."
        ),
        v2="private, shared and community are different.",
        fact=(
            "v1 has only is_public; an image that is not public is stored as shared (verified on"
            " Glance 15.0.2)."
        ),
    ),
    Deviation(
        name="formats-of-active-images",
        calls=("update",),
        v1="disk_format and container_format of an image with data are changed.",
        v2="ImageNotAuthorized.",
        fact=(
            "v2 replaces them in a queued image only (verified on Glance 15.0.2 and 33), v1 in any"
            " (verified on Glance 15.0.2)."
        ),
    ),
    Deviation(
        name="member-details",
        calls=("members", "add_member"),
        v1="status is None.",
        v2="can_share is False.",
        fact=(
            "A member over v1 has can_share and no status, over v2 a status and no can_share"
            " (Glance 15.0.2, api/v1/members.py and api/v2/image_members.py)."
        ),
    ),
    Deviation(
        name="members-of-unshared-images",
        calls=("members", "add_member"),
        v1=(
            "A private or public image can have members, which gives access to nothing; they are"
            " listed."
        ),
        v2="Adding one is ImageNotAuthorized; there are none.",
        fact=(
            "v1 does not distinguish private from shared and stores the member (verified on"
            " Glance 15.0.2); v2 answers 403 to both calls (verified on Glance 15.0.2 and 33)."
        ),
    ),
    Deviation(
        name="locations",
        calls=("show",),
        v1="locations is [] and direct_url None, always.",
        v2="They are returned where the cloud permits it.",
        fact="v1 never returns locations (verified on Glance 15.0.2).",
    ),
    Deviation(
        name="extended-attributes",
        calls=("show", "detail", "iter_detail", "create", "update"),
        v1=(
            "With Options(extended=True), visibility is public or None; tags, os_hidden, os_hash_*"
            " and stores are None; shadowed_properties are returned."
        ),
        v2="The former are returned as far as the server has them; shadowed_properties is None.",
        fact=(
            "v1 has no such attributes, and v2 hides properties with names of attributes"
            " (verified on Glance 15.0.2). None means: unknown."
        ),
    ),
    Deviation(
        name="needs-v2",
        calls=("create", "update", "detail", "iter_detail", "update_member"),
        v1=(
            "UnsupportedByVersion for: tags, os_hidden, visibility community, the status of a"
            " member, and filters by tag, member_status, os_hidden True and visibility other than"
            " public."
        ),
        v2="They work where the server's minor version has them.",
        fact="v1 does not have them, and ignores such filters (verified on Glance 15.0.2).",
    ),
    Deviation(
        name="needs-v1",
        calls=("create", "update"),
        v1="copy_from, store, and checksum without data work.",
        v2=(
            "UnsupportedByVersion; store works together with data where the server has several"
            " stores (2.8)."
        ),
        fact=(
            "v2 stores copy_from and store as properties that mean nothing, and answers 403 to"
            " checksum (verified on Glance 15.0.2 and 33)."
        ),
    ),
    Deviation(
        name="killed-images",
        calls=("update",),
        v1="A queued image whose data was cut off is killed; only deleting it helps.",
        v2="It is queued again, and the data can be uploaded.",
        fact=(
            "Glance kills it over v1 and queues it again over v2 (verified on Glance 15.0.2: "
            "api/v1/upload_utils.py, api/v2/image_data.py)."
        ),
        remedy="create() with data leaves nothing behind on either.",
    ),
    Deviation(
        name="delayed-deletion",
        calls=("add_member", "delete"),
        v1=(
            "Where deletion is delayed, an administrator can add a member to an image that is"
            " pending deletion, which gives access to nothing."
        ),
        v2=(
            "It is ImageNotFound. When an administrator deletes a deactivated image, that is"
            " ImageBadRequest, and it stays."
        ),
        fact=(
            "With the option delayed_delete, v1 silently accepts members of such an image;"
            " v2 has no transition from deactivated to pending_delete (400, verified on Glance"
            " 15.0.2, glance/domain). The image's owner, who may not see where its data is,"
            " deletes it over both."
        ),
        remedy="Reactivate the image before it is deleted, or let its owner delete it.",
    ),
    Deviation(
        name="restricted-schema",
        calls=("show", "detail", "iter_detail", "create", "update"),
        v1="Properties of any name are stored and shown.",
        v2=(
            "Where a site permits only the properties of its schema, others are refused, and those"
            " that an image has are not shown; a purge leaves them."
        ),
        fact=(
            "With allow_additional_image_properties off, v2 filters an image by"
            " schema-image.json; v1 has no schema (verified on Glance 15.0.2)."
        ),
    ),
    Deviation(
        name="unshown-locations",
        calls=("create", "update"),
        v1="location works.",
        v2=(
            "Where locations are not shown, location is ImageNotAuthorized, and nothing stays;"
            " since v2.17 only for callers that are not services, and where no http store has the"
            " location."
        ),
        fact=(
            "With show_multiple_locations off, v2 refuses to add one by PATCH (403, verified on"
            " Glance 15.0.2 and 33), and so does the locations API of v2.17 (403, verified on"
            " Glance 33); v1 has no such check."
        ),
    ),
    Deviation(
        name="concurrent-updates",
        calls=("update",),
        v1="Changes of different properties by several writers are all kept.",
        v2="Some can be lost, without an error for any writer.",
        fact=(
            "v2 reads the image, applies the patch and writes all properties back, without a"
            " lock (verified on Glance 15.0.2 and 33: of twelve writers four were kept)."
        ),
        remedy=(
            "Options(verify_updates=True) reads the image after each change and repeats it, or"
            " raises UpdateConflict; a later writer can still undo it."
        ),
    ),
)
