# SPDX-License-Identifier: Apache-2.0
"""resume: downloads with lost connections, over real sockets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService, Options, exceptions
from glance_compat.streams.streams import BLOCK_BYTES
from tests.unit.scripted_server import NO_ANSWER, Answer, Reply, ScriptedServer, Seen, json_reply

DATA = bytes(range(256)) * (4 * BLOCK_BYTES // 256)
OTHER = bytes(len(DATA))
IMAGE = "an-image"
FILES = {"1": f"/v1/images/{IMAGE}", "2": f"/v2/images/{IMAGE}/file"}

Headers = tuple[tuple[str, str], ...]


def md5(data: bytes) -> str:
    return hashlib.new("md5", data, usedforsecurity=False).hexdigest()


def record(data: bytes = DATA) -> dict[str, Any]:
    return {"id": IMAGE, "status": "active", "size": len(data), "checksum": md5(data)}


def v1_headers(data: bytes) -> Headers:
    base = {
        **record(data),
        "name": "x",
        "is_public": "False",
        "protected": "False",
        "deleted": "False",
        "min_disk": "0",
        "min_ram": "0",
        "disk_format": "raw",
        "container_format": "bare",
        "owner": "me",
        "created_at": "2026-01-01T00:00:00.000000",
        "updated_at": "2026-01-01T00:00:00.000000",
    }
    return tuple((f"x-image-meta-{name}", str(value)) for name, value in base.items())


def described(api: str, data: bytes) -> Headers:
    return v1_headers(data) if api == "1" else (("Content-MD5", md5(data)),)


def whole(api: str, data: bytes = DATA) -> Reply:
    return Reply(200, data, described(api, data))


def head_of(api: str, data: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"{name}: {value}" for name, value in described(api, data)]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, *headers, "", ""]).encode()


def cut(api: str, sent: int, data: bytes = DATA) -> Reply:
    """Return the beginning of a response; then the connection is closed."""
    return Reply(raw=head_of(api, data, f"Content-Length: {len(data)}") + data[:sent])


def rest(seen: Seen) -> Reply:
    """Return the requested range, or all data without a Range header."""
    if "range" not in seen.headers:
        return whole("2")
    start = int(seen.headers["range"].removeprefix("bytes=").removesuffix("-"))
    said = ("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
    return Reply(206, DATA[start:], (said, ("Content-MD5", md5(DATA))))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as one:
        one.on("GET", f"/v2/images/{IMAGE}", json_reply(record()))
        yield one


def service_at(api: str, *urls: str, **options: Any) -> ImageService:
    session = ksa_session.Session(auth=token_endpoint.Token(urls[0], "token"))
    chosen = Options(**{"api_version": api, "backoff_max": 0, **options})
    return ImageService(session, endpoint_override=list(urls), options=chosen)


def downloaded(service: ImageService) -> bytes:
    return b"".join(service.download(None, IMAGE))


def ranges(server: ScriptedServer) -> list[str | None]:
    """Return the Range header of each request for data."""
    return [one.headers.get("range") for one in server.seen if one.path in FILES.values()]


both = pytest.mark.parametrize("api", ["1", "2"])
CUTS = [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1, len(DATA) - 1]


@pytest.mark.parametrize("sent", CUTS)
def test_v2_resumes_with_range(server: ScriptedServer, sent: int) -> None:
    server.on("GET", FILES["2"], cut("2", sent), rest)
    assert downloaded(service_at("2", server.url)) == DATA
    first, second = ranges(server)
    assert first is None
    given = int((second or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    assert given <= sent < given + BLOCK_BYTES


@both
@pytest.mark.parametrize("sent", CUTS)
def test_server_without_ranges_restarts(server: ScriptedServer, api: str, sent: int) -> None:
    server.on("GET", FILES[api], cut(api, sent), whole(api))
    assert downloaded(service_at(api, server.url)) == DATA
    assert len(ranges(server)) == 2


def shifted(seen: Seen) -> Reply:
    return Reply(206, DATA[7:], (("Content-Range", f"bytes 7-{len(DATA) - 1}/{len(DATA)}"),))


@pytest.mark.parametrize(
    "answer",
    [
        shifted,
        Reply(206, DATA[BLOCK_BYTES:]),
        Reply(206, DATA, (("Content-Range", "pages 1-2/3"),)),
        Reply(206, DATA, (("Content-Range", f"bytes {'9' * 30}-{'9' * 31}/*"),)),
        Reply(416),
    ],
    ids=["another start", "no range", "no bytes", "no number", "not satisfiable"],
)
def test_mismatched_range_is_not_used(server: ScriptedServer, answer: Answer) -> None:
    server.on("GET", FILES["2"], cut("2", 2 * BLOCK_BYTES + 5), answer, whole("2"))
    assert downloaded(service_at("2", server.url)) == DATA
    assert ranges(server) == [None, f"bytes={2 * BLOCK_BYTES}-", None]


@both
def test_download_survives_several_interruptions(server: ScriptedServer, api: str) -> None:
    cuts = [cut(api, one * BLOCK_BYTES + 9) for one in (1, 2, 3)]
    server.on("GET", FILES[api], *cuts, whole(api))
    assert downloaded(service_at(api, server.url)) == DATA


@both
def test_attempts_without_progress_are_counted(server: ScriptedServer, api: str) -> None:
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9))
    with pytest.raises(exceptions.GlanceConnectionFailed):
        downloaded(service_at(api, server.url, max_attempts=3))
    assert len(ranges(server)) == 3


@both
def test_max_attempts_1_never_resumes(server: ScriptedServer, api: str) -> None:
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9), whole(api))
    with pytest.raises(exceptions.GlanceConnectionFailed):
        downloaded(service_at(api, server.url, max_attempts=1))
    assert len(ranges(server)) == 1


@both
@pytest.mark.parametrize("between", [Reply(503), NO_ANSWER], ids=["503", "no answer"])
def test_resume_survives_failed_attempt(server: ScriptedServer, api: str, between: Reply) -> None:
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9), between, whole(api))
    assert downloaded(service_at(api, server.url)) == DATA


@both
@pytest.mark.parametrize("other", [OTHER, DATA[:-1], DATA[:BLOCK_BYTES], DATA + b"!"])
def test_changed_image_is_not_resumed(server: ScriptedServer, api: str, other: bytes) -> None:
    server.on("GET", FILES[api], cut(api, 2 * BLOCK_BYTES + 9), whole(api, other))
    # Without the preliminary GET of an admin, only the responses reveal the difference.
    server.on("GET", f"/v2/images/{IMAGE}", json_reply(record()), json_reply(record(other)))
    with pytest.raises(exceptions.IntegrityError, match="changed while it was read") as caught:
        downloaded(service_at(api, server.url))
    assert caught.value.image_id == IMAGE


def test_download_without_checksum_must_have_expected_size(server: ScriptedServer) -> None:
    unmarked = [
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + DATA[:600_000]),
        Reply(raw=b"HTTP/1.1 200 OK\r\n\r\n" + DATA[:1000]),
    ]
    server.on("GET", FILES["2"], *unmarked)
    bare = {"id": IMAGE, "status": "active", "size": 900_000}
    server.on("GET", f"/v2/images/{IMAGE}", json_reply(bare))
    with pytest.raises(exceptions.IntegrityError, match="ends before"):
        downloaded(service_at("2", server.url))


@both
def test_image_deleted_meanwhile_is_not_found(server: ScriptedServer, api: str) -> None:
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9), Reply(404))
    server.on("GET", f"/v2/images/{IMAGE}", json_reply(record()), Reply(404))
    with pytest.raises(exceptions.ImageNotFound):
        downloaded(service_at(api, server.url))


@both
def test_download_without_final_chunk_is_complete(server: ScriptedServer, api: str) -> None:
    head = head_of(api, DATA, "Transfer-Encoding: chunked")
    chunk = f"{len(DATA):x}\r\n".encode() + DATA + b"\r\n"
    server.on("GET", FILES[api], Reply(raw=head + chunk))
    assert downloaded(service_at(api, server.url)) == DATA
    assert len(ranges(server)) == 1


@both
def test_resume_uses_next_endpoint(server: ScriptedServer, api: str) -> None:
    with ScriptedServer() as other:
        server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9))
        other.on("GET", FILES[api], whole(api))
        other.on("GET", f"/v2/images/{IMAGE}", json_reply(record()))
        assert downloaded(service_at(api, server.url, other.url)) == DATA
        assert (len(ranges(server)), len(ranges(other))) == (1, 1)


@both
def test_failed_download_leaves_path_unchanged(
    server: ScriptedServer, api: str, tmp_path: Path
) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"old")
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9))
    service = service_at(api, server.url, max_attempts=2)
    with pytest.raises(exceptions.GlanceConnectionFailed):
        service.download(None, IMAGE, dst_path=str(path))
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("image", b"old")]
    server.on("GET", FILES[api], cut(api, BLOCK_BYTES + 9), whole(api))
    service.download(None, IMAGE, dst_path=str(path))
    assert path.read_bytes() == DATA


@both
def test_progress_counts_resumed_bytes_once(server: ScriptedServer, api: str) -> None:
    told: list[int] = []
    server.on("GET", FILES[api], cut(api, 3 * BLOCK_BYTES + 9), whole(api))
    note: Callable[[int, int | None], None] = lambda done, total: told.append(done)  # noqa: E731
    service = service_at(api, server.url)
    assert b"".join(service.download(None, IMAGE, progress=note)) == DATA
    assert told == sorted(set(told))
    assert told[-1] == len(DATA)
