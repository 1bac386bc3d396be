# SPDX-License-Identifier: Apache-2.0
"""Check the ids of images and members, and hrefs of images.

What must live here: the checks that an id is safe as a path segment of a URL, and that an href
belongs to this image service. What must not: finding endpoints (see ``catalog``).
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


#: Maximum length of a percent-encoded id in a path, in bytes. Front ends accept request lines of
#: about 4000 bytes by default (gunicorn 4094, uWSGI 4096 with all headers); ids that Glance
#: generates have 36.
_SEGMENT_BYTES = 1024


# User information is not matched, because it could make another host look like the endpoint.
_HREF = re.compile(
    r"(?P<base>(?i:https?)://[^/@\\]+(?:/.+?)??)(?:/v[0-9]+(?:\.[0-9]+)?)?/images/(?P<id>[^/]+)"
)


def check_path_segment(value: object, what: str) -> str:
    """Return the id, or raise an exception if it is not safe as a path segment of a URL.

    :param what: a noun phrase for the message, such as "an image id".
    :raises glance_compat.exceptions.InvalidImageRef: the value is not a string, is empty or too
        long, or has a character that is not allowed.
    """
    if not isinstance(value, str) or value in ("", ".", "..") or _UNSAFE.search(value):
        raise _invalid_segment(value, what)
    try:
        quoted = urllib.parse.quote(value, safe="")
    except UnicodeEncodeError:
        raise _invalid_segment(value, what) from None
    if len(quoted) > _SEGMENT_BYTES:
        raise exceptions.InvalidImageRef(
            f"{quote_value(value)} is not {what}: it is longer than {_SEGMENT_BYTES} bytes; pass"
            " the id as Glance shows it"
        )
    # A plain str, because a str Enum is sent as its value, but formatted as its name.
    return str.__str__(value)


def _invalid_segment(value: object, what: str) -> exceptions.InvalidImageRef:
    return exceptions.InvalidImageRef(
        f"{quote_value(value)} is not {what}; pass a string that is one segment of a path, not"
        " empty and without control characters"
    )


def check_member_id(value: object) -> str:
    """Return the id of a member, or raise an exception if it is invalid.

    :raises glance_compat.exceptions.InvalidImageRef: the value cannot be the id of a project.
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
    """Return the marker of a list, which is an image id, or None if the marker is None or "".

    :raises glance_compat.exceptions.Invalid: the value cannot be the id of an image.
    """
    if value is None or value == "":
        return None
    marker = check_path_segment(value, "a marker")
    # Rejected here, because v2 of Glance 15.0.2 responds with 500; v1 and Glance 33 with 400.
    if not marker.isascii():
        raise exceptions.Invalid(
            f"marker {quote_value(marker)} is not an image id: pass the id of the last image that"
            " was listed"
        )
    return marker


def parse_image_id(reference: object, known_endpoints: Callable[[], Iterable[str]]) -> str:
    """Return the image id in an image reference: an id, or an href of this image service.

    :param known_endpoints: a function that returns the URLs of the image service. It is called
        only for an href.
    :raises glance_compat.exceptions.InvalidImageRef: the reference is neither an id nor an href of
        this image service.
    """
    if not isinstance(reference, str) or "/" not in reference:
        return check_path_segment(reference, "an image id")
    found = _HREF.fullmatch(reference)
    if found is None or not is_http(reference):
        raise exceptions.InvalidImageRef(
            f"{quote_value(redact_url(reference))} is not an image id or an image href; pass an"
            " id, or the URL of an image without user information, query or fragment, such as"
            " http://glance.example:9292/v2/images/<id>"
        )
    base = unversioned(found["base"])
    if not any(_is_same_endpoint(base, unversioned(one)) for one in known_endpoints()):
        raise exceptions.InvalidImageRef(
            f"{quote_value(reference)} is not an image of this image service: the URL is not below"
            " any of the service's endpoints; if the service has another endpoint, add it to the"
            " option trusted_endpoints"
        )
    return check_path_segment(urllib.parse.unquote(found["id"]), "an image id")


def _is_same_endpoint(left: str, right: str) -> bool:
    paths = [urllib.parse.urlsplit(one).path.rstrip("/") for one in (left, right)]
    return origin(left) == origin(right) and paths[0] == paths[1]
