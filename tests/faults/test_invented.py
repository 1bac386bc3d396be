# SPDX-License-Identifier: Apache-2.0
"""Generated response bodies, for every request of every call."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, Happened, faults
from glance_compat.transport import retry
from tests.faults.calls import APIS, CALLS, IMAGES, MEMBER, Api
from tests.faults.walk import OPTIONS

#: Keys that Glance uses, so that valid keys get invalid values.
NAMES = st.sampled_from(
    [
        *("id", "name", "image", "images", "member", "members", "member_id", "status", "size"),
        *("checksum", "properties", "created_at", "updated_at", "deleted", "is_public", "tags"),
        *("visibility", "min_disk", "min_ram", "owner", "next", "versions", "links", "locations"),
        *("os_hash_algo", "os_hash_value", "disk_format", "can_share", "protected"),
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["active", "queued", "2020-01-01T00:00:00Z", str(IMAGES[0]["id"])])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=6)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=25,
)
#: The structure of Glance's responses, with invalid content.
SHAPED = st.one_of(
    st.fixed_dictionaries({"images": st.lists(JSON, max_size=3)}),
    st.fixed_dictionaries({"image": JSON}),
    st.fixed_dictionaries({"members": st.lists(JSON, max_size=3)}),
    st.fixed_dictionaries({"id": st.just(IMAGES[0]["id"]), "status": JSON, "properties": JSON}),
)
DEEP = st.sampled_from([1, 100, 2000, 100_000]).map(lambda depth: b"[" * depth + b"]" * depth)
HUGE = st.sampled_from([b"9" * 5000, b'"' + b"x" * (2**20 + 5) + b'"', b"1e999999"])
HTML = st.text(max_size=50).map(lambda text: f"<html><body>{text}</body></html>".encode())


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _cut(body: bytes) -> st.SearchStrategy[bytes]:
    return st.integers(0, len(body)).map(lambda end: body[:end])


BODIES = st.one_of(
    (JSON | SHAPED).map(_written),
    (JSON | SHAPED).map(_written).flatmap(_cut),
    SHAPED.map(lambda value: json.dumps(value).encode("utf-16")),
    st.binary(max_size=60),
    HTML,
    DEEP,
    HUGE,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 201, 204, 206, 300, 301, 400, 404, 409, 410, 500])
HEADERS = st.lists(
    st.sampled_from(
        [
            ("Content-MD5", "x"),
            ("Content-Range", "bytes 7-3/*"),
            ("Content-Encoding", "gzip"),
            ("Location", "http://["),
            ("Retry-After", "soon"),
            ("Retry-After", "0"),
            ("x-image-meta-id", str(IMAGES[0]["id"])),
            ("x-image-meta-size", "many"),
            ("x-image-meta-status", "active"),
            ("x-image-meta-property-a", "1"),
            ("x-openstack-request-id", "req-\x7f"),
        ]
    ),
    max_size=3,
).map(tuple)
TYPES = st.sampled_from(["application/json", "text/html", "application/octet-stream", None])
#: The version document is requested each time, so that it is generated as well.
FORGETFUL = {"discovery_ttl": 0, "discovery_failure_ttl": 0}
ANSWERS: st.SearchStrategy[faults.Replaced] = st.builds(
    faults.Replaced, status=STATUSES, body=BODIES, content_type=TYPES, headers=HEADERS
)


@pytest.mark.slow
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("call", CALLS)
def test_invented_response_raises_only_library_errors(call: str, api: Api) -> None:
    wanted = CALLS[call]
    if api not in wanted.steps:
        with pytest.raises(KeyError):
            wanted.steps[api]
        return
    options = Options(**{**OPTIONS, **wanted.options, "max_attempts": 2, **FORGETFUL})
    with GlanceFixture((api,), images=IMAGES, sockets=False) as glance:
        # The version is pinned, independently of cached discovery results.
        pinned: Any = {"api_version": api[1]}
        owner = ImageService(glance.session(), options=Options(**pinned))
        service = ImageService(glance.session(wanted.token), options=options)

        def prepare() -> None:
            glance.reset()
            owner.add_member(None, str(IMAGES[0]["id"]), MEMBER)

        _invent(glance, prepare, service, call)


def _invent(
    glance: GlanceFixture, prepare: Callable[[], None], service: ImageService, call: str
) -> None:
    happened: list[Happened] = []

    @settings(
        max_examples=max(10, settings().max_examples // 20),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(answer=ANSWERS, nth=st.integers(1, 3), times=st.sampled_from([1, None]))
    def run(answer: faults.Replaced, nth: int, times: int | None) -> None:
        prepare()
        glance.faults.add(answer, nth=nth, times=times)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "image").write_bytes(b"old")
            with retry.without_pauses(), contextlib.suppress(exceptions.GlanceCompatError):
                CALLS[call].make(service, Path(folder))
        happened.extend(glance.faults.happened)

    run()
    assert happened
