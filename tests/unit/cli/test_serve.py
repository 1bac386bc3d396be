# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: output, served APIs, end."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from tests.unit.cli.running import in_process, program
from tests.unit.cli.serving import while_serving

#: Seconds in which a server must end after a signal.
QUICKLY = 10


@contextlib.contextmanager
def serving(environment: dict[str, str], *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program; kill it if the test has not ended it."""
    with subprocess.Popen(
        [sys.executable, "-m", "glance_compat.cli", "serve", *argv],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def first_line(running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    return running.stdout.readline().rstrip("\n")


def ended(running: subprocess.Popen[str], how: signal.Signals) -> tuple[int, str, str]:
    """Send a signal; return the exit code of the server and the rest of what it wrote."""
    running.send_signal(how)
    out, err = running.communicate(timeout=QUICKLY)
    return running.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_runs_until_signal(environment: dict[str, str], how: signal.Signals) -> None:
    with serving(environment) as running:
        url = first_line(running)
        assert url.startswith("http://127.0.0.1:")
        # A connection that stays open does not keep it.
        with requests.Session() as session:
            versions = session.get(url, timeout=30).json()["versions"]
            assert {one["id"][:2] for one in versions} == {"v1", "v2"}
            answer = session.get(f"{url}/v2/images", headers={"X-Auth-Token": "any"}, timeout=30)
            assert answer.json()["images"] == []
            code, rest, told = ended(running, how)
            assert (code, rest) == (0, "")
            assert f"export OS_AUTH_URL={url}/identity/v3\n" in told


@pytest.mark.parametrize(
    ("argv", "ids", "prefix"),
    [
        (("--api", "v1"), {"v1"}, ""),
        (("--apis", "v1,v2", "--api", "v2", "--prefix", "/image"), {"v1", "v2"}, "/image"),
        (("--release", "33"), {"v2"}, ""),
    ],
)
def test_serve_options_choose_server(argv: tuple[str, ...], ids: set[str], prefix: str) -> None:
    def look(url: str) -> None:
        assert url.endswith(prefix)
        versions = requests.get(f"{url}/", timeout=30).json()["versions"]
        assert {one["id"][:2] for one in versions} == ids

    assert while_serving(look, *argv).code == 0


@pytest.mark.parametrize("form", ["openrc", "clouds.yaml", "none"])
def test_exported_credentials(form: str) -> None:
    argv = ("--export", form, "--user", 'al:it\'s "x":p1,p2', "--strict-tokens")
    outcome = while_serving(lambda url: None, *argv, "--images", "nova", "--prefix", "/i")
    assert (outcome.code, len(outcome.out.splitlines())) == (0, 1)
    if form == "openrc":
        done = subprocess.run(
            ["/bin/sh", "-c", f"{outcome.err}echo $OS_USERNAME $OS_PASSWORD $OS_PROJECT_NAME"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == 'al it\'s "x" p1\n'
    elif form == "clouds.yaml":
        cloud = yaml.safe_load(outcome.err)["clouds"]["glance-compat"]
        assert cloud["auth"]["username"] == "al"
        assert cloud["auth"]["password"] == 'it\'s "x"'
        assert cloud["auth"]["project_name"] == "p1"
        assert cloud["auth"]["auth_url"].endswith("/identity/v3")
    else:
        assert outcome.err == ""


@pytest.mark.slow
def test_exported_clouds_yaml_finds_server(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "clouds.yaml"
    with serving(
        environment, "--export", "clouds.yaml", "--images", "nova", "--strict-tokens"
    ) as running:
        first_line(running)
        assert running.stderr is not None
        file.write_text("".join(running.stderr.readline() for _ in range(10)))
        outcome = program(
            {**environment, "OS_CLIENT_CONFIG_FILE": str(file)},
            *("list", "--os-cloud", "glance-compat", "-f", "value", "-c", "name"),
        )
        assert (outcome.code, len(outcome.out.splitlines())) == (0, 11)
        assert ended(running, signal.SIGTERM)[0] == 0


def test_port_option_is_used() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outcome = while_serving(lambda url: None, "--port", str(port))
    assert (outcome.code, outcome.out) == (0, f"http://127.0.0.1:{port}\n")


def test_port_in_use_fails() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        outcome = in_process("serve", "--port", str(taken.getsockname()[1]))
    assert (outcome.code, outcome.out) == (1, "")
    assert "Address already in use" in outcome.error


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--release", "nonsense"), "'nonsense'"),
        (("--release", "33", "--api", "v1"), "v1"),
    ],
)
def test_impossible_server_is_wrong_usage(argv: tuple[str, ...], words: str) -> None:
    outcome = in_process("serve", *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error


@pytest.mark.parametrize(
    "argv",
    [
        ("--api", "v3"),
        ("--api", ""),
        ("--port", "65536"),
        ("--port", "http"),
        ("extra",),
        ("--user", "noone"),
        ("--user", ":x"),
        ("--user", "a:b:c:d:e"),
        ("--images", "x"),
    ],
)
def test_usage_errors(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process("serve", *argv).code == 2
    assert "glance-compat serve: error: " in capsys.readouterr().err


def test_serve_restores_signal_mask() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert in_process("serve", "--port", str(taken.getsockname()[1])).code == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
