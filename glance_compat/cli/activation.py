# SPDX-License-Identifier: Apache-2.0
"""``glance-compat deactivate`` and ``glance-compat reactivate``."""

from __future__ import annotations

import argparse
import logging

from glance_compat.cli import cloud
from glance_compat.cli.delete import ImagesCommand
from glance_compat.cli.references import Finder, for_each_image

LOG = logging.getLogger(__name__)


class _StatusCommand(ImagesCommand):
    """A command that changes the status of images."""

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


class Deactivate(_StatusCommand):
    """Make the data of images unreadable for everybody but admins; needs v2.

    If an image cannot be deactivated, the error is reported, the others are deactivated, and the
    exit code is 1.
    """

    METHOD, DONE = "deactivate", "Deactivated"


class Reactivate(_StatusCommand):
    """Make the data of deactivated images readable again; needs v2.

    If an image cannot be reactivated, the error is reported, the others are reactivated, and the
    exit code is 1.
    """

    METHOD, DONE = "reactivate", "Reactivated"
