# SPDX-License-Identifier: Apache-2.0
"""One server of each release, for all tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.clients.serving import PythonProgram, Served, serving


@pytest.fixture(scope="session")
def pike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve Pike, which has both APIs."""
    with serving(tmp_path_factory.mktemp("pike")) as served:
        yield served


@pytest.fixture(scope="session")
def glance_33(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve Glance 33, which has only v2, with strict tokens."""
    argv = ("--release", "33", "--strict-tokens")
    with serving(tmp_path_factory.mktemp("33"), *argv) as served:
        yield served


@pytest.fixture(params=["pike", "glance_33"])
def served(request: pytest.FixtureRequest) -> Served:
    """Provide each of the servers in turn."""
    found: Served = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def openstack_program() -> Iterator[PythonProgram]:
    """Provide the command line of python-openstackclient."""
    modules = ("openstack.connection", "openstackclient.image.v2.image")
    with contextlib.closing(PythonProgram("openstack", *modules)) as program:
        yield program


@pytest.fixture(scope="session")
def glance_program() -> Iterator[PythonProgram]:
    """Provide the command line of python-glanceclient."""
    modules = ("glanceclient.v1.shell", "glanceclient.v2.shell", "keystoneauth1.identity")
    with contextlib.closing(PythonProgram("glance", *modules)) as program:
        yield program


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a unique image name that every client can write."""
    return "client-" + "".join(one if one.isalnum() else "-" for one in request.node.name)
