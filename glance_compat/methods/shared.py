# SPDX-License-Identifier: Apache-2.0
"""What the methods of all areas use of the service that they belong to."""

from __future__ import annotations

import contextlib
import typing

from glance_compat import exceptions
from glance_compat.metadata import fields
from glance_compat.metadata.converters import ConversionError, to_str
from glance_compat.options import Options
from glance_compat.redaction import quote_value
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


def check_boolean(value: object, name: str) -> bool:
    """Return a boolean argument, or raise Invalid: the string "False" would count as true."""
    if not isinstance(value, bool):
        raise exceptions.Invalid(f"{name} must be True or False, not {quote_value(value)}")
    return value


def check_store_names(stores: object) -> list[str]:
    """Return a list of names of stores.

    :raises glance_compat.exceptions.Invalid: it is not such a list, is empty, or has a name twice.
        An import into a store that is named twice stays in the status importing (verified on
        Glance 33).
    """
    if isinstance(stores, (list, tuple)) and stores:
        with contextlib.suppress(ConversionError):
            names = [to_str(one) for one in stores]
            repeated = sorted({one for one in names if names.count(one) > 1})
            if repeated:
                raise exceptions.Invalid(
                    f"stores has {quote_value(repeated[0])} more than once; pass each name once"
                )
            if all(names):
                return names
    raise exceptions.Invalid(f"stores must be a list of store names, not {quote_value(stores)}")
