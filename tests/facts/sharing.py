# SPDX-License-Identifier: Apache-2.0
"""Members of images."""

from __future__ import annotations

from tests.facts.rows import (
    BOTH,
    PIKE,
    arguments,
    bridged,
    deviation,
    deviations,
    fixture_only,
    members,
    refusals,
    refused,
    small,
    wire,
)

FACTS = (
    deviation(
        "what-is-told-of-a-member",
        BOTH,
        "v1 returns can_share of a member, v2 its status and times.",
        "member-details",
        deviations("test_member_details_differ_by_api"),
        members("test_can_share_is_reported_on_v1"),
        wire("v1 members"),
    ),
    bridged(
        "listing-members",
        BOTH,
        "v2 returns 403 unless the visibility is shared.",
        members("test_unshared_image_has_no_members"),
        wire("v2 members of private images"),
    ),
    bridged(
        "adding-a-member",
        BOTH,
        "PUT on v1 is 204, again too; POST on v2 is 200 pending, again 409.",
        members("test_share_and_unshare_image"),
        members("test_adding_member_twice_is_no_error"),
        members("test_adding_member_again_keeps_its_status"),
        wire("v2 members"),
    ),
    deviation(
        "members-of-what-is-not-shared",
        BOTH,
        "v1 adds members to private, public and community images; v2 returns 403.",
        "members-of-unshared-images",
        deviations("test_unshared_images_accept_members_on_v1"),
        wire("v1 members of other visibilities"),
    ),
    fixture_only(
        "replacing-members",
        PIKE,
        "PUT of a list of memberships replaces all on v1.",
        wire("v1 members replaced"),
    ),
    fixture_only(
        "one-member",
        BOTH,
        "GET of one member and POST are 405 on v1; v2 has both.",
        wire("methods that are not there in v1"),
        wire("v2 members"),
    ),
    refused(
        "member-ids-of-other-letters",
        BOTH,
        "A member id that is not ASCII is 500 on v1; v2 adds it, 15.0.2 removes it and 33 answers"
        " 404 to that.",
        arguments("test_invalid_argument_is_refused_without_a_request", "add_member member_id"),
        arguments("test_invalid_argument_is_refused_without_a_request", "remove_member member_id"),
    ),
    bridged(
        "removing-a-member",
        BOTH,
        "204, and 404 the second time.",
        members("test_removing_absent_member_is_not_found"),
        members("test_added_member_equals_listed_member"),
        wire("v2 members"),
    ),
    bridged(
        "a-member-cannot-leave",
        BOTH,
        "A member that removes itself is 403 on v2, 404 on v1.",
        members("test_member_cannot_remove_itself"),
        wire("v2 members"),
    ),
    bridged(
        "sharing-what-is-not-mine",
        BOTH,
        "Sharing an image of others is 404 on v1; on v2 403 for one that is public or shared with"
        " the caller, 404 for a private one.",
        refusals("test_refused_call_raises_the_same_error", "demo-public-add_member"),
        refusals("test_refused_call_raises_the_same_error", "demo-shared-add_member"),
        refusals("test_refused_call_raises_the_same_error", "demo-private-add_member"),
        wire("v1 members"),
    ),
    fixture_only(
        "sharing-further",
        PIKE,
        "A member of v1 with can_share may share the image with others; v2 has nothing of"
        " the kind.",
        wire("v1 members"),
    ),
    bridged(
        "v1-members-are-pending",
        PIKE,
        "Who is added over v1 is pending for v2: in v1's lists and not in v2's own; show works.",
        members("test_shared_image_is_listed_for_every_member_status"),
        wire("v1 members"),
    ),
    deviation(
        "answering",
        BOTH,
        "A member of v2 accepts or rejects, an admin for it as well; v1 has nothing of the kind.",
        "needs-v2",
        members("test_member_sets_status_on_v2"),
        members("test_member_cannot_set_status_on_v1"),
        deviations("test_v2_only_calls_are_refused_on_v1", "update_member"),
    ),
    fixture_only(
        "shared-images",
        PIKE,
        "/v1/shared-images/PROJECT lists the images that are shared with a project.",
        wire("v1 shared images"),
    ),
    bridged(
        "member-quota",
        BOTH,
        "More members than image_member_quota are 413.",
        small("test_exceeded_member_quota_is_an_error"),
    ),
    deviation(
        "members-of-what-waits-to-be-deleted",
        PIKE,
        "An admin of v1 may add a member to an image that waits to be deleted.",
        "delayed-deletion",
        small("test_pending_delete_image_is_not_found"),
    ),
)
