# SPDX-License-Identifier: Apache-2.0
"""Values of options: sizes, ages, times, numbers, and KEY=VALUE.

What must live here: functions that parse one argument, and raise ValueError with a message for the
user. What must not: options and commands.
"""

from __future__ import annotations

import datetime
import fractions
import string
from collections.abc import Callable

from glance_compat.metadata.converters import ConversionError, to_datetime
from glance_compat.redaction import quote_value

#: The argument of ``--file`` that means stdin or stdout.
STANDARD = "-"


def at_least(minimum: int) -> Callable[[str], int]:
    """Return a function that parses an integer and raises ValueError below a minimum."""

    def parse(text: str) -> int:
        number = int(text) if text.isdecimal() else -1
        if number < minimum:
            raise ValueError(f"must be an integer of at least {minimum}, not {text!r}")
        return number

    return parse


#: Bytes of each unit. A bare G is not among them: some programs read it as GB, others as GiB.
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
}


def parse_size(text: str) -> int:
    """Return the number of bytes in a size such as "1000", "2GiB" or "1.5 TB".

    :raises ValueError: it is not a size.
    """
    number = text.rstrip(string.ascii_letters)
    unit = text[len(number) :].lower()
    plain = number.strip()
    if unit not in _UNITS or not plain.replace(".", "", 1).isdecimal() or not plain.isascii():
        raise ValueError(
            "must be a number of bytes, or a number with kB, MB, GB, TB, KiB, MiB, GiB or TiB, not"
            f" {quote_value(text)}"
        )
    return int(fractions.Fraction(plain.strip(".")) * _UNITS[unit])


#: Seconds of each unit of an age.
_AGES = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_duration(text: str) -> datetime.timedelta:
    """Return a duration such as "30d".

    :raises ValueError: it is not a duration, or is longer than Python can represent.
    """
    number, unit = text[:-1], text[-1:]
    if unit not in _AGES or not number.isdecimal():
        raise ValueError(
            f"must be a number with m, h, d or w, such as 30d, not {quote_value(text)}"
        )
    try:
        return datetime.timedelta(seconds=int(number) * _AGES[unit])
    except OverflowError:
        raise ValueError(f"is too long: {quote_value(text)}") from None


def parse_age(text: str) -> str:
    """Return the value of the filter ``created_at`` for images older than an age such as "30d".

    :raises ValueError: it is not an age.
    """
    try:
        when = datetime.datetime.now(datetime.timezone.utc) - parse_duration(text)
    except OverflowError:
        raise ValueError(f"is longer ago than any image: {quote_value(text)}") from None
    return f"lt:{when.isoformat()}"


def parse_before(text: str) -> str:
    """Return the value of the filter ``created_at`` for images created before a time.

    :raises ValueError: it is not a time.
    """
    return f"lt:{_time(text).isoformat()}"


def parse_after(text: str) -> str:
    """Return the value of the filter ``created_at`` for images created after a time.

    :raises ValueError: it is not a time.
    """
    return f"gt:{_time(text).isoformat()}"


def _time(text: str) -> datetime.datetime:
    try:
        return to_datetime(text)
    except ConversionError:
        raise ValueError(
            "must be a date or a time such as 2026-01-31 or 2026-01-31T12:00:00Z, not"
            f" {quote_value(text)}"
        ) from None


def parse_key_and_value(text: str) -> tuple[str, str]:
    """Return the two parts of "KEY=VALUE"; the value may be empty, and may contain "=".

    :raises ValueError: there is no key, or no "=".
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError(f"must be KEY=VALUE, not {text!r}")
    return key, value
