# SPDX-License-Identifier: Apache-2.0
"""The cliff application: output streams, logging and exit codes.

What must live here: code that all commands share. What must not: code of a single command.
"""

from __future__ import annotations

import argparse
import io
import itertools
import logging
import os
import sys
import traceback
import typing
from collections.abc import Sequence
from importlib import metadata

from cliff import app as cliff_app
from cliff import command
from cliff.display import DisplayCommandBase

from glance_compat import exceptions
from glance_compat.cli import cloud, commands
from glance_compat.cli.formatting import escape_controls, to_one_line
from glance_compat.cli.references import AmbiguousName, write_details
from glance_compat.cli.tables import FittingTable
from glance_compat.cli.usage import MissingPackage, UsageError, suggest
from glance_compat.redaction import redact_text

NAME = "glance-compat"
DESCRIPTION = (
    "Use OpenStack Glance over the Images API v1 or v2, whichever a cloud offers. To try it:"
    f" {NAME} demo"
)

#: Errors whose messages this package wrote, without secrets.
_OWN_ERRORS = (exceptions.GlanceCompatError, UsageError, MissingPackage, AmbiguousName)

#: The begin of argparse's message about unknown options.
_UNRECOGNIZED = "unrecognized arguments: "

#: Exit code of a usage error; the same as argparse's.
EXIT_USAGE = 2
#: The exit code that a shell reports for a program killed by SIGINT (128 + 2), as Ctrl-C does.
EXIT_INTERRUPTED = 130
#: The exit code that a shell reports for a program killed by SIGPIPE (128 + 13).
EXIT_PIPE = 141


class OneLineFormatter(logging.Formatter):
    """Format a log record as one line, followed by its traceback, if any.

    Control characters are escaped, because error messages quote server responses, which may quote
    image metadata. Credentials are removed from messages of other libraries, some of which log
    the auth URL unredacted.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's message; an exception is prefixed with the name of its class."""
        message = record.getMessage()
        if not _is_redacted(record):
            message = redact_text(message)
        if isinstance(record.msg, BaseException):
            message = f"{type(record.msg).__name__}: {message}"
        lines = [to_one_line(message)]
        if record.exc_info and record.exc_info[0]:
            trace = "".join(traceback.format_exception(*record.exc_info))
            lines += [_format_trace(line) for line in trace.splitlines()]
        return "\n".join(lines)


def _is_redacted(record: logging.LogRecord) -> bool:
    """Return whether the message is already redacted, because this library wrote it."""
    if isinstance(record.msg, BaseException):
        return isinstance(record.msg, _OWN_ERRORS)
    return _is_own(record)


def _format_trace(line: str) -> str:
    indentation = line[: len(line) - len(line.lstrip())]
    return escape_controls(indentation + redact_text(line))


def _is_own(record: logging.LogRecord) -> bool:
    return record.name.startswith((NAME, "glance_compat"))


class PrivateFileHandler(logging.FileHandler):
    """Append to a file; a new file is readable and writable by its owner only (mode 0600)."""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(self.baseFilename, flags, 0o600), "a", encoding="utf-8")


def _is_not_from_stevedore(record: logging.LogRecord) -> bool:
    return not record.name.startswith("stevedore")


def _is_ours_or_serious(record: logging.LogRecord) -> bool:
    """Return whether to show a record without ``-v``.

    Warnings of other libraries are hidden: this library either raises its own error or handles
    the cause (urllib3, for example, warns about a v1 header block that metadata made malformed).
    """
    return _is_own(record) or (
        record.levelno >= logging.ERROR
        # It reports data that is no VMDK disk as an error, while it looks for the format.
        and not record.name.startswith("oslo_utils.imageutils")
    )


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
        super().__init__(
            description=DESCRIPTION,
            version=metadata.version(NAME),
            command_manager=commands.create_manager(),
            stdin=stdin,
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
        parser.add_argument("--version", action="version", version=f"{NAME} {version}")
        cloud.add_options(parser)
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

    def prepare_to_run_command(self, cmd: command.Command) -> None:
        """Replace what cliff's commands have of their own: usage errors and tables."""
        create = cmd.get_parser

        def get_parser(prog_name: str) -> argparse.ArgumentParser:
            parser = create(prog_name)
            self._shorten_errors(parser, *self.parser._option_string_actions)
            return parser

        cmd.get_parser = get_parser  # type: ignore[method-assign]
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
        handlers: list[logging.Handler] = [logging.StreamHandler(self.stderr)]
        if self.options.log_file:
            handlers.append(PrivateFileHandler(self.options.log_file))
        root = logging.getLogger()
        root.setLevel(level)
        for handler in handlers:
            handler.setLevel(level)
            handler.setFormatter(OneLineFormatter())
            # stevedore logs every plugin that it finds.
            handler.addFilter(_is_not_from_stevedore)
            if level >= logging.WARNING:
                handler.addFilter(_is_ours_or_serious)
            root.addHandler(handler)

    def run(self, argv: list[str]) -> int:
        """Run one command, then restore the process's logging configuration.

        :returns: the exit code: 0 success, 1 failure, 2 usage error, or a command's own code.
        """
        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        try:
            result = super().run(argv)
            if result == EXIT_INTERRUPTED:
                self.stderr.write("Interrupted\n")
            return result
        finally:
            for handler in set(root.handlers) - set(handlers):
                root.removeHandler(handler)
                handler.close()
            root.setLevel(level)

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command; return :data:`EXIT_USAGE` for a usage error."""
        try:
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
        write_details(self.stderr, err)

    def interact(self) -> None:
        """Exit with a usage error instead of starting cliff's interactive mode."""
        self.parser.error(f"no command was passed; see {NAME} --help")


def run(argv: Sequence[str]) -> int:
    """Run one command on ``sys.stdout`` and ``sys.stderr``.

    :param argv: the command-line arguments.
    :returns: the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Escape characters that the terminal's encoding lacks, instead of raising.
            stream.reconfigure(errors="backslashreplace")
    try:
        result = GlanceCompat().run(list(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        result = EXIT_PIPE
    except OSError as error:
        # Such as a full disk. The interpreter would try to write the rest again at exit.
        sys.stderr.write(f"The output could not be written: {error.strerror}\n")
        _discard_output()
        return 1
    if result == EXIT_PIPE:
        # The interpreter flushes stdout again at exit, which would raise BrokenPipeError.
        _discard_output()
    return result


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
