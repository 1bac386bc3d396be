# SPDX-License-Identifier: Apache-2.0
"""Version documents, and the APIs below them."""

from __future__ import annotations

from tests.facts.rows import (
    BOTH,
    CLIENT,
    ONLY_33,
    PIKE,
    bridged,
    discovery,
    embedded,
    fixture_only,
    front_ends,
    real_discovery,
    unit_discovery,
    unit_takeover,
    unit_wire,
    wire,
    wrong_endpoint,
)

FACTS = (
    bridged(
        "root-is-300",
        BOTH,
        "GET / and any unknown first segment is 300 with the version document, with and without a"
        " token.",
        discovery("test_discovery_costs_one_request_without_token"),
        discovery("test_discovery_describes_the_endpoint"),
        wire("version documents"),
    ),
    fixture_only(
        "versions-is-200",
        BOTH,
        "GET /versions is 200 with the same document.",
        wire("version documents"),
    ),
    bridged(
        "v1-without-a-token-is-401",
        PIKE,
        "/v1 and what is below it is 401 in HTML without a token where v1 is on.",
        discovery("test_discovery_costs_one_request_without_token"),
        wrong_endpoint("test_invalid_token_is_not_authenticated"),
        wire("versions below a major"),
    ),
    fixture_only(
        "v1-redirects-to-its-slash",
        PIKE,
        "/v1 with a token is 302 to /v1/, made from the Host header.",
        front_ends("test_bare_major_version_redirects"),
        wire("versions below a major"),
    ),
    bridged(
        "v1-root-is-a-list",
        PIKE,
        "/v1/ with a token is a brief list of images and no version document.",
        discovery("test_endpoint_is_found_in_every_spelling", "/v1/"),
        wire("v1 root is a list"),
    ),
    bridged(
        "v2-root-is-404",
        BOTH,
        "/v2/ is 404 even with a token: below a major there is no version document.",
        discovery("test_endpoint_is_found_in_every_spelling", "/v2/"),
        wire("versions below a major"),
    ),
    fixture_only(
        "versions-below-v1",
        PIKE,
        "/v1/versions is 404 with a token, 401 without; 300 on a server without v1.",
        wire("v1 root is a list"),
        wire("versions below a major"),
    ),
    fixture_only(
        "other-methods-on-the-root",
        BOTH,
        "POST and HEAD on / are 300 too; OPTIONS is 200 without a body on 33.",
        wire("version documents"),
    ),
    fixture_only(
        "media-type-chooses-the-api",
        BOTH,
        "Accept: application/vnd.openstack.images-v1 (or -v2, -v2.5) routes /images to that API;"
        " an unknown one is 300.",
        wire("versions below a major"),
    ),
    bridged(
        "v1-is-only-ever-deprecated",
        PIKE,
        "With both APIs: v2.5 CURRENT, older v2 SUPPORTED, v1.1 and v1.0 DEPRECATED; with v1 alone"
        " nothing is CURRENT.",
        discovery("test_discovery_describes_the_endpoint", "pike-v1"),
        unit_discovery("test_version_document_determines_choice"),
        wire("v1 alone"),
    ),
    bridged(
        "experimental-comes-first",
        PIKE,
        "With enable_image_import the first entry is v2.6 EXPERIMENTAL.",
        unit_discovery("test_version_document_determines_choice"),
    ),
    bridged(
        "unsorted-with-gaps",
        ONLY_33,
        "Versions are neither sorted nor without gaps, and the first is not the newest.",
        discovery("test_discovery_describes_the_endpoint", "glance-33"),
        unit_discovery("test_version_document_determines_choice"),
    ),
    bridged(
        "configured-versions",
        ONLY_33,
        "2.8 and 2.10 to 2.13 are there with several stores only, 2.14 and 2.16 to 2.18 with an"
        " image cache.",
        unit_discovery("test_capabilities_follow_version_document"),
    ),
    fixture_only(
        "minor-is-an-alias",
        BOTH,
        "All ids of a major share one link; /v2.5/images works where v2.5 is advertised, another"
        " minor is 300.",
        wire("versions below a major"),
        wire("v2 alone"),
    ),
    bridged(
        "disabled-api-is-300",
        BOTH,
        "Any method on any path of an API that is off is 300 with the version document,"
        " never 404.",
        unit_wire("test_status_300_raises_version_document_received"),
        unit_discovery("test_call_switches_api_when_endpoint_removes_it"),
        real_discovery("test_missing_pinned_api_error_lists_offered_versions"),
        wire("v1 alone"),
        wire("v2 alone"),
    ),
    bridged(
        "links-are-made-from-the-host-header",
        BOTH,
        "Links have the scheme and host of the request, or public_endpoint as it is; a proxy's"
        " path prefix is lost.",
        unit_discovery("test_document_links_are_never_followed"),
        unit_discovery("test_path_prefix_is_preserved"),
        embedded("test_version_document_loses_the_prefix"),
    ),
    bridged(
        "documents-need-no-token",
        BOTH,
        "A version document needs no token, and a wrong one makes no difference.",
        real_discovery("test_version_document_needs_no_token"),
        wrong_endpoint("test_version_document_needs_no_token"),
    ),
    bridged(
        "documents-have-no-request-id",
        BOTH,
        "There is no x-openstack-request-id on a version document or a 401.",
        unit_wire("test_error_carries_status_request_id_and_endpoint"),
        wrong_endpoint("test_invalid_token_is_not_authenticated"),
    ),
    bridged(
        "a-version-in-an-endpoint",
        CLIENT,
        "glanceclient accepts an endpoint that ends in /v1 for either version.",
        unit_discovery("test_version_in_path_does_not_pin"),
        real_discovery("test_version_in_endpoint_does_not_pin"),
        unit_takeover("test_client_with_endpoint_and_token_is_read"),
    ),
)
