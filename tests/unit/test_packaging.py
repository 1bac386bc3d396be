# SPDX-License-Identifier: Apache-2.0
"""The declared dependencies, extras and entry points match the package."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

import glance_compat
from tests.unit.test_architecture import PACKAGE, imported

ROOT = Path(__file__).parents[2]

#: Additional packages that each host may import.
EXTRA_OF_HOST = {
    "cli": ("cli", "fixtures"),
    "definitions": ("definitions",),
    "fixture": ("fixtures",),
}

#: Extras of the other modules, which work without them.
OTHER_EXTRAS = ("fast", "signatures")

#: Packages for type checkers only; Nova, which imports the library and is therefore installed; and
#: Ceph's modules.
NOT_INSTALLED = frozenset({"_typeshed", "nova", "rados", "rbd"})


def requirements(*extras: str) -> dict[NormalizedName, Requirement]:
    """Return the declared requirements, with those of some extras, by canonical name."""
    declared = [Requirement(line) for line in metadata.requires("glance-compat") or ()]
    return {
        canonicalize_name(one.name): one
        for one in declared
        if one.marker is None
        or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    }


@functools.cache
def packages_distributions() -> Mapping[str, list[str]]:
    """Return the distributions of each installed package; cached, because reading is slow."""
    return metadata.packages_distributions()


def distributions_of(path: Path) -> Iterator[str]:
    """Yield the distribution of each foreign package that a module imports."""
    ours = {"glance_compat", *sys.stdlib_module_names, *NOT_INSTALLED}
    known = packages_distributions()
    for name, _late in imported(path.read_text()):
        top = name.partition(".")[0]
        if top not in ours:
            yield canonicalize_name(known[top][0]) if top in known else top


@pytest.mark.slow
def test_every_import_is_a_declared_dependency() -> None:
    undeclared = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in PACKAGE.rglob("*.py")
        for name in distributions_of(path)
        if name not in requirements(*extras_of(path))
    }
    assert undeclared == set()


def extras_of(path: Path) -> tuple[str, ...]:
    """Return the extras that a module of the package may rely on."""
    host = path.relative_to(PACKAGE).with_suffix("").parts[0]
    return EXTRA_OF_HOST.get(host, OTHER_EXTRAS)


EXTRAS = ["cli", "definitions", "fast", "fixtures", "signatures", "test", "docs"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_extra_is_declared(extra: str) -> None:
    assert extra in (metadata.metadata("glance-compat").get_all("Provides-Extra") or [])
    assert set(requirements(extra)) > set(requirements())


def test_lower_bounds_are_the_tested_constraints() -> None:
    lower = {
        canonicalize_name(one.name): str(one.specifier)
        for one in map(Requirement, _lines(ROOT / "lower-constraints.txt"))
    }
    declared = {
        name: one
        for name, one in requirements(
            "cli", "definitions", "fast", "fixtures", "signatures", "test"
        ).items()
        if name != "glance-compat"
    }
    bounds = {name: str(one.specifier).replace(">=", "==") for name, one in declared.items()}
    assert bounds == {name: lower.get(name) for name in declared}


def _lines(path: Path) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def test_version_is_declared_once() -> None:
    version = metadata.version("glance-compat")
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", version)
    sources = [*PACKAGE.rglob("*.py"), ROOT / "docs" / "conf.py", ROOT / "setup.py"]
    assert [path for path in sources if f'"{version}"' in path.read_text()] == []


def test_tag_is_the_version() -> None:
    """A release is tagged with the version that pyproject.toml declares."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: no tags")
    listed = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert set(listed.stdout.split()) <= {metadata.version("glance-compat")}


def test_package_is_marked_as_typed() -> None:
    assert (Path(glance_compat.__file__).parent / "py.typed").is_file()
    assert "Typing :: Typed" in (metadata.metadata("glance-compat").get_all("Classifier") or [])


def test_options_have_an_oslo_config_entry_point() -> None:
    [entry] = metadata.entry_points(group="oslo.config.opts", name="glance_compat")
    assert entry.value == "glance_compat.conf:list_opts"
    assert entry.load()()[0][0] == "glance_compat"


def test_readme_has_two_commands_of_one_line() -> None:
    lines = (ROOT / "README.rst").read_text().splitlines()
    demo, test = [line.strip() for line in lines if line.strip().startswith("$ ")]
    assert demo.endswith(".venv/bin/glance-compat demo")
    assert "'.[cli,fixtures]'" in demo
    assert test.endswith("-m pytest -n auto")
    assert "'.[test]'" in test


def test_setup_py_declares_nothing() -> None:
    [call] = [
        node
        for node in ast.walk(ast.parse((ROOT / "setup.py").read_text()))
        if isinstance(node, ast.Call)
    ]
    assert (call.args, call.keywords) == ([], [])
