# SPDX-License-Identifier: Apache-2.0
"""Configuration of all tests: the marker ``quick``, and the profiles of hypothesis.

``HYPOTHESIS_PROFILE`` is default, ci or long. The fixtures ``cloud`` and ``cluster`` are for all
tests that need real servers, wherever they are.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

# pytest compiles modules of tests, and hypothesis, with its own assertions, which takes longer
# than all imports: each worker and each program that a test starts would do it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

import hypothesis  # noqa: E402
import pytest  # noqa: E402

# No deadline for one example: a machine with other work is slow, not wrong.
hypothesis.settings.register_profile("default", deadline=None, max_examples=100)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=200, derandomize=True, print_blob=True
)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "default")

pytest_plugins = ["tests.functional.cloud.plugin", "tests.ceph.plugin", "pytester"]

#: The node ids of everything that this run collected, whatever it deselects afterwards.
COLLECTED = pytest.StashKey[frozenset[str]]()

#: Files and tests that are slow as a whole although no case of theirs takes a second, and why.
SLOW = {
    "tests/contract/test_fields_table.py": "every writable attribute over every version",
    "tests/contract/test_without_md5.py": "starts programs",
    "tests/security/test_regular_expressions.py": "measures the time of every pattern",
    "tests/unit/cli/test_audit.py": "audits a cloud over sockets in each test",
    "tests/unit/cli/test_credentials.py": "every plugin with options, variables and files",
    "tests/unit/cli/test_demo.py": "starts three servers for each test",
    "tests/unit/cli/test_demo_picture.py::test_picture_of_demo_shows_its_output": "runs the demo",
    "tests/unit/cli/test_repair.py": "repairs a cloud over sockets in each test",
    "tests/unit/fixture/test_faults.py": "every fault with and without sockets",
    "tests/unit/fixture/test_wire.py": "replays every recorded request",
    "tests/unit/test_facts.py::test_every_test_of_a_fact_exists": "collects all tests again",
    "tests/unit/test_public_names.py::test_typed_program_satisfies_mypy": "runs mypy",
}


def is_slow(item: pytest.Item) -> bool:
    """Tell whether a test is listed as slow, or tries many examples."""
    test = item.nodeid.partition("[")[0]
    if test in SLOW or test.partition("::")[0] in SLOW:
        return True
    # hypothesis 6.100, the lower bound, has this attribute and no public function for it.
    return getattr(getattr(item, "obj", None), "is_hypothesis_test", False)


@pytest.fixture
def without_garbage() -> None:
    """Collect the garbage of earlier tests before a test of nested JSON.

    The collector may run while the nesting is at the limit of recursion. Finalizers of urllib3's
    pools fail there, and pytest reports that as a failure of the test.
    """
    gc.collect()


@pytest.hookimpl(optionalhook=True)  # pytest-xdist calls it.
def pytest_xdist_auto_num_workers() -> int | None:
    """Return how many workers ``-n auto`` starts: three for two processors.

    Workers wait for servers, programs and time-outs a third of their time.
    """
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # xdist reads it.
    return len(os.sched_getaffinity(0)) * 3 // 2 if hasattr(os, "sched_getaffinity") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Mark every test ``quick`` that is neither ``slow`` nor ``functional``."""
    config.stash[COLLECTED] = frozenset(item.nodeid for item in items)
    for item in items:
        if is_slow(item):
            item.add_marker(pytest.mark.slow)
        if not any(item.get_closest_marker(name) for name in ("slow", "functional")):
            item.add_marker(pytest.mark.quick)


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what collection made.

    Otherwise each full collection looks at hundreds of thousands of objects, for half a second.
    """
    gc.collect()
    gc.freeze()
