# SPDX-License-Identifier: Apache-2.0
"""The command line with a real Keystone, Glance 15.0.2 and Glance 33."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glance_compat.options import ApiVersion, Options
from glance_compat.service import ImageService
from tests.functional.cloud import Cloud
from tests.functional.openrc import openrc
from tests.unit.cli.running import Outcome, program

pytestmark = pytest.mark.functional

#: ESC, BEL, DEL, C1 and RIGHT-TO-LEFT OVERRIDE, which both APIs can store.
EVIL = "\x1b]0;owned\x07\x7f\x9b31m\u202egnp"
EVIL_WRITTEN = "\\x1b]0;owned\\x07\\x7f\\x9b31m\\u202egnp"


class Place(NamedTuple):
    """A region, and the API to use there."""

    region: str
    api: ApiVersion


PLACES = (
    Place("pike", "1"),
    Place("pike", "2"),
    Place("pike-v1", "auto"),
    Place("pike-v2", "auto"),
    Place("glance-33", "auto"),
)
each_place = pytest.mark.parametrize("place", PLACES, ids="-".join)

Run = Callable[..., Outcome]


@pytest.fixture
def environment(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    return openrc(cloud, "demo", tmp_path)


@pytest.fixture
def run(environment: dict[str, str]) -> Run:
    return lambda *argv: program(environment, *argv)


def at(cloud: Cloud, place: Place) -> tuple[str, ...]:
    """Return the options that select a place; skip the test if its server cannot run."""
    cloud.url(place.region)
    return ("--os-region-name", place.region, "--api-version", place.api)


@pytest.fixture
def make(cloud: Cloud) -> Iterator[Callable[[Place, dict[str, Any]], str]]:
    """Provide a function that creates images; delete them after the test."""
    made: list[tuple[ImageService, str]] = []

    def create(place: Place, meta: dict[str, Any]) -> str:
        service = ImageService(
            cloud.session("demo"),
            endpoint_override=cloud.url(place.region),
            options=Options(api_version=place.api),
        )
        made.append((service, service.create(None, meta)["id"]))
        return str(made[-1][1])

    yield create
    for service, image_id in made:
        service.delete(None, image_id)


@each_place
def test_discover_reports_endpoint(cloud: Cloud, run: Run, place: Place) -> None:
    cloud.url(place.region)
    outcome = run("discover", "--os-region-name", place.region, "-f", "json")
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert found["endpoint"] == cloud.url(place.region)
    assert found["api"] == ("v1" if place.region == "pike-v1" else "v2")
    assert found["version"] == {"pike-v1": [1, 1], "glance-33": [2, 17]}.get(place.region, [2, 5])
    assert found["requests"] == 1


@each_place
def test_list_and_show_print_image(
    cloud: Cloud, run: Run, make: Callable[[Place, dict[str, Any]], str], place: Place
) -> None:
    name = f"cli {uuid.uuid4()}"
    image_id = make(place, {"name": name, "min_disk": 2, "properties": {"os_type": "linux"}})
    where = at(cloud, place)
    listed = run("list", *where, "--name", name, "-f", "value")
    assert (listed.code, listed.err, listed.out) == (0, "", f"{image_id} {name} queued\n")
    filtered = run(
        "list", *where, "--property", "os_type=linux", "--limit", "50", "-f", "json", "-c", "id"
    )
    assert image_id in {one["id"] for one in json.loads(filtered.out)}
    shown = run("show", *where, image_id, "-f", "json")
    assert (shown.code, shown.err) == (0, "")
    image = json.loads(shown.out)
    assert (image["name"], image["min_disk"], image["size"]) == (name, 2, 0)
    assert image["properties"] == {"os_type": "linux"}


def test_both_apis_show_the_same_image(
    cloud: Cloud, run: Run, make: Callable[[Place, dict[str, Any]], str]
) -> None:
    image_id = make(Place("pike", "2"), {"name": "café", "properties": {"a": "ü", "b": ""}})
    over_v1, over_v2 = (
        run("show", *at(cloud, Place("pike", api)), image_id, "-f", "json", "--noindent")
        for api in ("1", "2")
    )
    assert (over_v1.code, over_v2.code) == (0, 0)
    # v1 has neither of the two.
    of_v2_only = {"visibility": None, "tags": None}
    assert json.loads(over_v1.out) == {**json.loads(over_v2.out), **of_v2_only}
    assert json.loads(over_v1.out)["properties"] == {"a": "ü", "b": ""}


# ---------------------------------------------------------------------------------------------
# Failures: one clear line, exit code 1, no traceback.

each_command = pytest.mark.parametrize(
    "command", [("discover",), ("list",), ("show", str(uuid.UUID(int=1)))], ids=lambda one: one[0]
)


def failed(outcome: Outcome, kind: str, *words: str) -> None:
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith(f"{kind}: ")
    for word in words:
        assert word in outcome.error


@each_command
@each_place
def test_wrong_credentials_are_not_authenticated(
    cloud: Cloud, run: Run, place: Place, command: tuple[str, ...]
) -> None:
    failed(run(*command, *at(cloud, place), "--os-password", "not-mine"), "NotAuthenticated")


@each_place
def test_invalid_token_is_not_authenticated(cloud: Cloud, run: Run, place: Place) -> None:
    token = ("--os-auth-type", "admin_token", "--os-token", "nonsense")
    url = cloud.url(place.region)
    outcome = run("list", "--endpoint", url, *token, "--api-version", place.api)
    failed(outcome, "NotAuthenticated", url, "401")


@each_command
def test_endpoint_of_another_service_is_no_usable_version(
    cloud: Cloud, run: Run, command: tuple[str, ...]
) -> None:
    # Keystone has a version document too, but without an Images API.
    failed(run(*command, "--endpoint", cloud.auth_url), "NoUsableVersion", cloud.auth_url)
    nonsense = f"{cloud.auth_url}/nonsense"
    failed(run(*command, "--endpoint", nonsense), "NoUsableVersion", nonsense)


@each_command
def test_refused_connection_is_connection_failed(run: Run, command: tuple[str, ...]) -> None:
    outcome = run(*command, "--endpoint", "http://127.0.0.1:1")
    failed(outcome, "GlanceConnectionFailed", "http://127.0.0.1:1/", "refused")


@each_command
def test_unknown_region_is_no_usable_version(run: Run, command: tuple[str, ...]) -> None:
    failed(run(*command, "--os-region-name", "nowhere"), "NoUsableVersion", "'nowhere'")


@each_place
def test_missing_image_is_image_not_found(cloud: Cloud, run: Run, place: Place) -> None:
    missing = str(uuid.uuid4())
    outcome = run("show", *at(cloud, place), missing)
    failed(outcome, "ImageNotFound", missing)
    assert "Traceback" in run("show", *at(cloud, place), missing, "--debug").err


def test_api_not_offered_is_no_usable_version(cloud: Cloud, run: Run) -> None:
    outcome = run("list", *at(cloud, Place("glance-33", "1")))
    failed(outcome, "NoUsableVersion", "v1", "v2.17")


# ---------------------------------------------------------------------------------------------
# Credentials.


def test_clouds_yaml_selects_cloud(cloud: Cloud, run: Run, environment: dict[str, str]) -> None:
    user = cloud.user("demo")
    folder = Path(environment["XDG_CONFIG_HOME"]) / "openstack"
    folder.mkdir(parents=True)
    (folder / "clouds.yaml").write_text(
        json.dumps(
            {
                "clouds": {
                    "real": {
                        "auth": {
                            "auth_url": cloud.auth_url,
                            "username": user.name,
                            "password": user.password,
                            "project_name": user.project,
                            "user_domain_id": "default",
                            "project_domain_id": "default",
                        },
                        "regions": list(cloud.regions),
                    }
                }
            }
        )
    )
    without = {name: text for name, text in environment.items() if not name.startswith("OS_")}
    where = ("--os-cloud", "real", "--os-region-name", "glance-33")
    outcome = program(without, "list", *where, "--limit", "1", "-f", "json")
    assert (outcome.code, outcome.err) == (0, "")
    assert len(json.loads(outcome.out)) <= 1


def test_token_of_keystone_is_accepted(cloud: Cloud, environment: dict[str, str]) -> None:
    session = cloud.session("demo")
    without = {name: text for name, text in environment.items() if not name.startswith("OS_")}
    token = ("--os-auth-type", "v3token", "--os-token", str(session.get_token()))
    project = ("--os-project-id", cloud.project_id("demo"))
    outcome = program(
        without,
        *("list", *token, *project, "--os-auth-url", f"{cloud.auth_url}/v3"),
        *("--os-region-name", "glance-33", "--limit", "1"),
    )
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("user", ["demo", "admin"])
@pytest.mark.parametrize("by", ["name", "id"])
def test_owner_is_found_by_name_or_id(
    cloud: Cloud,
    make: Callable[[Place, dict[str, Any]], str],
    tmp_path: Path,
    user: str,
    by: str,
) -> None:
    name = f"owned {uuid.uuid4()}"
    image_id = make(Place("glance-33", "2"), {"name": name})
    project = cloud.user("demo").project
    owner = project if by == "name" else cloud.project_id(project)
    environment = openrc(cloud, user, tmp_path)
    argv = ("list", *at(cloud, Place("glance-33", "auto")), "--owner", owner, "--name", name)
    outcome = program(environment, *argv, "-f", "value", "-c", "id")
    assert (outcome.code, outcome.err, outcome.out.strip()) == (0, "", image_id)


@pytest.mark.parametrize("user", ["demo", "admin"])
def test_unknown_owner_is_refused(cloud: Cloud, tmp_path: Path, user: str) -> None:
    environment = openrc(cloud, user, tmp_path)
    where = at(cloud, Place("glance-33", "auto"))
    outcome = program(environment, "audit", *where, "--owner", "nobody-has-this-name")
    assert (outcome.code, outcome.out) == (2, "")
    assert "project 'nobody-has-this-name' was not found" in outcome.error


def test_application_credential_is_sent_without_project(
    cloud: Cloud, environment: dict[str, str]
) -> None:
    session = cloud.session("demo")
    url = f"{cloud.auth_url}/v3/users/{session.get_user_id()}/application_credentials"
    name = f"cli-{uuid.uuid4()}"
    made = session.post(url, json={"application_credential": {"name": name}}).json()
    credential = made["application_credential"]
    argv = ["list", *at(cloud, Place("glance-33", "auto")), "--limit", "1"]
    argv += ["--os-application-credential-id", credential["id"]]
    argv += ["--os-application-credential-secret", credential["secret"]]
    try:
        # The openrc file also sets a user and a project.
        without = {key: one for key, one in environment.items() if key != "OS_PASSWORD"}
        outcome = program(without, *argv)
        refused = program(without, *argv, "--os-project-name", cloud.user("demo").project)
    finally:
        session.delete(f"{url}/{credential['id']}")
    assert (outcome.code, outcome.err) == (0, "")
    # Keystone 30 refuses a project here; therefore a project of variables or files is dropped.
    failed(refused, "NotAuthenticated")


# ---------------------------------------------------------------------------------------------
# Terminal control characters, which any user may store.


@pytest.mark.parametrize("output_format", ["table", "value", "csv", "json", "yaml"])
@each_place
def test_output_is_printable(
    cloud: Cloud,
    run: Run,
    make: Callable[[Place, dict[str, Any]], str],
    place: Place,
    output_format: str,
) -> None:
    # No filter by name: on SQLite Glance 15.0.2 responds with 500 to non-ASCII strings.
    mark = str(uuid.uuid4())
    image_id = make(place, {"name": EVIL, "properties": {"note": EVIL, "mark": mark}})
    columns = ("-c", "name", "-c", "properties", "-f", output_format)
    listed = run("list", *at(cloud, place), "--property", f"mark={mark}", *columns)
    shown = run("show", *at(cloud, place), image_id, *columns[:4])
    for outcome in (listed, shown):
        assert (outcome.code, outcome.err) == (0, "")
        assert "owned" in outcome.out
        assert outcome.out.replace("\n", "").replace("\r", "").isprintable()
    assert f"note='{EVIL_WRITTEN}'" in shown.out


@pytest.mark.parametrize("api", ["1", "2"])
def test_line_breaks_and_controls_are_escaped(
    cloud: Cloud, run: Run, make: Callable[[Place, dict[str, Any]], str], api: ApiVersion
) -> None:
    # Only v2 can store them; over v1 they damage the headers, which the library repairs.
    properties = {"ke\x1b[1my": "v", "lines": "one\r\nx-image-meta-name: evil"}
    image_id = make(Place("pike", "2"), {"name": "whole", "properties": properties})
    where = at(cloud, Place("pike", api))
    outcome = run("show", *where, image_id, "-c", "name", "-c", "properties")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.replace("\n", "").isprintable()
    assert "ke\\x1b[1my='v'" in outcome.out
    assert "lines='one\\r\\nx-image-meta-name: evil'" in outcome.out
    exact = json.loads(run("show", *where, image_id, "-f", "json").out)
    assert (exact["name"], exact["properties"]) == ("whole", properties)
