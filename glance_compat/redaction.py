# SPDX-License-Identifier: Apache-2.0
"""How a value that somebody gave is repeated in a message.

What must live here: making one short line of printable text of any value, without failing over it.
What must not: what of a URL may be shown (``urls``), and what a server says (``message``).
"""

from __future__ import annotations

import re
import reprlib

#: Characters of a text, or of what an object says of itself; an id and most hrefs are shorter.
_CHARACTERS = 80

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _CHARACTERS


def quote_value(value: object) -> str:
    """A value as messages repeat it, cut short."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        # Python makes no text of a number of some thousands of digits.
        return type(value).__name__


def redact_url(url: str) -> str:
    """A URL, or what claims to be one, fit for messages: no credentials, no query."""
    return re.sub(r"//[^/]*@", "//", re.sub(r"[?#].*", "", url, flags=re.DOTALL))
