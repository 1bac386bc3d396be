# SPDX-License-Identifier: Apache-2.0
"""Members: the projects that an image is shared with."""

from __future__ import annotations

import typing

from glance_compat import exceptions
from glance_compat.methods.shared import ServiceMethods
from glance_compat.redaction import quote_value
from glance_compat.routing.context import context_first
from glance_compat.routing.references import check_member_id
from glance_compat.types import Member

#: The statuses that a member may set (Glance 15.0.2 and 33, the schema of members).
_MEMBER_STATUSES = ("accepted", "pending", "rejected")


class MemberMethods(ServiceMethods):
    """Members: the projects that an image is shared with."""

    @context_first
    def members(self, context: object, image_id: str) -> list[Member]:
        """Return the members of an image: the projects that it is shared with.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: one dict ``{"member_id": str, "can_share": bool, "status": str or None}`` for
            each project. Over v1, status is None; over v2, can_share is False.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        """
        identity, image_id = self._identify(context, image_id)
        return self._dispatcher.repeat(identity, lambda api: api.members(image_id))

    @context_first
    def add_member(self, context: object, image_id: str, member_id: str) -> Member:
        """Share an image with a project. If it is already shared, that is not an error.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :returns: a dict as in :meth:`members`. Over v1, ``can_share`` is set to False even if it
            was True before, because v1 requires a value.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image belongs to another project,
            or its visibility does not allow members.
        """
        identity, image_id = self._identify(context, image_id)
        member_id = check_member_id(member_id)
        return self._dispatcher.repeat(identity, lambda api: api.add_member(image_id, member_id))

    @context_first
    def update_member(self, context: object, image_id: str, member_id: str, status: str) -> Member:
        """Accept or reject a shared image for a project, or reset it to pending. Requires v2.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :param status: "accepted", "rejected" or "pending".
        :returns: a dict as in :meth:`members`.
        :raises glance_compat.exceptions.Invalid: the status is not one of these three.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint offers only v1.
        :raises glance_compat.exceptions.MemberNotFound: the image is not shared with the project.
        """
        identity, image_id = self._identify(context, image_id)
        member_id = check_member_id(member_id)
        if not isinstance(status, str) or status not in _MEMBER_STATUSES:
            raise exceptions.Invalid(
                f"status must be {', '.join(_MEMBER_STATUSES)}, not {quote_value(status)}"
            )
        return self._dispatcher.repeat(
            identity, lambda api: api.update_member(image_id, member_id, status)
        )

    @context_first
    def remove_member(
        self, context: object, image_id: str, member_id: str
    ) -> typing.Literal[True]:
        """Stop sharing an image with a project.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :raises glance_compat.exceptions.MemberNotFound: the image is not shared with the project.
        """
        identity, image_id = self._identify(context, image_id)
        member_id = check_member_id(member_id)
        self._dispatcher.repeat_removal(
            identity,
            lambda api: api.remove_member(image_id, member_id),
            exceptions.MemberNotFound,
        )
        return True
