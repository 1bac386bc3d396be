# SPDX-License-Identifier: Apache-2.0
"""What is logged, to stderr and to the log file, and in which form.

What must live here: handlers, formats and filters of the log. What must not: commands.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
import typing

from glance_compat import exceptions
from glance_compat.cli.formatting import escape_controls, to_one_line
from glance_compat.cli.usage import CommandError, OutputError
from glance_compat.redaction import quote_value, redact_text

#: The prefixes of this program's loggers.
_OWN = ("glance-compat", "glance_compat")

#: Errors whose messages this package wrote, without secrets.
_OWN_ERRORS = (exceptions.GlanceCompatError, CommandError)


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
    return record.name.startswith(_OWN)


class PrivateFileHandler(logging.FileHandler):
    """Append to a file; a new file is readable and writable by its owner only (mode 0600).

    :ivar failure: the error of the first record that could not be written, or None.
    :raises glance_compat.cli.usage.OutputError: the file cannot be opened.
    """

    failure: OutputError | None = None

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            descriptor = os.open(self.baseFilename, flags, 0o600)
        except OSError as error:
            raise self._error(error) from error
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (of logging)
        """Keep the error, and discard what cannot be written."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) or self.stream is None:
            super().handleError(record)
        elif self.failure is None:
            self.failure = self._error(error)
            discard_output(self.stream)

    def _error(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {quote_value(self.baseFilename)}: {error.strerror}")


def discard_output(stream: typing.TextIO) -> None:
    """Redirect a stream to /dev/null, because it would be flushed again when it is closed."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


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


def configure(level: int, stderr: typing.TextIO, path: str | None) -> PrivateFileHandler | None:
    """Log to stderr and, if a path is passed, to a file.

    :param level: the least level of the records.
    :returns: the handler of the file, if any.
    :raises glance_compat.cli.usage.OutputError: the file cannot be opened.
    """
    root = logging.getLogger()
    root.setLevel(level)
    _add_handler(root, logging.StreamHandler(stderr), level)
    if not path:
        return None
    file = PrivateFileHandler(path)
    _add_handler(root, file, level)
    return file


def _add_handler(root: logging.Logger, handler: logging.Handler, level: int) -> None:
    handler.setLevel(level)
    handler.setFormatter(OneLineFormatter())
    # stevedore logs every plugin that it finds.
    handler.addFilter(_is_not_from_stevedore)
    if level >= logging.WARNING:
        handler.addFilter(_is_ours_or_serious)
    root.addHandler(handler)
