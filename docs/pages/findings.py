# SPDX-License-Identifier: Apache-2.0
"""The page on the kinds of finding of ``glance-compat audit``."""

from __future__ import annotations

from collections.abc import Iterable

from glance_compat.audit.kinds import KINDS, SEVERITIES, Kind
from glance_compat.audit.sanity_kinds import SANITY_KINDS
from pages.markup import described, escaped, title

_HEAD = """\
================
Kinds of finding
================

What ``glance-compat audit`` may report, the most serious first. :doc:`audit` explains severities
and target APIs.

"""


def page() -> str:
    """Return the page."""
    only_sanity = [kind for kind in SANITY_KINDS if kind not in KINDS]
    return (
        _HEAD
        + title("What a move changes", "-")
        + "\n"
        + "".join(_describe(KINDS))
        + title("What is wrong with images (--sanity)", "-")
        + "\n"
        + "".join(_describe(only_sanity))
    )


def _describe(kinds: Iterable[Kind]) -> Iterable[str]:
    for kind in sorted(kinds, key=lambda kind: -SEVERITIES.index(kind.severity)):
        yield described("finding", kind.name, _description(kind))


def _description(kind: Kind) -> str:
    target = f", target API {' and '.join(kind.target_apis)}" if kind.target_apis else ""
    return (
        f"*{kind.severity}{target}.* {escaped(kind.meaning)}\n\n*To do:* {escaped(kind.to_do)}\n"
    )
