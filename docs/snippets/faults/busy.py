# SPDX-License-Identifier: Apache-2.0
"""What does my program do when the image service stays unavailable?"""

from glance_compat import ImageService, Options, exceptions
from glance_compat.fixture import GlanceFixture, faults

with GlanceFixture(sockets=False) as glance:
    service = ImageService(glance.session(), options=Options(max_attempts=3, backoff_max=0))
    service.discover()
    glance.faults.add(faults.Status(503, retry_after=1), times=None)

    try:
        service.detail(None)
    except exceptions.BadResponse as error:
        status = error.status
    assert status == 503
    assert len(glance.faults.happened) == 3
