# SPDX-License-Identifier: Apache-2.0
"""TLS files that cannot be used and rejected certificates: named in the error, and not retried."""

from __future__ import annotations

import datetime
import ssl
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint
from keystoneauth1.identity import v3

from glance_compat import ImageService, Options
from glance_compat.exceptions import GlanceConnectionFailed, InvalidOption
from glance_compat.transport import retry
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

trustme = pytest.importorskip("trustme", reason="it makes the certificates of these tests")

APIS = pytest.mark.parametrize("api", ["1", "2"])


@pytest.fixture
def retries() -> Iterator[list[retry.Retrying]]:
    """Every retry of the library."""
    seen: list[retry.Retrying] = []
    retry.set_hooks([seen.append])
    yield seen
    retry.set_hooks([])


class Place(typing.NamedTuple):
    """Certificates, and the files with them."""

    authority: typing.Any
    folder: Path

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.write_bytes(content)
        return str(path)

    @property
    def trusted(self) -> str:
        return self.file("ca.pem", self.authority.cert_pem.bytes())

    def context(self, *names: str, **other: typing.Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names or ("127.0.0.1",), **other).configure_cert(context)
        return context


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(trustme.CA(), tmp_path)


def show(url: str, api: typing.Any, **settings: typing.Any) -> object:
    session = ksa_session.Session(**settings)
    token = token_endpoint.Token(url, "token")
    options = Options(api_version=api)
    return ImageService(session, auth=token, endpoint_override=url, options=options).show(
        None, "x"
    )


def unusable_settings(place: Place) -> dict[str, tuple[dict[str, typing.Any], str, str]]:
    """Return settings of a session, the file that cannot be used, and the reason."""
    issued = place.authority.issue_cert("client")
    certificate = place.file("cert.pem", issued.cert_chain_pems[0].bytes())
    key = place.file("key.pem", issued.private_key_pem.bytes())
    other = trustme.CA().issue_cert("other").private_key_pem.bytes()
    wrong_key, garbage = place.file("wrong.pem", other), place.file("garbage.pem", b"garbage")
    missing, folder = str(place.folder / "missing.pem"), str(place.folder)
    secret = place.file("secret.pem", encrypted(issued.private_key_pem.bytes()))
    return {
        "missing CA": ({"verify": missing}, missing, "No such file or directory"),
        "garbage CA": ({"verify": garbage}, garbage, "its content is invalid"),
        "missing certificate": ({"cert": missing}, missing, "No such file or directory"),
        "garbage certificate": ({"cert": garbage}, garbage, "its content is invalid"),
        "missing key": ({"cert": (certificate, missing)}, missing, "No such file or directory"),
        "garbage key": ({"cert": (certificate, garbage)}, garbage, "its content is invalid"),
        "other key": ({"cert": (certificate, wrong_key)}, wrong_key, "KEY_VALUES_MISMATCH"),
        "encrypted key": ({"cert": (certificate, secret)}, secret, "needs a passphrase"),
        "folder as key": ({"cert": (key, folder)}, folder, "its content is invalid"),
    }


def encrypted(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


@APIS
def test_unusable_file_is_named_and_not_retried(
    place: Place, retries: list[retry.Retrying], api: str
) -> None:
    with ScriptedServer(tls=place.context()) as server:
        for name, (settings, file, reason) in unusable_settings(place).items():
            with pytest.raises(InvalidOption) as caught:
                show(server.url, api, **{"verify": place.trusted, **settings})
            assert Path(file).name in caught.value.message, name
            assert reason in caught.value.message, name
    assert retries == []


def test_unusable_file_for_identity_service_is_named(
    place: Place, retries: list[retry.Retrying]
) -> None:
    with ScriptedServer(tls=place.context()) as server:
        missing = str(place.folder / "missing.pem")
        auth = v3.Token(f"{server.url}/v3", "token")
        session = ksa_session.Session(auth, verify=missing)
        service = ImageService(
            session, endpoint_override="http://127.0.0.1:1", options=Options(api_version="2")
        )
        with pytest.raises(InvalidOption, match="missing"):
            service.show(None, "x")
    assert retries == []


@APIS
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_unusable_file_of_environment_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, api: str, variable: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(place.folder / "missing.pem"))
    with (
        ScriptedServer(tls=place.context()) as server,
        pytest.raises(InvalidOption, match="missing"),
    ):
        show(server.url, api)


@pytest.mark.slow
def test_files_are_not_read_for_http(place: Place) -> None:
    missing = str(place.folder / "missing.pem")
    with ScriptedServer() as server:
        server.on("GET", "/v2/images/x", json_reply({"id": "x", "status": "active"}))
        show(server.url, "2", verify=missing)
    with pytest.raises(GlanceConnectionFailed):
        show("http://127.0.0.1:1", "2", verify=missing)


YESTERDAY = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)


@APIS
@pytest.mark.parametrize(
    ("names", "other", "trusted", "reason"),
    [
        (["127.0.0.1"], {}, False, "certificate verify failed"),
        (["image.example"], {}, True, "IP address mismatch"),
        (["127.0.0.1"], {"not_after": YESTERDAY}, True, "certificate has expired"),
    ],
    ids=["untrusted", "wrong name", "expired"],
)
def test_rejected_certificate_is_not_retried(
    place: Place,
    retries: list[retry.Retrying],
    api: str,
    names: list[str],
    other: dict[str, typing.Any],
    trusted: bool,
    reason: str,
) -> None:
    settings = {"verify": place.trusted} if trusted else {}
    with (
        ScriptedServer(tls=place.context(*names, **other)) as server,
        pytest.raises(GlanceConnectionFailed) as caught,
    ):
        show(server.url, api, **settings)
    assert reason in caught.value.message
    assert "Check the URL and the certificate of the image service" in caught.value.message
    assert not caught.value.is_transient
    assert retries == []


@APIS
def test_required_client_certificate_is_not_retried(
    place: Place, retries: list[retry.Retrying], api: str
) -> None:
    context = place.context()
    context.verify_mode = ssl.CERT_REQUIRED
    # With TLS 1.3 the client may see the lost connection first, and not the alert.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    place.authority.configure_trust(context)
    with ScriptedServer(tls=context) as server:
        server.on("GET", "/v2/images/x", Reply())
        with pytest.raises(GlanceConnectionFailed, match=r"(?i)certificate"):
            show(server.url, api, verify=place.trusted)
    assert retries == []


@APIS
def test_connection_failure_is_still_retried(retries: list[retry.Retrying], api: str) -> None:
    with retry.without_pauses(), pytest.raises(GlanceConnectionFailed) as caught:
        show("https://127.0.0.1:1", api)
    assert caught.value.is_transient
    assert len(retries) == 3
