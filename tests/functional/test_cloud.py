# SPDX-License-Identifier: Apache-2.0
"""The code that starts servers: interpreters, environments, the state file, and the servers."""

from __future__ import annotations

import configparser
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import tenacity
from keystoneauth1.identity import v3

from tests.functional.cloud import (
    Cloud,
    CloudError,
    Layout,
    PythonMissingError,
    configuration,
    interpreters,
    lifecycle,
    processes,
    releases,
    topology,
)
from tests.functional.cloud.access import UnavailableError
from tests.functional.cloud.environments import RECIPES, Builder
from tests.functional.cloud.plugin import is_required
from tests.functional.cloud.processes import Running
from tests.functional.cloud.state import ServerState, State


def program(path: Path, script: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def shim(tmp_path: Path) -> dict[str, str]:
    """Put a failing python2.7 on the PATH, like a pyenv shim without a version."""
    program(tmp_path / "bin" / "python2.7", "echo 'python2.7: command not found' >&2; exit 127")
    return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}


def test_failing_shim_is_not_an_interpreter(shim: dict[str, str]) -> None:
    with pytest.raises(PythonMissingError) as caught:
        interpreters.find_python(("2.7",), "VARIABLE", {"PATH": shim["PATH"].split(":")[0]})
    message = str(caught.value)
    assert message.startswith("No working Python 2.7 was found: install one")
    assert message.endswith("or set VARIABLE to its path.")


def test_find_python_searches_path(tmp_path: Path) -> None:
    found = program(tmp_path / "bin" / "python2.7", "printf 2.7")
    assert interpreters.find_python(("2.7",), "VARIABLE", {"PATH": str(tmp_path / "bin")}) == found


def test_environment_variable_overrides_path(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python2.7", "printf 2.7")
    chosen = program(tmp_path / "elsewhere" / "python", "printf 2.7")
    environ = {"PATH": str(tmp_path / "bin"), "VARIABLE": str(chosen)}
    assert interpreters.find_python(("2.7",), "VARIABLE", environ) == chosen


@pytest.mark.parametrize("answer", ["printf 3.11", "exit 1"])
def test_invalid_environment_variable_is_an_error(tmp_path: Path, answer: str) -> None:
    program(tmp_path / "bin" / "python2.7", "printf 2.7")
    chosen = program(tmp_path / "elsewhere" / "python", answer)
    environ = {"PATH": str(tmp_path / "bin"), "VARIABLE": str(chosen)}
    with pytest.raises(PythonMissingError, match="VARIABLE is "):
        interpreters.find_python(("2.7",), "VARIABLE", environ)


def test_find_python_uses_newest_pyenv_version(tmp_path: Path, shim: dict[str, str]) -> None:
    for name in ("2.7.9", "2.7.18"):
        program(tmp_path / name / "python2.7", "printf 2.7")
    listing = 'if [ "$1" = versions ]; then printf "2.7.9\n2.7.18\n3.11.7\n"; exit; fi'
    program(tmp_path / "bin" / "pyenv", f"{listing}\necho {tmp_path}/$PYENV_VERSION/$2")
    found = interpreters.find_python(("2.7",), "VARIABLE", shim)
    assert found == tmp_path / "2.7.18" / "python2.7"


def test_versions_are_sorted_numerically() -> None:
    installed = ["2.7.9", "2.7.18", "3.11.7", "2.7-dev", "pypy2.7-7.3.1", "2.7.18.1"]
    assert interpreters.newest_first("2.7", installed) == ["2.7.18", "2.7.9"]


def test_running_interpreter_is_preferred() -> None:
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert interpreters.find_python((running,), "VARIABLE", {"PATH": ""}) == Path(sys.executable)


# A fast substitute for `-m venv TARGET`, `-m pip ... -r PINS` and the version probe.
FAKE_PYTHON = """
for last; do :; done
case "$*" in
  -c*) printf 3.12 ;;
  "-m venv"*) mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
  *" -r "*) ! grep -v "^#" "$last" ;;
esac
"""


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """Return a builder whose pin file has only a comment; any other line makes pip fail."""
    (tmp_path / "pins").mkdir()
    (tmp_path / "pins" / f"{topology.KEYSTONE_30}.txt").write_text("# nothing\n")
    python = program(tmp_path / "python", FAKE_PYTHON)
    return Builder(Layout(tmp_path / "cloud"), tmp_path / "pins", lambda *_: python)


def test_environment_is_built_once(builder: Builder) -> None:
    assert builder.ensure(topology.KEYSTONE_30)
    assert builder.is_current(topology.KEYSTONE_30)
    assert not builder.ensure(topology.KEYSTONE_30)


def damage_pins(builder: Builder) -> None:
    (builder.pins / f"{topology.KEYSTONE_30}.txt").write_text("# still nothing\n")


def damage_marker(builder: Builder) -> None:
    (builder.layout.environment(topology.KEYSTONE_30) / "built-from").unlink()


def damage_python(builder: Builder) -> None:
    builder.layout.program(topology.KEYSTONE_30, "python").unlink()


@pytest.mark.parametrize("damage", [damage_pins, damage_marker, damage_python])
def test_damaged_environment_is_rebuilt(
    builder: Builder, damage: Callable[[Builder], None]
) -> None:
    builder.ensure(topology.KEYSTONE_30)
    leftover = builder.layout.environment(topology.KEYSTONE_30) / "leftover"
    leftover.write_text("of the first build")
    damage(builder)
    assert not builder.is_current(topology.KEYSTONE_30)
    assert builder.ensure(topology.KEYSTONE_30)
    assert builder.is_current(topology.KEYSTONE_30)
    assert not leftover.exists()


def test_failed_build_shows_its_log(builder: Builder) -> None:
    (builder.pins / f"{topology.KEYSTONE_30}.txt").write_text("not a requirement\n")
    with pytest.raises(
        CloudError,
        match=r"(?s)environment of keystone-30 failed \(exit status 1\).*not a requirement",
    ):
        builder.ensure(topology.KEYSTONE_30)
    assert not builder.is_current(topology.KEYSTONE_30)


@pytest.mark.slow
def test_removed_environment_stops_its_processes(builder: Builder) -> None:
    target = builder.layout.environment(topology.KEYSTONE_30)
    left_over = program(target / "bin" / "pip", "sleep 600; echo never")
    log = builder.layout.root / "log"
    running = processes.start([str(left_over)], target, log, processes.server_environ())
    assert running.find()
    builder.ensure(topology.KEYSTONE_30)
    assert running.find() is None


def test_every_release_has_recipe_and_pins(tmp_path: Path) -> None:
    pins = Builder(Layout(tmp_path)).pins
    for name in {server.release for server in topology.SERVERS} | {"virtualenv"}:
        assert name in RECIPES
        lines = [
            line
            for line in (pins / f"{name}.txt").read_text().splitlines()
            if not line.startswith("#")
        ]
        assert lines
        assert all("==" in line for line in lines)


def test_missing_interpreter_affects_only_its_servers(builder: Builder) -> None:
    def no_python(*wanted: object) -> Path:
        raise PythonMissingError(f"no {wanted}")

    servers, missing = lifecycle.buildable(
        replace(builder, find_python=no_python), topology.SERVERS[1:2], print
    )
    assert (servers, missing) == (
        (),
        {topology.GLANCE_PIKE: "no (('2.7',), 'GLANCE_COMPAT_PYTHON27')"},
    )


def test_state_round_trips_through_its_file(tmp_path: Path) -> None:
    state = State(
        keep=True,
        users=[Running(7, 1.5)],
        servers={
            "keystone": ServerState(5000, Running(8, 2.5), "digest"),
            "pike": ServerState(9292),
        },
        projects={"demo": "1f"},
    )
    state.save(tmp_path / "deep" / "state.json")
    assert State.load(tmp_path / "deep" / "state.json") == state
    assert State.load(tmp_path / "none.json") == State()


def test_process_is_identified_by_start_time() -> None:
    me = Running.of(os.getpid())
    assert me.find() == psutil.Process()
    assert replace(me, started=me.started - 3600).find() is None


def await_child(leader: psutil.Process) -> psutil.Process:
    patience = tenacity.Retrying(
        stop=tenacity.stop_after_delay(20),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(lambda found: not found),
    )
    return patience(leader.children)[0]


@pytest.mark.slow
def test_stopped_server_ends_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = processes.start(
        ["sh", "-c", "sleep 600; echo never"], tmp_path, log, processes.server_environ()
    )
    leader = running.find()
    assert leader
    child = await_child(leader)
    processes.stop([running])
    assert running.find() is None
    assert not child.is_running()


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Running]:
    """Start a process in place of a server."""
    command = ["sh", "-c", "exec sleep 600"]
    running = processes.start(command, tmp_path, tmp_path / "log", processes.server_environ())
    yield running
    processes.stop([running])


def test_down_stops_recorded_servers_and_keeps_ports(tmp_path: Path, sample: Running) -> None:
    layout = Layout(tmp_path / "cloud")
    State(keep=True, servers={"pike": ServerState(9292, sample, "d")}).save(layout.state)
    lifecycle.down(layout)
    assert sample.find() is None
    assert State.load(layout.state) == State(servers={"pike": ServerState(9292, None, "d")})


ME = Running.of(os.getpid())
GONE = replace(ME, started=0.0)


@pytest.mark.parametrize(
    ("keep", "others", "stopped"),
    [(False, [], True), (False, [GONE], True), (False, [Running.of(1)], False), (True, [], False)],
    ids=["the last one", "a run that was killed", "another run", "kept by a person"],
)
def test_last_run_stops_the_cloud(
    tmp_path: Path, sample: Running, keep: bool, others: list[Running], stopped: bool
) -> None:
    layout = Layout(tmp_path / "cloud")
    servers = {"pike": ServerState(9292, sample)}
    State(keep=keep, users=[ME, *others], servers=servers).save(layout.state)
    lifecycle.leave(layout, ME)
    assert (sample.find() is None) is stopped


def test_server_failing_at_start_shows_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = processes.start(
        ["sh", "-c", "echo no such option; exit 3"], tmp_path, log, processes.server_environ()
    )
    with pytest.raises(CloudError, match=r"(?s)sample ended while it started:.*no such option"):
        processes.await_answer("sample", running, "http://127.0.0.1:9/", 200, log, seconds=20)


@pytest.mark.slow
def test_await_answer_times_out_for_silent_server(tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = processes.start(
        ["sh", "-c", "echo waiting; sleep 600"], tmp_path, log, processes.server_environ()
    )
    try:
        with pytest.raises(
            CloudError, match=r"sample did not answer at http://127.0.0.1:9/ within 0.5 seconds"
        ):
            processes.await_answer("sample", running, "http://127.0.0.1:9/", 200, log, seconds=0.5)
    finally:
        processes.stop([running])


def test_overrides_replace_single_options(tmp_path: Path) -> None:
    ports = {server.name: 9000 + number for number, server in enumerate(topology.SERVERS)}
    pike = next(server for server in topology.SERVERS if server.name == "pike")
    variant = replace(pike, overrides={"DEFAULT": {"show_multiple_locations": "False"}})
    files = configuration.files_of(variant, configuration.Site(Layout(tmp_path), ports))
    parser = configparser.RawConfigParser()
    parser.read_string(files["glance.conf"])
    assert parser["DEFAULT"]["show_multiple_locations"] == "False"
    assert parser["DEFAULT"]["show_image_direct_url"] == "True"
    assert json.loads(files["policy.json"])["publicize_image"] == "role:admin"


def test_keystone_stores_all_keys_below_its_data(tmp_path: Path) -> None:
    site = configuration.Site(Layout(tmp_path), {"keystone": 9000})
    parser = configparser.RawConfigParser()
    parser.read_string(configuration.files_of(topology.SERVERS[0], site)["keystone.conf"])
    for section in ("fernet_tokens", "fernet_receipts", "credential"):
        assert Path(parser[section]["key_repository"]).parent == Layout(tmp_path).data("keystone")


@pytest.mark.parametrize("release", sorted(releases.RELEASES))
def test_release_tools_get_configuration_file(release: str) -> None:
    for command in releases.RELEASES[release].prepare:
        assert " --config-file {directory}/" in command


def test_names_and_regions_are_unique_and_registries_exist() -> None:
    names = [server.name for server in topology.SERVERS]
    regions = [server.region for server in topology.SERVERS if server.region]
    assert len(set(names)) == len(names)
    assert len(set(regions)) == len(regions)
    assert {server.registry for server in topology.SERVERS if server.registry} <= set(names)


def test_url_of_missing_release_raises_unavailable_error() -> None:
    outcome = lifecycle.Outcome(State(), (), {topology.GLANCE_PIKE: "Install Python 2.7."})
    with pytest.raises(UnavailableError, match=r"Install Python 2\.7\."):
        Cloud(outcome).url("pike")


@pytest.mark.parametrize(
    ("environ", "required"),
    [
        ({}, False),
        ({"CI": "true"}, True),
        ({"CI": "false"}, False),
        ({"GLANCE_COMPAT_REQUIRE_CLOUD": "1"}, True),
    ],
)
def test_ci_requires_the_cloud(environ: dict[str, str], required: bool) -> None:
    assert is_required(environ) is required


MAJORS = {
    "pike": {"v1", "v2"},
    "pike-v1": {"v1"},
    "pike-v2": {"v2"},
    "pike-small": {"v1", "v2"},
    "pike-schema": {"v1", "v2"},
    "glance-33": {"v2"},
}
REGIONS = pytest.mark.parametrize("region", sorted(MAJORS))


@pytest.mark.functional
@REGIONS
def test_server_offers_its_versions(cloud: Cloud, region: str) -> None:
    answer = cloud.session("demo").get(cloud.url(region) + "/", authenticated=False)
    assert answer.status_code == 300
    assert {version["id"].split(".")[0] for version in answer.json()["versions"]} == MAJORS[region]


@pytest.mark.functional
@REGIONS
def test_catalog_lists_server_on_every_interface(cloud: Cloud, region: str) -> None:
    url = cloud.url(region)
    session = cloud.session("demo")
    found = {
        session.get_endpoint(service_type="image", region_name=region, interface=interface)
        for interface in topology.INTERFACES
    }
    assert found == {url}


@pytest.mark.functional
def test_release_shares_images_between_its_apis(cloud: Cloud) -> None:
    session = cloud.session("demo")
    headers = {
        "x-image-meta-name": "shared by two APIs",
        "x-image-meta-disk_format": "raw",
        "x-image-meta-container_format": "bare",
        "content-type": "application/octet-stream",
    }
    made = session.post(f"{cloud.url('pike-v1')}/v1/images", headers=headers, data=b"data").json()[
        "image"
    ]
    seen = session.get(f"{cloud.url('pike-v2')}/v2/images/{made['id']}").json()
    assert (seen["name"], seen["status"], seen["size"]) == ("shared by two APIs", "active", 4)
    assert seen["owner"] == cloud.project_id("demo") == session.get_project_id()
    assert session.get(f"{cloud.url('pike')}/v2/images/{made['id']}/file").content == b"data"
    hidden = cloud.session("other").get(
        f"{cloud.url('pike')}/v2/images/{made['id']}", raise_exc=False
    )
    assert hidden.status_code == 404


@pytest.mark.functional
def test_glance_33_keeps_data(cloud: Cloud) -> None:
    session = cloud.session("demo")
    images = f"{cloud.url('glance-33')}/v2/images"
    made = session.post(
        images, json={"name": "n", "disk_format": "raw", "container_format": "bare"}
    ).json()
    session.put(
        f"{images}/{made['id']}/file",
        data=b"data",
        headers={"content-type": "application/octet-stream"},
    )
    assert session.get(f"{images}/{made['id']}/file").content == b"data"
    assert session.get(f"{images}/{made['id']}").json()["stores"] == "fast"


@pytest.mark.functional
@pytest.mark.parametrize("name", [user.name for user in topology.USERS])
def test_every_user_has_project_and_roles(cloud: Cloud, name: str) -> None:
    user = cloud.user(name)
    session = cloud.session(name)
    assert isinstance(session.auth, v3.Password)
    access = session.auth.get_access(session)
    assert (access.username, access.project_name) == (name, user.project)
    assert access.project_id == cloud.project_id(user.project)
    # Keystone adds the roles that these imply.
    held = set(access.role_names or ())
    assert set(user.roles) <= held
    assert ("admin" in held) is ("admin" in user.roles)
