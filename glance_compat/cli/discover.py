# SPDX-License-Identifier: Apache-2.0
"""``glance-compat discover``: show which Images API the library chooses, and why."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from cliff.show import ShowOne

from glance_compat.cli import cloud, formatting
from glance_compat.discovery.versions import Discovery, format_offered


class Discover(ShowOne):
    """Show which Images APIs an endpoint offers, which one is chosen, and why.

    Sends one unauthenticated request; more only if the endpoint has no version document.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        """Return the names and the values of the fields of a Discovery."""
        found = cloud.make_service(self.app.options).discover()
        fields = {one.name: getattr(found, one.name) for one in dataclasses.fields(found)}
        if parsed_args.formatter == "table":
            fields = {key: one for key, one in (fields | _for_people(found)).items() if one}
        write = formatting.formatter_for(parsed_args.formatter)
        return tuple(fields), [write(value) for value in fields.values()]


def _for_people(found: Discovery) -> dict[str, object]:
    major, minor = found.version
    return {
        "version": f"{major}.{'(unknown)' if minor is None else minor}",
        "offered": [f"{one.id} {one.status}" for one in found.offered]
        or format_offered(found.offered),
        "endpoints": [f"{one.endpoint}: {one.api}, {one.reason}" for one in found.endpoints],
    }
