# SPDX-License-Identifier: Apache-2.0
"""The credentials that are sent, and their receiver: options, then variables, then clouds.yaml."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import loading

from glance_compat.cli import cloud_config
from glance_compat.cli.cloud_config import AUTH_OPTIONS, Levels
from glance_compat.cli.usage import UsageError
from glance_compat.fixture import GlanceFixture
from tests.cases import in_one_test
from tests.unit.cli import keystone
from tests.unit.cli.running import Outcome, in_process, sdk_may_warn

pytestmark = sdk_may_warn

#: Plugins of the test matrix.
PLUGINS = ("password", "token", "v3applicationcredential", "admin_token", "none")
LEVELS = ("options", "variables", "file")
LOADERS: dict[str, Any] = loading.get_available_plugin_loaders()
TAKES = {
    plugin: frozenset(one.dest for one in LOADERS[plugin].get_options()) for plugin in PLUGINS
}


# ---------------------------------------------------------------------------------------------
# The resolution of values: every option on every level with every plugin.


def levels(**values: Mapping[str, Any]) -> Levels:
    return Levels(**{name: cloud_config.normalize(values.get(name, {})) for name in LEVELS})


def test_every_auth_option_of_keystoneauth_is_known() -> None:
    known = {option.dest for plugin in LOADERS.values() for option in plugin.get_options()}
    assert known - AUTH_OPTIONS.keys() == {"endpoint", "tenant_name", "tenant_id"}
    # keystoneauth1 5.10 has no plugin with these.
    assert AUTH_OPTIONS.keys() - known <= {"redirect_host", "redirect_port", "login_timeout"}
    older = {
        old.dest.replace("-", "_"): option.dest
        for plugin in LOADERS.values()
        for option in plugin.get_options()
        for old in option.deprecated
    }
    assert older.items() <= cloud_config.ALIASES.items()


@in_one_test("plugin", PLUGINS)
@in_one_test("name", sorted(AUTH_OPTIONS))
def test_highest_level_wins(name: str, plugin: str) -> None:
    for count in range(1, 4):
        for having in itertools.combinations(LEVELS, count):
            given = {level: {name: f"of {level}"} for level in having}
            given.setdefault("file", {})["auth_type"] = plugin
            resolved = levels(**given)
            if "options" in having and name not in TAKES[plugin]:
                with pytest.raises(UsageError, match=f"--os-{name.replace('_', '-')}"):
                    cloud_config.describe(resolved, plugin, TAKES[plugin])
                continue
            if plugin == "v3applicationcredential" and name in TARGET and having[0] != "options":
                # Keystone refuses it.
                assert cloud_config.describe(resolved, plugin, TAKES[plugin]).auth == {}
                continue
            found = cloud_config.describe(resolved, plugin, TAKES[plugin])
            expected = {name: f"of {having[0]}"} if name in TAKES[plugin] else {}
            assert dict(found.auth) == expected
            assert name not in found.other


#: Options that cannot be combined with an application credential.
TARGET = frozenset(
    {
        *("project_name", "project_id", "project_domain_name", "project_domain_id"),
        *("domain_name", "domain_id", "system_scope"),
    }
)

PAIRS = (
    *(("username", "user_id"), ("project_name", "project_id")),
    *(("user_domain_name", "user_domain_id"), ("project_domain_name", "project_domain_id")),
    *(("domain_name", "domain_id"), ("default_domain_name", "default_domain_id")),
    ("application_credential_name", "application_credential_id"),
)


@in_one_test("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])
@in_one_test(("high", "low"), list(itertools.combinations(LEVELS, 2)))
def test_name_replaces_id_of_lower_level(pair: tuple[str, str], high: str, low: str) -> None:
    one, other = pair
    merged = cloud_config.merge(levels(**{high: {one: "high"}, low: {other: "low"}}))
    assert merged == {one: "high"}
    both = cloud_config.merge(levels(**{high: {one: "high", other: "too"}, low: {other: "low"}}))
    assert both == {one: "high", other: "too"}


@in_one_test(
    ("values", "auth_type"),
    [
        ({}, "password"),
        ({"options": {"endpoint": "e"}}, "none"),
        ({"options": {"endpoint": "e"}, "file": {"auth_url": "a"}}, "password"),
        ({"variables": {"token": "t", "endpoint": "e"}}, "admin_token"),
        ({"variables": {"token": "t", "url": "e"}}, "admin_token"),
        ({"variables": {"token": "t", "auth_url": "a"}}, "token"),
        ({"variables": {"token": "t", "auth_url": "a"}, "options": {"endpoint": "e"}}, "token"),
        ({"variables": {"token": "t", "username": "u"}}, "password"),
        ({"options": {"token": "t"}, "file": {"auth": {"username": "u"}}}, "token"),
        ({"options": {"password": "p"}, "variables": {"token": "t"}}, "password"),
        ({"variables": {"application_credential_id": "i"}}, "v3applicationcredential"),
        ({"variables": {"auth_type": "token_endpoint"}}, "admin_token"),
        ({"file": {"auth_plugin": "v3token"}}, "v3token"),
        ({"options": {"auth_type": "none"}, "file": {"auth_type": "v3token"}}, "none"),
        ({"variables": {"auth_type": "v3totp"}, "file": {"auth_type": "v3token"}}, "v3totp"),
        ({"options": {"token": "t"}, "file": {"auth_type": "v3password"}}, "v3password"),
    ],
)
def test_auth_type_is_named_or_follows_from_credentials(
    values: Mapping[str, Mapping[str, Any]], auth_type: str
) -> None:
    assert cloud_config.choose_auth_type(levels(**values)) == auth_type


def test_value_beside_auth_wins_over_value_in_auth() -> None:
    values = {"auth": {"tenant_name": "inner", "auth-url": "a"}, "project_name": "outer"}
    assert cloud_config.normalize(values) == {"project_name": "outer", "auth_url": "a"}


def test_empty_values_are_not_set() -> None:
    assert cloud_config.normalize({"project_id": "", "auth": {"password": None}}) == {}


def test_plugin_of_identity_v2_gets_older_names() -> None:
    takes = {one.dest for one in loading.get_plugin_loader("v2password").get_options()}
    found = cloud_config.describe(levels(file={"project_name": "p"}), "v2password", takes)
    assert found.auth == {"tenant_name": "p"}


# ---------------------------------------------------------------------------------------------
# Requests that are sent.

FILE_USER = "user-of-file"
#: No header, or the header of keystoneauth's plugin "none".
NO_TOKEN = {None, "notused"}


@dataclasses.dataclass
class Cloud:
    """A Keystone, the Glance of its catalog, and a Glance elsewhere."""

    keystone: keystone.Keystone
    glance: GlanceFixture
    elsewhere: GlanceFixture

    @property
    def methods(self) -> list[str]:
        """The methods of the last log-in."""
        found: list[str] = self.keystone.asked[-1]["identity"]["methods"]
        return found

    @property
    def user(self) -> dict[str, Any]:
        """The user of the last log-in, with its password."""
        found: dict[str, Any] = self.keystone.asked[-1]["identity"]["password"]["user"]
        return found

    @property
    def project(self) -> dict[str, Any]:
        """The project of the last log-in."""
        found: dict[str, Any] = self.keystone.asked[-1]["scope"]["project"]
        return found

    @property
    def tokens_elsewhere(self) -> set[str | None]:
        """The tokens that the other Glance has received."""
        return {one.headers.get("X-Auth-Token") for one in self.elsewhere.requests}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with (
        GlanceFixture(fault_injection=False) as glance,
        GlanceFixture(fault_injection=False) as elsewhere,
        keystone.running({("one", "public"): glance.url}) as server,
    ):
        yield Cloud(server, glance, elsewhere)


@pytest.fixture
def file(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Create a clouds.yaml with one cloud."""
    path = tmp_path / "a-file"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return write(path, cloud)


def write(path: Path, cloud: Cloud, auth: Mapping[str, Any] | None = None, **more: Any) -> Path:
    entry = {
        "auth": {
            "auth_url": cloud.keystone.url,
            "username": FILE_USER,
            "password": keystone.PASSWORD,
            "project_name": "project-of-file",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
            **(auth or {}),
        },
        **more,
    }
    path.write_text(json.dumps({"clouds": {"lab": entry}}))
    return path


def listed(*argv: str) -> Outcome:
    outcome = in_process("list", *argv)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome


@pytest.mark.usefixtures("file")
def test_lone_cloud_is_used_without_its_name(cloud: Cloud) -> None:
    for argv in (
        (),
        ("--os-region-name", "one"),
        ("--os-interface", "public"),
        ("--os-project-name", "another"),
    ):
        listed(*argv)
        assert cloud.user["name"] == FILE_USER
    assert cloud.project["name"] == "another"


@pytest.mark.usefixtures("file")
def test_empty_cloud_variable_is_not_set(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_CLOUD", "")
    listed()
    assert cloud.user["name"] == FILE_USER


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("more", [(), ("--os-region-name", "one"), ("--os-interface", "public")])
def test_endpoint_alone_sends_no_token_of_lone_cloud(cloud: Cloud, more: tuple[str, ...]) -> None:
    listed("--endpoint", cloud.elsewhere.url, *more)
    assert cloud.keystone.asked == []
    assert cloud.tokens_elsewhere <= NO_TOKEN


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("name", ["OS_ENDPOINT", "OS_URL"])
def test_endpoint_variable_alone_sends_no_token_of_lone_cloud(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, cloud.elsewhere.url)
    listed()
    assert cloud.keystone.asked == []
    assert cloud.tokens_elsewhere <= NO_TOKEN


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("argv", "missing"),
    [
        (("--os-auth-url", "http://127.0.0.1:1"), "--os-username"),
        (("--os-username", "me", "--os-password", "p"), "auth_url"),
        (("--os-token", "t"), "auth_url"),
        (("--os-auth-type", "v3applicationcredential"), "application credential ID"),
    ],
)
def test_lone_cloud_does_not_complete_other_credentials(
    cloud: Cloud, argv: tuple[str, ...], missing: str
) -> None:
    outcome = in_process("list", *argv)
    assert (outcome.code, cloud.keystone.asked) == (2, [])
    assert missing in outcome.error


@pytest.mark.usefixtures("file")
def test_named_cloud_sends_its_token_to_endpoint(cloud: Cloud) -> None:
    listed("--os-cloud", "lab", "--endpoint", cloud.elsewhere.url)
    assert keystone.TOKEN in cloud.tokens_elsewhere


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("command", ["list", "audit"])
def test_endpoint_outside_catalog_is_logged_with_v(cloud: Cloud, command: str) -> None:
    argv = (command, "--os-cloud", "lab", "--endpoint")
    message = (
        f"The endpoint {cloud.elsewhere.url} is not in the catalog of {cloud.keystone.url}, whose"
        " token is sent to it"
    )
    assert in_process(*argv, cloud.elsewhere.url, "-v").err.splitlines().count(message) == 1
    assert message not in in_process(*argv, cloud.elsewhere.url).err
    assert "is not in the catalog" not in in_process(*argv, cloud.glance.url, "-v").err


@pytest.mark.usefixtures("file")
def test_password_option_overrides_file(cloud: Cloud) -> None:
    outcome = in_process("list", "--os-cloud", "lab", "--os-password", "wrong")
    assert outcome.code == 1
    assert outcome.error.startswith("NotAuthenticated: ")
    assert (cloud.user["name"], cloud.user["password"]) == (FILE_USER, "wrong")


@pytest.mark.usefixtures("file")
def test_error_of_identity_service_has_its_message(cloud: Cloud) -> None:
    outcome = in_process("list", "--os-cloud", "lab", "--os-password", "not-the-password")
    url = f"{cloud.keystone.url}/v3/auth/tokens"
    assert f"POST {url} returned 401 Wrong." in outcome.error
    assert f"(request id {keystone.REQUEST_ID})" in outcome.error
    assert "Check the credentials" in outcome.error
    assert "not-the-password" not in outcome.err
    assert outcome.err.replace("\n", "").isprintable()


#: The path of each auth option's value in the log-in request.
SENT = {
    "username": ("user", "name"),
    "user_id": ("user", "id"),
    "password": ("user", "password"),
    "user_domain_name": ("user", "domain", "name"),
    "user_domain_id": ("user", "domain", "id"),
    "project_name": ("project", "name"),
    "project_id": ("project", "id"),
    "project_domain_name": ("project", "domain", "name"),
    "project_domain_id": ("project", "domain", "id"),
}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("name", sorted(SENT))
@pytest.mark.parametrize("how", ["option", "variable", "option over variable"])
def test_option_and_variable_override_file(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    argv = ["list", "--os-cloud", "lab"]
    if how != "option":
        monkeypatch.setenv(f"OS_{name.upper()}", "wanted" if how == "variable" else "other")
    if how != "variable":
        argv += [f"--os-{name.replace('_', '-')}", "wanted"]
    in_process(*argv)
    part, *keys = SENT[name]
    found: Any = getattr(cloud, part)
    for key in keys:
        found = found[key]
    assert found == "wanted"


@pytest.mark.usefixtures("file")
def test_auth_url_option_overrides_file(cloud: Cloud) -> None:
    with keystone.running({("one", "public"): cloud.elsewhere.url}) as other:
        listed("--os-cloud", "lab", "--os-auth-url", other.url)
        assert other.asked[0]["identity"]["password"]["user"]["name"] == FILE_USER
    assert cloud.keystone.asked == []


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("name", "gone"),
    [("--os-project-id", ("project", "name")), ("--os-user-id", ("user", "name"))],
)
def test_id_option_replaces_name_of_file(cloud: Cloud, name: str, gone: tuple[str, str]) -> None:
    listed("--os-cloud", "lab", name, "an-id")
    part = getattr(cloud, gone[0])
    assert part["id"] == "an-id"
    assert gone[1] not in part


@pytest.mark.usefixtures("file")
def test_token_option_replaces_password_of_file(cloud: Cloud) -> None:
    listed("--os-cloud", "lab", "--os-token", "a-token")
    assert cloud.methods == ["token"]
    assert cloud.keystone.asked[-1]["identity"]["token"] == {"id": "a-token"}


@pytest.mark.parametrize("how", ["options", "variables", "file"])
@pytest.mark.parametrize("named", [True, False])
def test_application_credential_is_sent_alone(
    cloud: Cloud, file: Path, monkeypatch: pytest.MonkeyPatch, how: str, named: bool
) -> None:
    credential = {"application_credential_id": "an-id", "application_credential_secret": "s"}
    if named:
        monkeypatch.setenv("OS_AUTH_TYPE", "v3applicationcredential")
    argv = ["--os-cloud", "lab"]
    if how == "file":
        write(file, cloud, credential)
    for name, value in credential.items():
        if how == "variables":
            monkeypatch.setenv(f"OS_{name.upper()}", value)
        elif how == "options":
            argv += [f"--os-{name.replace('_', '-')}", value]
    listed(*argv)
    assert cloud.methods == ["application_credential"]
    sent = cloud.keystone.asked[-1]
    assert sent["identity"]["application_credential"]["id"] == "an-id"
    assert "password" not in sent["identity"]
    assert "scope" not in sent


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("auth_type", ["admin_token", "token_endpoint"])
@pytest.mark.parametrize("how", ["options", "OS_ENDPOINT", "OS_URL"])
def test_token_endpoint_sends_token_as_it_is(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, auth_type: str, how: str
) -> None:
    argv: list[str] = []
    if how == "options":
        argv = ["--os-auth-type", auth_type, "--os-token", "a-token"]
        argv += ["--endpoint", cloud.elsewhere.url]
    else:
        monkeypatch.setenv("OS_AUTH_TYPE", auth_type)
        monkeypatch.setenv("OS_TOKEN", "a-token")
        monkeypatch.setenv(how, cloud.elsewhere.url)
    listed(*argv)
    assert cloud.keystone.asked == []
    assert cloud.tokens_elsewhere == {None, "a-token"}


@pytest.mark.usefixtures("file")
def test_none_sends_nothing_of_named_cloud(cloud: Cloud) -> None:
    listed("--os-cloud", "lab", "--os-auth-type", "none", "--endpoint", cloud.elsewhere.url)
    assert cloud.keystone.asked == []
    assert cloud.tokens_elsewhere <= NO_TOKEN


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--os-auth-type", "none", "--os-password", "p"), "--os-password cannot be used with"),
        (("--os-auth-type", "nonsense"), "auth types: admin_token, "),
        (("--os-auth-type", "password", "--os-auth-url", "http://k"), "needs --os-username or"),
    ],
)
def test_incomplete_or_contradicting_credentials_are_wrong_usage(
    argv: tuple[str, ...], message: str
) -> None:
    outcome = in_process("list", *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.error


@pytest.mark.usefixtures("file")
def test_missing_password_is_wrong_usage(cloud: Cloud) -> None:
    outcome = in_process("list", "--os-auth-url", cloud.keystone.url, "--os-username", "me")
    assert outcome.code == 2
    assert "the auth type password needs --os-password" in outcome.error
    assert cloud.keystone.asked == []


@pytest.mark.parametrize("wish", ["1", "1.0", 1, "2"])
def test_image_api_version_of_file_is_a_preference(cloud: Cloud, file: Path, wish: object) -> None:
    write(file, cloud, image_api_version=wish)
    api = f"v{str(wish)[0]}"
    found = json.loads(in_process("discover", "-f", "json").out)
    assert found["api"] == api
    assert json.loads(in_process("discover", "-f", "json", "--prefer", "2").out)["api"] == "v2"


def test_unavailable_image_api_version_is_a_warning(cloud: Cloud, file: Path) -> None:
    write(file, cloud, image_api_version="1", image_endpoint_override="")
    with (
        GlanceFixture(fault_injection=False, apis=("v2",)) as glance,
        keystone.running({("one", "public"): glance.url}) as server,
    ):
        write(file, cloud, {"auth_url": server.url}, image_api_version="1")
        outcome = in_process("list")
        assert outcome.code == 0
        assert outcome.error.startswith("clouds.yaml asks for image_api_version 1, but v2 is used")
        assert in_process("list", "--api-version", "2").err == ""


# ---------------------------------------------------------------------------------------------
# Projects by name.

PROJECT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


def projects(*ids: str) -> dict[str, Any]:
    return {"projects": [{"id": one, "name": "ops"} for one in ids]}


BY_NAME, BY_ID = "/v3/projects?name=ops", f"/v3/projects/{PROJECT}"
FORBIDDEN: tuple[int, dict[str, Any]] = (403, {})


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("value", "answers"),
    [
        ("ops", {BY_NAME: (200, projects(PROJECT))}),
        (PROJECT, {BY_ID: (200, {"project": {"id": PROJECT, "name": "ops"}})}),
        ("ops", {BY_NAME: FORBIDDEN, "/v3/auth/projects": (200, projects(PROJECT))}),
        # The value looks like an id, and the user may not look it up.
        (PROJECT, {BY_ID: FORBIDDEN, f"/v3/projects?name={PROJECT}": FORBIDDEN}),
    ],
)
@pytest.mark.parametrize("command", ["list", "audit"])
def test_owner_is_found_by_name_or_id(
    cloud: Cloud, command: str, value: str, answers: Mapping[str, tuple[int, dict[str, Any]]]
) -> None:
    cloud.keystone.projects.update(answers)
    images = [{"name": "my%20image", "owner": PROJECT, "visibility": "public"}, {"name": "other"}]
    with (
        GlanceFixture(fault_injection=False, images=images) as glance,
        keystone.running({("one", "public"): glance.url}) as server,
    ):
        server.projects.update(answers)
        argv = ("--os-auth-url", server.url, "--os-cloud", "lab", "-f", "json", "-c", "name")
        outcome = in_process(command, "--owner", value, *argv)
    assert {row["name"] for row in json.loads(outcome.out)} == {"my%20image"}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({BY_NAME: (200, projects())}, "does not list it among all projects"),
        ({BY_NAME: (200, projects(PROJECT, OTHER))}, f"one of them, {PROJECT}, {OTHER}"),
        ({BY_NAME: FORBIDDEN}, "the projects that you can log in to"),
    ],
)
@pytest.mark.parametrize("command", ["list", "audit"])
def test_unknown_owner_is_wrong_usage(
    cloud: Cloud,
    command: str,
    answers: Mapping[str, tuple[int, dict[str, Any]]],
    message: str,
) -> None:
    cloud.keystone.projects.update(answers)
    outcome = in_process(command, "--owner", "ops", "--os-cloud", "lab")
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.error


DOMAIN = "00000000aaaaaaaa00000000aaaaaaaa"
IN_DOMAIN = f"{BY_NAME}&domain_id={DOMAIN}"
DOMAINS = {"domains": [{"id": DOMAIN, "name": "lab"}]}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("domain", "answers"),
    [
        ("lab", {"/v3/domains?name=lab": (200, DOMAINS), IN_DOMAIN: (200, projects(PROJECT))}),
        (
            DOMAIN,
            {
                f"/v3/domains/{DOMAIN}": (200, {"domain": {"id": DOMAIN}}),
                IN_DOMAIN: (200, projects(PROJECT)),
            },
        ),
        # The user may read neither domains nor all projects.
        (
            DOMAIN,
            {
                f"/v3/domains/{DOMAIN}": FORBIDDEN,
                f"/v3/domains?name={DOMAIN}": FORBIDDEN,
                IN_DOMAIN: FORBIDDEN,
                "/v3/auth/projects": (200, projects(OTHER, PROJECT)),
            },
        ),
    ],
)
def test_project_is_found_in_its_domain(
    cloud: Cloud, domain: str, answers: Mapping[str, tuple[int, dict[str, Any]]]
) -> None:
    for _, body in answers.values():
        for one in body.get("projects", ()):
            one["domain_id"] = DOMAIN if one["id"] == PROJECT else "default"
    cloud.keystone.projects.update(answers)
    argv = ("--owner", "ops", "--project-domain", domain, "--os-cloud", "lab")
    outcome = in_process("audit", *argv)
    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == "No image of the project ops was read"


@pytest.mark.usefixtures("file")
def test_unknown_domain_is_wrong_usage(cloud: Cloud) -> None:
    cloud.keystone.projects["/v3/domains?name=lab"] = (200, {"domains": []})
    outcome = in_process("list", "--owner", "ops", "--project-domain", "lab", "--os-cloud", "lab")
    assert (outcome.code, outcome.out) == (2, "")
    assert "domain 'lab' was not found" in outcome.error


@pytest.mark.usefixtures("file")
def test_owner_without_images_is_a_warning(cloud: Cloud) -> None:
    cloud.keystone.projects[BY_NAME] = (200, projects(PROJECT))
    outcome = in_process("audit", "--owner", "ops", "--os-cloud", "lab")
    assert outcome.code == 0
    assert outcome.err.splitlines()[-1] == "No image of the project ops was read"


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("answer", "error"),
    [((500, {}), "BadResponse"), ((401, {}), "NotAuthenticated")],
)
def test_failing_project_search_is_an_error(
    cloud: Cloud, answer: tuple[int, dict[str, Any]], error: str
) -> None:
    cloud.keystone.projects[BY_NAME] = answer
    outcome = in_process("audit", "--owner", "ops", "--os-cloud", "lab")
    assert outcome.code == 1
    assert outcome.error.startswith(f"{error}: looking for the project 'ops' failed")


# ---------------------------------------------------------------------------------------------
# Compared with ``openstack``.


def openstack_auth(argv: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the auth type and the credentials that ``openstack`` derives from arguments."""
    with warnings.catch_warnings():
        # osc_lib emits warnings about its own modules.
        warnings.simplefilter("ignore")
        from osc_lib.api import auth as osc_auth
        from osc_lib.cli.client_config import OSC_Config
    parser = argparse.ArgumentParser()
    parser.add_argument("--os-cloud", dest="cloud")
    osc_auth.build_auth_plugins_option_parser(parser)
    parsed = parser.parse_args(argv)
    config = OSC_Config(override_defaults={"interface": None, "auth_type": None})
    region = config.get_one(cloud=parsed.cloud, argparse=parsed, validate=False)
    loader = config._get_auth_loader(region.config)
    resolved = config._validate_auth(region.config, loader)
    taken = {option.dest for option in loader.get_options()}
    auth = {name: value for name, value in resolved["auth"].items() if name in taken and value}
    return str(resolved["auth_type"]), auth


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize(
    ("argv", "variables"),
    [
        ([], {}),
        (["--os-password", "p"], {}),
        (["--os-username", "me", "--os-auth-url", "http://k"], {}),
        (["--os-project-name", "p", "--os-project-domain-name", "d"], {}),
        ([], {"OS_PASSWORD": "p", "OS_USERNAME": "me"}),
        (["--os-username", "me"], {"OS_USERNAME": "other", "OS_PROJECT_NAME": "p"}),
        (["--os-user-domain-name", "d"], {"OS_USER_DOMAIN_NAME": "e"}),
    ],
)
def test_named_cloud_is_resolved_as_openstack_does(
    cloud: Cloud,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    auth_type, auth = openstack_auth(["--os-cloud", "lab", *argv])
    options = {
        flag.removeprefix("--os-"): value
        for flag, value in zip(argv[::2], argv[1::2], strict=True)
    }
    ours = levels(
        options=options,
        variables={name.removeprefix("OS_"): value for name, value in variables.items()},
        file=json.loads(file.read_text())["clouds"]["lab"],
    )
    chosen = cloud_config.choose_auth_type(ours)
    assert (chosen, cloud_config.describe(ours, chosen, TAKES[chosen]).auth) == (auth_type, auth)
