# SPDX-License-Identifier: Apache-2.0
"""``glance-compat save``."""

from __future__ import annotations

import argparse
import logging
import typing

from cliff.command import Command

from glance_compat.cli import cloud, progress
from glance_compat.cli.argument_values import STANDARD
from glance_compat.cli.references import Finder
from glance_compat.cli.usage import UsageError, file_errors

LOG = logging.getLogger(__name__)


class Save(Command):
    """Download the data of an image, and verify it.

    A file appears, or is replaced, only when all data was received and verified. Without --file
    the data is written to stdout, unless that is a terminal; then an error is found only after the
    damaged data was written, so check the exit code.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        parser.add_argument(
            "--file",
            metavar="FILE",
            default=STANDARD,
            help="the file to write; it is replaced if it exists. Default: -, which is stdout",
        )
        parser.add_argument(
            "--resume",
            action="store_true",
            help="continue an earlier download with this option to the same file; if it is"
            " interrupted, keep what was received",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Download the data."""
        if parsed_args.resume and parsed_args.file == STANDARD:
            raise UsageError("--resume needs --file FILE: only a file can be continued")
        stream = self._open_stdout() if parsed_args.file == STANDARD else None
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        image_id = Finder(target, service).find(parsed_args.image)["id"]
        with progress.transfer(self.app, "Downloading") as report:
            if stream is None:
                with file_errors(parsed_args.file):
                    service.download(
                        None,
                        image_id,
                        dst_path=parsed_args.file,
                        progress=report,
                        resume=parsed_args.resume,
                    )
            else:
                service.download(None, image_id, data=stream, progress=report)
                stream.flush()
        LOG.info("Saved the data of image %s, which was verified", image_id)

    def _open_stdout(self) -> typing.IO[bytes]:
        if self.app.stdout.isatty():
            raise UsageError(
                "the data of an image is not written to a terminal: pass --file FILE, or redirect"
                " the output"
            )
        return typing.cast(typing.TextIO, self.app.stdout).buffer
