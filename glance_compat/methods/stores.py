# SPDX-License-Identifier: Apache-2.0
"""Stores: where the data of images is."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from glance_compat import exceptions
from glance_compat.methods.shared import ServiceMethods, check_store_names
from glance_compat.routing.context import context_first
from glance_compat.routing.references import check_path_segment
from glance_compat.types import Store


class StoreMethods(ServiceMethods):
    """Stores: where the data of images is."""

    @context_first
    def stores(self, context: object) -> list[Store]:
        """Return the stores that hold the data of images, in the order of the server.

        :param context: the caller's request context, or None for the service's own credentials.
        :returns: one dict :class:`~glance_compat.Store` for each store. ``type`` is None unless
            the server reports it to the caller; Glance 33 reports it to admins.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``stores``: it has one unnamed store.
        """
        identity = self._dispatcher.read_identity(context)
        return self._dispatcher.repeat(identity, lambda api: api.stores())

    @context_first
    def delete_from_store(
        self, context: object, image_id: str, store: str
    ) -> typing.Literal[True]:
        """Delete the data of an image from one of the stores that have it.

        By default only an admin may do that (Glance 33).

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param store: the name of a store; see :meth:`stores`.
        :raises glance_compat.exceptions.Invalid: the name is not a segment of a URL's path.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.NotFound: the store does not have the data, or does not
            exist.
        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.ImageDeleteConflict: no other store has the data, or it is
            in use.
        :raises glance_compat.exceptions.ImageNotAuthorized: the caller may not delete it.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``store-delete``.
        """
        store = check_path_segment(store, "a store name")
        identity, image_id = self._identify(context, image_id)
        self._dispatcher.repeat_removal(
            identity, lambda api: api.delete_from_store(image_id, store), exceptions.NotFound
        )
        return True

    @context_first
    def copy_to_stores(self, context: object, image_id: str, stores: Sequence[str]) -> None:
        """Request the server to copy the data of an image to more of its stores.

        The call returns when the server has accepted the request, not when the copy is complete.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param stores: a list of store names, as ``openstack image stores info`` lists them.
        :raises glance_compat.exceptions.Invalid: stores is not a list of names, or is empty.
        :raises glance_compat.exceptions.ImageImportImpossible: the image is not active, or a store
            does not exist.
        :raises glance_compat.exceptions.ImageBadRequest: one of the stores has the data already.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not support
            multiple stores.
        """
        stores = check_store_names(stores)
        identity, image_id = self._identify(context, image_id)
        # No retry: a second request would make the first copy fail.
        self._dispatcher.once(identity, lambda api: api.copy_to_stores(image_id, stores))
