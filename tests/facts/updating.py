# SPDX-License-Identifier: Apache-2.0
"""Changes of images, and writers that meet."""

from __future__ import annotations

from tests.facts.rows import (
    BOTH,
    CLIENT,
    ONLY_33,
    PIKE,
    bridged,
    create,
    deviation,
    deviations,
    fixture_only,
    not_applicable,
    properties,
    refusals,
    refused,
    small,
    states,
    unit_change,
    unit_image,
    update,
    wire,
    writers,
)

_REFUSED = "test_what_is_refused_changes_nothing"

PURGE = (
    bridged(
        "v1-purges-unless-told",
        PIKE,
        "A PUT without x-glance-registry-purge-props removes all properties that it does"
        " not have.",
        update("test_properties_are_edited"),
        update("test_purging_is_the_default"),
        wire("v1 purge"),
    ),
    bridged(
        "data-never-purges",
        PIKE,
        "With data in the body nothing is purged.",
        update("test_a_queued_image_gets_its_data"),
        wire("v1 data in an update"),
    ),
    bridged(
        "a-purge-takes-all",
        PIKE,
        "A purge over v1 removes what v2 made too, whatever its name; tags stay.",
        properties("test_a_purge_takes_upper_case_away"),
        update("test_tags_survive_a_purge"),
        wire("v1 purge and what v2 made"),
    ),
    bridged(
        "removing-what-is-gone",
        BOTH,
        "remove of a property that is not there is 409, and nothing of the PATCH is done.",
        writers("test_a_purge_and_a_property_that_goes_meanwhile"),
        wire("v2 patch of properties"),
    ),
    deviation(
        "v1-matches-folded-names",
        PIKE,
        "Foo-Bar sent to an image that has Foo-Bar makes another one, foo_bar.",
        "property-folding",
        deviations("test_property_folding"),
        wire("v1 purge and what v2 made"),
    ),
    deviation(
        "a-purge-sends-what-stays",
        PIKE,
        "v1 cannot remove one property: what stays has to be sent, and some cannot be.",
        "purge-of-the-unportable",
        deviations("test_a_purge_of_what_v1_cannot_carry"),
        properties("test_a_purge_that_must_keep_what_v1_cannot_carry"),
        properties("test_what_v1_cannot_carry_survives_an_edit_of_something_else"),
    ),
    bridged(
        "null-properties-over-v2",
        BOTH,
        "v2 takes no null for a property; '' and removal are two things.",
        update("test_an_empty_value_survives_a_purge_and_an_edit"),
        update("test_properties_are_edited", "{'a': None"),
        wire("v2 patch of properties"),
    ),
    bridged(
        "what-an-import-leaves",
        ONLY_33,
        "After an import an image has os_glance_* properties whose removal is 403.",
        properties("test_a_purge_leaves_to_glance_what_is_glances"),
        unit_change("test_a_purge_leaves_what_is_the_servers"),
    ),
    bridged(
        "quotas-count-the-result",
        BOTH,
        "The property quota is compared with the result of a PATCH, whatever the order of its"
        " operations.",
        small("test_the_property_quota"),
        wire("v2 quotas"),
    ),
)

ATTRIBUTES = (
    bridged(
        "a-name-is-taken-away",
        BOTH,
        "An empty name is null on v1; on v2 replace with null works and remove is 403.",
        update("test_attributes_are_edited", "{'name': None}"),
        update("test_attributes_are_edited", "{'name': ''}"),
        wire("v2 patch of base attributes"),
    ),
    refused(
        "another-id",
        BOTH,
        "Another id or status is 403 on v1; any is 403 on v2, the same too.",
        update(_REFUSED, "{'id': '0000"),
        update("test_attributes_are_edited", "'status': 'active'"),
        update("test_a_whole_dict_sent_back_changes_nothing"),
        wire("v1 base attributes"),
    ),
    bridged(
        "an-admin-of-v1-rewrites-sizes",
        PIKE,
        "size and checksum of an active image: 403 on v1 unless they are equal, rewritten for an"
        " admin; 403 on v2.",
        update("test_size_and_checksum_of_an_active_image_stay"),
        wire("v1 base attributes"),
    ),
    bridged(
        "size-of-a-queued-image",
        PIKE,
        "v1 stores a size of a queued image; 0 does not activate it. 403 on v2.",
        update("test_attributes_are_edited", "{'size': 0}"),
        update("test_attributes_are_edited", "{'size': 7"),
        update("test_a_whole_dict_with_a_change"),
    ),
    bridged(
        "read-only-in-an-update",
        BOTH,
        "Times, deleted, uri, store and virtual_size are ignored by v1, 403 on v2.",
        update("test_attributes_are_edited", "'created_at': '2001"),
        update("test_a_store_without_data"),
        wire("v1 base attributes"),
    ),
    refused(
        "the-owner-of-an-ordinary-user",
        BOTH,
        "Another owner is ignored by v1; on v2 any is 403, the same too.",
        update("test_a_member_cannot_give_an_image_away"),
        update("test_a_whole_dict_sent_back_changes_nothing"),
        wire("v2 replace of the owner"),
    ),
    bridged(
        "the-owner-of-an-admin",
        BOTH,
        "An admin changes the owner, to null too.",
        update("test_an_admin_gives_an_image_away"),
        update("test_an_admin_gives_an_image_to_nobody"),
        wire("v2 patch of an active image"),
    ),
    deviation(
        "formats-of-an-image-with-data",
        BOTH,
        "Formats of an active image: changed over v1, by anybody; 403 on v2.",
        "formats-of-active-images",
        deviations("test_formats_of_active_images"),
        wire("v2 patch of an active image"),
    ),
    bridged(
        "other-attributes-of-an-image-with-data",
        BOTH,
        "name, min_disk, min_ram and protected of an active image are changed.",
        update("test_size_and_checksum_of_an_active_image_stay"),
        states("test_a_deactivated_image"),
        wire("v2 patch of an active image"),
    ),
    refused(
        "publishing-in-an-update",
        BOTH,
        "is_public True of an ordinary user is 403, also where it is so already.",
        update(_REFUSED, "{'is_public': True}"),
        update("test_what_is_refused_purges_nothing"),
        update("test_a_whole_dict_sent_back_changes_nothing"),
    ),
    bridged(
        "v1-makes-everything-shared",
        PIKE,
        "is_public False, or any text that is not true, makes a private or community image"
        " shared.",
        update("test_visibility"),
        wire("v1 visibility"),
    ),
    deviation(
        "members-of-hidden-shares",
        BOTH,
        "Members of an image that is no longer shared are kept: v2 does not tell them, v1 does.",
        "members-of-unshared-images",
        deviations("test_members_of_unshared_images"),
        wire("members that come back"),
    ),
    refused(
        "unknown-in-an-update",
        BOTH,
        "An unknown attribute is 400 on v1 and becomes a property on v2.",
        update(_REFUSED, "{'colour': 'red'}"),
        wire("v1 base attributes"),
    ),
)

DATA = (
    bridged(
        "data-for-a-queued-image",
        BOTH,
        "A queued image takes data: with its metadata on v1, by a second request on v2.",
        update("test_a_queued_image_gets_its_data"),
        update("test_a_queued_image_and_its_whole_dict_and_data"),
    ),
    bridged(
        "data-for-an-active-image",
        BOTH,
        "Data for an active image is 409 and changes nothing on v1; on v2 the PATCH that went"
        " before stays.",
        update("test_an_active_image_takes_no_data_and_keeps_its_metadata"),
        wire("v1 data in an update"),
    ),
    deviation(
        "bad-data-in-an-update",
        BOTH,
        "Data of a wrong size or type kills an image on v1; on v2 it is queued again.",
        "killed-images",
        update("test_bad_data_makes_no_active_image"),
        deviations("test_killed_images"),
    ),
    bridged(
        "a-location-in-an-update",
        PIKE,
        "A queued image that is given a location is active; for another it is 400 on v1, and a"
        " second location on v2.",
        update("test_a_location_in_an_update"),
    ),
)

WHOSE = (
    bridged(
        "v1-deleted-is-403",
        PIKE,
        "Changing a deleted image is 403 on v1 for an admin, 404 for others; 404 on v2.",
        refusals("test_refusals", "admin-deleted"),
        wire("v1 metadata only"),
    ),
    bridged(
        "v1-changes-what-waits-to-be-deleted",
        PIKE,
        "An admin of v1 may change an image that waits to be deleted; on v2 it is 404.",
        small("test_an_image_that_waits_to_be_deleted"),
    ),
    bridged(
        "foreign-images",
        BOTH,
        "Changing a public or community image of others is 403, a private one 404.",
        refusals("test_refusals", "demo-public"),
        refusals("test_refusals", "demo-community"),
        refusals("test_refusals", "demo-private"),
        wire("v1 images of others"),
    ),
    bridged(
        "v1-shared-is-500",
        PIKE,
        "Changing an image that is shared with the caller is 500 on v1, 403 on v2.",
        refusals("test_refusals", "demo-shared"),
        wire("v1 images of others"),
    ),
    deviation(
        "v2-loses-updates",
        BOTH,
        "Of twelve writers of different properties all were told 200 and four or five were kept.",
        "concurrent-updates",
        deviations("test_concurrent_updates"),
        writers("test_a_change_that_is_undone_is_made_again"),
        writers("test_a_change_that_is_always_undone_is_a_conflict"),
        writers("test_writers_that_verify"),
    ),
)

PATCH = (
    fixture_only(
        "patch-media-types",
        BOTH,
        "Two drafts of JSON patch, each of a media type of its own; application/json-patch+json is"
        " 415, other operations than add, replace and remove are 400.",
        wire("v2 patch of properties"),
        wire("v2 patch in the old draft"),
    ),
    bridged(
        "add-overwrites",
        BOTH,
        "add of what is there overwrites; replace of what is not is 409.",
        update("test_properties_are_edited", "{'a': 'x'}"),
        unit_image("test_a_v2_update_is_a_patch"),
        wire("v2 patch of properties"),
    ),
    bridged(
        "pointers-are-escaped",
        BOTH,
        "/ and ~ of a name must be escaped, else 400.",
        properties("test_what_v1_cannot_carry_in_an_update", "mounted-v2-{'a/b': 'x'}"),
        properties("test_text_survives_update"),
        unit_image("test_names_are_escaped_in_a_pointer"),
    ),
    refused(
        "pointers-are-stripped",
        BOTH,
        "Blanks around a name are stripped: such a property can be created and never changed.",
        unit_image("test_a_name_that_the_server_would_strip_is_refused"),
        wire("v2 patch of properties"),
    ),
    refused(
        "names-of-the-servers-object",
        BOTH,
        "image_id is 404 and extra_properties 500: the server's own attributes can be reached.",
        update(_REFUSED, "{'properties': {'extra_properties': 'x'}}"),
        create("test_metadata_is_refused_and_nothing_stays", "{'image_id': 'x'}"),
        wire("v2 patch of base attributes"),
    ),
    not_applicable(
        "glanceclient-updates",
        CLIENT,
        "glanceclient's update reads the image before and after, and ignores names to remove that"
        " are not there.",
        "The library does not send changes through glanceclient.",
    ),
)

FACTS = PURGE + ATTRIBUTES + DATA + WHOSE + PATCH
