# SPDX-License-Identifier: Apache-2.0
"""Recognise and decode strings that python-glanceclient percent-encoded.

Since its Rocky release (2018) glanceclient percent-encodes every value that it sends over v1 (bugs
1766235 and 1788942, ``glanceclient/common/http.py``, ``encode_headers``; verified with 4.13).
Glance never decodes the value (verified on Glance 15.0.2), so every user sees ``my%20image``
instead of ``my image``.

What must live here: code that distinguishes such a string from one that is percent-encoded on
purpose. What must not: code that reads or writes images.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import unicodedata
import urllib.parse

#: Characters that encode_headers does not encode, besides letters, digits and ``_.-~``: ``/``, and
#: since bug 1788942 also the colon.
_SAFE = ("/:", "/")

#: Matches a URL, which may be percent-encoded on purpose. The length of the scheme is bounded,
#: because otherwise a long string of letters would take quadratic time.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://|(?:data|mailto|urn):", re.IGNORECASE)

#: Matches a character that glanceclient encodes, so that it never sends it.
_RAW = re.compile(r"[^A-Za-z0-9_.~/:%-]")


class Confidence(str, enum.Enum):
    """How certain it is that glanceclient encoded a string."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclasses.dataclass(frozen=True, slots=True)
class Decoding:
    """The probable original of an encoded string.

    :param text: the decoded string.
    :param confidence: how certain the decoding is.
    :param why: the reason for the confidence, for display.
    """

    text: str
    confidence: Confidence
    why: str


def decode_text(text: str, *, has_other_client: bool = False) -> Decoding | None:
    """Decode an image's name or the value of a property.

    :param has_other_client: whether another client wrote at least one other string of the same
        image; see :func:`is_of_other_client`.
    :returns: the decoding; None if glanceclient cannot have written the string, because decoding
        and encoding it again gives a different string.
    """
    decoded = _decode(text)
    if decoded is None or text not in _encode_all(decoded):
        return None
    doubt = _describe_doubt(decoded)
    if doubt:
        return Decoding(decoded, Confidence.LOW, doubt)
    evidence = _describe_evidence(decoded)
    if evidence is None:
        return Decoding(decoded, Confidence.MEDIUM, "only punctuation is encoded")
    if has_other_client:
        why = "another client wrote other strings of the image"
        return Decoding(decoded, Confidence.MEDIUM, why)
    return Decoding(decoded, Confidence.HIGH, evidence)


def decode_property_name(name: str) -> Decoding | None:
    """Decode a property's name.

    The confidence is always low, because v1 converts names to lower case and dashes to
    underscores, so that the original cannot be restored.
    """
    decoded = _decode(name)
    if decoded is None:
        return None
    stored = {one.lower().replace("-", "_") for one in _encode_all(decoded)}
    if name not in stored:
        return None
    return Decoding(decoded, Confidence.LOW, "v1 does not keep the case of a name")


def _decode(text: str) -> str | None:
    if "%" not in text:
        return None
    try:
        decoded = urllib.parse.unquote(text, errors="strict")
    except UnicodeDecodeError:
        return None
    return decoded if decoded != text else None


def _encode_all(text: str) -> set[str]:
    """Return the string as encoded by each release of glanceclient.

    Before Python 3.7, ``~`` was encoded too.
    """
    try:
        found = {urllib.parse.quote(text, safe) for safe in _SAFE}
    except UnicodeEncodeError:
        return set()
    return found | {one.replace("~", "%7E") for one in found}


def _describe_doubt(decoded: str) -> str | None:
    """Return why a decoded string may not be the original or must not be written, or None."""
    if any(unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp") for one in decoded):
        return "the decoded string contains control characters or line breaks"
    if decoded != decoded.strip():
        return "the decoded string begins or ends with whitespace, which v1 does not keep"
    if _URL.search(decoded):
        return "it contains a URL, in which escapes may be intended"
    again = _decode(decoded)
    if again is not None and decoded in _encode_all(again):
        return "it is encoded more than once"
    if _is_mojibake(decoded):
        return "the decoded string is UTF-8 that was read as Latin-1"
    return None


def _is_mojibake(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return False
    return True


def _describe_evidence(decoded: str) -> str | None:
    if not decoded.isascii():
        return "it is UTF-8 outside ASCII"
    if " " in decoded:
        return "it contains spaces"
    try:
        is_structure = isinstance(json.loads(decoded), (dict, list))
    except (ValueError, RecursionError):
        is_structure = False
    return "it is JSON" if is_structure else None


def is_of_other_client(text: str) -> bool:
    """Return whether a client other than glanceclient wrote a string.

    It did if the string has characters that glanceclient would have encoded.
    """
    return _RAW.search(text) is not None
