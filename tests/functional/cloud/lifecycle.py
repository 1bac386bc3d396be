# SPDX-License-Identifier: Apache-2.0
"""Start the cloud, share it between test runs, and stop it.

Every function that changes something holds one file lock, so that several processes may call
it at the same time: the first one builds and starts, the others find a running cloud.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace

import filelock

from tests.functional.cloud import identity, processes, releases
from tests.functional.cloud.configuration import Site, files_of
from tests.functional.cloud.environments import Builder
from tests.functional.cloud.interpreters import PythonMissingError
from tests.functional.cloud.layout import Layout
from tests.functional.cloud.processes import CloudError, Running
from tests.functional.cloud.state import ServerState, State
from tests.functional.cloud.topology import HOST, SERVERS, Server

# Long enough for another process to build everything.
LOCK_SECONDS = 1800
START_SECONDS = 90

Report = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """The state, the available servers, and the reasons why releases are missing."""

    state: State
    servers: tuple[Server, ...]
    missing: dict[str, str] = field(default_factory=dict)


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the cloud's lock; the system releases it if the process dies.

    :raises CloudError: another process holds it for longer than building everything takes.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(layout.lock, timeout=LOCK_SECONDS):
            yield
    except filelock.Timeout:
        raise CloudError(
            f"{layout.lock} is held by another process for more than {LOCK_SECONDS} seconds"
        ) from None


def up(layout: Layout, report: Report, servers: Sequence[Server] = SERVERS) -> Outcome:
    """Build and start missing servers, until :func:`down` is called.

    :raises CloudError: a server or an environment failed; the message has its log.
    :raises PythonMissingError: the interpreter for Keystone is missing.
    """
    with locked(layout):
        outcome = _Start(layout, report, servers).run()
        outcome.state.keep = True
        outcome.state.save(layout.state)
        return outcome


def down(layout: Layout) -> None:
    """Stop all servers; keep data and environments."""
    with locked(layout):
        _stop_all(layout, State.load(layout.state))


def erase(layout: Layout) -> None:
    """Stop all servers and remove their data, so that the next start creates new databases."""
    with locked(layout):
        _stop_all(layout, State.load(layout.state))
        for name in ("data", "servers"):
            shutil.rmtree(layout.root / name, ignore_errors=True)
        layout.state.unlink(missing_ok=True)


@contextmanager
def borrowed(
    layout: Layout, report: Report, servers: Sequence[Server] = SERVERS
) -> Iterator[Outcome]:
    """Use the cloud in a test run; start the servers that do not run.

    The last run (or parallel worker) stops the cloud, unless :func:`up` started it.

    :raises CloudError: as in :func:`up`.
    :raises PythonMissingError: as in :func:`up`.
    """
    me = Running.of(os.getpid())
    try:
        with locked(layout):
            state = State.load(layout.state)
            state.users = [*_living(state.users), me]
            state.save(layout.state)
            outcome = _Start(layout, report, servers).run()
        yield outcome
    finally:
        leave(layout, me)


def extend(layout: Layout, report: Report, servers: Sequence[Server]) -> Outcome:
    """Start more servers in the cloud of this run; they stop with the cloud.

    :raises CloudError: as in :func:`up`.
    :raises PythonMissingError: as in :func:`up`.
    """
    with locked(layout):
        return _Start(layout, report, servers).run()


def stop(layout: Layout, name: str) -> None:
    """Stop one server of the cloud; :func:`extend` starts it again on the same port.

    :param name: the name of the server's row in the topology.
    """
    with locked(layout):
        state = State.load(layout.state)
        known = state.servers[name]
        processes.stop([known.process] if known.process else [])
        state.servers[name] = replace(known, process=None)
        state.save(layout.state)


def leave(layout: Layout, me: Running) -> None:
    """End the use by one run; stop the cloud if no other run uses it and ``keep`` is false."""
    with locked(layout):
        _leave(layout, me)


def _leave(layout: Layout, me: Running) -> None:
    state = State.load(layout.state)
    state.users = [user for user in _living(state.users) if user.pid != me.pid]
    state.save(layout.state)
    if not state.users and not state.keep:
        _stop_all(layout, state)


def _living(users: Sequence[Running]) -> list[Running]:
    return [user for user in users if user.find()]


def _stop_all(layout: Layout, state: State) -> None:
    processes.stop([server.process for server in state.servers.values() if server.process])
    state.servers = {name: replace(server, process=None) for name, server in state.servers.items()}
    state.keep = False
    state.save(layout.state)


def buildable(
    builder: Builder, servers: Sequence[Server], report: Report
) -> tuple[tuple[Server, ...], dict[str, str]]:
    """Build the environments; return the servers that can run, and the reasons for the others."""
    missing: dict[str, str] = {}

    def build(release: str) -> None:
        try:
            if not builder.is_current(release):
                report(f"building the environment of {release}")
            builder.ensure(release)
        except PythonMissingError as error:
            missing[release] = str(error)

    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(build, sorted({server.release for server in servers})))
    return tuple(server for server in servers if server.release not in missing), missing


@dataclass
class _Start:
    """One start under the lock; each step saves the state, so that no process is lost."""

    layout: Layout
    report: Report
    wanted: Sequence[Server]

    def run(self) -> Outcome:
        self.builder = Builder(self.layout)
        servers, missing = buildable(self.builder, self.wanted, self.report)
        if not any(server.role == "identity" for server in servers):
            raise PythonMissingError(next(iter(missing.values())))
        self.state = State.load(self.layout.state)
        self._choose_ports(servers)
        self.site = Site(
            self.layout, {name: server.port for name, server in self.state.servers.items()}
        )
        self._start([server for server in servers if server.role == "identity"])
        self._fill_identity(servers)
        self._start([server for server in servers if server.role != "identity"])
        return Outcome(self.state, servers, missing)

    def _choose_ports(self, servers: Sequence[Server]) -> None:
        for server in servers:
            known = self.state.servers.get(server.name)
            if known is None or not (_alive(known) or _is_free(known.port)):
                taken = {other.port for other in self.state.servers.values()}
                self.state.servers[server.name] = ServerState(_free_port(taken))
        self.state.save(self.layout.state)

    def _fill_identity(self, servers: Sequence[Server]) -> None:
        regions = {
            server.region: self.site.url(server.name) for server in servers if server.region
        }
        self.state.projects = identity.fill(self.site.url("keystone"), regions)
        self.state.save(self.layout.state)

    def _start(self, servers: Sequence[Server]) -> None:
        stale = [server for server in servers if not self._is_current(server)]
        processes.stop(
            [one for server in stale if (one := self.state.servers[server.name].process)]
        )
        for server in stale:
            self._write_files(server)
        self._prepare_data(stale)
        for server in stale:
            self.report(f"starting {server.name}")
            self._spawn(server)
        for server in stale:
            self._await(server)

    def _is_current(self, server: Server) -> bool:
        known = self.state.servers[server.name]
        if not _alive(known) or known.digest != self._digest(server):
            return False
        try:
            self._await(server)
        except CloudError:
            return False
        return True

    def _digest(self, server: Server) -> str:
        parts = [
            self.builder.digest(server.release),
            *files_of(server, self.site).values(),
            *releases.command_of(server, self.layout),
            *server.modules,
        ]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _write_files(self, server: Server) -> None:
        directory = self.layout.server(server.name)
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files_of(server, self.site).items():
            (directory / name).write_text(content)

    def _prepare_data(self, servers: Sequence[Server]) -> None:
        firsts = {server.data: server for server in reversed(servers)}
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(
                pool.map(
                    lambda server: releases.prepare_data(server, self.layout), firsts.values()
                )
            )

    def _spawn(self, server: Server) -> None:
        command = releases.command_of(server, self.layout)
        log = self.layout.log(server.name)
        log.write_text("")
        running = processes.start(
            command, self.layout.server(server.name), log, releases.environ_of(server, self.layout)
        )
        known = self.state.servers[server.name]
        self.state.servers[server.name] = replace(
            known, process=running, digest=self._digest(server)
        )
        self.state.save(self.layout.state)

    def _await(self, server: Server) -> None:
        running = self.state.servers[server.name].process
        assert running is not None
        processes.await_answer(
            server.name,
            running,
            self._ready_url(server),
            releases.READY_STATUS[server.role],
            self.layout.log(server.name),
            START_SECONDS,
        )

    def _ready_url(self, server: Server) -> str:
        return self.site.url(server.name) + releases.READY_PATH


def _alive(server: ServerState) -> bool:
    return server.process is not None and server.process.find() is not None


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _free_port(taken: Collection[int]) -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
        return _free_port(taken) if port in taken else port
