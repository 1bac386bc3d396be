# SPDX-License-Identifier: Apache-2.0
"""The generated pages of the manual show what the library really does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glance_compat import exceptions
from glance_compat.exceptions import GlanceCompatError
from pages import PAGES, choosing, reliability, retries
from pages.advice import ADVICE, meaning
from tests.facts import FACTS
from tests.faults.calls import Kind
from tests.faults.table import ROWS, Cell, expected, left_out

DOCS = Path(__file__).parents[2] / "docs"
SHOW_V1 = f"HEAD /v1/images/{choosing.IMAGE} with the token: 200, the image"
SHOW_V2 = f"GET /v2/images/{choosing.IMAGE} with the token: 200, the image"
DOCUMENT = "GET / : 300, the version document"
NO_DOCUMENT = "GET / : 200, an HTML page"

#: The requests of each drawing, which the text around it describes.
REQUESTS = {
    "document": [[DOCUMENT, SHOW_V2], [SHOW_V2]],
    "probes": [
        [
            NO_DOCUMENT,
            "GET /v2/schemas/image with the token: 200, a schema",
            "GET /v1/images?limit=1 with the token: 200, a list",
            SHOW_V2,
        ]
    ],
    "path": [[NO_DOCUMENT, SHOW_V1]],
    "pinned": [[SHOW_V2]],
    "upgrade": [
        [
            DOCUMENT,
            SHOW_V1.replace("200, the image", "300, the version document"),
            DOCUMENT,
            SHOW_V2,
        ]
    ],
}


@pytest.mark.parametrize("name", choosing.SCENES)
def test_page_on_the_choice_describes_the_requests(name: str) -> None:
    result = choosing.run(choosing.SCENES[name])
    assert [
        [
            f"{one.method} {one.path} {'with the token' if one.has_token else ''}:"
            f" {choosing.describe(one)}"
            for one in exchanges
        ]
        for exchanges in result.calls
    ] == REQUESTS[name]


def test_page_on_the_choice_has_every_arrow() -> None:
    text = choosing.page()
    calls = [call for calls in REQUESTS.values() for call in calls]
    # Each call and each request has an arrow there and an arrow back.
    arrows = 2 * len(calls) + 2 * sum(map(len, calls))
    assert text.count("<polygon") == arrows
    # Each label is in the drawing, and in its description.
    without_token = [one for call in calls for one in call if "token" not in one]
    assert text.count("(no token)") == 2 * len(without_token)


def subclasses(error: type[Exception]) -> set[type[Exception]]:
    """Return the subclasses of an exception class, and their subclasses."""
    found = set(error.__subclasses__())
    return found.union(*(subclasses(one) for one in found))


def test_reliability_page_has_advice_for_every_exception() -> None:
    advised = [error for errors in ADVICE.values() for error in errors]
    public = {
        one for one in subclasses(GlanceCompatError) if one.__module__ == exceptions.__name__
    }
    assert len(advised) == len(set(advised))
    assert set(advised) == public
    text = reliability.page()
    for error in advised:
        assert f"exceptions.{error.__name__}`\n    {meaning(error)}\n" in text
        assert meaning(error).endswith(".")


def test_reliability_page_has_every_purpose_of_requests_once() -> None:
    kinds = [kind for _, column in reliability.COLUMNS.values() for kind in column]
    assert sorted(kinds, key=str) == sorted(Kind, key=str)


def test_reliability_page_links_each_fault_to_its_details() -> None:
    matrix, details = reliability.page(), reliability.outcomes()
    names = [reliability.slug(name) for name in ROWS]
    assert len(set(names)) == len(names)
    for name in names:
        assert matrix.count(f"<fault-{name}>`") == 1
        assert details.count(f".. _fault-{name}:\n") == 1


@pytest.mark.parametrize(
    ("fault", "column", "mark"),
    [
        ("503", "read", "✓"),
        ("503", "pipe", "✗"),
        ("503", "discover", "✗"),
        ("request executed, response lost", "change", "✓"),
        ("requests executed, every response lost", "change", "**!**"),
        ("every token is rejected", "create", "✗"),
        # Not tested: these requests carry no data.
        ("connection reset during an upload", "read", ""),
    ],
)
def test_mark_is_that_of_the_worst_outcome(fault: str, column: str, mark: str) -> None:
    assert reliability.mark(fault, column) == mark


def test_page_on_retries_describes_what_follows_a_failure() -> None:
    lost = retries.FAILURES["it took effect, and the response was lost"]
    seen = {name: retries.observe(name, lost) for name in retries.DECISIONS}
    assert seen["Set properties"] == "PATCH"
    assert seen["Replace all properties"] == "GET"
    assert seen["Delete"] == "DELETE (404)"
    assert seen["Add a member"] == "POST (409), GET"
    assert seen["Upload: send the data"] == "GET"
    assert seen["Upload: create the record"] == "DELETE, POST, PUT, GET"
    assert retries.observe("Upload from a pipe", "503") == "GET, DELETE, exception"


@pytest.mark.parametrize("failure", retries.FAILURES.values())
def test_page_on_retries_agrees_with_the_table_of_faults(failure: str) -> None:
    for name, one in retries.DECISIONS.items():
        cell = Cell(failure, one.call, one.api, retries.find_step(one))
        raised = retries.observe(name, failure).endswith(retries.EXCEPTION)
        if left_out(cell) is None:
            assert raised is bool(expected(cell).errors), name


def test_introduction_cites_the_releases_of_each_fact() -> None:
    text = (DOCS / "v1-and-v2.rst").read_text()
    cited = re.findall(r":ref:`([^`<]+) <fact-([^`>]+)>`", " ".join(text.split()))
    seen = {fact.name: ", ".join(fact.seen) for fact in FACTS}
    assert len(cited) > 40
    assert [(seen.get(name), name) for _, name in cited] == cited


def test_introduction_has_a_source_in_every_paragraph() -> None:
    text = (DOCS / "v1-and-v2.rst").read_text()
    body = text.partition("How metadata travels\n")[2].partition("What the library makes")[0]
    paragraphs = [one for one in body.split("\n\n") if not re.search(r"^=+$", one, re.M)]
    without = [one for one in paragraphs if one.strip() and "<fact-" not in one]
    # These say what the list or the paragraph after them is about.
    assert [one.partition(" ")[0] for one in without] == ["**v1**", "**v2**"]


def test_no_page_has_a_table_of_contents() -> None:
    # The theme has its own, and shows an error in the place of another one.
    written = [page for page in DOCS.glob("*.rst") if page.stem not in PAGES]
    sources = [*written, *DOCS.glob("pages/*.py")]
    assert len(sources) > 30
    assert [source.name for source in sources if ".. contents::" in source.read_text()] == []
