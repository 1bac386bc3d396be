# SPDX-License-Identifier: Apache-2.0
"""The pages on reliability, and on the outcomes of each fault, from the table of faults."""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Iterator, Mapping, Set

from pages.advice import advice
from pages.markup import table, title
from tests.faults.calls import CALLS, Kind
from tests.faults.table import EXCEPTIONS, ROWS, Outcome, Row, State, cells, expected, left_out

_HEAD = """\
===========
Reliability
===========

What to do after an exception, what the library promises when a server or the network fails, and
the outcome of each call under each fault.

What to do after an exception
=============================

All exceptions are subclasses of :class:`~glance_compat.exceptions.GlanceCompatError`. Their
message says what failed, why, and what to do next. ``status``, ``request_id``, ``endpoint`` and
``image_id`` are attributes.

"""

_PROMISE = """\
What is promised
================

A *fault* is a failure on the way, such as a broken connection, a response with 503, or damaged
data. Under each of the faults below, a call either returns its correct result or raises one of the
named exceptions, and no other. It always ends. After an exception the stored images are as before
the call or, where the details say so, as after a successful call. So no image has only part of its
data, no record without data is left over, and no complete image is removed. There are two
exceptions:

* If only the data of an update with data failed, the metadata is changed, and the image still
  waits for its data.
* After :class:`~glance_compat.exceptions.OutcomeUnknown` the image is kept, because the server may
  still be working on it.

A file at the path of a download is replaced with the complete image, or is unchanged.

:doc:`retries` explains how the library does this, and which requests it repeats. All this holds
for every session whose transport adapters are requests' own ``HTTPAdapter`` or derived from it. An
adapter of another type is used unchanged, and decides itself what counts as a response.

The same is promised for endpoints with a wrong URL. A version and the id of a project at the end
of the URL are ignored. If it has another path after its version, or if the site redirects all
requests from http to https, the error names the URL to set. A 413 without a request id and without
a message of Glance is reported as the limit of a proxy.

"""

_MATRIX = """\
Faults and calls
================

{tried} combinations are tested on the embedded server (:doc:`faults`): one fault in one request of
one call over one API. The fault happens once, unless its name says otherwise; there are up to
three attempts.

The columns are the purposes of the request that fails:

{purposes}
✓ means that all calls return the correct result. ✗ means that some raise an exception, and the
call had no effect. **!** means that some raise an exception although the call took effect. Cells
are empty where nothing is tested, mostly because such a request has no data, or its response no
body. The names are links to the details (:doc:`outcomes`).

"""

#: The columns of the matrix: their heading, what they stand for, and the purposes of requests.
COLUMNS: Mapping[str, tuple[str, Set[Kind]]] = {
    "read": ("an image, a list, members and so on are fetched", {Kind.READ, Kind.PAGE}),
    "change": (
        "an image or a member is changed or deleted",
        {Kind.WRITE, Kind.UPDATE, Kind.GIVE},
    ),
    "create": ("the record of an image is created", {Kind.CREATE, Kind.RECORD}),
    "send": ("data that can be read again is sent", {Kind.SEND, Kind.STAGE}),
    "pipe": ("data from a pipe or an iterator is sent, which can be read only once", {Kind.PIPE}),
    "check": (
        "the image is fetched after a change, to see what is stored",
        {Kind.LOOK, Kind.READ_AFTER},
    ),
    "import": (
        "the server is asked to read the data itself, or to copy it, and is watched",
        {Kind.IMPORT, Kind.COPY, Kind.WATCH},
    ),
    "data": ("the data of an image is downloaded", {Kind.PULL}),
    "discover": ("the versions are requested by ``discover()``", {Kind.DISCOVER}),
}

#: Narrow columns with upright headings, so that the matrix fits a narrow page.
_STYLE = """\
.. raw:: html

   <style>
     table.matrix th, table.matrix td { padding: 0.15em 0.3em; }
     table.matrix th { vertical-align: bottom; }
     table.matrix th:not(:first-child) p { writing-mode: vertical-rl; margin: auto; }
     table.matrix td:not(:first-child) { text-align: center; }
   </style>

"""

_OUTCOMES = """\
======================
Outcomes of each fault
======================

The details of the matrix in :doc:`reliability`: for each fault, the outcome of each call, by the
purpose of the request that fails. An outcome is "correct", or the exception that is raised and
whether the call took effect. Faults with the same outcomes are together. The last section has the
requests of each call, and their purposes.

The faults
==========

"""


def page() -> str:
    """Return the page on reliability."""
    return "".join([_HEAD, *advice(), _PROMISE, *_matrix()])


def outcomes() -> str:
    """Return the page with the outcomes of each fault."""
    return "".join([*_details(), *_exceptions(), *_calls()])


def _matrix() -> Iterator[str]:
    tried = sum(left_out(cell) is None for cell in cells())
    purposes = "".join(f"* **{name}**: {meaning}\n" for name, (meaning, _) in COLUMNS.items())
    yield _MATRIX.format(tried=tried, purposes=purposes)
    yield _STYLE
    rows = [
        (f":ref:`{name} <fault-{slug(name)}>`", *(mark(name, column) for column in COLUMNS))
        for name in ROWS
    ]
    lines = table(("fault", *COLUMNS), rows).splitlines()
    yield "\n".join([*lines[:2], "   :class: matrix", *lines[2:]]) + "\n\n"


def mark(fault: str, column: str) -> str:
    """Return the mark of a fault in a column: that of the worst outcome."""
    _, kinds = COLUMNS[column]
    outcomes = {outcome for kind, outcome in _tested()[fault] if kind in kinds}
    if not outcomes:
        return ""
    failed = [one for one in outcomes if one.errors]
    if not failed:
        return "✓"
    return "**!**" if any(one.state is State.DONE for one in failed) else "✗"


@functools.cache
def _tested() -> Mapping[str, set[tuple[Kind, Outcome]]]:
    """Return the outcomes of each fault, by the purpose of the request."""
    found: dict[str, set[tuple[Kind, Outcome]]] = {name: set() for name in ROWS}
    for cell in cells():
        if left_out(cell) is None:
            found[cell.row].add((cell.step.kind, expected(cell)))
    return found


def _details() -> Iterator[str]:
    yield _OUTCOMES
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, row in ROWS.items():
        groups.setdefault((_key(row.outcomes), _key(row.on_v1 or row.outcomes)), []).append(name)
    for names in groups.values():
        row = ROWS[names[0]]
        heading = names[0] if len(names) == 1 else f"{names[0]}, and {len(names) - 1} more"
        yield "".join(f".. _fault-{slug(name)}:\n" for name in names)
        yield f"\n{title(heading[0].upper() + heading[1:], '-')}\n"
        yield from (f"* {name}: *{ROWS[name].fault.sentence()}*\n" for name in names)
        yield from _outcomes(row)


def _key(outcomes: Mapping[Kind, Outcome]) -> tuple[Outcome, ...]:
    return tuple(outcomes[kind] for kind in Kind)


def _outcomes(row: Row) -> Iterator[str]:
    for words, outcomes in (("Outcomes", row.outcomes), ("Outcomes over v1", row.on_v1)):
        if outcomes:
            yield f"\n{words}:\n\n"
            counted = collections.Counter(outcomes.values())
            *rare, (usual, _) = sorted(counted.items(), key=lambda item: item[1])
            for outcome, _ in rare:
                kinds = [kind.value for kind in Kind if outcomes[kind] == outcome]
                yield f"* {', '.join(kinds)}: **{outcome}**\n"
            yield f"* {'all others' if rare else 'all'}: **{usual}**\n"
    yield "\n"


def _exceptions() -> Iterator[str]:
    yield title("Calls with another outcome") + "\n"
    yield "In these calls the outcome differs from that of the fault above:\n\n"
    grouped: dict[tuple[str, Outcome], list[str]] = {}
    for (row, call, api, kind), outcome in EXCEPTIONS.items():
        grouped.setdefault((row, outcome), []).append(f"{call} over {api} ({kind.value})")
    for (row, outcome), calls in grouped.items():
        yield f"{row}: **{outcome}**\n    {'; '.join(calls)}\n\n"
    yield "These combinations are not tested:\n\n"
    for reason in sorted({left_out(cell) or "" for cell in cells()} - {""}):
        count = sum(left_out(cell) == reason for cell in cells())
        yield f"* {count}: {reason}\n"


def _calls() -> Iterator[str]:
    yield f"\n{title('Requests of each call')}\n"
    yield "The requests that each call sends without faults, and their purpose.\n\n"
    for name, call in CALLS.items():
        yield f"{name}\n"
        for api, steps in call.steps.items():
            said = "; ".join(f"``{step}`` ({step.kind.value})" for step in steps)
            yield f"    Over {api}: {said}\n\n"


def slug(name: str) -> str:
    """Return the part of a link that stands for a name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
