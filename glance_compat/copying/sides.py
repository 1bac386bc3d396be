# SPDX-License-Identifier: Apache-2.0
"""The two sides of a copy: a service and the context with which it is called.

What must live here: what copies read of one cloud. What must not: the comparison of the two
(see ``decisions``), and everything that changes a cloud (see ``transfer``).
"""

from __future__ import annotations

import contextlib
import functools
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping

from glance_compat import exceptions
from glance_compat.copying.choices import Choices
from glance_compat.copying.wanted import source_value
from glance_compat.discovery.versions import Discovery
from glance_compat.metadata.image_records import parts_of, select_fields
from glance_compat.metadata.property_names import fold_name
from glance_compat.service import ImageService, options_of, project_of, with_options
from glance_compat.types import ExtendedImage, Image


class Side:
    """One cloud of a copy.

    :param service: the caller's service. Its options are used, except those that decide what an
        image dict has and how data is verified.
    :param context: the caller's request context, or None for the service's own credentials.
    :param name: "source" or "target", for messages.
    :raises glance_compat.exceptions.Invalid: service is not an ImageService.
    """

    def __init__(self, service: object, context: object, name: str) -> None:
        if not isinstance(service, ImageService):
            raise exceptions.Invalid(
                f"{name} must be an ImageService, not {type(service).__name__}; of a bound one,"
                " pass its attribute service"
            )
        self.options = options_of(service)
        self.context = context
        # Downloads are verified by the upload: the data is hashed once, on its way.
        self.service = with_options(
            service,
            extended=True,
            v1_exact_show=True,
            verify_uploads=True,
            verify_downloads="off",
            hidden_property=None,
        )

    @functools.cached_property
    def discovery(self) -> Discovery:
        """What the endpoint offers.

        A service with a pinned version does not read the version document, which has the
        capabilities; it is read here.
        """
        found = self.service.discover(self.context)
        if found.version[1] is None:
            unpinned = with_options(
                self.service, api_version="auto", prefer=found.api.removeprefix("v")
            )
            with contextlib.suppress(exceptions.GlanceCompatError):
                offered = unpinned.discover(self.context)
                return offered if offered.api == found.api else found
        return found

    @functools.cached_property
    def project(self) -> str | None:
        """The id of the caller's project, or None if the token is not for a project."""
        return project_of(self.service, self.context)

    @property
    def match(self) -> Callable[[str], str]:
        """The function that returns the name under which the cloud stores a property."""
        return fold_name if self.discovery.api == "v1" else str

    @functools.cached_property
    def strictly_verified(self) -> ImageService:
        """A service that hashes downloads, for images without an MD5 checksum."""
        return with_options(self.service, verify_downloads="strong")

    @functools.cached_property
    def _quick(self) -> ImageService:
        return with_options(self.service, v1_exact_show=False)

    def select(self, image: ExtendedImage) -> Image:
        """Return an image with the keys that the caller's service returns."""
        parts = parts_of(extended=self.options.extended)
        return typing.cast(Image, select_fields(dict(image), parts))

    # -- reading

    def show(self, image_id: str) -> ExtendedImage:
        """Return an image that is not deleted."""
        found = self.service.show(self.context, image_id, show_deleted=False)
        return typing.cast(ExtendedImage, found)

    def find_quickly(self, image_id: str) -> ExtendedImage | None:
        """Return an image; over v1 with one HEAD, which cannot tell every property."""
        with contextlib.suppress(exceptions.NotFound, exceptions.Forbidden):
            found = self._quick.show(self.context, image_id, show_deleted=False)
            return typing.cast(ExtendedImage, found)
        return None

    def find(self, image_id: str) -> ExtendedImage | None:
        """Return an image, or None if the caller cannot see it."""
        with contextlib.suppress(
            exceptions.NotFound, exceptions.Forbidden, exceptions.InvalidImageRef
        ):
            return self.show(image_id)
        return None

    def iter_images(self, filters: Mapping[str, object] | None) -> Iterator[ExtendedImage]:
        """Return an iterator over the images that match the filters, the oldest first."""
        found = self.service.iter_detail(
            self.context, filters, sort_key="created_at", sort_dir="asc"
        )
        return typing.cast("Iterator[ExtendedImage]", found)

    def iter_with_hidden(self, filters: Mapping[str, object]) -> Iterator[ExtendedImage]:
        """Yield the images that match the filters, including the hidden ones."""
        yield from self.iter_images(filters)
        if "hidden" in self.discovery.capabilities:
            yield from self.iter_images({**filters, "os_hidden": True})

    def find_candidates(self, source_ids: Iterable[str], choices: Choices) -> list[ExtendedImage]:
        """Return the images that have one of these ids, or a source property with one of them."""
        found: dict[str, ExtendedImage] = {}
        for source_id in source_ids:
            one = self.find(source_id)
            if one is not None:
                found[source_id] = one
            for finished in (True, False):
                value = source_value(source_id, finished=finished)
                filters = {f"property-{choices.source_property}": value}
                for other in self.iter_with_hidden(filters):
                    found.setdefault(other["id"], other)
        return list(found.values())

    def members_of(self, image: ExtendedImage) -> list[str]:
        """Return the ids of the projects that an image is shared with.

        v2 lists members only of an image with the visibility ``shared`` (verified on Glance 15.0.2
        and 33), and only its owner may list them all.
        """
        if image["visibility"] not in (None, "shared"):
            return []
        with contextlib.suppress(exceptions.NotFound, exceptions.Forbidden):
            return [one["member_id"] for one in self.service.members(self.context, image["id"])]
        return []


def mapped_members(side: Side, image: ExtendedImage, choices: Choices) -> tuple[str, ...]:
    """Return the ids of the target's projects that a copy must be shared with."""
    if not choices.members or choices.visibility == "private":
        return ()
    found = (choices.members.get(one) for one in side.members_of(image))
    return tuple(sorted({one for one in found if one is not None}))
