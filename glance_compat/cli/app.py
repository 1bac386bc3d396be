# SPDX-License-Identifier: Apache-2.0
"""The cliff application: output streams, logging and exit codes.

What must live here: code that all commands share. What must not: code of a single command.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import itertools
import logging
import os
import shutil
import sys
import textwrap
import typing
from collections.abc import Iterator, Sequence

import autopage.argparse
from cliff import app as cliff_app
from cliff import command
from cliff import help as cliff_help

from glance_compat.cli import cloud_options, commands, logs
from glance_compat.cli.formatting import to_one_line
from glance_compat.cli.interrupts import EXIT_INTERRUPTED, HANDLER, MESSAGE
from glance_compat.cli.usage import (
    CommandError,
    OutputError,
    UsageError,
    refuse_repetitions,
    suggest,
)

NAME = "glance-compat"
DESCRIPTION = (
    "Use OpenStack Glance over the Images API v1 or v2, whichever a cloud offers. To try it:"
    f" {NAME} demo"
)

#: The begin of argparse's message about unknown options.
_UNRECOGNIZED = "unrecognized arguments: "

#: Exit code of a usage error; the same as argparse's.
EXIT_USAGE = 2
#: The exit code that a shell reports for a program killed by SIGPIPE (128 + 13).
EXIT_PIPE = 141


class GlanceCompat(cliff_app.App):
    """The cliff application ``glance-compat``.

    :param stdout: stream for results; None: ``sys.stdout``.
    :param stderr: stream for messages; None: ``sys.stderr``.
    :param stdin: stream of data; None: ``sys.stdin``.
    """

    NAME = NAME
    LOG = logging.getLogger(NAME)

    def __init__(
        self,
        stdout: typing.TextIO | None = None,
        stderr: typing.TextIO | None = None,
        stdin: typing.TextIO | None = None,
    ) -> None:
        self._failure: BaseException | None = None
        self._log_file: logs.PrivateFileHandler | None = None
        super().__init__(
            description=DESCRIPTION,
            # Read when it is printed.
            version=None,
            command_manager=commands.create_manager(),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            deferred_help=True,
        )
        self.command_manager.add_command("help", Help)
        # Replace cliff's own, which completes options only, in bash only.
        self.command_manager.commands["complete"] = commands.entry_point("complete")

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, typing.Any] | None = None,
    ) -> argparse.ArgumentParser:
        """Add the options that choose a cloud; they may precede or follow the command."""
        parser = super().build_option_parser(
            description,
            version,
            {
                "prog": NAME,
                "usage": f"{NAME} [options] COMMAND [options of the command]",
                # The --api of a command would be read as --api-version.
                "allow_abbrev": False,
                # Replace cliff's --version, which prints the name of the running script.
                "conflict_handler": "resolve",
                **(argparse_kwargs or {}),
            },
        )
        parser.add_argument(
            "--version", dest="show_version", action="store_true", help="show the version"
        )
        parser.add_argument(
            "--no-progress",
            dest="show_progress",
            action="store_false",
            help="show no progress on a terminal; elsewhere none is shown anyway",
        )
        cloud_options.add_options(parser)
        self._shorten_errors(parser)
        return parser

    def _shorten_errors(self, parser: argparse.ArgumentParser, *more: str) -> None:
        """Make a parser report a usage error in one line, without the list of all options.

        :param more: options that the user may have meant as well.
        """

        def report(message: str) -> typing.NoReturn:
            hint = ""
            if message.startswith(_UNRECOGNIZED):
                first = message.removeprefix(_UNRECOGNIZED).split()[0].partition("=")[0]
                hint = suggest(first, [*parser._option_string_actions, *more])
            text = to_one_line(message)
            parser.exit(EXIT_USAGE, f"{parser.prog}: error: {text}.{hint} See {parser.prog} -h\n")

        parser.error = report  # type: ignore[method-assign]

    def _report_output_errors(self, parser: argparse.ArgumentParser) -> None:
        """Make a parser raise the error of a write of its help, which argparse ignores."""
        print_ignoring_errors, parse = parser._print_message, parser.parse_args

        def print_message(message: str, file: typing.TextIO | None = None) -> None:
            if file is None or file is sys.stderr:
                print_ignoring_errors(message, file)
            else:
                file.write(message)

        def parse_args(argv: Sequence[str]) -> argparse.Namespace:
            with _output_errors(self.stdout):
                return parse(argv)

        parser._print_message = print_message  # type: ignore[assignment,method-assign]
        parser.parse_args = parse_args  # type: ignore[assignment,method-assign]

    def prepare_to_run_command(self, cmd: command.Command) -> None:
        """Replace what cliff's commands have of their own: usage errors and tables."""
        from cliff.display import DisplayCommandBase

        from glance_compat.cli.tables import FittingTable

        create = cmd.get_parser

        def get_parser(prog_name: str) -> argparse.ArgumentParser:
            parser = create(prog_name)
            self._shorten_errors(parser, *self.parser._option_string_actions)
            self._report_output_errors(parser)
            refuse_repetitions(parser)
            return parser

        run = cmd.run

        def run_command(parsed_args: argparse.Namespace) -> int:
            with _output_errors(self.stdout):
                return run(parsed_args)

        cmd.get_parser = get_parser  # type: ignore[method-assign]
        cmd.run = run_command  # type: ignore[method-assign]
        if isinstance(cmd, DisplayCommandBase):
            for plugin in cmd._formatter_plugins:
                if plugin.name == "table":
                    plugin.obj = FittingTable()

    def configure_logging(self) -> None:
        """Log to stderr: warnings by default, INFO with -v, DEBUG with -vv or --debug."""
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(
            self.options.verbose_level, logging.DEBUG
        )
        level = logging.DEBUG if self.options.debug else level
        self._log_file = logs.configure(level, self.stderr, self.options.log_file)

    def print_help_if_requested(self) -> None:
        """Print the version or the help, and exit, if --version or --help is set."""
        if self.options.show_version:
            from importlib import metadata

            with _output_errors(self.stdout):
                self.stdout.write(f"{NAME} {metadata.version(NAME)}\n")
            raise cliff_help.HelpExit
        if self.options.deferred_help:
            self.print_help()
            raise cliff_help.HelpExit

    def print_help(self) -> None:
        """Print the options and the commands; unlike cliff, without an import of each command."""
        pager = autopage.argparse.help_pager(self.stdout)
        autopage.argparse.use_color_for_parser(self.parser, pager.to_terminal())
        with _output_errors(self.stdout), pager as out:
            # print_help() ignores errors of the stream.
            out.write(self.parser.format_help())
            out.write("\nCommands:\n")
            for line in _format_commands(shutil.get_terminal_size().columns - 2):
                out.write(f"{line}\n")

    def run(self, argv: list[str]) -> int:
        """Run one command, then restore the process's logging configuration.

        :returns: the exit code: 0 success, 1 failure, 2 usage error, or a command's own code.
        """
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        try:
            result = super().run(argv)
            if result == EXIT_INTERRUPTED:
                self.stderr.write(MESSAGE)
            return self._check_log(result)
        finally:
            for handler in set(root.handlers) - set(handlers):
                root.removeHandler(handler)
                handler.close()
            root.setLevel(level)

    def _check_log(self, result: int) -> int:
        """Return the exit code; 1 if the log could not be written."""
        if self._log_file is None or self._log_file.failure is None:
            return result
        self.LOG.error(self._log_file.failure)
        return result or 1

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command; return :data:`EXIT_USAGE` for a usage error."""
        try:
            with HANDLER.importing():
                self.command_manager.find_command(argv)
        except ValueError:
            self._report_unknown_command(argv)
            return EXIT_USAGE
        result = super().run_subcommand(argv)
        return EXIT_USAGE if isinstance(self._failure, UsageError) else result

    def _report_unknown_command(self, argv: Sequence[str]) -> None:
        words = list(itertools.takewhile(lambda one: not one.startswith("-"), argv))
        known = sorted(name for name, _ in self.command_manager)
        group = [name for name in known if words and name.startswith(f"{words[0]} ")]
        hint = "" if group else suggest(" ".join(words[:2]), known) or suggest(argv[0], known)
        self.LOG.error(
            "%s is not a command.%s Commands: %s", argv[0], hint, ", ".join(group or known)
        )

    def clean_up(self, cmd: command.Command, result: int, err: BaseException | None) -> None:
        """Keep the exception that a command raised; cliff passes it only to this method."""
        self._failure = err
        if isinstance(err, CommandError):
            self.stderr.write(err.details)

    def interact(self) -> None:
        """Exit with a usage error instead of starting cliff's interactive mode."""
        self.parser.error(f"no command was passed; see {NAME} --help")


def _format_commands(width: int) -> Iterator[str]:
    """Yield the lines of a list of all commands, as wide as argparse's help."""
    longest = max(map(len, commands.COMMANDS))
    for name, entry in sorted(commands.COMMANDS.items()):
        yield from textwrap.wrap(
            entry.summary,
            max(width, 2 * longest),
            initial_indent=f"  {name:<{longest}}  ",
            subsequent_indent=" " * (longest + 4),
        )


class Help(cliff_help.HelpCommand):
    """Show the options and commands, or the options of one command."""

    app: GlanceCompat

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Print the help."""
        if parsed_args.cmd:
            return self.app.run_subcommand([*parsed_args.cmd, "--help"])
        self.app.print_help()
        return 0


def run(argv: Sequence[str]) -> int:
    """Run one command on ``sys.stdout`` and ``sys.stderr``.

    :param argv: the command-line arguments.
    :returns: the exit code.
    """
    _replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape characters that the terminal's encoding lacks, instead of raising.
            stream.reconfigure(errors="backslashreplace")
    try:
        with _output_errors(sys.stdout):
            result = _exit_code(argv)
            sys.stdout.flush()
    except BrokenPipeError:
        result = EXIT_PIPE
    except OutputError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    if result == EXIT_PIPE:
        # The interpreter flushes stdout again at exit, which would raise BrokenPipeError.
        _discard_output(sys.stdout)
    return result


#: Errors of a write to a file that was opened before.
_WRITE_ERRORS = frozenset({errno.EBADF, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


@contextlib.contextmanager
def _output_errors(stream: typing.TextIO) -> Iterator[None]:
    """Convert the error of a write to stdout, such as on a full disk, to an OutputError.

    :param stream: stdout; what is still in its buffer is discarded, because it would fail again.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _WRITE_ERRORS or error.filename is not None:
            raise
        _discard_output(stream)
        raise OutputError(f"cannot write the output: {error.strerror}") from error


def _discard_output(stream: typing.TextIO) -> None:
    if isinstance(stream, io.TextIOWrapper):
        logs.discard_output(stream)


def _replace_closed_streams() -> None:
    """Replace standard streams that the parent process closed, which are None in Python.

    A write to the replacement of stdout fails with EBADF, as a write to a closed file does.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _exit_code(argv: Sequence[str]) -> int:
    """Run one command; argparse ends with SystemExit after --help and a usage error."""
    try:
        return GlanceCompat().run(list(argv))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
