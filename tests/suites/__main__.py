# SPDX-License-Identifier: Apache-2.0
"""The command line: ``python -m tests.suites [SUITE ...]``.

Each suite runs in its own environment, which is built once, against the embedded Glance. The exit
code is 1 if a test has another outcome than with the real Glance, which is stored in ``results``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.functional.cloud import CloudError, Layout, PythonMissingError, UnavailableError
from tests.functional.cloud.environments import Builder
from tests.suites import results, servers
from tests.suites.catalog import SUITES, Suite

#: The longest time that a suite may take, in seconds.
PATIENCE = 1800
_PROGRAM = Path(__file__).parent / "program.py"


def main(arguments: list[str] | None = None) -> int:
    """Run suites; return 1 if one of them differs from the stored results, otherwise 0."""
    options = _parser().parse_args(arguments)
    names = options.suites or [
        name for name, suite in SUITES.items() if suite.is_fast or not options.fast
    ]
    # All of them first: a build must not slow down the tests of another suite.
    builder = Builder(Layout.from_environment())
    for environment in sorted({SUITES[name].environment for name in names}):
        if not _build(builder, environment):
            return 1
    codes = [_run(name, builder, against=options.against) for name in names]
    return max(codes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description=__doc__)
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], metavar="SUITE")
    parser.add_argument("--fast", action="store_true", help="only the suites of every CI run")
    parser.add_argument(
        "--against",
        choices=("embedded", "real"),
        default="embedded",
        help="real: run against the real cloud (tests.functional.cloud) and store the results",
    )
    return parser


def _build(builder: Builder, environment: str) -> bool:
    try:
        builder.ensure(environment)
    except (CloudError, PythonMissingError) as error:
        print(f"{environment}: {error}", file=sys.stderr)
        return False
    return True


def _run(name: str, builder: Builder, *, against: str) -> int:
    """Run one suite; return the exit code."""
    suite, begin = SUITES[name], time.monotonic()
    print(f"{name} against the {against} Glance {suite.release}:", end=" ", flush=True)
    server = servers.embedded if against == "embedded" else servers.real
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        try:
            with server(suite, folder) as region:
                found = _outcomes(suite, folder, region, builder)
        except (CloudError, UnavailableError, subprocess.SubprocessError) as error:
            print(f"failed: {error}")
            return 1
    print(f"{results.count(found)}, {time.monotonic() - begin:.0f} s")
    if against == "real":
        results.store(name, found)
        return 0
    lines = results.differences(results.stored(name), found, suite.unequal)
    for line in lines:
        print(f"  {line}")
    return 1 if lines else 0


def _outcomes(suite: Suite, folder: Path, region: str, builder: Builder) -> results.Outcomes:
    """Run the tests of a suite in its environment.

    :raises subprocess.SubprocessError: when its program fails or hangs.
    """
    programs = builder.layout.program(suite.environment, "python").parent
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "NO_PROXY": "*",
        "LANG": "C.UTF-8",
        "OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml"),
        # The clients of python-glanceclient's tests take nothing else from clouds.yaml.
        "OS_REGION_NAME": region,
        "OPENSTACKSDK_IMAGE": servers.IMAGE["name"],
        "OS_GLANCECLIENT_EXEC_DIR": str(programs),
        "TEMPEST_CONFIG_DIR": str(folder),
        "TEMPEST_CONFIG": "tempest.conf",
        "PYTHONWARNINGS": "ignore",
    }
    # The tests of openstacksdk upload it.
    (folder / "CONTRIBUTING.rst").write_text("Any file")
    file, log = folder / "outcomes.json", folder / "log"
    command = [str(programs / "python"), str(_PROGRAM), str(file), *suite.packages]
    with log.open("w") as stream:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=stream,
            timeout=PATIENCE,
            check=False,
        )
    if done.returncode or not file.exists():
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise subprocess.SubprocessError(f"exit code {done.returncode}:\n{tail}")
    return results.read(file)


if __name__ == "__main__":
    sys.exit(main())
