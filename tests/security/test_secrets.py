# SPDX-License-Identifier: Apache-2.0
"""Tokens and passwords: they are never shown, and never sent to another host."""

from __future__ import annotations

import errno
import functools
import json
import logging
import sys
import traceback
import typing
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3
from oslo_config import cfg

from glance_compat import ImageService, exceptions
from glance_compat import conf as glance_conf
from glance_compat.options import Options
from glance_compat.redaction import describe_error, redact_text, redact_url
from tests.security.images import (
    PASSWORD,
    TOKEN,
    VICTIM_ID,
    json_response,
    response,
    service_at,
    v2_record,
)
from tests.security.raw_server import RawServer
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply, redirect

SECRET = "hunter2"


@pytest.fixture
def keystone() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def evil() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.on("POST", "/v3/auth/tokens", json_reply({"token": {}}, 201))
        yield server


def password_service(auth_url: str) -> ImageService:
    auth = v3.Password(auth_url, username="u", password=SECRET, user_domain_id="d", project_id="p")
    session = ksa_session.Session(auth=auth)
    options = Options(api_version="2", max_attempts=1)
    return ImageService(session, endpoint_override="http://127.0.0.1:9", options=options)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_log_in_is_not_redirected_to_another_host(
    keystone: ScriptedServer, evil: ScriptedServer, status: int
) -> None:
    elsewhere = f"{evil.url.replace('127.0.0.1', 'localhost')}/v3/auth/tokens"
    keystone.on("POST", "/v3/auth/tokens", redirect(elsewhere, status))
    with pytest.raises(exceptions.BadResponse, match="redirected it to another host"):
        password_service(f"{keystone.url}/v3").show(None, VICTIM_ID)
    assert keystone.asked("POST") == ["/v3/auth/tokens"]
    assert evil.seen == []


def test_log_in_is_redirected_within_its_host(keystone: ScriptedServer) -> None:
    token = {"token": {"methods": ["password"], "catalog": []}}
    keystone.on("POST", "/v3/auth/tokens", redirect(f"{keystone.url}/identity/v3/auth/tokens"))
    keystone.on(
        "POST",
        "/identity/v3/auth/tokens",
        Reply(201, json.dumps(token).encode(), (("X-Subject-Token", "t"),)),
    )
    # The request has a token, but nothing listens at the image endpoint.
    with pytest.raises(exceptions.GlanceConnectionFailed, match=r"127\.0\.0\.1:9"):
        password_service(f"{keystone.url}/v3").show(None, VICTIM_ID)
    assert keystone.asked("POST") == ["/v3/auth/tokens", "/identity/v3/auth/tokens"]


def test_location_header_of_created_token_is_no_redirect(keystone: ScriptedServer) -> None:
    token = {"token": {"methods": ["password"], "catalog": []}}
    headers = (("X-Subject-Token", "t"), ("Location", "http://elsewhere.example/"))
    keystone.on("POST", "/v3/auth/tokens", Reply(201, json.dumps(token).encode(), headers))
    with pytest.raises(exceptions.GlanceConnectionFailed, match=r"127\.0\.0\.1:9"):
        password_service(f"{keystone.url}/v3").show(None, VICTIM_ID)


NOWHERE = "http://127.0.0.1:9"


def show(**options: typing.Any) -> None:
    service_at(NOWHERE, api_version="2", **options).show(None, VICTIM_ID)


def show_without_host() -> None:
    service_at("http://glance.invalid", api_version="2").show(None, VICTIM_ID)


def show_with_catalog() -> None:
    """The endpoint with its password is in the service catalog of the context."""
    url = NOWHERE.replace("://", f"://user:{PASSWORD}@")
    endpoints = [{"interface": "public", "url": url, "region": "r", "region_id": "r"}]
    catalog = [{"type": "image", "name": "glance", "endpoints": endpoints}]

    context = type("Context", (), {"auth_token": TOKEN, "service_catalog": catalog})()
    options = Options(api_version="2", max_attempts=1)
    calls = [functools.partial(ImageService(ksa_session.Session(), options=options).show, context)]
    # Only the frames of the library are judged, and not this one.
    del url, endpoints, catalog, context
    calls.pop()(VICTIM_ID)


FAILURES: dict[str, typing.Callable[[], object]] = {
    "one endpoint": show,
    "retried": lambda: show(max_attempts=2, backoff_max=0.0),
    "no host": show_without_host,
    "upload": lambda: service_at(NOWHERE, api_version="2").update(
        None, VICTIM_ID, {}, data=b"data"
    ),
    "discovery": lambda: service_at(NOWHERE).discover(None),
    "catalog": show_with_catalog,
}


@pytest.mark.parametrize("kind", FAILURES)
def test_traceback_with_locals_shows_neither_token_nor_password(kind: str) -> None:
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        FAILURES[kind]()
    shown = "".join(
        traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    )
    assert "127.0.0.1" in shown or "glance.invalid" in shown
    assert TOKEN not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    "request_id",
    ["req-\x1b[31mred", "req-\x9b31m", "req-1 2", "req-é", "r" * 5000, "\x07"],
    ids=repr,
)
def test_request_id_with_control_characters_is_not_shown(
    request_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = [("x-openstack-request-id", request_id)]
    whole = response(headers, status="404 Not Found")
    with (
        RawServer(lambda received: [whole]) as server,
        caplog.at_level(logging.DEBUG),
        pytest.raises(exceptions.ImageNotFound) as caught,
    ):
        service_at(server.url, api_version="2").show(None, VICTIM_ID)
    assert caught.value.request_id is None
    assert request_id not in caplog.text
    assert "\x1b" not in caplog.text
    assert str(caught.value).isprintable()


#: Strings with {} in place of a secret.
TEXTS = [
    "http://user:{}@store/key",
    "http://{}@store/key",
    "http:/user:{}@store/key",
    "http:///user:{}@store/key",
    "http:user:{}@store",
    r"http:\\user:{}@store/key",
    "swift+https://acc%3Auser:{}@store/key",
    "https://a:b@{}@store/key",
    "https://store/a/key?temp_url_sig={}&temp_url_expires=1",
    "https://store/a/key?key={}",
    "https://store/key;sig={}?x",
    "https://store/key#{}",
    "rbd://pool/image?key={}",
    "s3://access:{}@host/bucket/key",
    "user:{}@store/key",
]


@pytest.mark.parametrize("text", TEXTS)
def test_url_is_shown_without_credentials(text: str) -> None:
    assert SECRET not in redact_url(text.format(SECRET))


@pytest.mark.parametrize("text", TEXTS)
def test_server_messages_are_shown_without_credentials(text: str) -> None:
    message = f"Location {text.format(SECRET)} is not reachable, see https://docs.example/a."
    assert SECRET not in redact_text(message)
    whole = json_response({"message": message}, "400 Bad Request")
    with (
        RawServer(lambda received: [whole]) as server,
        pytest.raises(exceptions.ImageBadRequest) as caught,
    ):
        service_at(server.url, api_version="2").show(None, VICTIM_ID)
    assert SECRET not in str(caught.value)
    assert "is not reachable, see https://docs.example/a." in str(caught.value)


PIECES = ["/", "//", "\\", ":", "?", "#", "&", "=", ";", "%40", ".", "[", "]", "a", "http:", "@"]
some = strategies.lists(strategies.sampled_from(PIECES), max_size=6).map("".join)


@hypothesis.given(before=some, between=some, after=some)
@hypothesis.example(before="/@", between="?", after="")
@hypothesis.example(before="[", between="]?", after="")
@hypothesis.example(before=":/@", between="?", after="")
def test_user_information_is_redacted_in_every_spelling(
    before: str, between: str, after: str
) -> None:
    """The part before an @ is removed if it has a colon, and so is the part after a ?."""
    url = f"https://{before}user:{SECRET}{between}@{after}"
    assert SECRET not in redact_url(url)
    assert SECRET not in redact_text(f"see {url} for more")


@hypothesis.given(before=some, start=strategies.sampled_from(["a/", "1/", "1\\", "/"]), after=some)
def test_password_with_slash_is_redacted(before: str, start: str, after: str) -> None:
    url = f"https://{before}user:{start}{SECRET}@{after}"
    assert SECRET not in redact_url(url)
    assert SECRET not in redact_text(f"see {url} for more")


ATTRIBUTES = ("location", "copy_from")
VALUES: tuple[object, ...] = (
    f"http://user:{SECRET}@store/\nkey",
    f"http://us er:{SECRET}@store/key",
    f"http:/user:{SECRET}@store/key\r",
    f"http://user:{'x' * 60}{SECRET}@store/\0",
    f"http://store/\0key?signature={SECRET}",
    f"http://user:{SECRET}@store/key".encode(),
    [f"http://user:{SECRET}@store/key"],
    {"url": f"http://user:{SECRET}@store/key"},
    ({"url": [f"swift+https://acc%3Auser:{SECRET}@store/key"]},),
)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_refused_location_is_shown_without_credentials(
    version: str, attribute: str, value: object
) -> None:
    meta = {"name": "n", "disk_format": "raw", "container_format": "bare", attribute: value}
    with pytest.raises(exceptions.GlanceCompatError) as caught:
        service_at("http://127.0.0.1:9", api_version=version).create(None, meta)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


REFERENCES: tuple[object, ...] = (
    f"http://user:{SECRET}@glance/v2/images/an-image",
    f"http:/user:{SECRET}@glance/v2/images/an-image",
    f"http://glance/v2/images/an-image?key={SECRET}",
    f"http://user:{SECRET}@glance/v1/images/an-image".encode(),
)


@pytest.mark.parametrize("reference", REFERENCES, ids=range(len(REFERENCES)))
def test_refused_href_is_shown_without_credentials(reference: object) -> None:
    service = service_at("http://127.0.0.1:9", api_version="2")
    with pytest.raises(exceptions.InvalidImageRef) as caught:
        service.show(None, typing.cast(str, reference))
    assert SECRET not in str(caught.value)


@hypothesis.given(before=some, after=some)
def test_query_is_redacted_in_every_spelling(before: str, after: str) -> None:
    url = f"https://{before}?{after}temp_url_sig={SECRET}"
    assert SECRET not in redact_url(url)
    assert SECRET not in redact_text(f"see {url} for more")


def test_endpoint_in_messages_has_no_password(caplog: pytest.LogCaptureFixture) -> None:
    for url in ("http://127.0.0.1:9/", "http://127.0.0.1:9//v2", "http://127.0.0.1:9/a@b"):
        with caplog.at_level(logging.DEBUG), pytest.raises(exceptions.GlanceCompatError) as caught:
            service_at(url).show(None, VICTIM_ID)
        shown = "".join(traceback.format_exception(caught.value))
        assert PASSWORD not in shown
        assert PASSWORD not in repr(vars(caught.value))
    assert PASSWORD not in caplog.text


class TrustedError(Exception):
    """An exception of a module whose messages are trusted to contain no secrets."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError(SECRET), "ValueError"),
        (OSError(errno.ENOENT, "No such file", SECRET), "No such file"),
        (OSError(errno.ENOENT, "two\nlines"), "FileNotFoundError"),
        (OSError(SECRET), "OSError"),
        (TrustedError("no certificate"), "no certificate"),
        (TrustedError("two\nlines"), "'two\\nlines'"),
        (TrustedError("x" * 1000), "x" * 200),
    ],
)
def test_foreign_errors_are_shown_without_secrets(error: Exception, expected: str) -> None:
    assert describe_error(error, safe=(__name__,)) == expected


def test_repr_of_options_has_no_password() -> None:
    url = f"https://user:{SECRET}@glance.example"
    shown = repr(Options(trusted_endpoints=(url, f"{url}/v2")))
    assert "glance.example/v2" in shown
    assert SECRET not in shown


def test_warning_about_a_missing_checksum_has_no_signature(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The data is served at a URL with a signature, to which the server redirects."""
    path = f"/v2/images/{VICTIM_ID}/file"
    with ScriptedServer() as server:
        server.on("GET", f"/v2/images/{VICTIM_ID}", json_reply(v2_record(VICTIM_ID)))
        server.on("GET", path, redirect(f"{server.url}/store?temp_url_sig={SECRET}"))
        server.on("GET", "/store", Reply(200, b"data"))
        assert (
            b"".join(service_at(server.url, api_version="2").download(None, VICTIM_ID)) == b"data"
        )
    assert "has no checksum" in caplog.text
    assert SECRET not in caplog.text
    assert PASSWORD not in caplog.text


def test_only_safe_modules_are_quoted() -> None:
    assert describe_error(TrustedError(SECRET)) == "TrustedError"


def test_process_caches_no_urls() -> None:
    """A cache of a function would keep the credentials of its arguments."""
    cached = {
        f"{name}.{function}"
        for name, module in list(sys.modules.items())
        if name.startswith("glance_compat.") and not name.startswith("glance_compat.fixture")
        for function, value in vars(module).items()
        if hasattr(value, "cache_info") and value.__module__ == name
    }
    # Their arguments are names of properties, classes, versions and parts of images, metadata
    # definitions, or none; and in three _warn functions messages with redacted URLs, and regions.
    assert cached <= {
        "glance_compat.backends.v1.images._warn_folding",
        "glance_compat.conf._own_options",
        "glance_compat.definitions.checks._validator_class",
        "glance_compat.definitions.checks.make_check",
        "glance_compat.definitions.enforcement._warn_once",
        "glance_compat.definitions.patterns.compile_pattern",
        "glance_compat.definitions.sources._share",
        "glance_compat.definitions.sources._warn",
        "glance_compat.metadata.image_records._names",
        "glance_compat.metadata.image_records.v1_reader",
        "glance_compat.metadata.image_records.v2_reader",
        "glance_compat.routing.catalog._warn_of_regions",
        "glance_compat.transport.response_reader._reading_class",
        "glance_compat.transport.sessions._overridden_by",
        "glance_compat.transport.sessions._view_class",
    }


def test_configured_urls_are_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ("endpoint_override", "endpoints", "api_servers", "glance_api_servers")
    url = f"https://user:{SECRET}@glance.example"
    lines = [f"{name} = {url}" for name in (*names, "trusted_endpoints")]
    file = tmp_path / "service.conf"
    file.write_text("\n".join(["[glance_compat]", *lines]) + "\n")
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)], default_config_dirs=[])
    glance_conf.register_opts(conf)
    with caplog.at_level(logging.DEBUG):
        conf.log_opt_values(logging.getLogger("service"), logging.DEBUG)
    assert "trusted_endpoints" in caplog.text
    assert SECRET not in caplog.text
