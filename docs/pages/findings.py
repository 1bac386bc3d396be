# SPDX-License-Identifier: Apache-2.0
"""The page on the kinds of finding of ``glance-compat audit``."""

from __future__ import annotations

from glance_compat.audit.kinds import KINDS, SEVERITIES, Kind
from pages.markup import described, escaped

_HEAD = """\
================
Kinds of finding
================

What ``glance-compat audit`` may report, the most serious first. :doc:`audit` explains severities
and target APIs.

"""


def page() -> str:
    """Return the page."""
    kinds = sorted(KINDS, key=lambda kind: -SEVERITIES.index(kind.severity))
    return _HEAD + "".join(described("finding", kind.name, _description(kind)) for kind in kinds)


def _description(kind: Kind) -> str:
    target_apis = " and ".join(kind.target_apis)
    return (
        f"*{kind.severity}, target API {target_apis}.* {escaped(kind.meaning)}\n\n"
        f"*To do:* {escaped(kind.to_do)}\n"
    )
