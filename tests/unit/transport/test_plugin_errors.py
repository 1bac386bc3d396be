# SPDX-License-Identifier: Apache-2.0
"""Whatever an auth plugin raises is an exception of the library."""

from __future__ import annotations

import http.client
import ssl
import typing

import keystoneauth1.exceptions
import pytest
import requests
from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import generic

from glance_compat import ImageService, Options
from glance_compat.exceptions import GlanceCompatError, NotAuthenticated
from glance_compat.fixture import GlanceFixture

APIS = pytest.mark.parametrize("api", ["1", "2"])

RAISED: list[Exception] = [
    Exception("password is a required attribute"),
    RuntimeError("secret"),
    NotImplementedError(),
    AssertionError("secret"),
    LookupError("secret"),
    KeyError("secret"),
    TypeError("secret"),
    AttributeError("secret"),
    ValueError("secret"),
    UnicodeError("secret"),
    ArithmeticError("secret"),
    StopIteration("secret"),
    OSError(13, "Permission denied"),
    ssl.SSLError("secret"),
    http.client.HTTPException("secret"),
    requests.exceptions.InvalidHeader("secret"),
    keystoneauth1.exceptions.ClientException("secret"),
    keystoneauth1.exceptions.AuthPluginException("secret"),
    keystoneauth1.exceptions.MissingRequiredOptions([]),
]


class Failing(ksa_plugin.BaseAuthPlugin):
    """A plugin that raises an exception in one of its methods."""

    def __init__(self, method: str, error: Exception) -> None:
        super().__init__()
        self._method, self._error = method, error

    def _maybe_fail(self, method: str) -> None:
        if method == self._method:
            raise self._error

    def get_token(self, session: object, **_: object) -> str:
        self._maybe_fail("get_token")
        return "token"

    def get_endpoint(self, session: object, **_: object) -> str | None:
        self._maybe_fail("get_endpoint")
        return None

    def get_access(self, session: object) -> typing.Any:
        self._maybe_fail("get_access")
        raise self._error


@APIS
@pytest.mark.parametrize("method", ["get_token", "get_access", "get_endpoint"])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_exception_of_plugin_is_one_of_the_library(
    api: typing.Any, method: str, error: Exception
) -> None:
    options = Options(api_version=api, max_attempts=1)
    session = ksa_session.Session(Failing(method, error))
    endpoint = "http://127.0.0.1:1" if method != "get_endpoint" else None
    service = ImageService(session, endpoint_override=endpoint, options=options)
    with pytest.raises(GlanceCompatError) as caught:
        service.download(None, "x")
    assert "secret" not in caught.value.message


@APIS
def test_plugin_without_password_is_not_authenticated(api: typing.Any) -> None:
    """keystoneauth1 raises Exception itself if there is none."""
    with GlanceFixture() as glance:
        auth = generic.Password(f"{glance.url}/identity", username="demo")
        service = ImageService(
            ksa_session.Session(auth),
            endpoint_override=glance.url,
            options=Options(api_version=api),
        )
        with pytest.raises(NotAuthenticated) as caught:
            service.show(None, "x")
    assert "reports: password is a required attribute" in caught.value.message
    assert "Check the credentials" in caught.value.message
