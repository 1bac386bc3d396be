# SPDX-License-Identifier: Apache-2.0
"""Configuration of tests that need Nova 34 (``tox -e nova``); they are skipped without it."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("nova") else ["test_*.py"]
