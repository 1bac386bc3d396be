# SPDX-License-Identifier: Apache-2.0
"""The facade: Nova's image contract over whichever Images API a cloud offers.

The path of a call::

    service.show(context, image_id)
      routing/context       reads the context: an Identity
      routing/references    checks the id
      routing/dispatcher    repeats the call, and tries endpoint after endpoint
        discovery           chooses the API of an endpoint: once, until its facts expire
        backends/v1 or v2   makes requests of the call, and an image of each response
          transport/client  sends a request, and returns its response or raises its error
      metadata/fields       selects what the caller sees
    create, update and download pass transfers/ (whole images, or nothing) before the dispatcher

What must live here: the public methods, the check of their arguments, and what a caller is shown.
What must not: differences between v1 and v2 (``backends``), names and types of attributes
(``metadata``), endpoints and attempts (``routing``), what a failed write leaves (``transfers``).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import typing
from collections.abc import Iterator, Mapping, Sequence

from keystoneauth1 import plugin as ksa_plugin
from keystoneauth1 import session as ksa_session

from glance_compat import exceptions
from glance_compat.arguments import ServiceArguments
from glance_compat.backends import pagination
from glance_compat.bound import Bound, described_by, without_context
from glance_compat.discovery.versions import Discovery
from glance_compat.metadata import fields
from glance_compat.metadata import filters as queries
from glance_compat.metadata.converters import ConversionError, to_str
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_url
from glance_compat.routing.catalog import Catalog, check_catalog
from glance_compat.routing.context import context_first, is_plugin
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.routing.references import check_marker, check_member_id
from glance_compat.streams import streams
from glance_compat.streams.streams import Download, Progress
from glance_compat.streams.target import check_destination, write_to_file
from glance_compat.transfers import signatures
from glance_compat.transfers.download import Downloader
from glance_compat.transfers.upload import Uploader
from glance_compat.types import Image, Member


class ImageService:
    """The images of one cloud, the same over v1 and over v2.

    The constructor does no I/O. Threads may share a service. A service is also a context manager,
    which closes what the service itself opened: see :meth:`close`.

    The first argument of each method is the context of the caller. None stands for the rights of
    the service itself (``auth``, or else the plugin of the session). Any other context has a
    callable ``get_auth_plugin``, or an ``auth_token`` like Nova's RequestContext. Then only that
    token is sent, never the service's own. A context may also have ``service_catalog``, which
    names the endpoint; ``global_id``, which is sent as X-OpenStack-Request-ID; ``project_id``; and
    ``roles`` or ``is_admin``. :meth:`bound` returns the same methods without this argument.

    :param session: a keystoneauth1 session. It is never altered.
    :param auth: the auth plugin for calls with the context None. Default: the session's own.
    :param endpoint_override: the URL of the image endpoint, or a list of URLs of equivalent
        endpoints, which are tried in turn; with or without a version, with or without a path
        prefix. Default: the endpoint of the service catalog.
    :param region_name: the region to search the service catalog for, as in
        :class:`keystoneauth1.adapter.Adapter`.
    :param interface: the interface to search the service catalog for, or a list of interfaces in
        order of preference.
    :param service_type: the service type to search the service catalog for.
    :param service_name: the service name to search the service catalog for.
    :param options: the options of the library.
    :raises glance_compat.exceptions.InvalidOption: an argument is invalid.
    """

    def __init__(
        self,
        session: ksa_session.Session,
        auth: ksa_plugin.BaseAuthPlugin | None = None,
        endpoint_override: str | Sequence[str] | None = None,
        region_name: str | None = None,
        interface: str | Sequence[str] | None = None,
        service_type: str = "image",
        service_name: str | None = None,
        options: Options = Options(),  # noqa: B008 - frozen, and the contract shows it
    ) -> None:
        if not isinstance(session, ksa_session.Session):
            raise exceptions.InvalidOption(
                f"session must be a keystoneauth1 Session, not {type(session).__name__}"
            )
        if not isinstance(options, Options):
            raise exceptions.InvalidOption(
                f"options must be glance_compat.Options, not {type(options).__name__}"
            )
        if auth is not None and not is_plugin(auth):
            raise exceptions.InvalidOption(
                f"auth must be a keystoneauth1 plugin, not {type(auth).__name__}"
            )
        catalog = check_catalog(Catalog(service_type, service_name, interface, region_name))
        self._options = options
        self._dispatcher = Dispatcher(session, auth, endpoint_override, catalog, options)
        self._uploader = Uploader(self._dispatcher, options)
        self._downloader = Downloader(self._dispatcher, options)
        self._opened: ksa_session.Session | None = None
        self._shown = {
            "endpoint_override": _without_credentials(endpoint_override),
            "region_name": region_name,
            "interface": interface,
            "service_type": service_type if service_type != "image" else None,
            "service_name": service_name,
            "options": options if options != Options() else None,
        }

    @classmethod
    def from_conf(cls, conf: typing.Any, group: str = "glance_compat") -> ImageService:
        """Create a service from one group of a configuration file.

        :param conf: an ``oslo_config.cfg.ConfigOpts``. Options that are missing are registered.
        :param group: the group with keystoneauth's session, auth and catalog options, and the
            options of the library.
        :raises glance_compat.exceptions.InvalidOption: a value is invalid, or two options
            contradict each other.
        """
        # Programs without a configuration file do not need oslo.config.
        from glance_compat import conf as configuration

        arguments = configuration.read_arguments(conf, group)
        service = cls._from_arguments(arguments)
        service._opened = arguments.session
        return service

    @classmethod
    def from_client(cls, client: typing.Any) -> ImageService:
        """Take over the session, endpoint and token of a python-glanceclient client.

        :param client: a v1 or v2 client. The service uses the same version.
        :raises glance_compat.exceptions.InvalidOption: it is not such a client.
        """
        # Programs without a client do not need this module.
        from glance_compat import from_glanceclient

        return cls._from_arguments(from_glanceclient.read_arguments(client))

    @classmethod
    def _from_arguments(cls, arguments: ServiceArguments) -> ImageService:
        return cls(
            arguments.session,
            auth=arguments.auth,
            endpoint_override=arguments.endpoint_override,
            region_name=arguments.region_name,
            interface=arguments.interface,
            service_type=arguments.service_type,
            service_name=arguments.service_name,
            options=arguments.options,
        )

    def bound(self, context: object = None) -> BoundImageService:
        """Return the same methods without their first argument.

        :param context: what each of them passes on: None for the rights of the service itself, or
            the context of a caller.
        """
        return BoundImageService(self, context)

    def close(self) -> None:
        """Close the connections of a session that the service created itself.

        Only :meth:`from_conf` creates one. A session that was passed in stays open, because the
        program may use it elsewhere. A closed service opens new connections when it is called.
        """
        self._dispatcher.close()
        if self._opened is not None:
            self._opened.session.close()

    def __enter__(self) -> ImageService:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        said = (f"{name}={value!r}" for name, value in self._shown.items() if value)
        return f"{type(self).__name__}({', '.join(said)})"

    # -- images

    @context_first
    def show(
        self,
        context: object,
        image_id: str,
        include_locations: bool = False,
        show_deleted: bool = True,
    ) -> Image:
        """Return one image.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param include_locations: whether the image has the keys ``locations`` (a list) and
            ``direct_url``.
        :param show_deleted: False: raise ImageNotFound for a deleted image. Only v1 shows deleted
            images, and only to an admin.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        found = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        if found["deleted"] and not show_deleted:
            raise exceptions.ImageNotFound(f"image {image_id} is deleted", image_id=image_id)
        return self._visible(found, include_locations=include_locations)

    @context_first
    def detail(
        self,
        context: object,
        filters: Mapping[str, object] | None = None,
        marker: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        sort_key: str | Sequence[str] | None = None,
        sort_dir: str | Sequence[str] | None = None,
    ) -> list[Image]:
        """Return all images that the caller may see and that match the filters, as a list.

        :param context: whose rights count; see the class.

        The other parameters, and the errors, are those of :meth:`iter_detail`.
        """
        return list(
            self.iter_detail(context, filters, marker, limit, page_size, sort_key, sort_dir)
        )

    @context_first
    def iter_detail(
        self,
        context: object,
        filters: Mapping[str, object] | None = None,
        marker: str | None = None,
        limit: int | None = None,
        page_size: int | None = None,
        sort_key: str | Sequence[str] | None = None,
        sort_dir: str | Sequence[str] | None = None,
    ) -> Iterator[Image]:
        """Iterate over images, in constant memory unless there are several sort keys.

        The call itself fetches the first page, so errors are raised here and not by the first
        ``next()``.

        :param context: whose rights count; see the class.
        :param filters: names of :data:`glance_compat.metadata.filters.FILTERS`, or
            ``property-<name>`` for a property, and the values to match.
        :param marker: the id of the image after which to start. None: start with the first.
        :param limit: maximum number of images. 0: no images. None: all.
        :param page_size: number of images in one page. None: the option ``page_size``.
        :param sort_key: one or several of :data:`glance_compat.metadata.filters.SORT_KEYS`.
        :param sort_dir: "asc" or "desc": one for all keys, or a list with one for each key.
        :raises glance_compat.exceptions.Invalid: an argument is invalid.
        """
        identity = self._dispatcher.identity(context)
        query = queries.parse_query(filters, sort_key, sort_dir)
        asked = pagination.Listing(
            query=query,
            marker=check_marker(marker),
            limit=_check_count(limit, "limit", 0),
            page_size=_check_count(page_size, "page_size", 1)
            or _check_count(self._options.page_size, "page_size", 1),
        )
        pages = pagination.Pages(query)
        found = pagination.walk(
            asked,
            lambda after, size, left: self._dispatcher.repeat(
                identity, lambda api: pages.fetch(api, after, size, left)
            ),
        )
        first = list(itertools.islice(found, 1))
        return (self._visible(one) for one in itertools.chain(first, found))

    @context_first
    def create(
        self,
        context: object,
        image_meta: Mapping[str, object],
        data: object = None,
        *,
        progress: Progress | None = None,
    ) -> Image:
        """Create an image, with its data if there is any: the whole image, or nothing.

        :param context: whose rights count; see the class.
        :param image_meta: attribute names and values, and ``properties``. A ``size`` of 0 without
            data creates an active, empty image. With data, a ``size`` (in bytes) or a ``checksum``
            (MD5, hexadecimal) is compared with the data.
        :param data: bytes, a binary file object or an iterable of bytes. None: no data.
        :param progress: called with the number of bytes sent so far, and the total or None. An
            exception that it raises cancels the transfer. On a retry, progress restarts at 0.
        :returns: the image as the server stored it.
        :raises glance_compat.exceptions.ImageBadRequest: the metadata is invalid.
        :raises glance_compat.exceptions.PropertyNotAllowed: a property is invalid or not allowed.
        :raises glance_compat.exceptions.DataSourceError: the data cannot be read, or has another
            size.
        :raises glance_compat.exceptions.IntegrityError: the data has another checksum, or the
            server stored other bytes than were sent.
        :raises glance_compat.exceptions.OutcomeUnknown: the response was lost, and a follow-up GET
            could not establish the outcome.
        """
        identity = self._dispatcher.identity(context)
        progress = streams.check_progress(progress)
        return self._visible(self._uploader.create(identity, image_meta, data, progress))

    @context_first
    def update(
        self,
        context: object,
        image_id: str,
        image_meta: Mapping[str, object],
        data: object = None,
        purge_props: bool = True,
        *,
        progress: Progress | None = None,
    ) -> Image:
        """Change an image, or give a queued image its data.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param image_meta: attribute names and values to set, and ``properties``. Of a whole image
            dict, only what differs is changed, and read-only attributes are ignored. A
            ``location`` (a URL) makes a queued image active with the data at the URL; the call
            returns when the image is active.
        :param data: as in :meth:`create`. With data, no properties are removed.
        :param purge_props: whether to remove the properties that image_meta does not have.
        :param progress: as in :meth:`create`.
        :returns: the image as it is after the update.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotActive: data was passed, and the image is not
            queued.
        :raises glance_compat.exceptions.UpdateConflict: other writers changed the image at the
            same time.
        :raises glance_compat.exceptions.OutcomeUnknown: the server accepted the location, but did
            not finish within the option ``deadline``.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        progress = streams.check_progress(progress)
        if not isinstance(purge_props, bool):
            # The string "False" is true, and would remove properties.
            raise exceptions.Invalid(
                f"purge_props must be True or False, not {quote_value(purge_props)}"
            )
        return self._visible(
            self._uploader.update(
                identity, image_id, image_meta, data, progress, purge=purge_props
            )
        )

    @context_first
    def delete(self, context: object, image_id: str) -> typing.Literal[True]:
        """Delete an image.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image is protected, or belongs to
            another project.
        :raises glance_compat.exceptions.ImageDeleteConflict: the image is in use.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        self._dispatcher.repeat_removal(
            identity, lambda api: api.delete(image_id), exceptions.ImageNotFound
        )
        return True

    # -- data

    @typing.overload
    def download(
        self,
        context: object,
        image_id: str,
        data: None = None,
        dst_path: None = None,
        trusted_certs: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Download: ...

    @typing.overload
    def download(
        self,
        context: object,
        image_id: str,
        data: typing.IO[bytes] | None = None,
        dst_path: str | os.PathLike[str] | None = None,
        trusted_certs: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Download | None: ...

    @context_first
    def download(
        self,
        context: object,
        image_id: str,
        data: typing.IO[bytes] | None = None,
        dst_path: str | os.PathLike[str] | None = None,
        trusted_certs: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Download | None:
        """Read the data of an image, and verify it.

        The option ``verify_downloads`` says what is compared. The iterator raises IntegrityError
        before it ends if the data is damaged.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param data: a file object to write the data to, at its current position.
        :param dst_path: a path to write the data to. A new file replaces it when the data is
            complete and verified. It is opened before any request is sent.
        :param trusted_certs: ids of certificates in the key manager. The signature of the image
            must verify with a certificate that is issued by one of them. None or empty: signatures
            are not verified.
        :param progress: called with the number of bytes received so far, and the total or None. An
            exception that it raises cancels the transfer.
        :returns: an iterator of bytes with ``close()``, or None if the data was written to
            ``data`` or ``dst_path``.
        :raises glance_compat.exceptions.Invalid: an argument is invalid.
        :raises OSError: dst_path or data cannot be written.
        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.IntegrityError: the data is not what was stored, or not
            what was signed. The iterator raises it.
        :raises glance_compat.exceptions.SignatureVerificationError: the signature or its
            certificate is invalid. It is raised before any data is read.
        """
        destination = check_destination(data, dst_path)
        progress = streams.check_progress(progress)
        trusted = signatures.check_certificate_ids(trusted_certs)
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)

        def opened() -> Download:
            return self._downloader.open(identity, context, image_id, trusted, progress)

        if destination is None:
            return opened()
        source_name = f"{self._dispatcher.name} {image_id}"
        with destination.open(source_name) as file, opened() as source:
            write_to_file(source, file)
        return None

    @context_first
    def copy_to_stores(self, context: object, image_id: str, stores: Sequence[str]) -> None:
        """Have the server copy the data of an image to further stores.

        The call returns when the server has accepted the copy, not when it is complete.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param stores: a list of store names, as ``openstack image stores info`` lists them.
        :raises glance_compat.exceptions.Invalid: stores is not a list of names, or is empty.
        :raises glance_compat.exceptions.ImageImportImpossible: the image is not active, or a store
            does not exist.
        :raises glance_compat.exceptions.ImageBadRequest: one of the stores has the data already.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint does not support
            several stores.
        """
        stores = _check_store_names(stores)
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        # Not repeated: a second copy would make the first one fail.
        self._dispatcher.once(identity, lambda api: api.copy_to_stores(image_id, stores))

    # -- members

    @context_first
    def members(self, context: object, image_id: str) -> list[Member]:
        """Return the projects that an image is shared with.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :returns: a dict ``{"member_id": str, "can_share": bool, "status": str or None}`` for each
            project. Over v1, status is None; over v2, can_share is False.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        return self._dispatcher.repeat(identity, lambda api: api.members(image_id))

    @context_first
    def add_member(self, context: object, image_id: str, member_id: str) -> Member:
        """Share an image with a project; sharing it twice is not an error.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :returns: a dict as in :meth:`members`. Over v1, ``can_share`` is set to False even if it
            was True before, because v1 requires a value.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image belongs to another project,
            or its visibility does not allow members.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = check_member_id(member_id)
        return self._dispatcher.repeat(identity, lambda api: api.add_member(image_id, member_id))

    @context_first
    def update_member(self, context: object, image_id: str, member_id: str, status: str) -> Member:
        """Accept, reject or reset the sharing of an image with a project, over v2 only.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :param status: "accepted", "rejected" or "pending".
        :returns: a dict as in :meth:`members`.
        :raises glance_compat.exceptions.Invalid: the status is not one of these.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint offers only v1.
        :raises glance_compat.exceptions.MemberNotFound: the image is not shared with the project.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = check_member_id(member_id)
        if not isinstance(status, str) or status not in _MEMBER_STATUSES:
            raise exceptions.Invalid(
                f"status must be {', '.join(_MEMBER_STATUSES)}, not {quote_value(status)}"
            )
        return self._dispatcher.repeat(
            identity, lambda api: api.update_member(image_id, member_id, status)
        )

    @context_first
    def remove_member(
        self, context: object, image_id: str, member_id: str
    ) -> typing.Literal[True]:
        """Stop sharing an image with a project.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :raises glance_compat.exceptions.MemberNotFound: the image is not shared with the project.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = check_member_id(member_id)
        self._dispatcher.repeat_removal(
            identity,
            lambda api: api.remove_member(image_id, member_id),
            exceptions.MemberNotFound,
        )
        return True

    # -- references and discovery

    @context_first
    def resolve(self, context: object, reference: str) -> str:
        """Return the id that an id or an href of this image service names.

        An id is returned without a request, whether the image exists or not.

        :param context: whose rights count; see the class.
        :param reference: an id, or an href of the image service.
        :raises glance_compat.exceptions.InvalidImageRef: it is neither, or an href of another
            service.
        """
        return self._dispatcher.image_id(self._dispatcher.identity(context), reference)

    @context_first
    def discover(self, context: object = None) -> Discovery:
        """Return which API is used, and why.

        :param context: whose rights count; see the class.
        :returns: the result for the first endpoint that can be used. With several endpoints, its
            attribute ``endpoints`` has the result for each.
        :raises glance_compat.exceptions.NoUsableVersion: there is no endpoint, or no endpoint
            offers a usable API.
        :raises glance_compat.exceptions.GlanceConnectionFailed: no endpoint responds.
        """
        identity = self._dispatcher.identity(context)
        return self._dispatcher.discover(identity)

    def _visible(self, found: fields.Image, *, include_locations: bool = False) -> Image:
        image = fields.select_fields(
            found, include_locations=include_locations, extended=self._options.extended
        )
        return typing.cast(Image, image)


class BoundImageService(Bound[ImageService]):
    """An :class:`ImageService` whose methods take no context: each call passes the same one on.

    :meth:`ImageService.bound` makes it. Arguments, results and errors are those of the methods of
    the service. ``service`` and ``context`` are what it was made of.
    """

    show = without_context(ImageService.show)
    detail = without_context(ImageService.detail)
    iter_detail = without_context(ImageService.iter_detail)
    create = without_context(ImageService.create)
    update = without_context(ImageService.update)
    delete = without_context(ImageService.delete)
    copy_to_stores = without_context(ImageService.copy_to_stores)
    members = without_context(ImageService.members)
    add_member = without_context(ImageService.add_member)
    update_member = without_context(ImageService.update_member)
    remove_member = without_context(ImageService.remove_member)
    resolve = without_context(ImageService.resolve)
    discover = without_context(ImageService.discover)

    @typing.overload
    def download(
        self,
        image_id: str,
        data: None = None,
        dst_path: None = None,
        trusted_certs: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Download: ...

    @typing.overload
    def download(
        self,
        image_id: str,
        data: typing.IO[bytes] | None = None,
        dst_path: str | os.PathLike[str] | None = None,
        trusted_certs: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
    ) -> Download | None: ...

    @described_by(ImageService.download)
    def download(self, *args: typing.Any, **kwargs: typing.Any) -> Download | None:
        source: Download | None = self.service.download(self.context, *args, **kwargs)
        return source


def _without_credentials(urls: str | Sequence[str] | None) -> str | list[str] | None:
    if urls is None or isinstance(urls, str):
        return urls and redact_url(urls)
    return [redact_url(url) for url in urls]


_DIGITS = 18
_MOST: int = 10**18


def _check_count(value: object, name: str, minimum: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise exceptions.Invalid(f"{name} must be a whole number of at least {minimum}")
    # No list is longer, and servers accept numbers of this size.
    return min(value, _MOST)


def _check_store_names(stores: object) -> list[str]:
    if isinstance(stores, (list, tuple)) and stores:
        with contextlib.suppress(ConversionError):
            names = [to_str(one) for one in stores]
            if all(names):
                return names
    raise exceptions.Invalid(f"stores must be a list of store names, not {quote_value(stores)}")


#: The statuses that a member may set (Glance 15.0.2 and 33, the schema of members).
_MEMBER_STATUSES = ("accepted", "pending", "rejected")
