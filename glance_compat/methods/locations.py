# SPDX-License-Identifier: Apache-2.0
"""Locations: the URLs of the data of images in their stores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping

from glance_compat import exceptions
from glance_compat.backends.protocol import ImagesApi, LocationToAdd
from glance_compat.metadata import fields
from glance_compat.methods.shared import ServiceMethods
from glance_compat.redaction import quote_value
from glance_compat.routing.context import context_first
from glance_compat.transport import retry
from glance_compat.types import Image, Location

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f]+")

#: The algorithms of os_hash_algo that Glance's option ``hashing_algorithm`` may name.
_ALGORITHMS = {
    name: 2 * hashlib.new(name, usedforsecurity=False).digest_size
    for name in ("sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s")
} | {"md5": 32}


class LocationMethods(ServiceMethods):
    """Locations: the URLs of the data of images in their stores."""

    @context_first
    def locations(self, context: object, image_id: str) -> list[Location]:
        """Return the locations of the data of an image. Requires v2.

        Over v2.17 that is for services and admins. A server that is configured to do so
        (``show_multiple_locations``) shows locations to every caller who may see the image.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: one dict :class:`~glance_compat.Location` for each location; empty if the image
            has no data. A URL may contain credentials of a store.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotAuthorized: the caller may not see its locations.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``locations-api``, and does not show locations.
        """
        identity, image_id = self._identify(context, image_id)
        return self._dispatcher.repeat(identity, lambda api: api.locations(image_id))

    @context_first
    def add_location(
        self,
        context: object,
        image_id: str,
        url: str,
        *,
        metadata: Mapping[str, object] | None = None,
        os_hash_algo: str | None = None,
        os_hash_value: str | None = None,
    ) -> Image:
        """Add a location to an image: the URL of its data in a store.

        A queued image becomes active. Over v2.17 the server checks the data after the call has
        returned; :meth:`update` with ``location`` waits for it. An image that has data already
        gets one more location, where the server shows locations; v1 refuses that.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param url: the URL of the data, in a store of the server.
        :param metadata: additional information for the server about the location, or None. It
            needs a server that shows locations.
        :param os_hash_algo: the name of a hash algorithm, such as ``sha512``, or None.
        :param os_hash_value: the hash of the data, in hexadecimal, which the image gets; None, or
            together with os_hash_algo. Needs v2.9; not all servers support all algorithms.
        :returns: the image as the server shows it after the request.
        :raises glance_compat.exceptions.Invalid: an argument is invalid, or the server does not
            accept the URL or the hash (ImageBadRequest).
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotAuthorized: the caller may not add a location.
        :raises glance_compat.exceptions.UpdateConflict: the status of the image does not permit
            it, or the server does not accept the hash.
        :raises glance_compat.exceptions.UnsupportedByVersion: the API in use cannot store the
            metadata or the hash.
        """
        location = LocationToAdd(
            _check_url(url),
            _check_metadata(metadata),
            _check_hash(os_hash_algo, os_hash_value),
        )
        identity, image_id = self._identify(context, image_id)
        found = self._dispatcher.repeat(identity, _Addition(image_id, location))
        return self._select_visible(
            found or self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        )


@dataclasses.dataclass(slots=True)
class _Addition:
    """The request that adds a location, as a call that may be repeated.

    :param may_have_begun: whether an earlier attempt, whose response was lost, may have added it.
    """

    image_id: str
    location: LocationToAdd
    may_have_begun: bool = False

    def __call__(self, api: ImagesApi) -> fields.Image | None:
        try:
            return api.add_location(self.image_id, self.location)
        except (exceptions.Invalid, exceptions.Conflict, exceptions.ImageNotAuthorized):
            # The server accepts a location only once.
            found = api.show(self.image_id) if self.may_have_begun else None
            if found is None or found["status"] == "queued":
                raise
            return found
        except exceptions.GlanceCompatError as error:
            self.may_have_begun = self.may_have_begun or retry.is_transient(error)
            raise


def _check_url(url: object) -> str:
    if isinstance(url, str) and _URL.fullmatch(url):
        return url
    raise exceptions.Invalid(
        f"url must be the URL of data in a store, such as file:///folder/name, not"
        f" {quote_value(url)}"
    )


def _check_metadata(metadata: object) -> Mapping[str, object] | None:
    if metadata is None:
        return None
    if isinstance(metadata, Mapping) and all(isinstance(one, str) for one in metadata):
        try:
            json.dumps(dict(metadata), allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            pass
        else:
            return dict(metadata)
    raise exceptions.Invalid("metadata must be a dict of strings to values that JSON can have")


def _check_hash(algorithm: object, value: object) -> dict[str, str]:
    if algorithm is None and value is None:
        return {}
    digits = _ALGORITHMS.get(algorithm) if isinstance(algorithm, str) else None
    if digits is None:
        raise exceptions.Invalid(
            f"os_hash_algo must be one of {', '.join(sorted(_ALGORITHMS))}, and os_hash_value must"
            f" be passed with it; not {quote_value(algorithm)}"
        )
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]+", value):
        raise exceptions.Invalid(
            f"os_hash_value must be a hexadecimal string, not {quote_value(value)}"
        )
    if len(value) != digits:
        raise exceptions.Invalid(
            f"os_hash_value must have {digits} digits for {algorithm}, not {len(value)}"
        )
    return {"os_hash_algo": str(algorithm), "os_hash_value": value.lower()}
