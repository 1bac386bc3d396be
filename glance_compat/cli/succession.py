# SPDX-License-Identifier: Apache-2.0
"""``glance-compat hide``, ``glance-compat unhide`` and ``glance-compat supersede``."""

from __future__ import annotations

import argparse
import logging

from cliff.command import Command

from glance_compat.cli import cloud
from glance_compat.cli.own_images import MethodCommand, add_all_projects
from glance_compat.cli.references import Finder

LOG = logging.getLogger(__name__)


class Hide(MethodCommand):
    """Leave images out of lists; they can still be used. Needs v2.7.

    If an image cannot be hidden, the error is reported, the others are hidden, and the exit code
    is 1.
    """

    METHOD, DONE = "hide", "Hid"


class Unhide(MethodCommand):
    """Show hidden images in lists again; needs v2.7.

    If an image cannot be shown again, the error is reported, the others are, and the exit code is
    1.
    """

    METHOD, DONE = "unhide", "Showed"


class Supersede(Command):
    """Hide an image and link it to its successor; needs v2.7.

    The successor must exist and be active. The link is the property superseded_by.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        for name, text in (("old", "the image to hide"), ("new", "its successor")):
            parser.add_argument(
                name, metavar=name.upper(), help=f"{text}: an id, a URL or an exact name"
            )
        add_all_projects(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Link and hide the image."""
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        finder = Finder(target, service, own_only=not parsed_args.all_projects)
        old, new = (finder.find(one)["id"] for one in (parsed_args.old, parsed_args.new))
        service.supersede(None, old, new)
        LOG.info("Hid image %s, whose successor is %s", old, new)
