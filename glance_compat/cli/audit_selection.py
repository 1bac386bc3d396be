# SPDX-License-Identifier: Apache-2.0
"""Select the images and the kinds of findings of an audit.

What must live here: the options that select, and what they select. What must not: files with known
findings (``accepted``), and code that detects findings (``glance_compat.audit``).
"""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Mapping

from glance_compat.audit.kinds import KINDS, SEVERITIES, TARGET_APIS, Kind
from glance_compat.cli import projects

#: The value of ``--target-api`` for findings that affect a move to either API.
BOTH = "both"


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """What an audit looks for.

    :param kinds: the kinds of findings to look for.
    :param unasked: those of them that are counted, but not shown.
    :param owner: the id of the project whose images are audited; None: all projects.
    """

    kinds: tuple[Kind, ...]
    unasked: frozenset[Kind] = frozenset()
    owner: str | None = None

    def has_image(self, record: Mapping[str, typing.Any]) -> bool:
        """Return whether an image is audited."""
        return self.owner is None or record.get("owner") == self.owner


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select images and findings."""
    parser.add_argument(
        "--target-api",
        choices=(*TARGET_APIS, BOTH),
        help="show only findings that affect a move to this API; default: both, but only v2 on an"
        " endpoint that does not offer v1",
    )
    parser.add_argument(
        "--severity",
        choices=SEVERITIES[:-1],
        default=SEVERITIES[0],
        help="show only findings of at least this severity; default: note",
    )
    parser.add_argument(
        "--kind",
        dest="kinds",
        metavar="KIND",
        choices=sorted(kind.name for kind in KINDS if kind.severity != "unread"),
        action="append",
        help="show only findings of this kind; may be repeated",
    )
    parser.add_argument(
        "--owner", metavar="PROJECT", help="audit only images of this project (name or id)"
    )
    projects.add_domain(parser)
    parser.add_argument(
        "--deleted",
        action="store_true",
        help="also audit deleted and killed images, which only v1 shows, and only to an admin",
    )


def select(parsed_args: argparse.Namespace, owner: str | None, *, has_v1: bool) -> Selection:
    """Return what the options select.

    :param parsed_args: the options.
    :param owner: the id of the project of ``--owner``, or None.
    :param has_v1: whether the endpoint offers v1. If it does not, what concerns only a move to v1
        is shown only if the user asks for it, with ``--target-api`` or ``--kind``.
    """
    target_api = parsed_args.target_api or BOTH
    kinds = tuple(kind for kind in KINDS if _is_selected(kind, target_api, parsed_args))
    is_asked = has_v1 or parsed_args.target_api or parsed_args.kinds
    only_v1 = () if is_asked else (kind for kind in kinds if kind.target_apis == ("v1",))
    return Selection(kinds, frozenset(only_v1), owner)


def _is_selected(kind: Kind, target_api: str, parsed_args: argparse.Namespace) -> bool:
    return kind.severity == "unread" or (
        SEVERITIES.index(kind.severity) >= SEVERITIES.index(parsed_args.severity)
        and target_api in (BOTH, *kind.target_apis)
        and (not parsed_args.kinds or kind.name in parsed_args.kinds)
    )
