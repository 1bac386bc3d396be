# SPDX-License-Identifier: Apache-2.0
"""The page on the choice of an API. Its drawings show calls on the embedded Glance."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from glance_compat import ImageService, Options
from glance_compat.fixture import GlanceFixture, faults
from glance_compat.routing.health import UNHEALTHY_SECONDS
from pages.markup import title
from pages.recording import Exchange, Recorder
from pages.svg import Drawing

IMAGE = "aaaaaaaa-0000-4000-8000-000000000001"


@dataclasses.dataclass(frozen=True)
class Scene:
    """One or more calls of ``show()`` on a new embedded Glance.

    :param text: what the drawing shows.
    :param calls: number of calls.
    :param apis: the versions that the server offers.
    :param version_in_url: the end of the URL of the endpoint.
    :param prepare: adds the faults of the server.
    """

    title: str
    text: str
    calls: int = 1
    apis: tuple[str, ...] = ("v1", "v2")
    version_in_url: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    prepare: Callable[[GlanceFixture], object] = lambda glance: None


@dataclasses.dataclass(frozen=True)
class Result:
    """What was seen.

    :param calls: the exchanges of each call.
    :param reason: the reason of the choice, as ``discover()`` returns it.
    """

    calls: tuple[tuple[Exchange, ...], ...]
    reason: str


def _without_document(glance: GlanceFixture) -> None:
    glance.faults.add(faults.HtmlPage(), "GET", _root(glance), times=None)


def _with_old_document(glance: GlanceFixture) -> None:
    with GlanceFixture(("v1",), sockets=False) as old:
        document = old.session().get(old.url, authenticated=False, allow_redirects=False)
    fault = faults.Replaced(document.status_code, document.content)
    glance.faults.add(fault, "GET", _root(glance))


def _root(glance: GlanceFixture) -> str:
    return "/" + glance.url.partition("://")[2].partition("/")[2] + "/"


SCENES: Mapping[str, Scene] = {
    "document": Scene(
        "The first call, and the next",
        "The version document at the root of the endpoint lists the versions. It is requested"
        " without a token, because Glance does not ask for one, and a server that is not yet known"
        " to be Glance should not get one. If the endpoint offers v1 and v2, v2 is chosen, or v1"
        ' with ``prefer="1"``. The versions are cached: the next call sends no such request.',
        calls=2,
    ),
    "probes": Scene(
        "An endpoint without a version document",
        "Some proxies forward only paths that begin with a version, and return their own page for"
        " the root. Then the library asks v2 and v1 themselves, with the token. It does not"
        " know the minor version of v2, so it uses only what all servers of v2 have.",
        prepare=_without_document,
    ),
    "path": Scene(
        "The same with a version in the URL",
        "If the configured URL ends with a version, this version is used, and nothing else is"
        " asked. With a version document the version in the URL has no effect: service catalogs"
        " often name ``/v1`` or ``/v2`` for an endpoint that offers both.",
        version_in_url="/v1",
        prepare=_without_document,
    ),
    "pinned": Scene(
        "A pinned version",
        'With ``api_version="1"`` or ``"2"`` there is no discovery. If a call over v2 needs to'
        " know the minor version, the version document is requested then, once.",
        options={"api_version": "2"},
    ),
    "upgrade": Scene(
        "An endpoint that changes",
        "Here the endpoint offered v1 only, and was upgraded after its version document was read:"
        " now it offers v2 only. Glance responds with the version document to all requests for an"
        " API that it does not offer. The library then reads the document again and repeats the"
        " call, once. The request had no effect, so this is safe for all calls.",
        apis=("v2",),
        prepare=_with_old_document,
    ),
}

_HEAD = """\
====================
How an API is chosen
====================

A program calls ``service.show(context, image_id)`` and does not say which API to use. The library
asks the endpoint what it offers, chooses v1 or v2, and keeps the choice for a while. It never
follows the links in a version document: Glance builds them from a header of the request, and they
lack the path prefix of a proxy (verified on Glance 15.0.2 and 33).

The sources of the choice, in this order:

1. the option ``api_version``, if it is set;
2. the cached result of an earlier call, of any service in the process;
3. the version document of the endpoint;
4. the version at the end of the endpoint's URL;
5. requests to v2 and v1 themselves.

If none of them gives a version that the options allow,
:class:`~glance_compat.exceptions.NoUsableVersion` names what was asked, wanted and offered.
``discover()`` returns the choice, its reason and the capabilities. ``glance-compat discover``
prints them.

The drawings show the requests of a library that has just been started. A solid arrow is a call or
a request, a dashed arrow is what it returns. The time runs downwards.
"""

_TAIL = """\
How long a choice is kept
=========================

The versions of an endpoint are cached for ``discovery_ttl`` seconds ({ttl:g} by default), in the
process and not in the service: all services and threads share them. A failed discovery is cached
for ``discovery_failure_ttl`` seconds ({failure_ttl:g}), so that many calls to a broken endpoint
fail quickly and do not make it worse. The same holds for a version that was taken from the URL
because the endpoint did not respond. If many threads need the versions of one endpoint, one of
them sends the request, and the others wait for it.

Several endpoints
=================

Each endpoint has its own choice, so a list of endpoints may be in the middle of an upgrade. After
a temporary failure an endpoint is unhealthy for {unhealthy:g} s: calls try it last. A retry goes
to the next endpoint; :doc:`retries` says which calls are retried. An endpoint without a usable
version is skipped in the same attempt.

What is allowed
===============

An API whose versions are all DEPRECATED is used: Glance 15.0.2 marks v1 so (verified). Versions
that are EXPERIMENTAL are ignored unless ``allow_experimental`` is set. Programs should not ask for
a version, but for a capability (:doc:`capabilities`).
"""


def page() -> str:
    """Return the page."""
    options = Options()
    tail = _TAIL.format(
        ttl=options.discovery_ttl,
        failure_ttl=options.discovery_failure_ttl,
        unhealthy=UNHEALTHY_SECONDS,
    )
    return "\n".join([_HEAD, *map(_section, SCENES.values()), tail])


def _section(scene: Scene) -> str:
    result = run(scene)
    svg = "".join(f"   {line}\n" for line in str(_draw(scene, result)).splitlines())
    reason = f"``discover().reason`` is then: *{result.reason}*.\n"
    return f"{title(scene.title)}\n{scene.text}\n\n.. raw:: html\n\n{svg}\n{reason}"


_PREFIXES = itertools.count(1)


def run(scene: Scene) -> Result:
    """Make the calls of a scene."""
    # A URL that the library has not seen yet.
    prefix = f"choosing-{next(_PREFIXES)}"
    images = [{"id": IMAGE, "name": "disk", "data": b"", "visibility": "public"}]
    with GlanceFixture(scene.apis, prefix=prefix, images=images, sockets=False) as glance:
        scene.prepare(glance)
        session = glance.session()
        recorder = Recorder(glance, session)
        url = glance.url + scene.version_in_url
        service = ImageService(session, endpoint_override=url, options=Options(**scene.options))
        calls = []
        for _ in range(scene.calls):
            service.show(None, IMAGE)
            calls.append(tuple(recorder.exchanges))
            recorder.exchanges.clear()
        return Result(tuple(calls), service.discover().reason)


# -- the drawing

_WIDTH = 560.0
#: The horizontal positions of the program, the library and the endpoint.
_PROGRAM, _LIBRARY, _ENDPOINT = 50.0, 210.0, 505.0
_STEP = 26.0
_TOP = 40.0

#: Requests and statuses to the words for the response; the first that matches is used.
_RESPONSES = (
    (r"300", "the version document"),
    (r"200 GET /v2/schemas", "a schema"),
    (r"200 GET /v1/images\?", "a list"),
    (r"200", "the image"),
)


def describe(exchange: Exchange) -> str:
    """Return words for a response, such as "300, the version document"."""
    if exchange.is_html:
        return f"{exchange.status}, an HTML page"
    key = f"{exchange.status} {exchange.method} {exchange.path}"
    words = next(words for pattern, words in _RESPONSES if re.match(pattern, key))
    return f"{exchange.status}, {words}"


def _arrows(result: Result) -> Iterator[tuple[float, float, str]]:
    """Yield the arrows: where each starts and ends, and its label."""
    for exchanges in result.calls:
        yield _PROGRAM, _LIBRARY, "show(…)"
        for exchange in exchanges:
            path = exchange.path.replace(IMAGE, "{id}")
            token = "" if exchange.has_token else " (no token)"
            yield _LIBRARY, _ENDPOINT, f"{exchange.method} {path}{token}"
            yield _ENDPOINT, _LIBRARY, describe(exchange)
        yield _LIBRARY, _PROGRAM, "the image"


def _draw(scene: Scene, result: Result) -> Drawing:
    arrows = list(_arrows(result))
    height = _TOP + (len(arrows) + 1) * _STEP
    words = "; ".join(label for _, _, label in arrows)
    drawing = Drawing(_WIDTH, height, scene.title, words)
    for x, label, width in (
        (_PROGRAM, "program", 90),
        (_LIBRARY, "library", 90),
        (_ENDPOINT, "endpoint", 100),
    ):
        drawing.line((x, _TOP - 10), (x, height - 8), 'stroke-opacity="0.4"')
        drawing.box(x, 18, width, 28, label)
    for number, (start, end, label) in enumerate(arrows):
        y = _TOP + (number + 1) * _STEP
        is_response = end < start
        drawing.arrow((start, y), (end, y), dashed=is_response)
        style = 'text-anchor="middle" font-size="13"'
        drawing.text((start + end) / 2, y - 9, label, style)
    return drawing
