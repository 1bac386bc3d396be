# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin of glance-compat: an embedded Glance for each test that asks for one.

It stands outside the package, since pytest imports it in every run of whoever has glance-compat
installed: this must cost nothing, must not need what is not installed, and must not import a
package before coverage is there to see it. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping

import pytest

if typing.TYPE_CHECKING:
    from glance_compat import ImageService
    from glance_compat.fixture import GlanceFixture

_MARK = "glance_compat"
_BOTH = ("v1", "v2")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, for ``--strict-markers``."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(**options): options of glance_compat.fixture.GlanceFixture, for the embedded"
        " Glance that the test gets; those of the test count before those of its class and module",
    )


def _options(request: pytest.FixtureRequest) -> Mapping[str, typing.Any]:
    options: dict[str, typing.Any] = {}
    for mark in reversed(list(request.node.iter_markers(_MARK))):
        if mark.args:
            raise pytest.UsageError(f"the mark {_MARK} takes keywords: release='pike'")
        options |= mark.kwargs
    return options


def _running(request: pytest.FixtureRequest, apis: tuple[str, ...]) -> Iterator[GlanceFixture]:
    try:
        from glance_compat.fixture import GlanceFixture
    except ModuleNotFoundError as missing:
        install = "python3 -m pip install 'glance-compat[fixtures]'"
        pytest.fail(f"the embedded Glance needs {missing.name}: {install}", pytrace=False)
    with GlanceFixture(**{"apis": apis, **_options(request)}) as glance:
        yield glance


@pytest.fixture
def glance_compat_v1(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """An embedded Glance that offers the Images API v1 alone."""
    yield from _running(request, ("v1",))


@pytest.fixture
def glance_compat_v2(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """An embedded Glance that offers the Images API v2 alone."""
    yield from _running(request, ("v2",))


@pytest.fixture
def glance_compat_both(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """An embedded Glance that offers both Images APIs over the same images."""
    yield from _running(request, _BOTH)


@pytest.fixture(params=[("v1",), ("v2",), _BOTH], ids="+".join)
def glance_compat_each(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Each of the three in turn: the test runs three times."""
    yield from _running(request, request.param)


@pytest.fixture
def glance_compat_service(glance_compat_each: GlanceFixture) -> ImageService:
    """A glance_compat.ImageService over each embedded Glance, as an ordinary member."""
    from glance_compat import ImageService

    return ImageService(glance_compat_each.session())
