# SPDX-License-Identifier: Apache-2.0
"""The page on capabilities."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from glance_compat.discovery.versions import CAPABILITIES, Capability
from glance_compat.fixture.glance.releases import RELEASES
from pages.markup import code, codes, described, table
from tests.capabilities import (
    OPTIONAL,
    SERVERS,
    Server,
    calls_that_need,
    capabilities_of,
    is_offered,
)

_HEAD = """\
.. _capabilities:

============
Capabilities
============

Not every version of the Images API can do everything. A program asks for a capability, never for a
version::

    if "deactivate" in service.discover().capabilities:
        ...

A call that needs a capability which the server does not have is
:class:`~glance_compat.exceptions.UnsupportedByVersion`, before anything is changed. Its attribute
``needed`` names the capability, and ``offered`` the API in use.

.. py:data:: glance_compat.discovery.versions.CAPABILITIES

   The names that ``Discovery.capabilities`` may have. They are those of the API in use, of v1 or
   of v2, with the newest minor version that the server offers.

"""

_CALLS = """
Calls on each server
====================

``create(tags)`` is a call of ``create()`` with the attribute ``tags``, and ``detail(tag)`` a list
with the filter ``tag``. The tests make each call on each of these servers of the
:doc:`embedded Glance <embedded>`, and on real servers of Glance 15.0.2 (Pike, v1 and v2) and
Glance 33. A call works, or is refused with the error above. "Option" means that it works if the
option ``hidden_property`` is set (:doc:`life-cycle`). v1 is the same in all releases.
Glance 33 has two stores here; older servers have one.

"""


def page() -> str:
    """Return the page."""
    rows = sorted(CAPABILITIES.items(), key=lambda item: (item[1].since, item[0]))
    capabilities = (described("capability", name, _description(name, row)) for name, row in rows)
    return _HEAD + "".join(capabilities) + _CALLS + _table_of_calls([name for name, _ in rows])


def _description(name: str, row: Capability) -> str:
    meaning = row.meaning[0].upper() + row.meaning[1:]
    return (
        f"{meaning}. Since {_since(row)}.\n\n"
        f"| Calls that need it: {codes(calls_that_need(name)) or 'none'}\n"
        f"| Without it: {row.instead or 'nothing'}\n"
    )


def _table_of_calls(names: list[str]) -> str:
    v1, *v2 = [Server("v1", "pike"), *(one for one in SERVERS if one.api == "v2")]
    offered = {server: capabilities_of(server) for server in (v1, *v2)}
    return table(
        ("call", "v1", "v2"),
        [
            (code(call), _outcome(call, v1, offered[v1]), _outcomes(call, v2, offered))
            for name in names
            for call in calls_that_need(name)
        ],
        widths="40 15 45",
    )


def _outcomes(
    call: str, servers: Sequence[Server], offered: Mapping[Server, frozenset[str]]
) -> str:
    """Return the outcome on all releases, or the first and last release of each outcome."""
    grouped = itertools.groupby(servers, lambda one: _outcome(call, one, offered[one]))
    groups = [(outcome, list(same)) for outcome, same in grouped]
    if len(groups) == 1:
        return groups[0][0]
    return "; ".join(f"{outcome}: {_releases(same)}" for outcome, same in groups)


def _releases(servers: Sequence[Server]) -> str:
    titles = [RELEASES[server.release].name.title() for server in servers]
    return titles[0] if len(titles) == 1 else f"{titles[0]} to {titles[-1]}"


def _outcome(call: str, server: Server, capabilities: frozenset[str]) -> str:
    if is_offered(call, server.api, capabilities):
        return "works"
    return "option" if call in OPTIONAL else "refused"


def _since(row: Capability) -> str:
    versions = sorted(row.configured) or [row.since]
    text = ", ".join(f"v{major}.{minor}" for major, minor in versions)
    return f"one of {text}" if row.configured else text
