# SPDX-License-Identifier: Apache-2.0
"""Requests of v2 that change the status, the visibility in lists, or the tags of an image."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from collections.abc import Callable, Mapping

from glance_compat import exceptions
from glance_compat.backends.v2.images import UPDATE_ATTEMPTS, V2Images, image_path
from glance_compat.metadata import filters
from glance_compat.metadata.changes import Change, ImageMeta
from glance_compat.metadata.fields import Image

#: The tags that a URL can name. With a slash, Glance responds with 404; with characters that are
#: not ASCII, Glance 33 stores another tag, because it reads the URL as Latin-1 (verified on Glance
#: 33); requests removes a last segment of dots.
_TAG_IN_PATH = re.compile(r"(?!\.{1,2}\Z)[ -.0-~]+")


class V2Status(V2Images):
    """Deactivated and hidden images, and tags."""

    def deactivate(self, image_id: str) -> Image:
        self._require("deactivate", "deactivate an image", image_id)
        return self._act(image_id, "deactivate")

    def reactivate(self, image_id: str) -> Image:
        self._require("deactivate", "reactivate an image", image_id)
        return self._act(image_id, "reactivate")

    def _act(self, image_id: str, action: str) -> Image:
        path = f"{image_path(image_id)}/actions/{action}"
        try:
            self._send("POST", path, "update", image_id, success=204)
        except exceptions.ImageNotAuthorized as error:
            # Glance responds with 403 also if the status of the image does not permit the action
            # (verified on Glance 15.0.2 and 33).
            status = self.show(image_id)["status"]
            if status in ("active", "deactivated"):
                raise
            raise exceptions.ImageNotActive(
                f"cannot {action} image {image_id}: its status is {status}, and only an image"
                " with data can be deactivated and reactivated",
                status=403,
                request_id=error.request_id,
                endpoint=self._transport.endpoint,
                image_id=image_id,
            ) from error
        return self.show(image_id)

    def hide(self, image_id: str, properties: Mapping[str, str]) -> Image:
        base = self._hidden_attribute(True, "hide an image", image_id)
        name = self._options.hidden_property
        marks = {**properties, name: filters.HIDDEN} if name else properties
        return self.update(image_id, ImageMeta(base, marks), purge=False)

    def unhide(self, image_id: str) -> Image:
        base = self._hidden_attribute(False, "unhide an image", image_id)
        name = self._options.hidden_property
        if name is None:
            return self.update(image_id, ImageMeta(base, {}), purge=False)
        for _ in range(1, UPDATE_ATTEMPTS):
            # Another client may have removed the property, or be changing the image now.
            with contextlib.suppress(exceptions.UpdateConflict):
                return self._unmark(image_id, base, name)
        return self._unmark(image_id, base, name)

    def _unmark(self, image_id: str, base: Mapping[str, bool], name: str) -> Image:
        """Write an attribute and remove a property, if the image has it."""
        current = self.show(image_id)
        change = Change(base, {}, frozenset({name}) & current["properties"].keys())
        return self._patch(image_id, change, current) if change else current

    def _hidden_attribute(self, hidden: bool, what: str, image_id: str) -> dict[str, bool]:
        """Return the attribute to write; none on a server without it, if there is a property."""
        if self._options.hidden_property is None:
            self._require("hidden", what, image_id)
        return {"os_hidden": hidden} if "hidden" in self._get_offer().capabilities else {}

    def add_tag(self, image_id: str, tag: str) -> None:
        if _TAG_IN_PATH.fullmatch(tag):
            self._send("PUT", _tag_path(image_id, tag), "update", image_id, success=204)
        else:
            self._change_tags(image_id, lambda tags: tags | {tag})

    def remove_tag(self, image_id: str, tag: str) -> None:
        if not _TAG_IN_PATH.fullmatch(tag):
            self._change_tags(image_id, lambda tags: tags - {tag})
            return
        try:
            self._send("DELETE", _tag_path(image_id, tag), "update", image_id, success=204)
        except exceptions.ImageNotFound:
            # Glance responds with 404 also if the image does not have the tag.
            self.show(image_id)

    def _change_tags(self, image_id: str, change: Callable[[set[str]], set[str]]) -> None:
        """Change the tags with a GET and a PATCH, because a URL cannot name some tags."""
        current = self.show(image_id)
        before = set(current["tags"] or ())
        tags = change(before)
        if tags != before:
            self._patch(image_id, Change({"tags": sorted(tags)}, {}), current)


def _tag_path(image_id: str, tag: str) -> str:
    return f"{image_path(image_id)}/tags/{urllib.parse.quote(tag, safe='')}"
