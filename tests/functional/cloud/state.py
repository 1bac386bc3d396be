# SPDX-License-Identifier: Apache-2.0
"""The state of the cloud between commands, in a JSON file. Writers hold the cloud's lock."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.functional.cloud.processes import Running


@dataclass(frozen=True)
class ServerState:
    """A server's port, its process, and the digest of its configuration."""

    port: int
    process: Running | None = None
    digest: str = ""


@dataclass
class State:
    """The content of the state file.

    :param keep: whether ``up`` started the cloud, so that no test run stops it.
    :param users: the processes of test runs that use the cloud; the last one stops it.
    :param projects: the project ids in Keystone, by name.
    """

    keep: bool = False
    users: list[Running] = field(default_factory=list)
    servers: dict[str, ServerState] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        """Read the file; without a file the state is empty."""
        if not path.is_file():
            return cls()
        raw: dict[str, Any] = json.loads(path.read_text())
        return cls(
            keep=raw["keep"],
            users=[Running(**one) for one in raw["users"]],
            servers={name: _server(one) for name, one in raw["servers"].items()},
            projects=raw["projects"],
        )

    def save(self, path: Path) -> None:
        """Replace the file atomically, so that readers see the old or the new content."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1) + "\n")
        os.replace(new, path)


def _server(raw: dict[str, Any]) -> ServerState:
    process = raw["process"]
    return ServerState(raw["port"], Running(**process) if process else None, raw["digest"])
