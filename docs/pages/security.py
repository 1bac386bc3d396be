# SPDX-License-Identifier: Apache-2.0
"""The page on security."""

from __future__ import annotations

from collections.abc import Mapping

from pages.markup import title
from tests.security.table import ATTACKS, Attacker

_HEAD = """\
========
Security
========

The attackers whom the library defends against, what they may attempt, and the defence. Each attack
has a test in ``tests/security``, which fails without the defence.

"""

#: Attacker to title and description.
_ATTACKERS: Mapping[Attacker, tuple[str, str]] = {
    "server": (
        "A hostile server",
        "An image endpoint that is not what it should be, or was taken over. It gets the token of"
        " each request by nature; it must not get anything else, damage the client, or reach other"
        " callers of the same process.",
    ),
    "tenant": (
        "A hostile tenant",
        "A user who may create images in the cloud, and share or publish them. Names,"
        " properties, locations and data are the tenant's own text.",
    ),
    "network": (
        "The network",
        "A host that can respond in a server's place, or a proxy on the way. Use"
        " https: without it, the network sees and changes everything.",
    ),
    "local user": (
        "Another user of the machine",
        "A user who may read the log of a program that uses the library, or write to a folder"
        " that it writes to.",
    ),
    "browser": (
        "A page in a browser",
        "A web page that the user of the embedded server visits meanwhile.",
    ),
}

_TAIL = """\
What is not defended
====================

- An endpoint that is configured as trusted gets tokens. The library cannot tell a right endpoint
  from a wrong one.
- Image data is what its owner uploaded. Size and checksum prove only that it arrived as it was
  stored, and come from the server, too. Use image signatures (``trusted_certs``) to prove who made
  it, and ``check_format`` to refuse data of bare images that is not in the format that the image
  declares (:doc:`downloads`).
- A server may be slow within the time limits of the options, and may return any metadata that has
  the right form.
- ``v1_keep_connections=True`` gives up the defence against forged v1 responses.
- The caller's own session, adapters and auth plugins are trusted, as is the machine's
  administrator.

Dependencies
============

The lower bounds are the first versions without a known security report (searched in November
2026), or later ones:

- requests 2.33.0: CVE-2024-47081 (netrc), CVE-2026-25645.
- urllib3 2.8.0: CVE-2025-66418, CVE-2025-66471, CVE-2026-21441, CVE-2026-44431 and CVE-2026-44432
  (decompression) are fixed in 2.7.0.
- Werkzeug 3.1.6: CVE-2025-66221, CVE-2026-21860, CVE-2026-27199.
- h11 0.16.0: CVE-2025-43859 (chunked bodies).
- PyYAML 6.0.1: CVE-2020-14343 is fixed in 5.4; only ``safe_load`` is used.
- Cheroot has no CVE. Its issues 230, 275, 714, 721 and 737 (ambiguous ends of requests) are open;
  the embedded server refuses such requests itself.
- cryptography comes with cursive, which sets no bound. Signatures with SECT curves need 46.0.5
  (CVE-2026-26007). Use the newest release.
- No report was found for keystoneauth1, tenacity, jsonschema and cursive.

How to report a vulnerability
=============================

Report it to the maintainers in private, through the private reports of the site that hosts the
repository, and not in a public issue. Name the version, the attacker and the steps.
"""


def page() -> str:
    """Return the page."""
    return _HEAD + "\n".join(map(_section, _ATTACKERS)) + "\n" + _TAIL


def _section(attacker: Attacker) -> str:
    heading, description = _ATTACKERS[attacker]
    attacks = [
        f"{attack.name[0].upper()}{attack.name[1:]}\n"
        f"    {attack.attempt}\n\n"
        f"    *Defence:* {attack.outcome}\n"
        for attack in ATTACKS
        if attack.attacker == attacker
    ]
    return "\n".join([title(heading), f"{description}\n", *attacks])
