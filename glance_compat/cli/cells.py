# SPDX-License-Identifier: Apache-2.0
"""How values are written: what anybody may put into an image's metadata, safe for a terminal.

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
#: separators. The first move a cursor or recolour a screen, the others make one text look like
#: another.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escaped(text: str) -> str:
    """Make control characters visible: ESC becomes ``\\x1b``, RIGHT-TO-LEFT OVERRIDE ``\\u202e``.

    A backslash stays as it is; who must tell the two apart uses JSON.
    """
    # What most text is.
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(one) if unicodedata.category(one) in _UNSAFE else one for one in text)


def _visible(character: str) -> str:
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def one_line(text: str) -> str:
    """A message of any source, on one line."""
    return escaped(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def plain(value: object) -> typing.Any:
    """What JSON and YAML can hold: times as Glance v2 writes them, sets sorted."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(plain(one) for one in value)
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def _line(value: object) -> object:
    """One line: text escaped, a structure as JSON, numbers and None as they are (CSV quotes text
    only)."""
    simple = plain(value)
    if isinstance(simple, (dict, list)):
        # Escapes everything but ASCII; DEL is ASCII.
        return json.dumps(simple).replace("\x7f", "\\u007f")
    return escaped(simple) if isinstance(simple, str) else simple


def _block(value: object) -> object:
    """For people: a mapping or a list has one line for each entry."""
    simple = plain(value)
    if isinstance(simple, dict):
        return "\n".join(f"{escaped(key)}={_quoted(one)}" for key, one in simple.items())
    if isinstance(simple, list):
        return "\n".join(str(_line(one)) for one in simple)
    return _line(simple)


def _quoted(value: object) -> str:
    return f"'{_line(value)}'" if isinstance(value, str) else str(_line(value))


def _shell(value: object) -> object:
    # cliff writes name="value" and escapes the quote alone; whoever can name an image could run
    # commands in a shell that evaluates this.
    line = _line(value)
    return re.sub(r"[\\$`]", r"\\\g<0>", line) if isinstance(line, str) else line


#: What a spreadsheet takes for the beginning of a formula, wide forms too.
_FORMULA = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")


def spreadsheet_safe(value: object) -> object:
    """A cell of CSV that no spreadsheet runs as a formula: text that could be one gets ``'`` in
    front, as OWASP advises ("CSV Injection")."""
    risky = isinstance(value, str) and value.lstrip()[:1] in _FORMULA and value.strip()
    return f"'{value}" if risky else value


_FORMS: Mapping[str, Callable[[object], object]] = {
    "json": plain,
    "yaml": plain,
    "table": _block,
    "shell": _shell,
}


def form(output_format: str) -> Callable[[object], object]:
    """How a value is written in an output format of cliff; unknown ones are for people's eyes."""
    return _FORMS.get(output_format, _line)
