# SPDX-License-Identifier: Apache-2.0
"""Secrets and control characters in the output, log and files of ``glance-compat``."""

from __future__ import annotations

import csv
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli import keystone
from tests.unit.cli.conftest import environment, options
from tests.unit.cli.running import in_process, sdk_may_warn
from tests.unit.scripted_server import Reply, ScriptedServer, json_reply

__all__ = ["environment"]

pytestmark = sdk_may_warn

PASSWORD = "pass-of-the-url"
ESC = "\x1b]0;owned\x07\x9b31m\u202e"


@pytest.fixture
def cloud() -> Iterator[keystone.Keystone]:
    """Provide a Keystone with a user, and a Glance."""
    with GlanceFixture() as glance, keystone.running({("one", "public"): glance.url}) as server:
        yield server


def log_in(monkeypatch: pytest.MonkeyPatch, auth_url: str) -> None:
    variables = {
        "OS_AUTH_URL": auth_url,
        "OS_USERNAME": "demo",
        "OS_PASSWORD": keystone.PASSWORD,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_log_file_is_private_and_has_no_secret(
    cloud: keystone.Keystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, umask: int
) -> None:
    log_in(monkeypatch, cloud.url.replace("//", f"//user:{PASSWORD}@"))
    path = tmp_path / "log"
    before = os.umask(umask)
    try:
        outcome = in_process("list", "--debug", "--log-file", str(path))
    finally:
        os.umask(before)
    assert outcome.code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for written in (path.read_text(), outcome.err):
        assert "Making authentication request to http://127.0.0.1" in written
        for secret in (PASSWORD, keystone.PASSWORD, keystone.TOKEN):
            assert secret not in written


@pytest.mark.slow
def test_traceback_has_no_password_of_auth_url(monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch, f"http://user:{PASSWORD}@127.0.0.1:1/v3")
    for argv in (("list",), ("list", "--debug")):
        outcome = in_process(*argv)
        assert outcome.code == 1
        assert "Connection refused" in outcome.err
        assert PASSWORD not in outcome.err


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://user:{PASSWORD}@glance.example/",
        f"http://user:{PASSWORD}@",
        f"http:/user:{PASSWORD}@glance.example",
        f"user:{PASSWORD}@glance.example:9292",
        f"http://glance.example/?temp_url_sig={PASSWORD}",
    ],
)
def test_refused_endpoint_is_shown_without_password(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process("discover", "--endpoint", url).code == 2
    message = capsys.readouterr().err
    assert "must be an http or https URL" in message
    assert PASSWORD not in message


@pytest.mark.parametrize("debug", [(), ("--debug",)])
def test_control_characters_reach_neither_terminal_nor_log(
    tmp_path: Path, debug: tuple[str, ...]
) -> None:
    path = tmp_path / "log"
    with ScriptedServer() as server:
        versions = {"versions": [{"id": "v2.5", "status": "CURRENT", "x": ESC}]}
        server.on("GET", "/", json_reply(versions, 300))
        headers = (("X-Openstack-Request-Id", "req-\x1b[31m"), ("X-Evil", "\x1b[31m"))
        server.on(
            "GET",
            "/v2/images",
            Reply(400, json_reply({"message": f"owned {ESC}"}).body, headers=headers),
        )
        token = ("--os-auth-type", "admin_token", "--os-token", "any")
        argv = ("list", "--endpoint", server.url, *token, *debug, "--log-file", str(path))
        outcome = in_process(*argv)
    assert outcome.code == 1
    for written in (outcome.out, outcome.err, path.read_text()):
        assert written.replace("\n", "").isprintable()


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\uff1d1"])
def test_csv_has_no_formula(formula: str) -> None:
    with GlanceFixture(images=[{"name": formula, "tags": ["a"]}]) as glance:
        for command in ("list", "audit"):
            outcome = in_process(command, *options(glance), "-f", "csv", "-c", "name")
            assert {row["name"] for row in csv.DictReader(io.StringIO(outcome.out))} >= {
                f"'{formula}"
            }
            assert f'"{formula}' not in outcome.out
