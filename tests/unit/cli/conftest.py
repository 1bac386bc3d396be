# SPDX-License-Identifier: Apache-2.0
"""Fixtures: an environment without clouds, and a Glance."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from glance_compat.fixture import GlanceFixture
from tests.unit.cli.running import clean_environment

Environment = dict[str, str]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    """Remove OS_* variables and files of the home directory, which could select a cloud."""
    clean = clean_environment(tmp_path)
    for name in os.environ.keys() - clean.keys():
        monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, clean[name])
    # openstack.config searches the working directory too.
    monkeypatch.chdir(tmp_path)
    return clean


@pytest.fixture(params=["v1", "v2"])
def glance(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide a Glance with one API, and two images per page."""
    with GlanceFixture(fault_injection=False, apis=(request.param,), page_cap=2) as running:
        yield running


def options(running: GlanceFixture, token: str = "token") -> tuple[str, ...]:
    """Return the options that select a Glance without Keystone."""
    return ("--endpoint", running.url, "--os-auth-type", "admin_token", "--os-token", token)


def as_user(
    monkeypatch: pytest.MonkeyPatch, running: GlanceFixture, name: str, project: str
) -> None:
    """Set the variables that log in at the embedded Keystone; ``admin`` is an administrator."""
    variables = {
        "OS_AUTH_URL": running.auth_url,
        "OS_USERNAME": name,
        "OS_PASSWORD": "any",
        "OS_PROJECT_NAME": project,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
