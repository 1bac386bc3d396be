# SPDX-License-Identifier: Apache-2.0
"""The recorded responses for metadata definitions match the real servers."""

from __future__ import annotations

import json

import pytest

from tests.functional.cloud import Cloud
from tests.unit.fixture import definitions

pytestmark = pytest.mark.functional


@pytest.mark.parametrize("release", ["pike", "33"])
def test_real_servers_respond_as_recorded(cloud: Cloud, release: str) -> None:
    recorded = json.loads(definitions.RECORDINGS.read_text())[release]
    assert definitions.play(definitions.real(cloud, release)) == recorded
