# SPDX-License-Identifier: Apache-2.0
"""Run some of Nova's functional tests in this process; started by ``tests.nova.functional``.

For each test a line of JSON is written to standard output: id, outcome, seconds, and the end of
the traceback of a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
import unittest
from typing import Any, TextIO

import glance_compat.nova

_LINES_OF_A_FAILURE = 40


class Reporter(unittest.TestResult):
    """Write the outcome of each test.

    :param out: the stream for the lines.
    """

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._began = 0.0
        self._outcome = ("passed", "")

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().startTest(test)
        self._began = time.monotonic()
        self._outcome = ("passed", "")

    def _failed(self, error: Any) -> None:
        text = "".join(traceback.format_exception(*error)) if error else ""
        self._outcome = ("failed", "\n".join(text.splitlines()[-_LINES_OF_A_FAILURE:]))

    def addError(self, test: Any, err: Any, details: Any = None) -> None:  # noqa: N802
        self._note(test, err, details)

    def addFailure(self, test: Any, err: Any, details: Any = None) -> None:  # noqa: N802
        self._note(test, err, details)

    def _note(self, test: Any, err: Any, details: Any) -> None:
        if details:
            shown = [f"{name}: {text.as_text()}" for name, text in details.items()]
            lines = "\n".join(shown).splitlines()
            self._outcome = ("failed", "\n".join(lines[-_LINES_OF_A_FAILURE:]))
        else:
            self._failed(err)
        if not hasattr(test, "id") or not self._began:
            self._write(test)

    def addSkip(self, test: Any, reason: str | None = None, details: Any = None) -> None:  # noqa: N802
        text = reason or (details["reason"].as_text() if details else "")
        self._outcome = ("skipped", text)

    def stopTest(self, test: Any) -> None:  # noqa: N802
        super().stopTest(test)
        self._write(test)

    def _write(self, test: Any) -> None:
        outcome, reason = self._outcome
        line = {
            "id": test.id(),
            "outcome": outcome,
            "seconds": round(time.monotonic() - self._began, 2),
            "reason": reason,
        }
        print(json.dumps(line), file=self._out, flush=True)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--module", choices=["nova", "drop-in"], required=True)
    parser.add_argument("--api", choices=["v1", "v2"], required=True)
    parser.add_argument("--release", required=True)
    chosen = parser.parse_args(arguments)
    if chosen.module == "drop-in":
        glance_compat.nova.install()
    # Output of the tests must not mix with the lines of the report.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    # First of all, because Nova patches the standard library when its tests are imported.
    import nova.tests.functional  # noqa: F401
    from nova.tests import fixtures as nova_fixtures

    from tests.nova import glance_fixture

    glance_fixture.HttpGlanceFixture.api = chosen.api
    glance_fixture.HttpGlanceFixture.release = chosen.release
    nova_fixtures.GlanceFixture = glance_fixture.HttpGlanceFixture
    check_module(chosen.module)
    wait_longer()

    names = [line.strip() for line in sys.stdin if line.strip()]
    loader = unittest.defaultTestLoader
    for name in names:
        loader.loadTestsFromName(name).run(Reporter(out))
    glance_fixture.stop_servers()
    out.flush()
    # Do not wait for threads that Nova's services have left.
    os._exit(0)


#: The number of polls of Nova's test code, every half second: its default is too low under load.
_USUAL_RETRIES, _RETRIES = 10, 120


def wait_longer() -> None:
    """Make Nova's tests wait for a minute instead of five seconds."""
    from nova.tests.functional import integrated_helpers

    for name, function in vars(integrated_helpers.InstanceHelperMixin).items():
        if name.startswith("_wait_for") and getattr(function, "__defaults__", None):
            function.__defaults__ = tuple(
                _RETRIES if default == _USUAL_RETRIES else default
                for default in function.__defaults__
            )


def check_module(wanted: str) -> None:
    """Check that the tested module is the requested one."""
    from nova.image import glance

    found = "drop-in" if glance.__name__ == "glance_compat.nova.glance" else "nova"
    if found != wanted:
        raise SystemExit(f"nova.image.glance is {glance.__name__}, not that of {wanted}")


if __name__ == "__main__":
    main(sys.argv[1:])
