# SPDX-License-Identifier: Apache-2.0
"""The promised outcome of every call under every fault; docs/reliability is generated from it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping

from glance_compat import exceptions
from glance_compat.fixture import faults
from glance_compat.fixture.faults import Damaged, Fault
from tests.faults.calls import APIS, CALLS, Api, Kind, Step


class State(enum.Enum):
    """The stored images after a call."""

    DONE = "took effect"
    #: As before the call; but an update with data may have changed the metadata.
    BEFORE = "no effect"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    :param errors: one of these is raised; if empty, the call returns its correct result.
    """

    errors: tuple[type[exceptions.GlanceCompatError], ...]
    state: State

    def __str__(self) -> str:
        if not self.errors:
            return "correct"
        named = " or ".join(one.__name__ for one in self.errors)
        return f"{named}; {self.state.value}"


RIGHT = Outcome((), State.DONE)


def _error(*errors: type[exceptions.GlanceCompatError]) -> Outcome:
    return Outcome(errors, State.BEFORE)


def _done(*errors: type[exceptions.GlanceCompatError]) -> Outcome:
    return Outcome(errors, State.DONE)


_LOST = exceptions.GlanceConnectionFailed
_BAD = exceptions.BadResponse
_DAMAGED = exceptions.IntegrityError
_UNKNOWN = exceptions.OutcomeUnknown
_REFUSED = exceptions.NotAuthenticated

_ALL: dict[Kind, Outcome] = dict.fromkeys(Kind, RIGHT)


def _all_but(**other: Outcome) -> dict[Kind, Outcome]:
    return {**_ALL, **{Kind[name]: outcome for name, outcome in other.items()}}


def _always(error: type[exceptions.GlanceCompatError], **other: Outcome) -> dict[Kind, Outcome]:
    return {
        **dict.fromkeys(Kind, _error(error)),
        **{Kind[name]: outcome for name, outcome in other.items()},
    }


#: The GETs that would establish the outcome of a write all fail.
_NEVER_SEEN = {"LOOK": _done(_UNKNOWN), "WATCH": _done(_UNKNOWN)}

#: The request fails without effect, and a retry succeeds.
_NOT_SENT = _all_but(DISCOVER=_error(_LOST), PIPE=_error(_LOST))
_BUSY = _all_but(DISCOVER=_error(_BAD), PIPE=_error(_BAD))
#: Requests that add nothing are limited in their rate; the others may exceed a quota.
_LIMITED = _always(
    exceptions.ImageQuotaExceeded,
    DISCOVER=_error(_BAD),
    READ=RIGHT,
    PAGE=RIGHT,
    LOOK=RIGHT,
    WATCH=RIGHT,
    PULL=RIGHT,
)
#: The request is rejected. As the response to the marker of a next page, it means that the image
#: is gone, and the list continues after an earlier image.
_REJECTED = _always(exceptions.Invalid, DISCOVER=RIGHT, PAGE=RIGHT, WATCH=_done(_UNKNOWN))
#: The request took effect, and a retry detects that.
_RESPONSE_LOST = _all_but(DISCOVER=_error(_LOST))
_RESPONSES_LOST = _always(
    _LOST,
    WRITE=_done(_LOST),
    COPY=RIGHT,
    CREATE=RIGHT,
    UPDATE=RIGHT,
    GIVE=RIGHT,
    IMPORT=RIGHT,
    SEND=RIGHT,
    PIPE=RIGHT,
    LOOK=_done(_UNKNOWN),
    WATCH=_done(_UNKNOWN),
)
#: The request took effect, but the deadline passes before the library knows.
_TOO_LATE = {
    **_RESPONSES_LOST,
    Kind.UPDATE: _done(_LOST),
    Kind.GIVE: _done(_LOST),
    Kind.LOOK: RIGHT,
    Kind.WATCH: RIGHT,
}
#: Another response is sent, and the request has no effect.
_STRANGE = {
    **dict.fromkeys(Kind, _error(_BAD)),
    Kind.DISCOVER: RIGHT,
    Kind.LOOK: RIGHT,
    Kind.WATCH: RIGHT,
    Kind.PULL: _error(_BAD, _DAMAGED),
}
#: The request took effect, but the response is invalid.
_GARBLED = {
    Kind.DISCOVER: RIGHT,
    Kind.READ: _error(_BAD),
    Kind.PAGE: _error(_BAD),
    Kind.WRITE: _done(_BAD),
    Kind.COPY: RIGHT,
    Kind.CREATE: RIGHT,
    Kind.UPDATE: _done(_BAD),
    Kind.GIVE: RIGHT,
    Kind.RECORD: _error(_BAD),
    Kind.SEND: RIGHT,
    Kind.PIPE: RIGHT,
    Kind.LOOK: RIGHT,
    Kind.IMPORT: RIGHT,
    Kind.STAGE: _error(_BAD),
    Kind.WATCH: RIGHT,
    Kind.PULL: _error(_DAMAGED),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault, and the outcomes of the calls under it.

    :param times: number of requests that are affected; None: all.
    :param outcomes: the outcomes, by the purpose of the affected request.
    :param sockets: whether the fault exists only over sockets.
    :param options: options that differ from those of the other rows.
    :param on_v1: the outcomes over v1, if they are others.
    """

    fault: Fault
    outcomes: Mapping[Kind, Outcome]
    times: int | None = 1
    sockets: bool = False
    options: Mapping[str, float] = dataclasses.field(default_factory=dict)
    on_v1: Mapping[Kind, Outcome] | None = None


_TOO_SLOW = "response slower than the deadline"
_NEVER_RECEIVED = "504, and the server never receives all of the data"

ROWS: dict[str, Row] = {
    "connection reset before the request": Row(faults.ResetBefore(), _NOT_SENT),
    "connection reset before every request": Row(
        faults.ResetBefore(), _always(_LOST, **_NEVER_SEEN), None
    ),
    "connection reset during an upload": Row(faults.ResetDuring(1000), _NOT_SENT),
    "connection reset during every upload": Row(faults.ResetDuring(1000), _always(_LOST), None),
    "connection reset after the request": Row(faults.ResetAfter(), _NOT_SENT),
    "request executed, response lost": Row(faults.ResponseLost(), _RESPONSE_LOST),
    "requests executed, every response lost": Row(faults.ResponseLost(), _RESPONSES_LOST, None),
    "connection closed without a response": Row(faults.Closed(), _NOT_SENT),
    "no response before the timeout": Row(faults.Stalled(), _NOT_SENT),
    "no response to any request before the timeout": Row(
        faults.Stalled(), _always(_LOST, **_NEVER_SEEN), None
    ),
    "request executed, no response before the timeout": Row(
        faults.ResponseStalled(), _RESPONSE_LOST
    ),
    "503": Row(faults.Status(503), _BUSY),
    "503 to every request": Row(faults.Status(503), _always(_BAD, **_NEVER_SEEN), None),
    "429 with Retry-After": Row(faults.Status(429, retry_after=0), _BUSY),
    "400": Row(faults.Status(400), _REJECTED),
    "409": Row(
        faults.Status(409),
        _always(
            exceptions.Conflict,
            DISCOVER=RIGHT,
            IMPORT=_error(exceptions.ImageImportImpossible),
            COPY=_error(exceptions.ImageImportImpossible),
            WATCH=_done(_UNKNOWN),
        ),
    ),
    "413 with Retry-After": Row(faults.Status(413, retry_after=0), _LIMITED),
    "502": Row(faults.Status(502), _BUSY),
    "504": Row(faults.Status(504), _BUSY),
    "504 while the server still receives the data": Row(faults.GatewayTimeout(requests=3), _ALL),
    "no response before the timeout, while the server still receives the data": Row(
        faults.GatewayTimeout(None, requests=3), _ALL
    ),
    _NEVER_RECEIVED: Row(
        faults.GatewayTimeout(requests=3, completes=False), _all_but(PIPE=_error(_BAD))
    ),
    "500": Row(
        faults.Status(500),
        {**_STRANGE, Kind.PULL: _error(_BAD)},
        # The registry of v1 may be down.
        on_v1={**_BUSY, Kind.DISCOVER: RIGHT},
    ),
    "a status that Glance never sends": Row(
        faults.Status(418), {**_STRANGE, Kind.PULL: _error(_BAD)}
    ),
    "the token has expired": Row(faults.ExpiredToken(), _all_but(PIPE=_error(_REFUSED))),
    "every token is rejected": Row(
        faults.ExpiredToken(), _always(_REFUSED, DISCOVER=RIGHT, WATCH=_done(_UNKNOWN)), None
    ),
    "an HTML page": Row(faults.HtmlPage(), _STRANGE),
    "JSON with the wrong structure": Row(faults.WrongJson(), _STRANGE),
    "truncated JSON": Row(faults.BrokenJson(), _STRANGE),
    "200 with an empty body": Row(faults.Replaced(), _STRANGE),
    "204": Row(
        faults.Replaced(204),
        {**_STRANGE, Kind.SEND: _error(_BAD, _DAMAGED), Kind.PIPE: _error(_BAD, _DAMAGED)},
    ),
    "a response that is huge when decompressed": Row(faults.Compressed(size=4 * 2**20), _STRANGE),
    "a redirect loop": Row(
        faults.Redirect(),
        _always(_BAD, DISCOVER=RIGHT, **_NEVER_SEEN),
        None,
    ),
    "a redirect to the same server": Row(
        faults.Redirect(status=307, location="{path}#moved"),
        {
            **_ALL,
            **dict.fromkeys(
                (
                    *(Kind.WRITE, Kind.COPY, Kind.CREATE, Kind.UPDATE, Kind.GIVE),
                    *(Kind.RECORD, Kind.SEND, Kind.PIPE, Kind.IMPORT, Kind.STAGE),
                ),
                _error(_BAD),
            ),
        },
    ),
    "a redirect to another server": Row(
        faults.Redirect(location="http://127.0.0.2:9{path}"),
        {**_STRANGE, Kind.PULL: _error(_BAD)},
    ),
    "response without its last byte": Row(faults.Truncated(), _RESPONSE_LOST),
    "response cut off after 3 bytes": Row(faults.Truncated(after=3), _RESPONSE_LOST),
    "every response without its last byte": Row(faults.Truncated(), _RESPONSES_LOST, None),
    "connection reset during the response": Row(faults.BodyReset(after=3), _RESPONSE_LOST),
    "response stalls until the timeout": Row(faults.BodyStalled(), _RESPONSE_LOST),
    "response sent byte by byte": Row(faults.SlowBody(seconds=0), _ALL),
    _TOO_SLOW: Row(faults.SlowBody(seconds=0.05), _TOO_LATE, options={"deadline": 0.6}),
    "response shortened, Content-Length matches": Row(faults.BodyShortened(), _GARBLED),
    "response lengthened, Content-Length matches": Row(faults.BodyLengthened(), _GARBLED),
    "one bit of the response flipped": Row(faults.BodyCorrupted(), _GARBLED),
    "terminating chunk missing": Row(faults.Unterminated(), _RESPONSE_LOST),
    "response cut off, without Content-Length": Row(faults.WithoutLength(), _GARBLED),
    "invalid line in the header block": Row(faults.JunkLine(), _ALL),
    "connection closed after the status line": Row(
        faults.HeadersTruncated(after=1), _RESPONSE_LOST, sockets=True
    ),
    "connection closed within the header block": Row(
        faults.HeadersTruncated(), _RESPONSE_LOST, sockets=True
    ),
    "header block sent byte by byte": Row(faults.SlowHeaders(seconds=0), _ALL),
    "header block slower than the timeout": Row(
        faults.SlowHeaders(seconds=0.05), _RESPONSE_LOST, sockets=True
    ),
    "no Content-Type": Row(faults.HeaderMissing("Content-Type"), _ALL),
    "no Content-Length": Row(faults.HeaderMissing("Content-Length"), _ALL),
    "200 additional headers": Row(faults.HeaderAdded(count=200), _ALL, sockets=True),
    "two Content-Length headers": Row(faults.HeaderAdded("Content-Length", "3"), _RESPONSE_LOST),
    "a response that is not HTTP": Row(faults.NotHttp(), _RESPONSE_LOST),
}

# A GET after a write fails as any other GET does, but the write has taken effect.
ROWS = {
    name: dataclasses.replace(
        row,
        outcomes={
            **row.outcomes,
            Kind.READ_AFTER: dataclasses.replace(row.outcomes[Kind.READ], state=State.DONE),
        },
    )
    for name, row in ROWS.items()
}

_V2: tuple[Api, ...] = ("v2",)
#: Rows whose damaged data looks complete, and the APIs: over v1 a response without the headers of
#: an image is not treated as data.
_UNNOTICED: Mapping[str, tuple[Api, ...]] = {
    "an HTML page": _V2,
    "JSON with the wrong structure": _V2,
    "truncated JSON": _V2,
    "200 with an empty body": _V2,
    "a response that is huge when decompressed": _V2,
    "response shortened, Content-Length matches": APIS,
    "response lengthened, Content-Length matches": APIS,
    "one bit of the response flipped": APIS,
    "response cut off, without Content-Length": APIS,
}

#: Outcomes of single cells that differ from those of their row.
EXCEPTIONS: dict[tuple[str, str, Api, Kind], Outcome] = {
    # The image is fetched, and the correct change is sent.
    **{
        ("409", call, "v2", kind): RIGHT
        for call, kind in (
            ("update", Kind.WRITE),
            ("update with a purge", Kind.UPDATE),
            ("hide", Kind.WRITE),
            ("unhide", Kind.UPDATE),
            ("supersede", Kind.WRITE),
            ("update with data", Kind.UPDATE),
            ("update with a location", Kind.UPDATE),
            ("update with a location", Kind.GIVE),
            ("update with a location, before v2.17", Kind.GIVE),
        )
    },
    # Over v1 it is an update.
    ("409", "import_data from a URL over v1", "v1", Kind.COPY): _error(exceptions.Conflict),
    # The project may be a member already, so the member is fetched.
    ("409", "add_member", "v2", Kind.WRITE): _error(exceptions.NotFound),
    # The data is stored, and only the response of the GET is missing.
    **{
        (row, f"update with {what}", "v2", Kind.LOOK): _done(error)
        for row, error in (("400", exceptions.Invalid), ("409", exceptions.Conflict))
        for what in ("data", "a location")
    },
    # A DELETE exceeds no quota.
    **{
        ("413 with Retry-After", call, api, Kind.WRITE): RIGHT
        for call in ("delete", "remove_member")
        for api in APIS
    },
    **{
        ("413 with Retry-After", call, "v2", Kind.WRITE): RIGHT
        for call in ("remove_tag", "delete_from_store")
    },
    **{
        (row, call, "v2", kind): _error(_BAD)
        for row in (
            "response shortened, Content-Length matches",
            "response lengthened, Content-Length matches",
            "one bit of the response flipped",
            "response cut off, without Content-Length",
        )
        for call, kind in (
            # Over v2 the record is removed if the response to its creation is invalid.
            ("create", Kind.CREATE),
            # Neither the data nor its location was sent yet.
            ("update with data", Kind.UPDATE),
            ("update with a location", Kind.UPDATE),
        )
    },
    # The same, if the deadline permits no retry.
    **{
        (_TOO_SLOW, f"update with {what}", "v2", Kind.UPDATE): _error(_LOST)
        for what in ("data", "a location")
    },
    (_TOO_SLOW, "import_data from a URL over v1", "v1", Kind.COPY): _done(_LOST),
    (_TOO_SLOW, "create with a location, before v2.17", "v2", Kind.GIVE): _error(_LOST),
    **{
        (_TOO_SLOW, f"{call} with a location", "v2", Kind.LOOK): _done(_UNKNOWN)
        for call in ("create", "update")
    },
    # No reader has seen what was written to a path, so it is downloaded again.
    **{
        (row, call, api, Kind.PULL): RIGHT
        for row, apis in _UNNOTICED.items()
        for api in apis
        for call in ("download to a path", "download with resume")
    },
    # v1 kills an image after an interrupted upload, and a killed image accepts no data.
    ("connection reset during an upload", "update with data", "v1", Kind.SEND): _error(_LOST),
    (_NEVER_RECEIVED, "update with data", "v1", Kind.SEND): _error(_BAD),
    # An image that existed before the call is never removed.
    **{
        ("every token is rejected", f"update with {what}", "v2", Kind.LOOK): _done(_REFUSED)
        for what in ("data", "a location")
    },
}
_SUCCESS_IS_204 = {
    *(("delete", "v2"), ("add_member", "v1"), ("remove_member", "v1"), ("remove_member", "v2")),
    *(("deactivate", "v2"), ("reactivate", "v2"), ("add_tag", "v2"), ("remove_tag", "v2")),
    ("delete_from_store", "v2"),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One call under one fault in one of its requests."""

    row: str
    call: str
    api: Api
    step: Step

    def __str__(self) -> str:
        return f"{self.row}: {self.call} on {self.api}, {self.step}"


_FIRST: dict[tuple[Api, Kind], tuple[str, Step]] = {}
for _name, _call in CALLS.items():
    for _api, _steps in _call.steps.items():
        for _step in _steps:
            _FIRST.setdefault((_api, _step.kind), (_name, _step))


def left_out(cell: Cell) -> str | None:
    """Return the reason why a cell is not tested, or None."""
    fault = ROWS[cell.row].fault
    of_data = (faults.ResetDuring, faults.GatewayTimeout)
    if isinstance(fault, of_data) and cell.step.kind not in (Kind.SEND, Kind.PIPE):
        return "the request carries no data"
    if isinstance(fault, Damaged) and cell.step.bodiless and not fault.without_body:
        return "the response has no body"
    if isinstance(fault, faults.SlowBody) and fault.seconds and cell.step.kind is Kind.PULL:
        return "a data transfer has no deadline while bytes arrive"
    if isinstance(fault, faults.ResetBefore) and cell.step.kind is Kind.PIPE:
        return "the operating system determines how much of the pipe was read"
    is_usual = (cell.call, cell.api) in _SUCCESS_IS_204 or cell.step.kind is Kind.STAGE
    if cell.row == "204" and is_usual:
        return "this is the usual response of Glance"
    if cell.row == "200 with an empty body" and (cell.call, cell.api) == ("delete", "v1"):
        return "this is the usual response of Glance"
    return None


def usual(cell: Cell) -> bool:
    """Return whether a cell represents others: the first of its row, API and kind, or special.

    In rows with the outcomes of an earlier row, only three kinds do.
    """
    key = (cell.row, cell.call, cell.api, cell.step.kind)
    if key in EXCEPTIONS:
        return True
    first = (cell.call, cell.step) == _FIRST[cell.api, cell.step.kind]
    return first and (cell.row in _WITH_NEW_OUTCOMES or cell.step.kind in _REPRESENTATIVE)


_REPRESENTATIVE = {Kind.READ, Kind.SEND, Kind.PULL}
_WITH_NEW_OUTCOMES = {
    name
    for number, (name, row) in enumerate(ROWS.items())
    if row.outcomes not in [one.outcomes for one in list(ROWS.values())[:number]]
}


def cells() -> Iterator[Cell]:
    """Return all cells, including those that are not tested."""
    for row in ROWS:
        for name, call in CALLS.items():
            for api, steps in call.steps.items():
                for step in steps:
                    yield Cell(row, name, api, step)


def expected(cell: Cell) -> Outcome:
    """Return the expected outcome of a call."""
    kind = cell.step.kind
    row = ROWS[cell.row]
    outcomes = row.on_v1 if row.on_v1 and cell.api == "v1" else row.outcomes
    return EXCEPTIONS.get((cell.row, cell.call, cell.api, kind), outcomes[kind])
