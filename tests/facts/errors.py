# SPDX-License-Identifier: Apache-2.0
"""Errors, and lost connections."""

from __future__ import annotations

from tests.facts.rows import (
    BOTH,
    CLIENT,
    PIKE,
    bridged,
    context,
    create,
    fixture_only,
    not_applicable,
    refusals,
    small,
    unit_blocks,
    unit_exceptions,
    unit_wire,
    wire,
    wrong_endpoint,
)

FACTS = (
    bridged(
        "errors-are-html",
        BOTH,
        "An error is HTML or plain text, or with Accept: application/json an object whose"
        " message holds HTML.",
        unit_wire("test_error_message_is_one_short_line"),
        refusals("test_not_found_error_has_all_details"),
        wire("error bodies"),
    ),
    bridged(
        "head-has-no-words",
        PIKE,
        "An error of HEAD has no body.",
        unit_wire("test_error_without_body_carries_the_request_id"),
        refusals("test_not_found_error_has_all_details", "v1-show"),
    ),
    bridged(
        "a-bad-token-is-401",
        BOTH,
        "A bad token and none are 401, with WWW-Authenticate and without a request id.",
        wrong_endpoint("test_invalid_token_is_not_authenticated"),
        context("test_stale_token_is_renewed"),
        wire("no token"),
    ),
    bridged(
        "request-ids",
        BOTH,
        "Every other response has its own x-openstack-request-id; the caller's is not echoed.",
        refusals("test_not_found_error_has_all_details"),
        unit_wire("test_request_is_logged_once_with_its_id"),
    ),
    fixture_only(
        "405-has-allow",
        BOTH,
        "405 has an Allow header.",
        wire("methods that are not there"),
    ),
    bridged(
        "413-is-a-quota",
        BOTH,
        "413 is a quota: of properties, members, tags, locations, storage, or the size of data.",
        unit_exceptions("test_status_maps_to_its_error"),
        create("test_refused_metadata_leaves_no_image", "{'properties': {'p0'"),
        small("test_exceeded_member_quota_is_an_error"),
        small("test_exceeded_storage_quota_is_an_error"),
        unit_wire("test_other_413_is_a_quota"),
    ),
    bridged(
        "no-429",
        BOTH,
        "Glance itself never returns 429; 503 comes from sources and stores that are not"
        " available.",
        unit_wire("test_error_carries_status_request_id_and_endpoint"),
        unit_wire("test_retry_after_is_seconds_or_none"),
    ),
    bridged(
        "410-and-412",
        BOTH,
        "410 (v2) and 412 (v1) say that an image was deleted while its data arrived.",
        unit_exceptions("test_status_maps_to_its_error"),
        unit_wire("test_error_carries_status_request_id_and_endpoint"),
    ),
    bridged(
        "v1-headers-break-connections",
        PIKE,
        "Headers that v1 cannot take, or that a client cannot read, end as failed connections.",
        unit_wire("test_invalid_header_is_not_a_failed_connection"),
        unit_blocks("test_plain_session_fails_on_many_headers"),
    ),
    bridged(
        "errors-of-the-layers-below",
        CLIENT,
        "glanceclient lets TypeError, ValueError and AttributeError escape besides its own"
        " errors.",
        unit_wire("test_no_lower_layer_exception_escapes"),
        unit_wire("test_exceptions_are_mapped_by_cause"),
    ),
    not_applicable(
        "no-authentication",
        BOTH,
        "Without keystone in the pipeline, images have no owner and no token is needed.",
        "Such a server cannot be distinguished from others: requests go out without a token when"
        " there is no plugin, and the policy decides what is public.",
    ),
)
