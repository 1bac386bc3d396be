# SPDX-License-Identifier: Apache-2.0
"""The page on retries. Its table shows calls on the embedded Glance."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping

from keystoneauth1.session import Session

from glance_compat import Options
from glance_compat.fixture import GlanceFixture
from glance_compat.transport.retry import TRANSIENT_STATUS
from pages.markup import code, table, title
from pages.recording import Exchange, Recorder
from pages.reliability import slug
from tests.faults import walk
from tests.faults.calls import CALLS, Api, Kind, Step
from tests.faults.table import ROWS


@dataclasses.dataclass(frozen=True)
class Decision:
    """One request of a call, and what the library does if it fails.

    :param call: the name of the call in ``tests/faults``.
    :param kind: the purpose of the request that fails.
    :param why: why the library may do this.
    """

    call: str
    api: Api
    kind: Kind
    why: str


#: Title of each column to the fault in the table of faults.
FAILURES: Mapping[str, str] = {
    "it never arrived": "connection reset before the request",
    "it took effect, and the response was lost": "request executed, response lost",
    "503": "503",
}

DECISIONS: Mapping[str, Decision] = {
    "Read an image or a list": Decision(
        "show", "v2", Kind.READ, "A GET changes nothing, so it may be sent any number of times."
    ),
    "Download": Decision(
        "download to a path",
        "v2",
        Kind.PULL,
        "The same. A download that was cut off continues where it ended, if the server can do"
        " that; otherwise it begins again.",
    ),
    "Set properties": Decision(
        "update",
        "v2",
        Kind.WRITE,
        "The request sets values that do not depend on the stored ones. Two of them have the"
        " effect of one.",
    ),
    "Replace all properties": Decision(
        "update with a purge",
        "v2",
        Kind.UPDATE,
        "The request was computed from the stored image, so it is computed again from the image as"
        " it is now. If the first request took effect, nothing is left to change.",
    ),
    "Add a member": Decision(
        "add_member",
        "v2",
        Kind.WRITE,
        "409 means that the project is a member already. The member is fetched and returned.",
    ),
    "Delete": Decision(
        "delete",
        "v2",
        Kind.WRITE,
        "404 for the second request means that the first one deleted the image. 404 for the first"
        " request is an error.",
    ),
    "Create an image without data": Decision(
        "create",
        "v2",
        Kind.CREATE,
        "The library chooses the id and sends it. 409 for the second request means that the first"
        " one created the image, which is fetched and compared. An image with an id that the"
        " caller chose may be another client's, and is never removed.",
    ),
    "Upload: create the record": Decision(
        "create with data",
        "v2",
        Kind.RECORD,
        "A record without data is of no use. If it exists, it is deleted, and another one is"
        " created. A server may still be working on a request whose connection broke, so the"
        " deletion is tried for about a second.",
    ),
    "Upload: send the data": Decision(
        "create with data",
        "v2",
        Kind.SEND,
        "The stored image decides. If it is active and has the size and hash of what was sent, the"
        " call is done. Otherwise it is deleted, and record and data are sent again.",
    ),
    "Upload over v1": Decision(
        "create with data",
        "v1",
        Kind.SEND,
        "The same. v1 has one request for the record and the data.",
    ),
    "Upload from a pipe": Decision(
        "create with a pipe",
        "v2",
        Kind.PIPE,
        "What was read from a pipe or an iterator cannot be read again. So the call is repeated"
        " only if nothing had been read; otherwise the image is deleted and the error is raised.",
    ),
    "Send data to an image that exists": Decision(
        "update with data",
        "v2",
        Kind.SEND,
        "An image that existed before the call is never deleted. The data is sent again if the"
        " image still waits for it.",
    ),
    "Import": Decision(
        "import_image from a URL",
        "v2",
        Kind.IMPORT,
        "The image shows whether the server has begun. If not, the call begins again with another"
        " record.",
    ),
    "Copy to a store": Decision(
        "copy_to_stores",
        "v2",
        Kind.COPY,
        "The image shows in which stores the data is, and which copies are under way.",
    ),
    "Discover": Decision(
        "discover",
        "v2",
        Kind.DISCOVER,
        "``discover()`` itself reports what an endpoint responds now. Calls that need the versions"
        " are retried as a whole.",
    ),
}

_HEAD = """\
===========================
What may be retried and why
===========================

A request can fail before it reached the server, or after the server has done what it asks. The
client often cannot tell: in both cases there is no response. So a call is retried only if a second
request cannot do harm, or if the library can find out what the first one did.

The table has calls in which one request fails, once. Its cells list the requests that follow, as
they were recorded on the embedded Glance while this page was built. A number in brackets is the
status of an error response. "exception" means that the call then raises the exception of the
failure; in all other cells it returns the same as without the failure.

"""

_REST = """\
Failures that are retried
=========================

A call is retried if there was no response, or if its status is one of {statuses}; 413 with the
header Retry-After; and over v1 500, because a Glance whose registry is down responds so to every
call (verified on Glance 15.0.2). There are ``max_attempts`` attempts ({attempts} by default). If
there are several endpoints, the next attempt goes to the next one (:doc:`choosing`).

These errors are final:

* any other status, because the same request would get it again;
* a certificate that one side rejects: untrusted, wrong name, expired, missing.
  :class:`~glance_compat.exceptions.GlanceConnectionFailed` then has ``is_transient`` False;
* a CA file, client certificate or key that is missing, unreadable, invalid or encrypted:
  :class:`~glance_compat.exceptions.InvalidOption` names the file and the reason;
* a token that is rejected again after it was renewed, or an auth plugin that fails:
  :class:`~glance_compat.exceptions.NotAuthenticated`.

Pauses
======

Before another attempt, the library waits for a random time that grows with each attempt. If the
response has the header Retry-After, it waits as long as the header says: a number of seconds,
which may be a decimal fraction, or an HTTP date. No pause is longer than ``backoff_max``
({backoff:g} s).

The header is respected with 413, 429, 502, 503 and 504 of the image service, with 429 and similar
statuses of the identity service, and before a redirect is followed. 413 with this header is the
rate limit of older clouds: GET, HEAD and DELETE are retried as after 429. Without the header, or
with any other method, 413 means that a quota is exceeded.

Time limits
===========

``deadline`` ({deadline:g} s)
    Limits a call about metadata with all its attempts, however slowly the responses arrive,
    including their header blocks. Each page of a list has its own deadline; use ``limit`` to limit
    the list. A response of the identity service must be complete within ``deadline``, too.

``stall_timeout`` ({stall:g} s)
    Limits a transfer of data: the longest time without a byte. The header block of a response, and
    the lines between two chunks of data, must be complete within it.

``settle_timeout`` ({settle:g} s)
    Limits the wait for a server that is still storing data. It is not part of ``deadline``.

A response that ends within its header block counts as no response.

A server that is still storing the data
=======================================

A load balancer may respond to an upload with 504, or no response may arrive within
``stall_timeout``, while the server is still storing the data. As long as the image is ``saving``,
``uploading`` or ``importing``, it is fetched again, with pauses of 1 to 15 s, for
``settle_timeout``. Nothing is deleted or sent again in the meantime. Then:

* The image is active with the size and the hash of the data: the call succeeds.
* It is queued again: the data is sent again, as after any other failure.
* Another client has deleted it: the error of the upload is raised.
* The server is still storing the data: :class:`~glance_compat.exceptions.OutcomeUnknown` is
  raised, and the image is kept.

Damaged data
============

A download whose data is damaged but looks complete is repeated within ``max_attempts``, first from
another endpoint, if it was written to a regular file at a path, because no program has read it
there. With an iterator, a file object of the caller, a device or a FIFO, the download raises
:class:`~glance_compat.exceptions.IntegrityError`.

The attributes and properties that ``create`` and ``update`` send are compared with those in the
response, without an additional request. If a proxy or the server has lost or changed some of them,
:class:`~glance_compat.exceptions.IntegrityError` names them; ``create`` removes the image,
``update`` does not roll back.

Lists
=====

If the last image of a page is deleted or hidden before the next page is fetched, the server
rejects it as a marker. Then the list continues after an earlier image, with a few more requests,
and no image is returned twice. An invalid marker that the caller passes is rejected. A page that
has only images of earlier pages, or that ends with the same image as an earlier one, is
:class:`~glance_compat.exceptions.BadResponse`.

Interrupts
==========

An interrupt (Ctrl-C, ``SystemExit``, the end of a green thread) may occur at any line of
``create()``. The new image is removed, and a warning in the log names it. If the caller chose the
id, and no response confirms that this call created the image, only the warning is logged.
"""


def page() -> str:
    """Return the page."""
    options = Options()
    rest = _REST.format(
        statuses=", ".join(map(str, sorted(TRANSIENT_STATUS))),
        attempts=options.max_attempts,
        backoff=options.backoff_max,
        deadline=options.deadline,
        stall=options.stall_timeout,
        settle=options.settle_timeout,
    )
    return _HEAD + _table() + "\n" + "".join(_reasons()) + rest


def _table() -> str:
    header = ("what fails", *FAILURES)
    rows = [
        (
            f":ref:`{name} <retry-{slug(name)}>`",
            *(observe(name, failure) for failure in FAILURES.values()),
        )
        for name in DECISIONS
    ]
    return table(header, rows, widths="28 24 24 24")


def _reasons() -> Iterator[str]:
    yield title("The reasons") + "\n"
    for name, decision in DECISIONS.items():
        step = find_step(decision)
        request = f"{step.method} {step.path}"
        yield (
            f".. _retry-{slug(name)}:\n\n{name}\n"
            f"    {code(request)} of {decision.call}, over {decision.api}. {decision.why}\n\n"
        )


#: What a cell of the table ends with if the call raises an exception.
EXCEPTION = "exception"


def find_step(decision: Decision) -> Step:
    """Return the request that fails."""
    steps = CALLS[decision.call].steps[decision.api]
    return next(step for step in steps if step.kind is decision.kind)


def observe(name: str, failure: str) -> str:
    """Make a call in which a request fails once, and return the requests that follow.

    :param name: a key of :data:`DECISIONS`.
    :param failure: a key of the table of faults.
    """
    decision = DECISIONS[name]
    step = find_step(decision)
    recorders: list[Recorder] = []

    def watch(glance: GlanceFixture, session: Session) -> None:
        recorders.append(Recorder(glance, session))

    fault = ROWS[failure].fault
    seen = walk.make(decision.call, decision.api, step, fault, watch=watch)
    [recorder] = recorders
    failed = next(
        number for number, one in enumerate(recorder.exchanges) if one.status in (None, 503)
    )
    after = list(_words(recorder.exchanges[failed + 1 :]))
    if seen.error is not None:
        after.append(EXCEPTION)
    return ", ".join(after)


def _words(exchanges: list[Exchange]) -> Iterator[str]:
    names = (
        f"{one.method} ({one.status})" if (one.status or 0) >= 400 else one.method
        for one in exchanges
    )
    for name, same in itertools.groupby(names):
        count = len(list(same))
        yield name if count == 1 else f"{count} x {name}"
