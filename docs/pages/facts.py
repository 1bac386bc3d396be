# SPDX-License-Identifier: Apache-2.0
"""The pages on what real servers do, from the table of facts."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterator, Mapping

from pages.markup import escaped, title
from tests.facts import FACTS, SECTIONS
from tests.facts.rows import Fact, Verdict

_HEAD = """\
====================
What real servers do
====================

{total} facts on Glance 15.0.2 ("Pike", v1 and v2 over one database) and Glance 33.0.0 that were
verified on real servers, or that were verified with a client library and are marked so. Each names
the releases, and what the library makes of it:

* *bridged* ({bridged}): the library hides it from callers;
* *refused* ({refused}): a call that would meet it raises an exception, over both APIs;
* *deviation* ({deviation}): callers notice it, see :doc:`differences`;
* *not met* ({fixture}): the library never meets it; the embedded Glance does the same;
* *not applicable* ({other}): neither can meet it.

``tests/facts`` names the tests of each fact.

.. toctree::
   :maxdepth: 1

"""

_TITLES = {
    "versions": "Versions",
    "encoding": "Headers, values and names",
    "creating": "New images",
    "updating": "Changes of images",
    "listing": "Lists of images",
    "reading": "One image, its data and its deletion",
    "sharing": "Members",
    "errors": "Error responses",
    "translation": "What Nova's own translation got wrong",
    "laboratory": "Effects of the test environment",
}

_DONE = {
    Verdict.BRIDGED: "bridged",
    Verdict.REFUSED: "refused",
    Verdict.FIXTURE: "not met",
    Verdict.NOT_APPLICABLE: "not applicable",
}


def page() -> str:
    """Return the page that leads to the others."""
    counted = collections.Counter(fact.verdict for fact in FACTS)
    head = _HEAD.format(
        total=len(FACTS),
        bridged=counted[Verdict.BRIDGED],
        refused=counted[Verdict.REFUSED],
        deviation=counted[Verdict.DEVIATION],
        fixture=counted[Verdict.FIXTURE],
        other=counted[Verdict.NOT_APPLICABLE],
    )
    return head + "".join(f"   facts-{name}\n" for name in SECTIONS)


def pages() -> Mapping[str, Callable[[], str]]:
    """Return the other pages, by name: one for each section of the table."""
    return {f"facts-{name}": functools.partial(_section, name) for name in SECTIONS}


def _section(name: str) -> str:
    heading = _TITLES[name]
    return f"{'=' * len(heading)}\n{title(heading)}\n" + "".join(_facts(SECTIONS[name]))


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    for one in facts:
        yield f"* .. _fact-{one.name}:\n\n"
        yield f"  {escaped(one.fact)} ({', '.join(one.seen)}; {_done(one)})\n\n"


def _done(fact: Fact) -> str:
    if fact.verdict is Verdict.DEVIATION:
        return f":ref:`deviation <deviation-{fact.deviation}>`"
    return f"*{_DONE[fact.verdict]}*"
