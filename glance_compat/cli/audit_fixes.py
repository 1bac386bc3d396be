# SPDX-License-Identifier: Apache-2.0
"""The options of ``glance-compat audit`` that repair images, and the loop over these images.

What must live here: the kinds of findings that can be repaired. What must not: the steps of a
repair (``repair``).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat.cli.cloud import Cloud
from glance_compat.cli.own_images import add_all_projects
from glance_compat.cli.references import Finder
from glance_compat.cli.repair import Access, Fix, Repair, check_apis, repair_image
from glance_compat.cli.repair_encoding import DecodeStrings
from glance_compat.cli.repair_properties import FillNulls, MoveShadowed
from glance_compat.cli.usage import UsageError, suggest
from glance_compat.redaction import quote_value

#: The repair of each kind of finding, by its name.
FIXES: Mapping[str, type[Fix]] = {
    "percent-encoded": DecodeStrings,
    "null-property": FillNulls,
    "shadowed-property": MoveShadowed,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that repair images."""
    group = parser.add_argument_group("repairs", "Without --fix the command writes nothing.")
    fixes = group.add_mutually_exclusive_group()
    fixes.add_argument(
        "--fix",
        metavar=("KIND", "IMAGE"),
        nargs="+",
        help="repair findings of this kind in these images (ids, URLs or exact names)."
        " percent-encoded: decode names and values that glanceclient encoded, except with low"
        " confidence; null-property: replace NULL with an empty string; shadowed-property: put v1_"
        " before the property's name",
    )
    fixes.add_argument(
        "--fix-percent-encoding",
        dest="fix_encoding",
        metavar="IMAGE",
        nargs="+",
        help="the same as --fix percent-encoded IMAGE",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="show the repairs without writing them"
    )
    add_all_projects(group)


def parse_fix(parsed_args: argparse.Namespace) -> tuple[str, list[str]] | None:
    """Return the kind and the images to repair, or None if the images are only audited.

    :raises glance_compat.cli.usage.UsageError: there is no such repair, or no image.
    """
    if parsed_args.fix_encoding:
        return "percent-encoded", parsed_args.fix_encoding
    if not parsed_args.fix:
        for option in ("dry_run", "all_projects"):
            if getattr(parsed_args, option):
                raise UsageError(f"--{option.replace('_', '-')} needs --fix")
        return None
    kind, *images = parsed_args.fix
    if kind not in FIXES:
        raise UsageError(
            f"--fix cannot repair {quote_value(kind)}.{suggest(kind, FIXES)} Kinds:"
            f" {', '.join(FIXES)}"
        )
    if not images:
        raise UsageError(f"--fix {kind} needs the images to repair")
    return kind, images


def repair_images(
    target: Cloud,
    apis: Sequence[str],
    kind: str,
    images: Sequence[str],
    *,
    parsed_args: argparse.Namespace,
    report: Callable[[str], object],
) -> Iterator[Repair]:
    """Repair images, one after the other.

    :param target: the cloud.
    :param apis: the APIs to read, in order.
    :param kind: a key of :data:`FIXES`.
    :param images: references to images.
    :param parsed_args: the options ``--dry-run`` and ``--all-projects``.
    :param report: called with a line about each change before it is written.
    """
    exact = {"extended": True, "v1_exact_show": True, "v1_folding": "refuse"}
    access = Access(
        {api: target.service(api_version=api[1:], **exact) for api in apis},
        {api: target.dispatcher(api_version=api[1:], **exact) for api in apis},
    )
    fix = FIXES[kind]
    check_apis(fix, access, kind)
    finder = Finder(target, access.newest, own_only=not parsed_args.all_projects)
    for reference in images:
        yield from repair_image(
            fix(access), finder, reference, dry_run=parsed_args.dry_run, report=report
        )
