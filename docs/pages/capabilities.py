# SPDX-License-Identifier: Apache-2.0
"""The page on capabilities."""

from __future__ import annotations

from glance_compat.discovery.versions import CAPABILITIES, Capability
from pages.markup import code, table

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
:class:`~glance_compat.exceptions.UnsupportedByVersion`, before anything is changed.

.. py:data:: glance_compat.discovery.versions.CAPABILITIES

   The names that ``Discovery.capabilities`` may have. They are those of the API in use, of v1 or
   of v2, with the newest minor version that the server offers.

"""


def page() -> str:
    """Return the page."""
    rows = sorted(CAPABILITIES.items(), key=lambda item: (item[1].since, item[0]))
    return _HEAD + table(
        ("capability", "meaning", "since"),
        [(code(name), row.meaning, _since(row)) for name, row in rows],
    )


def _since(row: Capability) -> str:
    versions = sorted(row.configured) or [row.since]
    text = ", ".join(f"v{major}.{minor}" for major, minor in versions)
    return f"one of {text}" if row.configured else text
