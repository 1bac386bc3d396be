# SPDX-License-Identifier: Apache-2.0
"""The examples in the documentation work."""

from __future__ import annotations

import doctest
import textwrap
from pathlib import Path

import pytest
from oslo_config import cfg

from glance_compat import conf as glance_conf
from glance_compat.fixture import GlanceFixture

ROOT = Path(__file__).parents[2]


def blocks_of(path: Path) -> list[str]:
    """Return the literal blocks (after ``::``) of a reST file, without their indentation."""
    blocks: list[list[str]] = []
    inside = False
    for line in path.read_text().splitlines():
        if inside and (not line or line.startswith("    ")):
            blocks[-1].append(line)
            continue
        inside = line.endswith("::") and not line.startswith("..")
        if inside:
            blocks.append([])
    return [textwrap.dedent("\n".join(block)).strip() for block in blocks]


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_readme_example_runs(api: str, capsys: pytest.CaptureFixture[str]) -> None:
    [example] = [one for one in blocks_of(ROOT / "README.rst") if "import ImageService" in one]
    with GlanceFixture(apis=(api,)) as glance:
        names: dict[str, object] = {"session": glance.session()}
        exec(example, names)  # noqa: S102 - it is the project's own text
        paths = {request.path.split("/")[1] for request in glance.requests}
    status, found = capsys.readouterr().out.splitlines()
    assert status == "active"
    assert found.endswith(" 19 {'hw_disk_bus': 'scsi'}")
    assert names["data"] == b"the bytes of a disk"
    assert api in paths


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
