# SPDX-License-Identifier: Apache-2.0
"""What the commands that change images have in common: which images a name may mean.

What must live here: base classes and options of these commands. What must not: a command.
"""

from __future__ import annotations

import argparse
import logging

from cliff.command import Command

from glance_compat.cli import cloud
from glance_compat.cli.references import Finder, for_each_image

LOG = logging.getLogger(__name__)


class ImagesCommand(Command):
    """A command that changes images, by default those of the user's own project."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "images", metavar="IMAGE", nargs="+", help="the image's id, URL or exact name"
        )
        add_all_projects(parser)
        return parser


class MethodCommand(ImagesCommand):
    """A command that calls one method of the service for each image."""

    #: The name of the method of ImageService, and the message of the log.
    METHOD, DONE = "", ""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Change the images; return 1 if one of them failed, else 0."""
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        finder = Finder(target, service, own_only=not parsed_args.all_projects)

        def change(reference: str) -> None:
            image_id = finder.find(reference)["id"]
            getattr(service, self.METHOD)(None, image_id)
            LOG.info("%s image %s", self.DONE, image_id)

        return 0 if all(list(for_each_image(self.app, parsed_args.images, change))) else 1


def add_all_projects(parser: argparse._ActionsContainer) -> None:
    """Add the option with which a name means images of all projects."""
    parser.add_argument(
        "--all-projects",
        action="store_true",
        help="a name may also mean an image of another project",
    )
