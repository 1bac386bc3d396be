# SPDX-License-Identifier: Apache-2.0
"""A service that reads images for its users."""

import sys
from typing import Any

from oslo_config import cfg

from glance_compat import ImageService, exceptions

CONF = cfg.ConfigOpts()

#: The HTTP status for an error; the first class that matches counts.
STATUSES = (
    (exceptions.InvalidOption, 500),
    (exceptions.NotFound, 404),
    (exceptions.NotAuthenticated, 401),
    (exceptions.Forbidden, 403),
    (exceptions.Invalid, 400),
    (exceptions.Conflict, 409),
    (exceptions.ImageQuotaExceeded, 413),
    (exceptions.ImageUnacceptable, 415),
    (exceptions.UnsupportedByVersion, 501),
    (exceptions.DeadlineExceeded, 504),
    (exceptions.GlanceConnectionFailed, 503),
)


def status_of(error: exceptions.GlanceCompatError) -> int:
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 502)


def show_image(images: ImageService, context: object, image_id: str) -> tuple[int, Any]:
    """Return the status and the body of a response."""
    try:
        return 200, images.show(context, image_id)
    except exceptions.GlanceCompatError as error:
        return status_of(error), {"error": str(error), "request_id": error.request_id}


if __name__ == "__main__":
    CONF(["--config-file", "service.conf"], project="my-service")
    with ImageService.from_conf(CONF) as images:
        print(show_image(images, None, sys.argv[1]))
