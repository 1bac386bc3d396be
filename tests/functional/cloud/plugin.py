# SPDX-License-Identifier: Apache-2.0
"""The ``cloud`` fixture: a real Keystone and real Glance servers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NoReturn

import pytest

from tests.functional.cloud import Cloud, Layout, PythonMissingError, lifecycle

REQUIRED_VARIABLES = ("GLANCE_COMPAT_REQUIRE_CLOUD", "CI")


def is_required(environ: Mapping[str, str]) -> bool:
    """Return whether a server that cannot run is a failure: in CI, or if requested."""
    return any(
        environ.get(name, "").lower() not in ("", "0", "false") for name in REQUIRED_VARIABLES
    )


@pytest.fixture(scope="session")
def cloud(pytestconfig: pytest.Config) -> Iterator[Cloud]:
    """Provide the running cloud, or start it and stop it after the last parallel worker.

    Without Python 2.7, only the tests that request a Pike URL are skipped; in CI they
    fail.
    """
    refuse = _fail if is_required(os.environ) else _skip
    terminal = pytestconfig.pluginmanager.get_plugin("terminalreporter")
    report = terminal.write_line if terminal else print
    try:
        with lifecycle.borrowed(Layout.from_environment(), report) as outcome:
            yield Cloud(outcome, refuse)
    except PythonMissingError as error:
        refuse(str(error))


def _skip(reason: str) -> NoReturn:
    pytest.skip(reason)


def _fail(reason: str) -> NoReturn:
    pytest.fail(reason)
