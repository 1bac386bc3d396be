# SPDX-License-Identifier: Apache-2.0
"""The locations of images over v2, and the tasks of an image.

Since v2.17, services read and add locations with requests of their own (the locations API). Older
servers, and newer ones that an operator configured like them, show locations in the image, and a
PATCH adds them, if the option ``show_multiple_locations`` is on.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import LocationToAdd
from glance_compat.backends.v2.images import (
    NO_LOCATIONS_API,
    PATCH,
    V2Images,
    has_location,
    image_path,
)
from glance_compat.metadata import support
from glance_compat.metadata.converters import ConversionError, to_datetime
from glance_compat.metadata.fields import Image, Version
from glance_compat.transport.messages import Response
from glance_compat.types import Location, Task

#: The first version whose PATCH accepts hashes of the data: Glance 19 (Train).
_HASHES_IN_PATCH: Version = (2, 9)


class V2Locations(V2Images):
    """Locations and tasks of images."""

    def tasks(self, image_id: str) -> list[Task]:
        self._require("tasks", "the tasks of an image", image_id)
        response = self._send("GET", f"{image_path(image_id)}/tasks", "show", image_id)
        return [_task(response, record) for record in response.objects_at("tasks")]

    def locations(self, image_id: str) -> list[Location]:
        has_api = "locations-api" in self._get_offer().capabilities
        if has_api and self._transport.may_be_admin():
            try:
                return self._fetch_locations(image_id)
            except exceptions.GlanceCompatError as error:
                if error.status not in NO_LOCATIONS_API or error.status == 404:
                    raise
        response = self._send("GET", image_path(image_id), "show", image_id)
        shown = response.json_object().get("locations")
        if isinstance(shown, list):
            return [_location(response, one) for one in shown]
        if has_api:
            return self._fetch_locations(image_id)
        raise exceptions.UnsupportedByVersion(
            support.describe_capability("locations-api", "the locations of an image"),
            f"{support.format_version(self._get_offer().version)} without locations"
            " (show_multiple_locations is off)",
            endpoint=self._transport.endpoint,
            image_id=image_id,
        )

    def _fetch_locations(self, image_id: str) -> list[Location]:
        response = self._send("GET", f"{image_path(image_id)}/locations", "show", image_id)
        body = response.json()
        if not isinstance(body, list):
            raise response.invalid("is not a list of locations")
        return [_location(response, one) for one in body]

    def add_location(self, image_id: str, location: LocationToAdd) -> Image | None:
        if "locations-api" in self._get_offer().capabilities and location.metadata is None:
            current = self.show(image_id)
            # The locations API accepts only images without data.
            if current["status"] == "queued":
                self._check_formats(current)
                return self._post(image_id, location)
        return self._add_with_patch(image_id, location)

    def _post(self, image_id: str, location: LocationToAdd) -> Image | None:
        body: dict[str, object] = {"url": location.url}
        if location.hashes:
            body["validation_data"] = dict(location.hashes)
        path = f"{image_path(image_id)}/locations"
        try:
            self._send("POST", path, "update", image_id, body, success=202)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            found = self.show(image_id)
            if not has_location(found):
                raise
            return found
        except exceptions.GlanceCompatError as refused:
            if refused.status not in NO_LOCATIONS_API:
                raise
            try:
                return self._add_with_patch(image_id, location)
            except exceptions.GlanceCompatError as error:
                error.message += f"; before that, POST {path} failed: {refused.message}"
                raise error from refused
        return None

    def _add_with_patch(self, image_id: str, location: LocationToAdd) -> Image:
        value: dict[str, object] = {
            "url": location.url,
            "metadata": dict(location.metadata or {}),
        }
        if location.hashes:
            offered = self._get_offer().version
            if offered < _HASHES_IN_PATCH:
                raise exceptions.UnsupportedByVersion(
                    f"{support.format_version(_HASHES_IN_PATCH)} (os_hash_value of a location)",
                    support.format_version(offered),
                    endpoint=self._transport.endpoint,
                    image_id=image_id,
                )
            value["validation_data"] = dict(location.hashes)
        patch = [{"op": "add", "path": "/locations/-", "value": value}]
        try:
            response = self._send("PATCH", image_path(image_id), "update", image_id, patch, PATCH)
            return self._image(response, image_id)
        except (exceptions.GlanceConnectionFailed, exceptions.BadResponse):
            found = self.show(image_id)
            if location.url not in [one.get("url") for one in found["locations"]]:
                raise
            return found


def _location(response: Response, record: object) -> Location:
    url = record.get("url") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(url, str):
        raise response.invalid("has an invalid location: it has no url")
    metadata = record.get("metadata")
    return {"url": url, "metadata": metadata if isinstance(metadata, dict) else {}}


def _task(response: Response, record: Mapping[str, typing.Any]) -> Task:
    task_id, kind, status, message = (
        record.get(name) for name in ("id", "type", "status", "message")
    )
    if not isinstance(task_id, str) or not isinstance(kind, str) or not isinstance(status, str):
        raise response.invalid("has an invalid task: it has no id, type or status")
    return {
        "id": task_id,
        "type": kind,
        "status": status,
        "message": message if isinstance(message, str) else "",
        "created_at": _time(response, record.get("created_at")),
        "updated_at": _time(response, record.get("updated_at")),
    }


def _time(response: Response, value: object) -> typing.Any:
    if value is None:
        return None
    try:
        return to_datetime(value)
    except ConversionError as error:
        raise response.invalid(f"has an invalid task: a time must be {error}") from None
