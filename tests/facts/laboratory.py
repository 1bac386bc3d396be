# SPDX-License-Identifier: Apache-2.0
"""What was seen and is not Glance: it comes from the servers' databases and front ends."""

from __future__ import annotations

from tests.facts.rows import BOTH, ONLY_33, PIKE, not_applicable

_SQLITE = "Comes from SQLite, under the servers that were measured."

FACTS = (
    not_applicable(
        "sqlite-times",
        PIKE,
        "A created_at header on create over v1 is 500.",
        f"{_SQLITE} The library never sends one.",
    ),
    not_applicable(
        "sqlite-name-filter",
        PIKE,
        "A filter by a name that is not ASCII is 500 on v1 and v2.",
        f"{_SQLITE} 33 finds the image.",
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
