# SPDX-License-Identifier: Apache-2.0
"""Types of the dicts that :class:`glance_compat.ImageService` returns.

What must live here: one TypedDict for each of these dicts, with the unit and the meaning of each
key. What must not: code, and the names that v1 and v2 use for a key (see ``metadata.fields``). The
unit tests compare the keys with the tables there.
"""

from __future__ import annotations

import datetime
import typing


class _Locations(typing.TypedDict, total=False):
    """The keys that exist only with ``include_locations=True``.

    locations
        The locations of the data, as dicts with ``url`` and ``metadata``. Empty over v1, and if
        the server does not show locations.
    direct_url
        The URL of the data in its store. None over v1, and if the server does not show it.
    """

    locations: list[dict[str, typing.Any]]
    direct_url: str | None


class Image(_Locations):
    """An image, with the same keys over v1 and v2.

    id
        The id. Usually a UUID, but it may be any string.
    name
        The name, or None. Names are not unique.
    status
        ``queued`` (waits for data), ``saving``, ``uploading``, ``importing``, ``active`` (has
        data), ``deactivated`` (only admins may read the data), ``killed`` (v1: the upload failed),
        ``deleted`` or ``pending_delete``.
    size
        Size of the data in bytes; 0 if unknown.
    checksum
        MD5 of the data in hexadecimal, or None.
    container_format, disk_format
        Names such as ``bare`` and ``qcow2``, or None if they are not set.
    min_disk
        Minimum disk size to boot the image, in GiB.
    min_ram
        Minimum memory to boot the image, in MiB.
    owner
        The id of the project that owns the image, or None.
    is_public
        Whether all projects can see the image.
    created_at, updated_at, deleted_at
        Timezone-aware datetimes in UTC, in whole seconds, or None if the server has none.
    deleted
        Whether the image is deleted. Only v1 shows deleted images, and only to admins.
    properties
        Additional properties: a dict of strings by name. The values of ``block_device_mapping``
        and ``mappings`` are decoded if they are JSON.
    locations, direct_url
        Only with ``include_locations=True``. locations: the locations of the data, as dicts with
        ``url`` and ``metadata``; empty over v1, and if the server does not show locations.
        direct_url: the URL of the data in its store, or None.
    """

    id: str
    name: str | None
    status: str
    size: int
    checksum: str | None
    container_format: str | None
    disk_format: str | None
    min_disk: int
    min_ram: int
    owner: str | None
    is_public: bool
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None
    deleted_at: datetime.datetime | None
    deleted: bool
    properties: dict[str, typing.Any]


class ExtendedImage(Image):
    """An image as returned by a service with ``Options(extended=True)``.

    The methods are annotated with :class:`Image`, because a type annotation cannot depend on an
    option; use ``typing.cast(ExtendedImage, image)``. The value of a key is None if the API
    version in use does not have the attribute.

    visibility
        ``public``, ``private``, ``shared`` or ``community``; over v1 ``public`` or None.
    protected
        Whether the image is protected from deletion.
    tags
        The tags of the image; None over v1.
    virtual_size
        Size of the virtual disk in the data, in bytes, or None.
    os_hidden
        Whether lists omit the image by default; None before v2.7.
    os_hash_algo, os_hash_value
        The name of a hash algorithm, such as ``sha512``, and the hash of the data in hexadecimal;
        None before v2.7.
    stores
        Names of the stores that have the data; None before v2.8.
    shadowed_properties
        Over v1, the properties that v2 cannot return because it has an attribute of the same name;
        None over v2.
    """

    visibility: str | None
    protected: bool | None
    tags: list[str] | None
    virtual_size: int | None
    os_hidden: bool | None
    os_hash_algo: str | None
    os_hash_value: str | None
    stores: list[str] | None
    shadowed_properties: dict[str, typing.Any] | None


class Store(typing.TypedDict):
    """A store of the image service, which holds the data of images.

    id
        The name of the store, as the operator chose it.
    description
        A description for people, or None.
    default
        Whether the store gets the data of uploads that name no store.
    read_only
        Whether no data can be uploaded to the store.
    type
        The type, such as ``file``, ``rbd`` or ``swift``; None before v2.15, and for callers who
        may not see it.
    """

    id: str
    description: str | None
    default: bool
    read_only: bool
    type: str | None


class Task(typing.TypedDict):
    """A task of the server for an image: an import, a copy, or a check of a location.

    id
        The id.
    type
        ``api_image_import`` or ``location_import``; admins can create others.
    status
        ``pending``, ``processing``, ``success`` or ``failure``.
    message
        The reason of a failure, or the progress, in the words of the server; "" if there is none.
    created_at, updated_at
        Timezone-aware datetimes in UTC, in whole seconds, or None if the server has none.
    """

    id: str
    type: str
    status: str
    message: str
    created_at: datetime.datetime | None
    updated_at: datetime.datetime | None


class Location(typing.TypedDict):
    """The place of an image's data in a store.

    url
        The URL. It may contain credentials of the store.
    metadata
        Additional information, such as the name of the store (``store``).
    """

    url: str
    metadata: dict[str, typing.Any]


class Member(typing.TypedDict):
    """A project that an image is shared with.

    member_id
        The id of the project; at most 255 ASCII characters.
    can_share
        Whether the project may share the image further. v1 only; False over v2.
    status
        ``pending``, ``accepted`` or ``rejected``, as set by the project. v2 only; None over v1.
    """

    member_id: str
    can_share: bool
    status: str | None
