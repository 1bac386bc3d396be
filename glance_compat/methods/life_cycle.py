# SPDX-License-Identifier: Apache-2.0
"""The life cycle of images: deactivated, hidden and superseded images, and tags."""

from __future__ import annotations

import contextlib
import typing

from glance_compat import exceptions
from glance_compat.metadata import fields
from glance_compat.metadata.converters import ConversionError, to_str
from glance_compat.methods.shared import ServiceMethods
from glance_compat.redaction import quote_value
from glance_compat.routing.context import context_first
from glance_compat.routing.succession import Succession
from glance_compat.types import Image


class LifeCycleMethods(ServiceMethods):
    """Deactivated, hidden and superseded images, and tags."""

    _succession: Succession

    @context_first
    def deactivate(self, context: object, image_id: str) -> Image:
        """Deactivate an image, so that no caller can download its data. Requires v2.3.

        The library refuses a download to every caller. Over v2 the server itself would serve the
        data to an admin, over v1 to no caller (verified on Glance 15.0.2). Nothing changes if the
        image is deactivated already.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: the image, with the status ``deactivated``.
        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image belongs to another project,
            or the cloud's policy does not permit it.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``deactivate``.
        """
        identity, image_id = self._identify(context, image_id)
        found = self._dispatcher.repeat(identity, lambda api: api.deactivate(image_id))
        return self._select_visible(found)

    @context_first
    def reactivate(self, context: object, image_id: str) -> Image:
        """Make the data of a deactivated image available again. Requires v2.3.

        Nothing changes if the image is active.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: the image, with the status ``active``.

        The errors are those of :meth:`deactivate`.
        """
        identity, image_id = self._identify(context, image_id)
        found = self._dispatcher.repeat(identity, lambda api: api.reactivate(image_id))
        return self._select_visible(found)

    @context_first
    def hide(self, context: object, image_id: str) -> Image:
        """Leave an image out of lists. It can still be shown and booted. Requires v2.7.

        On v1 and older v2 servers, the option ``hidden_property`` is required. If it is set, this
        property is written on every server, beside ``os_hidden`` where that exists. A list with
        the filter ``os_hidden=True`` has only the hidden images.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: the image after the update.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image belongs to another project.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``hidden``, and the option ``hidden_property`` is not set.
        """
        identity, image_id = self._identify(context, image_id)
        return self._select_visible(
            self._dispatcher.repeat(identity, lambda api: api.hide(image_id, {}))
        )

    @context_first
    def unhide(self, context: object, image_id: str) -> Image:
        """Make a hidden image appear in lists again. Nothing changes if it is not hidden.

        The property of the option ``hidden_property`` is removed.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: the image after the update.

        The errors are those of :meth:`hide`.
        """
        identity, image_id = self._identify(context, image_id)
        return self._select_visible(
            self._dispatcher.repeat(identity, lambda api: api.unhide(image_id))
        )

    @context_first
    def supersede(self, context: object, old_id: str, new_id: str) -> Image:
        """Replace an image by a newer one: hide it, and link it to its successor.

        The old image gets the property of the option ``successor_property`` with the id of the new
        image, in the request that hides it. It can still be shown and booted.

        :param context: the caller's request context, or None for the service's own credentials.
        :param old_id: an id, or an href of the image service.
        :param new_id: the id or href of the new image, which must be active.
        :returns: the old image after the update.
        :raises glance_compat.exceptions.ImageNotFound: one of the images does not exist, or the
            caller may not see it.
        :raises glance_compat.exceptions.Invalid: both are the same image, or the successors of the
            new image lead to the old one.
        :raises glance_compat.exceptions.ImageNotActive: the new image has no data.
        :raises glance_compat.exceptions.Conflict: the successors of the new image are a loop, or
            more than 100.
        :raises glance_compat.exceptions.UnsupportedByVersion: as in :meth:`hide`.
        """
        identity = self._dispatcher.read_identity(context)
        old_id = self._dispatcher.parse_image_id(identity, old_id)
        new_id = self._dispatcher.parse_image_id(identity, new_id)
        return self._select_visible(self._succession.supersede(identity, old_id, new_id))

    @context_first
    def successor(self, context: object, image_id: str) -> Image:
        """Return the newest image of a series, following the links that :meth:`supersede` sets.

        Takes one request for the image, and one for each link. A link to an image that is missing,
        deleted or not visible to the caller is not followed.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: the last image that the caller can see; the image itself if it has no successor.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.Conflict: the links are a loop, or more than 100.
        """
        identity, image_id = self._identify(context, image_id)
        return self._select_visible(self._succession.find_newest(identity, image_id))

    @context_first
    def add_tag(self, context: object, image_id: str, tag: str) -> typing.Literal[True]:
        """Add a tag to an image. If the image has the tag, that is not an error. Requires v2.

        A tag of printable ASCII characters without a slash takes one request, which changes no
        other tag. Any other tag takes two requests, and a tag that another client adds between
        them is lost.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param tag: a tag of 1 to 255 characters.
        :raises glance_compat.exceptions.Invalid: the tag is not such a string.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image belongs to another project.
        :raises glance_compat.exceptions.ImageQuotaExceeded: the image has too many tags.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``tags``.
        """
        tag = _check_tag(tag)
        identity, image_id = self._identify(context, image_id)
        self._dispatcher.repeat(identity, lambda api: api.add_tag(image_id, tag))
        return True

    @context_first
    def remove_tag(self, context: object, image_id: str, tag: str) -> typing.Literal[True]:
        """Remove a tag from an image. If the image has no such tag, that is not an error.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param tag: a tag of 1 to 255 characters.

        The requests, and the errors, are those of :meth:`add_tag`.
        """
        tag = _check_tag(tag)
        identity, image_id = self._identify(context, image_id)
        self._dispatcher.repeat(identity, lambda api: api.remove_tag(image_id, tag))
        return True


def _check_tag(tag: object) -> str:
    with contextlib.suppress(ConversionError):
        text = to_str(tag)
        if 0 < len(text) <= fields.ATTRIBUTE_CHARACTERS:
            return text
    raise exceptions.Invalid(
        f"a tag must be a string of 1 to {fields.ATTRIBUTE_CHARACTERS} characters, not"
        f" {quote_value(tag)}"
    )
