# SPDX-License-Identifier: Apache-2.0
"""Converters: functions that check and convert one value from a caller or a server.

What must live here: functions that take one value and return one value. What must not: the
assignment of converters to attributes (see ``fields``).
"""

from __future__ import annotations

import datetime
import re
import typing
from collections.abc import Callable

Converter = Callable[[object], typing.Any]


class ConversionError(Exception):
    """Raised if a value cannot be converted.

    Its message is a noun phrase for a valid value, such as "an integer". The code that catches it
    adds the name of the attribute.
    """


def replace_surrogates(text: str) -> str:
    """Return a string with lone surrogates replaced by U+FFFD, so that it can be encoded.

    Glance 15.0.2 stores lone surrogates, and sends them to every user who may see the image.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_str(value: object) -> str:
    """Return a string as a plain ``str``; reject lone surrogates, which cannot be encoded.

    :raises ConversionError: the value is not a string, or has a lone surrogate.
    """
    if not isinstance(value, str):
        raise ConversionError("a string")
    if type(value) is str and value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConversionError("a string without lone surrogates") from None
    # A plain str, because of a str Enum json.dumps writes the value, but str() returns the name.
    return str.__str__(value)


_NOT_IN_A_HEADER = re.compile(r"[\r\n\0]")


def find_header_obstacle(text: str) -> str | None:
    """Return the reason why a string is invalid as a header value, or None if it is valid."""
    if _NOT_IN_A_HEADER.search(text):
        return "it contains CR, LF or NUL"
    if text != text.strip():
        return "it begins or ends with white space"
    return None


def to_header_str(value: object) -> str:
    """Return a string; reject one that is empty or not valid as a header value."""
    text = to_str(value)
    obstacle = find_header_obstacle(text) if text else "it is empty"
    if obstacle:
        raise ConversionError(f"a string that a header can carry ({obstacle})")
    return text


#: Maximum number of decimal digits. Longer numbers fit no column of Glance's database, and Python
#: does not convert a string of several thousand digits.
_DIGITS = 20
_TOO_LARGE = 10**_DIGITS


def to_int(value: object) -> int:
    """Return an integer from an integer or a string of decimal digits."""
    if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE:
        return value
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConversionError("an integer")
    if isinstance(value, str) and not re.fullmatch(rf"-?[0-9]{{1,{_DIGITS}}}", value):
        raise ConversionError("an integer")
    number = int(value)
    if abs(number) >= _TOO_LARGE:
        raise ConversionError(f"an integer of at most {_DIGITS} digits")
    return number


def to_natural(value: object) -> int:
    """Convert a value like :func:`to_int`; reject negative numbers."""
    number = to_int(value)
    if number < 0:
        raise ConversionError("an integer of at least 0")
    return number


#: The strings that oslo.utils accepts as a boolean, in any case and with white space around them
#: (oslo_utils.strutils.bool_from_string, whose import takes longer than that of this library).
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "true", "on", "y", "yes"), True),
    **dict.fromkeys(("0", "f", "false", "off", "n", "no"), False),
}


def to_bool(value: object) -> bool:
    """Return a boolean from a boolean or a string that oslo.utils accepts as one."""
    if isinstance(value, bool):
        return value
    try:
        return _BOOLEANS[to_str(value).strip().lower()]
    except (ConversionError, KeyError):
        raise ConversionError("true or false") from None


_from_isoformat = datetime.datetime.fromisoformat

#: The ends of most times: over v2 Glance sends whole seconds with Z, over v1 microseconds, which
#: many databases do not store, without a time zone. Both are UTC (verified on Glance 15.0.2).
_USUAL_ENDS = frozenset({"Z", ".000000", ""})
_MICROSECONDS = re.compile(r"\.[0-9]{6}")


def to_datetime(value: object) -> datetime.datetime:
    """Return a timezone-aware datetime in UTC, in whole seconds, from an ISO 8601 string."""
    # Whole seconds are the precision that both APIs have. Python 3.14 also reads the hour 24.
    if (
        type(value) is str
        and len(value) > 18
        and value[4:17:3] == "--T::"
        and ((end := value[19:]) in _USUAL_ENDS or _MICROSECONDS.fullmatch(end))
        and (value[11] != "2" or value[12] < "4")
    ):
        try:
            return _from_isoformat(value[:19] + "+00:00")
        except ValueError:
            return _parse_time(value)
    return _parse_time(to_str(value))


def _parse_time(text: str) -> datetime.datetime:
    """Parse a time in any form of ISO 8601."""
    # Imported here, because servers do not send such forms, and the import takes long.
    from oslo_utils import timeutils

    try:
        when = timeutils.parse_isotime(text)
        return when.astimezone(datetime.timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise ConversionError("an ISO 8601 time") from None


def to_str_list(value: object) -> list[str]:
    """Return a collection of strings as a sorted list without duplicates."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConversionError("a list of strings")
    # Sorted, because Glance does not keep the order of tags (verified on 15.0.2 and 33).
    return sorted({to_str(one) for one in value})


def to_store_names(value: object) -> list[str]:
    """Split a comma-separated string into a list of store names."""
    # Glance 33 sends the stores in this form.
    return [one for one in to_str(value).split(",") if one]


def to_dict_list(value: object) -> list[dict[str, typing.Any]]:
    """Return a copy of a list of dicts; reject any other value."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConversionError("a list of objects")
    return list(value)


def to_visibility(value: object) -> str:
    """Return a visibility; reject one that Glance does not have (v2 schemas of 15.0.2 and 33)."""
    text = to_str(value)
    if text not in {"public", "private", "shared", "community"}:
        raise ConversionError("public, private, shared or community")
    return text


#: The statuses that an image can have (the schema of v2 in Glance 15.0.2 and 33).
STATUSES = (
    "queued",
    "saving",
    "uploading",
    "importing",
    "active",
    "deactivated",
    "killed",
    "pending_delete",
    "deleted",
)


def to_status(value: object) -> str:
    """Return a status; reject one that an image cannot have."""
    text = to_str(value)
    if text not in STATUSES:
        raise ConversionError(f"one of {', '.join(STATUSES)}")
    return text


def visibility_to_is_public(value: object) -> bool:
    """Return the value of ``is_public`` for a visibility from v2."""
    return to_str(value) == "public"


def is_public_to_visibility(value: object) -> str | None:
    """Return "public" for a true ``is_public`` from v1, otherwise None: v1 has no other."""
    return "public" if to_bool(value) else None
