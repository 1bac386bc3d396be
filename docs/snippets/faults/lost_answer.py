# SPDX-License-Identifier: Apache-2.0
"""Does my upload survive an answer that gets lost?"""

from glance_compat import ImageService
from glance_compat.fixture import GlanceFixture, faults

with GlanceFixture() as glance:
    service = ImageService(glance.session())
    glance.faults.add(faults.AnswerLost(), "PUT", "images/*/file")

    meta = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
    image = service.create(None, meta, data=b"what a disk holds")

    assert image["status"] == "active"
    assert [one.path for one in glance.faults.happened] == [f"/v2/images/{image['id']}/file"]
    assert len(glance.images) == 1
