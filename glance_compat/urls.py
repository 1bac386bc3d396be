# SPDX-License-Identifier: Apache-2.0
"""Comparing and showing URLs: pure, and the one place that knows what a token may be sent to."""

from __future__ import annotations

import re
import urllib.parse


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; two URLs of one origin may share a token.

    What cannot be read has an origin of its own, that of nothing else.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return "", url, None
    if port is None:
        port = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", port


def joined(url: str, location: str) -> str:
    """A Location header, relative to the URL that was asked."""
    try:
        return urllib.parse.urljoin(url, location)
    except ValueError:
        return location


def scheme_of(url: str) -> str:
    """The scheme of a URL in lower case, or what stands in its place."""
    return url.partition(":")[0].lower()


# Glance takes the path of a file URL literally (glance_store, filesystem driver); others would
# decode it. A sign that means two things is in none that Glance writes.
_FILE = re.compile(r"file://(?:localhost)?((?:/[^/%?#\x00-\x1f\x7f]+)+)", re.IGNORECASE)


def file_path_of(url: str) -> str | None:
    """The path of a file URL on this host.

    :returns: None if it is of another form, or holds ``//``, ``.`` or ``..``, or what could be
        read in more than one way.
    """
    found = _FILE.fullmatch(url)
    if found is None or {".", ".."} & {*found[1].split("/")}:
        return None
    return found[1]


# glance_store percent-encodes each name (rbd driver, with nothing that is safe beside letters,
# digits and these signs). Anything else is in none that it writes.
_NAME = r"(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+"
_RBD = re.compile(rf"rbd://({_NAME}(?:/{_NAME})*)")


def rbd_names_of(url: str) -> tuple[str, ...] | None:
    """The names of a URL of Ceph's block devices: fsid, pool, image and snapshot, or fewer.

    :returns: each without percent signs; None if the URL is of another form, or a name is not
        printable UTF-8. Of librbd's bindings (16.2.15, seen) a lone surrogate ends the process,
        and a NUL ends the name.
    """
    found = _RBD.fullmatch(url)
    if found is None:
        return None
    try:
        names = [urllib.parse.unquote(one, errors="strict") for one in found[1].split("/")]
    except UnicodeDecodeError:
        return None
    return tuple(names) if all(map(str.isprintable, names)) else None


def unversioned(url: str) -> str:
    """An endpoint without the version at its end and without a slash there."""
    # Not the slashes of the scheme: a host may be called "v2".
    return re.sub(r"(?<=[^:/])/+v[0-9]+(\.[0-9]+)?/*$", "", url.rstrip("/")).rstrip("/")


def is_http(url: str) -> bool:
    """Whether a text is an http or https URL with a host, and without query and fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment) and url.isprintable() and " " not in url
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare
