# SPDX-License-Identifier: Apache-2.0
"""Check the ids of images and members, and hrefs of images.

What must live here: whether an id is one safe path segment, and whether an href belongs to this
image service. What must not: where endpoints come from (``catalog``).
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterable

from glance_compat import exceptions
from glance_compat.metadata.fields import ATTRIBUTE_CHARACTERS
from glance_compat.redaction import quote_value, redact_url
from glance_compat.urls import is_http, origin, unversioned

_UNSAFE = re.compile(r"[/?#\\\x00-\x1f\x7f]")


#: Maximum length of a quoted id in a path, in bytes. Front ends accept request lines of about 4000
#: bytes by default (gunicorn 4094, uWSGI 4096 with all headers); Glance's own ids have 36.
_SEGMENT_BYTES = 1024


# No user information: it could make a foreign host look like the endpoint.
_HREF = re.compile(
    r"(?P<base>(?i:https?)://[^/@\\]+(?:/.+?)??)(?:/v[0-9]+(?:\.[0-9]+)?)?/images/(?P<id>[^/]+)"
)


def check_path_segment(value: object, what: str) -> str:
    """Return an id that is one safe path segment.

    :param what: what the id should be, for the message ("an image id").
    :raises glance_compat.exceptions.InvalidImageRef: it is not one.
    """
    if not isinstance(value, str) or value in ("", ".", "..") or _UNSAFE.search(value):
        raise exceptions.InvalidImageRef(f"{quote_value(value)} is not {what}")
    try:
        quoted = urllib.parse.quote(value, safe="")
    except UnicodeEncodeError:
        raise exceptions.InvalidImageRef(f"{quote_value(value)} is not {what}") from None
    if len(quoted) > _SEGMENT_BYTES:
        raise exceptions.InvalidImageRef(
            f"{quote_value(value)} is not {what}: it is longer than {_SEGMENT_BYTES} bytes"
        )
    # A plain str: a str Enum is sent as its value, but formatted as its name.
    return str.__str__(value)


def check_member_id(value: object) -> str:
    """Return the id of a project that an image is shared with.

    :raises glance_compat.exceptions.InvalidImageRef: it is invalid.
    """
    member_id = check_path_segment(value, "a member id")
    # For an id that is not ASCII, v1 responds with 500, and Glance 33 adds the member and cannot
    # remove it (verified on Glance 15.0.2 and 33). Keystone's ids are ASCII (keystone 30,
    # parameter_types).
    if len(member_id) > ATTRIBUTE_CHARACTERS or not member_id.isascii():
        raise exceptions.InvalidImageRef(
            f"{quote_value(member_id)} is not a member id: pass the id of a project, at most"
            f" {ATTRIBUTE_CHARACTERS} ASCII characters"
        )
    return member_id


def check_marker(value: object) -> str | None:
    """Return the id of the image after which a list starts, or None for None and "".

    :raises glance_compat.exceptions.Invalid: no image can have this id.
    """
    if value is None or value == "":
        return None
    marker = check_path_segment(value, "a marker")
    # 400 on v1 and on Glance 33, but 500 on v2 of Glance 15.0.2.
    if not marker.isascii():
        raise exceptions.Invalid(
            f"marker {quote_value(marker)} is not an image id: pass the id of the last image that"
            " was listed"
        )
    return marker


def parse_image_id(reference: object, known_endpoints: Callable[[], Iterable[str]]) -> str:
    """Return the id of an image from its id, or from an href of the image service itself.

    :param known_endpoints: returns the endpoints of the image service; called only for an href.
    :raises glance_compat.exceptions.InvalidImageRef: the reference is neither.
    """
    if not isinstance(reference, str) or "/" not in reference:
        return check_path_segment(reference, "an image id")
    found = _HREF.fullmatch(reference)
    if found is None or not is_http(reference):
        raise exceptions.InvalidImageRef(
            f"{quote_value(redact_url(reference))} is not an image id or an image href"
        )
    base = unversioned(found["base"])
    if not any(_is_same_endpoint(base, unversioned(one)) for one in known_endpoints()):
        raise exceptions.InvalidImageRef(
            f"{quote_value(reference)} is not an image of this image service: it is below none of"
            " its endpoints; if it should be, add its endpoint to the option trusted_endpoints"
        )
    return check_path_segment(urllib.parse.unquote(found["id"]), "an image id")


def _is_same_endpoint(left: str, right: str) -> bool:
    paths = [urllib.parse.urlsplit(one).path.rstrip("/") for one in (left, right)]
    return origin(left) == origin(right) and paths[0] == paths[1]
