# SPDX-License-Identifier: Apache-2.0
"""How a server of each release is prepared, started and recognised as ready."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.functional.cloud import processes
from tests.functional.cloud.configuration import database_file
from tests.functional.cloud.layout import Layout
from tests.functional.cloud.topology import (
    ADMIN,
    GLANCE_33,
    GLANCE_PIKE,
    KEYSTONE_30,
    Role,
    Server,
)

PREPARE_SECONDS = 300
_MARKER = "complete"
_DIRECTORIES = (
    "images",
    "fast",
    "slow",
    "staging",
    "tasks",
    "locks",
    "fernet-keys",
    "credential-keys",
)

# What every server's interpreter reads first (sitecustomize).
_STARTUP = Path(__file__).parent / "startup"

READY_PATH = "/"
# A version document from Keystone and Glance; the registry has none and asks for a token.
READY_STATUS: Mapping[Role, int] = {"identity": 300, "image": 300, "registry": 401}


@dataclass(frozen=True)
class Release:
    """The commands of one release; their first words are programs of its environment.

    ``{directory}`` stands for the server's directory, ``{environment}`` for the release's
    environment, ``{uid}`` and ``{gid}`` for who runs this.

    :param serve: Role to the command that starts the server; it runs in the server's directory.
    :param prepare: Commands that fill a new data directory, in turn.
    :param variables: Environment variables of all these commands.
    """

    serve: Mapping[Role, str]
    prepare: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


# Unlike the server it takes no notice of OS_KEYSTONE_CONFIG_FILES: without the option it works on
# /etc/keystone and on a database in the working directory.
_KEYSTONE_MANAGE = "keystone-manage --config-file {directory}/keystone.conf"
_KEYSTONE_OWNER = "--keystone-user {uid} --keystone-group {gid}"

RELEASES = {
    KEYSTONE_30: Release(
        # Keystone would take arguments for its own; gunicorn finds its file in the directory.
        serve={"identity": "gunicorn"},
        prepare=(
            f"{_KEYSTONE_MANAGE} db_sync",
            f"{_KEYSTONE_MANAGE} fernet_setup {_KEYSTONE_OWNER}",
            f"{_KEYSTONE_MANAGE} credential_setup {_KEYSTONE_OWNER}",
            f"{_KEYSTONE_MANAGE} bootstrap --bootstrap-username {ADMIN.name}"
            f" --bootstrap-password {ADMIN.password} --bootstrap-project-name {ADMIN.project}",
        ),
        variables={"OS_KEYSTONE_CONFIG_FILES": "{directory}/keystone.conf"},
    ),
    GLANCE_33: Release(
        serve={"image": "gunicorn"},
        prepare=(
            "glance-manage --config-file {directory}/glance-api.conf db sync",
            "glance-manage --config-file {directory}/glance-api.conf"
            " db load_metadefs {environment}/etc/glance/metadefs",
        ),
        variables={"OS_GLANCE_CONFIG_DIR": "{directory}"},
    ),
    GLANCE_PIKE: Release(
        serve={
            "image": "glance-api --config-file {directory}/glance.conf",
            "registry": "glance-registry --config-file {directory}/glance.conf",
        },
        prepare=(
            "glance-manage --config-file {directory}/glance.conf db_sync",
            "glance-manage --config-file {directory}/glance.conf"
            " db_load_metadefs {environment}/etc/glance/metadefs",
        ),
    ),
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
    for name in _DIRECTORIES:
        (directory / name).mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(database_file(server, layout))) as database:
        # Kept in the file: readers then do not wait for writers, whatever server opens it.
        database.execute("PRAGMA journal_mode=WAL")
    log, environ = directory / "prepare.log", environ_of(server, layout)
    for template in RELEASES[server.release].prepare:
        command = _command(template, server, layout)
        processes.run(f"the database of {server.data}", command, log, environ, PREPARE_SECONDS)
    marker.write_text(server.release)


def environ_of(server: Server, layout: Layout) -> dict[str, str]:
    """Return the whole environment of the server's processes."""
    variables = RELEASES[server.release].variables
    places = _places(server, layout)
    own = {name: value.format_map(places) for name, value in variables.items()}
    path = os.pathsep.join([str(_STARTUP), *server.modules])
    return processes.server_environ() | {"PYTHONPATH": path} | own


def command_of(server: Server, layout: Layout) -> list[str]:
    """Return the command that starts the server."""
    return _command(RELEASES[server.release].serve[server.role], server, layout)


def _command(template: str, server: Server, layout: Layout) -> list[str]:
    # Split first: a directory may have blanks in its name.
    program, *arguments = template.split()
    places = _places(server, layout)
    path = layout.program(server.release, program)
    return [str(path), *(argument.format_map(places) for argument in arguments)]


def _places(server: Server, layout: Layout) -> dict[str, str]:
    return {
        "directory": str(layout.server(server.name)),
        "environment": str(layout.environment(server.release)),
        "uid": str(os.getuid()),
        "gid": str(os.getgid()),
    }
