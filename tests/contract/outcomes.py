# SPDX-License-Identifier: Apache-2.0
"""The outcome of a call, as a value that can be compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from glance_compat import ImageService, exceptions

Arguments = ParamSpec("Arguments")


def saw(
    call: Callable[Arguments, object], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> object:
    """Return the result of a call, or the class of its exception."""
    try:
        return call(*args, **kwargs)
    except exceptions.GlanceCompatError as error:
        return type(error)


def status_of(service: ImageService, image_id: str) -> object:
    """Return the status of an image, as a user sees it."""
    return service.show(None, image_id)["status"]
