# SPDX-License-Identifier: Apache-2.0
"""Parse and compare URLs: pure, and the one place that decides where a token may be sent."""

from __future__ import annotations

import re
import urllib.parse

import urllib3.exceptions
import urllib3.util

# Printable ASCII but the backslash, which browsers and some parsers treat as a slash.
_PLAIN = re.compile(r"[!-\[\]-~]+")


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL; two URLs with one origin may share a token.

    They are those that urllib3 connects to. A URL that cannot be parsed, or that urllib.parse and
    urllib3 read differently, has its own origin, which equals that of no other URL.
    """
    unreadable = "", url, None
    if not _PLAIN.fullmatch(url):
        return unreadable
    try:
        parts, connected = urllib.parse.urlsplit(url), urllib3.util.parse_url(url)
        host, port = parts.hostname or "", parts.port
    except (ValueError, urllib3.exceptions.LocationParseError):
        return unreadable
    if (parts.scheme, host, port) != (
        connected.scheme,
        (connected.host or "").strip("[]"),
        connected.port,
    ):
        return unreadable
    return (
        parts.scheme,
        host,
        {"http": 80, "https": 443}.get(parts.scheme) if port is None else port,
    )


def without_user_information(url: str) -> str:
    """Return a URL that :func:`is_http` accepts without the name and the password in it."""
    return re.sub(r"//[^/]*@", "//", url, count=1)


def redirect_target(url: str, location: str) -> str | None:
    """Resolve a Location header against the URL of the request.

    :returns: None unless the target is another URL of the same origin, without user information.
    """
    try:
        target = urllib.parse.urljoin(url, location)
        sent, parts = urllib.parse.urlsplit(location), urllib.parse.urlsplit(target)
    except ValueError:
        return None
    # Browsers read a host out of the path of "http:///host".
    is_odd = "@" in parts.netloc or bool(sent.scheme and not sent.netloc)
    followed = target != url and not is_odd and origin(target) == origin(url)
    return target if followed else None


def keeps_credentials_safe(url: str, location: str) -> bool:
    """Return whether a redirect stays on the host of a URL, and does not give up https."""
    try:
        target = urllib.parse.urljoin(url, location)
    except ValueError:
        return False
    (old_scheme, old_host, _), (scheme, host, _) = origin(url), origin(target)
    return bool(host) and host == old_host and scheme in (old_scheme, "https")


def scheme_of(url: str) -> str:
    """Return the text before the first colon in lower case: the scheme, if there is one."""
    return url.partition(":")[0].lower()


# Glance reads the path of a file URL literally (glance_store, filesystem driver); other programs
# would decode it. No URL that Glance writes has a character that could be read in two ways.
_FILE = re.compile(r"file://(?:localhost)?((?:/[^/%?#\x00-\x1f\x7f]+)+)", re.IGNORECASE)


def file_path_of(url: str) -> str | None:
    """Return the path of a file URL on this host.

    :returns: None if the URL has another form, or contains ``//``, ``.`` or ``..``, or a character
        that could be read in more than one way.
    """
    found = _FILE.fullmatch(url)
    if found is None or {".", ".."} & {*found[1].split("/")}:
        return None
    return found[1]


# glance_store percent-encodes each name, except letters, digits and these signs (rbd driver). No
# URL that it writes contains anything else.
_NAME = r"(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+"
_RBD = re.compile(rf"rbd://({_NAME}(?:/{_NAME})*)")


def rbd_names_of(url: str) -> tuple[str, ...] | None:
    """Return the names of a URL of Ceph's block devices: fsid, pool, image and snapshot, or fewer.

    :returns: the decoded names; None if the URL has another form, or a name is not printable
        UTF-8. In librbd's bindings a lone surrogate ends the process, and a NUL ends the name
        (verified on 16.2.15).
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
    """Return an endpoint without the version and the slash at its end."""
    # The slashes of the scheme do not count: a host may be called "v2".
    return re.sub(r"(?<=[^:/])/+v[0-9]+(\.[0-9]+)?/*$", "", url.rstrip("/")).rstrip("/")


def is_http(url: str) -> bool:
    """Return whether a string is an http or https URL with a host, without query and fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment) and url.isprintable() and not {*" \\"} & {*url}
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare
