# SPDX-License-Identifier: Apache-2.0
"""No regular expression of the package takes more than linear time on any input.

Every pattern of the package must be in ``WORST``, with its worst-case inputs.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

import glance_compat
from glance_compat.audit.findings import examine_image

ROOT = Path(glance_compat.__file__).parent

Make = Callable[[int], str]

#: Functions of ``re``, and methods of patterns, that match a string.
MATCHING = frozenset({"fullmatch", "match", "search", "sub", "split", "findall", "finditer"})


@dataclasses.dataclass(frozen=True)
class Use:
    """A pattern in the source, and the functions that use it."""

    module: str
    source: str
    pattern: re.Pattern[str] | re.Pattern[bytes]
    methods: frozenset[str]


def repeat(unit: str, *, before: str = "", after: str = "") -> Make:
    """Return a function that makes a string of about n characters."""
    return lambda n: before + unit * (n // len(unit)) + after


#: Worst-case inputs by pattern: a long run of the part that it repeats,
#: without the part that must follow; and many positions where a match can start.
WORST: dict[str, tuple[Make, ...]] = {
    # audit
    r"[\r\n][ \t]*(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+):": (
        repeat("\n"),
        repeat(" ", before="\n"),
        repeat("a", before="\n"),
        repeat("\n a"),
    ),
    r"[\r\n\0]": (repeat("a"),),
    r"\A\Z": (repeat("a"),),
    ":": (repeat("a"),),
    r"[\x00-\x20\x7f]": (repeat("a"),),
    r"[^\x00-\x7f]": (repeat("a"),),
    r"[A-Za-z][A-Za-z0-9+.-]{0,31}://|(?:data|mailto|urn):": (repeat("a"), repeat("a:/")),
    r"[^A-Za-z0-9_.~/:%-]": (repeat("a"),),
    # cli
    r"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}": (repeat("a"),),
    r"[\\$`]": (repeat("$"), repeat("a")),
    r"[\w.@+-]+": (repeat("a", after=" "),),
    # definitions
    r"[+-]?[0-9]+": (repeat("1", after="x"),),
    r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?": (
        repeat("1", after="x"),
        repeat("1", before="1.", after="x"),
        repeat("1", before="1e", after="x"),
    ),
    r"<[a-z-]{1,20}>": (repeat("a", before="<"), repeat("<")),
    # discovery
    r"v([0-9]{1,4})(?:\.([0-9]{1,4}))?": (repeat("1", before="v"),),
    r"v[12](\.[0-9]+)?": (repeat("1", before="v1."),),
    r"[A-Za-z_-]{1,30}": (repeat("a"),),
    # metadata
    r"\.[0-9]{6}": (repeat("0", before="."),),
    r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+": (repeat("a", after=" "),),
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}": (repeat("a"), repeat("aaaaaaaa-")),
    # routing
    r"[/?#\\\x00-\x1f\x7f]": (repeat("a"),),
    r"(?P<base>(?i:https?)://[^/@\\]+(?:/.+?)??)(?:/v[0-9]+(?:\.[0-9]+)?)?/images/(?P<id>[^/]+)": (
        repeat("a", before="http://"),
        repeat("/", before="http://h"),
        repeat("/images/a", before="http://h", after="/"),
        repeat("1", before="http://h/v"),
        repeat("/v1", before="http://h"),
        repeat("a", before="http://h/images/", after="/"),
    ),
    r"[!-~]+": (repeat("a", after=" "),),
    # methods
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\x00-\x1f\x7f]+": (
        repeat("a"),
        repeat("a://"),
        repeat("b", before="a://", after=" "),
    ),
    r"[0-9A-Fa-f]+": (repeat("a"), repeat("a", after="x")),
    # transfers
    r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s][!-~\u00a1-\U0010ffff]*": (
        repeat("a"),
        repeat("a://"),
        repeat("b", before="a://"),
        repeat("b", before="a://", after=" "),
    ),
    # transport
    r"[!-~]{1,128}": (repeat("a"),),
    r"<[^>]*>": (repeat("<"),),
    r"[0-9]{1,9}(?:\.[0-9]{1,9})?": (repeat("1"), repeat("1."), repeat("1", before="1.")),
    r"([!-9;-~]+):[^\r]*\r?\n": (
        repeat("a"),
        repeat("a", before="a:"),
        repeat("\n", before="a:", after="a"),
        repeat("a:"),
    ),
    # backends
    r"(?!\.{1,2}\Z)[ -.0-~]+": (repeat("a", before="."), repeat(".")),
    r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)": (repeat("1", before="bytes "),),
    # options
    r"[a-z][a-z0-9_]{0,99}": (repeat("a"),),
    r"[a-z][a-z0-9+.-]*": (repeat("a", after=" "),),
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}": (repeat("a"),),
    # urls, redaction
    r"[!-\[\]-~]+": (repeat("a", after=" "),),
    r"//[^/]*@": (repeat("/"), repeat("a", before="//"), repeat("//a")),
    r"file://(?:localhost)?((?:/[^/%?#\x00-\x1f\x7f]+)+)": (
        repeat("a", before="file:///", after="/"),
        repeat("/a", before="file://", after="/"),
    ),
    r"rbd://((?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+(?:/(?:[A-Za-z0-9_.~-]|%[0-9A-Fa-f]{2})+)*)": (
        repeat("a", before="rbd://", after="/"),
        repeat("%41", before="rbd://", after="%"),
        repeat("a/", before="rbd://"),
    ),
    r"(?<=[^:/])/+(?P<version>v[0-9]+(\.[0-9]+)?)(/+([0-9]+|[0-9a-f]{32}"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}))?/*$": (
        repeat("/", before="a"),
        repeat("/", before="a/v1", after="a"),
        repeat("1", before="a/v", after="x"),
        repeat("1", before="a/v1.", after="x"),
        repeat("1", before="a/v1/", after="x"),
        repeat("/v1"),
        repeat("/v1/1"),
    ),
    r"(?<=[^:/])/+v[12](\.[0-9]+)?/": (
        repeat("/", before="a"),
        repeat("1", before="a/v1."),
        repeat("/v1"),
    ),
    r"[?#;]": (repeat("a"),),
    r"[A-Za-z0-9+.-]:[/\\]": (repeat("a"), repeat("a:")),
    r"\S+": (repeat("a"), repeat("a ")),
    r"[A-Za-z][A-Za-z0-9+.-]*:": (repeat("a"),),
    r"[/\\]": (repeat("a"),),
    r"(?:\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[^:@]*)(?::[0-9]*)?": (
        repeat("a", before="[", after="@"),
        repeat("a", before="[::%", after="@"),
        repeat("1", before="a:", after="@"),
    ),
    # fixture
    r"[0-9A-Fa-f]{1,16}": (repeat("a"),),
    r"(?<!^)(?=[A-Z])": (repeat("A"),),
    r'"([^"\\]*(?:\\.[^"\\]*)*)",?|([^,]+),?|,': (
        repeat("a", before='"'),
        repeat(r"\a", before='"'),
        repeat('"'),
        repeat(',"'),
        repeat('\\",'),
    ),
    r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*": (
        repeat("/a", after="/"),
        repeat("a", before="/", after=" "),
        repeat("/..."),
    ),
    r"/\s*?/": (repeat(" ", before="/"), repeat("/ a"), repeat("/")),
    "~[^01]": (repeat("~0"), repeat("~")),
    r"<[^<>]*>": (repeat("<"), repeat("a", before="<"), repeat("<>")),
    r"v\d+(\.\d+)?": (repeat("1", before="v"), repeat("1", before="v1.", after="a")),
    "//+": (repeat("/"), repeat("/a")),
    r"\r\nConnection:[^\r]*(?=\r\n)": (
        repeat("\r\nConnection:"),
        repeat("a", before="\r\nConnection:"),
    ),
}

#: Maximum input length of patterns whose input is truncated first, in characters.
BOUNDED = {r"<[^>]*>": 4_000}

#: Module and argument of patterns that the user who starts the embedded server chooses.
CHOSEN = {("glance_compat.fixture.glance.protections", "expression")}

#: Short enough for a quadratic pattern to fail fast, long enough to measure the difference.
LENGTH = 8_000
#: A linear pattern needs less than this CPU time, in seconds.
SLOW = 0.5
#: The error of a measurement, in seconds.
NOISE = 0.005


def uses() -> Iterator[Use]:
    """Find every pattern in the source of the package."""
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        # To parse every module takes seconds, and each worker does it.
        if not re.search(r"\bre\.", text):
            continue
        nodes = list(ast.walk(ast.parse(text)))
        module = ".".join(("glance_compat", *path.relative_to(ROOT).with_suffix("").parts))
        module = module.removesuffix(".__init__")
        methods = _methods_by_name(nodes)
        for node in nodes:
            if _called(node, "re") not in {None, "escape"}:
                assert isinstance(node, ast.Call)
                if (module, ast.unparse(node.args[0])) in CHOSEN:
                    continue
                yield _use(module, node, methods)


def _called(node: ast.AST, owner: str) -> str | None:
    """Return the name of the called function of an object, or None for other nodes."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    value = node.func.value
    return node.func.attr if isinstance(value, ast.Name) and value.id == owner else None


def _methods_by_name(nodes: Sequence[ast.AST]) -> dict[str, frozenset[str]]:
    """Return the methods that are called on each name of a compiled pattern."""
    found: dict[str, frozenset[str]] = {}
    for node in nodes:
        if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
            continue
        if node.attr in MATCHING:
            found[node.value.id] = found.get(node.value.id, frozenset()) | {node.attr}
    names = {
        id(node.value): found.get(node.targets[0].id, frozenset({"search"}))
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    return {str(key): value for key, value in names.items()}


def _use(module: str, call: ast.Call, methods: dict[str, frozenset[str]]) -> Use:
    scope = vars(importlib.import_module(module))
    function = _called(call, "re")
    source = eval(ast.unparse(call.args[0]), scope)  # noqa: S307 - the package's own source
    flags = 0
    for value in (*call.args[1:], *(one.value for one in call.keywords if one.arg == "flags")):
        if isinstance(value, ast.Attribute) and value.attr.isupper():
            flags |= getattr(re, value.attr)
    used = methods.get(str(id(call)), frozenset({"search"}))
    if function != "compile":
        assert function is not None
        used = frozenset({function})
    shown = source.decode() if isinstance(source, bytes) else source
    return Use(module, shown, re.compile(source, flags), used)


USES = tuple(uses())


def seconds(use: Use, method: str, make: Make, size: int) -> float:
    """Return the CPU time of the shortest of several runs."""
    text = make(size)
    subject = text.encode() if isinstance(use.pattern.pattern, bytes) else text
    bound = getattr(use.pattern, method)
    arguments = (type(subject)(), subject) if method == "sub" else (subject,)
    times = []
    for _ in range(5):
        start = time.thread_time()
        result = bound(*arguments)
        if method == "finditer":
            list(result)
        times.append(time.thread_time() - start)
        if sum(times) > SLOW:
            break
    return min(times)


def is_linear(measure: Callable[[int], float], size: int) -> bool:
    """Return whether twice the size takes less than three times the time, in one of five tries.

    Quadratic time would take four times as long.
    """
    for _ in range(5):
        twice = measure(2 * size)
        if twice > SLOW:
            return False
        if twice < 3 * measure(size) + NOISE:
            return True
    return False


def test_every_pattern_has_its_worst_case() -> None:
    patterns = {use.source for use in USES}
    missing = sorted(f"{use.module}: {use.source}" for use in USES if use.source not in WORST)
    # The number of digits of an integer is a variable there.
    missing = [one for one in missing if "-?[0-9]{1," not in one]
    assert missing == [], "add these to WORST, with the strings that make them work hardest"
    assert WORST.keys() <= patterns, "these are in WORST, but in no module"


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use.module}-{use.source[:20]}")
def test_pattern_takes_linear_time(use: Use) -> None:
    general = [repeat(one) for one in ("a", "/", "<", "\n", " ", "1", "a:", "%41", '"', "a\n")]
    for method in use.methods:
        for make in (*general, *WORST.get(use.source, ())):
            limit = BOUNDED.get(use.source)
            if limit is not None:
                assert seconds(use, method, make, limit) < 0.1
                continue
            assert is_linear(partial(seconds, use, method, make), LENGTH), make(20)


@pytest.mark.parametrize("text", ["a", "\n", "%41a", "a%20", "\n:", "%0A"])
def test_audit_of_long_values_takes_linear_time(text: str) -> None:
    """A value of 32,000 characters used to stall the audit for a minute."""

    def audit(n: int) -> float:
        start = time.thread_time()
        record = {"id": "x", "name": "n", "status": "active", "p": text * (n // len(text)) + "%20"}
        list(examine_image(None, record))
        return time.thread_time() - start

    assert is_linear(audit, 8_000)


def test_audit_of_many_encoded_values_takes_linear_time() -> None:
    """Each encoded value used to be compared with every other value of the image."""

    def audit(count: int) -> float:
        start = time.thread_time()
        properties = {f"p{number}": "a%20b" + "c" * 200 for number in range(count)}
        list(examine_image(None, {"id": "x", "name": "n", "status": "active", **properties}))
        return time.thread_time() - start

    assert is_linear(audit, 400)


def test_audit_reports_uninspected_values() -> None:
    record = {"id": "x", "name": "n", "status": "active", "p": "a" * 70_000 + "\n"}
    found = {one.kind.name: one.match for one in examine_image(None, record)}
    assert found["partly-inspected"].details == "65536 of 70001 characters were inspected"
    assert found["partly-inspected"].subject == "property p"
    assert "line-break" not in found
