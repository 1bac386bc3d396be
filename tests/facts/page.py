# SPDX-License-Identifier: Apache-2.0
"""The page of the documentation on what differs between v1 and v2, made from the tables of the
code and the facts here.

``python -m tests.facts.page`` writes it; ``tests/unit/test_facts.py`` compares it.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from glance_compat.discovery import versions
from glance_compat.metadata import fields, filters, v1_limits
from glance_compat.metadata.deviations import DEVIATIONS, Deviation
from tests.facts import FACTS, SECTIONS
from tests.facts.rows import Fact, Verdict

PAGE = Path(__file__).parents[2] / "docs" / "differences.rst"

_HEAD = """\
..
   Made by "python -m tests.facts.page" from the tables of the code; do not edit it here.

=============================
Differences between v1 and v2
=============================

The Images API v1 and v2 differ in more than their spelling. This page tells what was seen to
differ, and what the library does about it: it bridges a difference, so that a caller sees nothing
of it; it refuses what one of the APIs would do wrongly; or, where an API leaves no choice, the
difference is a known deviation. All of it was seen on real servers, Glance 15.0.2 ("Pike", v1 and
v2 over one database) and Glance 33.0.0; whatever concerns the library has a test.
"""

_KINDS = {
    fields.Access.READ: "nobody",
    fields.Access.CREATE: "in a new image",
    fields.Access.DATA: "together with data",
    fields.Access.WRITE: "always",
}

_PARTS = {
    fields.Part.ALWAYS: "always",
    fields.Part.LOCATIONS: "with include_locations",
    fields.Part.EXTENDED: "with Options(extended=True)",
}

#: A value of each filter, by which the page finds out what becomes of it.
_SAMPLES: dict[str, tuple[object, ...]] = {
    "name": ("a:b",),
    "status": ("active",),
    "disk_format": ("raw",),
    "container_format": ("bare",),
    "id": ("x",),
    "owner": ("x",),
    "checksum": ("x",),
    "size": (0, 1),
    "size_min": (1,),
    "size_max": (1,),
    "min_disk": (1,),
    "min_ram": (1,),
    "protected": (True,),
    "is_public": (True, False),
    "visibility": ("public", "shared"),
    "changes-since": ("2020-01-01T00:00:00Z",),
    "created_at": ("gt:2020-01-01T00:00:00Z",),
    "updated_at": ("eq:2020-01-01T00:00:00Z",),
    "tag": (["t1", "t2"],),
    "member_status": ("all", "pending"),
    "os_hidden": (True, False),
    "deleted": (True, False),
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
        _filters(),
        _capabilities(),
        _deviations(),
        _facts(),
    )
    return "\n".join(parts).rstrip("\n") + "\n"


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (header, *rows):
        for number, cell in enumerate(row):
            lines.append(f"   {'* ' if number == 0 else '  '}- {cell}".rstrip())
    return "\n".join(lines) + "\n"


def _code(text: object) -> str:
    return f"``{text}``"


def _escaped(text: str) -> str:
    """Text as reStructuredText shows it as it is."""
    for character in ("\\", "*", "`", "|"):
        text = text.replace(character, f"\\{character}")
    # A word that ends in an underscore would be a link.
    return re.sub(r"_(?![A-Za-z0-9])", r"\\_", text)


def _attributes() -> str:
    def spelling(one: fields.Spelling | None) -> str:
        if one is None:
            return "no"
        since = f", since 2.{one.since[1]}" if one.since > (2, 0) else ""
        return _code(one.key) + since

    def absent(field: fields.Field) -> str:
        return _code([] if field.absent == () else field.absent)

    rows = [
        (
            _code(field.name),
            spelling(field.v1),
            spelling(field.v2),
            absent(field),
            _KINDS[field.access],
            _PARTS[field.part],
        )
        for field in fields.FIELDS
    ]
    header = ("attribute", "on v1", "on v2", "where a server has none", "written", "shown")
    return "\n".join(
        (
            _title("Attributes"),
            "Where v1 or v2 does not have an attribute, the value of a server that has none is"
            " shown.\nWhat nobody writes is ignored when a whole image dict is sent back.\n",
            _table(header, rows),
            f"Written and never shown: {_names(fields.ORIGINS)}.\n",
            "A v1 header block that lacks one of these is damaged by the image's own metadata,"
            " and is\nlooked up in the lossless list:"
            f" {_names(sorted(fields.V1_ALWAYS))}.\n",
        )
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(_code(name) for name in names)


def _properties() -> str:
    reserved = sorted(
        fields.V2_BASE_KEYS
        | set(fields.FIELDS_BY_NAME)
        | {*fields.ORIGINS, "image_id", "extra_properties"}
    )
    assert all(fields.is_reserved(name) for name in reserved)
    return "\n".join(
        (
            _title("Properties"),
            "No property may be given one of these names, on either API; an image that has one"
            " already can\nstill be edited:\n",
            f"{_names(reserved)}, and what begins with {_code(fields.SERVER_OWNED_PREFIX)}.\n",
            "A property of v1 with the name of a base attribute of v2 is shown by neither and is"
            " never lost;\n``Options(extended=True)`` tells it as ``shadowed_properties``.\n",
            f"{_names(sorted(fields.STRUCTURED))} are decoded when they are JSON.\n",
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


def _filters() -> str:
    rows = []
    for row in filters.FILTERS:
        for sample in _SAMPLES[row.name]:
            value = row.read(sample)
            # Every minor version that a filter asks for.
            sides = (row.v1(value, (1, 1)), row.v2(value, (2, 17)))
            rows.append((_code(f"{row.name}={sample!r}"), *(_sent(one) for one in sides)))
    return "\n".join(
        (
            _title("Filters and order"),
            "What a server is asked for a filter; *the library filters* means that it looks at"
            " the images again\nor alone, and sees the same whichever API answers."
            " ``property-NAME`` goes out as it is on v1 and\nas ``NAME`` on v2.\n",
            _table(("filter", "v1 is sent", "v2 is sent"), rows),
            f"Sort keys of both: {_names(sorted(filters.SORT_KEYS))}. The library sorts by itself"
            f" by\n{_names(sorted(filters.LOCAL_SORT_KEYS))} and by several keys.\n",
        )
    )


def _sent(sent: filters.ServerQuery | None) -> str:
    if sent is None:
        return "``UnsupportedByVersion``"
    params = ", ".join(_code(f"{name}={text}") for name, text in sent.params)
    if sent.exact:
        return params or "nothing"
    return f"{params}; the library filters" if params else "the library filters"


def _capabilities() -> str:
    rows = [
        (_code(name), f"v{major}.{minor}")
        for name, (major, minor) in sorted(versions.CAPABILITIES.items())
    ]
    return "\n".join(
        (
            _title("Capabilities"),
            "What ``Discovery.capabilities`` names, and the first version that has it.\n",
            _table(("capability", "since"), rows),
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
            _title("Known deviations"),
            "Where the same call does not give the same result, because an API leaves no choice."
            " Each has a test\nthat asserts both sides on a real Glance 15.0.2.\n",
            *(_deviation(row, tests[row.name]) for row in DEVIATIONS),
        )
    )


def _deviation(row: Deviation, tests: Sequence[str]) -> str:
    assert tests, f"no functional test pins {row.name}"
    methods = ", ".join(_code(f"{name}()") for name in row.calls)
    fields = [
        ("where", methods),
        ("v1", _escaped(row.v1)),
        ("v2", _escaped(row.v2)),
        ("why", _escaped(row.fact)),
        *([("what to do", _escaped(row.remedy))] if row.remedy else []),
        ("tests", ", ".join(_code(node) for node in tests)),
    ]
    body = "\n".join(f":{name}: {text}" for name, text in fields)
    return f".. _deviation-{row.name}:\n\n{_title(row.name, '-')}\n{body}\n"


def _facts() -> str:
    counted = collections.Counter(fact.verdict for fact in FACTS)
    sums = ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict)
    return "\n".join(
        (
            _title("What servers were seen to do"),
            f"{len(FACTS)} facts: {sums}. ``tests/facts`` names the tests of each.\n",
            *(
                f"{_title(_TITLES[name], '-')}\n"
                + _table(
                    ("fact", "seen on", "the library"),
                    [(_escaped(one.fact), ", ".join(one.seen), _done(one)) for one in facts],
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


if __name__ == "__main__":
    PAGE.write_text(page())
