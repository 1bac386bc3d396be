# SPDX-License-Identifier: Apache-2.0
"""Match regular expressions that tenants write, in time linear in the length of the value.

Python's ``re`` may take exponential time, so it does not run these patterns. A pattern is parsed
here and becomes an automaton that does not backtrack (Glushkov's: one position for each character
of the pattern; a set of positions is the bits of an integer). A pattern with anything else than
characters, classes, groups, alternatives, repeats, and anchors at its ends is not run.

What must live here: parsing and matching. What must not: the use of ``re``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

#: Maximum number of positions of a pattern. Repeats are written out: ``x{36}`` has 36.
MOST_POSITIONS = 256
#: Maximum length of a value that is compared with a pattern, in characters.
MOST_CHARACTERS = 1024
#: Maximum length of a pattern, in characters.
_PATTERN_CHARACTERS = 512
#: Maximum depth of the groups of a pattern.
_DEPTH = 20
#: Maximum number of sets of positions, and of characters, whose results a pattern keeps.
_KEPT = 512
#: Maximum number of patterns that are kept.
_KEPT_PATTERNS = 512

#: Ranges of code points, each with its first and last one.
_Ranges = tuple[tuple[int, int], ...]

_LAST_CODE_POINT = 0x10FFFF


class UnsupportedError(Exception):
    """A pattern uses syntax that is not supported; the message names it."""


# -- sets of characters


def _ranges_of(*pairs: str) -> _Ranges:
    """Return the ranges of strings of one or two characters: the first and the last one."""
    return tuple((ord(pair[0]), ord(pair[-1])) for pair in pairs)


def _complement(ranges: _Ranges) -> _Ranges:
    found, start = [], 0
    for low, high in sorted(ranges):
        if start < low:
            found.append((start, low - 1))
        start = max(start, high + 1)
    if start <= _LAST_CODE_POINT:
        found.append((start, _LAST_CODE_POINT))
    return tuple(found)


_DIGITS = _ranges_of("09")
_WORD = _ranges_of("09", "AZ", "__", "az")
_SPACE = _ranges_of(
    *("\t\r", "  ", "\xa0", "\u1680", "\u2000\u200a", "\u2028\u2029", "\u202f", "\u205f"),
    *("\u3000", "\ufeff"),
)
#: Classes of characters, by the letter of their escape in ECMA 262, to which JSON schemas refer.
_CLASSES = {
    "d": _DIGITS,
    "D": _complement(_DIGITS),
    "w": _WORD,
    "W": _complement(_WORD),
    "s": _SPACE,
    "S": _complement(_SPACE),
}
_ANY = _complement(_ranges_of("\n", "\r", "\u2028\u2029"))
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
#: Number of hexadecimal digits after the letter of an escape.
_HEX_DIGITS = {"x": 2, "u": 4}


# -- the parts of a pattern


@dataclasses.dataclass(frozen=True, slots=True)
class _Node:
    """A part of a pattern.

    :param size: the number of its positions.
    :param ranges: the characters that a single position accepts.
    :param parts: the parts of a sequence or of an alternation, or the part that is repeated.
    :param operation: "character", "sequence", "alternation" or "repeat".
    :param least: the minimum number of repeats.
    :param most: the maximum number of repeats, or None.
    """

    operation: str
    size: int
    ranges: _Ranges = ()
    parts: tuple[_Node, ...] = ()
    least: int = 1
    most: int | None = 1


_NOTHING = _Node("sequence", 0)


def _combine(operation: str, parts: Sequence[_Node]) -> _Node:
    if len(parts) == 1:
        return parts[0]
    return _Node(operation, _checked_size(sum(one.size for one in parts)), parts=tuple(parts))


def _repeat(node: _Node, least: int, most: int | None) -> _Node:
    if not node.size:
        # However often nothing is repeated, it is nothing.
        return node
    size = _checked_size(node.size * max(least, 1 if most is None else most))
    return _Node("repeat", size, parts=(node,), least=least, most=most) if size else _NOTHING


def _checked_size(size: int) -> int:
    if size > MOST_POSITIONS:
        raise UnsupportedError(f"it has more than {MOST_POSITIONS} positions")
    return size


class _Parser:
    """Parses one pattern."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> list[tuple[_Node, bool, bool]]:
        """Return the alternatives, and whether each is anchored to the start and to the end."""
        if len(self._text) > _PATTERN_CHARACTERS:
            raise UnsupportedError(f"it has more than {_PATTERN_CHARACTERS} characters")
        branches = [self._branch()]
        while self._take("|"):
            branches.append(self._branch())
        if self._at < len(self._text):
            raise UnsupportedError("its parentheses do not match")
        _checked_size(sum(node.size for node, _, _ in branches))
        return branches

    def _branch(self) -> tuple[_Node, bool, bool]:
        at_start = self._take("^")
        node = self._sequence()
        at_end = self._take("$")
        if at_end and self._peek() not in ("", "|"):
            raise UnsupportedError("it has an anchor that is not at an end")
        return node, at_start, at_end

    def _sequence(self) -> _Node:
        parts = []
        while self._peek() not in ("", "|", ")", "$"):
            parts.append(self._quantified(self._atom()))
        return _combine("sequence", parts)

    def _alternation(self) -> _Node:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        if not self._take(")"):
            raise UnsupportedError("it has an anchor in a group, or an open parenthesis")
        return _combine("alternation", parts)

    def _atom(self) -> _Node:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return _Node("character", 1, self._class())
        if character == ".":
            return _Node("character", 1, _ANY)
        if character == "\\":
            return _Node("character", 1, self._escape())
        if character in "^*+?{":
            raise UnsupportedError(f"{character} is not at a place where it is supported")
        return _Node("character", 1, _ranges_of(character))

    def _group(self) -> _Node:
        if self._take("?") and not self._take(":"):
            raise UnsupportedError("it has a group with (?")
        self._depth += 1
        if self._depth > _DEPTH:
            raise UnsupportedError(f"its groups are nested deeper than {_DEPTH}")
        node = self._alternation()
        self._depth -= 1
        return node

    def _quantified(self, node: _Node) -> _Node:
        least, most = self._quantifier()
        if (least, most) == (1, 1):
            return node
        # Whether a repeat is greedy does not change which values match.
        self._take("?")
        if self._peek() in ("*", "+", "?", "{"):
            raise UnsupportedError("a repeat follows a repeat")
        return _repeat(node, least, most)

    def _quantifier(self) -> tuple[int, int | None]:
        for character, counts in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(character):
                return counts
        if not self._take("{"):
            return 1, 1
        least = self._count()
        most: int | None = least
        if self._take(","):
            most = None if self._peek() == "}" else self._count()
        if not self._take("}") or (most is not None and most < least):
            raise UnsupportedError("it has an invalid repeat in braces")
        return least, most

    def _count(self) -> int:
        digits = ""
        while self._peek().isdecimal() and self._peek().isascii():
            digits += self._next()
        if not 0 < len(digits) <= len(str(MOST_POSITIONS)):
            raise UnsupportedError("it has an invalid repeat in braces")
        return int(digits)

    def _class(self) -> _Ranges:
        """Return the characters of a class, after its opening bracket."""
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._class_member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                high = self._class_member()
                if len(low) != 1 or len(high) != 1 or low[0][0] > high[0][1]:
                    raise UnsupportedError("it has an invalid range of characters")
                low = ((low[0][0], high[0][1]),)
            ranges.extend(low)
        if not ranges:
            raise UnsupportedError("it has an empty class of characters")
        return _complement(tuple(ranges)) if negated else tuple(ranges)

    def _class_member(self) -> _Ranges:
        character = self._next()
        return self._escape() if character == "\\" else _ranges_of(character)

    def _escape(self) -> _Ranges:
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _ranges_of(_CONTROLS[character])
        if character in _HEX_DIGITS:
            return self._code_point(_HEX_DIGITS[character])
        if character.isalnum():
            raise UnsupportedError(f"it has the escape \\{character}")
        return _ranges_of(character)

    def _code_point(self, digits: int) -> _Ranges:
        text = "".join(self._next() for _ in range(digits))
        try:
            number = int(text, 16)
        except ValueError:
            raise UnsupportedError("it has an invalid escape") from None
        return ((number, number),)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise UnsupportedError("it is not complete")
        self._at += 1
        return character

    def _take(self, character: str) -> bool:
        found = self._peek() == character
        self._at += found
        return found


# -- the automaton


@dataclasses.dataclass(frozen=True, slots=True)
class _Ends:
    """Where the matches of a part start and end.

    :param nullable: whether it matches the empty string.
    :param first: the positions of the first character, as bits.
    :param last: the positions of the last character, as bits.
    """

    nullable: bool
    first: int
    last: int


_EMPTY = _Ends(nullable=True, first=0, last=0)


class _Automaton:
    """One alternative of a pattern.

    :param node: its parts.
    :param at_start: whether a match must start at the start of the value.
    :param at_end: whether a match must end at the end of the value.
    """

    def __init__(self, node: _Node, *, at_start: bool, at_end: bool) -> None:
        self._at_start, self._at_end = at_start, at_end
        self._positions: list[_Ranges] = []
        #: By position: the positions that may follow.
        self._follow: list[int] = []
        self._ends = self._add(node)
        self._following: dict[int, int] = {}
        self._accepting: dict[str, int] = {}

    def matches(self, value: str) -> bool:
        """Return whether a part of the value matches."""
        ends = self._ends
        if ends.nullable and not (self._at_start and self._at_end and value):
            return True
        again = 0 if self._at_start else ends.first
        expected, reached = ends.first, 0
        for character in value:
            reached = expected & self._accepts(character)
            if reached & ends.last and not self._at_end:
                return True
            expected = self._after(reached) | again
        return self._at_end and bool(reached & ends.last)

    def _accepts(self, character: str) -> int:
        """Return the positions that accept a character."""
        found = self._accepting.get(character)
        if found is None:
            code = ord(character)
            found = 0
            for position, ranges in enumerate(self._positions):
                if any(low <= code <= high for low, high in ranges):
                    found |= 1 << position
            _keep(self._accepting, character, found)
        return found

    def _after(self, reached: int) -> int:
        """Return the positions that may follow any of those that were reached."""
        found = self._following.get(reached)
        if found is None:
            found = 0
            for position in _bits(reached):
                found |= self._follow[position]
            _keep(self._following, reached, found)
        return found

    def _add(self, node: _Node) -> _Ends:
        if node.operation == "character":
            self._positions.append(node.ranges)
            self._follow.append(0)
            bit = 1 << (len(self._positions) - 1)
            return _Ends(nullable=False, first=bit, last=bit)
        if node.operation == "repeat":
            return self._add_repeat(node)
        if node.operation == "sequence":
            return functools.reduce(self._join, map(self._add, node.parts), _EMPTY)
        parts = [self._add(one) for one in node.parts]
        first = last = 0
        for one in parts:
            first, last = first | one.first, last | one.last
        return _Ends(any(one.nullable for one in parts), first, last)

    def _add_repeat(self, node: _Node) -> _Ends:
        [part] = node.parts
        ends = _EMPTY
        for number in range(1, max(node.least, 1 if node.most is None else node.most) + 1):
            added = self._add(part)
            if node.most is None and number >= node.least:
                self._link(added.last, added.first)
            if number > node.least:
                added = dataclasses.replace(added, nullable=True)
            ends = self._join(ends, added)
        return ends

    def _join(self, left: _Ends, right: _Ends) -> _Ends:
        self._link(left.last, right.first)
        return _Ends(
            left.nullable and right.nullable,
            left.first | (right.first if left.nullable else 0),
            right.last | (left.last if right.nullable else 0),
        )

    def _link(self, ends: int, starts: int) -> None:
        for position in _bits(ends):
            self._follow[position] |= starts


def _bits(number: int) -> Iterator[int]:
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest


def _keep(kept: dict, key: object, value: int) -> None:  # type: ignore[type-arg]
    if len(kept) >= _KEPT:
        kept.clear()
    kept[key] = value


class Pattern:
    """A regular expression that is matched in linear time.

    :param text: the regular expression. A part of the value must match, as in JSON schemas; ``^``
        and ``$`` stand for the start and the end of the value.
    :raises UnsupportedError: the expression is not supported.
    """

    def __init__(self, text: str) -> None:
        self._branches = _Parser(text).parse()
        self._automata: list[_Automaton] | None = None

    def matches(self, value: str) -> bool:
        """Return whether a part of the value matches; False for a value that is too long."""
        if self._automata is None:
            # Made when it is needed, because most definitions are never used.
            self._automata = [
                _Automaton(node, at_start=at_start, at_end=at_end)
                for node, at_start, at_end in self._branches
            ]
        if len(value) > MOST_CHARACTERS:
            return False
        return any(one.matches(value) for one in self._automata)


@functools.lru_cache(maxsize=_KEPT_PATTERNS)
def compile_pattern(text: str) -> Pattern:
    """Return a pattern, which is kept.

    :raises UnsupportedError: the expression is not supported.
    """
    return Pattern(text)
