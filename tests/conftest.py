# SPDX-License-Identifier: Apache-2.0
"""How thorough property tests are: ``HYPOTHESIS_PROFILE`` is default, ci or long.

The fixtures ``cloud`` and ``cluster`` are for all tests that need real servers, wherever they are.
"""

from __future__ import annotations

import os

import hypothesis

# No deadline for one example: a machine with other work is slow, not wrong.
hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=200, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("long", deadline=None, max_examples=5000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "default")

pytest_plugins = ["tests.functional.cloud.plugin", "tests.ceph.plugin", "pytester"]
