# SPDX-License-Identifier: Apache-2.0
"""A warm call uses the settings of the caller's session and of the environment as they are now."""

from __future__ import annotations

import sys
import types
import typing
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import requests
import requests.adapters
from keystoneauth1 import session as ksa_session
from keystoneauth1 import token_endpoint

from glance_compat import ImageService
from glance_compat.fixture import GlanceFixture

IMAGE_ID = "a0000000-0000-4000-8000-00000000000a"


class Recording(requests.adapters.HTTPAdapter):
    """Records how requests are sent, and sends them without proxies and certificates."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, typing.Any]] = []

    def send(
        self, request: requests.PreparedRequest, *args: typing.Any, **kwargs: typing.Any
    ) -> requests.Response:
        proxies = dict(kwargs["proxies"] or {})
        self.sent.append({**kwargs, "proxies": proxies, "headers": dict(request.headers)})
        plain = {"proxies": {}, "verify": True, "cert": None, "timeout": 20}
        return super().send(request, *args, **{**kwargs, **plain})


class Client:
    """A session with a recording adapter, and a service that uses the session."""

    def __init__(self, url: str, http: requests.Session) -> None:
        self.adapter = Recording()
        http.mount("http://", self.adapter)
        self.session = ksa_session.Session(token_endpoint.Token(url, "token"), session=http)
        self.http: requests.Session = self.session.session
        self.service = ImageService(self.session, endpoint_override=url)
        self.url = f"{url}/v2/images/{IMAGE_ID}"

    def show(self) -> dict[str, typing.Any]:
        """Show the image, and return how the request was sent."""
        assert self.service.show(None, IMAGE_ID)["id"] == IMAGE_ID
        return self.adapter.sent[-1]

    def own(self) -> dict[str, typing.Any]:
        """Return how keystoneauth sends the same request."""
        self.session.get(self.url)
        return self.adapter.sent[-1]


@pytest.fixture
def glance(monkeypatch: pytest.MonkeyPatch) -> Iterator[GlanceFixture]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
    with GlanceFixture(images=[{"id": IMAGE_ID}], fault_injection=False) as glance:
        yield glance


Change = Callable[[Client, pytest.MonkeyPatch], object]

_PROXY = "http://proxy.example:3128"
_OTHER = "http://other.example:3128"


def _environment(name: str, value: str) -> Change:
    return lambda _, monkeypatch: monkeypatch.setenv(name, value)


def _set(path: str, value: object) -> Change:
    def change(client: Client, _: pytest.MonkeyPatch) -> None:
        target, name = path.split(".")
        setattr(getattr(client, target), name, value)

    return change


#: What happens before the first call, what changes after it, and the key that differs then.
CHANGES: dict[str, tuple[Change | None, Change, str]] = {
    "http_proxy": (None, _environment("http_proxy", _PROXY), "proxies"),
    "HTTP_PROXY": (None, _environment("HTTP_PROXY", _PROXY), "proxies"),
    "Http_Proxy": (None, _environment("Http_Proxy", _PROXY), "proxies"),
    "all_proxy": (None, _environment("all_proxy", _PROXY), "proxies"),
    "another http_proxy": (
        _environment("http_proxy", _PROXY),
        _environment("http_proxy", _OTHER),
        "proxies",
    ),
    "http_proxy beside HTTP_PROXY": (
        _environment("HTTP_PROXY", _PROXY),
        _environment("http_proxy", _OTHER),
        "proxies",
    ),
    "no http_proxy": (
        _environment("http_proxy", _PROXY),
        lambda _, monkeypatch: monkeypatch.delenv("http_proxy"),
        "proxies",
    ),
    "no_proxy": (
        _environment("http_proxy", _PROXY),
        _environment("no_proxy", "127.0.0.1"),
        "proxies",
    ),
    "NO_PROXY": (
        _environment("http_proxy", _PROXY),
        _environment("NO_PROXY", "*"),
        "proxies",
    ),
    "REQUEST_METHOD": (
        _environment("HTTP_PROXY", _PROXY),
        _environment("REQUEST_METHOD", "GET"),
        "proxies",
    ),
    "REQUESTS_CA_BUNDLE": (None, _environment("REQUESTS_CA_BUNDLE", "/ca.pem"), "verify"),
    "CURL_CA_BUNDLE": (None, _environment("CURL_CA_BUNDLE", "/ca.pem"), "verify"),
    "trust_env": (
        _environment("http_proxy", _PROXY),
        _set("http.trust_env", False),
        "proxies",
    ),
    "proxies": (None, _set("http.proxies", {"http": _PROXY}), "proxies"),
    "an item of proxies": (
        None,
        lambda client, _: client.http.proxies.update(http=_PROXY),
        "proxies",
    ),
    "verify of requests": (
        _set("session.verify", None),
        _set("http.verify", False),
        "verify",
    ),
    "verify": (None, _set("session.verify", "/ca.pem"), "verify"),
    "verify that equals True": (
        _environment("REQUESTS_CA_BUNDLE", "/ca.pem"),
        _set("session.verify", 1),
        "verify",
    ),
    "cert of requests": (None, _set("http.cert", ("/cert.pem", "/key.pem")), "cert"),
    "cert": (None, _set("session.cert", ("/cert.pem", "/key.pem")), "cert"),
    "timeout": (None, _set("session.timeout", 7), "timeout"),
    "additional headers": (
        None,
        lambda client, _: client.session.additional_headers.update({"X-Trace": "1"}),
        "headers",
    ),
    "headers of requests": (
        None,
        lambda client, _: client.http.headers.update({"X-Trace": "1"}),
        "headers",
    ),
    "user agent": (None, _set("session.user_agent", "program/1"), "headers"),
    "original_ip": (None, _set("session.original_ip", "192.0.2.1"), "headers"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_warm_call_uses_changed_setting(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prepare, change, key = CHANGES[name]
    client = Client(glance.url, requests.Session())
    if prepare is not None:
        prepare(client, monkeypatch)
    client.show()
    before = client.show()
    change(client, monkeypatch)
    after = client.show()
    assert after[key] != before[key] or type(after[key]) is not type(before[key])
    own = client.own()
    for setting in ("proxies", "verify", "cert"):
        assert after[setting] == own[setting], setting
        assert type(after[setting]) is type(own[setting]), setting


def test_warm_call_sends_changed_values(glance: GlanceFixture) -> None:
    client = Client(glance.url, requests.Session())
    client.show()
    client.session.timeout = 7
    client.session.additional_headers["X-Trace"] = "1"
    client.session.user_agent = "program/1"
    client.session.original_ip = "192.0.2.1"
    client.http.headers["X-Other"] = "2"
    sent = client.show()
    assert sent["timeout"] == (7, 7)
    expected = {"X-Trace": "1", "User-Agent": "program/1", "X-Other": "2"}
    assert expected.items() <= sent["headers"].items()
    assert sent["headers"]["Forwarded"] == "for=192.0.2.1;by=program/1"


def test_warm_call_uses_adapters_and_hooks_that_were_added(glance: GlanceFixture) -> None:
    client = Client(glance.url, requests.Session())
    client.show()
    hooked: list[int] = []
    client.http.hooks["response"].append(lambda found, **_: hooked.append(found.status_code))
    client.adapter = Recording()
    client.http.mount(glance.url, client.adapter)
    client.show()
    assert hooked == [200]
    assert len(client.adapter.sent) == 1


def test_warm_call_uses_another_requests_session(glance: GlanceFixture) -> None:
    client = Client(glance.url, requests.Session())
    client.show()
    other = requests.Session()
    other.mount("http://", client.adapter)
    other.proxies = {"http": _PROXY}
    client.session.session = other
    assert client.show()["proxies"] == {"http": _PROXY}


def test_proxies_that_an_adapter_changes_are_not_used_again(glance: GlanceFixture) -> None:
    class Changing(Recording):
        def send(self, *args: typing.Any, **kwargs: typing.Any) -> requests.Response:
            response = super().send(*args, **kwargs)
            kwargs["proxies"]["http"] = _OTHER
            return response

    client = Client(glance.url, requests.Session())
    client.adapter = Changing()
    client.http.mount("http://", client.adapter)
    assert [client.show()["proxies"] for _ in range(3)] == [{}, {}, {}]


class Merging(requests.Session):
    """A session that merges settings in its own way."""

    proxy = _PROXY

    def merge_environment_settings(self, *args: typing.Any, **kwargs: typing.Any) -> typing.Any:
        merged = super().merge_environment_settings(*args, **kwargs)
        return {**merged, "proxies": {"http": self.proxy}}


def test_session_that_merges_settings_itself_is_asked_each_time(glance: GlanceFixture) -> None:
    http = Merging()
    client = Client(glance.url, http)
    assert client.show()["proxies"] == {"http": _PROXY}
    http.proxy = _OTHER
    assert client.show()["proxies"] == {"http": _OTHER}


def test_function_that_replaces_the_method_is_called_each_time(glance: GlanceFixture) -> None:
    http: typing.Any = requests.Session()
    client = Client(glance.url, http)
    client.show()
    usual, proxies = http.merge_environment_settings, {"http": _PROXY}
    http.merge_environment_settings = lambda *args: {**usual(*args), "proxies": proxies}
    assert client.show()["proxies"] == {"http": _PROXY}


def _entered(call: Callable[[], object]) -> set[str]:
    """Return the names of the functions that run during a call."""
    found: set[str] = set()

    def profile(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call":
            found.add(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return found


@pytest.mark.skipif(
    urllib.request.getproxies is not urllib.request.getproxies_environment,
    reason="proxies come from the system's settings",
)
def test_only_the_first_call_goes_through_the_environment(glance: GlanceFixture) -> None:
    client = Client(glance.url, requests.Session())
    assert "getproxies_environment" in _entered(client.show)
    assert "getproxies_environment" not in _entered(client.show)


def test_proxies_of_the_system_are_looked_up_each_time(
    glance: GlanceFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(glance.url, requests.Session())
    client.show()
    # As on Windows and macOS, where they come from the settings of the system.
    monkeypatch.setattr(requests.utils, "getproxies", lambda: {"http": _PROXY})
    assert client.show()["proxies"] == {"http": _PROXY}
    monkeypatch.setattr(requests.utils, "getproxies", lambda: {"http": _OTHER})
    assert client.show()["proxies"] == {"http": _OTHER}
