# SPDX-License-Identifier: Apache-2.0
"""``glance-compat deactivate`` and ``glance-compat reactivate``."""

from __future__ import annotations

from glance_compat.cli.own_images import MethodCommand


class Deactivate(MethodCommand):
    """Make the data of images unreadable for everybody but admins; needs v2.

    If an image cannot be deactivated, the error is reported, the others are deactivated, and the
    exit code is 1.
    """

    METHOD, DONE = "deactivate", "Deactivated"


class Reactivate(MethodCommand):
    """Make the data of deactivated images readable again; needs v2.

    If an image cannot be reactivated, the error is reported, the others are reactivated, and the
    exit code is 1.
    """

    METHOD, DONE = "reactivate", "Reactivated"
