# SPDX-License-Identifier: Apache-2.0
"""The page on what differs between v1 and v2: deviations, attributes and properties."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence

from glance_compat.metadata import fields, image_records, property_names, v1_limits
from glance_compat.metadata.deviations import DEVIATIONS, Deviation
from pages.markup import code, codes, escaped, table, title
from tests.facts import FACTS

_HEAD = """\
=============================
Differences between v1 and v2
=============================

The same call returns the same dict over v1 and v2, as far as the two APIs permit it. This page has
what they do not permit, by what a program does, and then how attributes and properties are stored
over each API. Each difference was verified on real servers, and has a test there.

:doc:`v1-and-v2` introduces the two APIs. :doc:`filters` and :doc:`capabilities` have pages of
their own. :doc:`facts` lists all differences between the servers, including those that a program
does not notice, because the library bridges them.

"""

#: What a program does to the deviations that it may notice, with a heading for each.
TASKS: Mapping[str, Mapping[str, str]] = {
    "Show an image": {
        "head-property-case": "Upper-case names of properties",
        "head-empty-property": "Properties without a value",
        "head-blanks": "Blanks before names and values",
        "head-property-colon": "Names with a colon",
        "head-forged-header": "Values with a line break",
        "locations": "Locations",
        "deleted-images": "Deleted images",
    },
    "List images": {"changes-since": "The filter changes-since"},
    "Create an image or upload data": {
        "killed-images": "Interrupted uploads",
        "unshown-locations": "Locations of existing data",
    },
    "Change an image": {
        "property-folding": "New names with upper case or dashes",
        "purge-of-the-unportable": "Properties that v1 cannot carry",
        "formats-of-active-images": "Formats of images with data",
        "visibility-words": "Visibility",
        "concurrent-updates": "Changes at the same time",
    },
    "Share an image": {
        "member-details": "Details of members",
        "members-of-unshared-images": "Members of images that are not shared",
    },
    "Delete an image": {"delayed-deletion": "Delayed deletion"},
    "Use what only one API or only some clouds have": {
        "extended-attributes": "Attributes of Options(extended=True)",
        "needs-v2": "What needs v2",
        "needs-v1": "What needs v1",
        "restricted-schema": "Clouds that permit only some properties",
    },
}

_ACCESS = {
    fields.Access.READ: "written by the server only",
    fields.Access.CREATE: "written in a new image",
    fields.Access.DATA: "written together with data",
    fields.Access.WRITE: "",
}

_PARTS = {
    fields.Part.ALWAYS: "In every dict",
    fields.Part.LOCATIONS: "With ``include_locations=True``",
    fields.Part.EXTENDED: "With ``Options(extended=True)``",
}

_ATTRIBUTES = """\
The key of each attribute over each API. If a server does not have an attribute, or has no value
for it, the dict has the value of the last column. What only the server writes is ignored when a
whole image dict is sent back.

"""

_PROPERTIES = """\
No property may be given one of these names, over either API; an image that has one already can
still be edited: {reserved}, and names that begin with {owned}.

A property of v1 with the name of a base attribute of v2 is shown by neither API and is never lost;
``Options(extended=True)`` returns it in ``shadowed_properties``.

{structured} are decoded if they are JSON.

v1 cannot carry the following, so they are refused over v1 before any request, and over v2 as well
with ``Options(portable=True)``:

* a value, or the name of an image, with CR, LF or NUL, or with white space around it;
* a property whose name has characters that no HTTP header name has;
* a property of more than {line} bytes, or properties of more than {block} bytes together;
* two names that v1 folds into one: it stores names in lower case, with underscores for dashes.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD, *_deviations(), *_attributes(), title("Properties"), "\n", _properties()]
    return "".join(parts)


def _deviations() -> Iterator[str]:
    tests = _tests_of_deviations()
    rows = {row.name: row for row in DEVIATIONS}
    placed = [name for headings in TASKS.values() for name in headings]
    if sorted(placed) != sorted(rows):
        raise ValueError("each deviation must be in one group of TASKS")
    for task, headings in TASKS.items():
        yield f"{title(task)}\n"
        for name, heading in headings.items():
            yield _deviation(rows[name], heading, tests[name])


def _tests_of_deviations() -> Mapping[str, Sequence[str]]:
    tests: dict[str, list[str]] = collections.defaultdict(list)
    for fact in FACTS:
        for node in fact.tests if fact.deviation else ():
            if node.startswith("tests/functional/") and node not in tests[fact.deviation]:
                tests[fact.deviation].append(node)
    return tests


def _deviation(row: Deviation, heading: str, tests: Sequence[str]) -> str:
    if not tests:
        raise ValueError(f"no functional test pins the deviation {row.name}")
    names = dict.fromkeys(node.rpartition("::")[2].partition("[")[0] for node in tests)
    lines = [
        ("Calls", ", ".join(code(f"{name}()") for name in row.calls)),
        ("Over v1", escaped(row.v1)),
        ("Over v2", escaped(row.v2)),
        ("Reason", escaped(row.fact)),
        *([("What to do", escaped(row.remedy))] if row.remedy else []),
        ("Tests", codes(names)),
    ]
    body = "\n".join(f"**{name}:** {text}\n" for name, text in lines)
    return f".. _deviation-{row.name}:\n\n{title(heading, '-')}\n{body}\n"


def _attributes() -> Iterator[str]:
    yield f"{title('Attributes')}\n{_ATTRIBUTES}"
    for part, heading in _PARTS.items():
        rows = [
            (code(field.name), _keys(field), _notes(field))
            for field in fields.SHOWN_FIELDS
            if field.part is part
        ]
        yield f"{title(heading, '-')}\n"
        yield table(("attribute", "keys", "notes"), rows, widths="30 35 35") + "\n"
    always = codes(sorted(image_records.V1_ALWAYS))
    yield (
        f"{codes(fields.ORIGINS)} are written, but never shown.\n\n"
        f"The headers of v1 always have {always}. If one of them is missing, the metadata of the"
        " image itself has damaged the headers, and the image is fetched from the list of images,"
        " which loses nothing.\n\n"
    )


def _keys(field: fields.Field) -> str:
    v1, v2 = _spelling(field.v1), _spelling(field.v2)
    return v1 if v1 == v2 else f"v1: {v1}; v2: {v2}"


def _spelling(one: fields.Spelling | None) -> str:
    if one is None:
        return "none"
    since = f" since 2.{one.since[1]}" if one.since > (2, 0) else ""
    return code(one.key) + since


def _notes(field: fields.Field) -> str:
    absent = code([] if field.absent == () else field.absent)
    return "; ".join(filter(None, (f"{absent} if missing", _ACCESS[field.access])))


def _properties() -> str:
    reserved = sorted(
        property_names.V2_BASE_KEYS
        | set(fields.FIELDS_BY_NAME)
        | {*fields.ORIGINS, "image_id", "extra_properties"}
    )
    if not all(property_names.is_reserved(name) for name in reserved):
        raise ValueError("a name that the page calls reserved is not")
    return _PROPERTIES.format(
        reserved=codes(reserved),
        owned=code(property_names.SERVER_OWNED_PREFIX),
        structured=codes(sorted(property_names.STRUCTURED)),
        line=v1_limits.V1_LINE_BYTES,
        block=v1_limits.V1_BLOCK_BYTES,
    )
