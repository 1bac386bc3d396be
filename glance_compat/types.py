# SPDX-License-Identifier: Apache-2.0
"""The dicts that :class:`glance_compat.ImageService` returns, for type checkers and readers.

What must live here: one TypedDict for each dict of the contract, with the unit and the meaning of
each key. What must not: code, and how an API spells a key (``metadata.fields``). The unit tests
compare the keys with the tables.
"""

from __future__ import annotations

import datetime
import typing


class _Locations(typing.TypedDict, total=False):
    """Keys that are there with ``include_locations=True`` only.

    locations
        Where the data is: dicts with ``url`` and ``metadata``. Empty over v1, and where the server
        does not show locations.
    direct_url
        The URL of the data in its store; None over v1, and where the server does not show it.
    """

    locations: list[dict[str, typing.Any]]
    direct_url: str | None


class Image(_Locations):
    """An image: these keys and no others, over v1 and over v2.

    id
        The id; any string, most often a UUID.
    name
        The name, or None. Names are not unique.
    status
        ``queued`` (waits for data), ``saving``, ``uploading``, ``importing``, ``active`` (has
        data), ``deactivated`` (only admins may read the data), ``killed`` (v1: the upload failed),
        ``deleted`` or ``pending_delete``.
    size
        Size of the data in bytes; 0 when unknown.
    checksum
        MD5 of the data in hexadecimal, or None.
    container_format, disk_format
        Names such as ``bare`` and ``qcow2``, or None as long as they are not set.
    min_disk
        The smallest disk that can boot the image, in GiB.
    min_ram
        The smallest memory that can boot the image, in MiB.
    owner
        The id of the project that owns the image, or None.
    is_public
        Whether every project sees the image.
    created_at, updated_at, deleted_at
        UTC, aware, in whole seconds; None where the server has none.
    deleted
        Whether the image is deleted. Only v1 shows deleted images, and only to admins.
    properties
        Additional properties: strings by name. ``block_device_mapping`` and ``mappings`` are
        decoded when they are JSON.
    locations, direct_url
        With ``include_locations=True`` only. locations: dicts with ``url`` and ``metadata``; empty
        over v1, and where the server does not show locations. direct_url: the URL of the data in
        its store, or None.
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
    """An image as a service with ``Options(extended=True)`` returns it.

    Methods are annotated with :class:`Image`, because the type does not depend on an option; use
    ``typing.cast(ExtendedImage, image)``. A key is None where the API or its version does not have
    the attribute.

    visibility
        ``public``, ``private``, ``shared`` or ``community``; over v1 ``public`` or None.
    protected
        Whether the image cannot be deleted.
    tags
        Tags; None over v1.
    virtual_size
        Size of the disk that the data holds, in bytes, or None.
    os_hidden
        Whether lists leave the image out; None before v2.7.
    os_hash_algo, os_hash_value
        The name of a hash algorithm (``sha512``), and the hash of the data in hexadecimal; None
        before v2.7.
    stores
        Names of the stores that have the data; None before v2.8.
    shadowed_properties
        Over v1, properties that v2 cannot show because it has an attribute of that name; None over
        v2.
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


class Member(typing.TypedDict):
    """A project that an image is shared with.

    member_id
        The id of the project; at most 255 ASCII characters.
    can_share
        Whether the project may share the image further. v1 only; False over v2.
    status
        ``pending``, ``accepted`` or ``rejected``: the project's answer to the share. v2 only; None
        over v1.
    """

    member_id: str
    can_share: bool
    status: str | None
