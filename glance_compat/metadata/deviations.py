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


_EXACT = (
    "Options(v1_exact_show=True) also reads the image from the list of images, which loses no"
    " metadata; this takes one more request."
)

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        name="head-property-case",
        calls=("show",),
        v1=(
            "Property names are returned in lower case, such as foo-bar. If names differ only in"
            " case, only one of the properties is returned."
        ),
        v2="Property names are returned as they were written, such as Foo-Bar.",
        fact=(
            "v1 returns a single image as headers, with names in lower case (verified on Glance"
            " 15.0.2). Only v2 can have stored a name with upper-case letters."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-empty-property",
        calls=("show",),
        v1="A property with an empty value is not returned.",
        v2="A property with an empty value is returned as ''.",
        fact=(
            "v1 stores an empty value as NULL, and its headers omit NULL (verified on Glance"
            " 15.0.2: HEAD omits it, the list has null, v2 has '')."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-blanks",
        calls=("show",),
        v1="Blanks and tabs at the start of a property name or value are not returned.",
        v2="They are returned.",
        fact=(
            "Leading white space is not part of a header value (RFC 9110, section 5.5). Only v2"
            " can have stored such a value (verified on Glance 15.0.2). An update with purge"
            " stores the value as it was returned."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-property-colon",
        calls=("show",),
        v1="A property os:type is returned as os, the part of its name before the colon.",
        v2="It is returned under its full name, os:type.",
        fact=(
            "v1 does not encode names, and the name of a header ends at the first colon (verified"
            " on Glance 15.0.2). Only v2 can have stored such a name. An update with purge stores"
            " the property as it was returned."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="head-forged-header",
        calls=("show",),
        v1=(
            "If a property value contains a line break, the text after it may be returned as"
            " another property, or as an attribute that the image does not have."
        ),
        v2="The value is returned unchanged, with its line break.",
        fact=(
            "v1 sends a value with CR LF unencoded in its headers (verified on Glance 15.0.2). If"
            " the text after it is a valid header, it is not distinguishable from a real one. An"
            " attribute that the image has cannot be forged: the library detects that the header"
            " occurs twice, and reads the image from the list. An update with purge stores the"
            " properties as they were returned."
        ),
        remedy=_EXACT,
    ),
    Deviation(
        name="deleted-images",
        calls=("show",),
        v1="A deleted image is returned to an admin, with deleted True and deleted_at.",
        v2="A deleted image raises ImageNotFound, for an admin as well.",
        fact="v2 returns deleted images to no caller (verified on Glance 15.0.2 and 33).",
        remedy="show(..., show_deleted=False) raises ImageNotFound over both.",
    ),
    Deviation(
        name="changes-since",
        calls=("detail", "iter_detail"),
        v1="With the filter changes-since, deleted and killed images are listed as well.",
        v2="They are not listed.",
        fact=(
            "v2 never lists deleted or killed images, with any filter (verified on Glance 15.0.2"
            " and 33). The library does not remove them from v1's list, because a caller who"
            " filters by changes needs to know of deletions."
        ),
    ),
    Deviation(
        name="property-folding",
        calls=("create", "update"),
        v1=(
            "A new property Foo-Bar is stored as foo_bar; an existing Foo-Bar is kept beside it."
            " An update with purge stores the properties that it keeps as foo_bar. A warning is"
            " logged once for each name."
        ),
        v2="The name is stored unchanged, and an update with purge does not change it.",
        fact=(
            "v1 reads names from headers, and converts them to lower case and dashes to"
            " underscores. It cannot remove a single property, so an update with purge sends all"
            " properties that are kept (verified on Glance 15.0.2)."
        ),
        remedy='Options(v1_folding="refuse") raises PropertyNotAllowed.',
    ),
    Deviation(
        name="purge-of-the-unportable",
        calls=("update",),
        v1=(
            "If the image keeps a property that cannot be sent over v1 (with a line break, with"
            " leading or trailing blanks, or with an invalid header name), an update with purge"
            " raises PropertyNotAllowed and changes nothing."
        ),
        v2="The update succeeds.",
        fact=(
            "Over v1, an update with purge sends all properties that are kept, as headers"
            " (verified on Glance 15.0.2)."
        ),
        remedy="purge_props=False never sends such a property.",
    ),
    Deviation(
        name="visibility-words",
        calls=("create", "update"),
        v1=(
            "private and shared both mean not public. A new image becomes shared, and the"
            " visibility of an existing image that is not public does not change."
        ),
        v2="private, shared and community are different visibilities.",
        fact=(
            "v1 has only is_public; an image that is not public is stored as shared (verified on"
            " Glance 15.0.2)."
        ),
    ),
    Deviation(
        name="formats-of-active-images",
        calls=("update",),
        v1="disk_format and container_format of an image with data can be changed.",
        v2="Changing them raises ImageNotAuthorized.",
        fact=(
            "v2 allows this only for queued images (verified on Glance 15.0.2 and 33), v1 for all"
            " images (verified on Glance 15.0.2)."
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
            "Members can be added to a private or public image, and are listed, but this gives"
            " them no access."
        ),
        v2="Adding a member raises ImageNotAuthorized; the list of members is empty.",
        fact=(
            "v1 does not distinguish private from shared, and stores the member (verified on"
            " Glance 15.0.2); v2 responds to both calls with 403 (verified on Glance 15.0.2 and"
            " 33)."
        ),
    ),
    Deviation(
        name="locations",
        calls=("show",),
        v1="locations is always [], and direct_url is always None.",
        v2="They are returned if the cloud permits it.",
        fact="v1 never returns locations (verified on Glance 15.0.2).",
    ),
    Deviation(
        name="extended-attributes",
        calls=("show", "detail", "iter_detail", "create", "update"),
        v1=(
            "With Options(extended=True), visibility is public or None; tags, os_hidden, os_hash_*"
            " and stores are None; shadowed_properties are returned."
        ),
        v2="The attributes are returned if the server has them; shadowed_properties is None.",
        fact=(
            "v1 has no such attributes, and v2 hides properties with names of attributes"
            " (verified on Glance 15.0.2). None means unknown."
        ),
    ),
    Deviation(
        name="needs-v2",
        calls=("create", "update", "detail", "iter_detail", "update_member"),
        v1=(
            "UnsupportedByVersion is raised for: tags, os_hidden, visibility community, the status"
            " of a member, and filters by tag, member_status, os_hidden True and visibility other"
            " than public."
        ),
        v2="They are supported if the server's minor version has them.",
        fact="v1 does not have them, and ignores such filters (verified on Glance 15.0.2).",
    ),
    Deviation(
        name="needs-v1",
        calls=("create", "update"),
        v1="copy_from, store, and checksum without data are supported.",
        v2=(
            "They raise UnsupportedByVersion, with two exceptions: create() supports copy_from if"
            " the server has the import method web-download (2.6), and store is supported with"
            " data, or with copy_from, if the server has multiple stores (2.8)."
        ),
        fact=(
            "v2 stores copy_from and store as properties without effect, and responds to checksum"
            " with 403 (verified on Glance 15.0.2 and 33)."
        ),
    ),
    Deviation(
        name="killed-images",
        calls=("update",),
        v1=(
            "After an interrupted upload to a queued image, the image has the status killed and"
            " can only be deleted."
        ),
        v2="The image is queued again, and its data can be uploaded.",
        fact=(
            "Glance sets the status to killed over v1 and to queued over v2 (verified on Glance"
            " 15.0.2: api/v1/upload_utils.py, api/v2/image_data.py)."
        ),
        remedy="create() with data deletes the image after a failed upload, over both.",
    ),
    Deviation(
        name="delayed-deletion",
        calls=("add_member", "delete"),
        v1=(
            "If deletion is delayed, an admin can add a member to an image that is pending"
            " deletion, but this gives the member no access."
        ),
        v2=(
            "Adding a member to it raises ImageNotFound. If an admin deletes a deactivated image,"
            " ImageBadRequest is raised and the image is not deleted."
        ),
        fact=(
            "With the option delayed_delete, v1 silently accepts members of such an image;"
            " v2 has no transition from deactivated to pending_delete (400, verified on Glance"
            " 15.0.2, glance/domain). The owner of the image, who may not see its locations, can"
            " delete it over both."
        ),
        remedy="Reactivate the image before it is deleted, or let its owner delete it.",
    ),
    Deviation(
        name="restricted-schema",
        calls=("show", "detail", "iter_detail", "create", "update"),
        v1="Properties of any name are stored and returned.",
        v2=(
            "If the cloud permits only the properties in its schema, others are rejected. Existing"
            " ones are not returned, and an update with purge does not remove them."
        ),
        fact=(
            "With allow_additional_image_properties off, v2 filters an image by"
            " schema-image.json; v1 has no schema (verified on Glance 15.0.2)."
        ),
    ),
    Deviation(
        name="unshown-locations",
        calls=("create", "update"),
        v1="location is supported.",
        v2=(
            "If the server does not show locations, location raises ImageNotAuthorized, and a new"
            " image is deleted again. Since v2.17 that is so only for callers that are not"
            " services, and for locations that are not in an http store of the server."
        ),
        fact=(
            "With show_multiple_locations off, v2 rejects a PATCH that adds a location (403,"
            " verified on Glance 15.0.2 and 33), and so does the locations API of v2.17 (403,"
            " verified on Glance 33); v1 has no such check."
        ),
    ),
    Deviation(
        name="concurrent-updates",
        calls=("update",),
        v1="If clients change different properties at the same time, all changes are kept.",
        v2="Some of these changes may be lost, without an error for any client.",
        fact=(
            "v2 reads the image, applies the patch and writes all properties back, without a"
            " lock (verified on Glance 15.0.2 and 33: of the changes of twelve clients, four were"
            " kept)."
        ),
        remedy=(
            "With Options(verify_updates=True), the library reads the image after each update, and"
            " repeats the update if it was lost, or raises UpdateConflict. A later update by"
            " another client can still overwrite it."
        ),
    ),
)
