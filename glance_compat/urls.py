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


def shown(url: str) -> str:
    """A URL, or what claims to be one, fit for messages: no credentials, no query."""
    return re.sub(r"//[^/]*@", "//", re.sub(r"[?#].*", "", url, flags=re.DOTALL))
