# SPDX-License-Identifier: Apache-2.0
"""How a server of each release is prepared, started and recognised as ready."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from tests.functional.cloud import processes
from tests.functional.cloud.configuration import database_file
from tests.functional.cloud.layout import Layout
from tests.functional.cloud.topology import ADMIN, GLANCE_33, GLANCE_PIKE, KEYSTONE_30, Server

PREPARE_SECONDS = 300
_MARKER = "complete"


@dataclass(frozen=True)
class Release:
    """The commands of one release; the first word is a program of its environment.

    :param serve: Starts the server, in its directory.
    :param environ: Variables for all commands of the server.
    :param prepare: Commands that fill a new data directory, in turn.
    """

    serve: Callable[[Server, Layout], list[str]]
    environ: Callable[[Server, Layout], dict[str, str]]
    prepare: Callable[[Server, Layout], list[list[str]]]


READY_PATH = "/"
# A version document from Keystone and Glance; the registry has none and asks for a token.
READY_STATUS = {"identity": 300, "image": 300, "registry": 401}


def _gunicorn(server: Server, layout: Layout) -> list[str]:
    # Without arguments, as Keystone would take them for its own; the file in the directory has
    # all settings.
    return ["gunicorn"]


def _keystone_environ(server: Server, layout: Layout) -> dict[str, str]:
    return {"OS_KEYSTONE_CONFIG_FILES": str(layout.server(server.name) / "keystone.conf")}


def _keystone_data(server: Server, layout: Layout) -> list[list[str]]:
    tool = ["keystone-manage", "--config-file", str(layout.server(server.name) / "keystone.conf")]
    owner = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    bootstrap = ["--bootstrap-username", ADMIN.name, "--bootstrap-password", ADMIN.password]
    return [
        [*tool, "db_sync"],
        [*tool, "fernet_setup", *owner],
        [*tool, "credential_setup", *owner],
        [*tool, "bootstrap", *bootstrap, "--bootstrap-project-name", ADMIN.project],
    ]


def _glance_33_environ(server: Server, layout: Layout) -> dict[str, str]:
    return {"OS_GLANCE_CONFIG_DIR": str(layout.server(server.name))}


def _glance_33_data(server: Server, layout: Layout) -> list[list[str]]:
    tool = ["glance-manage", "--config-file", str(layout.server(server.name) / "glance-api.conf")]
    metadefs = str(layout.environment(server.release) / "etc/glance/metadefs")
    return [[*tool, "db", "sync"], [*tool, "db", "load_metadefs", metadefs]]


def _pike_serve(server: Server, layout: Layout) -> list[str]:
    program = "glance-registry" if server.role == "registry" else "glance-api"
    return [program, "--config-file", str(layout.server(server.name) / "glance.conf")]


def _pike_environ(server: Server, layout: Layout) -> dict[str, str]:
    return {}


def _pike_data(server: Server, layout: Layout) -> list[list[str]]:
    tool = ["glance-manage", "--config-file", str(layout.server(server.name) / "glance.conf")]
    metadefs = str(layout.environment(server.release) / "etc/glance/metadefs")
    return [[*tool, "db_sync"], [*tool, "db_load_metadefs", metadefs]]


RELEASES = {
    KEYSTONE_30: Release(_gunicorn, _keystone_environ, _keystone_data),
    GLANCE_33: Release(_gunicorn, _glance_33_environ, _glance_33_data),
    GLANCE_PIKE: Release(_pike_serve, _pike_environ, _pike_data),
}


def prepare_data(server: Server, layout: Layout) -> None:
    """Fill the server's data directory unless that was completed before.

    The server's configuration must be written.

    :raises CloudError: When a command fails; with the last lines of what it said.
    """
    directory = layout.data(server.data)
    marker = directory / _MARKER
    if marker.is_file() and marker.read_text() == server.release:
        return
    shutil.rmtree(directory, ignore_errors=True)
    for name in (
        "images",
        "fast",
        "slow",
        "staging",
        "tasks",
        "locks",
        "fernet-keys",
        "credential-keys",
    ):
        (directory / name).mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(database_file(server, layout))) as database:
        # Kept in the file: readers then do not wait for writers, whatever server opens it.
        database.execute("PRAGMA journal_mode=WAL")
    for command in RELEASES[server.release].prepare(server, layout):
        _run(server, layout, command)
    marker.write_text(server.release)


def _run(server: Server, layout: Layout, command: list[str]) -> None:
    log = layout.data(server.data) / "prepare.log"
    program, *arguments = command
    with log.open("ab") as output:
        done = subprocess.run(
            [str(layout.program(server.release, program)), *arguments],
            cwd=layout.data(server.data),
            env=environ_of(server, layout),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=PREPARE_SECONDS,
        )
    if done.returncode:
        raise processes.CloudError(
            f"`{program}` for {server.data} failed:\n{processes.last_lines(log)}"
        )


def environ_of(server: Server, layout: Layout) -> dict[str, str]:
    """Return the whole environment of the server's processes."""
    return processes.server_environ() | RELEASES[server.release].environ(server, layout)


def command_of(server: Server, layout: Layout) -> list[str]:
    """Return the command that starts the server."""
    program, *arguments = RELEASES[server.release].serve(server, layout)
    return [str(layout.program(server.release, program)), *arguments]
