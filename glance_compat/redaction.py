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


_QUERY = re.compile(r"[?#;]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PATH = re.compile(r"[/\\]")
# In brackets only an IPv6 address, perhaps with a zone (RFC 3986, RFC 6874): no user information.
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]*(?:%[\w.~-]+)?\]|[^:@\[\]]*)(?::[0-9]*)?")
_HIDDEN = "***"


def redact_url(url: str) -> str:
    """Remove credentials and the query from a URL, or from what claims to be one.

    Every reading of a malformed URL is considered: slashes may be missing or doubled, and a
    password may contain any character. When in doubt, more is removed.
    """
    # The part before the query; a password in it may be cut in two.
    [head, *tail] = _QUERY.split(url, maxsplit=1)
    is_cut = "@" in "".join(tail)
    scheme = found[0] if (found := _SCHEME.match(head)) else ""
    rest = head[len(scheme) :]
    authority, path = _split_authority(rest)
    if not authority:
        if is_cut and ":" in rest:
            return scheme + _HIDDEN
        return scheme + rest.rpartition("@")[2]
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host):
        host = _HIDDEN
    return f"{scheme}//{host}{_redact_path(path, is_cut)}"


def _split_authority(rest: str) -> tuple[str, str]:
    """Return what follows two slashes up to the next slash, and what comes after it."""
    if not rest.startswith("//"):
        return "", rest
    found = _PATH.search(rest, 2)
    end = found.start() if found else len(rest)
    return rest[2:end], rest[end:]


def _redact_path(path: str, is_cut: bool) -> str:
    """Remove from the first segment with a colon on what may be user information."""
    before, colon, after = path.partition(":")
    if not colon or not (is_cut or "@" in after):
        return path
    kept = before[: max(before.rfind("/"), before.rfind("\\")) + 1]
    return f"{kept}{_HIDDEN}{'' if is_cut else after[after.rindex('@') :]}"


def redact_text(text: str) -> str:
    """Remove credentials and queries from all URLs in a text of somebody else's."""
    return " ".join(map(_redact_word, text.split()))


def _redact_word(word: str) -> str:
    if "@" not in word and "://" not in word and not ("=" in word and _QUERY.search(word)):
        return word
    url = word.lstrip("\"'(<[{")
    return word[: len(word) - len(url)] + redact_url(url)


def describe_error(error: BaseException) -> str:
    """Describe a foreign exception: the system's words for an OSError, otherwise its class.

    Any other text may contain a token, a password or a URL with either.
    """
    text = error.strerror if isinstance(error, OSError) else None
    if isinstance(text, str) and text and text.isprintable():
        return text
    return type(error).__name__
