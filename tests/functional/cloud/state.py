# SPDX-License-Identifier: Apache-2.0
"""What the cloud remembers between commands, in one JSON file. Writers hold the cloud's lock."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.functional.cloud.processes import Running


@dataclass(frozen=True)
class ServerState:
    """A server's port, its process, and the digest of what it was started with."""

    port: int
    process: Running | None = None
    digest: str = ""


@dataclass
class State:
    """The state file's content.

    :param keep: True when a person started the cloud: then no test run stops it.
    :param users: The processes of test runs that use the cloud; the last one stops it.
    :param projects: Project name to id, as Keystone gave them.
    """

    keep: bool = False
    users: list[Running] = field(default_factory=list)
    servers: dict[str, ServerState] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        """Read the file; an absent one is an empty state."""
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
        """Replace the file in one step, so that a reader sees the old content or the new."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self), indent=1) + "\n")
        os.replace(new, path)


def _server(raw: dict[str, Any]) -> ServerState:
    process = raw["process"]
    return ServerState(raw["port"], Running(**process) if process else None, raw["digest"])
