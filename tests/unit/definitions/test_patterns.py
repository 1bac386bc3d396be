# SPDX-License-Identifier: Apache-2.0
"""patterns: matches as re does, in linear time, or does not support a pattern."""

from __future__ import annotations

import re
import time

import hypothesis
import pytest
from hypothesis import strategies

from glance_compat.definitions.patterns import (
    MOST_CHARACTERS,
    MOST_POSITIONS,
    Pattern,
    UnsupportedError,
    compile_pattern,
)
from tests.cases import in_one_test

UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"

#: A pattern, a string that matches and one that does not.
EXAMPLES = (
    (UUID, "a0b1c2d3-0000-4000-8000-0123456789AB", "a0b1c2d3-0000-4000-8000-0123456789AG"),
    ("^[a-z]+$", "abc", "abC"),
    ("^[a-z]+$", "abc", "abc\n"),
    ("b", "abc", "ac"),
    ("^a|b$", "ax", "xbx"),
    ("^(a|bc){2,3}$", "abca", "a"),
    ("^a?b*?c$", "c", "aac"),
    ("^[^,\\s]+(,[^,\\s]+)*$", "a,b", "a,"),
    ("^\\d{1,3}\\.\\w$", "12._", "12..x"),
    ("^[\\]\\-a]+$", "]-a", "b"),
    ("^[-a]+$", "-a", "b"),
    ("^\\x41\\u00e9$", "Aé", "Ae"),
    ("^\\t\\.$", "\t.", "t."),
    ("^a{0}b$", "b", "ab"),
    ("^(){5}a$", "a", ""),
    ("^.$", "x", "\n"),
    ("^\\D\\W\\S$", "a-b", "1-b"),
    ("^$", "", "a"),
    ("^a{3,}$", "aaaa", "aa"),
    ("^a}]$", "a}]", "a"),
)


@in_one_test("text, matching, other", EXAMPLES)
def test_examples(text: str, matching: str, other: str) -> None:
    pattern = Pattern(text)
    assert pattern.matches(matching)
    assert not pattern.matches(other)


@in_one_test("value", ["", "a", "\n"])
def test_empty_pattern_matches_everything(value: str) -> None:
    assert Pattern("").matches(value)
    assert Pattern("$").matches(value)


ATOMS = strategies.sampled_from(["a", "b", "c", "\\d", "[ab]", "[^a]", ".", "\\w", "[a-c0]", "-"])
REPEATS = strategies.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "{0}"])
PATTERNS = strategies.recursive(
    ATOMS,
    lambda inner: strategies.one_of(
        strategies.builds("{}{}".format, inner, inner),
        strategies.builds("({}|{})".format, inner, inner),
        strategies.builds("(?:{}|)".format, inner),
        strategies.builds("(?:{}){}".format, inner, REPEATS),
    ),
    max_leaves=8,
)


@pytest.mark.slow
@hypothesis.given(
    start=strategies.sampled_from(["", "^"]),
    text=PATTERNS,
    end=strategies.sampled_from(["", "$"]),
    value=strategies.text("abc0-.x", max_size=8),
)
def test_matches_the_same_as_re(start: str, text: str, end: str, value: str) -> None:
    try:
        pattern = Pattern(f"{start}{text}{end}")
    except UnsupportedError:
        hypothesis.reject()
    # A "$" of Python also matches before a line break at the end.
    expected = re.search(f"{start}{text}{end and chr(92) + 'Z'}", value, re.ASCII)
    assert pattern.matches(value) == bool(expected)


UNSUPPORTED = (
    *("(a", "a)", "[a", "[]", "[^]", "[b-a]", "[\\d-a]x[z-\\w]", "\\", "\\1", "\\b", "\\A", "\\p"),
    *("*a", "a**", "a{2}{3}", "a++", "a{", "a{x}", "a{3,2}", "a{1", "a{9999}", "(?=a)", "(?i)a"),
    *("(?P<n>a)", "(?<!a)b", "(^a)", "a^b", "a$b", "(a$)", "\\xZZ", "\\u12", "^^a", "{a"),
    *("a" * 600, "(" * 30 + ")" * 30, "(a{200}){200}", "a{257}", "((a{16}){16})b"),
)


@in_one_test("text", UNSUPPORTED)
def test_unsupported_pattern(text: str) -> None:
    with pytest.raises(UnsupportedError):
        Pattern(text)


def test_nested_repeats_of_nothing_take_no_time() -> None:
    text = "(" * 20 + "){256}" * 20
    started = time.thread_time()
    assert Pattern(text).matches("x")
    assert time.thread_time() - started < 0.5


#: Patterns for which re takes exponential or polynomial time, or that have many positions.
SLOW = (
    "^(a+)+$",
    "^(a|a)*$",
    "^(a|aa)+$",
    "^(.*)(.*)(.*)(.*)(.*)x$",
    "(.?){250}y$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(a?){120}a{120}$",
    "|".join("ab?c*" for _ in range(60)),
)


@in_one_test("text", SLOW)
def test_longest_value_takes_bounded_time(text: str) -> None:
    pattern = Pattern(text)
    for value in ("a" * (MOST_CHARACTERS - 1) + "!", "".join(map(chr, range(256, 1280)))):
        assert len(value) == MOST_CHARACTERS
        started = time.thread_time()
        pattern.matches(value)
        assert time.thread_time() - started < 0.3


def test_limits() -> None:
    assert Pattern("a" * MOST_POSITIONS).matches("a" * MOST_POSITIONS)
    assert not Pattern(".").matches("a" * (MOST_CHARACTERS + 1))
    assert compile_pattern("^a$") is compile_pattern("^a$")
