# SPDX-License-Identifier: Apache-2.0
"""The options of the library, as one immutable dataclass.

What must live here: the names, defaults, units and checks of the options. What must not: any use
of oslo.config (see ``conf``, which registers the same options for a configuration file).
"""

from __future__ import annotations

import dataclasses
import re
import sys
import typing

from glance_compat import exceptions
from glance_compat.redaction import quote_value, redact_url
from glance_compat.urls import file_path_of, rbd_names_of

ApiVersion = typing.Literal["auto", "1", "2"]
Prefer = typing.Literal["1", "2"]
Verify = typing.Literal["auto", "strong", "off"]
Folding = typing.Literal["fold", "refuse"]
PropertyDefinitions = typing.Literal["off", "warn", "refuse"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """The options of an :class:`~glance_compat.ImageService`.

    :raises glance_compat.exceptions.InvalidOption: a value has the wrong type or is out of range.
    """

    #: The version of the Images API to use. "auto": use a version that the endpoint offers. "1" or
    #: "2": use that version without a discovery request.
    api_version: ApiVersion = "auto"
    #: The version of the Images API to use when an endpoint offers both.
    prefer: Prefer = "2"
    #: Whether to use API versions with the status EXPERIMENTAL.
    allow_experimental: bool = False
    #: How long to cache the API versions that an endpoint offers, in seconds.
    discovery_ttl: float = 300.0
    #: How long to cache a failed discovery of an endpoint's API versions, in seconds.
    discovery_failure_ttl: float = 5.0
    #: Number of images per page of a list. None: the largest page that the server allows.
    page_size: int | None = None
    #: Maximum number of attempts for a request that may be repeated, including the first one.
    max_attempts: int = 4
    #: Maximum delay between two attempts, in seconds.
    backoff_max: float = 20.0
    #: Time limit for connecting to a server, in seconds. If the keystoneauth session has a
    #: timeout, the session's timeout is used instead.
    connect_timeout: float = 10.0
    #: Time limit for waiting for a response, in seconds. If the keystoneauth session has a
    #: timeout, the session's timeout is used instead.
    read_timeout: float = 60.0
    #: Time limit for waiting for the next byte of image data, in seconds.
    stall_timeout: float = 60.0
    #: How long to wait, in seconds, while the server is still storing the data of an upload whose
    #: response was lost. The image is fetched again with pauses of 1 to 15 s. 0: it is fetched
    #: once. This time does not count towards the deadline.
    settle_timeout: float = 600.0
    #: Time limit for a metadata call including its retries, in seconds. Transfers of image data
    #: have no such limit.
    deadline: float = 180.0
    #: Maximum size of a metadata response, in bytes after decompression.
    max_response_bytes: int = 64 * 1024 * 1024
    #: Whether image dicts include attributes that only newer APIs have (visibility, tags,
    #: os_hash_value and others).
    extended: bool = False
    #: How to verify downloaded data. "auto": compare the size, and the MD5 checksum that the
    #: server sends with the data. "strong": compare the size, and os_hash_value if the image has
    #: one; this takes one more request. "off": compare the size only.
    verify_downloads: Verify = "auto"
    #: Whether to compare the size and checksum of uploaded data with those that the server
    #: stored. If not, the data is hashed only if the caller declares a checksum; otherwise, after
    #: a lost response, only the size shows whether the server stored all data.
    verify_uploads: bool = True
    #: Whether to GET the image after a v2 update, and to repeat the update if another client has
    #: overwritten it.
    verify_updates: bool = False
    #: Whether to reject downloaded data whose format is not the image's disk_format. Only images
    #: with the container_format bare are inspected, as on Glance 33.
    check_format: bool = False
    #: Permissions of a file that a download to a path creates or replaces, such as 0o600. None:
    #: those of the file that is replaced, else 0666 less the umask.
    download_mode: int | None = None
    #: Number of connections over which a download to a path over v2 fetches the data, from 1 to 8.
    #: Each of them fetches ranges of 8 MiB, and takes as much memory. The data is verified as a
    #: whole.
    download_connections: int = 1
    #: What to do with property names that v1 would change: v1 converts names to lower case, and
    #: dashes to underscores. "fold": store the changed name, and log it once. "refuse": raise
    #: PropertyNotAllowed.
    v1_folding: Folding = "fold"
    #: Whether show() over v1 also reads the image from the list of images, which is JSON and loses
    #: no metadata. Takes one more request per call of show().
    v1_exact_show: bool = False
    #: Whether to reuse a connection after a v1 response with image headers. On Glance 15.0.2 a
    #: tenant can store metadata that a client on this connection would read as the response to its
    #: next request, so leave this off unless every tenant is trusted.
    v1_keep_connections: bool = False
    #: Whether to reject, over v2 as well, property names and values that v1 cannot transport.
    portable: bool = False
    #: Name of the property that marks a hidden image on servers without os_hidden (v1, and v2
    #: before v2.7). None: such servers hide no image. With a name, hide() and unhide() write the
    #: property on every server, and lists leave out the images that have it with the value "true".
    hidden_property: str | None = None
    #: Name of the property with which supersede() links an image to its successor.
    successor_property: str = "superseded_by"
    #: What create() and update() do with a property that is not what the metadata definitions of
    #: images allow. "off": nothing is checked. "warn": log a warning. "refuse": raise
    #: PropertyInvalid. Needs the extra ``definitions``.
    property_definitions: PropertyDefinitions = "off"
    #: Path of a JSON file with metadata definitions, or of a folder of such files, as Glance ships
    #: them. None: the definitions of the cloud.
    definitions_file: str | None = None
    #: More URLs of the same image service. Image hrefs that start with one of them are accepted.
    trusted_endpoints: tuple[str, ...] = ()
    #: Image locations that the library may read directly, without the Images API: a directory
    #: (``file:///var/lib/glance/images``), a Ceph cluster and pool (``rbd://<fsid>/images``), or
    #: the URL scheme of another installed location handler.
    allowed_location_schemes: tuple[str, ...] = ()
    #: Absolute path of the Ceph configuration file that is used to read rbd locations.
    ceph_conf: str = "/etc/ceph/ceph.conf"
    #: Name of the Ceph user, without the prefix "client.". "": the default of librados, which is
    #: admin.
    ceph_user: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _CHECKS[field.name](field.name, getattr(self, field.name))

    def __repr__(self) -> str:
        """Show the options that differ from their defaults, with credentials removed from URLs."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        said = (
            f"{field.name}={_shown(field.name, value)}"
            for field, value in values
            if value != field.default
        )
        return f"{type(self).__name__}({', '.join(said)})"


def _shown(name: str, value: object) -> str:
    if isinstance(value, tuple):
        return repr(tuple(map(redact_url, value)))
    return f"{value:#o}" if name == "download_mode" else repr(value)


def _refuse(name: str, value: object, wanted: str) -> typing.NoReturn:
    raise exceptions.InvalidOption(f"option {name} must be {wanted}, not {quote_value(value)}")


def _check_one_of(*choices: str) -> typing.Callable[[str, object], None]:
    def check(name: str, value: object) -> None:
        if value not in choices:
            _refuse(name, value, "one of " + ", ".join(choices))

    return check


def _check_boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        _refuse(name, value, "True or False")


def _check_number(name: str, value: object, minimum: float, strictly: bool) -> None:
    wanted = f"a finite number {'above' if strictly else 'of at least'} {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(name, value, wanted)
    # Python cannot convert an integer above sys.float_info.max to a float.
    if not minimum <= value <= sys.float_info.max or (strictly and value == minimum):
        _refuse(name, value, wanted)


def _check_seconds(name: str, value: object) -> None:
    _check_number(name, value, 0, strictly=True)


def _check_seconds_or_zero(name: str, value: object) -> None:
    _check_number(name, value, 0, strictly=False)


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse(name, value, "a whole number of at least 1")


def _check_count_or_none(name: str, value: object) -> None:
    if value is not None:
        _check_count(name, value)


def _check_connections(name: str, value: object) -> None:
    # requests keeps at most ten connections to a host.
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and 1 <= typing.cast(int, value) <= 8):
        _refuse(name, value, "a whole number from 1 to 8")


def _check_mode_or_none(name: str, value: object) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 0 <= typing.cast(int, value) <= 0o777):
        _refuse(name, value, "the permissions of a file, from 0 to 0o777, such as 0o600")


#: A name that v1 does not change: it converts names to lower case, and dashes to underscores.
_PROPERTY = re.compile(r"[a-z][a-z0-9_]{0,99}")


def _check_property(name: str, value: object) -> None:
    if not isinstance(value, str) or _PROPERTY.fullmatch(value) is None:
        _refuse(name, value, "a property name of lower-case letters, digits and underscores")


def _check_property_or_none(name: str, value: object) -> None:
    if value is not None:
        _check_property(name, value)


def _check_strings(name: str, value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(one, str) and one for one in value):
        _refuse(name, value, "a tuple of non-empty strings")


def _check_absolute_path(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        _refuse(name, value, "an absolute path")


def _check_path_or_none(name: str, value: object) -> None:
    if value is not None and not (isinstance(value, str) and value and value.isprintable()):
        _refuse(name, value, "the path of a file or folder, or None")


def _check_ceph_user(name: str, value: object) -> None:
    # With an invalid name, librados finds no key, and reports only "not found".
    valid = isinstance(value, str) and value.isprintable() and not value.startswith("client.")
    if not valid:
        _refuse(name, value, "the name of a Ceph user without client., such as glance, or empty")


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_FSID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _is_folder(entry: str) -> bool:
    return file_path_of(entry.rstrip("/")) is not None


def _is_scheme_or_pool(entry: str) -> bool:
    names = rbd_names_of(entry)
    if names is None:
        return _SCHEME.fullmatch(entry) is not None
    return len(names) == 2 and _FSID.fullmatch(names[0]) is not None


def _check_locations(name: str, value: object) -> None:
    _check_strings(name, value)
    for entry in typing.cast(tuple[str, ...], value):
        if entry == "file" or entry.startswith("file:"):
            if not _is_folder(entry):
                _refuse(
                    name,
                    entry,
                    "the URL of the folder that files may be read from, such as"
                    " file:///var/lib/glance/images (without a host, percent signs, . and ..)",
                )
        elif not _is_scheme_or_pool(entry):
            _refuse(
                name,
                entry,
                "a scheme in lower case, such as swift; the URL of a folder; or the fsid and the"
                " pool of a Ceph cluster, such as rbd://01234567-89ab-cdef-0123-456789abcdef/images",
            )


_CHECKS: dict[str, typing.Callable[[str, object], None]] = {
    "api_version": _check_one_of("auto", "1", "2"),
    "prefer": _check_one_of("1", "2"),
    "allow_experimental": _check_boolean,
    "discovery_ttl": _check_seconds_or_zero,
    "discovery_failure_ttl": _check_seconds_or_zero,
    "page_size": _check_count_or_none,
    "max_attempts": _check_count,
    "backoff_max": _check_seconds_or_zero,
    "connect_timeout": _check_seconds,
    "read_timeout": _check_seconds,
    "stall_timeout": _check_seconds,
    "settle_timeout": _check_seconds_or_zero,
    "deadline": _check_seconds,
    "max_response_bytes": _check_count,
    "extended": _check_boolean,
    "verify_downloads": _check_one_of("auto", "strong", "off"),
    "verify_uploads": _check_boolean,
    "verify_updates": _check_boolean,
    "check_format": _check_boolean,
    "download_mode": _check_mode_or_none,
    "download_connections": _check_connections,
    "v1_folding": _check_one_of("fold", "refuse"),
    "v1_exact_show": _check_boolean,
    "v1_keep_connections": _check_boolean,
    "portable": _check_boolean,
    "hidden_property": _check_property_or_none,
    "successor_property": _check_property,
    "property_definitions": _check_one_of("off", "warn", "refuse"),
    "definitions_file": _check_path_or_none,
    "trusted_endpoints": _check_strings,
    "allowed_location_schemes": _check_locations,
    "ceph_conf": _check_absolute_path,
    "ceph_user": _check_ceph_user,
}
