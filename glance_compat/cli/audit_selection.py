# SPDX-License-Identifier: Apache-2.0
"""Select the images and the kinds of findings of an audit.

What must live here: the options that select, and what they select. What must not: files with known
findings (``accepted``), and code that detects findings (``glance_compat.audit``).
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable

from glance_compat.audit.findings import Finding
from glance_compat.audit.kinds import KINDS, SEVERITIES, TARGET_APIS, Kind
from glance_compat.audit.sanity_kinds import ALL_KINDS_BY_NAME, SANITY_KINDS
from glance_compat.cli import projects
from glance_compat.cli.argument_values import parse_duration
from glance_compat.cli.usage import UsageError, argument_type

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

    def has_owner(self, owner: object) -> bool:
        """Return whether the images of a project are audited."""
        return self.owner is None or owner == self.owner

    def filter_gaps(self, gaps: Iterable[Finding]) -> list[Finding]:
        """Return the findings about what was not read that matter for this selection."""
        return [gap for gap in gaps if gap.kind in self.kinds]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select images and findings."""
    parser.add_argument(
        "--sanity",
        action="store_true",
        help="instead of what a move would change, report what is wrong with images, such as"
        " uploads that never ended, missing checksums, and the same data several times",
    )
    parser.add_argument(
        "--stuck-after",
        metavar="AGE",
        type=argument_type(parse_duration),
        help="with --sanity: how long an image may be queued, saving, importing or pending_delete,"
        " with m, h, d or w; default: 24h",
    )
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
        choices=sorted(
            kind.name for kind in ALL_KINDS_BY_NAME.values() if kind.severity != "unread"
        ),
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


def check(parsed_args: argparse.Namespace) -> None:
    """Check that the options agree with each other.

    :raises glance_compat.cli.usage.UsageError: they do not.
    """
    if not parsed_args.sanity and parsed_args.stuck_after is not None:
        raise UsageError("--stuck-after needs --sanity")
    if parsed_args.sanity and parsed_args.target_api is not None:
        raise UsageError("--target-api concerns a move, and --sanity does not")
    declared = {kind.name for kind in (SANITY_KINDS if parsed_args.sanity else KINDS)}
    for name in parsed_args.kinds or ():
        if name not in declared:
            verb = "cannot be used with" if parsed_args.sanity else "needs"
            raise UsageError(f"--kind {name} {verb} --sanity")


def select(parsed_args: argparse.Namespace, owner: str | None, *, has_v1: bool) -> Selection:
    """Return what the options select.

    :param parsed_args: the options.
    :param owner: the id of the project of ``--owner``, or None.
    :param has_v1: whether the endpoint offers v1. If it does not, what concerns only a move to v1
        is shown only if the user asks for it, with ``--target-api`` or ``--kind``.
    """
    target_api = parsed_args.target_api or BOTH
    declared = SANITY_KINDS if parsed_args.sanity else KINDS
    kinds = tuple(kind for kind in declared if _is_selected(kind, target_api, parsed_args))
    is_asked = has_v1 or parsed_args.target_api or parsed_args.kinds
    only_v1 = () if is_asked else (kind for kind in kinds if kind.target_apis == ("v1",))
    return Selection(kinds, frozenset(only_v1), owner)


def _is_selected(kind: Kind, target_api: str, parsed_args: argparse.Namespace) -> bool:
    return kind.severity == "unread" or (
        SEVERITIES.index(kind.severity) >= SEVERITIES.index(parsed_args.severity)
        and target_api in (BOTH, *kind.target_apis)
        and (not parsed_args.kinds or kind.name in parsed_args.kinds)
    )
