# SPDX-License-Identifier: Apache-2.0
"""The expected responses of the embedded Keystone match a real one."""

from __future__ import annotations

import pytest
import requests

from tests.functional.cloud import Cloud
from tests.unit.fixture import logging_in

pytestmark = pytest.mark.functional


def test_real_keystone_responds_like_the_embedded_one(cloud: Cloud) -> None:
    assert cloud.user("demo").password == logging_in.PASSWORD
    with requests.Session() as session:
        session.trust_env = False
        assert logging_in.play(cloud.auth_url, session) == logging_in.expected()
