# SPDX-License-Identifier: Apache-2.0
"""Sessions and adapters of the caller that would bypass the limits for responses."""

from __future__ import annotations

import http.client
import typing
from collections.abc import Callable, Iterator

import pytest
import requests
import requests.adapters
import requests.auth
import urllib3.connection
import urllib3.connectionpool
import urllib3.util
from keystoneauth1 import session as ksa_session

from glance_compat import ImageService, Options, exceptions
from tests.security.images import VICTIM_ID, json_response, response, service_at, v2_record
from tests.security.raw_server import Parts, RawServer, Received


def image(received: Received) -> Parts:
    return [json_response(v2_record(VICTIM_ID))]


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(image) as server:
        yield server


class FinalAdapter(requests.adapters.HTTPAdapter):
    def __init_subclass__(cls) -> None:
        raise TypeError("no class is derived from this one")


class FinalSession(requests.Session):
    def __init_subclass__(cls) -> None:
        raise TypeError("no class is derived from this one")


class FinalKeystoneSession(ksa_session.Session):
    def __init_subclass__(cls) -> None:
        raise TypeError("no class is derived from this one")


def with_adapter(adapter: requests.adapters.BaseAdapter) -> requests.Session:
    made = requests.Session()
    made.mount("http://", adapter)
    return made


def with_attribute(target: typing.Any, name: str) -> typing.Any:
    setattr(target, name, lambda *_, **__: pytest.fail("not to be called"))
    return target


UNUSABLE: dict[str, tuple[Callable[[], typing.Any], str]] = {
    "keystoneauth session": (FinalKeystoneSession, "FinalKeystoneSession cannot be subclassed"),
    "requests session": (
        lambda: ksa_session.Session(session=FinalSession()),
        "FinalSession cannot be subclassed",
    ),
    "adapter": (
        lambda: ksa_session.Session(session=with_adapter(FinalAdapter())),
        "FinalAdapter cannot be subclassed",
    ),
    "not a requests session": (
        lambda: ksa_session.Session(session=typing.cast(typing.Any, object())),
        "object is not a requests session",
    ),
    "request of the keystoneauth session": (
        lambda: with_attribute(ksa_session.Session(), "request"),
        "Session has its own attribute 'request'",
    ),
    "request of the requests session": (
        lambda: ksa_session.Session(session=with_attribute(requests.Session(), "request")),
        "Session has its own attribute 'request'",
    ),
    "pool of the adapter": (
        lambda: ksa_session.Session(
            session=with_adapter(
                with_attribute(requests.adapters.HTTPAdapter(), "get_connection_with_tls_context")
            )
        ),
        "HTTPAdapter has its own attribute 'get_connection_with_tls_context'",
    ),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_session_without_views_is_refused(kind: str) -> None:
    make, reason = UNUSABLE[kind]
    session = make()
    with pytest.raises(exceptions.InvalidOption, match=f"the session cannot be used: .*{reason}"):
        ImageService(session, endpoint_override="http://127.0.0.1:9")


def test_adapter_mounted_later_is_refused(server: RawServer) -> None:
    http = requests.Session()
    service = service_at(server.url, http, api_version="2")
    assert service.show(None, VICTIM_ID)["id"] == VICTIM_ID
    http.mount("http://", FinalAdapter())
    with pytest.raises(exceptions.InvalidOption, match="FinalAdapter cannot be subclassed"):
        service.show(None, VICTIM_ID)
    assert server.methods() == ["GET"]


class Delegating(requests.adapters.HTTPAdapter):
    """An HTTPAdapter that sends with the methods of another adapter."""

    def __init__(self) -> None:
        self.inner = requests.adapters.HTTPAdapter()
        super().__init__()

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        return self.inner.send(*args, **kwargs)


class Wrapping(requests.adapters.BaseAdapter):
    """An object that sends with an adapter, but is not an HTTPAdapter."""

    inner = requests.adapters.HTTPAdapter()

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        return self.inner.send(*args, **kwargs)

    def close(self) -> None:
        self.inner.close()


class FinalResponse(http.client.HTTPResponse):
    def __init_subclass__(cls) -> None:
        raise TypeError("no class is derived from this one")


class OddConnection(urllib3.connection.HTTPConnection):
    response_class = FinalResponse


class OddPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = OddConnection


class OddPools(requests.adapters.HTTPAdapter):
    """An adapter whose connections use a response class that cannot be subclassed."""

    def init_poolmanager(self, *args: typing.Any, **kwargs: typing.Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": OddPool, "https": OddPool}


@pytest.mark.parametrize("adapter", [Delegating, Wrapping])
def test_response_read_without_limits_is_refused(
    adapter: type[requests.adapters.BaseAdapter], server: RawServer
) -> None:
    service = service_at(server.url, with_adapter(adapter()), api_version="2")
    reason = f"{adapter.__name__} did not send the request with the methods of"
    with pytest.raises(exceptions.InvalidOption, match=reason):
        service.show(None, VICTIM_ID)


def test_connection_without_limits_is_refused(server: RawServer) -> None:
    service = service_at(server.url, with_adapter(OddPools()), api_version="2")
    with pytest.raises(exceptions.InvalidOption, match="FinalResponse cannot be subclassed"):
        service.show(None, VICTIM_ID)
    assert server.received == []


def test_replaced_send_of_session_is_refused(server: RawServer) -> None:
    http = requests.Session()
    http.send = requests.Session().send  # type: ignore[method-assign]
    with pytest.raises(
        exceptions.InvalidOption, match="did not send the request with the methods of"
    ):
        service_at(server.url, http, api_version="2").show(None, VICTIM_ID)


# ---------------------------------------------------------------------------------------------
# Retries of the caller's adapter.

RETRIES = urllib3.util.Retry(3, allowed_methods=None, status_forcelist=[503], backoff_factor=0)


class Repeating(requests.adapters.HTTPAdapter):
    """An adapter that retries twice itself."""

    def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
        for _ in range(2):
            try:
                found = super().send(*args, **kwargs)
            except requests.ConnectionError:
                continue
            if found.status_code != 503:
                return found
            found.close()
        return super().send(*args, **kwargs)


ADAPTERS: dict[str, Callable[[], requests.adapters.HTTPAdapter]] = {
    "retries of urllib3": lambda: requests.adapters.HTTPAdapter(max_retries=RETRIES),
    "retries of its own": Repeating,
}
REQUESTS: dict[str, Callable[[ImageService], object]] = {
    "POST": lambda service: service.create(None, {"name": "n"}),
    "PUT": lambda service: service.update(None, VICTIM_ID, {}, data=b"data"),
    "DELETE": lambda service: service.delete(None, VICTIM_ID),
}


@pytest.mark.parametrize("lost", [True, False], ids=["lost response", "503"])
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_write_is_sent_once_although_the_adapter_retries(
    adapter: str, method: str, lost: bool
) -> None:
    def answer(received: Received) -> Parts:
        if received.method == "GET":
            return [json_response(v2_record(VICTIM_ID, status="queued"))]
        return None if lost else [response([], status="503 Service Unavailable")]

    with RawServer(answer) as server:
        http = with_adapter(ADAPTERS[adapter]())
        service = service_at(server.url, http, api_version="2")
        with pytest.raises(exceptions.GlanceCompatError):
            REQUESTS[method](service)
        assert server.methods().count(method) == 1


def test_get_is_not_repeated_by_urllib3() -> None:
    with RawServer(lambda received: None) as server:
        http = with_adapter(requests.adapters.HTTPAdapter(max_retries=RETRIES))
        service = service_at(server.url, http, api_version="2", max_attempts=2)
        with pytest.raises(exceptions.GlanceConnectionFailed):
            service.show(None, VICTIM_ID)
        assert server.methods() == ["GET", "GET"]


def test_write_is_resent_after_a_digest_challenge() -> None:
    challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'

    def answer(received: Received) -> Parts:
        if "Authorization: Digest" in received.head:
            return [json_response(v2_record(VICTIM_ID), "201 Created")]
        return [response([("WWW-Authenticate", challenge)], status="401 Unauthorized")]

    with RawServer(answer) as server:
        http = requests.Session()
        http.auth = requests.auth.HTTPDigestAuth("user", "password")
        session = ksa_session.Session(session=http)
        options = Options(api_version="2")
        service = ImageService(session, endpoint_override=server.url, options=options)
        assert service.create(None, {"id": VICTIM_ID, "name": "image"})["id"] == VICTIM_ID
        assert server.methods().count("POST") == 2
