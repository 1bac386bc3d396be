# SPDX-License-Identifier: Apache-2.0
"""Stores: where the data of images is."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import ImportRequest
from glance_compat.methods.shared import ServiceMethods, check_boolean, check_store_names
from glance_compat.redaction import quote_value
from glance_compat.routing.context import context_first
from glance_compat.routing.references import check_path_segment
from glance_compat.streams import streams
from glance_compat.streams.streams import Progress
from glance_compat.transfers.store_copies import StoreCopier
from glance_compat.types import Image, Store


class StoreMethods(ServiceMethods):
    """Stores: where the data of images is."""

    _store_copier: StoreCopier

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
    def copy_to_stores(
        self,
        context: object,
        image_id: str,
        stores: Sequence[str] | None = None,
        *,
        all_stores: bool = False,
        wait: bool = False,
        progress: Progress | None = None,
    ) -> Image:
        """Request the server to copy the data of an image to more of its stores.

        The data is copied to all of the stores, or to none. By default only an admin may do that
        (Glance 33).

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param stores: names of stores that do not have the data; see :meth:`stores`.
        :param all_stores: whether to copy the data to all stores that do not have it, instead of
            the ones in ``stores``. If none is left, that is not an error.
        :param wait: whether to wait until all of the stores have the data, but no longer than the
            option ``settle_timeout``. If False, the call returns when the server has accepted the
            request.
        :param progress: a function that is called with 0 and None each time that the image is
            fetched while the call waits. If it raises an exception, the call ends, but the server
            continues.
        :returns: the image as the server shows it at the end of the call.
        :raises glance_compat.exceptions.Invalid: an argument is invalid; or one of the stores has
            the data already (ImageBadRequest).
        :raises glance_compat.exceptions.ImageImportImpossible: the image is not active, a store
            does not exist, or another copy of this image is running.
        :raises glance_compat.exceptions.ImageNotAuthorized: the caller may not copy the data.
        :raises glance_compat.exceptions.ImportFailed: the copy has failed, and ``wait`` is True.
        :raises glance_compat.exceptions.OutcomeUnknown: the copy has not ended in time, and
            ``wait`` is True.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``stores``, or the operator has not enabled the import method
            ``copy-image``.
        """
        if check_boolean(all_stores, "all_stores") == (stores is not None):
            raise exceptions.Invalid(
                "pass either stores or all_stores=True to copy_to_stores(), not"
                f" {quote_value(stores)} and {all_stores}"
            )
        request = ImportRequest(
            method="copy-image",
            argument="a copy of the data in another store",
            stores=() if stores is None else tuple(check_store_names(stores)),
            all_stores=all_stores,
        )
        wait = check_boolean(wait, "wait")
        progress = streams.check_progress(progress)
        identity, image_id = self._identify(context, image_id)
        found = self._store_copier.copy(identity, image_id, request, progress, wait=wait)
        return self._select_visible(found)
