# SPDX-License-Identifier: Apache-2.0
"""Replace ``nova.image.glance`` of Nova 34, using this library.

Names, signatures, defaults and return values are the same as in Nova's module. Contexts are
``nova.context.RequestContext``, images are the dicts that Nova's own module returns, and errors
are those of ``nova.exception``. Nova is imported when a function is called, not with this module.

What must live here: the functions and classes that Nova calls. What must not: the translation of
values (``translation``), access to Nova's configuration and exceptions (``host``), signatures and
rbd (``signatures``).
"""

from __future__ import annotations

import itertools
import logging
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat.backends.protocol import delete_on_failure
from glance_compat.nova import host, signatures, translation
from glance_compat.nova.host import translate_errors
from glance_compat.nova.translation import COPY_ERRORS, IMAGE_ERRORS, LIST_ERRORS
from glance_compat.service import ImageService
from glance_compat.streams import streams, target

LOG = logging.getLogger(__name__)

Image = dict[str, typing.Any]
Context = typing.Any


def generate_glance_url(context: Context) -> str:
    """Return the URL of an image endpoint, without the API version."""
    return next(get_api_servers(context))


def get_api_servers(context: Context) -> Iterator[str]:
    """Return an iterator that cycles endlessly through the image endpoints, starting at random.

    :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog has no image endpoint.
    """
    return itertools.cycle(host.find_endpoints(context))


class GlanceClientWrapper:
    """Hold the endpoint that Nova passes; unlike Nova's own class, it sends no requests.

    The library sends requests to the configured image service, and ignores this endpoint.
    :func:`get_remote_image_service` has already rejected the URLs of other image services.
    """

    def __init__(self, context: Context = None, endpoint: str | None = None) -> None:
        self.api_server = endpoint
        self.api_servers: Iterator[str] | None = None
        self.client = None

    def call(
        self,
        context: Context,
        version: int,
        method: str,
        controller: str | None = None,
        args: Sequence[typing.Any] | None = None,
        kwargs: Mapping[str, typing.Any] | None = None,
    ) -> typing.Any:
        """Raise an exception, because a call to glanceclient would bypass this library.

        :raises NotImplementedError: always.
        """
        raise NotImplementedError(
            f"GlanceClientWrapper cannot call {method} because glance_compat.nova has no"
            " glanceclient: use glance_compat.ImageService"
        )


class GlanceImageServiceV2:
    """Nova's image service, over whichever Images API the cloud offers."""

    def __init__(self, client: GlanceClientWrapper | None = None) -> None:
        self._client = client or GlanceClientWrapper()

    def show(
        self,
        context: Context,
        image_id: str,
        include_locations: bool = False,
        show_deleted: bool = True,
    ) -> Image:
        """Return one image.

        :raises nova.exception.ImageNotFound: there is no such image, or it is not visible.
        """
        with translate_errors(IMAGE_ERRORS, image_id):
            found = host.make_image_service().show(
                host.adapt_context(context),
                str(image_id),
                include_locations=include_locations,
                show_deleted=show_deleted,
            )
        shown = translation.to_nova(found)
        if not _is_available(context, shown):
            raise host.nova_exceptions().ImageNotFound(image_id=image_id)
        return shown

    def detail(self, context: Context, **kwargs: typing.Any) -> list[Image]:
        """Return a list of images.

        Arguments whose value is false, and those that Nova's own module ignores, are ignored.

        :raises nova.exception.Invalid: a filter, the marker or a sort key is invalid.
        """
        with translate_errors(LIST_ERRORS):
            service, asking = host.make_image_service(), host.adapt_context(context)
            wanted = translation.translate_list_arguments(kwargs)
            if "member-status" in service.discover(asking).capabilities:
                wanted = translation.only_accepted_shares(wanted)
            found = service.detail(asking, **wanted)
        images = (translation.to_nova(image) for image in found)
        return [image for image in images if _is_available(context, image)]

    def create(
        self, context: Context, image_meta: Mapping[str, typing.Any], data: object = None
    ) -> Image:
        """Create an image; share it with the project in the property ``instance_owner``, if any.

        :raises nova.exception.Invalid: the metadata is invalid.
        """
        written = translation.prepare_create(image_meta, with_data=data is not None)
        _check_empty(written)
        member = written["properties"].pop(translation.SHARED_WITH, None)
        with translate_errors(LIST_ERRORS):
            service, asking = host.make_image_service(), host.adapt_context(context)
            created = _offload(service.create, data)(asking, written, data)
            if member:
                _share(service, asking, created["id"], member)
        return translation.to_nova(created)

    def update(
        self,
        context: Context,
        image_id: str,
        image_meta: Mapping[str, typing.Any],
        data: object = None,
        purge_props: bool = True,
    ) -> Image:
        """Update the metadata of an image, or upload its data.

        :raises nova.exception.ImageNotFound: there is no such image, or it is not visible.
        """
        with translate_errors(IMAGE_ERRORS, image_id):
            service, asking = host.make_image_service(), host.adapt_context(context)
            current: Image = {}
            if purge_props and data is None and translation.find_blank_kernels(image_meta):
                current = service.show(asking, str(image_id))["properties"]
            written = translation.prepare_update(image_meta, current)
            changed = _offload(service.update, data)(
                asking, str(image_id), written, data, purge_props=purge_props
            )
        return translation.to_nova(changed)

    def delete(self, context: Context, image_id: str) -> typing.Literal[True]:
        """Delete an image.

        :raises nova.exception.ImageNotFound: there is no such image, or it is not visible.
        :raises nova.exception.ImageNotAuthorized: the image is protected, or another project owns
            it.
        :raises nova.exception.ImageDeleteConflict: the image is in use.
        """
        with translate_errors(IMAGE_ERRORS, image_id):
            return host.make_image_service().delete(host.adapt_context(context), str(image_id))

    def download(
        self,
        context: Context,
        image_id: str,
        data: typing.IO[bytes] | None = None,
        dst_path: str | None = None,
        trusted_certs: typing.Any = None,
    ) -> Iterator[bytes] | None:
        """Download the data of an image, and verify its signature if that is configured.

        :returns: an iterator of blocks of bytes; None if the data was written to ``data`` or
            ``dst_path``.
        :raises nova.exception.ImageUnacceptable: the image has no data, or its data is corrupt.
        """
        verifier = signatures.make_verifier(
            context, lambda: self.show(context, image_id), trusted_certs
        )
        if dst_path is not None and signatures.fetch_directly(
            lambda: self.show(context, image_id, include_locations=True),
            dst_path,
            verifier,
            host.read_download_mode(),
        ):
            return None
        # Only the library may write to the path before it knows that the data is undamaged: it
        # downloads damaged data again.
        path = dst_path if data is None and verifier is None else None
        with translate_errors(IMAGE_ERRORS, image_id):
            source = host.make_image_service().download(
                host.adapt_context(context), str(image_id), dst_path=path
            )
        if source is None:
            return None
        blocks = signatures.verify_blocks(_blocks(source, image_id), verifier)
        if data is None and dst_path is None:
            return blocks
        with source:
            if data is None:
                path, mode = typing.cast(str, dst_path), host.read_download_mode()
                target.write_to_path(blocks, path, str(image_id), mode=mode)
            else:
                with signatures.truncate_on_failure(data, verifier):
                    target.write_to_file(blocks, data)
        return None

    def image_import_copy(self, context: Context, image_id: str, stores: Sequence[str]) -> None:
        """Start copying an image's data into additional stores, in Glance.

        :raises nova.exception.ImageImportImpossible: the image is not active, or a store does not
            exist.
        :raises nova.exception.ImageBadRequest: a store already has the image.
        """
        with translate_errors(COPY_ERRORS, image_id):
            host.make_image_service().copy_to_stores(
                host.adapt_context(context), str(image_id), stores
            )


def _blocks(source: streams.Download, image_id: object) -> Iterator[bytes]:
    """Yield the blocks of a download; raise its errors as Nova's."""
    with source, translate_errors(IMAGE_ERRORS, image_id):
        yield from source


def _check_empty(written: Mapping[str, typing.Any]) -> None:
    """Raise an exception for an empty image in a format that cannot be empty, as Nova does."""
    if "size" in written and written.get("disk_format") not in (None, "raw"):
        raise host.nova_exceptions().ImageBadRequest(
            f"Unable to force activate with disk_format={written['disk_format']}"
        )


def _offload(call: Callable[..., typing.Any], data: object) -> Callable[..., typing.Any]:
    """Return a function that runs a call in a native thread if it sends data.

    Otherwise the upload would block all green threads of eventlet.
    """
    if data is None:
        return call
    from nova import utils

    return typing.cast("Callable[..., typing.Any]", utils.tpool_wrap(call))


def _share(service: ImageService, asking: object, image_id: str, member: object) -> None:
    with delete_on_failure(image_id, lambda: service.delete(asking, image_id)):
        service.add_member(asking, image_id, typing.cast(str, member))


def _is_available(context: Context, image: Image) -> bool:
    """Return whether the caller may see an image.

    Without a token in the context, Glance does not know the caller, so this function decides.
    """
    if getattr(context, "auth_token", None) or context.is_admin or image["is_public"]:
        return True
    properties = image["properties"]
    for name in ("owner_id", "project_id"):
        if context.project_id and name in properties:
            return str(properties[name]) == str(context.project_id)
    return "user_id" in properties and str(properties["user_id"]) == str(context.user_id)


def get_remote_image_service(
    context: Context, image_href: object
) -> tuple[GlanceImageServiceV2, typing.Any]:
    """Return the image service, and the id of an image.

    :param image_href: the image's id or its URL.
    :raises nova.exception.InvalidImageRef: the URL is not below an endpoint of the image service.
    """
    if "/" not in str(image_href):
        return get_default_image_service(), image_href
    with translate_errors(IMAGE_ERRORS, image_href):
        image_id = host.make_image_service().resolve(host.adapt_context(context), str(image_href))
    return get_default_image_service(), image_id


def get_default_image_service() -> GlanceImageServiceV2:
    """Return the image service."""
    return GlanceImageServiceV2()


class API:
    """The class through which Nova uses images.

    Creating an instance has no side effects; it does not even read the configuration.
    """

    def _get_session_and_image_id(
        self, context: Context, id_or_uri: object
    ) -> tuple[GlanceImageServiceV2, typing.Any]:
        return get_remote_image_service(context, id_or_uri)

    def _get_session(self, _context: Context) -> GlanceImageServiceV2:
        return get_default_image_service()

    @staticmethod
    def generate_image_url(image_ref: str, context: Context) -> str:
        """Return the URL of an image, without the API version.

        :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog has no image
            endpoint.
        """
        return f"{next(get_api_servers(context))}/images/{image_ref}"

    def get_all(self, context: Context, **kwargs: typing.Any) -> list[Image]:
        """See :meth:`GlanceImageServiceV2.detail`."""
        return self._get_session(context).detail(context, **kwargs)

    def get(
        self,
        context: Context,
        id_or_uri: str,
        include_locations: bool = False,
        show_deleted: bool = True,
    ) -> Image:
        """See :meth:`GlanceImageServiceV2.show`."""
        session, image_id = self._get_session_and_image_id(context, id_or_uri)
        return session.show(
            context, image_id, include_locations=include_locations, show_deleted=show_deleted
        )

    def create(
        self, context: Context, image_info: Mapping[str, typing.Any], data: object = None
    ) -> Image:
        """See :meth:`GlanceImageServiceV2.create`."""
        return self._get_session(context).create(context, image_info, data=data)

    def update(
        self,
        context: Context,
        id_or_uri: str,
        image_info: Mapping[str, typing.Any],
        data: object = None,
        purge_props: bool = False,
    ) -> Image:
        """See :meth:`GlanceImageServiceV2.update`; here ``purge_props`` is False by default."""
        session, image_id = self._get_session_and_image_id(context, id_or_uri)
        return session.update(context, image_id, image_info, data=data, purge_props=purge_props)

    def delete(self, context: Context, id_or_uri: str) -> typing.Literal[True]:
        """See :meth:`GlanceImageServiceV2.delete`."""
        session, image_id = self._get_session_and_image_id(context, id_or_uri)
        return session.delete(context, image_id)

    def download(
        self,
        context: Context,
        id_or_uri: str,
        data: typing.IO[bytes] | None = None,
        dest_path: str | None = None,
        trusted_certs: typing.Any = None,
    ) -> Iterator[bytes] | None:
        """See :meth:`GlanceImageServiceV2.download`."""
        session, image_id = self._get_session_and_image_id(context, id_or_uri)
        return session.download(
            context, image_id, data=data, dst_path=dest_path, trusted_certs=trusted_certs
        )

    def copy_image_to_store(self, context: Context, image_id: str, store: str) -> None:
        """See :meth:`GlanceImageServiceV2.image_import_copy`."""
        session, image_id = self._get_session_and_image_id(context, image_id)
        session.image_import_copy(context, image_id, [store])


def trace_calls() -> None:
    """Let osprofiler trace the calls of :class:`API`, if Nova is configured to use it."""
    from nova import profiler

    profiler.trace_cls("nova_image")(API)
