# SPDX-License-Identifier: Apache-2.0
"""Attacks as data: who attempts what, what happens, and the test that proves it.

The page docs/security is made from this table.
"""

from __future__ import annotations

import dataclasses
import typing

Attacker = typing.Literal["server", "tenant", "network", "local user", "browser"]


@dataclasses.dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    :param name: unique, as the page shows it.
    :param attacker: who carries it out.
    :param attempt: what is attempted.
    :param outcome: what happens.
    :param tests: names of tests below ``tests/security``, as "file::function".
    """

    name: str
    attacker: Attacker
    attempt: str
    outcome: str
    tests: tuple[str, ...]


ATTACKS: tuple[Attack, ...] = (
    Attack(
        "redirect that two parsers read differently",
        "server",
        r"A redirect to ``http://evil\@glance/`` and the like: one parser reads the endpoint's"
        " host, the other connects to the attacker's, with the token and the endpoint's password.",
        "Only a URL that urllib.parse and urllib3 read alike is followed, within the same origin"
        " and without user information. Any other is BadResponse, and nothing is sent.",
        (
            "test_redirects.py::test_redirect_to_another_host_is_refused",
            "test_redirects.py::test_followed_redirects_connect_to_the_endpoint",
        ),
    ),
)
