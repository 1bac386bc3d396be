# SPDX-License-Identifier: Apache-2.0
"""The page on what differs between v1 and v2: attributes, properties, deviations and facts."""

from __future__ import annotations

import collections
from collections.abc import Sequence

from glance_compat.metadata import fields, image_records, property_names, v1_limits
from glance_compat.metadata.deviations import DEVIATIONS, Deviation
from pages.markup import code, codes, escaped, table, title
from tests.facts import FACTS, SECTIONS
from tests.facts.rows import Fact, Verdict

_HEAD = """\
=============================
Differences between v1 and v2
=============================

The Images API v1 and v2 differ in more than their spelling. This page lists the differences, and
what the library does about each. Most are bridged: a caller does not notice them. Some calls are
refused, because one of the APIs would do something wrong. Where an API leaves no choice, the
difference is a known deviation. All of them were verified on real servers, Glance 15.0.2 ("Pike",
v1 and v2 over one database) and Glance 33.0.0, and whatever concerns the library has a test.

Filters and sort keys have a page of their own, :doc:`filters`; so have :doc:`capabilities`.
"""

_KINDS = {
    fields.Access.READ: "only the server",
    fields.Access.CREATE: "in a new image",
    fields.Access.DATA: "together with data",
    fields.Access.WRITE: "always",
}

_PARTS = {
    fields.Part.ALWAYS: "always",
    fields.Part.LOCATIONS: "with include_locations",
    fields.Part.EXTENDED: "with Options(extended=True)",
}

_TITLES = {
    "versions": "Versions",
    "encoding": "Headers, values and names",
    "creating": "New images",
    "updating": "Changes",
    "listing": "Lists",
    "reading": "One image, its data and its end",
    "sharing": "Members",
    "errors": "Errors",
    "translation": "What Nova's own translation got wrong",
    "laboratory": "Not Glance",
}

_DONE = {
    Verdict.BRIDGED: "bridged",
    Verdict.REFUSED: "refused",
    Verdict.FIXTURE: "not met by the library; the embedded server does the same",
    Verdict.NOT_APPLICABLE: "not applicable",
}


def page() -> str:
    """The page, in reStructuredText."""
    parts = (
        _HEAD,
        _attributes(),
        _properties(),
        _deviations(),
        _facts(),
    )
    return "\n".join(parts).rstrip("\n") + "\n"


def _attributes() -> str:
    def spelling(one: fields.Spelling | None) -> str:
        if one is None:
            return "no"
        since = f", since 2.{one.since[1]}" if one.since > (2, 0) else ""
        return code(one.key) + since

    def absent(field: fields.Field) -> str:
        return code([] if field.absent == () else field.absent)

    rows = [
        (
            code(field.name),
            spelling(field.v1),
            spelling(field.v2),
            absent(field),
            _KINDS[field.access],
            _PARTS[field.part],
        )
        for field in fields.SHOWN_FIELDS
    ]
    header = ("attribute", "on v1", "on v2", "where a server has none", "written", "shown")
    return "\n".join(
        (
            title("Attributes"),
            "Where v1 or v2 does not have an attribute, the value of a server that has none is"
            " shown.\nWhat only the server writes is ignored when a whole image dict is sent"
            " back.\n",
            table(header, rows),
            f"Written and never shown: {codes(fields.ORIGINS)}.\n",
            "A v1 header block that lacks one of these is damaged by the image's own metadata,"
            " and is\nlooked up in the lossless list:"
            f" {codes(sorted(image_records.V1_ALWAYS))}.\n",
        )
    )


def _properties() -> str:
    reserved = sorted(
        property_names.V2_BASE_KEYS
        | set(fields.FIELDS_BY_NAME)
        | {*fields.ORIGINS, "image_id", "extra_properties"}
    )
    if not all(property_names.is_reserved(name) for name in reserved):
        raise ValueError("a name that the page calls reserved is not")
    return "\n".join(
        (
            title("Properties"),
            "No property may be given one of these names, on either API; an image that has one"
            " already can\nstill be edited:\n",
            f"{codes(reserved)}, and what begins with"
            f" {code(property_names.SERVER_OWNED_PREFIX)}.\n",
            "A property of v1 with the name of a base attribute of v2 is shown by neither and is"
            " never lost;\n``Options(extended=True)`` tells it as ``shadowed_properties``.\n",
            f"{codes(sorted(property_names.STRUCTURED))} are decoded when they are JSON.\n",
            "v1 cannot carry these, so they are refused there before any request, and on v2 as"
            " well with\n``Options(portable=True)``:\n",
            "* a value or a name of an image with CR, LF, NUL, or white space around it;",
            "* a property's name with characters that no header's name has;",
            f"* a property of more than {v1_limits.V1_LINE_BYTES} bytes, or properties of more"
            f" than {v1_limits.V1_BLOCK_BYTES} together;",
            "* two names that v1 folds into one: it stores names in lower case, with underscores"
            " for dashes.\n",
        )
    )


def _deviations() -> str:
    tests: dict[str, list[str]] = collections.defaultdict(list)
    for fact in FACTS:
        for node in fact.tests if fact.deviation else ():
            if node.startswith("tests/functional/") and node not in tests[fact.deviation]:
                tests[fact.deviation].append(node)
    return "\n".join(
        (
            title("Known deviations"),
            "Where the same call does not give the same result, because an API leaves no choice."
            " Each has a test\nthat asserts both sides on a real Glance 15.0.2.\n",
            *(_deviation(row, tests[row.name]) for row in DEVIATIONS),
        )
    )


def _deviation(row: Deviation, tests: Sequence[str]) -> str:
    if not tests:
        raise ValueError(f"no functional test pins the deviation {row.name}")
    methods = ", ".join(code(f"{name}()") for name in row.calls)
    fields = [
        ("where", methods),
        ("v1", escaped(row.v1)),
        ("v2", escaped(row.v2)),
        ("why", escaped(row.fact)),
        *([("what to do", escaped(row.remedy))] if row.remedy else []),
        ("tests", ", ".join(code(node) for node in tests)),
    ]
    body = "\n".join(f":{name}: {text}" for name, text in fields)
    return f".. _deviation-{row.name}:\n\n{title(row.name, '-')}\n{body}\n"


def _facts() -> str:
    counted = collections.Counter(fact.verdict for fact in FACTS)
    sums = ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict)
    return "\n".join(
        (
            title("What servers were seen to do"),
            f"{len(FACTS)} facts: {sums}. ``tests/facts`` names the tests of each.\n",
            *(
                f"{title(_TITLES[name], '-')}\n"
                + table(
                    ("fact", "seen on", "the library"),
                    [(escaped(one.fact), ", ".join(one.seen), _done(one)) for one in facts],
                    widths="70 15 15",
                )
                for name, facts in SECTIONS.items()
            ),
        )
    )


def _done(fact: Fact) -> str:
    if fact.verdict is Verdict.DEVIATION:
        return f":ref:`{fact.deviation} <deviation-{fact.deviation}>`"
    return _DONE[fact.verdict]
