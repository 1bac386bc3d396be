# SPDX-License-Identifier: Apache-2.0
"""Repeat values, URLs and foreign exceptions in messages and in the log.

What must live here: one short printable line for any value, without credentials, and without
failing over it. What must not: which part of a response is shown (``transport.messages``).
"""

from __future__ import annotations

import re
import reprlib

#: Characters of a string, or of an object's repr. Ids and most hrefs are shorter.
_CHARACTERS = 80

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _CHARACTERS


def quote_value(value: object) -> str:
    """Quote a value for a message, shortened."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        # Python refuses to print an integer of more than 4,300 digits.
        return type(value).__name__


def redact_url(url: str) -> str:
    """Remove credentials and the query from a URL, or from what claims to be one."""
    return re.sub(r"//[^/]*@", "//", re.sub(r"[?#].*", "", url, flags=re.DOTALL))


def describe_error(error: BaseException) -> str:
    """Describe a foreign exception: the system's words for an OSError, otherwise its class.

    Any other text may contain a token, a password or a URL with either.
    """
    text = error.strerror if isinstance(error, OSError) else None
    if isinstance(text, str) and text and text.isprintable():
        return text
    return type(error).__name__
