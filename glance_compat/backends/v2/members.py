# SPDX-License-Identifier: Apache-2.0
"""The members of an image over v2."""

from __future__ import annotations

import typing
import urllib.parse
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.v2.images import V2Images, image_path
from glance_compat.redaction import quote_value
from glance_compat.transport.messages import Response
from glance_compat.types import Member


class V2Members(V2Images):
    """The projects that an image is shared with."""

    def members(self, image_id: str) -> list[Member]:
        try:
            response = self._send("GET", f"{image_path(image_id)}/members", "members", image_id)
        except exceptions.ImageNotAuthorized:
            # Glance responds with 403 also if the image's visibility is not "shared" (verified on
            # Glance 15.0.2 and 33).
            if self.show(image_id)["visibility"] == "shared":
                raise
            return []
        return [_member(response, record) for record in response.objects_at("members")]

    def add_member(self, image_id: str, member_id: str) -> Member:
        path = f"{image_path(image_id)}/members"
        try:
            response = self._send("POST", path, "members", image_id, {"member": member_id})
        except exceptions.Conflict:
            response = self._send("GET", _member_path(image_id, member_id), "members", image_id)
        return _member(response, response.json_object())

    def update_member(self, image_id: str, member_id: str, status: str) -> Member:
        path = _member_path(image_id, member_id)
        try:
            response = self._send("PUT", path, "members", image_id, {"status": status})
        except exceptions.ImageNotFound as error:
            raise self._no_member_error(image_id, member_id, error) from error
        return _member(response, response.json_object())

    def remove_member(self, image_id: str, member_id: str) -> None:
        try:
            self._send(
                "DELETE", _member_path(image_id, member_id), "members", image_id, success=204
            )
        except exceptions.ImageNotFound as error:
            raise self._no_member_error(image_id, member_id, error) from error

    def _no_member_error(
        self, image_id: str, member_id: str, error: exceptions.ImageNotFound
    ) -> exceptions.NotFound:
        try:
            self.show(image_id)
        except exceptions.ImageNotFound:
            return error
        return exceptions.MemberNotFound(
            f"image {image_id} has no member {quote_value(member_id)}",
            status=404,
            request_id=error.request_id,
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )


def _member(response: Response, record: Mapping[str, typing.Any]) -> Member:
    member_id, status = record.get("member_id"), record.get("status")
    if not isinstance(member_id, str) or not isinstance(status, (str, type(None))):
        raise response.invalid(
            "has an invalid member: no member_id, or a status that is not a string"
        )
    return {"member_id": member_id, "can_share": False, "status": status}


def _member_path(image_id: str, member_id: str) -> str:
    return f"{image_path(image_id)}/members/{urllib.parse.quote(member_id, safe='')}"
