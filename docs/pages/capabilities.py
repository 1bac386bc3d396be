# SPDX-License-Identifier: Apache-2.0
"""The page on capabilities."""

from __future__ import annotations

from glance_compat.discovery.versions import CAPABILITIES, Capability
from glance_compat.fixture.glance.releases import RELEASES
from pages.markup import code, codes, table
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
    capabilities = table(
        ("capability", "meaning", "since", "calls that need it", "without it"),
        [
            (
                code(name),
                row.meaning,
                _since(row),
                codes(calls_that_need(name)) or "none",
                row.instead or "nothing",
            )
            for name, row in rows
        ],
    )
    return _HEAD + capabilities + _CALLS + _table_of_calls([name for name, _ in rows])


def _table_of_calls(names: list[str]) -> str:
    servers = [Server("v1", "pike"), *(one for one in SERVERS if one.api == "v2")]
    offered = {server: capabilities_of(server) for server in servers}
    return table(
        ("call", *map(_heading, servers)),
        [
            (
                code(call),
                *(_outcome(call, server, offered[server]) for server in servers),
            )
            for name in names
            for call in calls_that_need(name)
        ],
    )


def _outcome(call: str, server: Server, capabilities: frozenset[str]) -> str:
    if is_offered(call, server.api, capabilities):
        return "works"
    return "option" if call in OPTIONAL else "refused"


def _heading(server: Server) -> str:
    if server.api == "v1":
        return "v1"
    title = RELEASES[server.release].name
    return f"v2, {title if title.isdigit() else title.title()}"


def _since(row: Capability) -> str:
    versions = sorted(row.configured) or [row.since]
    text = ", ".join(f"v{major}.{minor}" for major, minor in versions)
    return f"one of {text}" if row.configured else text
