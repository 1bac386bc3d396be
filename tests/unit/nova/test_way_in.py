# SPDX-License-Identifier: Apache-2.0
"""Replacing and restoring Nova's image module; without Nova.

Each test runs in its own process, with a fake package ``nova``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: The part of Nova that is imported with its image module.
FILES = {
    "nova/__init__.py": "",
    "nova/image/__init__.py": "",
    "nova/image/glance.py": "class API:\n    'Nova its own'\n",
    "nova/profiler.py": "def trace_cls(name):\n"
    "    return lambda cls: print('traced', name, cls)\n",
    "nova/user.py": "from nova.image import glance\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run(program: str, tree: Path | None = None, *options: str) -> tuple[str, str]:
    """Run a program; return its standard output and error."""
    environment = dict(os.environ)
    if tree is not None:
        environment["PYTHONPATH"] = str(tree)
    done = subprocess.run(
        [sys.executable, *options, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


HEAVY = ("nova", "eventlet", "urllib3", "requests", "keystoneauth1", "oslo_config", "socket")


@pytest.mark.slow
def test_import_is_free_of_nova_and_eventlet_targets(tree: Path) -> None:
    program = "import glance_compat.nova; glance_compat.nova.install()"
    _, times = run(program, tree, "-X", "importtime")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in times.splitlines()}
    assert "glance_compat" in imported
    assert imported & set(HEAVY) == set()


@pytest.mark.slow
def test_replacement_module_needs_no_nova() -> None:
    program = (
        "import sys\n"
        "from glance_compat.nova import glance\n"
        "glance.API(), glance.GlanceImageServiceV2(), glance.get_default_image_service()\n"
        "print('nova' in sys.modules, 'eventlet' in sys.modules)"
    )
    assert run(program)[0] == "False False"


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "from nova.image import glance",
        "import nova.image.glance; glance = nova.image.glance",
        "import nova.user; glance = nova.user.glance",
        "import importlib; glance = importlib.import_module('nova.image.glance')",
    ],
)
def test_every_import_gets_replacement_module(tree: Path, line: str) -> None:
    program = (
        "import glance_compat.nova\n"
        "glance_compat.nova.install(); glance_compat.nova.install()\n"
        f"{line}\n"
        "import sys, nova.image\n"
        "from glance_compat.nova import glance as ours\n"
        "print(glance is ours, nova.image.glance is ours, ours.__spec__.name, ours.__name__)\n"
        "print(glance_compat.nova.API is ours.API, glance_compat.nova.is_installed())"
    )
    traced, names, rest = run(program, tree)[0].splitlines()
    assert traced == "traced nova_image <class 'glance_compat.nova.glance.API'>"
    assert names == "True True glance_compat.nova.glance glance_compat.nova.glance"
    assert rest == "True True"


@pytest.mark.slow
def test_uninstall_restores_nova_module(tree: Path) -> None:
    program = (
        "import glance_compat.nova\n"
        "glance_compat.nova.install()\n"
        "import nova.image.glance\n"
        "glance_compat.nova.uninstall(); glance_compat.nova.uninstall()\n"
        "import nova.image.glance\n"
        "from nova.image import glance\n"
        "print(glance.API.__doc__, glance_compat.nova.is_installed())"
    )
    assert run(program, tree)[0].splitlines()[-1] == "Nova its own False"


def test_install_after_import_is_runtime_error(tree: Path) -> None:
    program = (
        "import nova.image.glance, glance_compat.nova\n"
        "try:\n    glance_compat.nova.install()\n"
        "except RuntimeError as error:\n    print(error)\n"
        "print(glance_compat.nova.is_installed(), nova.image.glance.API.__doc__)"
    )
    said, rest = run(program, tree)[0].splitlines()
    assert "before Nova imports it" in said
    assert rest == "False Nova its own"


def test_uninstall_leaves_imported_nova_module(tree: Path) -> None:
    program = (
        "import nova.image.glance, glance_compat.nova\n"
        "glance_compat.nova.uninstall()\n"
        "print(nova.image.glance.API.__doc__)"
    )
    assert run(program, tree)[0] == "Nova its own"


@pytest.mark.slow
def test_unknown_name_is_attribute_error() -> None:
    program = (
        "import glance_compat.nova\n"
        "print(hasattr(glance_compat.nova, 'nothing'), hasattr(glance_compat.nova, '_nothing'))\n"
        "print(glance_compat.nova.generate_glance_url.__name__)"
    )
    assert run(program)[0].splitlines() == ["False False", "generate_glance_url"]
