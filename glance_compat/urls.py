# SPDX-License-Identifier: Apache-2.0
"""Parse and compare URLs, without I/O. Decides to which URLs a token may be sent."""

from __future__ import annotations

import re
import urllib.parse

import urllib3.exceptions
import urllib3.util

# Printable ASCII except the backslash, which browsers and some parsers treat as a slash.
_PLAIN = re.compile(r"[!-\[\]-~]+")


def origin(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of a URL. URLs of the same origin may share a token.

    The host and port are those that urllib3 connects to. If a URL cannot be parsed, or if
    urllib.parse and urllib3 parse it differently, its origin differs from that of every other URL.
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
    """Return a URL without the user name and password in it.

    :param url: a URL that :func:`is_http` accepts.
    """
    return re.sub(r"//[^/]*@", "//", url, count=1)


def redirect_target(url: str, location: str) -> str | None:
    """Return the URL that a redirect leads to, or None if it must not be followed.

    A redirect is followed only to a different URL of the same origin, without user information.

    :param url: the URL of the request.
    :param location: the Location header of the response.
    """
    try:
        target = urllib.parse.urljoin(url, location)
        sent, parts = urllib.parse.urlsplit(location), urllib.parse.urlsplit(target)
    except ValueError:
        return None
    # In "http:///host", browsers take the host from the path.
    is_odd = "@" in parts.netloc or bool(sent.scheme and not sent.netloc)
    followed = target != url and not is_odd and origin(target) == origin(url)
    return target if followed else None


def keeps_credentials_safe(url: str, location: str) -> bool:
    """Return whether a redirect keeps the host of the request, and does not leave https.

    :param url: the URL of the request.
    :param location: the Location header of the response.
    """
    try:
        target = urllib.parse.urljoin(url, location)
    except ValueError:
        return False
    (old_scheme, old_host, _), (scheme, host, _) = origin(url), origin(target)
    return bool(host) and host == old_host and scheme in (old_scheme, "https")


def scheme_of(url: str) -> str:
    """Return the part of a URL before the first colon, which is the scheme, in lower case."""
    return url.partition(":")[0].lower()


# Glance does not decode percent-encoding in the path of a file URL (glance_store, filesystem
# driver), but other programs do. No URL that Glance creates has such ambiguous characters.
_FILE = re.compile(r"file://(?:localhost)?((?:/[^/%?#\x00-\x1f\x7f]+)+)", re.IGNORECASE)


def file_path_of(url: str) -> str | None:
    """Return the path in a file URL of this host, or None if the URL is not a safe file URL.

    The result is None if the URL is not a file URL, if it names another host, and if its path
    contains ``//``, ``.``, ``..`` or a character that programs interpret differently.
    """
    found = _FILE.fullmatch(url)
    if found is None or {".", ".."} & {*found[1].split("/")}:
        return None
    return found[1]


# glance_store percent-encodes every character of a name except letters, digits and these (rbd
# driver), so its URLs contain nothing else.
_NAME = r"(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+"
_RBD = re.compile(rf"rbd://({_NAME}(?:/{_NAME})*)")


def rbd_names_of(url: str) -> tuple[str, ...] | None:
    """Return the decoded names in an rbd URL: fsid, pool, image and snapshot.

    The last names may be missing: a URL of a pool has two names.

    :returns: the names, or None if the URL is not an rbd URL or a name is not printable UTF-8. In
        librbd's bindings a lone surrogate aborts the process, and a NUL truncates the name
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


# A slash after the scheme does not match, because a host may be named "v2". Some catalogs have a
# project's id behind the version, as Cinder and Swift have: digits, or a UUID with or without
# dashes. Glance has no such path.
_VERSION = re.compile(
    r"(?<=[^:/])/+(?P<version>v[0-9]+(\.[0-9]+)?)"
    r"(/+([0-9]+|[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}))?/*$"
)
_INNER_VERSION = re.compile(r"(?<=[^:/])/+v[12](\.[0-9]+)?/")


def unversioned(url: str) -> str:
    """Return the URL of an endpoint without its trailing version, project id and slashes."""
    return _VERSION.sub("", url.rstrip("/")).rstrip("/")


def version_in(url: str) -> str | None:
    """Return the version at the end of the path of an endpoint's URL, such as "v2", or None."""
    found = _VERSION.search(url)
    return found["version"] if found else None


def url_before_version(url: str) -> str | None:
    """Return the part of a URL before a version in the middle of its path, or None."""
    found = _INNER_VERSION.search(url)
    return url[: found.start()] if found else None


def https_endpoint(endpoint: str, url: str, location: str) -> str | None:
    """Return the https URL of an endpoint if a redirect leads from http to https, else None.

    :param endpoint: the URL of the endpoint.
    :param url: the URL of the request.
    :param location: the Location header of the response, on the same host.
    """
    try:
        target = urllib.parse.urljoin(url, location)
    except ValueError:
        return None
    (old_scheme, old_host, _), (scheme, host, port) = origin(url), origin(target)
    if (old_scheme, scheme) != ("http", "https") or not host or host != old_host:
        return None
    name = f"[{host}]" if ":" in host else host
    authority = name if port in (None, 443) else f"{name}:{port}"
    return f"https://{authority}{urllib.parse.urlsplit(endpoint).path}"


def is_http(url: str) -> bool:
    """Return whether a string is an http or https URL with a host and no query or fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    bare = not (parts.query or parts.fragment) and url.isprintable() and not {*" \\"} & {*url}
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare
