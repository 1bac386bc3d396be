# SPDX-License-Identifier: Apache-2.0
"""The examples in the documentation work."""

from __future__ import annotations

import code
import doctest
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from glance_compat import conf as glance_conf
from glance_compat.fixture import GlanceFixture
from tests.clients import comparison
from tests.unit.cli.running import sdk_may_warn

ROOT = Path(__file__).parents[2]


def blocks_of(path: Path) -> list[str]:
    """Return the literal blocks and code blocks of a reST file, without their indentation."""
    blocks: list[list[str]] = []
    inside = False
    for line in path.read_text().splitlines():
        if inside and (not line or line.startswith("    ")):
            blocks[-1].append(line)
            continue
        inside = line.startswith(".. code-block::") or (
            line.endswith("::") and not line.startswith("..")
        )
        if inside:
            blocks.append([])
    return [textwrap.dedent("\n".join(block)).strip() for block in blocks]


README = (ROOT / "README.rst").read_text()
[USAGE] = [one for one in blocks_of(ROOT / "README.rst") if "import ImageService" in one]


class Console(code.InteractiveConsole):
    """A Python prompt; what it writes is a traceback."""

    def write(self, data: str) -> None:
        raise AssertionError(data)


def test_readme_snippet_can_be_pasted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.displayhook", lambda value: None)
    names: dict[str, Any] = {}
    console = Console(names)
    for line in USAGE.splitlines():
        console.push(line)
    assert not console.push("")
    status, found = capsys.readouterr().out.splitlines()
    assert status == "active 19"
    assert found == f"{names['image']['id']} {{'hw_disk_bus': 'scsi'}}"
    assert names["data"] == b"the bytes of a disk"


@sdk_may_warn
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_readme_snippet_runs_on_a_cloud_of_clouds_yaml(
    api: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    found = re.search(r"replace ``(.+)`` with\s``(.+)``\.", README)
    assert found is not None
    session, clouds = found[1], found[2]
    assert USAGE.count(session) == USAGE.count(clouds) == 1
    with GlanceFixture(apis=(api,), strict_tokens=True) as glance:
        auth = {
            "auth_url": glance.auth_url,
            **dict.fromkeys(("username", "password", "project_name"), "demo"),
            **dict.fromkeys(("user_domain_id", "project_domain_id"), "default"),
        }
        path = tmp_path / "clouds.yaml"
        path.write_text(json.dumps({"clouds": {"mycloud": {"auth": auth}}}))
        monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
        exec(USAGE.replace(session, clouds), {})  # noqa: S102 - it is the project's own text
        paths = {request.path.split("/")[1] for request in glance.requests}
        assert [image.deleted for image in glance.images.values()] == [True]
    assert capsys.readouterr().out.startswith("active 19\n")
    assert api in paths


def test_readme_has_the_table_of_clients() -> None:
    assert comparison.table() in README, f"README.rst should have:\n{comparison.table()}"
    suites = ("clients", "nova")
    tests = {
        name
        for suite in suites
        for name in re.findall(
            r"^def (test_\w+)", (ROOT / "tests" / suite / "test_comparison.py").read_text(), re.M
        )
    }
    assert {row.test for row in comparison.ROWS} == tests


def test_readme_links_to_files() -> None:
    targets = re.findall(r"`(\S+) <(\S+)>`_", README)
    assert len(targets) > 5
    for name, target in targets:
        assert name == target
        assert (ROOT / target).is_file()


def test_tutorial_runs() -> None:
    failed, tried = doctest.testfile(
        str(ROOT / "docs" / "tutorial.rst"), module_relative=False, encoding="utf-8"
    )
    assert tried > 15
    assert failed == 0


def test_configuration_page_sample_is_valid(tmp_path: Path) -> None:
    [sample] = [
        one
        for one in blocks_of(ROOT / "docs" / "configuration.rst")
        if one.startswith("[glance_compat]")
    ]
    file = tmp_path / "service.conf"
    file.write_text(sample)
    conf = cfg.ConfigOpts()
    conf([], default_config_files=[str(file)], default_config_dirs=[])
    settings = glance_conf.read_arguments(conf)
    assert settings.auth is not None
    assert settings.interface == ["internal", "public"]
    assert settings.options.max_attempts == 3


def test_configuration_page_lists_all_deprecated_names() -> None:
    text = (ROOT / "docs" / "configuration.rst").read_text()
    rows = [line.split() for line in text.splitlines() if line.startswith("``")]
    documented = {row[0].strip("`"): row[-1] for row in rows if row[-1] in ("yes", "no")}
    [(_group, options)] = glance_conf.list_opts()
    declared = {
        one.dest: "yes" if one.deprecated_opts else "no"
        for one in options
        if one.deprecated_for_removal
    }
    assert documented == declared
