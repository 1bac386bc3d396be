# SPDX-License-Identifier: Apache-2.0
"""Behaviour of the databases and front ends of the test servers, not of Glance."""

from __future__ import annotations

from tests.facts.rows import (
    BOTH,
    ONLY_33,
    PIKE,
    bridged,
    lists,
    not_applicable,
    unit_filters,
    unit_listing,
)

_SQLITE = "Comes from SQLite, under the servers that were measured."

FACTS = (
    not_applicable(
        "sqlite-times",
        PIKE,
        "A created_at header on create over v1 is 500.",
        f"{_SQLITE} The library never sends one.",
    ),
    bridged(
        "sqlite-name-filter",
        PIKE,
        "A filter by a string that is not ASCII is 500 on v1 and v2, over SQLite; 33 finds the"
        " image.",
        lists("test_library_filters_values_refused_in_queries", "letters"),
        lists("test_library_filters_tags_refused_in_queries"),
        unit_listing("test_rejected_filter_value_is_not_sent_again"),
    ),
    bridged(
        "front-end-lengths",
        BOTH,
        "A query that is longer than the front end accepts is 414: 4094 bytes with gunicorn, more"
        " with that of 15.0.2.",
        lists("test_library_filters_values_refused_in_queries", "a long property"),
        lists("test_impossible_value_matches_nothing_without_a_request"),
        unit_listing("test_rejected_filter_value_is_not_sent_again"),
    ),
    bridged(
        "sqlite-numbers",
        BOTH,
        "size_min and size_max of 2**63 or more are 500, over SQLite.",
        lists("test_size_filter_beyond_database_range_is_clamped"),
        unit_filters("test_numbers_are_clamped_to_database_range"),
    ),
    not_applicable(
        "sqlite-locks",
        ONLY_33,
        "Writers that meet are answered with 500, database is locked.",
        f"{_SQLITE} Tests that write at once repeat what is 500.",
    ),
    not_applicable(
        "sqlite-lengths",
        PIKE,
        "A property's name of 256 characters is stored.",
        f"{_SQLITE} It does not enforce the length of a column.",
    ),
    not_applicable(
        "gunicorn-https",
        BOTH,
        "X-Forwarded-Proto makes https links in version documents.",
        "Comes from the front end, which trusts loopback; links are never followed.",
    ),
)
