# SPDX-License-Identifier: Apache-2.0
"""The page on the commands of ``glance-compat``, from their parsers."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterable, Iterator

from glance_compat.cli import app, commands
from pages.markup import code, described, escaped, title

_HEAD = """\
========
Commands
========

All commands and options, as ``glance-compat help COMMAND`` shows them; :doc:`cli` has examples.
Commands with an output format have the options ``-f``, ``-c`` and others of cliff as well, as
``openstack`` has them.

"""

_COMMON = """\
Options of all commands
=======================

They may precede or follow the command.

.. program:: glance-compat

"""

#: Titles of groups that are the same for each command.
_FORMATS = re.compile(r"formatters?$", re.IGNORECASE)

#: An option in a sentence, where two dashes would become one.
_OPTION = re.compile(r"(?<![\w`-])(--?[a-z][a-z-]*)")


def page() -> str:
    """Return the page."""
    program = app.GlanceCompat()
    parts = [_HEAD]
    for name in commands.COMMANDS:
        factory, _, _ = program.command_manager.find_command(name.split())
        parser = factory(program, None, cmd_name=name).get_parser(f"{app.NAME} {name}")
        parts.append(f".. _command-{name.replace(' ', '-')}:\n\n{title(name)}")
        parts.append(f"\n.. program:: {app.NAME} {name}\n\n")
        parts.append(f"{_with_literals(inspect.cleandoc(parser.description or ''))}\n\n")
        parts.extend(_arguments(parser._action_groups))
    parts.append(_COMMON)
    parts.extend(_arguments(program.parser._action_groups))
    return "".join(parts)


def _arguments(groups: Iterable[argparse._ArgumentGroup]) -> Iterator[str]:
    for group in groups:
        if not _FORMATS.search(group.title or ""):
            for action in _shown(group):
                meaning = _with_literals(escaped(action.help or ""))
                yield described("option", _names(action), meaning)


def _shown(group: argparse._ArgumentGroup) -> Iterator[argparse.Action]:
    for action in group._group_actions:
        if action.dest not in ("help", "deferred_help") and action.help != argparse.SUPPRESS:
            yield action


def _names(action: argparse.Action) -> str:
    if not action.option_strings:
        many = "..." if action.nargs in ("+", "*") else ""
        return f"{action.metavar or action.dest}{many}"
    value = action.metavar if isinstance(action.metavar, str) else ""
    if not value and action.nargs != 0:
        value = "|".join(map(str, action.choices or ())) or action.dest.upper()
    # The first name; the others are listed after it.
    first, *others = action.option_strings
    return ", ".join([f"{first} {value}".strip(), *others])


def _with_literals(text: str) -> str:
    return _OPTION.sub(lambda found: code(found[1]), text)
