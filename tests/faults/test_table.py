# SPDX-License-Identifier: Apache-2.0
"""The table of faults, tested on the embedded server."""

from __future__ import annotations

import os
from typing import Any

import pytest

from glance_compat import ImageService
from tests.faults import walk
from tests.faults.calls import CALLS, DATA, WITHOUT_REQUESTS, Kind
from tests.faults.table import ROWS, Cell, State, cells, expected, left_out, usual

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
#: Rows that are also tested over sockets in every run; long runs test all rows.
ON_THE_WIRE = {
    "request executed, response lost",
    "connection reset during an upload",
}
#: One call of each kind per API; long runs test every call.
CELLS = [cell for cell in cells() if left_out(cell) is None and (LONG or usual(cell))]


def judge(cell: Cell, seen: walk.Seen) -> None:
    """Compare the observed outcome with the promised one."""
    outcome = expected(cell)
    undisturbed = walk.undisturbed(cell.call, cell.api)
    assert seen.happened, "the fault did not happen"
    if outcome.errors:
        assert isinstance(seen.error, outcome.errors), repr(seen.error)
        assert seen.result is None
        assert "owner" not in str(seen.error)
    else:
        assert seen.error is None, repr(seen.error)
        assert seen.result == undisturbed.result
    judge_state(cell, seen, outcome.state)
    arrived = seen.error is None and cell.call in ("download to a path", "download with resume")
    files = dict(seen.files)
    assert files.pop("image") == (DATA if arrived else walk.OLD)
    if cell.call == "download with resume" and seen.error:
        # The next call continues with the part that was received.
        assert all(DATA.startswith(part) for part in files.values())
        assert all(name.startswith(".image.") and name.endswith(".part") for name in files)
    else:
        assert not files


def judge_state(cell: Cell, seen: walk.Seen, state: State) -> None:
    """Assert that no record is left over, and no image is incomplete or missing."""
    if state is State.DONE:
        assert seen.state == walk.undisturbed(cell.call, cell.api).state
    elif cell.call.startswith(("update with data", "update with a location")):
        [image] = [one for one in seen.state if one[0] in ("queued", "full")]
        assert image[1] in ("queued", "killed"), image
        assert not image[4], "there is data"
        others = [one for one in seen.state if one is not image]
        assert others == [one for one in walk.untouched(cell.call, cell.api) if one[0] == "active"]
    else:
        assert seen.state == walk.untouched(cell.call, cell.api)


def make(cell: Cell, *, sockets: bool) -> walk.Seen:
    row = ROWS[cell.row]
    waits = sockets and "timeout" in cell.row
    quick = {"read_timeout": 0.4, "stall_timeout": 0.4} if waits else {}
    options: dict[str, Any] = {**quick, **row.options}
    return walk.make(
        cell.call, cell.api, cell.step, row.fault, row.times, sockets=sockets, **options
    )


@pytest.mark.slow
@pytest.mark.parametrize("cell", [cell for cell in CELLS if not ROWS[cell.row].sockets], ids=str)
def test_fault_without_sockets(cell: Cell) -> None:
    judge(cell, make(cell, sockets=False))


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [cell for cell in CELLS if LONG or cell.row in ON_THE_WIRE or ROWS[cell.row].sockets],
    ids=str,
)
def test_fault_over_sockets(cell: Cell) -> None:
    judge(cell, make(cell, sockets=True))


def test_every_method_is_in_the_table() -> None:
    methods = {name for name in dir(ImageService) if not name.startswith("_")}
    used = {name.partition(" ")[0].rstrip(",") for name in CALLS}
    assert used | WITHOUT_REQUESTS == methods


def test_every_row_has_an_outcome_for_every_kind() -> None:
    for name, row in ROWS.items():
        assert row.outcomes.keys() == set(Kind), name
        assert (row.on_v1 or row.outcomes).keys() == set(Kind), name


@pytest.mark.parametrize("call", CALLS)
def test_call_without_fault_succeeds(call: str) -> None:
    for api in CALLS[call].steps:
        seen = walk.undisturbed(call, api)
        assert seen.error is None
        assert seen.result is not None
