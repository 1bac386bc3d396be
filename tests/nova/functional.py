# SPDX-License-Identifier: Apache-2.0
"""Run Nova's functional tests with the library in place of Nova's image module.

``python -m tests.nova.functional --api v1 [--often] [--module nova] [--tree DIRECTORY]``

The tests are those of :mod:`tests.nova.selection`. The exit status is 1 if a test that should
pass fails, or a test that should fail passes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.nova import tree
from tests.nova.selection import CANNOT_ON_V1, OFTEN, SELECTED

_PACKAGE = "nova.tests.functional"
_RELEASES = {"v1": "pike", "v2": "33"}
_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests.nova.functional")
    parser.add_argument("--api", choices=["v1", "v2"], required=True)
    parser.add_argument("--module", choices=["drop-in", "nova"], default="drop-in")
    parser.add_argument("--often", action="store_true", help="only the few of every run")
    parser.add_argument("--tree", type=Path, required=True, help="where Nova's source is put")
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args(arguments)
    source = tree.unpacked(chosen.tree)
    names = list(OFTEN if chosen.often else SELECTED)
    found = run(names, chosen.module, chosen.api, source, chosen.workers)
    wrong = unexpected(names, found, chosen.api)
    print(f"{chosen.module} over {chosen.api}: {len(found)} tests, {len(wrong)} not as expected")
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def run(
    names: Sequence[str], module: str, api: str, source: Path, workers: int
) -> list[dict[str, Any]]:
    """Run the tests in several processes."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(source), str(_ROOT)]),
        # Native threads, because the embedded Glance runs in the same process.
        "OS_NOVA_DISABLE_EVENTLET_PATCHING": "true",
        "OS_TEST_TIMEOUT": "600",
    }
    command = [sys.executable, "-m", "tests.nova.worker", "--module", module, "--api", api]
    command += ["--release", _RELEASES[api]]

    def work(share: int) -> list[dict[str, Any]]:
        done = subprocess.run(
            command,
            input="\n".join(f"{_PACKAGE}.{name}" for name in names[share::workers]),
            capture_output=True,
            text=True,
            cwd=source,
            env=environment,
            check=False,
        )
        if done.returncode:
            print("\n".join(done.stderr.splitlines()[-30:]))
        return [json.loads(line) for line in done.stdout.splitlines()]

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return [line for lines in pool.map(work, range(workers)) for line in lines]


def unexpected(names: Sequence[str], found: Sequence[dict[str, Any]], api: str) -> list[str]:
    """Yield a line for each test with an unexpected outcome, or that did not run."""
    wrong = []
    outcomes: dict[str, list[str]] = {}
    for one in found:
        # A test with scenarios runs once for each: "name(v2_1)".
        name = re.sub(r"\(.*", "", one["id"]).removeprefix(f"{_PACKAGE}.")
        outcomes.setdefault(name, []).append(one["outcome"])
        if one["outcome"] != _expected(name, api):
            wrong.append(f"{one['id']} {one['outcome']} after {one['seconds']} s\n{one['reason']}")
    return wrong + [f"{name} was not run" for name in names if name not in outcomes]


def _expected(name: str, api: str) -> str:
    return "failed" if api == "v1" and name in CANNOT_ON_V1 else "passed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
