# SPDX-License-Identifier: Apache-2.0
"""Completion scripts for bash, zsh and fish, from the parsers of the commands.

What must live here: which words complete a command line, and the scripts. What must not: the
command (``complete``).
"""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Kind = typing.Literal["cloud", "path", "word", "unknown"]

#: What completes the value of an option, by the name that its help has for the value.
_KINDS: Mapping[str, Kind] = {"CLOUD": "cloud", "FILE": "path", "PATH": "path"}


@dataclasses.dataclass(frozen=True)
class Option:
    """An option, as a shell needs to know it.

    :param flags: its spellings.
    :param help: its help, on one line.
    :param takes_value: whether the next word is its value.
    :param choices: the values that it can have, if its kind is "word".
    :param kind: what the value is: the name of a cloud, a path, one of the choices, or anything.
    """

    flags: tuple[str, ...]
    help: str
    takes_value: bool
    choices: tuple[str, ...]
    kind: Kind


@dataclasses.dataclass(frozen=True)
class Program:
    """The words of a program.

    :param name: its name.
    :param options: the options of all commands.
    :param commands: the options of each command, by its name, which may have two words.
    :param summaries: the summary of each command.
    """

    name: str
    options: Sequence[Option]
    commands: Mapping[str, Sequence[Option]]
    summaries: Mapping[str, str]

    def next_words(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield each beginning of a command, with the words that may follow and their help."""
        found: dict[str, dict[str, str]] = {"": {}}
        for name in sorted(self.commands):
            words = name.split()
            for count, word in enumerate(words):
                is_last = count == len(words) - 1
                text = self.summaries.get(name, "") if is_last else f"commands: {word} ..."
                found.setdefault(" ".join(words[:count]), {}).setdefault(word, text)
        yield from found.items()


def options_of(parser: argparse.ArgumentParser) -> list[Option]:
    """Return the options of a parser."""
    return [
        Option(
            tuple(action.option_strings),
            " ".join((action.help or "").replace("%%", "%").split()),
            action.nargs != 0,
            tuple(map(str, action.choices or ())),
            "word" if action.choices else _KINDS.get(str(action.metavar), "unknown"),
        )
        for action in parser._actions
        if action.option_strings and action.help != argparse.SUPPRESS
    ]


def _function(name: str) -> str:
    """Return a name that a shell accepts for a function."""
    return name.replace("-", "_")


def _quote(text: str) -> str:
    """Quote a word for bash and zsh."""
    return "'" + text.replace("'", "'\\''") + "'"


def _cases(program: Program, write: Callable[[Option], str]) -> Iterator[str]:
    """Yield a line for the value of each option: "command:--option".

    Options of all commands are those of the command "*".
    """
    for name, options in (*sorted(program.commands.items()), ("*", program.options)):
        for one in options:
            if one.takes_value and one.kind != "unknown":
                beginning = "*" if name == "*" else _quote(name)
                patterns = "|".join(f"{beginning}:{flag}" for flag in one.flags)
                yield f"    {patterns}) {write(one)}; return;;"


def _flags(options: Iterable[Option]) -> str:
    return " ".join(flag for one in options for flag in one.flags)


def _value_flags(program: Program) -> str:
    """Return a pattern that matches each option whose value may stand before the command."""
    return "|".join(flag for one in program.options if one.takes_value for flag in one.flags)


def _branches(rows: Iterable[tuple[str, typing.Any]], write: Callable[[typing.Any], str]) -> str:
    """Return the branches of a case statement over the commands."""
    return "\n".join(f"    {_quote(name)}) {write(one)};;" for name, one in rows)


def _clouds(program: Program) -> str:
    """Return the command that lists the clouds; an error must not disturb the command line."""
    return f"{program.name} complete --clouds 2> /dev/null"


def _nested(program: Program) -> str:
    return "|".join(_quote(name) for name, _ in program.next_words())


def bash(program: Program) -> str:
    """Return the script for bash; it needs no other package."""

    def write(option: Option) -> str:
        if option.kind == "path":
            return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))'
        is_cloud = option.kind == "cloud"
        found = f'"$({_clouds(program)})"' if is_cloud else _quote(" ".join(option.choices))
        return f'COMPREPLY=($(compgen -W {found} -- "$cur"))'

    function = _function(f"_{program.name}")
    words = _branches(program.next_words(), lambda found: f"words={_quote(' '.join(found))}")
    options = _branches(
        sorted(program.commands.items()), lambda found: f"words={_quote(_flags(found))}"
    )
    return f"""\
# Completion of {program.name} for bash: source <({program.name} complete --shell bash)
{function}() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local command="" words="" i word
  # The shell splits --option=value at the sign.
  [[ $cur == "=" ]] && cur=""
  [[ $prev == "=" ]] && prev=${{COMP_WORDS[COMP_CWORD-2]}}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${{COMP_WORDS[i]}}
    case $word in
    {_value_flags(program)}) ((i++)); [[ ${{COMP_WORDS[i]}} == "=" ]] && ((i++)); continue;;
    -*) continue;;
    esac
    case "$command" in
    {_nested(program)}) command="${{command:+$command }}$word";;
    esac
  done
  case "$command:$prev" in
{chr(10).join(_cases(program, write))}
  esac
  if [[ $cur == -* ]]; then
    case "$command" in
{options}
    esac
    words="$words {_flags(program.options)}"
  else
    case "$command" in
{words}
    *) compopt -o default;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -F {function} {program.name}
"""


def zsh(program: Program) -> str:
    """Return the script for zsh; it may be sourced, or be a file of the function path."""

    def write(option: Option) -> str:
        if option.kind == "path":
            return "_files"
        is_cloud = option.kind == "cloud"
        quoted = " ".join(map(_quote, option.choices))
        return f"compadd -- {f'$({_clouds(program)})' if is_cloud else quoted}"

    def described(items: Iterable[tuple[str, str]]) -> str:
        return " ".join(
            _quote(f"{word.replace(':', chr(92) + ':')}:{text}") for word, text in items
        )

    def of_options(options: Iterable[Option]) -> str:
        return described((flag, one.help) for one in options for flag in one.flags)

    function = _function(f"_{program.name}")
    words = _branches(program.next_words(), lambda found: f"found=({described(found.items())})")
    options = _branches(
        sorted(program.commands.items()), lambda found: f"found=({of_options(found)})"
    )
    return f"""\
#compdef {program.name}
# Completion of {program.name} for zsh: source <({program.name} complete --shell zsh)
{function}() {{
  local line="" word prev=${{words[CURRENT-1]}}
  local -i i
  local -a found all
  for ((i = 2; i < CURRENT; i++)); do
    word=${{words[i]}}
    case $word in
    {_value_flags(program)}) ((i++)); continue;;
    -*) continue;;
    esac
    case "$line" in
    {_nested(program)}) line="${{line:+$line }}$word";;
    esac
  done
  if compset -P 1 '*='; then
    prev=${{words[CURRENT]%%=*}}
  fi
  case "$line:$prev" in
{chr(10).join(_cases(program, write))}
  esac
  if [[ ${{words[CURRENT]}} == -* ]]; then
    case "$line" in
{options}
    esac
    all=({of_options(program.options)})
    _describe option found -- all
    return
  fi
  case "$line" in
{words}
    *) _files; return;;
  esac
  _describe command found
}}
if [ "$funcstack[1]" = {function} ]; then
  {function} "$@"
else
  compdef {function} {program.name}
fi
"""


def fish(program: Program) -> str:
    """Return the script for fish."""
    function = _function(f"__{program.name}_line")
    values = " ".join(flag for one in program.options if one.takes_value for flag in one.flags)
    beginnings = " ".join(_fish_quote(name) for name, _ in program.next_words())
    lines = [
        f"# Completion of {program.name} for fish: {program.name} complete --shell fish | source",
        f"function {function}",
        "    set -l line ''",
        "    set -l skip 0",
        "    for word in (commandline -opc)[2..]",
        "        if test $skip = 1",
        "            set skip 0",
        f"        else if contains -- $word {values}",
        "            set skip 1",
        f"        else if not string match -q -- '-*' $word; and contains -- $line {beginnings}",
        "            set line (string trim -- $line' '$word)",
        "        end",
        "    end",
        "    echo $line",
        "end",
        f"complete -c {program.name} -f",
    ]
    for name, words in program.next_words():
        is_next = f"test ({function}) = {_fish_quote(name)}"
        lines += [
            f"complete -c {program.name} -n {_fish_quote(is_next)} -a {_fish_quote(word)}"
            f" -d {_fish_quote(text)}"
            for word, text in words.items()
        ]
    lines += [_fish_option(program, "", one) for one in program.options]
    for name, options in sorted(program.commands.items()):
        condition = f"-n {_fish_quote(f'test ({function}) = {_fish_quote(name)}')} "
        lines += [_fish_option(program, condition, one) for one in options]
    return "\n".join(lines) + "\n"


def _fish_option(program: Program, condition: str, option: Option) -> str:
    flags = " ".join(
        f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
    )
    value = ""
    if option.takes_value:
        value = " -r -F" if option.kind == "path" else " -x"
        if option.kind in ("cloud", "word"):
            is_cloud = option.kind == "cloud"
            found = f"({_clouds(program)})" if is_cloud else " ".join(option.choices)
            value += f" -a {_fish_quote(found)}"
    return f"complete -c {program.name} {condition}{flags}{value} -d {_fish_quote(option.help)}"


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


#: The function that returns the script of each shell.
SHELLS: Mapping[str, Callable[[Program], str]] = {"bash": bash, "fish": fish, "zsh": zsh}
