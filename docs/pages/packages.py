# SPDX-License-Identifier: Apache-2.0
"""The drawings of the packages: what each imports, and where it is drawn.

``tests/unit/test_architecture.py`` compares the imports with the source.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from pages.svg import Drawing


@dataclasses.dataclass(frozen=True)
class Package:
    """A package or module.

    :param row: the row in which it is drawn, from above. It may import only what is below it.
    :param column: the column in which it is drawn; halves are possible.
    :param imports: names of the packages that it imports, separated by spaces.
    """

    row: int
    column: float
    imports: str = ""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing of packages.

    :param bands: the title of each group of rows, with the number of its rows, from above.
    """

    title: str
    bands: Mapping[str, int]
    packages: Mapping[str, Package]


LIBRARY = Picture(
    "The packages of glance_compat",
    {
        "Programs, and the fixture": 3,
        "The facade": 2,
        "Calls": 4,
        "Requests": 2,
        "Shared by all": 3,
    },
    {
        "__main__": Package(0, 3, "cli"),
        "cli": Package(
            1,
            3,
            "exceptions types redaction urls options metadata streams transport discovery routing"
            " definitions service audit copying fixture",
        ),
        "fixture": Package(2, 3),
        "nova": Package(2, 1, "exceptions urls metadata streams backends transfers conf service"),
        "copying": Package(
            2,
            4,
            "exceptions types redaction options metadata streams transport discovery service"
            " audit",
        ),
        "service": Package(
            3,
            2,
            "exceptions types redaction threads options arguments metadata streams backends"
            " discovery routing definitions transfers conf from_glanceclient bound methods",
        ),
        "conf": Package(4, 0, "exceptions redaction options arguments"),
        "from_glanceclient": Package(4, 1, "exceptions options arguments"),
        "methods": Package(
            4,
            2,
            "exceptions types redaction options metadata streams transport backends routing"
            " definitions transfers",
        ),
        "bound": Package(4, 3),
        "transfers": Package(
            5,
            2,
            "exceptions redaction urls threads options metadata streams transport backends"
            " definitions routing",
        ),
        "definitions": Package(6, 2, "exceptions redaction options metadata transport routing"),
        "audit": Package(6, 4, "exceptions redaction metadata backends discovery routing"),
        "routing": Package(
            7, 2, "exceptions redaction urls options metadata transport backends discovery"
        ),
        "discovery": Package(
            8, 2, "exceptions redaction urls options metadata transport backends"
        ),
        "backends": Package(9, 2, "exceptions types redaction metadata streams transport"),
        "transport": Package(10, 2, "exceptions redaction urls options metadata streams"),
        "arguments": Package(11, 0.5, "options"),
        "options": Package(12, 1, "exceptions redaction urls"),
        "metadata": Package(12, 2, "exceptions redaction"),
        "streams": Package(12, 3, "exceptions redaction threads"),
        "urls": Package(13, 0.5),
        "exceptions": Package(13, 1.5),
        "redaction": Package(13, 2.5),
        "threads": Package(13, 3.5),
        "types": Package(11, 4),
    },
)

FIXTURE = Picture(
    "The packages of glance_compat.fixture",
    {"The fixture": 1, "Servers and their settings": 2, "Applications": 3, "Shared": 2},
    {
        "embedded": Package(
            0,
            2,
            "identity exchange glance application keystone faults servers settings_file"
            " parameters",
        ),
        "servers": Package(1, 2, "exchange application faults"),
        "parameters": Package(1, 3),
        "settings_file": Package(1, 4, "identity glance"),
        "faults": Package(2, 3),
        "application": Package(3, 2, "identity exchange glance v1 v2"),
        "keystone": Package(3, 0.2, "identity exchange"),
        "v1": Package(4, 1.5, "identity exchange glance"),
        "v2": Package(4, 2.5, "identity exchange glance"),
        "glance": Package(5, 3, "identity exchange"),
        "exchange": Package(6, 2.5, "identity"),
        "identity": Package(7, 2.5),
    },
)

_PITCH = (132.0, 56.0)
_BOX = (122.0, 30.0)
_MARGIN = 4.0
#: Height of the label of a band.
_LABEL = 14.0


def library() -> str:
    """Return the drawing of the library."""
    return str(_draw(LIBRARY))


def fixture() -> str:
    """Return the drawing of the fixture."""
    return str(_draw(FIXTURE))


def necessary(packages: Mapping[str, Package]) -> Iterator[tuple[str, str]]:
    """Yield the imports, without those that follow from others: the importer, and the imported."""
    below: dict[str, set[str]] = {}
    for name in sorted(packages, key=lambda name: -packages[name].row):
        direct = packages[name].imports.split()
        below[name] = {*direct, *(one for other in direct for one in below[other])}
    for name, package in packages.items():
        direct = package.imports.split()
        for one in direct:
            if not any(one in below[other] for other in direct):
                yield name, one


def _draw(picture: Picture) -> Drawing:
    columns = max(package.column for package in picture.packages.values()) + 1
    width = columns * _PITCH[0] + 2 * _MARGIN
    words = " ".join(
        f"{name} imports {', '.join(package.imports.split()) or 'nothing'}."
        for name, package in picture.packages.items()
    )
    height = sum(picture.bands.values()) * _PITCH[1] + len(picture.bands) * _LABEL
    drawing = Drawing(width, height, picture.title, words)
    middles_of_rows: list[float] = []
    top = 0.0
    for label, rows in picture.bands.items():
        drawing.band(0, top, width, rows * _PITCH[1] + _LABEL - 6, label)
        top += _LABEL
        middles_of_rows += [top + (row + 0.5) * _PITCH[1] - 6 for row in range(rows)]
        top += rows * _PITCH[1]
    middles = {
        name: (_MARGIN + (package.column + 0.5) * _PITCH[0], middles_of_rows[package.row])
        for name, package in picture.packages.items()
    }
    for upper, lower in necessary(picture.packages):
        (x, y), (x_end, y_end) = middles[upper], middles[lower]
        drawing.arrow((x, y + _BOX[1] / 2), (x_end, y_end - _BOX[1] / 2))
    for name, package in picture.packages.items():
        tooltip = f"{name} imports {package.imports or 'nothing'}"
        drawing.box(*middles[name], *_BOX, name, tooltip)
    return drawing
