# SPDX-License-Identifier: Apache-2.0
"""The table of commands.

What must live here: the name and the summary of each command, and the class that implements it.
What must not: imports of these classes, because a short command would take most of its time for
them.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from importlib import metadata

from cliff.commandmanager import CommandManager


class Command(typing.NamedTuple):
    """A command.

    :param path: its class, as "module:class".
    :param summary: the first line of the docstring of the class, so that the list of commands
        needs no import of it.
    """

    path: str
    summary: str


#: The commands, by name.
COMMANDS: Mapping[str, Command] = {
    "audit": Command(
        "glance_compat.cli.audit:Audit",
        "Report what a move between v1 and v2 would change in images, or what is wrong with them",
    ),
    "complete": Command(
        "glance_compat.cli.complete:Complete",
        "Print a completion script for bash, zsh or fish",
    ),
    "copy": Command(
        "glance_compat.cli.copies:Copy",
        "Copy an image to another cloud",
    ),
    "create": Command(
        "glance_compat.cli.create:Create",
        "Create an image, and upload its data",
    ),
    "deactivate": Command(
        "glance_compat.cli.activation:Deactivate",
        "Make the data of images unreadable for everybody but admins; needs v2",
    ),
    "delete": Command(
        "glance_compat.cli.delete:Delete",
        "Delete images",
    ),
    "demo": Command(
        "glance_compat.cli.demo:Demo",
        "Make the same calls on three in-memory servers, and compare the results",
    ),
    "discover": Command(
        "glance_compat.cli.discover:Discover",
        "Show which Images APIs an endpoint offers, which one is chosen, and why",
    ),
    "hide": Command(
        "glance_compat.cli.succession:Hide",
        "Leave images out of lists; they can still be used. Needs v2.7",
    ),
    "import": Command(
        "glance_compat.cli.importing:Import",
        "Import the data of a queued image, or copy that of an active one to more stores",
    ),
    "list": Command(
        "glance_compat.cli.images:List",
        "List images",
    ),
    "member add": Command(
        "glance_compat.cli.members:MemberAdd",
        "Share an image with a project; the image must be shared or, over v1, not public",
    ),
    "member list": Command(
        "glance_compat.cli.members:MemberList",
        "List the projects that an image is shared with",
    ),
    "member remove": Command(
        "glance_compat.cli.members:MemberRemove",
        "Stop sharing an image with a project",
    ),
    "member set": Command(
        "glance_compat.cli.members:MemberSet",
        "Accept or reject an image that is shared with a project; needs v2",
    ),
    "reactivate": Command(
        "glance_compat.cli.activation:Reactivate",
        "Make the data of deactivated images readable again; needs v2",
    ),
    "save": Command(
        "glance_compat.cli.save:Save",
        "Download the data of an image, and verify it",
    ),
    "serve": Command(
        "glance_compat.cli.serve:Serve",
        "Run an in-memory Glance until SIGTERM or Ctrl-C",
    ),
    "set": Command(
        "glance_compat.cli.changes:Set",
        "Set attributes of an image, in one update",
    ),
    "show": Command(
        "glance_compat.cli.images:Show",
        "Show images",
    ),
    "stores": Command(
        "glance_compat.cli.stores:Stores",
        "List the stores for the data of images; needs v2.8",
    ),
    "supersede": Command(
        "glance_compat.cli.succession:Supersede",
        "Hide an image and link it to its successor; needs v2.7",
    ),
    "sync": Command(
        "glance_compat.cli.copies:Sync",
        "Copy the images of a cloud that another cloud does not have",
    ),
    "unhide": Command(
        "glance_compat.cli.succession:Unhide",
        "Show hidden images in lists again; needs v2.7",
    ),
    "unset": Command(
        "glance_compat.cli.changes:Unset",
        "Remove properties and tags of an image, in one update",
    ),
}

#: The prefix of the entry points with which other packages can hook into a command.
NAMESPACE = "glance_compat.cli"


def create_manager() -> CommandManager:
    """Return a manager of all commands, which imports a command when it is needed."""
    manager = CommandManager(None)
    manager.namespace = NAMESPACE
    for name in COMMANDS:
        manager.commands[name] = entry_point(name)
    return manager


def entry_point(name: str) -> metadata.EntryPoint:
    """Return the entry point of a command, which imports it when it is loaded."""
    return metadata.EntryPoint(name, COMMANDS[name].path, NAMESPACE)
