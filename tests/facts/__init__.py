# SPDX-License-Identifier: Apache-2.0
"""What real servers were measured to do, fact by fact, and the tests that show what the library
makes of each.

One module for each part of the Images API; ``FACTS`` is all of them. ``tests/unit/test_facts.py``
checks that every test named here exists, and that nothing is left without one.
"""

from __future__ import annotations

from tests.facts import (
    creating,
    encoding,
    errors,
    laboratory,
    listing,
    reading,
    sharing,
    translation,
    updating,
    versions,
)
from tests.facts.rows import Fact

SECTIONS = {
    module.__name__.rpartition(".")[2]: module.FACTS
    for module in (
        versions,
        encoding,
        creating,
        updating,
        listing,
        reading,
        sharing,
        errors,
        translation,
        laboratory,
    )
}

FACTS: tuple[Fact, ...] = tuple(fact for facts in SECTIONS.values() for fact in facts)
