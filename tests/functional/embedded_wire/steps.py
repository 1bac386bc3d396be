# SPDX-License-Identifier: Apache-2.0
"""A scenario: raw requests in order, with placeholders for what differs from server to server.

``{a}`` to ``{d}`` are image ids, made new for each run and each server; ``{demo}``, ``{other}``,
``{stranger}`` and ``{admin}`` are project ids; ``{run}`` is a text of this run alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Pairs = tuple[tuple[str, str], ...]

PATCH_10 = "application/openstack-images-v2.1-json-patch"
PATCH_4 = "application/openstack-images-v2.0-json-patch"

PIKE = ("pike",)
BOTH = ("pike", "33")
ONLY_33 = ("33",)


@dataclass(frozen=True)
class Step:
    """One request.

    :ivar who: user whose token is sent; None: no token.
    :ivar body: octets, or a list of octets that is sent in chunks.
    :ivar bare: headers are sent that the requests library refuses to send.
    :ivar view: how much of the answer's body is compared: ``exact``, or ``keys`` of objects.
    """

    method: str
    path: str
    headers: Pairs = ()
    body: bytes | list[bytes] | None = None
    who: str | None = "demo"
    bare: bool = False
    view: str = "exact"

    def by(self, who: str | None) -> Step:
        """Return the same request of another user."""
        return replace(self, who=who)

    def keys(self) -> Step:
        """Return the same request, of whose answer only the keys are compared."""
        return replace(self, view="keys")

    def raw(self) -> Step:
        """Return the same request, not to be sent through requests."""
        return replace(self, bare=True)

    def accept(self, media_type: str) -> Step:
        """Return the same request with an Accept header."""
        return replace(self, headers=(*self.headers, ("Accept", media_type)))


@dataclass(frozen=True)
class Scenario:
    """Steps that are played in turn on each server.

    :ivar servers: releases that it is for.
    """

    name: str
    servers: tuple[str, ...]
    steps: tuple[Step, ...] = field(default=())


def get(path: str, **headers: str) -> Step:
    """GET; header names are written with underscores for dashes."""
    return Step("GET", path, _pairs(headers))


def head(path: str) -> Step:
    """HEAD."""
    return Step("HEAD", path)


def delete(path: str) -> Step:
    """DELETE."""
    return Step("DELETE", path)


def send(method: str, path: str, document: Any, media_type: str = "application/json") -> Step:
    """Send JSON."""
    return Step(method, path, (("Content-Type", media_type),), json.dumps(document).encode())


def patch(path: str, *changes: Mapping[str, Any]) -> Step:
    """Send a JSON patch."""
    return send("PATCH", path, list(changes), PATCH_10)


def put_file(image: str, data: bytes | list[bytes] = b"hello", **headers: str) -> Step:
    """Upload through v2."""
    typed = (("Content-Type", "application/octet-stream"), *_pairs(headers))
    return Step("PUT", f"/v2/images/{image}/file", typed, data)


def meta(**values: str) -> Pairs:
    """Spell v1 metadata; ``prop_`` in front of a name makes a property."""
    return tuple(
        (
            f"x-image-meta-property-{name.removeprefix('prop_')}"
            if name.startswith("prop_")
            else f"x-image-meta-{name}",
            value,
        )
        for name, value in values.items()
    )


FORMATS = {"disk_format": "raw", "container_format": "bare"}
OCTETS = (("Content-Type", "application/octet-stream"),)


def v1_post(headers: Pairs, body: bytes | list[bytes] | None = None) -> Step:
    """Create through v1."""
    return Step("POST", "/v1/images", headers + (OCTETS if body is not None else ()), body)


def v1_put(image: str, headers: Pairs, body: bytes | list[bytes] | None = None) -> Step:
    """Update through v1."""
    typed = headers + (OCTETS if body is not None else ())
    return Step("PUT", f"/v1/images/{image}", typed, body)


def v1_new(image: str, body: bytes | None = b"hello", **values: str) -> Step:
    """Create through v1 with formats and an id."""
    return v1_post(meta(id=image, name="{run}", **FORMATS, **values), body)


def v2_new(image: str, **values: Any) -> Step:
    """Create through v2 with formats and an id."""
    return send("POST", "/v2/images", {"id": image, "name": "{run}", **FORMATS, **values})


def _pairs(headers: Mapping[str, str]) -> Pairs:
    return tuple((name.replace("_", "-"), value) for name, value in headers.items())
