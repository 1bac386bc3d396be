# SPDX-License-Identifier: Apache-2.0
"""The ``cluster`` fixture: a real Ceph, new for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ceph.cluster import Cluster, UnavailableError


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Provide a real cluster; skip the test if Ceph is not installed, in CI as well."""
    try:
        found = Cluster(tmp_path_factory.mktemp("ceph"))
    except UnavailableError as error:
        pytest.skip(str(error))
    try:
        found.start()
        yield found
    finally:
        found.stop()
