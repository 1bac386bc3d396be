# SPDX-License-Identifier: Apache-2.0
"""The commands that prepare and start the servers of each release, and the check for readiness."""

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

# The sitecustomize module of every server's interpreter.
_STARTUP = Path(__file__).parent / "startup"

READY_PATH = "/"
# Keystone and Glance return a version document; the registry has none and requires a token.
READY_STATUS: Mapping[Role, int] = {"identity": 300, "image": 300, "registry": 401}


@dataclass(frozen=True)
class Release:
    """The commands of one release; each begins with a program of its environment.

    ``{directory}`` stands for the server's directory, ``{environment}`` for the release's
    environment, ``{uid}`` and ``{gid}`` for the ids of the current user.

    :param serve: the command that starts a server, by role; it runs in the server's directory.
    :param prepare: the commands that fill a new data directory, in order.
    :param variables: environment variables of all these commands.
    """

    serve: Mapping[Role, str]
    prepare: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)


# Unlike the server, keystone-manage ignores OS_KEYSTONE_CONFIG_FILES: without the option it uses
# /etc/keystone and on a database in the working directory.
_KEYSTONE_MANAGE = "keystone-manage --config-file {directory}/keystone.conf"
_KEYSTONE_OWNER = "--keystone-user {uid} --keystone-group {gid}"

RELEASES = {
    KEYSTONE_30: Release(
        # Keystone would parse arguments as its own; gunicorn finds its file in the directory.
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
    """Fill the server's data directory unless it is already complete.

    The configuration files must exist.

    :raises CloudError: a command failed; the message has the end of its output.
    """
    directory = layout.data(server.data)
    marker = directory / _MARKER
    if marker.is_file() and marker.read_text() == server.release:
        return
    shutil.rmtree(directory, ignore_errors=True)
    for name in _DIRECTORIES:
        (directory / name).mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(database_file(server, layout))) as database:
        # A setting of the file: in WAL mode readers do not wait for writers.
        database.execute("PRAGMA journal_mode=WAL")
    log, environ = directory / "prepare.log", environ_of(server, layout)
    for template in RELEASES[server.release].prepare:
        command = _command(template, server, layout)
        processes.run(f"the database of {server.data}", command, log, environ, PREPARE_SECONDS)
    marker.write_text(server.release)


def environ_of(server: Server, layout: Layout) -> dict[str, str]:
    """Return the complete environment of the server's processes."""
    variables = RELEASES[server.release].variables
    places = _places(server, layout)
    own = {name: value.format_map(places) for name, value in variables.items()}
    path = os.pathsep.join([str(_STARTUP), *server.modules])
    return processes.server_environ() | {"PYTHONPATH": path} | own


def command_of(server: Server, layout: Layout) -> list[str]:
    """Return the command that starts the server."""
    return _command(RELEASES[server.release].serve[server.role], server, layout)


def _command(template: str, server: Server, layout: Layout) -> list[str]:
    # Split before substitution, because a directory name may contain blanks.
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
