# SPDX-License-Identifier: Apache-2.0
"""Behaviour of all commands: exit codes, errors, the log, streams."""

from __future__ import annotations

import argparse
import io
import logging
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from cliff.command import Command

from glance_compat import cli, exceptions
from glance_compat.cli import commands
from glance_compat.cli.app import GlanceCompat
from glance_compat.cli.logs import OneLineFormatter
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, in_process, sdk_may_warn

pytestmark = sdk_may_warn

COMMANDS = {
    *(
        "audit",
        "complete",
        "copy",
        "create",
        "deactivate",
        "delete",
        "demo",
        "discover",
        "list",
        "reactivate",
        "save",
        "sync",
    ),
    *("hide", "import", "serve", "set", "show", "stores", "supersede", "unhide", "unset"),
    *("member add", "member list", "member remove", "member set"),
}


def test_commands_are_those_of_the_table() -> None:
    assert commands.COMMANDS.keys() == COMMANDS
    manager = commands.create_manager()
    for name in COMMANDS:
        found, shown_name, left = manager.find_command([*name.split(), "x"])
        assert issubclass(found, Command)
        assert (shown_name, left) == (name, ["x"])


@pytest.mark.slow
def test_program_is_installed(environment: dict[str, str]) -> None:
    program_path = Path(sys.executable).with_name("glance-compat")
    done = subprocess.run(
        [program_path, "--version"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout.split()) == (
        0,
        ["glance-compat", metadata.version("glance-compat")],
    )


@pytest.mark.parametrize("width", [60, 80, 160])
def test_help_names_every_command(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    outcome = in_process("--help")
    assert outcome.code == 0
    lines = outcome.out.partition("\nCommands:\n")[2].splitlines()
    assert {line[2:].split("  ")[0] for line in lines} >= COMMANDS
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("how", ["--help", "help"])
def test_every_command_has_help(
    command: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command.split()
    argv = (*words, "--help") if how == "--help" else ("help", *words)
    outcome = in_process(*argv)
    assert outcome.code == 0
    assert f"usage: glance-compat {command}" in outcome.out + capsys.readouterr().out


def test_help_of_unknown_command_is_wrong_usage() -> None:
    outcome = in_process("help", "lisst")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith("lisst is not a command. Did you mean list? Commands: ")


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (("set", "one", "--name", "a", "--name", "b"), "--name"),
        (("set", "one", "--name", "a", "--name=a"), "--name"),
        (("save", "one", "--file", "a", "--file", "b"), "--file"),
        (("list", "--limit", "1", "--limit", "2"), "--limit"),
        (("list", "-f", "json", "--format", "csv"), "-f/--format"),
    ],
)
def test_second_value_of_an_option_is_wrong_usage(
    argv: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(*argv).code == 2
    assert capsys.readouterr().err == (
        f"glance-compat {argv[0]}: error: argument {option}: may be set only once. See"
        f" glance-compat {argv[0]} -h\n"
    )


def test_last_value_of_a_global_option_counts() -> None:
    # An alias of a shell may set it.
    outcome = in_process("--os-cloud", "one", "list", "--os-cloud", "two")
    assert outcome.code == 1
    assert "cloud 'two' was not found" in outcome.error


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process().code == 2
    assert "no command" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "question"),
    [("nonsense", ""), ("lisst", " Did you mean list?"), ("image", ""), ("d", "")],
)
def test_unknown_command_is_wrong_usage(name: str, question: str) -> None:
    outcome = in_process(name, "image")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{name} is not a command.{question} Commands: audit, ")
    assert "discover" in outcome.error


@pytest.mark.parametrize("argv", [("show",), ("discover", "a"), ("list", "--bogus")])
def test_wrong_arguments_are_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(*argv).code == 2
    assert f"glance-compat {argv[0]}: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (
            ("list", "--limt", "3"),
            "unrecognized arguments: --limt 3. Did you mean --limit? See glance-compat list -h",
        ),
        (
            ("list", "--os-clod=x"),
            "unrecognized arguments: --os-clod=x. Did you mean --os-cloud? See glance-compat list"
            " -h",
        ),
        (("list", "--zzz"), "unrecognized arguments: --zzz. See glance-compat list -h"),
        (
            ("delete",),
            "the following arguments are required: IMAGE. See glance-compat delete -h",
        ),
    ],
)
def test_usage_error_is_one_line(
    argv: tuple[str, ...], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(*argv).code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"glance-compat {argv[0]}: error: {error}"


@pytest.mark.slow
def test_package_is_a_program(environment: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "glance_compat", "lisst"]
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lisst is not a command. Did you mean list?")


class Failing(Command):
    """A command that raises ``failure``."""

    failure: Exception = exceptions.ImageNotFound("no such image \x1b[31m\nnor any other")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        logging.getLogger("glance_compat").warning("folded \x9b31m")
        logging.getLogger("glance_compat").info("chosen")
        logging.getLogger("urllib3").warning("damaged header")
        raise self.failure


def failing(*argv: str) -> tuple[int, str]:
    """Run the failing command and return its exit code and stderr."""
    err = io.StringIO()
    app = GlanceCompat(stdout=io.StringIO(), stderr=err)
    app.command_manager.add_command("fail", Failing)
    return app.run([*argv, "fail"]), err.getvalue()


def test_error_is_one_line_with_its_type() -> None:
    code, err = failing()
    assert code == 1
    assert err.splitlines() == [
        "folded \\x9b31m",
        "ImageNotFound: no such image \\x1b[31m nor any other",
    ]


def test_verbosity_options_select_log_records(tmp_path: Path) -> None:
    assert failing("-q")[1].splitlines() == [
        "ImageNotFound: no such image \\x1b[31m nor any other"
    ]
    assert failing("-v")[1].splitlines()[:3] == ["folded \\x9b31m", "chosen", "damaged header"]
    path = tmp_path / "log"
    failing("--log-file", str(path))
    assert "ImageNotFound" in path.read_text()


def test_debug_adds_escaped_traceback() -> None:
    code, err = failing("--debug")
    assert code == 1
    assert "Traceback (most recent call last):" in err.splitlines()
    assert "in take_action" in err
    assert "\x1b" not in err
    assert "\x9b" not in err


def test_logging_is_restored() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    failing("--debug")
    assert (list(root.handlers), root.level) == before


def test_exception_is_logged_with_its_type() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, KeyError("id"), (), None)
    assert OneLineFormatter().format(record) == "KeyError: 'id'"


def test_missing_cliff_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cliff", None)
    forget(monkeypatch, "glance_compat.cli.app")
    assert cli.main(["demo"]) == 1
    assert capsys.readouterr().err == (
        "glance-compat needs the package cliff: python3 -m pip install 'glance-compat[cli]'\n"
    )


@pytest.mark.parametrize(
    ("missing", "importers", "argv", "extra"),
    [
        (
            "werkzeug",
            ("glance_compat.cli.demonstration", "glance_compat.fixture"),
            ["demo"],
            "fixtures",
        ),
        ("cheroot", ("glance_compat.fixture",), ["serve"], "fixtures"),
        ("openstack", ("glance_compat.cli.clouds_yaml",), ["discover"], "cli"),
    ],
)
def test_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch,
    missing: str,
    importers: tuple[str, ...],
    argv: list[str],
    extra: str,
) -> None:
    for module in (*importers, missing):
        forget(monkeypatch, module)
    monkeypatch.setitem(sys.modules, missing, None)
    outcome = in_process(*argv)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.error == (
        f"MissingPackage: this command needs the package {missing}:"
        f" python3 -m pip install 'glance-compat[{extra}]'"
    )


def forget(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Make Python import a module and its submodules again during the test."""
    for name in [one for one in sys.modules if f"{one}.".startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
        package, _, attribute = name.rpartition(".")
        if package in sys.modules:
            monkeypatch.delattr(sys.modules[package], attribute, raising=False)


@pytest.mark.slow
def test_closed_stdout_exits_141_silently(environment: dict[str, str]) -> None:
    # More than the buffer of a pipe.
    images = [{"name": f"{number:04}" + "x" * 200} for number in range(600)]
    with GlanceFixture(fault_injection=False, images=images) as glance:
        argv = [sys.executable, "-m", "glance_compat.cli", "list", "-f", "value", "--long"]
        with subprocess.Popen(
            [*argv, *options(glance)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert running.stdout.read(10)
            running.stdout.close()
            assert (running.wait(PATIENCE), running.stderr.read()) == (141, b"")


def test_character_outside_terminal_encoding_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    with GlanceFixture(fault_injection=False, images=[{"name": "café 日本"}]) as glance:
        assert cli.main(["list", "-f", "value", "-c", "name", *options(glance)]) == 0
    terminal.seek(0)
    assert terminal.read() == "caf\\xe9 \\u65e5\\u672c\n"
