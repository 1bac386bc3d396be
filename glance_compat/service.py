# SPDX-License-Identifier: Apache-2.0
"""The facade: Nova's image contract over whichever Images API a cloud offers.

What must live here: the public methods, the check of their arguments, and what a caller is shown.
What must not: anything that differs between v1 and v2 (``v1``, ``v2``), spellings (``image``,
``filters``), endpoints and attempts (``dispatch``), what a failed write leaves (``upload``), where
data comes from (``download``).
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
from glance_compat.routing.references import marker_of, member_id_of
from glance_compat.streams import streams
from glance_compat.streams.streams import Download, Progress
from glance_compat.streams.target import destination_of, write_to_file
from glance_compat.transfers import signatures
from glance_compat.transfers.download import Downloader
from glance_compat.transfers.upload import Uploader
from glance_compat.types import Image, Member


class ImageService:
    """Images of one cloud, the same over v1 and over v2.

    The constructor does no I/O. Threads may share a service. A service is also a context manager,
    which closes what the service itself opened: see :meth:`close`.

    The first argument of each method is the context of the caller. None stands for the rights of
    the service itself (``auth``, else the plugin of the session). Any other context has a callable
    ``get_auth_plugin``, or ``auth_token`` as Nova's RequestContext has it; then only that token is
    sent, never the service's own. A context may also have ``service_catalog``, which names the
    endpoint; ``global_id``, which is sent as X-OpenStack-Request-ID; ``project_id``; and ``roles``
    or ``is_admin``. :meth:`bound` returns the same methods without this argument.

    :param session: used as it is, never altered.
    :param auth: for calls whose context brings no token; default: the session's own.
    :param endpoint_override: one URL, or a list of URLs that are equals and are tried in turn;
        versioned or not, with or without a path prefix; default: the catalog's.
    :param region_name: for the catalog look-up, as in :class:`keystoneauth1.adapter.Adapter`.
    :param interface: one name, or several of which the first that is there counts.
    :param service_type: as the catalog has it.
    :param service_name: as the catalog has it.
    :param options: the library's own choices.
    :raises glance_compat.exceptions.InvalidOption: an argument that cannot be.
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
        """A service as a configuration file describes it.

        :param conf: an ``oslo_config.cfg.ConfigOpts``; options that are missing are registered.
        :param group: with keystoneauth's session, auth and catalog options, and the library's.
        :raises glance_compat.exceptions.InvalidOption: a value that cannot be, or two that
            contradict each other.
        """
        # oslo.config is for those who have a configuration file.
        from glance_compat import conf as configuration

        arguments = configuration.read_arguments(conf, group)
        service = cls._from_arguments(arguments)
        service._opened = arguments.session
        return service

    @classmethod
    def from_client(cls, client: typing.Any) -> ImageService:
        """Take over the session, endpoint and token of a python-glanceclient client.

        :param client: a v1 or v2 client, which pins that version.
        :raises glance_compat.exceptions.InvalidOption: it is not such a client.
        """
        # glanceclient is not needed for anything else.
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
        """Close the connections of a session that the service made itself.

        Only :meth:`from_conf` makes one. A session that was passed in stays open, because others
        may use it. A closed service opens new connections when it is called again.
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
        """One image.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param include_locations: with ``locations`` (a list) and ``direct_url``.
        :param show_deleted: False: a deleted image, which only v1 shows to an admin, is not found.
        :raises glance_compat.exceptions.ImageNotFound: no such image for this caller.
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
        """Return all images that the caller may see and that fit, as a list.

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
        """Images one after the other, in constant memory unless there are several sort keys.

        The first page is asked for in the call itself.

        :param context: whose rights count; see the class.
        :param filters: see :data:`glance_compat.metadata.filters.FILTERS`; ``property-<name>`` for
            properties.
        :param marker: the id of the image after which to begin.
        :param limit: images in all; 0 gives none.
        :param page_size: images in a page; default: the option's.
        :param sort_key: one or several of :data:`glance_compat.metadata.filters.SORT_KEYS`.
        :param sort_dir: "asc" or "desc", one for all or one for each key.
        :raises glance_compat.exceptions.Invalid: something of this cannot be.
        """
        identity = self._dispatcher.identity(context)
        query = queries.parse_query(filters, sort_key, sort_dir)
        asked = pagination.Listing(
            query=query,
            marker=marker_of(marker),
            limit=_count(limit, "limit", 0),
            page_size=_count(page_size, "page_size", 1)
            or _count(self._options.page_size, "page_size", 1),
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
        """A new image, with its data if there is any; all of it or none.

        :param context: whose rights count; see the class.
        :param image_meta: see the reference. ``size`` 0 without data makes an active, empty image;
            with data, ``size`` (bytes) and ``checksum`` (MD5) are what the data must turn out to
            be.
        :param data: bytes, a binary file object or an iterable of bytes.
        :param progress: called with bytes done and bytes in all, or None; what it raises cancels.
            Data that has to be sent again is told from 0 on again.
        :raises glance_compat.exceptions.ImageBadRequest: the metadata is refused.
        :raises glance_compat.exceptions.PropertyNotAllowed: a property is refused.
        :raises glance_compat.exceptions.IntegrityError: other bytes were stored than were sent.
        :raises glance_compat.exceptions.OutcomeUnknown: the answer was lost, and so was the look.
        """
        identity = self._dispatcher.identity(context)
        progress = streams.checked_progress(progress)
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
        :param image_meta: what to change; a whole image dict changes what differs. Read-only
            attributes are ignored. ``location`` makes a queued image active with the data that is
            at a URL; the call ends when it is.
        :param data: as in :meth:`create`. With data nothing is purged.
        :param purge_props: remove the properties that image_meta does not have.
        :param progress: as in :meth:`create`.
        :raises glance_compat.exceptions.ImageNotFound: no such image for this caller.
        :raises glance_compat.exceptions.ImageNotActive: data for an image that takes none.
        :raises glance_compat.exceptions.UpdateConflict: other writers came between.
        :raises glance_compat.exceptions.OutcomeUnknown: the server took a location, and was not
            done with it within the option ``deadline``.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        progress = streams.checked_progress(progress)
        if not isinstance(purge_props, bool):
            # What is taken for true removes properties, and so would the text "False".
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
        :raises glance_compat.exceptions.ImageNotFound: no such image for this caller.
        :raises glance_compat.exceptions.ImageNotAuthorized: protected, or somebody else's.
        :raises glance_compat.exceptions.ImageDeleteConflict: in use.
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
        """The data of an image, verified.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param data: a file object to write bytes to, where it stands.
        :param dst_path: a path to put the data at; it never holds a part of an image. It is opened
            before anything is asked for.
        :param trusted_certs: ids of certificates in the key manager: the signature of the image
            is verified with a certificate that comes from one of them. None or none: it is not
            looked at.
        :param progress: as in :meth:`create`.
        :returns: an iterator of bytes with ``close()``, or None when the data was written.
        :raises glance_compat.exceptions.Invalid: an argument that cannot be.
        :raises OSError: dst_path or data cannot be written.
        :raises glance_compat.exceptions.ImageNotActive: the image has no data.
        :raises glance_compat.exceptions.IntegrityError: the data is not what was stored, or not
            what was signed; out of the iterator in place of its end.
        :raises glance_compat.exceptions.SignatureVerificationError: the signature or its
            certificate is refused before any data is read.
        """
        destination = destination_of(data, dst_path)
        progress = streams.checked_progress(progress)
        trusted = signatures.certificate_ids(trusted_certs)
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)

        def opened() -> Download:
            return self._downloader.open(identity, context, image_id, trusted, progress)

        if destination is None:
            return opened()
        with destination as file, opened() as source:
            write_to_file(source, file)
        return None

    @context_first
    def copy_to_stores(self, context: object, image_id: str, stores: Sequence[str]) -> None:
        """Have the server copy an image's data into further stores; it goes on after the call.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param stores: a list of names of stores, as ``openstack image stores info`` has them.
        :raises glance_compat.exceptions.Invalid: something else, or no name.
        :raises glance_compat.exceptions.ImageImportImpossible: the image is not active, or there
            is no such store.
        :raises glance_compat.exceptions.ImageBadRequest: the data is in one of them already.
        :raises glance_compat.exceptions.UnsupportedByVersion: the endpoint has no stores.
        """
        stores = _names_of_stores(stores)
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        # Not repeated: of two copies that begin, the second would fail the first.
        self._dispatcher.once(identity, lambda api: api.copy_to_stores(image_id, stores))

    # -- members

    @context_first
    def members(self, context: object, image_id: str) -> list[Member]:
        """The projects that an image is shared with.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :returns: ``{"member_id": text, "can_share": bool, "status": text or None}`` for each;
            status is None where v1 answers, and can_share False where v2 does.
        :raises glance_compat.exceptions.ImageNotFound: no such image for this caller.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        return self._dispatcher.repeat(identity, lambda api: api.members(image_id))

    @context_first
    def add_member(self, context: object, image_id: str, member_id: str) -> Member:
        """Share an image with a project; to do so twice is no error.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :returns: as one of :meth:`members`. Over v1 a member that was allowed to share the image
            further no longer is: there ``can_share`` has to be said.
        :raises glance_compat.exceptions.ImageNotAuthorized: the image is not the caller's, or its
            visibility does not permit members.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = member_id_of(member_id)
        return self._dispatcher.repeat(identity, lambda api: api.add_member(image_id, member_id))

    @context_first
    def update_member(self, context: object, image_id: str, member_id: str, status: str) -> Member:
        """Accept, reject or reset a share; v2 only.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :param status: "accepted", "rejected" or "pending".
        :raises glance_compat.exceptions.Invalid: another status.
        :raises glance_compat.exceptions.UnsupportedByVersion: v1 answers.
        :raises glance_compat.exceptions.MemberNotFound: the image has no such member.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = member_id_of(member_id)
        if not isinstance(status, str) or status not in _ANSWERS:
            raise exceptions.Invalid(
                f"status must be {', '.join(_ANSWERS)}, not {quote_value(status)}"
            )
        return self._dispatcher.repeat(
            identity, lambda api: api.update_member(image_id, member_id, status)
        )

    @context_first
    def remove_member(
        self, context: object, image_id: str, member_id: str
    ) -> typing.Literal[True]:
        """End a share.

        :param context: whose rights count; see the class.
        :param image_id: an id, or an href of the image service.
        :param member_id: the id of a project; at most 255 ASCII characters.
        :raises glance_compat.exceptions.MemberNotFound: the image has no such member.
        """
        identity = self._dispatcher.identity(context)
        image_id = self._dispatcher.image_id(identity, image_id)
        member_id = member_id_of(member_id)
        self._dispatcher.repeat_removal(
            identity,
            lambda api: api.remove_member(image_id, member_id),
            exceptions.MemberNotFound,
        )
        return True

    # -- references and discovery

    @context_first
    def resolve(self, context: object, reference: str) -> str:
        """The id that an id or an href of this image service names; no request for an id.

        :param context: whose rights count; see the class.
        :param reference: an id, or an href of the image service.
        :raises glance_compat.exceptions.InvalidImageRef: neither, or an href of another service.
        """
        return self._dispatcher.image_id(self._dispatcher.identity(context), reference)

    @context_first
    def discover(self, context: object = None) -> Discovery:
        """Which API is spoken, and why; with several endpoints, of the first that can be used.

        :param context: whose rights count; see the class.
        :raises glance_compat.exceptions.NoUsableVersion: there is none, or no endpoint.
        :raises glance_compat.exceptions.GlanceConnectionFailed: no endpoint answers.
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


def _count(value: object, name: str, minimum: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) <= _DIGITS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise exceptions.Invalid(f"{name} must be a whole number of at least {minimum}")
    # More images than there can be, in a number that can be written down.
    return min(value, _MOST)


def _names_of_stores(stores: object) -> list[str]:
    if isinstance(stores, (list, tuple)) and stores:
        with contextlib.suppress(ConversionError):
            names = [to_str(one) for one in stores]
            if all(names):
                return names
    raise exceptions.Invalid(
        f"stores must be a list of names of stores, not {quote_value(stores)}"
    )


#: What a member may say of a share (Glance 15.0.2 and 33, the schema of members).
_ANSWERS = ("accepted", "pending", "rejected")
