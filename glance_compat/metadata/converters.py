# SPDX-License-Identifier: Apache-2.0
"""Converters: each reads one value, of a caller or of a server, and says what it must be.

What must live here: functions from one value to one value. What must not: which attribute has
which converter (``fields``).
"""

from __future__ import annotations

import datetime
import re
import typing
from collections.abc import Callable

from oslo_utils import strutils, timeutils

Converter = Callable[[object], typing.Any]


class ConversionError(Exception):
    """Raised when a value cannot be converted.

    Its message is what the value must be ("an integer"); the caller adds whose value it was.
    """


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD, so that the string can be encoded.

    Glance 15.0.2 stores half a surrogate pair and sends it to every user who may see the image.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_str(value: object) -> str:
    """Return a string that can be encoded, as exactly ``str``."""
    if not isinstance(value, str):
        raise ConversionError("a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConversionError("a string without lone surrogates") from None
    # Of a subclass (an Enum, say), json writes the content and str() the name of the member.
    return str.__str__(value)


_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]")


def find_header_obstacle(text: str) -> str | None:
    """Return why a header cannot carry a value, or None if it can."""
    if _NOT_IN_A_HEADER.search(text):
        return "it contains CR, LF or NUL"
    if text != text.strip():
        return "it begins or ends with white space"
    return None


def to_header_str(value: object) -> str:
    """Return a non-empty string that a header can carry."""
    text = to_str(value)
    obstacle = find_header_obstacle(text) if text else "it is empty"
    if obstacle:
        raise ConversionError(f"a string that a header can carry ({obstacle})")
    return text


#: Decimal digits of a number. More fit no column of Glance's database, and Python refuses to
#: convert some thousands.
_DIGITS = 20


def to_int(value: object) -> int:
    """Return an integer, passed as such or in decimal digits."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConversionError("an integer")
    if isinstance(value, str) and not re.fullmatch(rf"-?[0-9]{{1,{_DIGITS}}}", value):
        raise ConversionError("an integer")
    number = int(value)
    if abs(number) >= 10**_DIGITS:
        raise ConversionError(f"an integer of at most {_DIGITS} digits")
    return number


def to_natural(value: object) -> int:
    """Return an integer of at least 0."""
    number = to_int(value)
    if number < 0:
        raise ConversionError("an integer of at least 0")
    return number


def to_bool(value: object) -> bool:
    """Return True or False, as oslo.utils reads it."""
    if isinstance(value, bool):
        return value
    try:
        return bool(strutils.bool_from_string(to_str(value), strict=True))
    except (ConversionError, ValueError):
        raise ConversionError("true or false") from None


def to_datetime(value: object) -> datetime.datetime:
    """Return a time in UTC, in whole seconds."""
    # v1 has microseconds and no zone, v2 has whole seconds and Z; both are UTC (verified on
    # Glance 15.0.2). The contract has whole seconds, the most that both can express.
    try:
        when = timeutils.parse_isotime(to_str(value))
        return when.astimezone(datetime.timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise ConversionError("an ISO 8601 time") from None


def to_str_list(value: object) -> list[str]:
    """Return a collection of strings as a sorted list without duplicates."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConversionError("a list of strings")
    # Glance does not keep the order of tags (verified on 15.0.2 and 33): sorted, both APIs agree.
    return sorted({to_str(one) for one in value})


def to_store_names(value: object) -> list[str]:
    """Return the names of stores."""
    # Glance 33 sends the stores as one comma-separated string.
    return [one for one in to_str(value).split(",") if one]


def to_dict_list(value: object) -> list[dict[str, typing.Any]]:
    """Return a list of objects."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConversionError("a list of objects")
    return list(value)


def to_visibility(value: object) -> str:
    """Return one of Glance's visibilities (Glance 15.0.2 and 33, the schema of v2)."""
    text = to_str(value)
    if text not in {"public", "private", "shared", "community"}:
        raise ConversionError("public, private, shared or community")
    return text


def visibility_to_is_public(value: object) -> bool:
    """Return ``is_public`` for a visibility of v2."""
    return to_str(value) == "public"


def is_public_to_visibility(value: object) -> str | None:
    """Return the visibility for ``is_public`` of v1, which only says that an image is public."""
    return "public" if to_bool(value) else None
