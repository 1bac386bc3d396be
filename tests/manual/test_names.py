# SPDX-License-Identifier: Apache-2.0
"""Every public name has one place in the manual: a link and the search find it.

One place at most: Sphinx warns about a name that two pages document, and warnings are errors.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator

import glance_compat
import pytest_glance_compat
from glance_compat import conf, copying, exceptions, fixture, nova
from glance_compat.audit.sanity_kinds import ALL_KINDS_BY_NAME
from glance_compat.cli.commands import COMMANDS
from glance_compat.discovery.versions import CAPABILITIES
from glance_compat.fixture import faults
from glance_compat.metadata.filters import FILTERS, SORT_KEYS
from tests.manual.pages import documented, pages


def names_of_the_library() -> Iterator[str]:
    """Yield the public names that docs/compatibility.rst lists, as Python spells them."""
    exported = {name for name in glance_compat.__all__ if name != "exceptions"}
    yield from (f"glance_compat.{name}" for name in exported)
    for kind in (glance_compat.ImageService, glance_compat.BoundImageService):
        methods = (name for name in dir(kind) if not name.startswith("_"))
        yield from (f"glance_compat.{kind.__name__}.{name}" for name in methods)
    for field in dataclasses.fields(glance_compat.Options):
        yield f"glance_compat.Options.{field.name}"
    for name, one in vars(exceptions).items():
        if inspect.isclass(one) and issubclass(one, exceptions.GlanceCompatError):
            yield f"glance_compat.exceptions.{name}"
    yield from (f"{conf.__name__}.{name}" for name in ("register_opts", "list_opts"))
    yield from (f"{copying.__name__}.{name}" for name in copying.__all__)
    yield from (f"{nova.__name__}.{name}" for name in ("install", "uninstall", "is_installed"))
    retries = ("set_hooks", "Retrying", "without_pauses")
    yield from (f"glance_compat.transport.retry.{name}" for name in retries)


def names_for_tests() -> Iterator[str]:
    """Yield the public names of the embedded Glance, its faults and the pytest plugin."""
    yield from (f"{fixture.__name__}.{name}" for name in fixture.__all__)
    yield from (f"{faults.__name__}.{name}" for name in faults.__all__ if name != "FAULTS")
    fixtures = (name for name in vars(pytest_glance_compat) if name.startswith("glance_compat_"))
    yield from (f"{pytest_glance_compat.__name__}.{name}" for name in fixtures)


def in_python() -> set[str]:
    """Return everything that the manual documents as Python."""
    return {
        name for kind, names in documented().items() if kind.startswith("py:") for name in names
    }


def test_public_names_of_the_library_are_documented() -> None:
    assert set(names_of_the_library()) - in_python() == set()


def test_public_names_for_tests_are_documented() -> None:
    assert set(names_for_tests()) - in_python() == set()


def test_generated_objects_are_documented() -> None:
    assert documented()["std:capability"] == set(CAPABILITIES)
    assert documented()["std:filter"] == {row.name for row in FILTERS}
    assert documented()["std:sort-key"] == SORT_KEYS
    assert documented()["std:finding"] == set(ALL_KINDS_BY_NAME)


def test_commands_are_documented() -> None:
    sections = {f"command-{name.replace(' ', '-')}" for name in COMMANDS}
    assert sections - documented()["std:label"] == set()
    programs = {name.partition(".")[0] for name in documented()["std:cmdoption"]}
    assert "glance-compat-audit" in programs
    assert programs <= {"glance-compat", *(f"glance-compat-{name}" for name in _dashed())}


def _dashed() -> set[str]:
    return {name.replace(" ", "-") for name in COMMANDS}


def test_configuration_options_are_documented() -> None:
    [(group, options)] = conf.list_opts()
    anchors = pages()["configuration-options.html"].ids
    assert {f"{group}.{option.dest}" for option in options} - anchors == set()
