# SPDX-License-Identifier: Apache-2.0
"""The program: streams, the log, exit codes.

What must live here: what holds for every command. What must not: what one of them does.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
import traceback
import typing
from collections.abc import Sequence
from importlib import metadata

from cliff import app as cliff_app
from cliff import command
from cliff.commandmanager import CommandManager

from glance_compat.cli import cloud
from glance_compat.cli.cells import escaped, one_line
from glance_compat.cli.usage import UsageError

NAME = "glance-compat"
COMMANDS = "glance_compat.cli"
DESCRIPTION = (
    "OpenStack Glance, whether a cloud offers the Images API v1, v2 or both. Begin with:"
    f" {NAME} demo"
)

#: The command line itself is wrong, as argparse has it.
EXIT_USAGE = 2
#: As a shell reports a program that was ended by SIGPIPE.
EXIT_PIPE = 141


class OneLine(logging.Formatter):
    """A record on one line; a traceback below it where there is one.

    Nothing reaches the terminal unescaped: errors quote servers, and servers quote metadata.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Write an exception with its type in front."""
        message = record.getMessage()
        if isinstance(record.msg, BaseException):
            message = f"{type(record.msg).__name__}: {message}"
        lines = [one_line(message)]
        if record.exc_info and record.exc_info[0]:
            trace = "".join(traceback.format_exception(*record.exc_info))
            lines += [escaped(line) for line in trace.splitlines()]
        return "\n".join(lines)


def _is_not_of_stevedore(record: logging.LogRecord) -> bool:
    return not record.name.startswith("stevedore")


def _is_ours_or_serious(record: logging.LogRecord) -> bool:
    """Whether a record is for everybody: the libraries below warn of what ends as an error of
    ours, or was repaired (urllib3: a v1 header block that metadata damaged)."""
    return record.levelno >= logging.ERROR or record.name.startswith((NAME, "glance_compat"))


class GlanceCompat(cliff_app.App):
    """``glance-compat``.

    :param argv: the arguments; some options depend on others among them.
    :param stdout: default: the process's own.
    :param stderr: default: the process's own.
    """

    NAME = NAME
    LOG = logging.getLogger(NAME)

    def __init__(
        self,
        argv: Sequence[str],
        stdout: typing.TextIO | None = None,
        stderr: typing.TextIO | None = None,
    ) -> None:
        self._argv = list(argv)
        self._failure: BaseException | None = None
        super().__init__(
            description=DESCRIPTION,
            version=metadata.version(NAME),
            command_manager=CommandManager(COMMANDS),
            stdout=stdout,
            stderr=stderr,
            deferred_help=True,
        )

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, typing.Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Add the options that say which cloud; they may stand before or after the command."""
        parser = super().build_option_parser(
            description,
            version,
            {
                "prog": NAME,
                "usage": f"{NAME} [options] COMMAND [options of the command]",
                # A command's --api would be taken for --api-version.
                "allow_abbrev": False,
                # --version names the program that cliff believes to be in.
                "conflict_handler": "resolve",
                **(argparse_kwargs or {}),
            },
        )
        parser.add_argument("--version", action="version", version=f"{NAME} {version}")
        cloud.add_options(parser, self._argv)
        return parser

    def configure_logging(self) -> None:
        """Send warnings to stderr; with -v more of them; with --debug everything."""
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(
            self.options.verbose_level, logging.DEBUG
        )
        level = logging.DEBUG if self.options.debug else level
        handlers: list[logging.Handler] = [logging.StreamHandler(self.stderr)]
        if self.options.log_file:
            handlers.append(logging.FileHandler(self.options.log_file, encoding="utf-8"))
        root = logging.getLogger()
        root.setLevel(level)
        for handler in handlers:
            handler.setLevel(level)
            handler.setFormatter(OneLine())
            # It tells of every plugin that it looks at.
            handler.addFilter(_is_not_of_stevedore)
            if level == logging.WARNING:
                handler.addFilter(_is_ours_or_serious)
            root.addHandler(handler)

    def run(self, argv: list[str]) -> int:
        """Run one command, and leave the process's log as it was.

        :returns: 0 done, 1 failed, 2 wrong usage, or what the command says.
        """
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        try:
            return super().run(argv)
        finally:
            for handler in set(root.handlers) - set(handlers):
                root.removeHandler(handler)
                handler.close()
            root.setLevel(level)

    def run_subcommand(self, argv: list[str]) -> int:
        """Tell wrong usage from failure."""
        try:
            self.command_manager.find_command(argv)
        except ValueError:
            known = ", ".join(sorted(name for name, _ in self.command_manager))
            self.LOG.error("%s is not a command; there are: %s", argv[0], known)
            return EXIT_USAGE
        result = super().run_subcommand(argv)
        return EXIT_USAGE if isinstance(self._failure, UsageError) else result

    def clean_up(self, cmd: command.Command, result: int, err: BaseException | None) -> None:
        """Remember what a command raised: cliff tells nobody else."""
        self._failure = err

    def interact(self) -> None:
        """Refuse to guess a command: the usual shell is the better one."""
        self.parser.error(f"no command; see {NAME} --help")


def run(argv: Sequence[str]) -> int:
    """Run one command in this process, on its own streams.

    :returns: the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding does not have is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        result = GlanceCompat(argv).run(list(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        result = EXIT_PIPE
    if result == EXIT_PIPE:
        # The interpreter flushes once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result
