# SPDX-License-Identifier: Apache-2.0
"""The page on reliability, from the table of faults."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.calls import CALLS, Kind
from tests.faults.table import EXCEPTIONS, ROWS, cells, left_out

_BEGINNING = """\
===========
Reliability
===========

What becomes of a call when something goes wrong, for each kind of request. ``tests/faults`` makes
each of {tried} cells happen on the embedded server (see :doc:`faults`): one fault in one request
of one call over one API. It compares what is
returned or raised, what is stored afterwards, and what is left in the folder of a download, and
sees that the call ends.

"Right" is the result that the call has without the fault. Otherwise one of the errors named is
raised, and after it stands what is stored: "done" is what the call would have stored, "as before"
what there was before it: no record of an image is left behind, none has a part of its data, and
none that is whole is removed. An update with data of which only the data failed has changed the
metadata, and the image still waits for its data. A file at the path of a download is replaced by
the whole image or stays as it is. No other exception is raised in any of these cells.

A fault happens once, unless it says otherwise; the tests allow three attempts.

The pause before another attempt is that of the header Retry-After, up to ``backoff_max``: seconds,
a decimal fraction of them, or an HTTP date, with 413, 429, 502, 503 and 504 of the image service,
with 429 and the like of the identity service, and before a redirect is followed. 413 with this
header is the rate limit of older clouds: GET, HEAD and DELETE are made again as after 429. Without
the header, or with any other method, 413 is a quota.

What comes slowly has an end as well. A call about metadata ends within ``deadline``, however its
answers drip, header blocks and all. In a transfer of data the header block of an answer, and the
lines between two chunks of data, are whole within ``stall_timeout``, which for the data itself is
the time without a byte. An answer of the identity service is whole within ``deadline``. An answer
that is cut in its header block is no answer.

A load balancer may respond to an upload with 504, or the response may not come within
``stall_timeout``, while the server still stores the data. As long as the image is ``saving``,
``uploading`` or ``importing`` it is fetched again, with pauses of 1 to 15 s, for
``settle_timeout``, which is not part of ``deadline``. Nothing is deleted or sent again meanwhile.
If the image becomes active with the size and the hash of the data, the call succeeds. If it is
queued again, the data is sent again as after any other failure. If another client deletes the
image, the error of the upload is raised. If the server is still storing the data in the end,
:class:`~glance_compat.exceptions.OutcomeUnknown` is raised, and the image stays.

Data that arrives damaged and looks whole is downloaded again within ``max_attempts``, first from
another endpoint, if it was written to a regular file at a path: nobody has read it there. An
iterator, a file object of the caller, a device and a FIFO end with
:class:`~glance_compat.exceptions.IntegrityError`.

What a retry cannot cure is not retried. A CA file, client certificate or key of the session that
is missing, unreadable, invalid or encrypted is :class:`~glance_compat.exceptions.InvalidOption`,
which names the file and the reason. If one side rejects the other's certificate (untrusted, wrong
name, expired, missing), :class:`~glance_compat.exceptions.GlanceConnectionFailed` has
``is_transient`` False. An exception of an auth plugin that is not one of keystoneauth1, such as
for a missing password, is :class:`~glance_compat.exceptions.NotAuthenticated`.

An endpoint's URL may end with a version and the id of a project, which are ignored. If it goes on
otherwise behind its version, or if the site redirects all requests from http to https, the error
names the URL to set. A 413 without a request id and without a message of Glance is reported as the
limit of a proxy.

A list is as long as the server makes it. ``deadline`` bounds each page, not the list; ``limit``
bounds the list. It ends with :class:`~glance_compat.exceptions.BadResponse` at a page that has
only images of earlier pages, or that ends with the same image as an earlier one. If the last image
of a page is deleted or hidden before the next page is fetched, the server rejects it as a marker.
Then the list goes on after an earlier image, with a few requests more, and no image is yielded
twice. A marker that the caller passes is refused if it is not valid.

What was sent is compared with what the response shows, without a further request: attributes and
properties, of ``create`` and ``update``, over both APIs. If a proxy or the server has lost or
changed some of them, :class:`~glance_compat.exceptions.IntegrityError` names them; ``create``
removes the image, ``update`` does not roll back. The names of v1's headers are sent with dashes,
because nginx and others drop request headers with underscores.

An interrupt (Ctrl-C, ``SystemExit``, the end of a green thread) may come at any line of
``create()``. The new image is removed, and a warning in the log names it. Where the caller chose
the id and no response says that this call created the image, the warning alone is left.

This holds for every session whose transports are
requests' own ``HTTPAdapter`` or derived from it; a transport of another kind is used as it is, and
says itself what is an answer.
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
        for outcome in dict.fromkeys(row.outcomes.values()):
            kinds = [kind.value for kind in Kind if row.outcomes[kind] == outcome]
            yield f"* {', '.join(kinds)}: **{outcome}**\n"


def _calls() -> Iterator[str]:
    yield ".. list-table::\n   :header-rows: 1\n\n   * - call\n     - API\n     - requests\n"
    for name, call in CALLS.items():
        for api, steps in call.steps.items():
            said = "; ".join(f"``{step}`` ({step.kind.value})" for step in steps)
            yield f"   * - {name}\n     - {api}\n     - {said}\n"


def _exceptions() -> Iterator[str]:
    yield "\nExceptions\n==========\n\nCells whose outcome is another than that of their kind:\n\n"
    for (row, call, api, kind), outcome in EXCEPTIONS.items():
        yield f"* {row}: {call} on {api} ({kind.value}): **{outcome}**\n"
    yield "\nCells that are left out:\n\n"
    for reason in sorted({left_out(cell) or "" for cell in cells()} - {""}):
        count = sum(left_out(cell) == reason for cell in cells())
        yield f"* {count}, since {reason}\n"
