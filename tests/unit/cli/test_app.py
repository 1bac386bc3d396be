# SPDX-License-Identifier: Apache-2.0
"""What holds for every command: exit codes, errors, the log, streams."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from cliff.command import Command

from glance_compat import exceptions
from glance_compat.cli.app import GlanceCompat, OneLineFormatter
from glance_compat.fixture import GlanceFixture
from tests.unit.cli.conftest import options
from tests.unit.cli.running import PATIENCE, in_process, program, sdk_may_warn

pytestmark = sdk_may_warn

COMMANDS = {"audit", "demo", "discover", "list", "serve", "show"}


def test_commands_are_entry_points() -> None:
    entries = metadata.entry_points(group="glance_compat.cli")
    assert {entry.name for entry in entries} == COMMANDS
    assert all(issubclass(entry.load(), Command) for entry in entries)


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


def test_help_names_every_command() -> None:
    outcome = in_process("--help")
    assert outcome.code == 0
    listed = {line.split()[0] for line in outcome.out.splitlines() if line.startswith("  ")}
    assert listed >= COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("how", ["--help", "help"])
def test_every_command_has_help(
    command: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = (command, "--help") if how == "--help" else ("help", command)
    outcome = in_process(*argv)
    assert outcome.code == 0
    assert f"usage: glance-compat {command}" in outcome.out + capsys.readouterr().out


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert in_process().code == 2
    assert "no command" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nonsense", "lisst", "image"])
def test_unknown_command_is_wrong_usage(name: str) -> None:
    outcome = in_process(name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error.startswith(f"{name} is not a command; commands: ")
    assert "discover" in outcome.error


@pytest.mark.parametrize("argv", [("show",), ("show", "a", "b"), ("list", "--bogus")])
def test_wrong_arguments_are_wrong_usage(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert in_process(*argv).code == 2
    assert f"glance-compat {argv[0]}: error: " in capsys.readouterr().err


class Failing(Command):
    """Fails as it is told."""

    failure: Exception = exceptions.ImageNotFound("no such image \x1b[31m\nnor any other")

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        logging.getLogger("glance_compat").warning("folded \x9b31m")
        logging.getLogger("glance_compat").info("chosen")
        logging.getLogger("urllib3").warning("damaged header")
        raise self.failure


def failing(*argv: str) -> tuple[int, str]:
    """Run the failing command and return its code and its stderr."""
    import io

    err = io.StringIO()
    app = GlanceCompat(argv, stdout=io.StringIO(), stderr=err)
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("missing", "argv", "words"),
    [
        ("cliff", ["demo"], "'glance-compat[cli]'"),
        ("werkzeug", ["demo"], "'glance-compat[fixtures]'"),
        ("cheroot", ["serve"], "'glance-compat[fixtures]'"),
        ("openstack", ["discover"], "'glance-compat[cli]'"),
    ],
)
def test_missing_extra_is_named(
    environment: dict[str, str], missing: str, argv: list[str], words: str
) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from glance_compat.cli import main\n"
        f"sys.exit(main({argv!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert f"needs the package {missing}:" in line
    assert words in line


@pytest.mark.slow
def test_closed_stdout_exits_141_silently(environment: dict[str, str]) -> None:
    # More than a pipe holds.
    images = [{"name": f"{number:04}" + "x" * 200} for number in range(600)]
    with GlanceFixture(images=images) as glance:
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


@pytest.mark.slow
def test_character_outside_terminal_encoding_is_escaped(environment: dict[str, str]) -> None:
    with GlanceFixture(images=[{"name": "café 日本"}]) as glance:
        outcome = program(
            {**environment, "PYTHONIOENCODING": "ascii"},
            *("list", "-f", "value", "-c", "name", *options(glance)),
        )
    assert (outcome.code, outcome.out.strip()) == (0, "caf\\xe9 \\u65e5\\u672c")
