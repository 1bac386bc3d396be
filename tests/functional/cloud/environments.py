# SPDX-License-Identifier: Apache-2.0
"""Build the virtual environments of the releases from their pin files.

An environment contains the hash of its pin file, which is written last: an environment that is
incomplete, was built from other pins, or no longer runs, is removed and rebuilt. Callers
hold the cloud's lock.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.functional.cloud import interpreters, processes
from tests.functional.cloud.layout import PINS, Layout
from tests.functional.cloud.topology import GLANCE_33, GLANCE_PIKE, KEYSTONE_30

STEP_SECONDS = 900
_MARKER = "built-from"
_VIRTUALENV = "virtualenv"
#: Those of tests.suites, which are no servers.
SUITES = "suites"
SUITES_OLD = "suites-old"
_KEPT_OUT = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_TARGET"}
)

FindPython = Callable[[Sequence[str], str], Path]


@dataclass(frozen=True)
class Recipe:
    """The Python versions of an environment, and the variable that overrides the search."""

    versions: Sequence[str] = interpreters.PYTHON3
    variable: str = interpreters.PYTHON3_VARIABLE


# virtualenv itself, unlike the servers, runs on any Python that the project supports.
RECIPES = {
    KEYSTONE_30: Recipe(),
    GLANCE_33: Recipe(),
    GLANCE_PIKE: Recipe(interpreters.PYTHON27, interpreters.PYTHON27_VARIABLE),
    SUITES: Recipe(),
    SUITES_OLD: Recipe(interpreters.PYTHON27, interpreters.PYTHON27_VARIABLE),
    _VIRTUALENV: Recipe((*interpreters.PYTHON3, "3.10")),
}


@dataclass(frozen=True)
class Builder:
    """Builds environments below one layout.

    :param pins: the directory of the pin files.
    :param find_python: finds the interpreter; :func:`interpreters.find_python` except in tests
        of this class.
    """

    layout: Layout
    pins: Path = PINS
    find_python: FindPython = interpreters.find_python

    def digest(self, name: str) -> str:
        """Return the hash of the pin file."""
        return hashlib.sha256(self._pins(name).read_bytes()).hexdigest()

    def is_current(self, name: str) -> bool:
        """Return whether the environment is complete, runs, and has the current pins."""
        marker = self.layout.environment(name) / _MARKER
        if not marker.is_file() or marker.read_text() != self.digest(name):
            return False
        return interpreters.version_of(str(self.layout.program(name, "python"))) is not None

    def ensure(self, name: str) -> bool:
        """Build the environment unless it is current; return whether it was built.

        :raises PythonMissingError: no suitable interpreter was found.
        :raises CloudError: a step failed; the message ends with the last lines of the build
            log.
        """
        if self.is_current(name):
            return False
        recipe = RECIPES[name]
        python = self.find_python(recipe.versions, recipe.variable)
        if recipe.versions == interpreters.PYTHON27:
            self.ensure(_VIRTUALENV)
        self._build(name, python, old=recipe.versions == interpreters.PYTHON27)
        return True

    def _build(self, name: str, python: Path, *, old: bool) -> None:
        target = self.layout.environment(name)
        log = self.layout.build_log(name)
        processes.stop_programs_of(target)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        self._step(name, self._creation(python, target, old=old))
        pip = [
            str(self.layout.program(name, "python")),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
        ]
        self._step(name, [*pip, "install", "--no-deps", "-r", str(self._pins(name))])
        self._step(name, [*pip, "check"])
        (target / _MARKER).write_text(self.digest(name))

    def _creation(self, python: Path, target: Path, *, old: bool) -> list[str]:
        if not old:
            return [str(python), "-m", "venv", str(target)]
        virtualenv = str(self.layout.program(_VIRTUALENV, "virtualenv"))
        # virtualenv includes a pip for Python 2.7 and must not download a newer one.
        offline = [
            "--no-download",
            "--no-periodic-update",
            "--app-data",
            str(target.parent / "virtualenv-data"),
        ]
        return [virtualenv, *offline, "--python", str(python), str(target)]

    def _step(self, name: str, command: list[str]) -> None:
        environ = {key: value for key, value in os.environ.items() if key not in _KEPT_OUT}
        what = f"the environment of {name}"
        processes.run(what, command, self.layout.build_log(name), environ, STEP_SECONDS)

    def _pins(self, name: str) -> Path:
        return self.pins / f"{name}.txt"
