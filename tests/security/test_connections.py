# SPDX-License-Identifier: Apache-2.0
"""Connections: no response reaches another request, and none bypasses the caller's adapters."""

from __future__ import annotations

import hashlib
import ssl
import typing
from pathlib import Path

import pytest
import requests
import requests.adapters

from glance_compat import exceptions
from tests.security.images import (
    EVIL_ID,
    VICTIM_ID,
    json_response,
    response,
    service_at,
    v1_headers,
    v2_record,
)
from tests.security.raw_server import Parts, RawServer, Received
from tests.unit.scripted_server import Reply, ScriptedServer

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"


def images_over_v2(received: Received) -> bytes:
    return json_response(v2_record(received.path.rpartition("/")[2], name=received.path))


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints", "199 X"])
def test_interim_responses_are_skipped(status: str) -> None:
    def answer(received: Received) -> Parts:
        return [INTERIM.replace(b"103 Early Hints", status.encode()), images_over_v2(received)]

    with RawServer(answer, pause=0.05) as server:
        service = service_at(server.url, api_version="2")
        assert str(service.show(None, EVIL_ID)["name"]).endswith(EVIL_ID)
        assert str(service.show(None, VICTIM_ID)["name"]).endswith(VICTIM_ID)
        assert {one.connection for one in server.received} == {1}


@pytest.mark.parametrize(
    "interim",
    [INTERIM * 101, INTERIM.replace(b"103 Early Hints", b"101 Switching Protocols")],
    ids=["too many", "another protocol"],
)
def test_connection_with_other_interim_responses_is_closed(interim: bytes) -> None:
    """The response that follows them must not be returned for another request."""

    def answer(received: Received) -> Parts:
        whole = images_over_v2(received)
        return [interim, whole] if EVIL_ID in received.path else [whole]

    with RawServer(answer, pause=0.05) as server:
        service = service_at(server.url, api_version="2")
        with pytest.raises(exceptions.GlanceConnectionFailed):
            service.show(None, EVIL_ID)
        assert str(service.show(None, VICTIM_ID)["name"]).endswith(VICTIM_ID)
        assert [one.connection for one in server.received] == [1, 2]


def forging(received: Received) -> Parts:
    """Respond like Glance 15.0.2 over v1 if a property contains a complete forged response."""
    if EVIL_ID not in received.path:
        return [response(v1_headers(VICTIM_ID, owner="the real owner"))]
    forged = response(v1_headers(VICTIM_ID, owner="forged"))
    evil = response([("X-Image-Meta-Property-A", "a"), *v1_headers(EVIL_ID)])
    return [evil, forged]


def test_v1_response_cannot_continue_as_another() -> None:
    with RawServer(forging, pause=0.05) as server:
        service = service_at(server.url, api_version="1")
        service.show(None, EVIL_ID)
        assert service.show(None, VICTIM_ID)["owner"] == "the real owner"
        assert [one.connection for one in server.received] == [1, 2]


def test_v1_connections_are_kept_if_tenants_are_trusted() -> None:
    def answer(received: Received) -> Parts:
        return [response(v1_headers(received.path.rpartition("/")[2]))]

    with RawServer(answer) as server:
        service = service_at(server.url, api_version="1", v1_keep_connections=True)
        for image_id in (EVIL_ID, VICTIM_ID):
            assert service.show(None, image_id)["id"] == image_id
        assert {one.connection for one in server.received} == {1}


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: {length}\r\nContent-Length: {length}",
        "Content-Length: {length}\r\nTransfer-Encoding: identity",
        "Content-Length: {length}\r\nX-Folded: a\r\n b",
        "Content-Length: {length}\r\nContent-Length : 0",
    ],
)
def test_connection_is_closed_after_ambiguous_framing(framing: str) -> None:
    def answer(received: Received) -> Parts:
        whole = images_over_v2(received)
        length = len(whole.partition(b"\r\n\r\n")[2])
        usual = f"Content-Length: {length}".encode()
        return [whole.replace(usual, framing.format(length=length).encode())]

    with RawServer(answer) as server:
        service = service_at(server.url, api_version="2")
        for image_id in (EVIL_ID, VICTIM_ID):
            assert service.show(None, image_id)["id"] == image_id
        assert [one.connection for one in server.received] == [1, 2]


class Pinned(requests.adapters.HTTPAdapter):
    """An adapter of the caller that accepts one certificate, and counts its requests."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self.sent = 0
        super().__init__()

    def init_poolmanager(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self.fingerprint)

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        self.sent += 1
        return super().send(*args, **kwargs)


@pytest.mark.parametrize("right", [True, False])
def test_fingerprint_of_adapter_applies_to_long_responses(right: bool) -> None:
    trustme = pytest.importorskip("trustme", reason="it makes the certificates of this test")
    certificate = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    pem = certificate.cert_chain_pems[0].bytes().decode()
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    pinned = Pinned(fingerprint if right else "00" * 32)
    properties = [(f"X-Image-Meta-Property-p{number}", "v") for number in range(200)]
    with ScriptedServer(tls=context) as server:
        http = requests.Session()
        http.mount("https://", pinned)
        headers = (*properties, *v1_headers(EVIL_ID))
        server.on("HEAD", f"/v1/images/{EVIL_ID}", Reply(headers=headers))
        service = service_at(server.url, http, verify=False, api_version="1")
        if not right:
            with pytest.raises(exceptions.GlanceConnectionFailed):
                service.show(None, EVIL_ID)
            assert server.seen == []
            return
        assert len(service.show(None, EVIL_ID)["properties"]) == 200
        assert len(server.seen) == pinned.sent == 1


def test_cookies_are_neither_kept_nor_sent() -> None:
    def answer(received: Received) -> Parts:
        cookies = [("Set-Cookie", "session=of-another-tenant; Path=/")]
        record = v2_record(received.path.rpartition("/")[2])
        body = json_response(record).partition(b"\r\n\r\n")[2]
        return [response([("Content-Type", "application/json"), *cookies], body)]

    http = requests.Session()
    http.cookies.set("identity", "of-the-identity-service", domain="127.0.0.1", path="/")
    with RawServer(answer) as server:
        service = service_at(server.url, http, api_version="2")
        for _ in range(2):
            service.show(None, VICTIM_ID)
        assert not [one for one in server.received if "cookie" in one.head.lower()]
    assert http.cookies.get_dict() == {"identity": "of-the-identity-service"}


def test_netrc_is_not_read_for_the_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password of-another-service\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with RawServer(lambda received: [images_over_v2(received)]) as server:
        from keystoneauth1 import session as ksa_session

        from glance_compat import ImageService

        service = ImageService(ksa_session.Session(), endpoint_override=f"{server.url}/v2")
        service.show(None, VICTIM_ID)
        assert not [one for one in server.received if "authorization" in one.head.lower()]
