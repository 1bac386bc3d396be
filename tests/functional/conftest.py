# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the functional tests; ``cloud`` itself is a plugin (see tests/conftest.py)."""

from __future__ import annotations

from tests.contract.conftest import name, source
from tests.functional.sides import sides

__all__ = ["name", "sides", "source"]
