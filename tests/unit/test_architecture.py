# SPDX-License-Identifier: Apache-2.0
"""Imports match the drawings of docs/architecture.rst, and point down in them."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pages import packages

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "glance_compat"

#: Imports that point down in the drawing but are forbidden.
FORBIDDEN = {
    # Two implementations of one protocol must not depend on each other.
    "backends/v1": "glance_compat.backends.v2",
    "backends/v2": "glance_compat.backends.v1",
    # A fake that shares the tables would prove nothing about them.
    "fixture": "glance_compat.metadata",
}

#: Packages of other projects, and the only modules that may import them.
RESERVED = {
    "oslo_config": {"conf.py"},
    "keystoneauth1": {
        *("arguments.py", "transport", "discovery", "routing", "service.py", "conf.py"),
        "from_glanceclient.py",
        *("nova", "fixture", "cli"),
    },
}

#: Packages that are imported only inside functions, because not every program needs them.
LATE = {"glanceclient", "castellan", "cryptography", "cursive", "nova", "rados", "rbd"}


def imported(source: str) -> Iterator[tuple[str, bool]]:
    """Yield each imported name with all its dots, and whether a function imports it."""
    tree = ast.parse(source)
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    late = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, functions)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}", id(node) in late


def arrows(root: Path) -> dict[str, set[str]]:
    """Return the neighbours that each module or package directly below ``root`` imports."""
    prefix = f"{root.relative_to(ROOT).as_posix().replace('/', '.')}."
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root).with_suffix("").parts[0]
        if place == "__init__":
            continue
        names = [name for name, _ in imported(path.read_text())]
        neighbours = {
            name[len(prefix) :].split(".")[0] for name in names if name.startswith(prefix)
        }
        found.setdefault(place, set()).update(neighbours - {place})
    return found


PICTURES = pytest.mark.parametrize(
    ("picture", "root"),
    [(packages.LIBRARY, PACKAGE), (packages.FIXTURE, PACKAGE / "fixture")],
    ids=["library", "fixture"],
)


@PICTURES
def test_drawing_matches_imports_and_points_down(picture: packages.Picture, root: Path) -> None:
    drawn, found = picture.packages, arrows(root)
    order = list(drawn)[::-1]
    lines = [f"{place}: {' '.join(sorted(found[place], key=order.index))}" for place in order]
    assert set(drawn) == set(found), "every module or package has a box in the drawing"
    assert {place: set(one.imports.split()) for place, one in drawn.items()} == found, "\n".join(
        lines
    )
    upwards = [
        (place, name)
        for place, names in found.items()
        for name in names
        if drawn[name].row <= drawn[place].row
    ]
    assert upwards == []


@PICTURES
def test_no_arrow_of_the_drawing_crosses_a_box(picture: packages.Picture, root: Path) -> None:
    drawn = picture.packages
    assert sum(picture.bands.values()) == max(one.row for one in drawn.values()) + 1
    places = [(one.row, one.column) for one in drawn.values()]
    assert not [
        (one, other)
        for one, other in itertools.combinations(places, 2)
        if one[0] == other[0] and abs(one[1] - other[1]) < 1
    ], "boxes overlap"
    for upper, lower in packages.necessary(drawn):
        start, end = drawn[upper], drawn[lower]
        for name, box in drawn.items():
            if start.row < box.row < end.row:
                part = (box.row - start.row) / (end.row - start.row)
                column = start.column + part * (end.column - start.column)
                assert abs(column - box.column) > 0.5, f"{upper} -> {lower} crosses {name}"


@PICTURES
def test_drawing_names_every_package(picture: packages.Picture, root: Path) -> None:
    drawing = packages.library() if picture is packages.LIBRARY else packages.fixture()
    tree = ElementTree.fromstring(drawing)  # noqa: S314 - the project's own text
    texts = [text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert sorted(set(texts) - set(picture.bands)) == sorted(picture.packages)
    heads = list(tree.iter("{http://www.w3.org/2000/svg}polygon"))
    assert len(heads) == len(list(packages.necessary(picture.packages)))


def complaints(where: str, source: str) -> list[str]:
    """Return a sentence for each import that a file may not have.

    :param where: the path of the file below the package.
    """
    top = where.partition("/")[0]
    forbidden = next((FORBIDDEN[one] for one in FORBIDDEN if where.startswith(f"{one}/")), "-")
    found = []
    for name, late in imported(source):
        package = name.partition(".")[0]
        if f"{name}.".startswith(f"{forbidden}."):
            found.append(f"{where} imports {forbidden}")
        elif top not in RESERVED.get(package, {top}):
            found.append(f"{where} imports {package}")
        elif package in LATE and not late:
            found.append(f"{where} imports {package} outside of a function")
    return found


def test_no_module_has_a_forbidden_import() -> None:
    paths = sorted(PACKAGE.rglob("*.py"))
    assert len(paths) > 100
    assert [
        one
        for path in paths
        for one in complaints(path.relative_to(PACKAGE).as_posix(), path.read_text())
    ] == []


@pytest.mark.parametrize(
    ("where", "source", "complaint"),
    [
        (
            "backends/v1/images.py",
            "from glance_compat.backends import v2",
            "imports glance_compat.b",
        ),
        (
            "backends/v2/images.py",
            "import glance_compat.backends.v1",
            "imports glance_compat.backends.v1",
        ),
        ("fixture/v1/data.py", "from glance_compat.metadata.fields import FIELDS", "metadata"),
        ("service.py", "from oslo_config import cfg", "imports oslo_config"),
        ("metadata/fields.py", "import keystoneauth1.exceptions", "imports keystoneauth1"),
        ("service.py", "try:\n    import glanceclient\nexcept E: pass", "outside of a function"),
    ],
)
def test_forbidden_import_is_reported(where: str, source: str, complaint: str) -> None:
    [sentence] = complaints(where, source)
    assert complaint in sentence


def test_every_file_names_its_licence() -> None:
    texts = {
        path: path.read_text()
        for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    }
    first_line = "# SPDX-License-Identifier: Apache-2.0\n"
    assert [path for path, text in texts.items() if text and not text.startswith(first_line)] == []


def test_import_of_the_package_loads_no_optional_package() -> None:
    program = (
        "import sys, glance_compat\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'oslo_config', 'glanceclient', 'eventlet', 'cursive', 'cliff', 'werkzeug'}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr


def test_import_of_the_service_does_not_load_oslo_utils() -> None:
    # Its import takes longer than that of this library.
    program = (
        "import sys; from glance_compat import ImageService\n"
        "print(sorted(name for name in sys.modules if name.startswith('oslo_utils')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr
