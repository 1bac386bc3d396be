# SPDX-License-Identifier: Apache-2.0
"""Write properties that the library itself never writes: those with the name of an attribute.

What must live here: the request for it. What must not: the choice of what is written (``cli``).
"""

from __future__ import annotations

import typing
from collections.abc import Mapping

from glance_compat.backends.v1 import V1
from glance_compat.routing.dispatcher import Dispatcher


def replace_properties(
    dispatcher: Dispatcher, image_id: str, properties: Mapping[str, str], removed: frozenset[str]
) -> None:
    """Replace all properties of an image over v1, with one request.

    :param dispatcher: a dispatcher that is pinned to v1.
    :param properties: all properties that the image is to have.
    :param removed: the names of the stored properties that are not among them.
    :raises glance_compat.exceptions.PropertyNotAllowed: v1 cannot send a property unchanged.
    """
    dispatcher.repeat(
        dispatcher.read_identity(None),
        lambda port: typing.cast(V1, port).replace_properties(image_id, properties, removed),
    )
