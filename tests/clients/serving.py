# SPDX-License-Identifier: Apache-2.0
"""Run ``glance-compat serve`` as a program, and provide the settings of its clients."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tenacity
import yaml
from keystoneauth1 import identity
from keystoneauth1.session import Session

#: Seconds after which a program hangs.
PATIENCE = 300

#: The environment for programs: without the variables of a cloud or a proxy.
_KEPT = (
    *("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PERL5LIB", "PYENV_VERSION"),
    # Otherwise another checkout may be the one that is installed.
    "PYTHONPATH",
)


@dataclass(frozen=True)
class Served:
    """A running server.

    :ivar url: the URL of the image service.
    :ivar clouds_yaml: the path of a clouds.yaml for the server.
    :ivar environment: the environment of client programs.
    """

    url: str
    clouds_yaml: Path
    environment: Mapping[str, str]

    @property
    def auth(self) -> dict[str, str]:
        """Return the ``auth`` section of the clouds.yaml."""
        cloud = yaml.safe_load(self.clouds_yaml.read_text())["clouds"]["glance-compat"]
        found: dict[str, str] = cloud["auth"]
        return found

    def session(self, **other: str) -> Session:
        """Return a session that logs in with a password."""
        arguments: dict[str, Any] = {**self.auth, **other}
        return Session(auth=identity.Password(**arguments))

    def run(self, *argv: str, cwd: Path) -> str:
        """Run a client; return its output."""
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout


#: For each line of input, a list of arguments, a folder and an environment, run a Python program
#: in a fork; its output goes to files in the folder. The program is imported once: for a command
#: line of OpenStack that takes longer than the command.
_FORK_PROGRAM = """
import contextlib, importlib, importlib.metadata, json, os, sys

def run(main, argv, folder, environment):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = argv
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0

name, *modules = sys.argv[1:]
[entry] = importlib.metadata.entry_points(group="console_scripts", name=name)
main = entry.load()
for module in modules:
    with contextlib.suppress(ImportError):
        importlib.import_module(module)
for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 1
        try:
            code = run(main, *json.loads(line))
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            os._exit(code)
    os.write(1, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class PythonProgram:
    """A program that is installed beside this Python, imported once and forked for each run."""

    def __init__(self, name: str, *modules: str) -> None:
        """Start the program.

        :param modules: modules to import in addition, if this release of the program has them.
        """
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _FORK_PROGRAM, name, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, served: Served, cwd: Path, *argv: str) -> str:
        """Run the program as a client of a server; return its output."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = [self._name, *argv]
        line = json.dumps([command, str(cwd), dict(served.environment)])
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        code = self._process.stdout.readline().strip()
        output = (cwd / "stdout").read_text()
        assert code == "0", f"{command}: {output}{(cwd / 'stderr').read_text()}"
        return output

    def close(self) -> None:
        """End the program."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0
        self._process.stdout.close()


def program(name: str) -> str:
    """Return the path of a program in the environment of this Python."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        pytest.fail(f"{name} is part of the extra test, and is not beside {sys.executable}")
    return str(path)


@contextlib.contextmanager
def serving(home: Path, *argv: str) -> Iterator[Served]:
    """Serve for the duration of a context."""
    told = home / "clouds.yaml"
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"HOME": str(home), "PYTHONWARNINGS": "ignore", "NO_PROXY": "*"}
    command = [program("glance-compat"), "serve", "--export", "clouds.yaml", *argv]
    with (
        told.open("w") as stderr,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as server,
    ):
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), told.read_text()
            yield Served(url, told, {**environment, **_variables(told)})
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=PATIENCE) == 0
        finally:
            server.kill()


# The line with the URL may come slightly before the credentials.
@tenacity.retry(
    retry=tenacity.retry_if_result(lambda text: not text.endswith("\n")),
    stop=tenacity.stop_after_delay(PATIENCE),
    wait=tenacity.wait_fixed(0.01),
)
def _told(file: Path) -> str:
    return file.read_text()


def _variables(told: Path) -> dict[str, str]:
    """Return the OS_* variables with the content of a clouds.yaml."""
    cloud = yaml.safe_load(_told(told))["clouds"]["glance-compat"]
    variables = {f"OS_{name.upper()}": value for name, value in cloud["auth"].items()}
    return {
        **variables,
        "OS_REGION_NAME": cloud["region_name"],
        "OS_IDENTITY_API_VERSION": "3",
        "OS_CLIENT_CONFIG_FILE": str(told),
    }
