# SPDX-License-Identifier: Apache-2.0
"""The command line: ``python -m tests.functional.cloud up|down|status|env``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import asdict
from typing import Any

from tests.functional.cloud import CloudError, Layout, PythonMissingError, lifecycle
from tests.functional.cloud.state import State
from tests.functional.cloud.topology import HOST, SERVERS, USERS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0 if it succeeded and 1 if it failed."""
    options = _parser().parse_args(arguments)
    layout = Layout.from_environment()
    try:
        if options.command == "up":
            return _up(layout)
        if options.command == "down":
            (lifecycle.erase if options.data else lifecycle.down)(layout)
            return 0
        if options.command == "status":
            status = describe(layout)
            print(json.dumps(status, indent=2))
            return 0 if status["up"] else 1
        print(exports(layout, options.user, options.region))
    except (CloudError, PythonMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.functional.cloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build and start what is missing, and keep it up")
    stop = commands.add_parser("down", help="stop all servers")
    stop.add_argument("--data", action="store_true", help="also remove databases and images")
    commands.add_parser(
        "status", help="print servers, URLs, regions and users as JSON; exit 1 unless all are up"
    )
    variables = commands.add_parser(
        "env", help="print shell exports of the OS_* variables of a user"
    )
    variables.add_argument("--user", default="demo", choices=[user.name for user in USERS])
    variables.add_argument(
        "--region", default="pike", choices=[one.region for one in SERVERS if one.region]
    )
    return parser


def _up(layout: Layout) -> int:
    outcome = lifecycle.up(layout, _report)
    for release, reason in outcome.missing.items():
        print(f"{release} is not available: {reason}", file=sys.stderr)
    for server in outcome.servers:
        print(f"{server.name} http://{HOST}:{outcome.state.servers[server.name].port}")
    return 1 if outcome.missing else 0


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def describe(layout: Layout) -> dict[str, Any]:
    """Return what ``status`` prints: plain data about servers, regions and users."""
    state = State.load(layout.state)
    servers = [_describe_server(state, name) for name in (one.name for one in SERVERS)]
    addresses = {one["name"]: one["url"] for one in servers}
    return {
        "directory": str(layout.root),
        "up": all(one["up"] for one in servers),
        "auth_url": addresses["keystone"],
        "servers": servers,
        "regions": {one.region: addresses[one.name] for one in SERVERS if one.region},
        "users": [
            {**asdict(user), "project_id": state.projects.get(user.project)} for user in USERS
        ],
    }


def _describe_server(state: State, name: str) -> dict[str, Any]:
    row = next(server for server in SERVERS if server.name == name)
    known = state.servers.get(name)
    process = known.process if known and known.process and known.process.find() else None
    return {
        "name": name,
        "release": row.release,
        "region": row.region,
        "url": f"http://{HOST}:{known.port}" if known else None,
        "up": process is not None,
        "pid": process.pid if process else None,
        "memory_mib": round(process.memory() / 2**20) if process else 0,
    }


def exports(layout: Layout, user_name: str, region: str) -> str:
    """Return shell lines that let OpenStack clients act as the user in the region.

    :raises CloudError: the cloud was never started.
    """
    state = State.load(layout.state)
    if "keystone" not in state.servers:
        raise CloudError("The cloud is not up: run `python -m tests.functional.cloud up`.")
    user = next(user for user in USERS if user.name == user_name)
    variables = {
        "OS_AUTH_URL": f"http://{HOST}:{state.servers['keystone'].port}/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user.name,
        "OS_PASSWORD": user.password,
        "OS_PROJECT_NAME": user.project,
        "OS_USER_DOMAIN_ID": "default",
        "OS_PROJECT_DOMAIN_ID": "default",
        "OS_REGION_NAME": region,
    }
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


if __name__ == "__main__":
    sys.exit(main())
