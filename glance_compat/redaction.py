# SPDX-License-Identifier: Apache-2.0
"""Format values, URLs and exceptions for error messages and the log, without credentials.

What must live here: functions that return one short printable line for any value, and never raise.
What must not: the choice of the part of a response to show (see ``transport.messages``).
"""

from __future__ import annotations

import re
import reprlib

#: Maximum length of a quoted string or object repr, in characters. Ids and most hrefs are shorter.
_CHARACTERS = 80


class _Quoter(reprlib.Repr):
    """A reprlib.Repr that also removes the credentials from URLs in strings and bytes."""

    def repr_str(self, x: str, level: int) -> str:
        return super().repr_str(_redact_urls(str(x)), level)

    def repr_bytes(self, x: bytes, level: int) -> str:
        redacted = _redact_urls(x.decode("latin-1")).encode("latin-1")
        return self.repr_instance(redacted, level)


_SHORT = _Quoter()
_SHORT.maxstring = _SHORT.maxother = _CHARACTERS


def quote_value(value: object) -> str:
    """Return the repr of a value, shortened for a message, without the credentials of URLs."""
    try:
        return _SHORT.repr(str(value) if isinstance(value, str) else value)
    except ValueError:
        # By default, Python does not convert an integer of more than 4,300 digits to a string.
        return type(value).__name__


def _redact_urls(text: str) -> str:
    """Return a text without the credentials of URLs in it; text without URLs is unchanged."""
    if not _URL.search(text):
        return text
    return re.sub(r"\S+", lambda word: _redact_word(word[0]), text)


_URL = re.compile(r"[A-Za-z0-9+.-]:[/\\]")
_QUERY = re.compile(r"[?#;]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PATH = re.compile(r"[/\\]")
# With a colon in brackets only an IPv6 address, perhaps with a zone (RFC 3986, RFC 6874).
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[^:@]*)(?::[0-9]*)?")
_HIDDEN = "***"


def redact_url(url: str) -> str:
    """Return a URL without credentials, query and fragment; the URL may be malformed.

    Slashes may be missing or doubled, and a password may contain any character, such as ``?`` or
    ``/``. If a part may be a password, it is removed.
    """
    # A password may contain the first "?", "#" or ";"; then the split divides it.
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
    is_host = bool(_HOST.fullmatch(host))
    if "@" in path and (not is_host or ":" in authority):
        # The password contains a slash, and its first part may look like a port.
        return f"{scheme}//{_HIDDEN}{'' if is_cut else path[path.rindex('@') :]}"
    if not is_host:
        return f"{scheme}//{_HIDDEN}{'' if is_cut else path}"
    return f"{scheme}//{host}{_redact_path(path, is_cut)}"


def _split_authority(rest: str) -> tuple[str, str]:
    """Split the rest of a URL after its scheme into authority and path.

    :returns: the part between ``//`` and the next slash or backslash, and the part from there on.
        Without ``//``, the authority is empty.
    """
    if not rest.startswith("//"):
        return "", rest
    found = _PATH.search(rest, 2)
    end = found.start() if found else len(rest)
    return rest[2:end], rest[end:]


def _redact_path(path: str, is_cut: bool) -> str:
    """Return a path without the part that may be user information.

    If there may be any, everything from the first segment with a colon up to the last ``@`` is
    hidden, or up to the end if the password may continue in the query.

    :param is_cut: whether the query, which is already removed, contains an ``@``.
    """
    before, colon, after = path.partition(":")
    if not colon or not (is_cut or "@" in after):
        return path
    kept = before[: max(before.rfind("/"), before.rfind("\\")) + 1]
    return f"{kept}{_HIDDEN}{'' if is_cut else after[after.rindex('@') :]}"


class PrivateUrl(str):
    """A URL whose repr has no credentials, for tracebacks that show local variables."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(redact_url(self))


def redact_text(text: str) -> str:
    """Remove credentials and queries from all URLs in a text from a server or another library."""
    return " ".join(map(_redact_word, text.split()))


def _redact_word(word: str) -> str:
    if "@" not in word and "://" not in word and not ("=" in word and _QUERY.search(word)):
        return word
    url = word.lstrip("\"'(<[{")
    return word[: len(word) - len(url)] + redact_url(url)


#: Maximum length of the message of an exception, in characters.
_REASON_CHARACTERS = 200


def describe_error(error: BaseException, safe: tuple[str, ...] = ()) -> str:
    """Return a description of an exception that contains no credentials.

    It is the system's message of an OSError, the shortened message of an exception from a safe
    module, or else the class name: other messages may contain a token, a password or a URL.

    :param safe: prefixes of the names of the modules whose exceptions never have credentials in
        their messages.
    """
    if safe and type(error).__module__.startswith(safe):
        text = str(error)[:_REASON_CHARACTERS]
        return text if text.isprintable() else ascii(text)
    reason = error.strerror if isinstance(error, OSError) else None
    if isinstance(reason, str) and reason and reason.isprintable():
        return reason
    return type(error).__name__
