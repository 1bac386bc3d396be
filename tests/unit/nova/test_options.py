# SPDX-License-Identifier: Apache-2.0
"""The library's own options in the configuration of a host."""

from __future__ import annotations

from pathlib import Path

import pytest
from oslo_config import cfg

from glance_compat import conf as configuration
from glance_compat import exceptions
from glance_compat.options import Options


def parsed(tmp_path: Path, text: str) -> cfg.ConfigOpts:
    """Return a configuration like Nova's, whose ``[glance]`` has options of the same names."""
    path = tmp_path / "nova.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf.register_opts(
        [cfg.IntOpt("num_retries", default=3), cfg.ListOpt("api_servers")], group="glance"
    )
    conf(["--config-file", str(path)])
    return conf


@pytest.mark.parametrize(
    ("text", "api_version"),
    [
        ("", "auto"),
        ("[glance]\nuse_glance_v1 = True", "1"),
        ("[glance]\nuse_glance_v1 = False", "2"),
        ("[DEFAULT]\nuse_glance_v1 = True", "1"),
        ("[glance_compat]\nuse_glance_v1 = True", "1"),
        ("[glance_compat]\napi_version = 2", "2"),
    ],
)
def test_use_glance_v1_of_newton_is_read(tmp_path: Path, text: str, api_version: str) -> None:
    assert configuration.read_options(parsed(tmp_path, text)).api_version == api_version


def test_contradicting_options_are_refused(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "[glance]\nuse_glance_v1 = True\n[glance_compat]\napi_version = 2")
    with pytest.raises(exceptions.InvalidOption, match="use_glance_v1"):
        configuration.read_options(conf)


def test_host_default_applies_if_file_sets_nothing(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "[glance_compat]\nread_timeout = 7")
    options = configuration.read_options(conf, max_attempts=1, read_timeout=9.0)
    assert (options.max_attempts, options.read_timeout) == (1, 7.0)
    conf = parsed(tmp_path, "[glance_compat]\nnum_retries = 6")
    assert configuration.read_options(conf, max_attempts=1).max_attempts == 7


def test_only_library_options_are_registered(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "[glance]\nnum_retries = 2")
    configuration.read_options(conf)
    configuration.read_options(conf)
    known = set(conf["glance_compat"])
    assert "api_version" in known
    assert known & {"auth_type", "cafile", "region_name", "endpoints", "api_servers"} == set()
    assert set(conf["glance"]) == {"num_retries", "api_servers"}
    assert conf.glance.num_retries == 2


class Counting(cfg.ConfigOpts):
    """Count registrations, each of which clears the cache of oslo.config."""

    registered = 0

    def register_opts(self, *arguments: object, **named: object) -> None:
        self.registered += 1
        super().register_opts(*arguments, **named)


def test_options_are_registered_once() -> None:
    conf = Counting()
    conf([])
    configuration.read_options(conf)
    before = conf.registered
    configuration.read_options(conf)
    assert before
    assert conf.registered == before


def test_option_of_wrong_type_is_refused_each_time() -> None:
    conf = cfg.ConfigOpts()
    conf.register_opts([cfg.StrOpt("read_timeout")], group="glance_compat")
    conf([])
    for _ in range(2):
        with pytest.raises(exceptions.InvalidOption, match="read_timeout"):
            configuration.read_options(conf)


class Watched(cfg.ConfigOpts):
    """Count look-ups of the source of a value, which are slow."""

    lookups = 0

    def get_location(self, name: str, group: str | None = None) -> cfg.LocationInfo | None:
        self.lookups += 1
        return super().get_location(name, group)


def test_unchanged_configuration_is_parsed_once() -> None:
    conf = Watched()
    conf([])
    first = configuration.read_options(conf, max_attempts=2)
    before = conf.lookups
    assert configuration.read_options(conf, max_attempts=2) is first
    # The two options with deprecated names: their source can change without their value.
    assert conf.lookups - before == 2
    assert configuration.read_options(conf, max_attempts=3).max_attempts == 3


def test_source_change_without_value_change_applies(tmp_path: Path) -> None:
    default = Options().max_attempts
    conf = parsed(tmp_path, "[glance_compat]\nnum_retries = 6")
    assert configuration.read_options(conf).max_attempts == 7
    conf.set_override("max_attempts", default, group="glance_compat")
    with pytest.raises(exceptions.InvalidOption, match="num_retries"):
        configuration.read_options(conf)
    conf = parsed(tmp_path, "")
    assert configuration.read_options(conf, max_attempts=7).max_attempts == 7
    conf.set_override("max_attempts", default, group="glance_compat")
    assert configuration.read_options(conf, max_attempts=7).max_attempts == default


def test_parsed_options_are_bounded() -> None:
    conf = cfg.ConfigOpts()
    conf([])
    for number in range(1, 100):
        assert configuration.read_options(conf, max_attempts=number).max_attempts == number
    assert len(configuration._PARSED) <= configuration._PARSED_MAX


def test_configuration_change_applies_immediately(tmp_path: Path) -> None:
    conf = parsed(tmp_path, "[glance_compat]\nread_timeout = 7")
    assert configuration.read_options(conf).read_timeout == 7
    (tmp_path / "nova.conf").write_text("[glance_compat]\nread_timeout = 8")
    conf.reload_config_files()
    assert configuration.read_options(conf).read_timeout == 8
    conf.set_override("read_timeout", 9, group="glance_compat")
    assert configuration.read_options(conf).read_timeout == 9
    conf.clear_override("read_timeout", group="glance_compat")
    assert configuration.read_options(conf).read_timeout == 8
