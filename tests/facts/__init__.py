# SPDX-License-Identifier: Apache-2.0
"""Facts that were verified on real servers, and the tests that show how the library handles
each of them.

Each part of the Images API has one module; ``FACTS`` has all facts. ``tests/unit/test_facts.py``
checks that every test named here exists, and that every fact has one.
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
