# SPDX-License-Identifier: Apache-2.0
"""What a user may choose, as one frozen value; no global state, no configuration file.

What must live here: the fields, their defaults, units and checks. What must not: oslo.config
(see ``conf``, which makes the same options known to a configuration file).
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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Options:
    """The library's own choices.

    :raises glance_compat.exceptions.InvalidOption: a value is of the wrong type or range.
    """

    #: "auto": discovery chooses. "1" or "2": that Images API, without asking.
    api_version: ApiVersion = "auto"
    #: The API to use when an endpoint offers both.
    prefer: Prefer = "2"
    #: Whether a version whose status is EXPERIMENTAL may be chosen.
    allow_experimental: bool = False
    #: How long an answer about an endpoint's versions is believed, in seconds.
    discovery_ttl: float = 300.0
    #: How long a failure to learn an endpoint's versions is believed, in seconds.
    discovery_failure_ttl: float = 5.0
    #: Images in one page of a list; None: as many as the server grants.
    page_size: int | None = None
    #: Attempts for one request that may be repeated, the first one included.
    max_attempts: int = 4
    #: The longest pause between two attempts, in seconds.
    backoff_max: float = 20.0
    #: Time to connect, in seconds. A time-out of the keystoneauth session itself wins.
    connect_timeout: float = 10.0
    #: Time without an answer, in seconds. A time-out of the keystoneauth session itself wins.
    read_timeout: float = 60.0
    #: Time without a byte of image data, in seconds.
    stall_timeout: float = 60.0
    #: Time for a metadata call with all its retries, in seconds.
    deadline: float = 180.0
    #: The largest metadata answer, in bytes after decompression.
    max_response_bytes: int = 64 * 1024 * 1024
    #: Whether image dicts carry what only newer APIs know (visibility, tags, os_hash_* ...).
    extended: bool = False
    #: "auto": MD5 of the answer itself; "strong": os_hash_value where the server has one, at the
    #: price of one more request; "off": size only.
    verify_downloads: Verify = "auto"
    #: Whether size and checksum of an upload are compared with what the server stored.
    verify_uploads: bool = True
    #: Whether a v2 update is read back and repeated when another writer undid it.
    verify_updates: bool = False
    #: Whether downloaded data must be what disk_format says.
    check_format: bool = False
    #: v1 lower-cases property names and turns a dash into an underscore: "fold" lets it and logs
    #: it once for each name, "refuse" raises PropertyNotAllowed.
    v1_folding: Folding = "fold"
    #: Whether a v1 show always reads the lossless list (one more request).
    v1_exact_show: bool = False
    #: Whether what v1 cannot carry is refused on v2 as well.
    portable: bool = False
    #: Further URLs of the same image service, from which image hrefs are accepted.
    trusted_endpoints: tuple[str, ...] = ()
    #: What image locations may be read directly: a folder as a URL for files
    #: ("file:///var/lib/glance/images"), a cluster and its pool for Ceph ("rbd://<fsid>/images"),
    #: else a scheme that has a handler.
    allowed_location_schemes: tuple[str, ...] = ()
    #: The configuration file of the Ceph cluster, an absolute path.
    ceph_conf: str = "/etc/ceph/ceph.conf"
    #: The user of the Ceph cluster, without "client."; "": librados's own choice, which is admin.
    ceph_user: str = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _CHECKS[field.name](field.name, getattr(self, field.name))

    def __repr__(self) -> str:
        """Show what differs from the defaults; URLs without credentials."""
        values = ((field, getattr(self, field.name)) for field in dataclasses.fields(self))
        said = (
            f"{field.name}={_shown(value)!r}" for field, value in values if value != field.default
        )
        return f"{type(self).__name__}({', '.join(said)})"


def _shown(value: object) -> object:
    return tuple(map(redact_url, value)) if isinstance(value, tuple) else value


def _refuse(name: str, value: object, wanted: str) -> typing.NoReturn:
    raise exceptions.InvalidOption(f"option {name} must be {wanted}, not {quote_value(value)}")


def _one_of(*choices: str) -> typing.Callable[[str, object], None]:
    def check(name: str, value: object) -> None:
        if value not in choices:
            _refuse(name, value, "one of " + ", ".join(choices))

    return check


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        _refuse(name, value, "True or False")


def _number(name: str, value: object, minimum: float, strictly: bool) -> None:
    wanted = f"a finite number {'above' if strictly else 'of at least'} {minimum:g}"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(name, value, wanted)
    # No float is beyond: Python cannot make one of a number of some hundred digits.
    if not minimum <= value <= sys.float_info.max or (strictly and value == minimum):
        _refuse(name, value, wanted)


def _seconds(name: str, value: object) -> None:
    _number(name, value, 0, strictly=True)


def _seconds_or_zero(name: str, value: object) -> None:
    _number(name, value, 0, strictly=False)


def _count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        _refuse(name, value, "a whole number of at least 1")


def _count_or_none(name: str, value: object) -> None:
    if value is not None:
        _count(name, value)


def _texts(name: str, value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(one, str) and one for one in value):
        _refuse(name, value, "a tuple of non-empty strings")


def _absolute_path(name: str, value: object) -> None:
    if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
        _refuse(name, value, "an absolute path")


def _ceph_user(name: str, value: object) -> None:
    # Of a name that is none librados finds no key, and says as much as "not found".
    named = isinstance(value, str) and value.isprintable() and not value.startswith("client.")
    if not named:
        _refuse(name, value, "the name of a user without client., such as glance, or empty")


_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_FSID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _is_folder(entry: str) -> bool:
    return file_path_of(entry.rstrip("/")) is not None


def _is_scheme_or_pool(entry: str) -> bool:
    names = rbd_names_of(entry)
    if names is None:
        return _SCHEME.fullmatch(entry) is not None
    return len(names) == 2 and _FSID.fullmatch(names[0]) is not None


def _locations(name: str, value: object) -> None:
    _texts(name, value)
    for entry in typing.cast(tuple[str, ...], value):
        if entry == "file" or entry.startswith("file:"):
            if not _is_folder(entry):
                _refuse(
                    name,
                    entry,
                    "the folder that files may be read from, such as"
                    " file:///var/lib/glance/images (no host, no percent sign, no . or ..)",
                )
        elif not _is_scheme_or_pool(entry):
            _refuse(
                name,
                entry,
                "a scheme in lower case, such as swift, a folder of files, or a cluster of Ceph"
                " and its pool, such as rbd://01234567-89ab-cdef-0123-456789abcdef/images",
            )


_CHECKS: dict[str, typing.Callable[[str, object], None]] = {
    "api_version": _one_of("auto", "1", "2"),
    "prefer": _one_of("1", "2"),
    "allow_experimental": _boolean,
    "discovery_ttl": _seconds_or_zero,
    "discovery_failure_ttl": _seconds_or_zero,
    "page_size": _count_or_none,
    "max_attempts": _count,
    "backoff_max": _seconds_or_zero,
    "connect_timeout": _seconds,
    "read_timeout": _seconds,
    "stall_timeout": _seconds,
    "deadline": _seconds,
    "max_response_bytes": _count,
    "extended": _boolean,
    "verify_downloads": _one_of("auto", "strong", "off"),
    "verify_uploads": _boolean,
    "verify_updates": _boolean,
    "check_format": _boolean,
    "v1_folding": _one_of("fold", "refuse"),
    "v1_exact_show": _boolean,
    "portable": _boolean,
    "trusted_endpoints": _texts,
    "allowed_location_schemes": _locations,
    "ceph_conf": _absolute_path,
    "ceph_user": _ceph_user,
}
