# SPDX-License-Identifier: Apache-2.0
"""Updates of images, and concurrent writers."""

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

_REFUSED = "test_refused_update_changes_nothing"

PURGE = (
    bridged(
        "v1-purges-unless-told",
        PIKE,
        "A PUT without x-glance-registry-purge-props removes all properties that it does"
        " not have.",
        update("test_update_merges_or_purges_properties"),
        update("test_purge_is_the_default"),
        wire("v1 purge"),
    ),
    bridged(
        "data-never-purges",
        PIKE,
        "With data in the body nothing is purged.",
        update("test_queued_image_gets_its_data"),
        wire("v1 data in an update"),
    ),
    bridged(
        "a-purge-takes-all",
        PIKE,
        "A purge over v1 removes what v2 made too, whatever its name; tags stay.",
        properties("test_purge_removes_upper_case_names"),
        update("test_tags_survive_purge"),
        wire("v1 purge and what v2 made"),
    ),
    bridged(
        "removing-what-is-gone",
        BOTH,
        "remove of a property that is not there is 409, and nothing of the PATCH is done.",
        writers("test_purge_survives_concurrent_property_removal"),
        wire("v2 patch of properties"),
    ),
    deviation(
        "v1-matches-folded-names",
        PIKE,
        "Foo-Bar sent to an image that has Foo-Bar makes another one, foo_bar.",
        "property-folding",
        deviations("test_v1_folds_property_names_in_lower_case"),
        wire("v1 purge and what v2 made"),
    ),
    deviation(
        "a-purge-sends-what-stays",
        PIKE,
        "v1 cannot remove one property: what stays has to be sent, and some cannot be.",
        "purge-of-the-unportable",
        deviations("test_v1_refuses_purge_of_unportable_properties"),
        properties("test_v1_refuses_purge_that_keeps_unsupported_names"),
        properties("test_unsupported_property_survives_unrelated_update"),
    ),
    bridged(
        "null-properties-over-v2",
        BOTH,
        "v2 rejects null for a property; '' and removal are different.",
        update("test_empty_value_survives_purge_and_update"),
        update("test_update_merges_or_purges_properties", "{'a': None"),
        wire("v2 patch of properties"),
    ),
    bridged(
        "what-an-import-leaves",
        ONLY_33,
        "After an import an image has os_glance_* properties whose removal is 403.",
        properties("test_purge_keeps_properties_of_glance"),
        unit_change("test_purge_preserves_properties_of_the_server"),
    ),
    bridged(
        "quotas-count-the-result",
        BOTH,
        "The property quota is compared with the result of a PATCH, whatever the order of its"
        " operations.",
        small("test_exceeded_property_quota_is_an_error"),
        wire("v2 quotas"),
    ),
)

ATTRIBUTES = (
    bridged(
        "a-name-is-taken-away",
        BOTH,
        "An empty name is null on v1; on v2 replace with null works and remove is 403.",
        update("test_update_changes_attributes", "{'name': None}"),
        update("test_update_changes_attributes", "{'name': ''}"),
        wire("v2 patch of base attributes"),
    ),
    refused(
        "another-id",
        BOTH,
        "Another id or status is 403 on v1; any is 403 on v2, the same too.",
        update(_REFUSED, "{'id': '0000"),
        update("test_update_changes_attributes", "'status': 'active'"),
        update("test_unchanged_dict_sent_back_changes_nothing"),
        wire("v1 base attributes"),
    ),
    bridged(
        "an-admin-of-v1-rewrites-sizes",
        PIKE,
        "size and checksum of an active image: 403 on v1 unless they are equal, rewritten for an"
        " admin; 403 on v2.",
        update("test_size_and_checksum_of_active_image_are_read_only"),
        wire("v1 base attributes"),
    ),
    bridged(
        "size-of-a-queued-image",
        PIKE,
        "v1 stores a size of a queued image; 0 does not activate it. 403 on v2.",
        update("test_update_changes_attributes", "{'size': 0}"),
        update("test_update_changes_attributes", "{'size': 7"),
        update("test_whole_dict_with_one_change_is_applied"),
    ),
    bridged(
        "read-only-in-an-update",
        BOTH,
        "Times, deleted, uri, store and virtual_size are ignored by v1, 403 on v2.",
        update("test_update_changes_attributes", "'created_at': '2001"),
        update("test_store_without_data_needs_v1"),
        wire("v1 base attributes"),
    ),
    refused(
        "the-owner-of-an-ordinary-user",
        BOTH,
        "Another owner is ignored by v1; on v2 any is 403, the same too.",
        update("test_member_cannot_change_the_owner"),
        update("test_unchanged_dict_sent_back_changes_nothing"),
        wire("v2 replace of the owner"),
    ),
    bridged(
        "the-owner-of-an-admin",
        BOTH,
        "An admin changes the owner, to null too.",
        update("test_admin_changes_the_owner"),
        update("test_admin_removes_the_owner"),
        wire("v2 patch of an active image"),
    ),
    deviation(
        "formats-of-an-image-with-data",
        BOTH,
        "Formats of an active image: changed over v1, by any user; 403 on v2.",
        "formats-of-active-images",
        deviations("test_formats_of_active_images_are_writable_on_v1"),
        wire("v2 patch of an active image"),
    ),
    bridged(
        "other-attributes-of-an-image-with-data",
        BOTH,
        "name, min_disk, min_ram and protected of an active image are changed.",
        update("test_size_and_checksum_of_active_image_are_read_only"),
        states("test_deactivated_image_is_listed_and_not_downloadable"),
        wire("v2 patch of an active image"),
    ),
    refused(
        "publishing-in-an-update",
        BOTH,
        "is_public True of an ordinary user is 403, also where it is so already.",
        update(_REFUSED, "{'is_public': True}"),
        update("test_refused_purge_removes_nothing"),
        update("test_unchanged_dict_sent_back_changes_nothing"),
    ),
    bridged(
        "v1-makes-everything-shared",
        PIKE,
        "is_public False, or any string that is not true, makes a private or community image"
        " shared.",
        update("test_update_changes_visibility"),
        wire("v1 visibility"),
    ),
    deviation(
        "members-of-hidden-shares",
        BOTH,
        "Members of an image that is no longer shared are kept: v2 does not tell them, v1 does.",
        "members-of-unshared-images",
        deviations("test_unshared_images_accept_members_on_v1"),
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
        "A queued image accepts data: with its metadata on v1, in a second request on v2.",
        update("test_queued_image_gets_its_data"),
        update("test_queued_image_accepts_whole_dict_with_data"),
    ),
    bridged(
        "data-for-an-active-image",
        BOTH,
        "Data for an active image is 409 and changes nothing on v1; on v2 the PATCH that went"
        " before stays.",
        update("test_active_image_refuses_data_and_keeps_metadata"),
        wire("v1 data in an update"),
    ),
    deviation(
        "bad-data-in-an-update",
        BOTH,
        "Data of a wrong size or type kills an image on v1; on v2 it is queued again.",
        "killed-images",
        update("test_refused_data_leaves_image_queued"),
        deviations("test_interrupted_upload_kills_image_on_v1"),
    ),
    bridged(
        "a-location-in-an-update",
        PIKE,
        "A location makes a queued image active; for any other image it is 400 on v1, and a"
        " second location on v2.",
        update("test_location_in_update_activates_queued_image"),
    ),
)

WHOSE = (
    bridged(
        "v1-deleted-is-403",
        PIKE,
        "Changing a deleted image is 403 on v1 for an admin, 404 for others; 404 on v2.",
        refusals("test_refused_call_raises_the_same_error", "admin-deleted"),
        wire("v1 metadata only"),
    ),
    bridged(
        "v1-changes-what-waits-to-be-deleted",
        PIKE,
        "An admin of v1 may change an image that waits to be deleted; on v2 it is 404.",
        small("test_pending_delete_image_is_not_found"),
    ),
    bridged(
        "foreign-images",
        BOTH,
        "Changing a public or community image of others is 403, a private one 404.",
        refusals("test_refused_call_raises_the_same_error", "demo-public"),
        refusals("test_refused_call_raises_the_same_error", "demo-community"),
        refusals("test_refused_call_raises_the_same_error", "demo-private"),
        wire("v1 images of others"),
    ),
    bridged(
        "v1-shared-is-500",
        PIKE,
        "Changing an image that is shared with the caller is 500 on v1, 403 on v2.",
        refusals("test_refused_call_raises_the_same_error", "demo-shared"),
        wire("v1 images of others"),
    ),
    deviation(
        "v2-loses-updates",
        BOTH,
        "Twelve writers of different properties all got 200; four or five were stored.",
        "concurrent-updates",
        deviations("test_concurrent_updates_lose_changes_on_v2"),
        writers("test_concurrently_undone_change_is_repeated"),
        writers("test_always_undone_change_is_a_conflict"),
        writers("test_concurrent_verifying_writers_lose_nothing"),
    ),
)

PATCH = (
    fixture_only(
        "patch-media-types",
        BOTH,
        "Two drafts of JSON patch, each with its own media type; application/json-patch+json is"
        " 415, other operations than add, replace and remove are 400.",
        wire("v2 patch of properties"),
        wire("v2 patch in the old draft"),
    ),
    bridged(
        "add-overwrites",
        BOTH,
        "add of what is there overwrites; replace of what is not is 409.",
        update("test_update_merges_or_purges_properties", "{'a': 'x'}"),
        unit_image("test_to_v2_patch_returns_json_patch"),
        wire("v2 patch of properties"),
    ),
    bridged(
        "pointers-are-escaped",
        BOTH,
        "/ and ~ of a name must be escaped, else 400.",
        properties(
            "test_property_unsupported_on_v1_is_refused_in_update", "mounted-v2-{'a/b': 'x'}"
        ),
        properties("test_property_values_survive_update"),
        unit_image("test_patch_path_escapes_property_name"),
    ),
    refused(
        "pointers-are-stripped",
        BOTH,
        "Blanks around a name are stripped: such a property can be created and never changed.",
        unit_image("test_property_name_with_outer_blanks_is_refused"),
        wire("v2 patch of properties"),
    ),
    refused(
        "names-of-the-servers-object",
        BOTH,
        "image_id is 404 and extra_properties 500: the server's own attributes can be reached.",
        update(_REFUSED, "{'properties': {'extra_properties': 'x'}}"),
        create("test_refused_metadata_leaves_no_image", "{'image_id': 'x'}"),
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

PROTECTED = (
    fixture_only(
        "v2-forgets-what-the-caller-may-not-read",
        BOTH,
        "With property protections, a PATCH over v2, an upload, staging, an import and a change of"
        " tags delete the properties of the image that the caller may not read. v1 keeps them.",
        wire("hidden properties and other changes of an image"),
        wire("hidden properties and imports"),
        wire("protected properties in v1"),
    ),
    fixture_only(
        "unreadable-property-is-absent",
        BOTH,
        "A property that the caller may not read counts as absent in a PATCH: add needs the"
        " permission to create it, replace and remove are 409. If the caller may create it, add"
        " is 500 and changes nothing, and a new image does not have it.",
        wire("a property that its creator may not read"),
        wire("protected properties of new images"),
        wire("protected properties, removed"),
    ),
)

FACTS = PURGE + ATTRIBUTES + DATA + WHOSE + PATCH + PROTECTED
