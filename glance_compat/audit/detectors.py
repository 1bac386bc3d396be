# SPDX-License-Identifier: Apache-2.0
"""What tells each kind of finding in the records of an image.

What must live here: reading records, one function for each kind. What must not: what a finding
means and what is to be done about it (``audit``), I/O.

A record is the JSON object of an image as a list of the server has it: of v1
(``/v1/images/detail``), of v2 (``/v2/images``), or of both. Those lists lose nothing, unlike the
headers of v1.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping

from glance_compat.audit.percent_encoding import Reading, name_reading, reading
from glance_compat.metadata.changes import UUID
from glance_compat.metadata.converters import replace_surrogates
from glance_compat.metadata.fields import (
    FIELDS,
    SERVER_OWNED_PREFIX,
    V2_BASE_KEYS,
    fold_name,
    is_reserved,
)
from glance_compat.metadata.v1_limits import (
    V1_BLOCK_BYTES,
    V1_LINE_BYTES,
    count_line_bytes,
    is_header_name,
)
from glance_compat.redaction import quote_value

Record = Mapping[str, typing.Any]

IMAGE = "image"
NAME = "name"
PROPERTY = "property "


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
    """One place of an image where a kind of finding is met.

    :param subject: ``image``, ``name``, or ``property`` and the property's name.
    :param words: what is there, for people.
    :param value: the text that is there.
    :param reading: what percent-encoded text must have been.
    """

    subject: str
    words: str
    value: object = None
    reading: Reading | None = None


class Seen:
    """One image, as far as it was seen.

    :param v1: its v1 record, or None.
    :param v2: its v2 record, or None; not both are None.
    """

    def __init__(self, v1: Record | None, v2: Record | None) -> None:
        self.v1 = v1
        self.v2 = v2
        self._any: Record = v2 if v2 is not None else v1 if v1 is not None else {}

    def attribute(self, name: str) -> typing.Any:
        """An attribute that both APIs call alike."""
        return self._any.get(name)

    @property
    def image_id(self) -> str:
        return str(self._any["id"])

    @property
    def is_multihash(self) -> bool:
        """Whether the server has os_hidden, os_hash_* and stores itself (2.7): only then is
        os_hidden a boolean, and not a property of that name."""
        return isinstance(self.attribute("os_hidden"), bool)

    @property
    def status(self) -> str | None:
        return self.text("status")

    @property
    def size(self) -> int:
        """Bytes; 0 when unknown."""
        size = self.attribute("size")
        return size if isinstance(size, int) else 0

    def text(self, name: str) -> str | None:
        """An attribute that is text, or None."""
        value = self.attribute(name)
        return value if isinstance(value, str) else None

    @functools.cached_property
    def properties(self) -> dict[str, str | None]:
        """All properties, with the text that is stored or None for NULL. v1 shows all of them."""
        if self.v1 is not None:
            held = self.v1.get("properties")
            items: Iterable[tuple[object, object]] = (
                held.items() if isinstance(held, Mapping) else ()
            )
        else:
            items = ((key, value) for key, value in self._any.items() if key not in V2_BASE_KEYS)
        return {
            str(name): value for name, value in items if value is None or isinstance(value, str)
        }

    @functools.cached_property
    def texts(self) -> dict[str, str]:
        """Name and properties that are text, by subject."""
        name = self.text(NAME)
        found = {} if name is None else {NAME: name}
        return found | {
            PROPERTY + key: text for key, text in self.properties.items() if text is not None
        }


# ---------------------------------------------------------------------------------------------
# What tells each kind.


def of_properties(
    test: Callable[[str, str | None], str | None],
) -> Callable[[Seen], Iterator[Hit]]:
    """Look at each property.

    :param test: given name and text; the words of a hit, or None.
    """

    def look(seen: Seen) -> Iterator[Hit]:
        for name, text in seen.properties.items():
            words = test(name, text)
            if words is not None:
                yield Hit(PROPERTY + name, words, text)

    return look


def of_texts(test: Callable[[str], str | None]) -> Callable[[Seen], Iterator[Hit]]:
    """Look at the name and at each value.

    :param test: the words of a hit, or None.
    """

    def look(seen: Seen) -> Iterator[Hit]:
        for subject, text in seen.texts.items():
            words = test(text)
            if words is not None:
                yield Hit(subject, words, text)

    return look


def of_image(test: Callable[[Seen], str | None]) -> Callable[[Seen], Iterator[Hit]]:
    """Look at the image as a whole.

    :param test: the words of a hit, or None.
    """

    def look(seen: Seen) -> Iterator[Hit]:
        words = test(seen)
        if words is not None:
            yield Hit(IMAGE, words)

    return look


#: What servers with an older v2 show as their own word although it is a property: attributes
#: that only v2 has, and that it does not always have.
PLANTED = frozenset(field.name for field in FIELDS if field.v1 is None and field.v2) - {"tags"}


def shadowed(seen: Seen) -> Iterator[Hit]:
    if seen.v1 is None:
        return
    for name in sorted((V2_BASE_KEYS - PLANTED) & seen.properties.keys()):
        text = seen.properties[name]
        beside = f", v2 shows {quote_value(seen.v2.get(name))}" if seen.v2 else ""
        yield Hit(PROPERTY + name, f"v1 shows {quote_value(text)}{beside}", text)


def planted(seen: Seen) -> Iterator[Hit]:
    if seen.v1 is not None:
        held: Mapping[str, object] = seen.properties
    else:
        # Without v1, only a value of a wrong type gives it away.
        right = {"locations": list, "os_hidden": bool}
        held = {
            name: seen.attribute(name)
            for name, kind in right.items()
            if seen.attribute(name) is not None and not isinstance(seen.attribute(name), kind)
        }
    for name in sorted(PLANTED & held.keys()):
        yield Hit(PROPERTY + name, f"holds {quote_value(held[name])}", held[name])


def reserved(name: str, text: str | None) -> str | None:
    if name in V2_BASE_KEYS or name.startswith(SERVER_OWNED_PREFIX) or not is_reserved(name):
        return None
    return f"holds {quote_value(text)}"


def server_owned(name: str, text: str | None) -> str | None:
    return f"holds {quote_value(text)}" if name.startswith(SERVER_OWNED_PREFIX) else None


def encoded_texts(texts: Mapping[str, str]) -> Iterator[tuple[str, str, Reading]]:
    """The percent-encoded texts among those of one image.

    :param texts: by subject, see :attr:`Seen.texts`.
    :returns: subject, text, and what it must have been.
    """
    for subject, text in texts.items():
        others = (one for other, one in texts.items() if other != subject)
        found = reading(text, others)
        if found is not None:
            yield subject, text, found


def percent(seen: Seen) -> Iterator[Hit]:
    for subject, text, found in encoded_texts(seen.texts):
        yield Hit(subject, _was(text, found), text, found)


def percent_names(seen: Seen) -> Iterator[Hit]:
    for name, text in seen.properties.items():
        found = name_reading(name)
        if found is not None:
            yield Hit(PROPERTY + name, _was(name, found), text, found)


def _was(text: str, found: Reading) -> str:
    return (
        f"{quote_value(text)} must have been {quote_value(found.text)}"
        f" ({found.sureness.value}: {found.why})"
    )


def null(name: str, text: str | None) -> str | None:
    return "v1 says null, v2 says ''" if text is None else None


def unnamed(seen: Seen) -> Iterator[Hit]:
    if seen.attribute(NAME) is None:
        yield Hit(NAME, "there is none")


def empty_name(seen: Seen) -> Iterator[Hit]:
    if seen.attribute(NAME) == "":
        yield Hit(NAME, "is ''", "")


def none_as_text(text: str) -> str | None:
    return "is the text 'None'" if text == "None" else None


def foreign_id(seen: Seen) -> str | None:
    return None if UUID.fullmatch(seen.image_id) else f"the id is {quote_value(seen.image_id)}"


_WITH_DATA = frozenset({"active", "deactivated"})


def without_formats(seen: Seen) -> str | None:
    missing = [
        name for name in ("disk_format", "container_format") if seen.attribute(name) is None
    ]
    if not missing or seen.status not in _WITH_DATA:
        return None
    return f"has no {' and no '.join(missing)}"


def without_checksum(seen: Seen) -> str | None:
    strong = seen.is_multihash and seen.attribute("os_hash_value")
    if (
        seen.attribute("checksum")
        or strong
        or seen.status not in _WITH_DATA
        or not seen.attribute("size")
    ):
        return None
    return f"{seen.attribute('size')} bytes without a checksum"


def without_data(seen: Seen) -> str | None:
    empty = seen.status == "active" and not seen.size
    return "active, and never given data" if empty and not seen.attribute("checksum") else None


def only_declared(seen: Seen) -> str | None:
    if seen.status != "queued" or not seen.size:
        return None
    return f"{seen.size} bytes are declared, none are there"


def deleted(seen: Seen) -> str | None:
    gone = seen.v1 is not None and bool(seen.v1.get("deleted"))
    return f"its status is {seen.status}" if gone else None


def half_deleted(seen: Seen) -> str | None:
    half = seen.status in ("deleted", "pending_delete") and deleted(seen) is None
    return f"its status is {seen.status}, and it is listed" if half else None


def status(*statuses: str) -> Callable[[Seen], str | None]:
    def test(seen: Seen) -> str | None:
        status = seen.status
        return f"its status is {status}" if status in statuses else None

    return test


def visibility(word: str) -> Callable[[Seen], str | None]:
    def test(seen: Seen) -> str | None:
        found = seen.v2 is not None and seen.v2.get("visibility") == word
        return f"its visibility is {word}" if found else None

    return test


def hidden(seen: Seen) -> str | None:
    return "os_hidden is true" if seen.attribute("os_hidden") is True else None


def tagged(seen: Seen) -> str | None:
    tags = seen.v2.get("tags") if seen.v2 is not None else None
    return f"tags {', '.join(sorted(map(str, tags)))}" if isinstance(tags, list) and tags else None


def in_stores(seen: Seen) -> str | None:
    stores = seen.text("stores") if seen.is_multihash else None
    return f"its data is in {stores}" if stores and "," in stores else None


def at_locations(seen: Seen) -> str | None:
    places = seen.v2.get("locations") if seen.v2 is not None else None
    several = isinstance(places, list) and len(places) > 1
    return f"has {len(typing.cast('list[object]', places))} locations" if several else None


def ownerless(seen: Seen) -> str | None:
    return "has no owner" if seen.attribute("owner") is None else None


_INJECTED = re.compile(r"[\r\n]+[ \t]*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):")


def line_break(text: str) -> str | None:
    if not re.search(r"[\r\n\0]", text):
        return None
    forged = _INJECTED.search(text)
    if forged:
        return f"holds a line break and what reads like the header {forged['name']!r}"
    return "holds a line break or NUL"


def outer_blanks(text: str) -> str | None:
    return f"is {quote_value(text)}" if text.strip() != text and not line_break(text) else None


#: What a property's name holds that no header's name can, in words.
_UNFIT = (
    (re.compile(r"\A\Z"), "it is empty"),
    (re.compile(r":"), "it holds a colon"),
    (re.compile(r"[\x00-\x20\x7f]"), "it holds a blank or a control character"),
    (re.compile(r"[^\x00-\x7f]"), "it holds what is not ASCII"),
)


def unfit_name(name: str, text: str | None) -> str | None:
    if is_header_name(name):
        return None
    reasons = (words for wrong, words in _UNFIT if wrong.search(name))
    return next(reasons, "it holds a separator")


def too_long(name: str, text: str | None) -> str | None:
    size = count_line_bytes(name, replace_surrogates(text or ""))
    return f"{size} bytes in one header" if size > V1_LINE_BYTES else None


def too_large(seen: Seen) -> str | None:
    size = sum(
        count_line_bytes(name, replace_surrogates(text or ""))
        for name, text in seen.properties.items()
    )
    return f"{size} bytes of properties" if size > V1_BLOCK_BYTES else None


#: Headers that Python's http.client reads (100 lines, the empty one at the end among them), and
#: Glance's own beside those of the metadata: Connection, Content-Length, Content-Type, Date,
#: X-Openstack-Request-Id (seen on Glance 15.0.2).
_READABLE_HEADERS = 99
_OTHER_HEADERS = 5


def v1_headers(seen: Seen) -> int:
    """How many headers v1 shows an image with; null values have none (seen on Glance 15.0.2)."""
    base = [
        field.v1.key
        for field in FIELDS
        if field.v1 and field.name not in ("visibility", "deleted")
    ]
    if seen.v1 is not None:
        count = sum(seen.v1.get(key) is not None for key in base)
    else:
        count = sum(seen.attribute(key) is not None for key in base) + len(["is_public"])
    held = sum(text is not None for text in seen.properties.values())
    # The ETag is the checksum.
    etag = seen.attribute("checksum") is not None
    return _OTHER_HEADERS + count + len(["deleted"]) + held + etag


def too_many(seen: Seen) -> str | None:
    count = v1_headers(seen)
    return f"{count} headers" if count > _READABLE_HEADERS else None


def _folds(seen: Seen) -> dict[str, list[str]]:
    """The names that v1 takes for one, by that one; without those that it takes for none."""
    groups: dict[str, list[str]] = {}
    for name in seen.properties:
        if is_header_name(name):
            groups.setdefault(fold_name(name), []).append(name)
    return groups


def renamed(seen: Seen) -> Iterator[Hit]:
    for stored, names in _folds(seen).items():
        if names != [stored] and len(names) == 1 and not is_reserved(stored):
            yield Hit(PROPERTY + names[0], f"v1 writes it as {stored!r}", names[0])


def merged(seen: Seen) -> Iterator[Hit]:
    for stored, names in _folds(seen).items():
        if len(names) > 1 and not is_reserved(stored):
            listed = " and ".join(repr(name) for name in sorted(names))
            yield Hit(PROPERTY + stored, f"{listed} are one to v1", sorted(names))


def made_reserved(seen: Seen) -> Iterator[Hit]:
    for stored, names in _folds(seen).items():
        for name in names:
            if name != stored and is_reserved(stored):
                yield Hit(PROPERTY + name, f"v1 writes it as {stored!r}, an attribute", name)


def broken(text: str) -> str | None:
    return "holds half of a surrogate pair" if replace_surrogates(text) != text else None


#: Characters (Glance 15.0.2 and 33: the columns; v2 of 33 checks it).
NAME_CHARACTERS = 255


def long_name(name: str, text: str | None) -> str | None:
    return f"its name has {len(name)} characters" if len(name) > NAME_CHARACTERS else None


def unreadable(seen: Seen) -> str | None:
    """What is not as Glance writes it; what v2 has beside text is an attribute."""
    for record in (seen.v1, seen.v2):
        if record is not None and not isinstance(record.get(NAME), (str, type(None))):
            return "its name is not text"
    if seen.v1 is None:
        return None
    held = seen.v1.get("properties")
    if not isinstance(held, Mapping):
        return "its properties are not an object"
    wrong = len(held) - len(seen.properties)
    return f"{wrong} of its properties are not text" if wrong else None
