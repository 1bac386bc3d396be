# SPDX-License-Identifier: Apache-2.0
"""Selection of the cloud, the user and the API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli import keystone
from tests.unit.cli.conftest import options
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

Glances = Mapping[str, GlanceFixture]


@pytest.fixture(scope="module")
def glances() -> Iterator[Glances]:
    with (
        GlanceFixture(fault_injection=False, apis=("v1",)) as old,
        GlanceFixture(fault_injection=False, apis=("v2",), release="33") as new,
        GlanceFixture(fault_injection=False, apis=("v2",)) as inner,
    ):
        yield {"old": old, "new": new, "inner": inner}


@pytest.fixture
def cloud(glances: Glances) -> Iterator[keystone.Keystone]:
    """Provide a cloud with two regions; the second has a separate internal endpoint."""
    endpoints = {
        ("first", "public"): glances["old"].url,
        ("second", "public"): glances["new"].url,
        ("second", "internal"): glances["inner"].url,
    }
    with keystone.running(endpoints) as server:
        yield server


def variables(server: keystone.Keystone, **more: str) -> dict[str, str]:
    """Return the variables of an openrc file."""
    return {
        "OS_AUTH_URL": server.url,
        "OS_USERNAME": "demo",
        "OS_PASSWORD": keystone.PASSWORD,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        **more,
    }


def export(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def endpoint_of(*argv: str) -> str:
    """Return the endpoint that ``discover`` finds with these options."""
    outcome = in_process(*argv, "discover", "-f", "json")
    assert (outcome.code, outcome.err) == (0, "")
    return str(json.loads(outcome.out)["endpoint"])


@pytest.fixture
def clouds_yaml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cloud: keystone.Keystone) -> Path:
    """Create a clouds.yaml with two clouds."""
    path = tmp_path / "a-file-of-clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    path.write_text(
        f"""
clouds:
  ours:
    auth:
      auth_url: {cloud.url}
      username: from-a-file
      password: {keystone.PASSWORD}
      project_name: demo
      user_domain_name: Default
      project_domain_name: Default
    regions:
      - first
      - second
  other:
    auth: {{auth_url: "{cloud.url}", username: x, password: wrong, project_name: x}}
"""
    )
    return path


@pytest.mark.usefixtures("clouds_yaml")
def test_os_cloud_option_selects_cloud(cloud: keystone.Keystone, glances: Glances) -> None:
    assert endpoint_of("--os-cloud", "ours") == glances["old"].url
    [asked] = cloud.asked
    assert asked["identity"]["password"]["user"]["name"] == "from-a-file"
    second = ("--os-cloud", "ours", "--os-region-name", "second")
    assert endpoint_of(*second) == glances["new"].url


@pytest.mark.usefixtures("clouds_yaml")
def test_os_cloud_variable_selects_cloud(
    monkeypatch: pytest.MonkeyPatch, glances: Glances
) -> None:
    export(monkeypatch, {"OS_CLOUD": "ours", "OS_REGION_NAME": "second"})
    assert endpoint_of() == glances["new"].url


@pytest.mark.usefixtures("clouds_yaml")
@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (("--os-cloud", "nonsense"), "its clouds are: other, ours"),
        # The file does not list the region, but the catalog has it.
        (("--os-cloud", "ours", "--os-region-name", "third"), "NoUsableVersion: "),
        (("--os-cloud", "other"), "NotAuthenticated: "),
    ],
)
def test_unusable_cloud_of_file_fails(argv: tuple[str, ...], error: str) -> None:
    outcome = in_process(*argv, "discover")
    assert (outcome.code, outcome.out) == (1, "")
    assert error in outcome.error


def test_unknown_credential_in_file_is_invalid_option(
    clouds_yaml: Path, cloud: keystone.Keystone
) -> None:
    clouds_yaml.write_text(f"clouds: {{ours: {{auth: {{auth_url: '{cloud.url}', usernam: x}}}}}}")
    outcome = in_process("--os-cloud", "ours", "list")
    assert outcome.code == 1
    assert outcome.error.startswith("InvalidOption: ")
    assert "usernam" in outcome.error


@pytest.mark.parametrize("command", [("discover",), ("list",), ("show", "an-id")])
def test_wrong_credentials_are_not_authenticated(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone, command: tuple[str, ...]
) -> None:
    export(monkeypatch, variables(cloud, OS_PASSWORD="wrong"))
    outcome = in_process(*command)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("NotAuthenticated: ")
    assert "wrong" not in outcome.err


def test_debug_log_has_no_secret(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone
) -> None:
    export(monkeypatch, variables(cloud))
    outcome = in_process("list", "--debug", "--os-region-name", "second")
    assert outcome.code == 0
    assert "/v2/images" in outcome.err
    assert keystone.PASSWORD not in outcome.err
    assert keystone.TOKEN not in outcome.err


def test_user_agent_names_program(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone, glances: Glances
) -> None:
    export(monkeypatch, variables(cloud, OS_REGION_NAME="first"))
    assert in_process("list").code == 0
    assert "glance-compat/" in glances["old"].requests[-1].headers["User-Agent"]


def test_unknown_region_is_no_usable_version(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone
) -> None:
    export(monkeypatch, variables(cloud, OS_REGION_NAME="third"))
    outcome = in_process("list")
    assert outcome.code == 1
    assert outcome.error.startswith("NoUsableVersion: ")
    assert "'third'" in outcome.error
    assert "the regions with one are 'first', 'second';" in outcome.error


@pytest.mark.slow
def test_unreachable_keystone_is_connection_failed(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone
) -> None:
    export(monkeypatch, variables(cloud))
    outcome = in_process("list", "--os-auth-url", "http://127.0.0.1:1/v3")
    assert outcome.code == 1
    assert outcome.error.startswith("GlanceConnectionFailed: ")


def test_no_cloud_is_wrong_usage() -> None:
    outcome = in_process("list")
    assert outcome.code == 2
    assert outcome.error.startswith("UsageError: ")
    for way in ("OS_*", "--os-cloud", "--endpoint"):
        assert way in outcome.error


def test_missing_auth_url_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, glances: Glances
) -> None:
    monkeypatch.setenv("OS_USERNAME", "demo")
    outcome = in_process("list", "--endpoint", glances["new"].url)
    assert outcome.code == 2
    assert "auth_url" in outcome.error


def test_endpoint_alone_needs_no_credentials(glances: Glances) -> None:
    assert endpoint_of("--endpoint", glances["new"].url) == glances["new"].url
    # The embedded Glance accepts any string as a token.
    outcome = in_process("list", "--endpoint", glances["new"].url)
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("spelling", ["--endpoint", "--os-endpoint"])
def test_admin_token_is_sent_to_endpoint(glances: Glances, spelling: str) -> None:
    token = ("--os-auth-type", "admin_token", "--os-token", "x:y:member")
    outcome = in_process("list", spelling, glances["new"].url, *token)
    assert (outcome.code, outcome.err) == (0, "")
    assert glances["new"].requests[-1].headers["X-Auth-Token"] == "x:y:member"


@pytest.mark.parametrize("auth_type", ["none", "admin_token"])
def test_plugin_without_keystone_ignores_credentials(
    monkeypatch: pytest.MonkeyPatch, cloud: keystone.Keystone, glances: Glances, auth_type: str
) -> None:
    export(monkeypatch, variables(cloud, OS_TOKEN="t"))
    found = endpoint_of("--os-auth-type", auth_type, "--endpoint", glances["new"].url)
    assert (found, cloud.asked) == (glances["new"].url, [])


def test_repeated_endpoint_option_adds_endpoints(glances: Glances) -> None:
    urls = (glances["old"].url, glances["new"].url)
    outcome = in_process("discover", "-f", "json", "--endpoint", urls[0], "--endpoint", urls[1])
    found = json.loads(outcome.out)
    assert [(one["endpoint"], one["api"]) for one in found["endpoints"]] == [
        (urls[0], "v1"),
        (urls[1], "v2"),
    ]
    assert found["requests"] == 2


def test_refused_connection_is_connection_failed() -> None:
    outcome = in_process("discover", "--endpoint", "http://127.0.0.1:1")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error.startswith("GlanceConnectionFailed: GET http://127.0.0.1:1/ ")


def test_endpoint_of_another_service_is_no_usable_version(cloud: keystone.Keystone) -> None:
    outcome = in_process("discover", "--endpoint", f"{cloud.url}/nonsense")
    assert outcome.code == 1
    assert outcome.error.startswith("NoUsableVersion: ")
    assert f"{cloud.url}/nonsense" in outcome.error


def discovered(glance: GlanceFixture, *argv: str) -> Outcome:
    return in_process("discover", *options(glance), *argv, "-f", "json")


def test_api_options_choose_version() -> None:
    with GlanceFixture(fault_injection=False) as both:
        assert json.loads(discovered(both).out)["api"] == "v2"
        assert json.loads(discovered(both, "--prefer", "1").out)["api"] == "v1"
        before = len(both.requests)
        pinned = json.loads(discovered(both, "--api-version", "1").out)
        assert (pinned["api"], pinned["version"], pinned["requests"]) == ("v1", [1, None], 0)
        assert len(both.requests) == before


@pytest.mark.parametrize(
    "argv",
    [
        ("--endpoint", "ftp://example.com"),
        ("--endpoint", "nonsense"),
        ("--timeout", "0"),
        ("--timeout", "soon"),
        ("--timeout", "inf"),
        ("--api-version", "3"),
        ("--prefer", "auto"),
    ],
)
def test_invalid_option_value_is_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(*argv, "discover").code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("glance-compat: error: ")
    assert argv[1] in last


def test_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    # serve has --api, which must not be read as --api-version.
    assert in_process("discover", "--allow", "--endpoint", "http://127.0.0.1:1").code == 2
    assert "unrecognized arguments: --allow" in capsys.readouterr().err
