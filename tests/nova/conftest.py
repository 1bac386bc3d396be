# SPDX-License-Identifier: Apache-2.0
"""These tests need Nova 34 (``tox -e nova``); without it they are not collected."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("nova") else ["test_*.py"]
