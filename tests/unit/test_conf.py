# SPDX-License-Identifier: Apache-2.0
"""conf: the options of a configuration file, and the resulting arguments."""

from __future__ import annotations

import dataclasses
import io
import logging
import typing
from collections.abc import Callable
from pathlib import Path

import pytest
from keystoneauth1 import loading
from keystoneauth1.identity.generic import password
from oslo_config import cfg, generator

from glance_compat import conf as glance_conf
from glance_compat.arguments import ServiceArguments
from glance_compat.exceptions import InvalidOption
from glance_compat.options import Options

Read = Callable[..., ServiceArguments]


@pytest.fixture
def parsed(tmp_path: Path) -> Callable[[str], cfg.ConfigOpts]:
    """Return a function that makes a ConfigOpts of the text of a configuration file."""

    def parse(text: str) -> cfg.ConfigOpts:
        file = tmp_path / "service.conf"
        file.write_text(text)
        conf = cfg.ConfigOpts()
        conf([], project="service", default_config_files=[str(file)], default_config_dirs=[])
        return conf

    return parse


@pytest.fixture
def read(parsed: Callable[[str], cfg.ConfigOpts]) -> Read:
    """Return a function that reads one group of the text of a configuration file."""

    def settings(text: str, group: str = "glance_compat") -> ServiceArguments:
        return glance_conf.read_arguments(parsed(text), group)

    return settings


def in_group(*lines: str, group: str = "glance_compat") -> str:
    return "\n".join([f"[{group}]", *lines]) + "\n"


def read_options() -> dict[str, cfg.Opt]:
    [(_group, options)] = glance_conf.list_opts()
    names = {field.name for field in dataclasses.fields(Options)}
    return {one.dest: one for one in options if one.dest in names}


def limits_of(option: cfg.Opt) -> typing.Any:
    """Return the type of an option, with ``min``, ``max`` and ``choices`` if it has them."""
    return option.type


class TestNamesAndDefaults:
    def test_every_options_field_is_an_oslo_option(self) -> None:
        assert set(read_options()) == {field.name for field in dataclasses.fields(Options)}

    @pytest.mark.parametrize("field", dataclasses.fields(Options), ids=lambda field: field.name)
    def test_default_matches_options(self, field: dataclasses.Field[object]) -> None:
        default = read_options()[field.name].default
        assert (tuple(default) if isinstance(default, list) else default) == field.default

    def test_empty_file_yields_defaults(self, read: Read) -> None:
        settings = read("")
        assert settings.options == Options()
        assert settings.service_type == "image"
        assert settings.auth is None
        assert settings.endpoint_override is None
        assert (settings.region_name, settings.interface, settings.service_name) == (None,) * 3

    def test_choices_match_options(self) -> None:
        hints = typing.get_type_hints(Options)
        for name, option in read_options().items():
            if typing.get_origin(hints[name]) is typing.Literal:
                assert tuple(limits_of(option).choices) == typing.get_args(hints[name]), name

    @pytest.mark.parametrize(
        "name", [name for name, option in read_options().items() if hasattr(option.type, "min")]
    )
    def test_minimum_matches_options_validation(self, name: str) -> None:
        minimum = limits_of(read_options()[name]).min
        with pytest.raises(InvalidOption):
            Options(**{name: minimum - 1})
        assert getattr(Options(**{name: minimum + 1}), name) == minimum + 1

    @pytest.mark.parametrize("name", [name for name in read_options() if "time" in name])
    def test_help_of_a_time_names_its_unit(self, name: str) -> None:
        assert "seconds" in str(read_options()[name].help)

    def test_every_option_has_a_help_text(self) -> None:
        [(group, options)] = glance_conf.list_opts()
        assert group == "glance_compat"
        assert [one.name for one in options if not one.help] == []

    def test_no_option_is_listed_twice(self) -> None:
        [(_group, options)] = glance_conf.list_opts()
        names = [one.dest for one in options]
        assert len(names) == len(set(names))

    def test_keystoneauth_retry_options_are_not_registered(self) -> None:
        [(_group, options)] = glance_conf.list_opts()
        names = {one.dest for one in options}
        assert "connect_retries" not in names
        assert "status_code_retries" not in names
        assert {"cafile", "timeout", "auth_type", "region_name", "valid_interfaces"} <= names

    def test_list_opts_returns_copies(self) -> None:
        cfg.set_defaults(glance_conf.list_opts()[0][1], max_attempts=9, num_retries=9)
        [(_group, options)] = glance_conf.list_opts()
        defaults = {one.dest: one.default for one in options}
        assert (defaults["max_attempts"], defaults["num_retries"]) == (4, None)


class TestValues:
    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("api_version = 1", {"api_version": "1"}),
            ("prefer = 1", {"prefer": "1"}),
            ("allow_experimental = true", {"allow_experimental": True}),
            ("discovery_ttl = 0", {"discovery_ttl": 0}),
            ("page_size = 25", {"page_size": 25}),
            ("deadline = 1.5", {"deadline": 1.5}),
            ("verify_downloads = strong", {"verify_downloads": "strong"}),
            ("verify_uploads = no", {"verify_uploads": False}),
            ("download_connections = 4", {"download_connections": 4}),
            ("download_mode = 0600", {"download_mode": 0o600}),
            ("download_mode = 640", {"download_mode": 0o640}),
            ("download_mode = 0o644", {"download_mode": 0o644}),
            ("v1_folding = refuse", {"v1_folding": "refuse"}),
            (
                "trusted_endpoints = https://one.example, https://two.example/image",
                {"trusted_endpoints": ("https://one.example", "https://two.example/image")},
            ),
            (
                "allowed_location_schemes = file:///srv/images, rbd",
                {"allowed_location_schemes": ("file:///srv/images", "rbd")},
            ),
            ("ceph_conf = /etc/ceph/two.conf", {"ceph_conf": "/etc/ceph/two.conf"}),
            ("ceph_user = glance", {"ceph_user": "glance"}),
            ("ceph_user =", {"ceph_user": ""}),
        ],
    )
    def test_option_reaches_options(
        self, read: Read, line: str, expected: dict[str, typing.Any]
    ) -> None:
        assert read(in_group(line)).options == Options(**expected)

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            ("api_version = 3", "api_version"),
            ("allow_experimental = perhaps", "allow_experimental"),
            ("page_size = 0", "page_size"),
            ("page_size = many", "page_size"),
            ("max_attempts = 0", "max_attempts"),
            ("download_connections = 9", "download_connections"),
            ("download_mode = 0800", "download_mode"),
            ("download_mode = 1777", "download_mode"),
            ("download_mode = -1", "download_mode"),
            ("download_mode = rw", "download_mode"),
            ("download_mode =", "download_mode"),
            ("deadline = 0", "deadline"),
            ("deadline = -1", "deadline"),
            ("deadline = nan", "deadline"),
            ("read_timeout = inf", "read_timeout"),
            ("allowed_location_schemes = file", "allowed_location_schemes"),
            ("ceph_conf = ceph.conf", "ceph_conf"),
            ("ceph_user = client.glance", "ceph_user"),
            ("num_retries = -1", "num_retries"),
            ("use_glance_v1 = perhaps", "use_glance_v1"),
            ("glance_api_version = 3", "glance_api_version"),
            ("insecure = perhaps", "insecure"),
            ("valid_interfaces = public,private", "valid_interfaces"),
            ("region_name = $nobody", "nobody"),
            ("auth_type = telepathy", "telepathy"),
            ("auth_type = password", "auth_url"),
        ],
    )
    def test_invalid_value_error_names_option_and_group(
        self, read: Read, line: str, named: str
    ) -> None:
        with pytest.raises(InvalidOption, match=named) as caught:
            read(in_group(line))
        assert "[glance_compat]" in caught.value.message
        assert isinstance(caught.value, ValueError)

    def test_catalog_options_are_read(self, read: Read) -> None:
        settings = read(
            in_group(
                "service_type = image-test",
                "service_name = glance",
                "region_name = north",
                "valid_interfaces = internal, public",
                "endpoint_override = https://image.example/glance",
            )
        )
        assert settings.service_type == "image-test"
        assert settings.service_name == "glance"
        assert settings.region_name == "north"
        assert settings.interface == ["internal", "public"]
        assert settings.endpoint_override == "https://image.example/glance"

    def test_session_options_are_read(self, read: Read) -> None:
        session = read(
            in_group("cafile = ca.pem", "certfile = c.pem", "keyfile = k.pem", "timeout = 7")
        ).session
        assert session.verify == "ca.pem"
        assert session.cert == ("c.pem", "k.pem")
        assert session.timeout == 7
        assert session.auth is None

    def test_auth_options_make_the_plugin(self, read: Read) -> None:
        auth = read(
            in_group(
                "auth_type = password",
                "auth_url = https://identity.example/v3",
                "username = glance",
                "password = secret",
            )
        ).auth
        assert isinstance(auth, password.Password)
        assert auth.auth_url == "https://identity.example/v3"

    def test_auth_section_selects_another_group(self, read: Read) -> None:
        settings = read(
            in_group("auth_section = identity", "region_name = north")
            + in_group("auth_type = none", "endpoint = https://image.example", group="identity")
        )
        assert settings.auth is not None
        assert settings.auth.get_endpoint(settings.session) == "https://image.example"

    def test_override_of_deprecated_option_applies(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        conf = parsed("")
        glance_conf.register_opts(conf)
        conf.set_override("num_retries", 1, "glance_compat")
        assert glance_conf.read_arguments(conf).options.max_attempts == 2

    def test_errors_contain_no_secret(self, read: Read) -> None:
        with pytest.raises(InvalidOption) as caught:
            read(in_group("auth_type = password", "password = SECRET", "username = u"))
        assert "SECRET" not in str(caught.value)


class TestEndpoints:
    def test_endpoints_are_a_list(self, read: Read) -> None:
        settings = read(in_group("endpoints = https://a.example, https://b.example"))
        assert settings.endpoint_override == ["https://a.example", "https://b.example"]

    def test_single_endpoint_is_a_list(self, read: Read) -> None:
        assert read(in_group("endpoints = https://a.example")).endpoint_override == [
            "https://a.example"
        ]

    @pytest.mark.parametrize("line", ["endpoints =", "api_servers =", "endpoint_override ="])
    def test_empty_value_equals_unset(self, read: Read, line: str) -> None:
        assert read(in_group(line)).endpoint_override is None

    @pytest.mark.parametrize("several", ["endpoints", "api_servers", "glance_api_servers"])
    def test_endpoint_override_and_endpoints_contradict(self, read: Read, several: str) -> None:
        with pytest.raises(InvalidOption, match=f"endpoint_override and {several}"):
            read(in_group("endpoint_override = https://a.example", f"{several} = https://b"))


class TestOldSpellings:
    @pytest.mark.parametrize("place", ["glance_compat", "DEFAULT"])
    @pytest.mark.parametrize(
        ("line", "field", "value"),
        [
            ("glance_num_retries = 0", "max_attempts", 1),
            ("glance_num_retries = 3", "max_attempts", 4),
            ("use_glance_v1 = true", "api_version", "1"),
            ("use_glance_v1 = false", "api_version", "2"),
            ("glance_api_version = 1", "api_version", "1"),
            ("glance_api_version = v2", "api_version", "2"),
        ],
    )
    def test_deprecated_option_is_read_in_both_groups(
        self, read: Read, place: str, line: str, field: str, value: object
    ) -> None:
        assert getattr(read(in_group(line, group=place)).options, field) == value

    def test_num_retries_is_one_less_than_max_attempts(self, read: Read) -> None:
        assert read(in_group("num_retries = 2")).options.max_attempts == 3

    def test_num_retries_of_default_group_is_ignored(self, read: Read) -> None:
        assert read(in_group("num_retries = 2", group="DEFAULT")).options.max_attempts == 4

    @pytest.mark.parametrize(
        ("place", "name"),
        [
            ("glance_compat", "api_servers"),
            ("glance_compat", "glance_api_servers"),
            ("DEFAULT", "glance_api_servers"),
        ],
    )
    def test_deprecated_server_options_set_endpoints(
        self, read: Read, place: str, name: str
    ) -> None:
        settings = read(in_group(f"{name} = https://a.example,https://b.example", group=place))
        assert settings.endpoint_override == ["https://a.example", "https://b.example"]

    def test_api_insecure_disables_verification(self, read: Read) -> None:
        assert read(in_group("api_insecure = true")).session.verify is False

    def test_certificate_is_verified_by_default(self, read: Read) -> None:
        assert read("").session.verify is True

    def test_deprecation_warning_names_replacement(
        self, read: Read, caplog: pytest.LogCaptureFixture
    ) -> None:
        # A separate group, because with oslo.log a process logs each deprecation only once.
        with caplog.at_level(logging.WARNING):
            read(in_group("num_retries = 2", group="warned"), "warned")
        assert any("num_retries" in one and "max_attempts" in one for one in caplog.messages)

    def test_new_name_logs_no_warning(self, read: Read, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            read(in_group("max_attempts = 2", "endpoints = https://a.example"))
        assert caplog.messages == []

    @pytest.mark.parametrize(
        ("lines", "named"),
        [
            (["api_version = 2", "use_glance_v1 = true"], ["api_version", "use_glance_v1"]),
            (["api_version = auto", "use_glance_v1 = true"], ["api_version", "use_glance_v1"]),
            (["api_version = 1", "glance_api_version = 2"], ["api_version", "glance_api_version"]),
            (
                ["use_glance_v1 = true", "glance_api_version = v2"],
                ["use_glance_v1", "glance_api_version"],
            ),
            (["max_attempts = 4", "num_retries = 4"], ["max_attempts", "num_retries"]),
            (["num_retries = 1", "glance_num_retries = 2"], ["num_retries", "glance_num_retries"]),
            (["insecure = false", "api_insecure = true"], ["insecure", "api_insecure"]),
            (["endpoints = https://a", "api_servers = https://b"], ["endpoints", "api_servers"]),
            (
                ["api_servers = https://a", "glance_api_servers = https://b"],
                ["api_servers", "glance_api_servers"],
            ),
        ],
    )
    def test_contradiction_error_names_both_options(
        self, read: Read, lines: list[str], named: list[str]
    ) -> None:
        with pytest.raises(InvalidOption, match=f"{named[0]} and {named[1]} contradict"):
            read(in_group(*lines))

    @pytest.mark.parametrize(
        "line",
        ["glance_api_servers = https://b", "glance_num_retries = 7", "glance_api_version = 1"],
    )
    def test_deprecated_option_in_default_contradicts_new_option(
        self, read: Read, line: str
    ) -> None:
        text = in_group("endpoints = https://a", "max_attempts = 2", "api_version = 2")
        with pytest.raises(InvalidOption, match="contradict"):
            read(in_group(line, group="DEFAULT") + text)

    def test_equal_values_do_not_contradict(self, read: Read) -> None:
        settings = read(
            in_group(
                "api_version = 1",
                "use_glance_v1 = true",
                "glance_api_version = v1",
                "max_attempts = 4",
                "num_retries = 3",
            )
        )
        assert settings.options == Options(api_version="1", max_attempts=4)


def register_like_nova(conf: cfg.ConfigOpts) -> None:
    """Register the options of [glance] like Nova 34 (nova/conf/glance.py, nova/conf/utils.py)."""
    group = cfg.OptGroup("glance", title="Glance Options")
    conf.register_group(group)
    conf.register_opts(
        [
            cfg.ListOpt("api_servers", deprecated_for_removal=True, help="Nova's own text."),
            cfg.IntOpt("num_retries", default=3, min=0, help="Nova's own text."),
            cfg.BoolOpt("debug", default=False),
        ],
        group=group,
    )
    adapter_options = loading.get_adapter_conf_options(include_deprecated=False)
    cfg.set_defaults(adapter_options, service_type="image", valid_interfaces=["internal"])
    conf.register_opts(adapter_options, group=group)
    loading.register_session_conf_options(
        conf, "glance", deprecated_opts={"insecure": [cfg.DeprecatedOpt("api_insecure", "glance")]}
    )
    loading.register_auth_conf_options(conf, "glance")


class TestSharedGroups:
    def test_options_can_be_registered_twice(self) -> None:
        conf = cfg.ConfigOpts()
        glance_conf.register_opts(conf)
        glance_conf.register_opts(conf)
        conf([], default_config_files=[], default_config_dirs=[])
        assert glance_conf.read_arguments(conf).options == glance_conf.read_arguments(conf).options

    def test_groups_are_independent(self, parsed: Callable[[str], cfg.ConfigOpts]) -> None:
        conf = parsed(in_group("prefer = 1", group="old") + in_group("prefer = 2", group="new"))
        assert glance_conf.read_arguments(conf, "old").options.prefer == "1"
        assert glance_conf.read_arguments(conf, "new").options.prefer == "2"

    def test_group_may_be_default(self, read: Read) -> None:
        settings = read(
            in_group("prefer = 1", "glance_api_servers = https://a.example", group="DEFAULT"),
            "DEFAULT",
        )
        assert settings.options.prefer == "1"
        assert settings.endpoint_override == ["https://a.example"]

    def test_registered_keystoneauth_options_are_reused(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        conf = parsed(in_group("region_name = north", "timeout = 3"))
        loading.register_adapter_conf_options(conf, "glance_compat")
        loading.register_session_conf_options(conf, "glance_compat")
        loading.register_auth_conf_options(conf, "glance_compat")
        settings = glance_conf.read_arguments(conf)
        assert (settings.region_name, settings.session.timeout) == ("north", 3)
        assert settings.service_type == "image"

    def test_nova_glance_group_is_accepted(self, parsed: Callable[[str], cfg.ConfigOpts]) -> None:
        conf = parsed(
            in_group(
                "api_servers = https://a.example",
                "num_retries = 5",
                "api_insecure = true",
                "page_size = 50",
                group="glance",
            )
        )
        register_like_nova(conf)
        settings = glance_conf.read_arguments(conf, "glance")
        assert settings.endpoint_override == ["https://a.example"]
        assert settings.options == Options(max_attempts=6, page_size=50)
        assert settings.session.verify is False
        assert settings.interface == ["internal"]

    def test_host_default_of_deprecated_option_is_ignored(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        conf = parsed(in_group("max_attempts = 2", group="glance"))
        register_like_nova(conf)
        assert glance_conf.read_arguments(conf, "glance").options.max_attempts == 2

    def test_host_may_declare_version_option_as_integer(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        conf = parsed(in_group("glance_api_version = 1", group="DEFAULT"))
        conf.register_opt(cfg.IntOpt("glance_api_version", default=2), group="DEFAULT")
        assert glance_conf.read_arguments(conf, "DEFAULT").options.api_version == "1"

    def test_conflicting_host_option_is_an_error(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        conf = parsed("")
        conf.register_opt(cfg.StrOpt("deadline", default="Friday"), group="glance")
        with pytest.raises(InvalidOption, match=r"\[glance\].*deadline"):
            glance_conf.register_opts(conf, "glance")

    def test_host_options_may_be_registered_later(
        self, parsed: Callable[[str], cfg.ConfigOpts]
    ) -> None:
        # Nothing is registered in other groups, because Cinder has these names in [DEFAULT].
        conf = parsed(in_group("glance_num_retries = 1", group="DEFAULT"))
        assert glance_conf.read_arguments(conf).options.max_attempts == 2
        conf.register_opt(cfg.IntOpt("glance_num_retries", default=3), group="DEFAULT")
        assert conf.glance_num_retries == 1


def test_sample_file_lists_every_option() -> None:
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "glance_compat"], default_config_files=[], default_config_dirs=[])
    sample = io.StringIO()
    generator.generate(conf, sample)
    lines = sample.getvalue().splitlines()
    assert "[glance_compat]" in lines
    for name in read_options():
        assert any(line.startswith(f"#{name} =") for line in lines), name
    assert "#service_type = image" in lines
    assert "No description provided" not in sample.getvalue()


@pytest.mark.slow
def test_sample_file_is_valid(read: Read) -> None:
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--namespace", "glance_compat"], default_config_files=[], default_config_dirs=[])
    sample = io.StringIO()
    generator.generate(conf, sample)
    active = [
        line[1:] if line[1:].split(" =")[0] in read_options() and "<None>" not in line else line
        for line in sample.getvalue().splitlines()
    ]
    assert "deadline = 180.0" in active
    assert read("\n".join(active)).options == Options()
