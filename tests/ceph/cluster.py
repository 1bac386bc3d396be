# SPDX-License-Identifier: Apache-2.0
"""A real Ceph cluster on loopback: one monitor, one store in memory, keys as on any cluster.

It needs the programs of Ceph (Debian: ``ceph-mon`` and ``ceph-osd``), its modules for the Python
that runs the tests (``python3-rados``, ``python3-rbd``), and no special privileges.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.machinery
import json
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import tenacity

from tests.ceph import POOLS, READER

HOST = "127.0.0.1"
START_SECONDS = 60
PROGRAMS = ("ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "setpriv")
MODULES = ("rados", "rbd")
#: The folder of Debian's and Ubuntu's modules, which other interpreters do not search.
_DEBIAN = Path("/usr/lib/python3/dist-packages")

_CONF = """
[global]
fsid = {fsid}
mon host = [v2:{host}:{port}]
auth client required = cephx
auth cluster required = cephx
auth service required = cephx
keyring = {folder}/$name.keyring
run dir = {folder}
admin socket =
public addr = {host}
cluster addr = {host}
[client]
log file =
log to stderr = false
[mon]
log file = {folder}/mon.log
mon data = {folder}/mon
mon allow pool size one = true
paxos propose interval = 0.01
paxos min wait = 0.01
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
[osd]
log file = {folder}/osd.log
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 536870912
"""


class UnavailableError(Exception):
    """Ceph is not installed; the message names the missing part."""


class _NotReadyError(Exception):
    """The cluster does not respond yet."""


def modules_folder(folder: Path) -> Path:
    """Fill a folder with Ceph's modules only, for interpreters that do not search their folder.

    :raises UnavailableError: the modules are not installed for this Python.
    """
    for name in MODULES:
        names = [name + suffix for suffix in importlib.machinery.EXTENSION_SUFFIXES]
        found = [path for one in names if (path := _DEBIAN / one).is_file()]
        if not found:
            version = ".".join(map(str, sys.version_info[:2]))
            raise UnavailableError(f"there is no module {name} for Python {version}")
        (folder / found[0].name).symlink_to(found[0])
    return folder


def _module(name: str, folder: Path) -> ModuleType:
    sys.path.append(str(folder))
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UnavailableError(f"module {name} cannot be imported: {error}") from error
    finally:
        sys.path.remove(str(folder))


class Cluster:
    """A :class:`tests.ceph.Ceph`.

    :param folder: a new, empty folder.
    :raises UnavailableError: Ceph is not installed.
    """

    def __init__(self, folder: Path) -> None:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing:
            raise UnavailableError(f"Ceph is not installed: {', '.join(missing)} not found")
        self.modules = folder / "modules"
        for name in ("modules", "mon", "osd"):
            (folder / name).mkdir()
        modules_folder(self.modules)
        self.rados, self.rbd = (_module(name, self.modules) for name in MODULES)
        self.fsid = str(uuid.uuid4())
        self.conf = folder / "ceph.conf"
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    # -- start and stop

    def start(self) -> None:
        """Start the cluster, and create its pools and users."""
        with contextlib.closing(socket.socket()) as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1]
        self.conf.write_text(
            _CONF.format(fsid=self.fsid, host=HOST, port=port, folder=self._folder)
        )
        self._make_keys()
        self._start_monitor(port)
        self._start_store()
        for pool in POOLS:
            self._command("osd pool create", pool=pool, pg_num=4)
        self.user(READER, "profile rbd-read-only pool=" + POOLS[0])

    def stop(self) -> None:
        """Stop the cluster immediately; its data is discarded."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            check=False,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def _make_keys(self) -> None:
        everything = ("--cap", "mon", "allow *", "--cap", "osd", "allow *")
        of_store = ("--cap", "mon", "allow profile osd", "--cap", "osd", "allow *")
        rights = {"mon.": everything, "client.admin": everything, "osd.0": of_store}
        monitor = self._keyring("mon.a")
        for name, caps in rights.items():
            path = monitor if name == "mon." else self._keyring(name)
            self._run("ceph-authtool", "-C", path, "--gen-key", "-n", name, *caps)
            if path != monitor:
                self._run("ceph-authtool", monitor, "--import-keyring", path)

    def _keyring(self, name: str) -> str:
        return str(self._folder / f"{name}.keyring")

    def _start_monitor(self, port: int) -> None:
        addresses = f"[v2:{HOST}:{port}]"
        monmap = ("--create", "--fsid", self.fsid, "--addv", "a", addresses, "monmap")
        self._run("monmaptool", *monmap)
        known = ("-c", str(self.conf), "-i", "a")
        made = ("--mkfs", "--monmap", "monmap", "--keyring", self._keyring("mon.a"))
        self._run("ceph-mon", *known, *made)
        self._spawn("ceph-mon", *known)

    def _start_store(self) -> None:
        identity = str(uuid.uuid4())
        known = ("-c", str(self.conf), "-i", "0")
        self._command("osd new", uuid=identity)
        self._run("ceph-osd", *known, "--mkfs", "--osd-uuid", identity)
        self._spawn("ceph-osd", *known)

        @tenacity.retry(
            retry=tenacity.retry_if_exception_type(_NotReadyError),
            stop=tenacity.stop_after_delay(START_SECONDS),
            wait=tenacity.wait_fixed(0.1),
            reraise=True,
        )
        def up() -> None:
            if self._command("osd stat")["num_up_osds"] != 1:
                raise _NotReadyError("its store does not come up")

        up()

    def _spawn(self, program: str, *arguments: str) -> None:
        log = self._folder / f"{program}.out"
        with log.open("wb") as output:
            self._processes[program] = subprocess.Popen(
                # The daemon also ends when the tests are killed.
                ["setpriv", "--pdeathsig", "KILL", program, "-f", *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    # -- content

    @contextlib.contextmanager
    def _connected(self) -> Iterator[Any]:
        cluster = self.rados.Rados(
            rados_id="admin",
            conffile=str(self.conf),
            conf={
                "client_mount_timeout": str(START_SECONDS),
                "rados_osd_op_timeout": str(START_SECONDS),
            },
        )
        cluster.connect()
        try:
            yield cluster
        finally:
            cluster.shutdown()

    def _command(self, prefix: str, **arguments: object) -> Mapping[str, Any]:
        words = json.dumps({"prefix": prefix, "format": "json", **arguments})
        with self._connected() as cluster:
            status, output, message = cluster.mon_command(words, b"")
        assert status == 0, f"{prefix}: {message}"
        found: Mapping[str, Any] = json.loads(output) if output.startswith(b"{") else {}
        return found

    def user(self, name: str, storage: str) -> None:
        """Create a user with its key.

        :param storage: the capabilities of the user, in Ceph's syntax for OSDs.
        """
        entity, caps = f"client.{name}", ["mon", "profile rbd", "osd", storage]
        words = json.dumps({"prefix": "auth get-or-create", "entity": entity, "caps": caps})
        with self._connected() as cluster:
            status, output, message = cluster.mon_command(words, b"")
        assert status == 0, message
        Path(self._keyring(entity)).write_bytes(output)

    def put(self, pool: str, image: str, data: bytes, snapshot: str = "snap") -> None:
        with self._pool(pool) as ioctx:
            images = self.rbd.RBD()
            if image not in images.list(ioctx):
                features = self.rbd.RBD_FEATURE_LAYERING
                images.create(ioctx, image, len(data), old_format=False, features=features)
            with self.rbd.Image(ioctx, image) as opened:
                opened.resize(len(data))
                if data:
                    opened.write(data, 0)
                opened.create_snap(snapshot)

    def overwrite(self, pool: str, image: str, data: bytes) -> None:
        with self._pool(pool) as ioctx, self.rbd.Image(ioctx, image) as opened:
            opened.resize(len(data))
            opened.write(data, 0)

    def empty(self) -> None:
        """Remove all images."""
        for pool in POOLS:
            with self._pool(pool) as ioctx:
                for image in self.rbd.RBD().list(ioctx):
                    with self.rbd.Image(ioctx, image) as opened:
                        for snapshot in opened.list_snaps():
                            if opened.is_protected_snap(snapshot["name"]):
                                opened.unprotect_snap(snapshot["name"])
                            opened.remove_snap(snapshot["name"])
                    self.rbd.RBD().remove(ioctx, image)

    @contextlib.contextmanager
    def _pool(self, name: str) -> Iterator[Any]:
        with self._connected() as cluster, cluster.open_ioctx(name) as ioctx:
            yield ioctx

    # -- failures

    def silent_storage(self) -> contextlib.AbstractContextManager[None]:
        return self._silent("ceph-osd")

    def silent_monitor(self) -> contextlib.AbstractContextManager[None]:
        return self._silent("ceph-mon")

    @contextlib.contextmanager
    def _silent(self, program: str) -> Iterator[None]:
        process = self._processes[program]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def is_connected(self) -> bool:
        # The threads of librados live as long as a connection. A thread may end meanwhile.
        for path in Path("/proc/self/task").glob("*/comm"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if path.read_text().startswith("msgr-worker"):
                    return True
        return False
