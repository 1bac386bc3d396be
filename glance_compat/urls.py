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


def shown(url: str) -> str:
    """A URL, or what claims to be one, fit for messages: no credentials, no query."""
    return re.sub(r"//[^/]*@", "//", re.sub(r"[?#].*", "", url, flags=re.DOTALL))
