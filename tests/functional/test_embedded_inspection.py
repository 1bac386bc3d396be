# SPDX-License-Identifier: Apache-2.0
"""The recorded results of content inspection match a real Glance 33."""

from __future__ import annotations

import pytest

from tests.functional.cloud import Cloud
from tests.unit.fixture.payloads import PAYLOADS
from tests.unit.fixture.test_inspection import BINARY, MEASURED

pytestmark = pytest.mark.functional


@pytest.mark.parametrize("name", PAYLOADS)
def test_real_glance_inspects_like_the_embedded_one(cloud: Cloud, name: str) -> None:
    session, base = cloud.session("demo"), cloud.url("glance-33")
    payload = PAYLOADS[name]
    formats = {"disk_format": payload.disk_format, "container_format": payload.container_format}
    url = f"{base}/v2/images/{session.post(f'{base}/v2/images', json=formats).json()['id']}"
    try:
        answer = session.put(f"{url}/file", data=payload.data, headers=BINARY, raise_exc=False)
        image = session.get(url).json()
        found = (answer.status_code, image["status"], image["virtual_size"])
        assert found == MEASURED[name]
    finally:
        session.delete(url)
