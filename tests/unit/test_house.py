# SPDX-License-Identifier: Apache-2.0
"""The plan of the house: which module may import which, read from the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[2] / "glance_compat"

#: A module may import only what stands before it. This is the one place that declares it.
ORDER = (
    "quoting",
    "exceptions",
    "urls",
    "options",
    "versions",
    "kinds",
    "image",
    "change",
    "percent",
    "traces",
    "audit",
    "filters",
    "deviations",
    "headers",
    "retry",
    "transfer",
    "destination",
    "failures",
    "message",
    "receiving",
    "sessions",
    "wire",
    "api",
    "listing",
    "v1",
    "v2",
    "memory",
    "discovery",
    "endpoints",
    "caller",
    "dispatch",
    "upload",
    "resume",
    "signatures",
    "locations",
    "rbd",
    "download",
    "takeover",
    "conf",
    "service",
)

#: Hosts may import all of ORDER and, of the other hosts, these: the command line serves a fixture.
HOSTS: dict[str, frozenset[str]] = {
    "nova": frozenset(),
    "fixture": frozenset(),
    "cli": frozenset({"fixture"}),
}

#: The same for the floors of the fixture; a file beside the floors is one of its own.
FLOORS = (
    "identity",
    "exchange",
    "glance",
    "v1",
    "v2",
    "application",
    "keystone",
    "faults",
    "fronts",
    "embedded",
)

#: Arrows that point left and are forbidden all the same.
FORBIDDEN = {
    # The two APIs are two implementations of one port.
    "v2": frozenset({"v1"}),
    # A fake that shares the tables proves nothing about them.
    "fixture": frozenset({"kinds", "image", "change", "filters"}),
}

#: Other people's packages that only some modules may import.
RESERVED = {
    "oslo_config": frozenset({"conf"}),
    "keystoneauth1": frozenset(
        {
            *("failures", "receiving", "sessions", "wire", "discovery", "endpoints", "caller"),
            *("dispatch", "takeover", "service", "conf", "nova", "fixture", "cli"),
        }
    ),
}

#: Packages that are imported when they are needed, never with the module.
LATE = frozenset({"glanceclient", "castellan", "cryptography", "cursive", "nova", "rados", "rbd"})

VAGUE_NAMES = frozenset({"utils", "util", "helpers", "helper", "common", "base", "manager"})


class Import(NamedTuple):
    """One imported name with all its dots; ``late`` when it stands in a function."""

    name: str
    late: bool


def imports_of(source: str) -> Iterator[Import]:
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
            yield from (Import(alias.name, id(node) in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # Relative imports are not used (ruff TID252), so there is always a module.
            for alias in node.names:
                yield Import(f"{node.module}.{alias.name}", id(node) in late)


def violations(module: str, source: str) -> list[str]:
    """Return a sentence for each import that the module may not have.

    :param module: the name below the package: ``wire``, or ``fixture`` for all of that package.
    """
    found = []
    for name, late in imports_of(source):
        top, _, rest = name.partition(".")
        if top == "glance_compat":
            found += _own(module, rest.partition(".")[0])
        elif module not in RESERVED.get(top, {module}):
            found.append(f"{module} imports {top}")
        elif top in LATE and not late:
            found.append(f"{module} imports {top} with the module")
    return found


def _own(module: str, target: str) -> list[str]:
    if target == module and module in HOSTS:
        return []
    if target not in allowed(module):
        return [f"{module} imports {target}"]
    return []


def allowed(module: str) -> frozenset[str]:
    if module in HOSTS:
        return (frozenset(ORDER) | HOSTS[module]) - FORBIDDEN.get(module, frozenset())
    left = ORDER[: ORDER.index(module)]
    return frozenset(left) - FORBIDDEN.get(module, frozenset())


def module_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_left_only(path: Path) -> None:
    assert module_of(path) in {*ORDER, *HOSTS}, "a module that is not in the declared order"
    assert violations(module_of(path), path.read_text()) == []


def floor_violations(floor: str, source: str) -> list[str]:
    """Return a sentence for each import with which a floor of the fixture looks up."""
    names = (name.split(".") for name, _ in imports_of(source))
    known = {name[2] for name in names if name[:2] == ["glance_compat", "fixture"]} - {floor}
    allowed = set(FLOORS[: FLOORS.index(floor)]) - ({"v1"} if floor == "v2" else set())
    return [f"{floor} imports {other}" for other in sorted(known - allowed)]


FIXTURE = PACKAGE / "fixture"
FLOOR_SOURCES = [path for path in SOURCES if FIXTURE in path.parents and path.parent != FIXTURE]
FLOOR_SOURCES += [path for path in FIXTURE.glob("*.py") if path.stem != "__init__"]


@pytest.mark.parametrize("path", FLOOR_SOURCES, ids=lambda path: str(path.relative_to(FIXTURE)))
def test_the_floors_of_the_fixture_stand_on_those_below(path: Path) -> None:
    floor = path.relative_to(FIXTURE).with_suffix("").parts[0]
    assert floor in FLOORS, "a floor that is not in the declared order"
    assert floor_violations(floor, path.read_text()) == []


def test_a_floor_that_looks_up_is_noticed() -> None:
    assert floor_violations("v2", "from glance_compat.fixture.v1.metadata import view") == [
        "v2 imports v1"
    ]
    assert floor_violations("glance", "import glance_compat.fixture.fronts.door") == [
        "glance imports fronts"
    ]
    assert floor_violations("fronts", "from glance_compat.fixture.faults import Cut") == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("exceptions", "from glance_compat import options", "exceptions imports options"),
        ("image", "from glance_compat.wire import Request", "image imports wire"),
        ("image", "import glance_compat.wire", "image imports wire"),
        ("wire", "from glance_compat import ImageService", "wire imports ImageService"),
        ("v1", "from glance_compat import v2", "v1 imports v2"),
        ("v2", "from glance_compat import v1", "v2 imports v1"),
        ("discovery", "def f():\n    from glance_compat import service", "discovery imports serv"),
        ("service", "from glance_compat import nova", "service imports nova"),
        ("nova", "from glance_compat.fixture import GlanceFixture", "nova imports fixture"),
        ("fixture", "from glance_compat import image", "fixture imports image"),
        ("fixture", "from glance_compat.filters import Query", "fixture imports filters"),
        ("service", "from oslo_config import cfg", "service imports oslo_config"),
        ("retry", "import keystoneauth1.exceptions", "retry imports keystoneauth1"),
        ("service", "try:\n    import glanceclient\nexcept E: pass", "with the module"),
    ],
)
def test_a_wrong_arrow_is_noticed(module: str, source: str, complaint: str) -> None:
    [sentence] = violations(module, source)
    assert complaint in sentence


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("options", "from glance_compat import exceptions"),
        ("v2", "from glance_compat.api import Page"),
        ("service", "def f():\n    from glance_compat import conf"),
        ("service", "def f():\n    import glanceclient"),
        ("conf", "from oslo_config import cfg"),
        ("cli", "from glance_compat.fixture import GlanceFixture"),
        ("fixture", "from glance_compat.fixture.glance.records import Image"),
        ("wire", "import requests, keystoneauth1.session"),
    ],
)
def test_a_right_arrow_is_not(module: str, source: str) -> None:
    assert violations(module, source) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_names_say_something(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES


ARCHITECTURE = PACKAGE.parent / "docs" / "architecture.rst"


def drawing() -> list[str]:
    """Draw each room with the rooms that it knows, in the order of the house."""
    known: dict[str, set[str]] = {}
    for path in SOURCES:
        module = module_of(path)
        names = (one.name.split(".") for one in imports_of(path.read_text()))
        own = {name[1] for name in names if name[0] == "glance_compat"}
        known[module] = known.get(module, set()) | own - {module}
    rooms = [room for room in (*ORDER, *HOSTS) if room in known]
    order = {room: place for place, room in enumerate((*ORDER, *HOSTS))}
    return [
        f"{room:<12}{' '.join(sorted(known[room], key=lambda one: order[one]))}".rstrip()
        for room in rooms
    ]


def test_the_architecture_page_draws_the_house_as_it_is() -> None:
    page = ARCHITECTURE.read_text()
    block = page.partition("   :name: the-house\n")[2].partition("\n\n\n")[0]
    drawn = [line.strip() for line in block.splitlines() if line.strip()]
    assert drawn == drawing(), "docs/architecture.rst should have:\n" + "\n".join(drawing())


def test_every_file_names_its_licence() -> None:
    tests = PACKAGE.parent / "tests"
    texts = {path: path.read_text() for path in [*PACKAGE.rglob("*.py"), *tests.rglob("*.py")]}
    first_line = "# SPDX-License-Identifier: Apache-2.0\n"
    assert [path for path, text in texts.items() if text and not text.startswith(first_line)] == []


def test_importing_the_package_does_not_import_what_only_some_need() -> None:
    program = (
        "import sys, glance_compat\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'oslo_config', 'glanceclient', 'eventlet', 'cursive', 'cliff', 'werkzeug'}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr
