# SPDX-License-Identifier: Apache-2.0
"""Imports: images whose data the server reads from a URL, or moves to its stores."""

from __future__ import annotations

import sys
import typing
from collections.abc import Mapping, Sequence

from glance_compat import exceptions
from glance_compat.backends.protocol import ImportRequest
from glance_compat.methods.shared import ServiceMethods, check_boolean, check_store_names
from glance_compat.redaction import quote_value
from glance_compat.routing.context import context_first
from glance_compat.streams import streams
from glance_compat.streams.streams import Progress
from glance_compat.transfers.importing import Importer, Order
from glance_compat.transfers.sources import check_source_url
from glance_compat.transfers.upload import Attempt, Uploader
from glance_compat.types import Image, Task


class ImportMethods(ServiceMethods):
    """Images whose data the server reads from a URL, or moves to its stores."""

    _importer: Importer
    _uploader: Uploader

    @context_first
    def import_image(
        self,
        context: object,
        image_meta: Mapping[str, object],
        *,
        uri: str | None = None,
        data: object = None,
        stores: Sequence[str] | None = None,
        all_stores: bool = False,
        all_stores_must_succeed: bool = True,
        wait: bool = True,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Image:
        """Create an image whose data the server imports from a URL, or into several stores.

        With a URL, the server alone reads it: with the import method ``web-download`` over v2,
        with ``copy_from`` over v1. Data is uploaded to the staging area of the server
        (``glance-direct``). If the server does not offer that, and no stores are named, it is
        uploaded as by :meth:`create`. If the call fails, the image that it created is deleted,
        except after OutcomeUnknown.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_meta: the values of the new image's attributes, as in :meth:`create`.
            ``disk_format`` and ``container_format`` are required. ``size`` and ``checksum`` are
            compared with the imported data.
        :param uri: the URL of the data, or None. It is sent to the server as it is; over v2 it
            must not have a user name. The operator may permit only some hosts and ports.
        :param data: the data, as in :meth:`create`, or None. Exactly one of uri and data is set.
        :param stores: names of the stores for the data, or None for the default store.
        :param all_stores: whether the data is for all stores of the site.
        :param all_stores_must_succeed: whether the import fails if one of the stores fails. If
            False, it fails only if all of them fail; the property ``os_glance_failed_import`` has
            the names of those that failed.
        :param wait: whether to wait until the import has ended. If False, the image is returned in
            the status that it has.
        :param timeout: how long to wait, in seconds. Default: the option ``settle_timeout``.
        :param progress: as in :meth:`create`. With a uri it is called with 0 and None each time
            that the image is fetched. If it raises an exception, the image is deleted.
        :returns: the image as the server stored it.
        :raises glance_compat.exceptions.Invalid: an argument is invalid, or the operator does not
            permit the URL (ImageBadRequest).
        :raises glance_compat.exceptions.ImportFailed: the server could not import the data.
        :raises glance_compat.exceptions.ImageImportImpossible: a store does not exist.
        :raises glance_compat.exceptions.IntegrityError: the data does not match ``size``,
            ``checksum``, or the data that was uploaded.
        :raises glance_compat.exceptions.OutcomeUnknown: the import has not ended after the
            timeout. The image is kept.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``web-download`` (or ``copy_from``), ``glance-direct`` or ``stores``, or the
            operator has not enabled the import method.
        """
        order = self._check_order(
            "import_image",
            uri=uri,
            data=data,
            stores=stores,
            all_stores=all_stores,
            all_stores_must_succeed=all_stores_must_succeed,
            wait=wait,
            timeout=timeout,
            progress=progress,
        )
        identity = self._dispatcher.read_identity(context)
        attempt = Attempt()
        try:
            return self._select_visible(
                self._importer.create(identity, image_meta, order, attempt)
            )
        except BaseException as error:
            if not isinstance(error, Exception):
                self._uploader.remove_interrupted(identity, attempt)
            raise

    @context_first
    def import_data(
        self,
        context: object,
        image_id: str,
        image_meta: Mapping[str, object] | None = None,
        *,
        uri: str | None = None,
        data: object = None,
        stores: Sequence[str] | None = None,
        all_stores: bool = False,
        all_stores_must_succeed: bool = True,
        wait: bool = True,
        timeout: float | None = None,
        progress: Progress | None = None,
    ) -> Image:
        """Import data from a URL, or into several stores, into an image that is queued.

        The server does the same as in :meth:`import_image`. If it fails, the image is kept: over
        v2 it is usually queued again, over v1 its status is ``killed``. What the server cannot do
        is refused before anything is changed.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param image_meta: attributes to set before, as in :meth:`update`, or None. An image that
            has no ``disk_format`` or ``container_format`` needs them.
        :param uri: the URL of the data, or None, as in :meth:`import_image`.
        :param data: the data, or None. Exactly one of uri and data is set.
        :param stores: names of the stores for the data, or None for the default store.
        :param all_stores: whether the data is for all stores of the site.
        :param all_stores_must_succeed: as in :meth:`import_image`.
        :param wait: whether to wait until the import has ended.
        :param timeout: how long to wait, in seconds. Default: the option ``settle_timeout``.
        :param progress: as in :meth:`import_image`. If it raises an exception, the call ends, but
            the server continues.
        :returns: the image as the server shows it at the end of the call.
        :raises glance_compat.exceptions.ImageNotActive: the image is not queued.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.Invalid: an argument is invalid, or the image has no
            format (ImageBadRequest), or the operator does not permit the URL (ImageBadRequest).
        :raises glance_compat.exceptions.ImportFailed: the server could not import the data.
        :raises glance_compat.exceptions.ImageImportImpossible: a store does not exist.
        :raises glance_compat.exceptions.IntegrityError: the stored data is not the data that was
            uploaded.
        :raises glance_compat.exceptions.OutcomeUnknown: the import has not ended after the
            timeout.
        :raises glance_compat.exceptions.UnsupportedByVersion: as for :meth:`import_image`.
        """
        order = self._check_order(
            "import_data",
            uri=uri,
            data=data,
            stores=stores,
            all_stores=all_stores,
            all_stores_must_succeed=all_stores_must_succeed,
            wait=wait,
            timeout=timeout,
            progress=progress,
        )
        identity, image_id = self._identify(context, image_id)
        return self._select_visible(
            self._importer.fill(identity, image_id, image_meta or {}, order)
        )

    @context_first
    def tasks(self, context: object, image_id: str) -> list[Task]:
        """Return the tasks of an image: its imports and copies. Requires v2.12.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :returns: one dict :class:`~glance_compat.Task` for each task, in the order of the server.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not have the
            capability ``tasks``.
        """
        identity, image_id = self._identify(context, image_id)
        return self._dispatcher.repeat(identity, lambda api: api.tasks(image_id))

    def _check_order(
        self,
        call: str,
        *,
        uri: str | None,
        data: object,
        stores: Sequence[str] | None,
        all_stores: bool,
        all_stores_must_succeed: bool,
        wait: bool,
        timeout: float | None,
        progress: Progress | None,
    ) -> Order:
        """Check the arguments of an import.

        :param call: the name of the method, for messages.
        """
        if (uri is None) == (data is None):
            raise exceptions.Invalid(f"pass either uri or data to {call}(), and not both")
        if all_stores and stores is not None:
            raise exceptions.Invalid("pass either stores or all_stores, and not both")
        return Order(
            request=ImportRequest(
                method="glance-direct" if uri is None else "web-download",
                argument="data" if uri is None else "uri",
                uri=None if uri is None else check_source_url(uri, "uri"),
                stores=() if stores is None else tuple(check_store_names(stores)),
                all_stores=check_boolean(all_stores, "all_stores"),
                all_must_succeed=check_boolean(all_stores_must_succeed, "all_stores_must_succeed"),
            ),
            data=data,
            wait=check_boolean(wait, "wait"),
            timeout=self._check_timeout(timeout),
            progress=streams.check_progress(progress),
        )

    def _check_timeout(self, timeout: object) -> float:
        if timeout is None:
            return self._options.settle_timeout
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if is_number and 0 <= typing.cast(float, timeout) <= sys.float_info.max:
            return typing.cast(float, timeout)
        raise exceptions.Invalid(
            f"timeout must be a number of seconds, or None, not {quote_value(timeout)}"
        )
