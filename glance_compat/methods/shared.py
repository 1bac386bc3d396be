# SPDX-License-Identifier: Apache-2.0
"""What the methods of all areas use of the service that they belong to."""

from __future__ import annotations

import typing

from glance_compat.metadata import fields
from glance_compat.options import Options
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.transport.client import Identity
from glance_compat.types import Image


class ServiceMethods:
    """Base class of the classes of methods; ``ImageService`` sets the attributes."""

    _dispatcher: Dispatcher
    _options: Options

    if typing.TYPE_CHECKING:

        def _select_visible(
            self, found: fields.Image, *, include_locations: bool = False
        ) -> Image: ...

    def _identify(self, context: object, image_id: object) -> tuple[Identity, str]:
        """Return the identity in a context, and the image id in an image reference."""
        identity = self._dispatcher.read_identity(context)
        return identity, self._dispatcher.parse_image_id(identity, image_id)
