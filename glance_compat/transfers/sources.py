# SPDX-License-Identifier: Apache-2.0
"""URLs from which a server reads the data of a new image.

What must live here: the checks of such a URL that do not depend on the API. What must not:
requests to the URL; the server alone sends them.
"""

from __future__ import annotations

import re
import urllib.parse

from glance_compat import exceptions
from glance_compat.redaction import quote_value

_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s][!-~\u00a1-\U0010ffff]*")


def check_source_url(url: object, name: str) -> str:
    """Return a URL, or raise Invalid if it has no scheme, or cannot be parsed.

    :param name: the name of the argument, for the message.
    :raises glance_compat.exceptions.Invalid: it is not such a URL.
    """
    if isinstance(url, str) and _WITH_SCHEME.fullmatch(url):
        try:
            urllib.parse.urlsplit(url)
        except ValueError:
            pass
        else:
            return url
    raise exceptions.Invalid(
        f"{name} must be a URL that the server can read, such as http://host/name, not"
        f" {quote_value(url)}"
    )
