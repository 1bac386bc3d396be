# SPDX-License-Identifier: Apache-2.0
"""Does my upload survive a lost response?"""

from glance_compat import ImageService
from glance_compat.fixture import GlanceFixture, faults

with GlanceFixture() as glance:
    service = ImageService(glance.session())
    glance.faults.add(faults.ResponseLost(), "PUT", "images/*/file")

    meta = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    image = service.create(None, meta, data=b"content of a disk")

    assert image["status"] == "active"
    assert [one.path for one in glance.faults.happened] == [f"/v2/images/{image['id']}/file"]
    assert len(glance.images) == 1
