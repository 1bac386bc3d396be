# SPDX-License-Identifier: Apache-2.0
"""The class for facts, and short functions to declare them."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """How the library handles a fact."""

    BRIDGED = "bridged"  # the library hides it from callers
    REFUSED = "refused"  # a request for it is an error, the same over both APIs if both have it
    DEVIATION = "deviation"  # a row of glance_compat.metadata.deviations
    FIXTURE = "fixture-only"  # the library never encounters it; the embedded server reproduces it
    NOT_APPLICABLE = "not applicable"  # neither the library nor the fixture can encounter it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One verified behaviour of real servers.

    :param name: a unique name.
    :param seen: the releases on which the behaviour was verified.
    :param fact: the behaviour, in a sentence.
    :param tests: node ids. Text in brackets must be a part of a parameter's id.
    :param deviation: the name of a row of ``glance_compat.metadata.deviations``.
    :param reason: the reason why the fact is not applicable.
    """

    name: str
    seen: tuple[str, ...]
    fact: str
    verdict: Verdict
    tests: tuple[str, ...] = ()
    deviation: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        """Check that the fact is complete.

        :raises ValueError: a value is missing, or contradicts the verdict.
        """
        is_applicable = self.verdict is not Verdict.NOT_APPLICABLE
        rules = {
            "the sentence has no full stop": self.fact.endswith("."),
            "no release is named": bool(self.seen),
            "tests are named unless it is not applicable": bool(self.tests) is is_applicable,
            "a test is named twice": len(set(self.tests)) == len(self.tests),
            "a reason is given if it is not applicable": bool(self.reason) is not is_applicable,
            "a deviation is named if that is the verdict": (
                bool(self.deviation) is (self.verdict is Verdict.DEVIATION)
            ),
            **self._shown_where_it_matters(),
        }
        broken = [rule for rule, holds in rules.items() if not holds]
        if broken:
            raise ValueError(f"fact {self.name!r}: {'; '.join(broken)}")

    def _shown_where_it_matters(self) -> dict[str, bool]:
        # A test of the embedded server alone proves nothing about the library.
        of_the_fixture = [node.startswith("tests/unit/fixture/") for node in self.tests]
        if self.verdict is Verdict.FIXTURE:
            return {"a test of the fixture is named": any(of_the_fixture)}
        if self.verdict is Verdict.NOT_APPLICABLE:
            return {}
        return {"a test of the library is named": not all(of_the_fixture)}


PIKE = ("15.0.2",)
ONLY_33 = ("33",)
BOTH = ("15.0.2", "33")
#: python-glanceclient and the libraries below it, on the client's side.
CLIENT = ("python-glanceclient 4.13",)

Seen = tuple[str, ...]


def bridged(name: str, seen: Seen, fact: str, *tests: str) -> Fact:
    return Fact(name=name, seen=seen, fact=fact, verdict=Verdict.BRIDGED, tests=tests)


def refused(name: str, seen: Seen, fact: str, *tests: str) -> Fact:
    return Fact(name=name, seen=seen, fact=fact, verdict=Verdict.REFUSED, tests=tests)


def deviation(name: str, seen: Seen, fact: str, row: str, *tests: str) -> Fact:
    return Fact(
        name=name, seen=seen, fact=fact, verdict=Verdict.DEVIATION, tests=tests, deviation=row
    )


def fixture_only(name: str, seen: Seen, fact: str, *tests: str) -> Fact:
    return Fact(name=name, seen=seen, fact=fact, verdict=Verdict.FIXTURE, tests=tests)


def not_applicable(name: str, seen: Seen, fact: str, reason: str) -> Fact:
    return Fact(name=name, seen=seen, fact=fact, verdict=Verdict.NOT_APPLICABLE, reason=reason)


@dataclass(frozen=True, slots=True)
class _File:
    """A test file; calling it with the name of a test returns the node id."""

    path: str

    def __call__(self, test: str, case: str = "") -> str:
        return f"tests/{self.path}::{test}" + (f"[{case}]" if case else "")


answers = _File("contract/test_answers.py")
arguments = _File("contract/test_arguments.py")
context = _File("contract/test_context.py")
create = _File("contract/test_create.py")
discovery = _File("contract/test_discovery.py")
download = _File("contract/test_download.py")
giving = _File("contract/test_giving_locations.py")
life_cycle = _File("contract/test_life_cycle.py")
lists = _File("contract/test_lists.py")
members = _File("contract/test_members.py")
oracle = _File("contract/test_oracle.py")
properties = _File("contract/test_properties.py")
refusals = _File("contract/test_refusals.py")
costs = _File("contract/test_requests.py")
states = _File("contract/test_states.py")
takeover = _File("contract/test_takeover.py")
update = _File("contract/test_update.py")
writers = _File("contract/test_writers.py")
wrong_endpoint = _File("contract/test_wrong_endpoint.py")

corpus = _File("functional/test_corpus.py")
deviations = _File("functional/test_deviations.py")
real_discovery = _File("functional/test_discovery.py")
small = _File("functional/test_small_server.py")

unit_change = _File("unit/metadata/test_changes.py")
unit_discovery = _File("unit/discovery/test_discover.py")
unit_exceptions = _File("unit/test_exceptions.py")
unit_filters = _File("unit/metadata/test_filters.py")
unit_blocks = _File("unit/transport/test_header_blocks.py")
unit_headers = _File("unit/transport/test_v1_headers.py")
unit_image = _File("unit/metadata/test_fields.py")
unit_listing = _File("unit/backends/test_pagination.py")
unit_takeover = _File("unit/test_from_glanceclient.py")
unit_wire = _File("unit/transport/test_client.py")

embedded = _File("unit/fixture/test_embedded.py")
front_ends = _File("unit/fixture/test_with_and_without_sockets.py")
records = _File("unit/fixture/test_records.py")
fixture_server = _File("unit/fixture/test_server.py")


def wire(scenario: str) -> str:
    """Return the test of the embedded server in a scenario recorded on real servers."""
    return f"tests/unit/fixture/test_wire.py::test_response_matches_the_recording[{scenario}]"
