# SPDX-License-Identifier: Apache-2.0
"""``glance-compat delete``."""

from __future__ import annotations

import argparse
import logging

from glance_compat import exceptions
from glance_compat.cli import cloud
from glance_compat.cli.own_images import ImagesCommand
from glance_compat.cli.references import Finder, for_each_image, is_uuid
from glance_compat.service import ImageService

LOG = logging.getLogger(__name__)


class Delete(ImagesCommand):
    """Delete images.

    If an image cannot be deleted, the error is reported, the other images are deleted, and the
    exit code is 1. A name means an image of the user's own project, unless --all-projects is set.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--store",
            metavar="STORE",
            help="delete only the data in this store, and keep the image; needs v2.10",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Delete the images; return 1 if one of them failed, else 0."""
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        finder = Finder(target, service, own_only=not parsed_args.all_projects)
        if parsed_args.store is not None:
            return self._delete_from_store(finder, service, parsed_args)
        deleted: set[str] = set()

        def delete(reference: str) -> None:
            if reference not in deleted and not is_deleted(reference):
                image_id = finder.find(reference)["id"]
                if image_id not in deleted:
                    service.delete(None, image_id)
                    done(image_id)

        def is_deleted(reference: str) -> bool:
            """Delete an image by its id, without a GET; return whether it existed."""
            if not is_uuid(reference):
                return False
            try:
                service.delete(None, reference)
            except exceptions.ImageNotFound:
                return False
            done(reference)
            return True

        def done(image_id: str) -> None:
            deleted.add(image_id)
            LOG.info("Deleted image %s", image_id)

        results = list(for_each_image(self.app, parsed_args.images, delete))
        return 0 if all(results) else 1

    def _delete_from_store(
        self, finder: Finder, service: ImageService, parsed_args: argparse.Namespace
    ) -> int:
        def delete(reference: str) -> None:
            image_id = finder.find(reference)["id"]
            service.delete_from_store(None, image_id, parsed_args.store)
            LOG.info("Deleted the data of image %s from a store", image_id)

        return 0 if all(list(for_each_image(self.app, parsed_args.images, delete))) else 1
