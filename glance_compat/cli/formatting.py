# SPDX-License-Identifier: Apache-2.0
"""Format values so that image metadata, which any user may have written, is safe to print.

What must live here: escaping, and the formatting of a single value for each output format. What
must not: columns and commands.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import typing
import unicodedata
from collections.abc import Callable, Mapping

#: Unicode categories that are always escaped: controls (C0, DEL, C1), format characters
#: (bidirectional overrides, invisible ones), lone surrogates, line and paragraph separators.
#: Controls can move the cursor or recolour the screen; the others make one string look like
#: another.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape_controls(text: str) -> str:
    """Escape control characters: ESC becomes ``\\x1b``, RIGHT-TO-LEFT OVERRIDE ``\\u202e``.

    Backslashes are not escaped, so the result is ambiguous. JSON output is unambiguous.
    """
    # A fast path for the usual case.
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
    """Join the lines of a message with spaces, and escape control characters."""
    return escape_controls(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def to_plain(value: object) -> typing.Any:
    """Convert a value to JSON types.

    Times become strings in the format of Glance v2, sets become sorted lists, dataclasses become
    dicts.
    """
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
    """Format a value for one line: escape a string, convert a dict or list to JSON.

    Numbers and None are returned unchanged, because the CSV writer quotes only strings.
    """
    plain = to_plain(value)
    if isinstance(plain, (dict, list)):
        # json.dumps escapes all characters outside ASCII, but not DEL.
        return json.dumps(plain).replace("\x7f", "\\u007f")
    return escape_controls(plain) if isinstance(plain, str) else plain


def _to_block(value: object) -> object:
    """Format a value for a table; each entry of a mapping or list is on its own line."""
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


#: First characters that make a spreadsheet treat a cell as a formula, with full-width forms.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


def guard_formula(value: object) -> object:
    """Prefix ``'`` to a string that a spreadsheet would evaluate as a formula.

    Source: OWASP, "CSV Injection".
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
    """Return the function that formats a value for one of cliff's output formats.

    Formats that other packages add to cliff are treated as text for display.
    """
    return _FORMATTERS.get(output_format, _to_line)
