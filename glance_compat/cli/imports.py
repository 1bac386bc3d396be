# SPDX-License-Identifier: Apache-2.0
"""The options of commands whose data the server imports or copies itself.

What must live here: the options that ``create`` and ``import`` share. What must not: requests.
"""

from __future__ import annotations

import argparse

from glance_compat.cli.argument_values import at_least
from glance_compat.cli.usage import argument_type


def add_stores(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the stores of the data."""
    stores = parser.add_mutually_exclusive_group()
    stores.add_argument(
        "--store",
        dest="stores",
        metavar="STORE",
        action="append",
        default=[],
        help="a store for the data; may be repeated, which needs v2.10",
    )
    stores.add_argument(
        "--all-stores", action="store_true", help="store the data in all stores; needs v2.10"
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Add the option that limits the wait for the server."""
    parser.add_argument(
        "--wait-timeout",
        metavar="SECONDS",
        type=argument_type(at_least(0)),
        help="wait at most this long until the server has the data; default: 600",
    )


def timeout_of(parsed_args: argparse.Namespace) -> dict[str, float]:
    """Return the options of the service that limit the wait, as keyword arguments."""
    if parsed_args.wait_timeout is None:
        return {}
    return {"settle_timeout": float(parsed_args.wait_timeout)}
