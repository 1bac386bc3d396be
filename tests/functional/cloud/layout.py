# SPDX-License-Identifier: Apache-2.0
"""The paths of the cloud's environments, data, configuration, logs and state."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DIRECTORY_VARIABLE = "GLANCE_COMPAT_CLOUD_DIR"
PINS = Path(__file__).parent / "pins"
CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Layout:
    """The paths below one root directory."""

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Layout:
        """Return the layout below ``GLANCE_COMPAT_CLOUD_DIR``; default: ``.cloud`` here."""
        return cls(Path(environ.get(DIRECTORY_VARIABLE) or CHECKOUT / ".cloud").absolute())

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    def environment(self, name: str) -> Path:
        """Return the virtual environment of a release, or of the tool ``virtualenv``."""
        return self.root / "environments" / name

    def program(self, environment: str, name: str) -> Path:
        """Return the path of a program installed in an environment."""
        return self.environment(environment) / "bin" / name

    def build_log(self, environment: str) -> Path:
        return self.root / "environments" / f"{environment}.log"

    def server(self, name: str) -> Path:
        """Return the directory of a server's configuration and log."""
        return self.root / "servers" / name

    def log(self, name: str) -> Path:
        return self.server(name) / "server.log"

    def data(self, name: str) -> Path:
        """Return the directory of a database and its files."""
        return self.root / "data" / name
