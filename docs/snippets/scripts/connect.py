# SPDX-License-Identifier: Apache-2.0
"""Connect to a cloud of clouds.yaml."""

import openstack

from glance_compat import ImageService, Options

cloud = openstack.connect("mycloud")
service = ImageService(
    cloud.session,
    region_name=cloud.config.region_name,
    options=Options(extended=True),
)
images = service.bound()
