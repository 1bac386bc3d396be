# SPDX-License-Identifier: Apache-2.0
"""The members of an image over v1."""

from __future__ import annotations

import urllib.parse

from glance_compat import exceptions
from glance_compat.backends.v1.images import V1Images, image_path
from glance_compat.redaction import quote_value
from glance_compat.transport.messages import Request
from glance_compat.types import Member


class V1Members(V1Images):
    """The projects that an image is shared with."""

    def members(self, image_id: str) -> list[Member]:
        response = self._send(
            Request(
                method="GET",
                path=f"{image_path(image_id)}/members",
                errors=exceptions.STATUS_ERRORS["members"],
                image_id=image_id,
            )
        )
        with response.named_in_errors():
            found = [
                _member(record.get("member_id"), bool(record.get("can_share")))
                for record in response.objects_at("members")
            ]
        if not found and self._transport.may_be_admin():
            # For a deleted image, v1 returns an empty list to an admin.
            self._current(image_id)
        return found

    def add_member(self, image_id: str, member_id: str) -> Member:
        # Without can_share, v1 responds with 204 but does not add a member that was removed before
        # (verified on Glance 15.0.2).
        try:
            self._member_request("PUT", image_id, member_id, {"member": {"can_share": False}})
        except exceptions.ImageNotFound as error:
            # v1 responds with 404 if the caller may see the image but may not share it.
            self._current(image_id)
            raise self._foreign_error(image_id) from error
        return _member(member_id, False)

    def remove_member(self, image_id: str, member_id: str) -> None:
        try:
            self._member_request("DELETE", image_id, member_id, None)
        except exceptions.ImageNotFound as error:
            # v1 responds with 404 if the caller may not remove the member.
            found = self._current(image_id)
            if self._is_foreign(found) and not self._transport.may_be_admin():
                raise self._foreign_error(image_id) from error
            raise exceptions.MemberNotFound(
                f"image {image_id} has no member {quote_value(member_id)}",
                status=404,
                request_id=error.request_id,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from error

    def _member_request(self, method: str, image_id: str, member_id: str, body: object) -> None:
        self._send(
            Request(
                method=method,
                path=f"{image_path(image_id)}/members/{urllib.parse.quote(member_id, safe='')}",
                json=body,
                success=frozenset({204}),
                errors=exceptions.STATUS_ERRORS["members"],
                image_id=image_id,
            )
        )


def _member(member_id: object, can_share: bool) -> Member:
    if not isinstance(member_id, str):
        raise exceptions.BadResponse("invalid member in the response: it has no id")
    return {"member_id": member_id, "can_share": can_share, "status": None}
