# SPDX-License-Identifier: Apache-2.0
"""The page on reliability, from the table of faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.faults.calls import CALLS, Kind
from tests.faults.table import EXCEPTIONS, ROWS, Outcome, cells, left_out

_BEGINNING = """\
===========
Reliability
===========

This page lists the outcome of each call under each fault, for each type of request.
``tests/faults`` tests {tried} cells on the embedded server (see :doc:`faults`): one fault in one
request of one call over one API. It checks the return value or exception, the images that are
stored afterwards, the files in the folder of a download, and that the call ends.

"Correct" means that the call returns the same result as without the fault. Otherwise, the call
raises one of the named exceptions, and no other. The words after them describe the stored images.
"Took effect": they are as after a successful call. "No effect": they are as before the call. No
new image is left over, no image has only part of its data, and no complete image is removed. But
if only the data of an update with data failed, the metadata is changed, and the image still waits
for its data. A file at the path of a download is replaced with the complete image, or is
unchanged.

A fault happens once, unless its name says otherwise; the tests allow three attempts.

Before another attempt, the library waits as long as the header Retry-After asks for, up to
``backoff_max``. Its value is a number of seconds, which may be a decimal fraction, or an HTTP
date. The header is respected with 413, 429, 502, 503 and 504 of the image service, with 429 and
similar statuses of the identity service, and before a redirect is followed. 413 with this header
is the rate limit of older clouds: GET, HEAD and DELETE are retried as after 429. Without the
header, or with any other method, 413 means that a quota is exceeded.

Slow responses have time limits, too. A call about metadata ends within ``deadline``, however
slowly its responses arrive, including their header blocks. In a transfer of data, the header block
of a response, and the lines between two chunks of data, must be complete within ``stall_timeout``.
For the data itself, ``stall_timeout`` is the maximum time without a byte. A response of the
identity service must be complete within ``deadline``. A response that ends within its header block
counts as no response.

A load balancer may respond to an upload with 504, or no response may arrive within
``stall_timeout``, while the server is still storing the data. As long as the image is ``saving``,
``uploading`` or ``importing``, it is fetched again, with pauses of 1 to 15 s, for
``settle_timeout``, which is not part of ``deadline``. Nothing is deleted or sent again in the
meantime. If the image becomes active with the size and the hash of the data, the call succeeds. If
it is queued again, the data is sent again, as after any other failure. If another client deletes
the image, the error of the upload is raised. If the server is still storing the data after
``settle_timeout``, :class:`~glance_compat.exceptions.OutcomeUnknown` is raised, and the image is
kept.

Damaged data that looks complete is downloaded again within ``max_attempts``, first from another
endpoint, if it was written to a regular file at a path, because no program has read it there. With
an iterator, a file object of the caller, a device or a FIFO, the download raises
:class:`~glance_compat.exceptions.IntegrityError`.

Errors that a retry cannot fix are not retried. If a CA file, client certificate or key of the
session is missing, unreadable, invalid or encrypted,
:class:`~glance_compat.exceptions.InvalidOption` names the file and the reason. If one side rejects
the other's certificate (untrusted, wrong name, expired, missing),
:class:`~glance_compat.exceptions.GlanceConnectionFailed` has ``is_transient`` False. An exception
of an auth plugin that is not one of keystoneauth1, such as for a missing password, becomes
:class:`~glance_compat.exceptions.NotAuthenticated`.

An endpoint's URL may end with a version and the id of a project, which are ignored. If it has
another path after its version, or if the site redirects all requests from http to https, the error
names the URL to set. A 413 without a request id and without a message of Glance is reported as the
limit of a proxy.

The server determines the length of a list. ``deadline`` limits each page, not the list; ``limit``
limits the list. The list raises :class:`~glance_compat.exceptions.BadResponse` at a page that has
only images of earlier pages, or that ends with the same image as an earlier one. If the last image
of a page is deleted or hidden before the next page is fetched, the server rejects it as a marker.
Then the list continues after an earlier image, with a few more requests, and no image is yielded
twice. An invalid marker that the caller passes is rejected.

The attributes and properties that ``create`` and ``update`` send, over both APIs, are compared
with those in the response, without an additional request. If a proxy or the server has lost or
changed some of them, :class:`~glance_compat.exceptions.IntegrityError` names them; ``create``
removes the image, ``update`` does not roll back. The names of v1's headers are sent with dashes,
because nginx and others drop request headers with underscores.

An interrupt (Ctrl-C, ``SystemExit``, the end of a green thread) may occur at any line of
``create()``. The new image is removed, and a warning in the log names it. If the caller chose the
id, and no response confirms that this call created the image, only the warning is logged.

All this holds for every session whose transport adapters are requests' own ``HTTPAdapter`` or
derived from it. An adapter of another type is used unchanged, and decides itself what counts as a
response.
"""

_KINDS = """
Kinds of requests
=================

"""


def page() -> str:
    """Return the page."""
    tried = sum(left_out(cell) is None for cell in cells())
    parts = [_BEGINNING.format(tried=tried), *_table(), _KINDS, *_calls(), *_exceptions()]
    return "".join(parts)


def _table() -> Iterator[str]:
    for name, row in ROWS.items():
        yield f"\n{name}\n{'-' * len(name)}\n\n*{row.fault.sentence()}*\n\n"
        yield from _outcomes(row.outcomes)
        if row.on_v1:
            yield "\nOver v1:\n\n"
            yield from _outcomes(row.on_v1)


def _outcomes(outcomes: Mapping[Kind, Outcome]) -> Iterator[str]:
    for outcome in dict.fromkeys(outcomes.values()):
        kinds = [kind.value for kind in Kind if outcomes[kind] == outcome]
        yield f"* {', '.join(kinds)}: **{outcome}**\n"


def _calls() -> Iterator[str]:
    yield ".. list-table::\n   :header-rows: 1\n\n   * - call\n     - API\n     - requests\n"
    for name, call in CALLS.items():
        for api, steps in call.steps.items():
            said = "; ".join(f"``{step}`` ({step.kind.value})" for step in steps)
            yield f"   * - {name}\n     - {api}\n     - {said}\n"


def _exceptions() -> Iterator[str]:
    yield "\nExceptions\n==========\n\nOutcomes that differ from those of their row:\n\n"
    for (row, call, api, kind), outcome in EXCEPTIONS.items():
        yield f"* {row}: {call} on {api} ({kind.value}): **{outcome}**\n"
    yield "\nCells that are not tested:\n\n"
    for reason in sorted({left_out(cell) or "" for cell in cells()} - {""}):
        count = sum(left_out(cell) == reason for cell in cells())
        yield f"* {count}: {reason}\n"
