# SPDX-License-Identifier: Apache-2.0
"""Kinds of values: how one is read, whoever sent it. Each says what it should have been."""

from __future__ import annotations

import datetime
import re
import typing
from collections.abc import Callable

from oslo_utils import strutils, timeutils

Converter = Callable[[object], typing.Any]


class ConversionError(Exception):
    """A value that its kind cannot be; the caller says whose value it was."""


def replace_surrogates(text: str) -> str:
    """Text of a server as text that can be written anywhere.

    Half a surrogate pair becomes U+FFFD. Glance 15.0.2 stores it and sends it to everybody who
    may see the image.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def to_str(value: object) -> str:
    """Text that can be written anywhere, exactly a str."""
    if not isinstance(value, str):
        raise ConversionError("text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConversionError("text without lone surrogates") from None
    # Exactly a str: json writes what a subclass (an Enum, say) holds, str() what it is called.
    return str.__str__(value)


#: Decimal digits of a number. More fit no column of Glance's, and Python refuses to make text of
#: some thousands.
_DIGITS = 20


def to_int(value: object) -> int:
    """A whole number, in decimal digits at the most."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ConversionError("a whole number")
    if isinstance(value, str) and not re.fullmatch(rf"-?[0-9]{{1,{_DIGITS}}}", value):
        raise ConversionError("a whole number")
    number = int(value)
    if abs(number) >= 10**_DIGITS:
        raise ConversionError(f"a whole number of {_DIGITS} digits at most")
    return number


def to_bool(value: object) -> bool:
    """True or False, as oslo.utils reads it."""
    if isinstance(value, bool):
        return value
    try:
        return bool(strutils.bool_from_string(to_str(value), strict=True))
    except (ConversionError, ValueError):
        raise ConversionError("true or false") from None


def to_datetime(value: object) -> datetime.datetime:
    """A time in UTC, with whole seconds."""
    # v1 has microseconds and no zone, v2 has whole seconds and Z; both are UTC (seen on
    # Glance 15.0.2). The contract has whole seconds, the most that both can say.
    try:
        when = timeutils.parse_isotime(to_str(value))
        return when.astimezone(datetime.timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise ConversionError("an ISO 8601 time") from None


def to_str_list(value: object) -> list[str]:
    """A set of text, as a sorted list."""
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConversionError("a list of text")
    # The order of tags is not kept by Glance (seen on 15.0.2 and 33): sorted, both APIs agree.
    return sorted({to_str(one) for one in value})


def to_store_names(value: object) -> list[str]:
    """Names of stores."""
    # Glance 33 sends the stores as one comma-separated string.
    return [one for one in to_str(value).split(",") if one]


def to_dict_list(value: object) -> list[dict[str, typing.Any]]:
    """A list of objects."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ConversionError("a list of objects")
    return list(value)


def to_visibility(value: object) -> str:
    """One of Glance's visibilities (Glance 15.0.2 and 33, the schema of v2)."""
    text = to_str(value)
    if text not in {"public", "private", "shared", "community"}:
        raise ConversionError("public, private, shared or community")
    return text


def visibility_to_is_public(value: object) -> bool:
    """What ``is_public`` is on v2."""
    return to_str(value) == "public"


def is_public_to_visibility(value: object) -> str | None:
    """What ``is_public`` of v1 says of the visibility: only that it is public."""
    return "public" if to_bool(value) else None
