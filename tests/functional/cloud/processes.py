# SPDX-License-Identifier: Apache-2.0
"""Start, identify, await and stop the server processes."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
import tenacity

STOP_SECONDS = 15
# psutil derives the time from the boot time, which changes slightly when the clock is set.
_SAME_START_SECONDS = 10


class CloudError(Exception):
    """A server or an environment failed; the message has its name and its log."""


class _NotReadyError(Exception):
    """The server does not respond yet."""


@dataclass(frozen=True)
class Running:
    """A process: its id and, because ids are reused, its start time (seconds since the epoch)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Running:
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """Return the process, or None if it has ended or another process has its id."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    def memory(self) -> int:
        """Return the memory of the process and its children in bytes, or 0 if it has ended."""
        process = self.find()
        if process is None:
            return 0
        family = [process, *_children(process)]
        return sum(_memory_share(member) for member in family)


def _memory_share(process: psutil.Process) -> int:
    try:
        memory = process.memory_full_info()
        # Memory shared by a parent and its forked workers must count once; only Linux reports a
        # proportional share of it.
        return int(getattr(memory, "pss", memory.uss))
    except psutil.Error:
        return 0


def run(
    what: str,
    command: Sequence[str],
    log: Path,
    environ: Mapping[str, str],
    seconds: float,
) -> None:
    """Run a command in the directory of a log; append its output to the log.

    :param what: the name of the work in the error, such as "the database of keystone".
    :raises CloudError: the command failed or timed out; the message has the end of the log.
    """
    with log.open("a") as output:
        output.write(f"$ {shlex.join(command)}\n")
        output.flush()
        try:
            done = subprocess.run(
                command,
                cwd=log.parent,
                env=dict(environ),
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=seconds,
            )
            failure = f"exit status {done.returncode}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            failure = f"not done after {seconds:g} seconds"
    if failure:
        raise CloudError(f"Making {what} failed ({failure}):\n{last_lines(log)}")


def start(
    command: Sequence[str], directory: Path, log: Path, environ: Mapping[str, str]
) -> Running:
    """Start a server in its own session, so that it outlives this process."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # The server keeps running; Popen would warn of a process that is not waited for.
    process.returncode = 0
    return Running.of(process.pid)


def server_environ() -> dict[str, str]:
    """Return an environment without proxies, OS_* or PYTHON* variables."""
    return {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ
    } | {"LANG": "C.UTF-8"}


def answers(url: str, expected: int) -> bool:
    """Return whether a GET without a token gets the expected status of this type of server."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=5, allow_redirects=False).status_code == expected
        except requests.RequestException:
            return False


def await_answer(
    name: str, running: Running, url: str, expected: int, log: Path, seconds: float
) -> None:
    """Wait until the server responds.

    :raises CloudError: the process ended or the time is up; the message has the end of the log.
    """

    def look() -> None:
        if running.find() is None:
            raise CloudError(f"{name} ended while it started:\n{last_lines(log)}")
        if not answers(url, expected):
            raise _NotReadyError

    patience = tenacity.Retrying(
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_fixed(0.1),
        retry=tenacity.retry_if_exception_type(_NotReadyError),
    )
    try:
        patience(look)
    except tenacity.RetryError:
        raise CloudError(
            f"{name} did not answer at {url} within {seconds:g} seconds:\n{last_lines(log)}"
        ) from None


def stop(running: Sequence[Running]) -> None:
    """Stop processes and their children; kill those that ignore SIGTERM."""
    _stop([process for one in running if (process := one.find())])


def stop_programs_of(environment: Path) -> None:
    """Stop the processes of an environment: servers, or a build whose parent was killed."""
    _stop([process for process in psutil.process_iter() if _runs_from(process, environment)])


def _runs_from(process: psutil.Process, environment: Path) -> bool:
    try:
        # The program, or the interpreter's first argument if the program is a script.
        return any(Path(word).is_relative_to(environment) for word in process.cmdline()[:2])
    except psutil.Error:
        return False


def _stop(leaders: Sequence[psutil.Process]) -> None:
    family = [*leaders, *(child for leader in leaders for child in _children(leader))]
    for process in family:
        _ignoring_gone(process.terminate)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for process in alive:
        _ignoring_gone(process.kill)
    psutil.wait_procs(alive, timeout=STOP_SECONDS)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _ignoring_gone(action: Callable[[], None]) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        action()


def last_lines(log: Path, count: int = 30) -> str:
    """Return the last lines of a log, or "" if there is none."""
    if not log.is_file():
        return ""
    with log.open(errors="replace") as lines:
        return "".join(deque(lines, maxlen=count)).rstrip()
