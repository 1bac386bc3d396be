# SPDX-License-Identifier: Apache-2.0
"""Percent-encoded text that python-glanceclient left in images, and what it must have been.

Since its Rocky release (2018) glanceclient percent-encodes every value that it sends over v1 (bugs
1766235 and 1788942, ``glanceclient/common/http.py``, ``encode_headers``; seen with 4.13), and
Glance never decodes (seen on Glance 15.0.2): ``my image`` became ``my%20image`` for everybody.

What must live here: telling such text from text that is meant to be so. What must not: images.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Iterable

#: What encode_headers leaves alone beside letters, digits and ``_.-~``: since bug 1788942 the
#: colon too.
_SAFE = ("/:", "/")

#: Text of this form may hold escapes by right.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|(?:data|mailto|urn):", re.IGNORECASE)


class Sureness(str, enum.Enum):
    """How sure it is that a text was encoded by glanceclient."""

    SURE = "sure"
    LIKELY = "likely"
    UNSURE = "unsure"


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What an encoded text must have been.

    :param text: decoded.
    :param why: the rest of a sentence that begins with the sureness.
    """

    text: str
    sureness: Sureness
    why: str


def reading(text: str, others: Iterable[str] = ()) -> Reading | None:
    """Read a name or a value.

    :param others: the other texts of the same image; one that glanceclient would have encoded,
        and that is not, was written by another client.
    :returns: None where glanceclient did not write this: decoded and encoded again it would be
        another text.
    """
    decoded = _decoded(text)
    if decoded is None or text not in _encodings(decoded):
        return None
    doubt = _doubt(decoded)
    if doubt:
        return Reading(decoded, Sureness.UNSURE, doubt)
    evidence = _evidence(decoded)
    if evidence is None:
        return Reading(decoded, Sureness.LIKELY, "nothing but signs is encoded in it")
    if any(_is_of_another_client(one) for one in others):
        return Reading(decoded, Sureness.LIKELY, "another client wrote other texts of the image")
    return Reading(decoded, Sureness.SURE, evidence)


def name_reading(name: str) -> Reading | None:
    """Read a property's name.

    Never sure: v1 stored it in lower case, with underscores for dashes, so what it was is lost.
    """
    decoded = _decoded(name)
    if decoded is None:
        return None
    stored = {one.lower().replace("-", "_") for one in _encodings(decoded)}
    if name not in stored:
        return None
    return Reading(decoded, Sureness.UNSURE, "v1 does not keep the case of a name")


def _decoded(text: str) -> str | None:
    if "%" not in text:
        return None
    try:
        decoded = urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
    return decoded if decoded != text else None


def _encodings(text: str) -> set[str]:
    """How releases of glanceclient encode a text; before Python 3.7 ``~`` was encoded too."""
    try:
        found = {urllib.parse.quote(text, safe) for safe in _SAFE}
    except UnicodeEncodeError:
        return set()
    return found | {one.replace("~", "%7E") for one in found}


def _doubt(decoded: str) -> str | None:
    """Why a decoded text may not be what was meant, or must not be written."""
    if any(unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp") for one in decoded):
        return "decoded, it holds control characters or line breaks"
    if decoded != decoded.strip():
        return "decoded, it begins or ends with white space, which v1 does not keep"
    if _ADDRESS.search(decoded):
        return "it holds an address, in which escapes may be meant"
    again = _decoded(decoded)
    if again is not None and decoded in _encodings(again):
        return "it is encoded more than once"
    if _is_mojibake(decoded):
        return "decoded, it is UTF-8 that was taken for Latin-1"
    return None


def _is_mojibake(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def _evidence(decoded: str) -> str | None:
    if not decoded.isascii():
        return "it is text beyond ASCII, encoded as UTF-8"
    if " " in decoded:
        return "it is text with blanks"
    try:
        structured = isinstance(json.loads(decoded), (dict, list))
    except (ValueError, RecursionError):
        structured = False
    return "it is JSON" if structured else None


def _is_of_another_client(text: str) -> bool:
    """Whether a text holds what glanceclient would have encoded."""
    return bool(re.search(r"[^A-Za-z0-9_.~/:%-]", text))
