# SPDX-License-Identifier: Apache-2.0
"""The public classes: one set of image methods, whether a cloud offers Images API v1, v2 or both.

The methods have the signatures and results of Nova's image API. The path of a call::

    service.show(context, image_id)
      routing/context       reads the caller's Identity from the context
      routing/references    checks the image id
      routing/dispatcher    selects the endpoint, retries, and fails over to the next endpoint
        discovery           chooses v1 or v2 for the endpoint, until the cached versions expire
        backends/v1 or v2   builds the HTTP requests, and converts the responses to image dicts
          transport/client  sends a request, and returns the response or raises an error
      metadata              removes the attributes that the caller did not ask for
    create, update and download call transfers/ first, which calls the dispatcher: a transfer
    stores or returns the whole image, or fails

What must live here: the methods for images and their data, the checks of their arguments, and the
selection of the attributes that all methods return. What must not: the methods for stores, members
and the life cycle (see ``methods``), differences between v1 and v2 (``backends``), names
and types of attributes (``metadata``), selection of endpoints and retries (``routing``), and
cleanup after a failed write (``transfers``).
"""

from __future__ import annotations

import dataclasses
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
from glance_compat.definitions.enforcement import PropertyRules
from glance_compat.discovery.versions import Discovery
from glance_compat.metadata import fields, image_records, property_names
from glance_compat.metadata import filters as queries
from glance_compat.metadata.image_records import ALL_PARTS, parts_of
from glance_compat.methods.definitions import DefinitionMethods
from glance_compat.methods.imports import ImportMethods
from glance_compat.methods.life_cycle import LifeCycleMethods
from glance_compat.methods.locations import LocationMethods
from glance_compat.methods.members import MemberMethods
from glance_compat.methods.shared import check_boolean
from glance_compat.methods.stores import StoreMethods
from glance_compat.options import Options
from glance_compat.redaction import quote_value, redact_url
from glance_compat.routing.catalog import Catalog, check_catalog
from glance_compat.routing.context import context_first, is_plugin
from glance_compat.routing.dispatcher import Dispatcher
from glance_compat.routing.references import check_marker
from glance_compat.routing.succession import Succession
from glance_compat.streams import streams
from glance_compat.streams.parts import Part
from glance_compat.streams.streams import Download, Progress
from glance_compat.streams.target import check_destination
from glance_compat.threads import are_native
from glance_compat.transfers import signatures
from glance_compat.transfers.download import Downloader
from glance_compat.transfers.importing import Importer
from glance_compat.transfers.store_copies import StoreCopier
from glance_compat.transfers.upload import Attempt, Uploader
from glance_compat.types import Image


class ImageService(
    ImportMethods,
    StoreMethods,
    LocationMethods,
    LifeCycleMethods,
    MemberMethods,
    DefinitionMethods,
):
    """A client of the image service of one cloud, with the same methods over v1 and v2.

    The constructor does no I/O. Threads may share a service. A service is also a context manager
    that calls :meth:`close` at the end.

    The first argument of each method is the request context of the caller. With None, the service
    uses its own credentials: ``auth``, or else the auth plugin of the session. Any other context
    must have a callable ``get_auth_plugin``, or an ``auth_token`` like Nova's RequestContext; then
    only the context's token is sent, never the service's own. These attributes of a context are
    used if they exist: ``service_catalog``, to find the endpoint; ``global_id``, which is sent as
    X-OpenStack-Request-ID; ``project_id``; and ``roles`` or ``is_admin``. :meth:`bound` returns
    the same methods without this argument.

    :param session: a keystoneauth1 session. The service does not modify it.
    :param auth: the auth plugin for calls with the context None. Default: the session's own.
    :param endpoint_override: the URL of the image endpoint, or a list of URLs of equivalent
        endpoints, which are tried in turn. A URL may have a version and a path prefix. Default:
        the endpoint in the service catalog.
    :param region_name: the region of the endpoint in the service catalog, as in
        :class:`keystoneauth1.adapter.Adapter`.
    :param interface: the interface of the endpoint in the service catalog, or a list of interfaces
        in order of preference.
    :param service_type: the type of the image service in the service catalog.
    :param service_name: the name of the image service in the service catalog.
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
        _check_property_options(options)
        catalog = check_catalog(Catalog(service_type, service_name, interface, region_name))
        self._arguments = ServiceArguments(
            session=session,
            auth=auth,
            endpoint_override=endpoint_override,
            region_name=region_name,
            interface=interface,
            service_type=service_type,
            service_name=service_name,
            options=options,
        )
        self._options = options
        self._dispatcher = Dispatcher(session, auth, endpoint_override, catalog, options)
        self._rules = PropertyRules(self._dispatcher, options)
        self._uploader = Uploader(self._dispatcher, options, self._rules)
        self._store_copier = StoreCopier(self._dispatcher, options)
        self._importer = Importer(self._dispatcher, self._uploader, options)
        self._downloader = Downloader(self._dispatcher, options)
        self._succession = Succession(self._dispatcher, options)
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
        """Create a service from one option group of an oslo.config configuration.

        :param conf: an ``oslo_config.cfg.ConfigOpts``. The method registers the library's options
            in it if they are not registered yet.
        :param group: the name of the option group that holds keystoneauth's session, auth and
            catalog options and the options of the library.
        :raises glance_compat.exceptions.InvalidOption: a value is invalid, or two options
            contradict each other.
        """
        # Imported here, because oslo.config need not be installed for other uses.
        from glance_compat import conf as configuration

        arguments = configuration.read_arguments(conf, group)
        service = cls._from_arguments(arguments)
        service._opened = arguments.session
        return service

    @classmethod
    def from_client(cls, client: typing.Any) -> ImageService:
        """Create a service with the session, endpoint and token of a python-glanceclient client.

        :param client: a v1 or v2 client of python-glanceclient. The service uses the same version
            of the Images API.
        :raises glance_compat.exceptions.InvalidOption: client is not such a client.
        """
        # Imported here, because most programs do not use this method.
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
        """Return an object with the same methods, which pass this context to the service.

        :param context: the caller's request context, or None for the service's own credentials.
        """
        return BoundImageService(self, context)

    def close(self) -> None:
        """Close the connections of the session, if the service created the session itself.

        Only :meth:`from_conf` creates a session. A session that was passed to the constructor
        stays open, because the program may use it elsewhere. A closed service can still be used:
        the next call opens new connections.
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

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param include_locations: whether the returned dict has the keys ``locations`` (a list) and
            ``direct_url``.
        :param show_deleted: whether to return a deleted image. If False, a deleted image raises
            ImageNotFound. Only v1 returns deleted images, and only to an admin.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        """
        identity = self._dispatcher.read_identity(context)
        image_id = self._dispatcher.parse_image_id(identity, image_id)
        found = self._dispatcher.repeat(identity, lambda api: api.show(image_id))
        if found["deleted"] and not show_deleted:
            raise exceptions.ImageNotFound(f"image {image_id} is deleted", image_id=image_id)
        return self._select_visible(found, include_locations=include_locations)

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
        """Return a list of all images that match the filters and that the caller may see.

        :param context: the caller's request context, or None for the service's own credentials.

        The other parameters, and the errors, are those of :meth:`iter_detail`.
        """
        given = (filters, marker, limit, page_size, sort_key, sort_dir)
        return list(self._images(context, *given, ahead=False))

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
        """Return an iterator over the images that match the filters and that the caller may see.

        The first page is fetched before the method returns, so most errors are raised by the call
        and not by ``next()``. From the second page on, the next page is fetched in a second thread
        while the program works on this one; ``close()``, and leaving a loop early, ends that
        thread. Memory use does not grow with the number of images, unless there are
        several sort keys, or the filter ``os_hidden=True`` with the option ``hidden_property``:
        then all images are fetched and sorted locally.

        :param context: the caller's request context, or None for the service's own credentials.
        :param filters: the values to match, by name. A name is one of
            :data:`glance_compat.metadata.filters.FILTERS`, or ``property-<name>`` for an
            additional property.
        :param marker: the id of the image after which the list starts, or None to start with the
            first image.
        :param limit: maximum number of images in total, or None for all.
        :param page_size: number of images per page, or None for the option ``page_size``.
        :param sort_key: one or several of :data:`glance_compat.metadata.filters.SORT_KEYS`.
        :param sort_dir: "asc" or "desc" for all keys, or a list with one direction for each key.
        :raises glance_compat.exceptions.Invalid: an argument is invalid.
        """
        given = (filters, marker, limit, page_size, sort_key, sort_dir)
        return self._images(context, *given, ahead=are_native())

    def _images(
        self,
        context: object,
        filters: Mapping[str, object] | None,
        marker: str | None,
        limit: int | None,
        page_size: int | None,
        sort_key: str | Sequence[str] | None,
        sort_dir: str | Sequence[str] | None,
        *,
        ahead: bool,
    ) -> Iterator[Image]:
        """Return the iterator of :meth:`iter_detail`.

        :param ahead: whether to fetch the next page before it is needed.
        """
        identity = self._dispatcher.read_identity(context)
        query = queries.parse_query(filters, sort_key, sort_dir)
        # A filter may compare an attribute that the caller does not get.
        is_whole = query.is_filtered or bool(self._options.hidden_property)
        asked = pagination.Listing(
            query=query,
            marker=check_marker(marker),
            limit=_check_count(limit, "limit", 0),
            page_size=_check_count(page_size, "page_size", 1)
            or _check_count(self._options.page_size, "page_size", 1),
            parts=ALL_PARTS if is_whole else parts_of(extended=self._options.extended),
        )
        found = pagination.iter_images(
            asked,
            lambda call: self._dispatcher.repeat(identity, call),
            self._options.hidden_property,
            (lambda call: self._dispatcher.begin(identity, call)) if ahead else None,
        )
        images = itertools.chain(list(itertools.islice(found, 1)), found)
        if is_whole:
            return (self._select_visible(one) for one in images)
        return typing.cast("Iterator[Image]", (one for one in images))

    @context_first
    def create(
        self,
        context: object,
        image_meta: Mapping[str, object],
        data: object = None,
        *,
        progress: Progress | None = None,
    ) -> Image:
        """Create an image, and upload its data if data is passed.

        If the call fails, the image that it created is deleted, except after OutcomeUnknown.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_meta: the values of the new image's attributes, by name, and a dict
            ``properties``. A ``size`` of 0 without data creates an active, empty image. With data,
            a ``size`` (in bytes) or a ``checksum`` (MD5, hexadecimal) is compared with the data.
        :param data: bytes, a binary file object, an iterable of bytes, or None for no data.
        :param progress: a function that is called with the number of bytes sent so far, and with
            the total or None. If it raises an exception, the transfer is cancelled. On a retry,
            progress restarts at 0.
        :returns: the image as the server stored it.
        :raises glance_compat.exceptions.ImageBadRequest: the metadata is invalid.
        :raises glance_compat.exceptions.PropertyNotAllowed: a property is invalid or not allowed.
        :raises glance_compat.exceptions.DataSourceError: the data cannot be read, or its size
            differs from ``size``.
        :raises glance_compat.exceptions.IntegrityError: the checksum of the data differs from
            ``checksum``, or the server stored different bytes than were sent.
        :raises glance_compat.exceptions.OutcomeUnknown: the response was lost, and a follow-up GET
            could not establish the outcome, or the server is still storing the data after the
            option ``settle_timeout``. The image is kept.
        """
        identity = self._dispatcher.read_identity(context)
        progress = streams.check_progress(progress)
        attempt = Attempt()
        try:
            return self._select_visible(
                self._uploader.create(identity, image_meta, data, progress, attempt)
            )
        except BaseException as error:
            if not isinstance(error, Exception):
                self._uploader.remove_interrupted(identity, attempt)
            raise

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
        """Change the metadata of an image, and upload the data of a queued image.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param image_meta: the attributes to set, by name, and a dict ``properties``. It may be a
            whole image dict as :meth:`show` returns it: then only the values that differ are
            changed, and read-only attributes are ignored. One warning in the log names those whose
            value differs from the image's afterwards, except ``updated_at`` and, with data, the
            attributes of the data. A ``location`` (a URL) makes a queued
            image active with the data at that URL; the call returns when the image is active.
        :param data: the data to upload, as in :meth:`create`. With data, no properties are
            removed.
        :param purge_props: whether to remove the properties that are not in image_meta.
        :param progress: as in :meth:`create`.
        :returns: the image after the update.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it.
        :raises glance_compat.exceptions.ImageNotActive: data was passed, but the image is not
            queued.
        :raises glance_compat.exceptions.UpdateConflict: another client changed the image at the
            same time.
        :raises glance_compat.exceptions.OutcomeUnknown: the server accepted the location, but did
            not activate the image within the option ``deadline``; or, with data, as in
            :meth:`create`.
        """
        identity = self._dispatcher.read_identity(context)
        image_id = self._dispatcher.parse_image_id(identity, image_id)
        progress = streams.check_progress(progress)
        check_boolean(purge_props, "purge_props")
        return self._select_visible(
            self._uploader.update(
                identity, image_id, image_meta, data, progress, purge=purge_props
            )
        )

    @context_first
    def delete(
        self, context: object, image_id: str, *, missing_ok: bool = False
    ) -> typing.Literal[True]:
        """Delete an image.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param missing_ok: whether an image that does not exist counts as deleted.
        :raises glance_compat.exceptions.ImageNotFound: the image does not exist, or the caller
            may not see it, and missing_ok is False.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image is protected, or belongs to
            another project.
        :raises glance_compat.exceptions.ImageDeleteConflict: the image is in use.
        """
        check_boolean(missing_ok, "missing_ok")
        identity = self._dispatcher.read_identity(context)
        image_id = self._dispatcher.parse_image_id(identity, image_id)
        try:
            self._dispatcher.repeat_removal(
                identity, lambda api: api.delete(image_id), exceptions.ImageNotFound
            )
        except exceptions.ImageNotFound:
            if not missing_ok:
                raise
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
        resume: bool = False,
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
        resume: bool = False,
    ) -> Download | None:
        """Download the data of an image, and verify it.

        The option ``verify_downloads`` selects the size and checksums that are compared. If the
        data is damaged, the iterator raises IntegrityError instead of StopIteration.

        :param context: the caller's request context, or None for the service's own credentials.
        :param image_id: an id, or an href of the image service.
        :param data: a file object that the data is written to, at its current position.
        :param dst_path: the path of a file that the data is written to. An existing file is
            replaced only when the new one is complete and verified. The new file is opened before
            any request is sent. Damaged data is downloaded again within ``max_attempts``. Over
            v2, the option ``download_connections`` applies.
        :param trusted_certs: ids of certificates in the key manager. If there are any, the image
            must be signed, and its signing certificate must be issued by one of them. None or
            empty: signatures are not verified.
        :param progress: a function that is called with the number of bytes received so far, and
            with the total or None. If it raises an exception, the transfer is cancelled. It
            restarts at 0 if damaged data is downloaded again.
        :param resume: whether to continue a download to ``dst_path`` that an earlier call with
            this argument has not completed. Its part is kept beside the path, and the log names
            it. All data is verified after the last byte. Over v1, whose servers ignore Range, and
            if no checksum is known, the download begins anew. If another process is writing the
            part, a new one is used.
        :returns: an iterator of bytes with a method ``close()``, or None if the data was written
            to ``data`` or ``dst_path``.
        :raises glance_compat.exceptions.Invalid: an argument is invalid.
        :raises OSError: dst_path or data cannot be written.
        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.IntegrityError: the data does not match the size, the
            checksum or the signature of the image. It is raised by the iterator, if one is
            returned.
        :raises glance_compat.exceptions.SignatureVerificationError: the signature or its
            certificate is invalid. It is raised before any data is read.
        """
        destination = check_destination(
            data,
            dst_path,
            mode=self._options.download_mode,
            resume=check_boolean(resume, "resume"),
        )
        progress = streams.check_progress(progress)
        trusted = signatures.check_certificate_ids(trusted_certs)
        identity = self._dispatcher.read_identity(context)
        image_id = self._dispatcher.parse_image_id(identity, image_id)

        def opened(part: Part | None = None) -> Download:
            return self._downloader.open(
                identity,
                context,
                image_id,
                trusted,
                progress,
                part,
                to_path=dst_path is not None,
            )

        if destination is None:
            return opened()
        source_name = f"{self._dispatcher.name} {image_id}"
        with destination.open(source_name) as file:
            self._downloader.save(identity, opened, destination, file)
        return None

    # -- references and discovery

    @context_first
    def resolve(self, context: object, reference: str) -> str:
        """Return the image id in an image reference: an id, or an href of this image service.

        No request is sent for an id, so the image need not exist.

        :param context: the caller's request context, or None for the service's own credentials.
        :param reference: an id, or an href of the image service.
        :raises glance_compat.exceptions.InvalidImageRef: the reference is neither an id nor an
            href, or is an href of another service.
        """
        return self._dispatcher.parse_image_id(self._dispatcher.read_identity(context), reference)

    @context_first
    def discover(self, context: object = None) -> Discovery:
        """Return the version of the Images API that the service uses, and the reason.

        :param context: the caller's request context, or None for the service's own credentials.
        :returns: the result for the first usable endpoint. If there are several endpoints, the
            attribute ``endpoints`` holds the result for each of them.
        :raises glance_compat.exceptions.NoUsableVersion: there is no endpoint, or no endpoint
            offers an API version that the options allow.
        :raises glance_compat.exceptions.GlanceConnectionFailed: no endpoint responds.
        """
        identity = self._dispatcher.read_identity(context)
        return self._dispatcher.discover(identity)

    def _select_visible(self, found: fields.Image, *, include_locations: bool = False) -> Image:
        parts = parts_of(include_locations=include_locations, extended=self._options.extended)
        image = image_records.select_fields(found, parts)
        name = self._options.hidden_property
        if name and "os_hidden" in image:
            image["os_hidden"] = bool(found["os_hidden"]) or queries.is_marked_hidden(found, name)
        return typing.cast(Image, image)


class BoundImageService(Bound[ImageService]):
    """The methods of an :class:`ImageService` without the argument ``context``.

    :meth:`ImageService.bound` returns it. Each method calls the method of the same name of the
    service with the same context; the other arguments, results and errors are the same. The
    attributes ``service`` and ``context`` are the ones it was created from.
    """

    show = without_context(ImageService.show)
    detail = without_context(ImageService.detail)
    iter_detail = without_context(ImageService.iter_detail)
    create = without_context(ImageService.create)
    import_image = without_context(ImageService.import_image)
    import_data = without_context(ImageService.import_data)
    update = without_context(ImageService.update)
    delete = without_context(ImageService.delete)
    tasks = without_context(ImageService.tasks)
    locations = without_context(ImageService.locations)
    add_location = without_context(ImageService.add_location)
    stores = without_context(ImageService.stores)
    delete_from_store = without_context(ImageService.delete_from_store)
    copy_to_stores = without_context(ImageService.copy_to_stores)
    deactivate = without_context(ImageService.deactivate)
    reactivate = without_context(ImageService.reactivate)
    hide = without_context(ImageService.hide)
    unhide = without_context(ImageService.unhide)
    supersede = without_context(ImageService.supersede)
    successor = without_context(ImageService.successor)
    add_tag = without_context(ImageService.add_tag)
    remove_tag = without_context(ImageService.remove_tag)
    members = without_context(ImageService.members)
    add_member = without_context(ImageService.add_member)
    update_member = without_context(ImageService.update_member)
    remove_member = without_context(ImageService.remove_member)
    property_definitions = without_context(ImageService.property_definitions)
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
        resume: bool = False,
    ) -> Download | None: ...

    @described_by(ImageService.download)
    def download(self, *args: typing.Any, **kwargs: typing.Any) -> Download | None:
        source: Download | None = self.service.download(self.context, *args, **kwargs)
        return source


def options_of(service: ImageService) -> Options:
    """Return the options of a service."""
    return service._options


def with_options(service: ImageService, **changes: typing.Any) -> ImageService:
    """Return a service for the same cloud and credentials, with some options changed.

    It uses the same session, and so the same connections.

    :param changes: the values of the options to change, by name.
    """
    options = dataclasses.replace(service._options, **changes)
    return ImageService._from_arguments(dataclasses.replace(service._arguments, options=options))


def project_of(service: ImageService, context: object) -> str | None:
    """Return the id of a caller's project, or None if the token is not for a project.

    :param context: the caller's request context, or None for the service's own credentials.
    """
    return service._dispatcher.project_id(service._dispatcher.read_identity(context))


def _without_credentials(urls: str | Sequence[str] | None) -> str | list[str] | None:
    if urls is None or isinstance(urls, str):
        return urls and redact_url(urls)
    return [redact_url(url) for url in urls]


def _check_property_options(options: Options) -> None:
    names = [options.hidden_property, options.successor_property]
    for option, name in zip(("hidden_property", "successor_property"), names, strict=True):
        if name is not None and property_names.is_reserved(name):
            raise exceptions.InvalidOption(
                f"option {option} must not be {quote_value(name)}, which is the name of an"
                " attribute or is reserved; choose another name"
            )
    if names[0] == names[1]:
        raise exceptions.InvalidOption(
            f"options hidden_property and successor_property are both {quote_value(names[0])};"
            " choose two names"
        )


_DIGITS = 18
_MOST: int = 10**18


def _check_count(value: object, name: str, minimum: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise exceptions.Invalid(
            f"{name} must be a whole number of at least {minimum}, not {quote_value(value)}"
        )
    # No list is longer than that, and servers accept a limit of this size.
    return min(value, _MOST)
