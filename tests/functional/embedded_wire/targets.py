# SPDX-License-Identifier: Apache-2.0
"""Where scenarios are played: over HTTP, or inside the process, and what answers are made of."""

from __future__ import annotations

import http.client
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests

from tests.functional.embedded_wire.steps import Pairs, Scenario, Step

#: Headers of answers that are compared; of others at most whether they are there.
COMPARED = (
    "content-type",
    "location",
    "etag",
    "content-md5",
    "content-range",
    "allow",
    "accept-patch",
    "openstack-image-import-methods",
    "openstack-image-store-ids",
)
PRESENT = ("x-openstack-request-id", "www-authenticate")

_TIMES = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"), "<microseconds>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "<seconds>"),
    (re.compile(r"file:///[^\"']*"), "<file>"),
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

#: Octets of an answer, or the class of the exception that reading it raised.
RawAnswer = tuple[int, Pairs, bytes]
Send = Callable[[str, str, Pairs, Any], RawAnswer]


@dataclass
class Target:
    """One server that scenarios are played on.

    :ivar send: sends a request and returns status, headers and body.
    :ivar tokens: by user.
    :ivar projects: ids by name.
    :ivar hosts: texts that stand for the server's own address.
    :ivar in_process: requests go through the requests library.
    """

    name: str
    send: Send
    tokens: Mapping[str, str]
    projects: Mapping[str, str]
    hosts: tuple[str, ...]
    in_process: bool = False


@dataclass
class Play:
    """One run of a scenario on a target: its ids, and what was answered.

    :ivar run: names what belongs to this run alone.
    """

    target: Target
    run: str = field(default_factory=lambda: f"run-{uuid.uuid4().hex[:12]}")
    ids: dict[str, str] = field(
        default_factory=lambda: {name: str(uuid.uuid4()) for name in "abcd"}
    )

    def answers(self, scenario: Scenario) -> list[dict[str, Any]]:
        """Play all steps, and return what can be compared of each answer."""
        return [self._answer(step) for step in scenario.steps]

    def _answer(self, step: Step) -> dict[str, Any]:
        if step.bare and self.target.in_process:
            return {"skipped": "requests would not send it"}
        headers = [*step.headers]
        if step.who is not None:
            headers.append(("X-Auth-Token", self.target.tokens[step.who]))
        pairs = tuple((self._fill(name), self._fill(value)) for name, value in headers)
        body = self._fill_body(step.body)
        try:
            answer = self.target.send(step.method, self._fill(step.path), pairs, body)
        except (http.client.HTTPException, OSError) as error:
            return {"broken": _root(error)}
        return self._comparable(step, *answer)

    def _places(self) -> dict[str, str]:
        return {**self.ids, **self.target.projects, "run": self.run}

    def _fill(self, text: str) -> str:
        for name, value in self._places().items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def _fill_body(self, body: bytes | list[bytes] | None) -> bytes | list[bytes] | None:
        if isinstance(body, bytes):
            return self._fill(body.decode("latin-1")).encode("latin-1")
        return body

    def _hide(self, text: str) -> str:
        for name, value in sorted(self._places().items(), key=lambda item: -len(item[1])):
            text = text.replace(value, f"{{{name}}}")
        for host in self.target.hosts:
            text = text.replace(host, "<host>")
        for pattern, replacement in _TIMES:
            text = pattern.sub(replacement, text)
        return _UUID.sub("<uuid>", text)

    def _comparable(self, step: Step, status: int, headers: Pairs, body: bytes) -> dict[str, Any]:
        named: dict[str, str] = {}
        for name, value in headers:
            lowered = name.lower()
            if lowered in COMPARED or lowered.startswith("x-image-meta-"):
                named[lowered] = self._hide(value)
            elif lowered in PRESENT:
                named[lowered] = "present"
        return {
            "status": status,
            "headers": named,
            "body": self._body(step, status, named.get("content-type", ""), body),
        }

    def _body(self, step: Step, status: int, media_type: str, body: bytes) -> Any:
        if "json" not in media_type or not body:
            text = self._hide(body.decode("utf-8", "replace"))
            return text if status < 400 else _headline(text)
        document = json.loads(self._hide(body.decode("utf-8")))
        if status >= 400:
            return sorted(document)
        known = {f"{{{name}}}" for name in self.ids}
        return _tidy(_only_known(document, known)) if step.view == "exact" else _keys(document)


def _headline(text: str) -> str:
    """Return the first line of an error, tags aside: the explanation is for people."""
    lines = re.sub(r"<[^>]*>", "\n", text).split("\n")
    return next((line.strip() for line in lines if line.strip()), "")


def _only_known(document: Any, known: set[str]) -> Any:
    """Leave out of lists the images of others, who use the same server."""
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        return document
    kept = [image for image in document["images"] if image["id"] in known]
    return {**document, "images": kept}


def _tidy(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _TIDY.get(name, _tidy)(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_tidy(entry) for entry in document]
    return document


def _unordered_query(href: str) -> tuple[str, list[tuple[str, str]]]:
    path, _, query = href.partition("?")
    return path, sorted(parse_qsl(query, keep_blank_values=True))


#: Values whose order means nothing, by the name they have in JSON.
_TIDY: dict[str, Callable[[Any], Any]] = {
    "tags": lambda tags: sorted(tags) if isinstance(tags, list) else tags,
    "first": lambda href: _unordered_query(href) if isinstance(href, str) else href,
    "next": lambda href: _unordered_query(href) if isinstance(href, str) else href,
}


def _keys(document: Any) -> Any:
    if not isinstance(document, dict):
        return type(document).__name__
    return {
        name: _keys(value)
        for name, value in document.items()
        if name not in ("description", "is_base")
    }


def _root(error: BaseException) -> str:
    """Name what really went wrong, whatever libraries have wrapped it in."""
    while True:
        inner = next((item for item in error.args if isinstance(item, BaseException)), None)
        if inner is None:
            return type(error).__name__
        error = inner


def over_http(url: str) -> Send:
    """Send over a socket, each request on a connection of its own."""
    host = urlsplit(url).netloc

    def send(method: str, path: str, headers: Pairs, body: Any) -> RawAnswer:
        connection = http.client.HTTPConnection(host, timeout=20)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            _put_headers(connection, headers, body)
            chunks = [body] if isinstance(body, bytes) else body
            connection.endheaders(chunks, encode_chunked=isinstance(body, list))
            response = connection.getresponse()
            return response.status, tuple(response.getheaders()), response.read()
        finally:
            connection.close()

    return send


def _put_headers(connection: http.client.HTTPConnection, headers: Pairs, body: Any) -> None:
    for name, value in headers:
        # The client library is stricter than the wire.
        line = f"{name}: ".encode("latin-1") + value.encode("utf-8")
        connection._output(line)  # type: ignore[attr-defined]
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
    elif body is not None:
        connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Connection", "close")


def in_process(session: requests.Session, url: str) -> Send:
    """Send through a session that the embedded server is mounted on."""

    def send(method: str, path: str, headers: Pairs, body: Any) -> RawAnswer:
        data = iter(body) if isinstance(body, list) else body
        spelt: dict[str, str | None] = {"Accept": None, "User-Agent": None}
        spelt.update((name, value.encode("utf-8").decode("latin-1")) for name, value in headers)
        response = session.request(
            method, url + path, headers=spelt, data=data, allow_redirects=False
        )
        return response.status_code, tuple(response.raw.headers.items()), response.content

    return send
