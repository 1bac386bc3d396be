# SPDX-License-Identifier: Apache-2.0
"""Find a Python that a release runs on.

A name on PATH is not sufficient: pyenv installs shims for versions that are not selected, and they
fail when they are run. So every candidate is run once, and is accepted only if it has the wanted
version, ssl and sqlite3.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PYTHON27_VARIABLE = "GLANCE_COMPAT_PYTHON27"
PYTHON3_VARIABLE = "GLANCE_COMPAT_PYTHON3"
PYTHON27 = ("2.7",)
PYTHON3 = ("3.13", "3.12", "3.11")
RUN_SECONDS = 20

_PROBE = "import sqlite3, ssl, sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"


class PythonMissingError(Exception):
    """No suitable interpreter was found; the message is one sentence with advice."""


def find_python(
    versions: Sequence[str], variable: str, environ: Mapping[str, str] = os.environ
) -> Path:
    """Return a working interpreter of one of the versions.

    The search order is: the environment variable (which must be valid if it is set), the running
    interpreter, ``pythonX.Y`` on PATH, and the newest such version that pyenv has installed.

    :param versions: accepted versions such as ``3.13``, the preferred one first.
    :param variable: the name of the environment variable that overrides the search.
    :raises PythonMissingError: no interpreter was found.
    """
    wanted = " or ".join(versions)
    if chosen := environ.get(variable):
        if version_of(chosen, environ) in versions:
            return Path(chosen)
        raise PythonMissingError(
            f"{variable} is {chosen}, which is not a working Python {wanted} with ssl and sqlite3."
        )
    for candidate in _candidates(versions, environ):
        if version_of(candidate, environ) in versions:
            return Path(candidate)
    raise PythonMissingError(
        f"No working Python {wanted} was found: install one (`pyenv install {versions[0]}` does), "
        f"or set {variable} to its path."
    )


def version_of(interpreter: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the interpreter's version ``X.Y``, or None if it, ssl or sqlite3 does not work."""
    return _output_or_empty([interpreter, "-c", _PROBE], environ) or None


def _candidates(versions: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    yield sys.executable
    for version in versions:
        if found := shutil.which(f"python{version}", path=environ.get("PATH")):
            yield found
    yield from _from_pyenv(versions, environ)


def _from_pyenv(versions: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    pyenv = shutil.which("pyenv", path=environ.get("PATH"))
    if pyenv is None:
        return
    installed = _output_or_empty([pyenv, "versions", "--bare"], environ).split()
    for version in versions:
        for name in newest_first(version, installed):
            selected = {**environ, "PYENV_VERSION": name}
            yield _output_or_empty([pyenv, "which", f"python{version}"], selected)


def newest_first(version: str, installed: Sequence[str]) -> list[str]:
    """Return those of ``installed`` that are releases of ``version``, newest first."""
    pattern = re.compile(rf"{re.escape(version)}\.(\d+)")
    patches = {name: int(match[1]) for name in installed if (match := pattern.fullmatch(name))}
    return sorted(patches, key=patches.__getitem__, reverse=True)


def _output_or_empty(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the stripped output of a command, or "" if the command fails."""
    # PYTHONPATH or PYTHONHOME of the running Python would break another version.
    unwanted = ("PYTHONPATH", "PYTHONHOME")
    try:
        done = subprocess.run(
            command,
            env={name: value for name, value in environ.items() if name not in unwanted},
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=RUN_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
