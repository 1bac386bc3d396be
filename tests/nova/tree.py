# SPDX-License-Identifier: Apache-2.0
"""Nova's source distribution: its functional tests read files that its wheel does not contain
(``etc/nova/api-paste.ini``, ``doc/api_samples``)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "34.0.0"
_SHA256 = "919eef77cda4ce0cc4746a5853b5d9341ebd0ae37bc8b1939eb77d17727c00df"


def unpacked(directory: Path) -> Path:
    """Return the root of the source; download it with pip if necessary.

    :param directory: the directory for the source.
    """
    root = directory.resolve() / f"nova-{VERSION}"
    done = directory / f"nova-{VERSION}.complete"
    if not done.exists():
        archive = _downloaded(directory)
        with tarfile.open(archive) as source:
            source.extractall(directory, filter="data")
        done.touch()
    return root


def _downloaded(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--no-deps"),
            *("--no-binary", "nova", "--dest", str(directory), f"nova=={VERSION}"),
        ],
        check=True,
    )
    archive = directory / f"nova-{VERSION}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != _SHA256:
        raise SystemExit(f"{archive.name} has SHA-256 {found}, not {_SHA256}")
    return archive
