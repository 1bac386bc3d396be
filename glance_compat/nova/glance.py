# SPDX-License-Identifier: Apache-2.0
"""What stands where ``nova.image.glance`` of Nova 34 stands: its names, on this library.

Signatures, defaults and shapes are Nova's own. Contexts are ``nova.context.RequestContext``,
images are dicts as Nova's own module gives them, errors are those of ``nova.exception``. Nova is
imported when something is called, not with this module.

What must live here: the names. What must not: spellings (``translation``), what is taken from
Nova (``host``), signatures and rbd (``signatures``).
"""

from __future__ import annotations

import itertools
import logging
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence

from glance_compat.backends.protocol import delete_on_failure
from glance_compat.nova import host, signatures, translation
from glance_compat.nova.host import errors_of_nova
from glance_compat.nova.translation import OF_A_COPY, OF_MANY_IMAGES, OF_ONE_IMAGE
from glance_compat.service import ImageService
from glance_compat.streams import streams, target

LOG = logging.getLogger(__name__)

Image = dict[str, typing.Any]
Context = typing.Any


def generate_glance_url(context: Context) -> str:
    """The URL of one image endpoint, without a version."""
    return next(get_api_servers(context))


def get_api_servers(context: Context) -> Iterator[str]:
    """The image endpoints, again and again; each call begins at another one.

    :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog does not say.
    """
    return itertools.cycle(host.endpoints(context))


class GlanceClientWrapper:
    """What Nova's service makes its requests with; here it names an endpoint, and no more.

    Requests go to the image service that is configured, whatever endpoint an href named: that it
    is the same service was checked.
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
        """Not supported: methods of python-glanceclient would pass by this library.

        :raises NotImplementedError: always.
        """
        raise NotImplementedError(
            f"glance_compat.nova has no glanceclient to call {method} of: use"
            " glance_compat.ImageService"
        )


class GlanceImageServiceV2:
    """Images as Nova's image service has them, over whichever API Glance offers."""

    def __init__(self, client: GlanceClientWrapper | None = None) -> None:
        self._client = client or GlanceClientWrapper()

    def show(
        self,
        context: Context,
        image_id: str,
        include_locations: bool = False,
        show_deleted: bool = True,
    ) -> Image:
        """One image.

        :raises nova.exception.ImageNotFound: no such image for this caller.
        """
        with errors_of_nova(OF_ONE_IMAGE, image_id):
            found = host.image_service().show(
                host.asking(context),
                str(image_id),
                include_locations=include_locations,
                show_deleted=show_deleted,
            )
        shown = translation.to_nova(found)
        if not _is_available(context, shown):
            raise host.nova_exceptions().ImageNotFound(image_id=image_id)
        return shown

    def detail(self, context: Context, **kwargs: typing.Any) -> list[Image]:
        """Images; of the arguments, those count that Nova's module knows and that are not false.

        :raises nova.exception.Invalid: a filter, a marker or a key that cannot be.
        """
        with errors_of_nova(OF_MANY_IMAGES):
            service, asking = host.image_service(), host.asking(context)
            wanted = translation.list_arguments(kwargs)
            if "member-status" in service.discover(asking).capabilities:
                wanted = translation.accepted_only(wanted)
            found = service.detail(asking, **wanted)
        images = (translation.to_nova(image) for image in found)
        return [image for image in images if _is_available(context, image)]

    def create(
        self, context: Context, image_meta: Mapping[str, typing.Any], data: object = None
    ) -> Image:
        """A new image. Property ``instance_owner`` names a project to share it with.

        :raises nova.exception.Invalid: the metadata is refused.
        """
        written = translation.for_creation(image_meta, with_data=data is not None)
        _check_empty(written)
        member = written["properties"].pop(translation.SHARED_WITH, None)
        with errors_of_nova(OF_MANY_IMAGES):
            service, asking = host.image_service(), host.asking(context)
            created = _offloaded(service.create, data)(asking, written, data)
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
        """Change an image, or give it its data.

        :raises nova.exception.ImageNotFound: no such image for this caller.
        """
        with errors_of_nova(OF_ONE_IMAGE, image_id):
            service, asking = host.image_service(), host.asking(context)
            current: Image = {}
            if purge_props and data is None and translation.blank_kernel(image_meta):
                current = service.show(asking, str(image_id))["properties"]
            written = translation.for_update(image_meta, current)
            changed = _offloaded(service.update, data)(
                asking, str(image_id), written, data, purge_props=purge_props
            )
        return translation.to_nova(changed)

    def delete(self, context: Context, image_id: str) -> typing.Literal[True]:
        """Delete an image.

        :raises nova.exception.ImageNotFound: no such image for this caller.
        :raises nova.exception.ImageNotAuthorized: protected, or somebody else's.
        :raises nova.exception.ImageDeleteConflict: in use.
        """
        with errors_of_nova(OF_ONE_IMAGE, image_id):
            return host.image_service().delete(host.asking(context), str(image_id))

    def download(
        self,
        context: Context,
        image_id: str,
        data: typing.IO[bytes] | None = None,
        dst_path: str | None = None,
        trusted_certs: typing.Any = None,
    ) -> Iterator[bytes] | None:
        """The data of an image, its signature verified where that is asked for.

        :returns: an iterator of bytes, or None when the data was written.
        :raises nova.exception.ImageUnacceptable: the image has no data, or it came damaged.
        """
        verifier = signatures.verifier_of(
            context, lambda: self.show(context, image_id), trusted_certs
        )
        if dst_path is not None and signatures.fetched_directly(
            lambda: self.show(context, image_id, include_locations=True), dst_path, verifier
        ):
            return None
        with errors_of_nova(OF_ONE_IMAGE, image_id):
            source = host.image_service().download(host.asking(context), str(image_id))
        blocks = signatures.verified(_blocks(source, image_id), verifier)
        if data is None and dst_path is None:
            return blocks
        with source:
            if data is None:
                target.write_to_path(blocks, typing.cast(str, dst_path))
            else:
                with signatures.emptied_on_failure(data, verifier):
                    target.write_to_file(blocks, data)
        return None

    def image_import_copy(self, context: Context, image_id: str, stores: Sequence[str]) -> None:
        """Have Glance copy an image into further stores.

        :raises nova.exception.ImageImportImpossible: not active, or no such store.
        :raises nova.exception.ImageBadRequest: it is in one of them already.
        """
        with errors_of_nova(OF_A_COPY, image_id):
            host.image_service().copy_to_stores(host.asking(context), str(image_id), stores)


def _blocks(source: streams.Download, image_id: object) -> Iterator[bytes]:
    """Data on its way, with the errors that Nova expects."""
    with source, errors_of_nova(OF_ONE_IMAGE, image_id):
        yield from source


def _check_empty(written: Mapping[str, typing.Any]) -> None:
    """Refuse an empty image that claims to be of a format that cannot be empty, as Nova does."""
    if "size" in written and written.get("disk_format") not in (None, "raw"):
        raise host.nova_exceptions().ImageBadRequest(
            f"Unable to force activate with disk_format={written['disk_format']}"
        )


def _offloaded(call: Callable[..., typing.Any], data: object) -> Callable[..., typing.Any]:
    """A call that sends data, in a native thread where eventlet would be blocked by it."""
    if data is None:
        return call
    from nova import utils

    return typing.cast("Callable[..., typing.Any]", utils.tpool_wrap(call))


def _share(service: ImageService, asking: object, image_id: str, member: object) -> None:
    with delete_on_failure(image_id, lambda: service.delete(asking, image_id)):
        service.add_member(asking, image_id, typing.cast(str, member))


def _is_available(context: Context, image: Image) -> bool:
    """Whether a caller without a token, whom Glance does not know, may see an image."""
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
    """The image service and the id of an image that is named by its id or by an href.

    :raises nova.exception.InvalidImageRef: an href of no endpoint of the image service.
    """
    if "/" not in str(image_href):
        return get_default_image_service(), image_href
    with errors_of_nova(OF_ONE_IMAGE, image_href):
        image_id = host.image_service().resolve(host.asking(context), str(image_href))
    return get_default_image_service(), image_id


def get_default_image_service() -> GlanceImageServiceV2:
    """The image service."""
    return GlanceImageServiceV2()


class API:
    """What all of Nova calls; cheap to make, even before the configuration is read."""

    def _get_session_and_image_id(
        self, context: Context, id_or_uri: object
    ) -> tuple[GlanceImageServiceV2, typing.Any]:
        return get_remote_image_service(context, id_or_uri)

    def _get_session(self, _context: Context) -> GlanceImageServiceV2:
        return get_default_image_service()

    @staticmethod
    def generate_image_url(image_ref: str, context: Context) -> str:
        """The URL of an image, without a version.

        :raises keystoneauth1.exceptions.catalog.EndpointNotFound: the catalog does not say.
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
        """See :meth:`GlanceImageServiceV2.update`; properties stay unless purge_props is True."""
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
    """Have osprofiler see the calls of API, where Nova is configured to use it."""
    from nova import profiler

    profiler.trace_cls("nova_image")(API)
