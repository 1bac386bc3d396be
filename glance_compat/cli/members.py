# SPDX-License-Identifier: Apache-2.0
"""``glance-compat member``: the projects that an image is shared with."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.command import Command
from cliff.lister import Lister

from glance_compat.cli import cloud, formatting, projects
from glance_compat.cli.own_images import add_all_projects
from glance_compat.cli.references import Finder
from glance_compat.cli.usage import check_columns
from glance_compat.service import ImageService

LOG = logging.getLogger(__name__)

_COLUMNS = ("member_id", "status", "can_share")
_STATUSES = {
    "accepted": ("--accept", "accept the image, so that lists of the project show it"),
    "rejected": ("--reject", "reject the image"),
    "pending": ("--pending", "withdraw the decision"),
}


class MemberList(Lister):
    """List the projects that an image is shared with."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the column names and the rows."""
        check_columns(parsed_args.columns, _COLUMNS)
        target = cloud.Cloud(self.app.options)
        service = target.checked_service(extended=True)
        image = Finder(target, service).find(parsed_args.image)
        write = formatting.formatter_for(parsed_args.formatter)
        return _COLUMNS, [
            [write(dict(one)[name]) for name in _COLUMNS]
            for one in service.members(None, image["id"])
        ]


class _OwnImageCommand(Command):
    """A command on a member of an image of the user's own project."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        _add_arguments(parser)
        add_all_projects(parser)
        return parser


class MemberAdd(_OwnImageCommand):
    """Share an image with a project; the image must be shared or, over v1, not public."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Add the member."""
        service, image_id, member = _resolve(self.app.options, parsed_args, own_only=True)
        service.add_member(None, image_id, member)
        LOG.info("Image %s is shared with project %s", image_id, member)


class MemberRemove(_OwnImageCommand):
    """Stop sharing an image with a project."""

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Remove the member."""
        service, image_id, member = _resolve(self.app.options, parsed_args, own_only=True)
        service.remove_member(None, image_id, member)
        LOG.info("Image %s is no longer shared with project %s", image_id, member)


class MemberSet(Command):
    """Accept or reject an image that is shared with a project; needs v2."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options of the command."""
        parser = super().get_parser(prog_name)
        _add_arguments(parser)
        group = parser.add_mutually_exclusive_group(required=True)
        for status, (option, text) in _STATUSES.items():
            group.add_argument(
                option, dest="status", action="store_const", const=status, help=text
            )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Set the status; the image belongs to another project, so any name may be meant."""
        service, image_id, member = _resolve(self.app.options, parsed_args, own_only=False)
        service.update_member(None, image_id, member, parsed_args.status)
        LOG.info("Project %s: image %s is %s", member, image_id, parsed_args.status)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="the image's id, URL or exact name")
    parser.add_argument(
        "project", metavar="PROJECT", help="the member: the id or the name of a project"
    )
    projects.add_domain(parser)


def _resolve(
    options: argparse.Namespace, parsed_args: argparse.Namespace, *, own_only: bool
) -> tuple[ImageService, str, str]:
    """Return the service, the id of the image, and the id of the project."""
    target = cloud.Cloud(options)
    member = target.find_project_id(parsed_args.project, parsed_args.project_domain)
    service = target.checked_service(extended=True)
    all_projects = not own_only or parsed_args.all_projects
    finder = Finder(target, service, own_only=not all_projects)
    return service, finder.find(parsed_args.image)["id"], member
