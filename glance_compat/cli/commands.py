# SPDX-License-Identifier: Apache-2.0
"""The table of commands.

What must live here: the name of each command, and the class that implements it. What must not:
imports of these classes, because a short command would take most of its time for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata

from cliff.commandmanager import CommandManager

#: The class of each command, as "module:class".
COMMANDS: Mapping[str, str] = {
    "audit": "glance_compat.cli.audit:Audit",
    "create": "glance_compat.cli.create:Create",
    "deactivate": "glance_compat.cli.activation:Deactivate",
    "delete": "glance_compat.cli.delete:Delete",
    "demo": "glance_compat.cli.demo:Demo",
    "discover": "glance_compat.cli.discover:Discover",
    "list": "glance_compat.cli.images:List",
    "member add": "glance_compat.cli.members:MemberAdd",
    "member list": "glance_compat.cli.members:MemberList",
    "member remove": "glance_compat.cli.members:MemberRemove",
    "member set": "glance_compat.cli.members:MemberSet",
    "reactivate": "glance_compat.cli.activation:Reactivate",
    "save": "glance_compat.cli.save:Save",
    "serve": "glance_compat.cli.serve:Serve",
    "set": "glance_compat.cli.changes:Set",
    "show": "glance_compat.cli.images:Show",
    "unset": "glance_compat.cli.changes:Unset",
}

#: The prefix of the entry points with which other packages can hook into a command.
NAMESPACE = "glance_compat.cli"


def create_manager() -> CommandManager:
    """Return a manager of all commands, which imports a command when it is needed."""
    manager = CommandManager(None)
    manager.namespace = NAMESPACE
    for name, value in COMMANDS.items():
        manager.commands[name] = metadata.EntryPoint(name, value, NAMESPACE)
    return manager
