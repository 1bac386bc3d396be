# SPDX-License-Identifier: Apache-2.0
"""What ``glance-compat audit --sanity`` needs to know besides the images.

What must live here: reading the metadata definitions, the time, and which APIs are read. What must
not: the examinations (``glance_compat.audit``).
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import typing
from collections.abc import Iterable, Sequence

from glance_compat import exceptions
from glance_compat.audit.conditions import ForbiddenProperties
from glance_compat.audit.examinations import CheckProperties, Circumstances
from glance_compat.audit.findings import Finding
from glance_compat.audit.kinds import Kind
from glance_compat.audit.records import Match
from glance_compat.audit.sanity_kinds import ALL_KINDS_BY_NAME
from glance_compat.cli.cloud import Cloud
from glance_compat.definitions.checks import find_problems
from glance_compat.options import Options


def choose_apis(apis: Sequence[str], parsed_args: argparse.Namespace) -> Sequence[str]:
    """Return the APIs to read: one suffices for ``--sanity``, but only v1 has deleted images.

    :param apis: the APIs that can be read, in order.
    """
    return apis[-1:] if parsed_args.sanity and not parsed_args.deleted else apis


def describe(
    target: Cloud, kinds: Iterable[Kind], parsed_args: argparse.Namespace
) -> tuple[Circumstances, list[Finding]]:
    """Return what examinations need to know, and a finding for what could not be read.

    :param target: the cloud.
    :param kinds: the kinds of findings to look for.
    :param parsed_args: the option ``--stuck-after``.
    """
    known: dict[str, typing.Any] = {
        "now": datetime.datetime.now(datetime.timezone.utc),
        "successor_property": Options().successor_property,
    }
    if parsed_args.stuck_after is not None:
        known["stuck_after"] = parsed_args.stuck_after
    gaps = []
    if any(kind.begin is ForbiddenProperties for kind in kinds):
        try:
            known["check_properties"] = _read_checks(target)
        except exceptions.GlanceCompatError as error:
            kind = ALL_KINDS_BY_NAME["definitions-not-read"]
            gaps.append(Finding(kind, Match("metadata definitions", str(error))))
    return Circumstances(**known), gaps


def _read_checks(target: Cloud) -> CheckProperties:
    if importlib.util.find_spec("jsonschema") is None:
        raise exceptions.InvalidOption(
            "the package jsonschema is not installed; install glance-compat[definitions]"
        )
    definitions = target.service().property_definitions(None)
    return lambda properties: {
        one.name: one.allowed for one in find_problems(definitions, properties)
    }
