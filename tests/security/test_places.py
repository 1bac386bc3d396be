# SPDX-License-Identifier: Apache-2.0
"""Each place that handles untrusted input has a row in ``places``, with its protection."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import glance_compat
from tests.security.places import PLACES

ROOT = Path(glance_compat.__file__).parent

#: The functions that identify each type of place: a name, or "module.name".
CALLS: Mapping[str, frozenset[str]] = {
    "parses a URL": frozenset(
        {
            "urlsplit",
            "urlparse",
            "urljoin",
            "parse_url",
            "parse_qs",
            "parse_qsl",
            "unquote",
            "unquote_to_bytes",
            "get_auth_from_url",
        }
    ),
    "follows a redirect": frozenset(
        {"redirect_target", "keeps_credentials_safe", "resolve_redirects"}
    ),
    "opens or reuses a connection": frozenset(
        {
            "create_connection",
            "create_server",
            "HTTPConnection",
            "ksa_session.Session",
            "ksa_adapter.Adapter",
            "sessions.image_session",
            "Session",
            "open_connection",
            "requests.get",
            "requests.post",
            "requests.request",
            "requests.Session",
            "start_server",
            "urlopen",
        }
    ),
    "caches per process": frozenset(
        {"lru_cache", "functools.cache", "ContextVar", "register_at_fork"}
    ),
    "writes a file": frozenset(
        {
            "open",
            "os.open",
            "fdopen",
            "dup2",
            "os.link",
            "mkdir",
            "makedirs",
            "mkstemp",
            "os.rename",
            "os.replace",
            "TemporaryFile",
            "NamedTemporaryFile",
            "truncate",
            "unlink",
            "write_bytes",
            "write_text",
        }
    ),
    "logs": frozenset(
        {
            *(
                f"LOG.{level}"
                for level in ("debug", "info", "warning", "error", "exception", "log")
            ),
            "print",
            "stderr.write",
            "warn",
        }
    ),
}


def find_places() -> Mapping[str, frozenset[str]]:
    """Return the functions with each type of place, as "module:function"."""
    found: dict[str, set[str]] = {kind: set() for kind in CALLS}
    for path in sorted(ROOT.rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix()
        for function, called in _calls(ast.parse(path.read_text("utf-8")), ""):
            for kind, names in CALLS.items():
                # A method of another object may be called "open".
                last = called.rpartition(".")[2]
                if called in names or (last != "open" and last in names):
                    found[kind].add(f"{module}:{function}")
    return {kind: frozenset(where) for kind, where in found.items()}


def _calls(node: ast.AST, where: str) -> Iterator[tuple[str, str]]:
    """Yield each call in a tree: the name of the function or class around it, and its own."""
    for child in ast.iter_child_nodes(node):
        inner = where
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{where}.{child.name}" if where else child.name
            for decorator in child.decorator_list:
                yield inner, _name(decorator)
        if isinstance(child, ast.Call):
            yield where or "<module>", _name(child.func)
        yield from _calls(child, inner)


def _name(node: ast.AST) -> str:
    """Return the last two names of a called function, as "module.name"."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        before = _name(node.value).rpartition(".")[2]
        return f"{before}.{node.attr}" if before else node.attr
    return node.id if isinstance(node, ast.Name) else ""


FOUND = find_places()


@pytest.mark.parametrize("kind", CALLS)
def test_each_place_has_its_protection(kind: str) -> None:
    listed = PLACES[kind]
    assert sorted(FOUND[kind] - listed.keys()) == [], (
        "add these to PLACES, with what protects them"
    )
    assert sorted(listed.keys() - FOUND[kind]) == [], "these are in PLACES, but not in the source"


def test_each_kind_of_place_is_listed() -> None:
    assert list(PLACES) == list(CALLS)
