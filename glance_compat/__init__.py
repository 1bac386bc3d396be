# SPDX-License-Identifier: Apache-2.0
"""OpenStack Glance, without caring whether a cloud offers the Images API v1, v2 or both."""

from glance_compat import exceptions
from glance_compat.discovery import Discovery, OfferedVersion
from glance_compat.options import Options
from glance_compat.service import ImageService

__all__ = ["Discovery", "ImageService", "OfferedVersion", "Options", "exceptions"]
