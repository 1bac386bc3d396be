# SPDX-License-Identifier: Apache-2.0
"""``glance-compat complete``."""

from __future__ import annotations

import argparse

from cliff.command import Command

from glance_compat.cli import commands, completion


class Complete(Command):
    """Print a completion script for bash, zsh or fish."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--shell",
            choices=sorted(completion.SHELLS),
            default="bash",
            help="the shell that reads the script; default: bash",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print the script."""
        found = {}
        for name in commands.COMMANDS:
            factory, _, _ = self.app.command_manager.find_command(name.split())
            parser = factory(self.app, None, cmd_name=name).get_parser(name)
            found[name] = completion.options_of(parser)
        program = completion.Program(
            self.app.NAME,
            completion.options_of(self.app.parser),
            {**found, "help": []},
            {
                **{name: entry.summary for name, entry in commands.COMMANDS.items()},
                "help": "show the options of a command",
            },
        )
        self.app.stdout.write(completion.SHELLS[parsed_args.shell](program))
