# SPDX-License-Identifier: Apache-2.0
"""Format values so that metadata which any user may have written is safe to print.

What must live here: escaping, and the form of one value in each output format. What must not:
columns and commands.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing
import unicodedata
from collections.abc import Callable, Mapping

#: Unicode categories that are never written as they are: controls (C0, DEL, C1), format
#: characters (bidirectional overrides, invisible ones), lone surrogates, line and paragraph
#: separators. The first can move a cursor or recolour a screen, the others make one string look
#: like another.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_controls(text: str) -> str:
    """Make control characters visible: ESC becomes ``\\x1b``, RIGHT-TO-LEFT OVERRIDE ``\\u202e``.

    A backslash stays as it is, so the result is ambiguous; JSON output is not.
    """
    # The usual case, and fast.
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(one) if unicodedata.category(one) in _UNSAFE else one for one in text)


def _escape(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def to_one_line(text: str) -> str:
    """Join the lines of a message, and escape what is left."""
    return escape_controls(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def to_plain(value: object) -> typing.Any:
    """Convert a value to the types of JSON: times as Glance v2 writes them, sets sorted."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: to_plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_plain(one) for one in value)
    if isinstance(value, (list, tuple)):
        return [to_plain(one) for one in value]
    return value


def _to_line(value: object) -> object:
    """Format a value for one line: a string escaped, a structure as JSON.

    Numbers and None stay as they are, because the CSV writer quotes strings only.
    """
    plain = to_plain(value)
    if isinstance(plain, (dict, list)):
        # json escapes everything outside ASCII, but DEL is ASCII.
        return json.dumps(plain).replace("\x7f", "\\u007f")
    return escape_controls(plain) if isinstance(plain, str) else plain


def _to_block(value: object) -> object:
    """Format a value for a table: one line for each entry of a mapping or a list."""
    plain = to_plain(value)
    if isinstance(plain, dict):
        return "\n".join(f"{escape_controls(key)}={_quote(one)}" for key, one in plain.items())
    if isinstance(plain, list):
        return "\n".join(str(_to_line(one)) for one in plain)
    return _to_line(plain)


def _quote(value: object) -> str:
    return f"'{_to_line(value)}'" if isinstance(value, str) else str(_to_line(value))


def _to_shell(value: object) -> object:
    # cliff writes name="value" and escapes only the quote. Without this, the name of an image
    # could run commands in a shell that evaluates the output.
    line = _to_line(value)
    return re.sub(r"[\\$`]", r"\\\g<0>", line) if isinstance(line, str) else line


#: What makes a spreadsheet treat a cell as a formula, the full-width forms included.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


def guard_formula(value: object) -> object:
    """Put ``'`` in front of a string that a spreadsheet would run as a formula.

    OWASP advises this ("CSV Injection").
    """
    is_risky = isinstance(value, str) and value.lstrip()[:1] in _FORMULA and value.strip()
    return f"'{value}" if is_risky else value


def _to_csv(value: object) -> object:
    return guard_formula(_to_line(value))


_FORMATTERS: Mapping[str, Callable[[object], object]] = {
    "json": to_plain,
    "yaml": to_plain,
    "table": _to_block,
    "shell": _to_shell,
    "csv": _to_csv,
}


def formatter_for(output_format: str) -> Callable[[object], object]:
    """Return the function that formats a value for an output format of cliff.

    Formats of other packages are assumed to be read by people.
    """
    return _FORMATTERS.get(output_format, _to_line)
