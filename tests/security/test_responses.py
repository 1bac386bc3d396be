# SPDX-License-Identifier: Apache-2.0
"""Responses of a hostile server: wrong, endless, or slow to parse."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import time
import tracemalloc
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glance_compat import ImageService, exceptions
from tests.security.images import (
    EVIL_ID,
    TOKEN,
    VICTIM_ID,
    json_response,
    response,
    service_at,
    v1_headers,
    v2_record,
)
from tests.security.raw_server import Parts, RawServer, Received

#: Seconds: far more than any of these calls takes, and far less than the attacks would.
SECONDS = 5.0
SMALL = b"data"


def v1_record() -> dict[str, typing.Any]:
    record = {name: value for name, value in v2_record(EVIL_ID).items() if name != "visibility"}
    return {**record, "is_public": False, "deleted": False, "properties": {}, "deleted_at": None}


CHANGES: dict[str, tuple[str, Callable[[ImageService], object]]] = {
    "show over v2": ("2", lambda service: service.show(None, VICTIM_ID)),
    "update over v2": (
        "2",
        lambda service: service.update(None, VICTIM_ID, {"name": "n"}, purge_props=False),
    ),
    "create over v2": ("2", lambda service: service.create(None, {"id": VICTIM_ID, "name": "n"})),
    "update over v1": (
        "1",
        lambda service: service.update(None, VICTIM_ID, {"name": "n"}, purge_props=False),
    ),
    "create over v1": ("1", lambda service: service.create(None, {"id": VICTIM_ID, "name": "n"})),
}


@pytest.mark.parametrize("call", CHANGES)
def test_response_about_another_image_is_refused(call: str) -> None:
    version, make = CHANGES[call]

    def answer(received: Received) -> Parts:
        status = "201 Created" if received.method == "POST" else "200 OK"
        if version == "2":
            return [json_response(v2_record(EVIL_ID, name="n"), status)]
        return [json_response({"image": {**v1_record(), "name": "n"}}, status)]

    with (
        RawServer(answer) as server,
        pytest.raises(exceptions.BadResponse, match=f"about another image, '{EVIL_ID}'"),
    ):
        make(service_at(server.url, api_version=version))


def endless(block: bytes) -> Iterator[bytes]:
    for _ in range(10_000):
        yield block


class Tenant:
    """A context with known roles, so that a download sends no preliminary GET."""

    auth_token = TOKEN
    roles = ("member",)
    is_admin = False


@functools.cache
def bomb() -> bytes:
    return gzip.compress(bytes(64 * 1024 * 1024))


DESTINATIONS: dict[str, Callable[[ImageService, Path], object]] = {
    "path": lambda service, path: service.download(Tenant(), VICTIM_ID, dst_path=path),
    "file": lambda service, path: service.download(Tenant(), VICTIM_ID, data=io.BytesIO()),
    "iterator": lambda service, path: list(service.download(Tenant(), VICTIM_ID)),
}


@pytest.mark.parametrize(
    ("verify", "destination"), [("auto", "path"), ("strong", "file"), ("off", "iterator")]
)
@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["chunked", "until the end", "compressed"])
def test_data_beyond_image_size_is_not_received(
    tmp_path: Path, version: str, kind: str, verify: str, destination: str
) -> None:
    """The image has 4 bytes; up to 2.5 GiB are sent."""
    sent = 0
    block = bytes(256 * 1024)

    def answer(received: Received) -> Parts:
        nonlocal sent
        if version == "2" and not received.path.endswith("/file"):
            return [json_response(v2_record(VICTIM_ID, checksum="0" * 32))]
        headers = v1_headers(VICTIM_ID, checksum="0" * 32) if version == "1" else []
        if kind == "compressed":
            digest = [("Content-MD5", "0" * 32), ("Content-Encoding", "gzip")]
            return [response([*headers, *digest], bomb())]
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers)]
        lines += ["Transfer-Encoding: chunked"] if kind == "chunked" else ["Connection: close"]
        lines += ["Content-MD5: " + "0" * 32, "", ""]

        def parts() -> Iterator[bytes]:
            nonlocal sent
            yield "\r\n".join(lines).encode()
            for one in endless(block):
                yield b"%x\r\n%b\r\n" % (len(one), one) if kind == "chunked" else one
                sent += len(one)

        return typing.cast(Parts, parts())

    with RawServer(answer) as server:
        service = service_at(server.url, api_version=version, verify_downloads=verify)
        bomb()
        begun = time.monotonic()
        with pytest.raises(exceptions.IntegrityError, match="more than 4 bytes arrived"):
            DESTINATIONS[destination](service, tmp_path / "image")
        assert time.monotonic() - begun < SECONDS
    assert list(tmp_path.iterdir()) == []
    # The number of bytes that fit into the buffers of the sockets.
    assert sent < 64 * 1024 * 1024


DIGITS = "9" * 5000
LONG_LENGTH = f"HTTP/1.1 200 OK\r\nContent-Length: {DIGITS}\r\n\r\n".encode()
LONG_NUMBERS: dict[str, tuple[str, bytes]] = {
    "Content-Length over v2": (
        "2",
        f"HTTP/1.1 200 OK\r\nContent-Length: {DIGITS}\r\n\r\n".encode(),
    ),
    "Content-Length over v1": (
        "1",
        f"HTTP/1.1 200 OK\r\nContent-Length: {DIGITS}\r\n\r\n".encode(),
    ),
    "size over v1": ("1", response(v1_headers(VICTIM_ID, size=DIGITS))),
    "min_disk over v1": ("1", response(v1_headers(VICTIM_ID, min_disk=DIGITS))),
    "number in JSON": ("2", response([], b'{"id": "%b", "size": %b}' % (b"a", DIGITS.encode()))),
    "Retry-After": ("2", response([("Retry-After", DIGITS)], status="503 Busy")),
    "character reference": (
        "2",
        json_response({"message": f"&#{DIGITS};" * 20}, "404 Not Found"),
    ),
    "status": ("2", f"HTTP/1.1 {DIGITS} OK\r\n\r\n".encode()),
}


@pytest.mark.parametrize("kind", LONG_NUMBERS)
def test_overlong_number_raises_library_error(kind: str) -> None:
    version, whole = LONG_NUMBERS[kind]
    with RawServer(lambda received: [whole]) as server:
        service = service_at(server.url, api_version=version)
        begun = time.monotonic()
        with pytest.raises(exceptions.GlanceCompatError) as caught:
            service.show(None, VICTIM_ID)
        assert time.monotonic() - begun < SECONDS
    assert len(str(caught.value)) < 1000


ERROR_TEXTS = {
    "open tags": "<" * 60_000,
    "open tags in 60 MiB": "<" * (60 * 1024 * 1024),
    "references": "&#9;" * 15_000,
    "users": "//" * 30_000,
    "blanks": " " * 60_000 + "x",
}


@pytest.mark.parametrize("kind", ERROR_TEXTS)
def test_error_text_is_cut_before_it_is_examined(kind: str) -> None:
    whole = json_response({"message": ERROR_TEXTS[kind]}, "404 Not Found")
    with RawServer(lambda received: [whole]) as server:
        service = service_at(server.url, api_version="2")
        begun = time.monotonic()
        with pytest.raises(exceptions.ImageNotFound) as caught:
            service.show(None, VICTIM_ID)
        assert time.monotonic() - begun < SECONDS
    assert len(str(caught.value)) < 1000


def compressed(layers: int) -> bytes:
    body = bytes(256 * 1024 * 1024)
    for _ in range(layers):
        body = gzip.compress(body)
    return body


@pytest.mark.slow
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_compressed_metadata_is_bounded_while_it_is_decompressed(layers: int) -> None:
    """256 MiB are sent in 260 kB, 500 bytes or less."""
    encoding = ", ".join(["gzip"] * layers)
    whole = response([("Content-Encoding", encoding)], compressed(layers))
    with RawServer(lambda received: [whole]) as server:
        service = service_at(server.url, api_version="2", max_response_bytes=1024 * 1024)
        tracemalloc.start()
        try:
            with pytest.raises(exceptions.BadResponse, match="larger than 1048576 bytes"):
                service.show(None, VICTIM_ID)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


@pytest.mark.parametrize("value", [b"{},", b"[],", b'{"a":{}},', b"0,", b"[[[]]],"])
def test_json_of_millions_of_values_is_not_parsed(value: bytes) -> None:
    """60 MB of them become 1.4 GB of objects."""
    body = b'{"images": [' + value * (6_000_000 // len(value)) + b"0]}"
    with RawServer(lambda received: [response([], body)]) as server:
        service = service_at(server.url, api_version="2")
        begun = time.monotonic()
        with pytest.raises(exceptions.BadResponse, match="has more than 1000000 values"):
            service.detail(None)
        assert time.monotonic() - begun < SECONDS


@pytest.mark.parametrize("start", [b"[", b'{"a":'])
def test_deep_json_is_refused(start: bytes) -> None:
    whole = response([("Content-Type", "application/json")], start * 200_000)
    with RawServer(lambda received: [whole]) as server:
        service = service_at(server.url, api_version="2")
        with pytest.raises(exceptions.BadResponse, match="is not JSON"):
            service.show(None, VICTIM_ID)


def test_proxy_compressed_data_is_downloaded() -> None:
    """The client did not request compression; Content-Length is the compressed size."""
    packed = gzip.compress(SMALL)

    def answer(received: Received) -> Parts:
        if not received.path.endswith("/file"):
            return [json_response(v2_record(VICTIM_ID))]
        digest = hashlib.md5(SMALL, usedforsecurity=False).hexdigest()
        return [response([("Content-MD5", digest), ("Content-Encoding", "gzip")], packed)]

    with RawServer(answer) as server:
        data = service_at(server.url, api_version="2").download(Tenant(), VICTIM_ID)
        assert b"".join(data) == SMALL


@pytest.mark.parametrize("version", ["1", "2"])
def test_list_without_new_images_ends(version: str) -> None:
    """Each page has the same images in another order."""
    ids = [f"{number:08}-0000-4000-8000-000000000000" for number in range(50)]

    def answer(received: Received) -> Parts:
        page = len(server.received) % len(ids)
        order = ids[page:] + ids[:page]
        if version == "1":
            return [json_response({"images": [{**v1_record(), "id": one} for one in order]})]
        images = [v2_record(one) for one in order]
        return [json_response({"images": images, "next": f"/v2/images?marker={order[-1]}"})]

    with (
        RawServer(answer) as server,
        pytest.raises(exceptions.BadResponse, match="has only images of earlier pages"),
    ):
        service_at(server.url, api_version=version).detail(None)
    assert len(server.received) == 2
