# SPDX-License-Identifier: Apache-2.0
"""``glance-compat complete``."""

from __future__ import annotations

import argparse
import re

from cliff.command import Command

from glance_compat.cli import commands, completion
from glance_compat.cli.interrupts import HANDLER
from glance_compat.cli.usage import require_extra


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
        # The scripts use it.
        parser.add_argument("--clouds", action="store_true", help=argparse.SUPPRESS)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print the script."""
        if parsed_args.clouds:
            self._print_clouds()
        else:
            self._print_script(parsed_args.shell)

    def _print_clouds(self) -> None:
        """Print the clouds of clouds.yaml whose names a shell does not evaluate, one per line."""
        with require_extra("cli"), HANDLER.importing():
            from glance_compat.cli import clouds_yaml
        for name in clouds_yaml.list_names():
            if re.fullmatch(r"[\w.@+-]+", name, re.ASCII):
                self.app.stdout.write(f"{name}\n")

    def _print_script(self, shell: str) -> None:
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
        self.app.stdout.write(completion.SHELLS[shell](program))
