# SPDX-License-Identifier: Apache-2.0
"""Errors of the command line itself: wrong options, a missing package, output that fails.

What must live here: exception classes that several commands raise, and the functions that raise
them. What must not: errors of requests (``glance_compat.exceptions``).
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from glance_compat.redaction import quote_value

Value = TypeVar("Value")


class CommandError(Exception):
    """Base class of the errors of the command line; their messages contain no secrets.

    :ivar details: lines to write below the message, or "".
    """

    details = ""


class UsageError(CommandError):
    """The options are contradictory or incomplete; exit code 2."""


class MissingPackage(CommandError):
    """A command needs a package of an extra that is not installed."""


class OutputError(CommandError):
    """The output of a command, its log or a file could not be written, such as on a full disk."""


@contextlib.contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Convert the error of a file to an OutputError with its name, not that of the part beside it.

    :param path: the file that the user named.
    """
    try:
        yield
    except BrokenPipeError:
        # The reader of a FIFO closed it; that has its own exit code.
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {quote_value(path)}: {error.strerror or error}"
        ) from error


@contextlib.contextmanager
def require_extra(extra: str) -> Iterator[None]:
    """Convert a ModuleNotFoundError into an error that names the command to install the package.

    :param extra: the extra of glance-compat that installs the imported package.
    :raises glance_compat.cli.usage.MissingPackage: the package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        package = (missing.name or str(missing)).partition(".")[0]
        raise MissingPackage(
            f"this command needs the package {package}:"
            f" python3 -m pip install 'glance-compat[{extra}]'"
        ) from missing


def argument_type(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return an argparse type that reports a ValueError as a usage error.

    :param parse: converts the argument, or raises ValueError with a message for the user.
    """

    def convert(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert


class _StoreOnce(argparse._StoreAction):
    """Store the value of an option, and refuse a second one."""

    _filled: argparse.Namespace | None = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        if namespace is self._filled:
            raise argparse.ArgumentError(self, "may be set only once")
        self._filled = namespace
        super().__call__(parser, namespace, values, option_string)


def refuse_repetitions(parser: argparse.ArgumentParser) -> None:
    """Make a parser report an option with one value that is repeated as a usage error."""
    for action in parser._actions:
        if type(action) is argparse._StoreAction and action.option_strings:
            action.__class__ = _StoreOnce


def suggest(text: str, known: Iterable[str]) -> str:
    """Return a question about a word that is not known: " Did you mean list?", or ""."""
    import difflib

    close = difflib.get_close_matches(text, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def check_columns(asked: Sequence[str], known: Sequence[str]) -> None:
    """Check the columns that the user selected; cliff ignores unknown ones beside known ones.

    :param asked: the values of ``-c``.
    :param known: the names of all columns.
    :raises glance_compat.cli.usage.UsageError: a column is unknown.
    """
    for one in asked:
        name = one.lower().strip().replace(" ", "_")
        if name not in known:
            raise UsageError(
                f"there is no column {quote_value(one)}.{suggest(name, known)} Columns:"
                f" {', '.join(known)}"
            )
