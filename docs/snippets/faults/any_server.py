# SPDX-License-Identifier: Apache-2.0
"""Inject faults in front of any server: here a fixture, elsewhere a real Glance."""

from glance_compat import ImageService
from glance_compat.fixture import FaultProxy, GlanceFixture, faults

ID = "5f0a4d7c-3c5b-4b7e-9f3f-0c6f5b1c2d3e"
IMAGE = {"id": ID, "disk_format": "raw", "container_format": "bare", "data": bytes(100_000)}

with GlanceFixture(images=[IMAGE]) as glance, FaultProxy(glance.url) as proxy:
    service = ImageService(glance.session(), endpoint_override=proxy.url)
    proxy.faults.add(faults.Truncated(after=60_000), "GET", "images/*/file")

    assert b"".join(service.download(None, ID)) == bytes(100_000)
    assert proxy.faults.unused == ()
