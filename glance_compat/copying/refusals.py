# SPDX-License-Identifier: Apache-2.0
"""Why a target cannot store the metadata of a copy, and what it would store differently.

The reasons are those of the audit: its detectors examine the metadata that the copy must have, as
a record of v2. What must live here: the findings that prevent a copy, and those that are reported.
What must not: the detectors (see ``audit``), I/O.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator

from glance_compat import exceptions
from glance_compat.audit.findings import Finding, examine_image
from glance_compat.audit.kinds import KINDS, Kind
from glance_compat.audit.records import PROPERTY
from glance_compat.copying.wanted import Wanted
from glance_compat.discovery.versions import Discovery
from glance_compat.metadata import changes, support
from glance_compat.metadata.fields import FIRST_V2
from glance_compat.options import Options
from glance_compat.redaction import quote_value
from glance_compat.types import ExtendedImage

#: Names of the findings that prevent a copy to any target. The library does not write a property
#: that has the name of an attribute, over either API.
_REFUSED = frozenset({"shadowed-property", "spoofed-attribute", "reserved-property"})

#: Names of the findings that prevent a copy to a target of this API, if they affect a move to it.
_REFUSED_BY_API = {
    "v1": frozenset(
        {"line-break", "invalid-header-name", "folding-names", "folds-to-reserved"}
        | {"too-long-value", "too-large-metadata", "outer-whitespace", "community-image"}
        | {"hidden-image", "tags"}
    ),
    "v2": frozenset({"long-property-name"}),
}

#: Names of the findings with which an image is copied, but that the reason of the step names.
_REPORTED = {
    "v1": frozenset({"folded-name", "too-many-headers", "empty-name"}),
    "v2": frozenset({"empty-name"}),
}


def find_refusal(
    image: ExtendedImage, wanted: Wanted, target: Discovery, options: Options
) -> str | None:
    """Return why a target cannot store a copy as it is wanted, or None if it can.

    :param image: the source.
    :param wanted: the metadata that the copy must have.
    :param target: what the target offers.
    :param options: the options of the target's service.
    """
    refused = _REFUSED | _REFUSED_BY_API[target.api]
    if image["size"]:
        refused |= {"missing-formats"}
    if target.api == "v1" and options.v1_folding == "refuse":
        refused |= {"folded-name"}
    found = [_describe(one) for one in _examine(image, wanted, _named(refused))]
    return "; ".join(found) or _find_other_obstacle(wanted, target, options)


def find_notes(image: ExtendedImage, wanted: Wanted, target: Discovery) -> list[str]:
    """Return what a target stores differently from what is wanted."""
    kinds = _named(_REPORTED[target.api])
    return [_describe(one) for one in _examine(image, wanted, kinds)]


def _named(names: frozenset[str]) -> list[Kind]:
    return [kind for kind in KINDS if kind.name in names]


def _examine(image: ExtendedImage, wanted: Wanted, kinds: Iterable[Kind]) -> Iterator[Finding]:
    properties = dict(wanted.properties or {})
    record: dict[str, typing.Any] = {
        **properties,
        **{name: wanted.base.get(name) for name in ("name", "disk_format", "container_format")},
        "id": image["id"],
        "status": image["status"],
        "size": image["size"],
        "visibility": wanted.base.get("visibility"),
        "tags": wanted.base.get("tags", []),
        "os_hidden": bool(wanted.base.get("os_hidden")),
    }
    shadowed = image["shadowed_properties"] if wanted.properties is not None else None
    v1 = {"id": image["id"], "properties": {**properties, **shadowed}} if shadowed else None
    return examine_image(v1, record, kinds)


def _describe(finding: Finding) -> str:
    subject = finding.match.subject
    if subject.startswith(PROPERTY):
        subject = PROPERTY + quote_value(subject.removeprefix(PROPERTY))
    return f"{subject} {finding.match.details} ({finding.kind.name})"


def _find_other_obstacle(wanted: Wanted, target: Discovery, options: Options) -> str | None:
    """Return what the library itself would refuse before it sends a request."""
    try:
        meta = changes.parse_image_meta({**wanted.base, "properties": wanted.properties})
        changes.check_property_names(meta.properties)
        if target.api == "v1":
            support.select_for_v1(meta.base, target.endpoint)
        else:
            version = (2, target.version[1]) if target.version[1] is not None else FIRST_V2
            offer = support.Offer(version, target.capabilities)
            support.select_for_v2(
                meta.base, lambda: offer, uploading=True, endpoint=target.endpoint
            )
        if target.api == "v1" or options.portable:
            changes.check_v1_limits(meta, folding=options.v1_folding == "fold")
    except (exceptions.Invalid, exceptions.UnsupportedByVersion) as error:
        return str(error)
    return None
