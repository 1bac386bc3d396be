# SPDX-License-Identifier: Apache-2.0
"""``glance-compat serve``: output, served APIs, shutdown."""

from __future__ import annotations

import configparser
import contextlib
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from glance_compat.fixture import GlanceFixture, project_id
from tests.unit.cli.running import in_process, program
from tests.unit.cli.serving import while_serving

#: Seconds within which a server must exit after a signal.
QUICKLY = 10


@contextlib.contextmanager
def serving(environment: dict[str, str], *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Run the program; kill it at the end if it still runs."""
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
    """Send a signal; return the exit code of the server and the rest of its output."""
    running.send_signal(how)
    out, err = running.communicate(timeout=QUICKLY)
    return running.returncode, out, err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_runs_until_signal(environment: dict[str, str], how: signal.Signals) -> None:
    with serving(environment) as running:
        url = first_line(running)
        assert url.startswith("http://127.0.0.1:")
        # An open connection does not delay the exit.
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
def test_exported_credentials_are_shell_safe(form: str) -> None:
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
        (("--config", "nothing.yaml"), "No such file"),
        (("--images", "nothing.yaml"), "No such file"),
        (("--option", "image_tag_qota=5"), "did you mean image_tag_quota"),
        (("--source", "http://a=nothing"), "No such file"),
        (("--source", "http://a=200"), "a status from 400 to 599, not 200"),
    ],
)
def test_impossible_server_is_wrong_usage(argv: tuple[str, ...], words: str) -> None:
    outcome = in_process("serve", *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error


SERVE_YAML = """
release: "33"
apis: [v2]
config: {image_property_quota: 3, enabled_backends: [one, two]}
regions: [north]
users:
  - {name: ann, password: secret, projects: [blue], roles: [reader]}
images:
  - {id: first, name: first, data: text, visibility: public, properties: {number: 5}}
  - {id: second, data_file: disk.raw, visibility: public}
sources: {"http://web.example": web, "http://web.example/none": 404}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Provide a settings file, with the files that it names."""
    (tmp_path / "disk.raw").write_bytes(b"disk")
    (tmp_path / "web" / "a b").mkdir(parents=True)
    (tmp_path / "web" / "a b" / "image").write_bytes(b"from the web")
    file = tmp_path / "serve.yaml"
    file.write_text(SERVE_YAML)
    return file


def test_serve_and_fixture_read_config_file(config: Path) -> None:
    found: dict[str, Any] = {}

    def look(url: str) -> None:
        found.update(described(url))

    outcome = while_serving(
        look, "--config", str(config), "--option", "image_tag_quota=1", "--export", "clouds.yaml"
    )
    assert outcome.code == 0
    clouds = yaml.safe_load(outcome.err)["clouds"]
    assert list(clouds) == ["glance-compat"]
    assert clouds["glance-compat"]["auth"]["project_name"] == "blue"
    assert clouds["glance-compat"]["region_name"] == "north"
    assert found == {
        "images": {"first": (4, "5"), "second": (4, None)},
        "stores": ["one", "two"],
        "tags": 413,
        "properties": 413,
        "downloaded": "active",
    }
    with GlanceFixture.from_file(config) as glance:
        assert described(glance.url) == {**found, "tags": 201}


def described(url: str) -> dict[str, Any]:
    """Query a server that was started with SERVE_YAML; return its properties."""
    with requests.Session() as session:
        session.headers["X-Auth-Token"] = "u:blue:member"
        images = session.get(f"{url}/v2/images", timeout=30).json()["images"]
        stores = session.get(f"{url}/v2/info/stores", timeout=30).json()["stores"]
        meta = {"disk_format": "raw", "container_format": "bare"}
        new = [
            session.post(f"{url}/v2/images", json={**meta, **more}, timeout=30)
            for more in ({"tags": ["1", "2"]}, dict.fromkeys("abcd", "x"), {})
        ]
        path = f"{url}/v2/images/{new[2].json()['id']}"
        uri = "http://web.example/a%20b/image"
        method = {"method": {"name": "web-download", "uri": uri}}
        assert session.post(f"{path}/import", json=method, timeout=30).status_code == 202
        return {
            "images": {one["id"]: (one["size"], one.get("number")) for one in images},
            "stores": [one["id"] for one in stores],
            "tags": new[0].status_code,
            "properties": new[1].status_code,
            "downloaded": session.get(path, timeout=30).json()["status"],
        }


def test_owner_may_be_a_project_of_a_user(tmp_path: Path) -> None:
    images = tmp_path / "images.yaml"
    images.write_text(
        "- {id: own, owner: blue}\n- {id: shared, owner: other, members: {blue: accepted}}\n"
        "- {id: foreign, owner: green}\n"
    )
    token = f"u:{project_id('blue')}:member"

    def ask(url: str) -> None:
        listed = requests.get(f"{url}/v2/images", headers={"X-Auth-Token": token}, timeout=30)
        assert {one["id"] for one in listed.json()["images"]} == {"own", "shared"}

    argv = ("--images", str(images), "--user", "alice:pw:blue")
    assert while_serving(ask, *argv).code == 0


def test_release_and_apis_need_no_quotes_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("release: 33\napis: v1,v2\nregions: north\n")
    found: list[str] = []

    def ask(url: str) -> None:
        versions = requests.get(f"{url}/", timeout=30).json()["versions"]
        found.extend(one["id"] for one in versions)

    assert while_serving(ask, "--config", str(file)).code == 0
    assert "v2.17" in found


def test_options_override_the_config_file(config: Path, tmp_path: Path) -> None:
    images = tmp_path / "images.yaml"
    images.write_text("- {id: other, visibility: public}\n")
    source = tmp_path / "disk.raw"
    argv = (
        *("--config", str(config), "--images", str(images), "--release", "yoga"),
        *("--source", f"http://other.example/?a=b={source}", "--region", "west"),
        *("--user", "bob:pw", "--option", "enabled_backends=three:file"),
    )

    def look(url: str) -> None:
        headers = {"X-Auth-Token": "u:blue:member"}
        listed = requests.get(f"{url}/v2/images", headers=headers, timeout=30).json()["images"]
        assert [one["id"] for one in listed] == ["other"]
        found = requests.get(f"{url}/v2/info/stores", headers=headers, timeout=30).json()
        assert [one["id"] for one in found["stores"]] == ["three"]

    outcome = while_serving(look, *argv)
    assert outcome.code == 0
    assert "export OS_USERNAME=bob\n" in outcome.err
    assert "export OS_REGION_NAME=west\n" in outcome.err


def test_clouds_yaml_has_the_clouds_of_devstack() -> None:
    outcome = while_serving(lambda url: None, "--export", "clouds.yaml")
    clouds = yaml.safe_load(outcome.err)["clouds"]
    assert list(clouds) == [
        *("glance-compat", "devstack", "devstack-admin", "devstack-alt", "devstack-system-admin")
    ]
    assert clouds["devstack-admin"]["auth"]["project_name"] == "admin"
    assert clouds["devstack-system-admin"]["auth"]["system_scope"] == "all"


def test_tempest_files_are_written(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "tempest"
    urls: list[str] = []
    outcome = while_serving(urls.append, "--release", "33", "--tempest", str(folder))
    assert outcome.code == 0
    conf = configparser.ConfigParser()
    conf.read(folder / "tempest.conf")
    assert conf["identity"]["uri_v3"] == f"{urls[0]}/identity/v3"
    assert conf["auth"]["test_accounts_file"] == str(folder / "accounts.yaml")
    accounts = yaml.safe_load((folder / "accounts.yaml").read_text())
    assert {role for one in accounts for role in one["roles"]} == {"admin", "member", "reader"}
    # Tempest requests administrators by type: one of the system has fewer permissions.
    assert [one["types"] for one in accounts if "system" in one] == [[]]
    assert "system" in accounts[-1]
    # With a domain, Tempest would use it for the domain.
    assert [set(one) & {"domain_name", "project_name"} for one in accounts if "system" in one] == [
        set()
    ]
    assert [one["project_name"] for one in accounts if "admin" in one["types"]] == ["admin"]
    # They have passwords.
    for name in ("accounts.yaml", "tempest.conf"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("relase: pike", "unknown parameter 'relase'; did you mean release?"),
        ("zzz: 1", "unknown parameter 'zzz'; see docs/embedded"),
        ("[", "invalid YAML"),
        ("- a", "must be a mapping"),
        ("images: 5", "images must be nova or a list of mappings"),
        ("images: [{data: a, data_file: b}]", "data and data_file"),
        ("images: [{colour: red}]", "unknown field colour"),
        ("users: {a: b}", "users must be a list of mappings"),
        ("users: [{name: a, age: 5}]", "not age"),
        ("users: [{password: a}]", "a user without a name"),
        ("users: [{name: a, projects: b}]", "projects must be a list, not 'b'"),
        ("sources: []", "sources must be a mapping"),
        ("sources: {'http://a': [1]}", "must be a path or an error status"),
        ("sources: {'http://a': nothing}", "No such file"),
        ("release: 34", "release '34' is unknown"),
        ("apis: v3", "offers v1, v2, requested: v3"),
        ("apis: 2", "apis must be a list of names, not 2"),
        ("policies: {add_image: 5}", "add_image must be a list of role names, not 5"),
        ("policies: [add_image]", "policies must be a mapping, not ['add_image']"),
        ("config: [a]", "config must be a mapping, not ['a']"),
        ("schema_properties: a", "schema_properties must be a mapping, not 'a'"),
        ("regions: {a: b}", "regions must be a list of names, not {'a': 'b'}"),
        ("token_lifetime: soon", "token_lifetime must be a number of seconds, not 'soon'"),
        ("strict_tokens: maybe", "strict_tokens must be True or False, not 'maybe'"),
        ("images: [{id: a}, {id: a}]", "images: Image ID a already exists!"),
        ("images: [{members: [5]}]", "ids and statuses of members must be strings, not [5]"),
        ("images: [{visibility: world}]", "visibility must be one of public, private, shared"),
        ("images: [{data_file: nothing}]", "nothing: No such file or directory"),
        ("\udcff", "serve.yaml: not UTF-8"),
        ("definitions: [a]", "definitions must be a path or glance, not ['a']"),
        ("definitions: nothing", "nothing: No such file"),
        ("property_protections: nothing", "nothing: No such file"),
        ("property_protections: [a]", "must be a mapping or the path of a file, not ['a']"),
        ("property_protections: {a: {}}", "[a] must have roles for create, read, update, delete"),
    ],
)
def test_invalid_config_file_is_a_usage_error(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    outcome = in_process("serve", "--config", str(file))
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err


@pytest.mark.parametrize(
    "argv",
    [
        ("--option", "image_tag_quota"),
        ("--option", "=5"),
        ("--option", "image_tag_quota=["),
        ("--source", "http://a"),
        ("--api", "v3"),
        ("--api", ""),
        ("--port", "65536"),
        ("--port", "http"),
        ("extra",),
        ("--user", "noone"),
        ("--user", ":x"),
        ("--user", "a:b:c:d:e"),
    ],
)
def test_usage_errors_exit_2(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process("serve", *argv).code == 2
    assert "glance-compat serve: error: " in capsys.readouterr().err


def test_serve_restores_signal_mask() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert in_process("serve", "--port", str(taken.getsockname()[1])).code == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
