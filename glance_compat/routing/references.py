# SPDX-License-Identifier: Apache-2.0
"""Ids and references of images and members.

What must live here: the check that an id is one safe path segment, and whether an href is one of
this image service. What must not: where endpoints come from (``catalog``).
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


#: Octets of an id in a path, quoted. Front ends take a request line of some 4000 unless configured
#: (gunicorn 4094, uWSGI 4096 with all headers), and an id of Glance's has 36.
_SEGMENT_OCTETS = 1024


# User information is none of an endpoint's own, whoever it is meant to deceive.
_HREF = re.compile(
    r"(?P<base>(?i:https?)://[^/@\\]+(?:/.+?)??)(?:/v[0-9]+(?:\.[0-9]+)?)?/images/(?P<id>[^/]+)"
)


def segment(value: object, what: str) -> str:
    """An id that is one safe path segment.

    :raises glance_compat.exceptions.InvalidImageRef: it is not.
    """
    if not isinstance(value, str) or value in ("", ".", "..") or _UNSAFE.search(value):
        raise exceptions.InvalidImageRef(f"{quote_value(value)} is not {what}")
    try:
        quoted = urllib.parse.quote(value, safe="")
    except UnicodeEncodeError:
        raise exceptions.InvalidImageRef(f"{quote_value(value)} is not {what}") from None
    if len(quoted) > _SEGMENT_OCTETS:
        raise exceptions.InvalidImageRef(
            f"{quote_value(value)} is not {what}: it is longer than {_SEGMENT_OCTETS} bytes"
        )
    # Exactly a str: an Enum is sent as what it holds, and shown as what it is called.
    return str.__str__(value)


def member_id_of(value: object) -> str:
    """The id of a project that an image is shared with.

    :raises glance_compat.exceptions.InvalidImageRef: it is not one.
    """
    member_id = segment(value, "a member id")
    # An id that is not ASCII: v1 answers 500, Glance 33 adds it and cannot remove it (seen on
    # Glance 15.0.2 and 33). Keystone gives no project one (keystone 30, parameter_types).
    if len(member_id) > ATTRIBUTE_CHARACTERS or not member_id.isascii():
        raise exceptions.InvalidImageRef(
            f"{quote_value(member_id)} is not a member id, which has at most"
            f" {ATTRIBUTE_CHARACTERS} characters, all of them ASCII"
        )
    return member_id


def marker_of(value: object) -> str | None:
    """The id of the image after which a list begins; None and '' are none.

    :raises glance_compat.exceptions.Invalid: no image has such an id.
    """
    if value is None or value == "":
        return None
    marker = segment(value, "a marker")
    # 400 on v1 and on Glance 33, but 500 on v2 of Glance 15.0.2.
    if not marker.isascii():
        raise exceptions.Invalid(f"marker {quote_value(marker)} is no image's id")
    return marker


def image_id_of(reference: object, ours: Callable[[], Iterable[str]]) -> str:
    """The id of an image that is named by its id or by an href of the image service itself.

    :param ours: tells the image service's endpoints; called for an href only.
    :raises glance_compat.exceptions.InvalidImageRef: neither.
    """
    if not isinstance(reference, str) or "/" not in reference:
        return segment(reference, "an image id")
    found = _HREF.fullmatch(reference)
    if found is None or not is_http(reference):
        raise exceptions.InvalidImageRef(
            f"{quote_value(redact_url(reference))} is not an image id or an image href"
        )
    base = unversioned(found["base"])
    if not any(_same_place(base, unversioned(one)) for one in ours()):
        raise exceptions.InvalidImageRef(
            f"{quote_value(reference)} is not an image of this image service: it is of none"
            " of its endpoints"
        )
    return segment(urllib.parse.unquote(found["id"]), "an image id")


def _same_place(left: str, right: str) -> bool:
    paths = [urllib.parse.urlsplit(one).path.rstrip("/") for one in (left, right)]
    return origin(left) == origin(right) and paths[0] == paths[1]
