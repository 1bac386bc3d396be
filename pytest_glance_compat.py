# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin of glance-compat: an embedded Glance for each test that uses its fixtures.

It is outside of the package ``glance_compat``, because pytest imports it in every run where
glance-compat is installed. This import must be fast, must not need an extra, and must not import
the package before coverage measurement starts. PYTEST_DONT_REWRITE
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
    """Register the plugin's mark, which ``--strict-markers`` requires."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(**parameters): parameters of glance_compat.fixture.GlanceFixture for the"
        " embedded Glance; those of a test override those of its class and module",
    )


def _parameters(request: pytest.FixtureRequest) -> Mapping[str, typing.Any]:
    parameters: dict[str, typing.Any] = {}
    for mark in reversed(list(request.node.iter_markers(_MARK))):
        if mark.args:
            raise pytest.UsageError(
                f"the mark {_MARK} takes keyword arguments only, such as release='pike'"
            )
        parameters |= mark.kwargs
    return parameters


def _run(request: pytest.FixtureRequest, apis: tuple[str, ...]) -> Iterator[GlanceFixture]:
    try:
        from glance_compat.fixture import GlanceFixture
    except ModuleNotFoundError as missing:
        install = "python3 -m pip install 'glance-compat[fixtures]'"
        pytest.fail(
            f"the embedded Glance needs the package {missing.name}; install it with: {install}",
            pytrace=False,
        )
    with GlanceFixture(**{"apis": apis, **_parameters(request)}) as glance:
        yield glance


@pytest.fixture
def glance_compat_v1(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide an embedded Glance with the Images API v1 only."""
    yield from _run(request, ("v1",))


@pytest.fixture
def glance_compat_v2(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide an embedded Glance with the Images API v2 only."""
    yield from _run(request, ("v2",))


@pytest.fixture
def glance_compat_both(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide an embedded Glance with both Images APIs over the same images."""
    yield from _run(request, _BOTH)


@pytest.fixture(params=[("v1",), ("v2",), _BOTH], ids="+".join)
def glance_compat_each(request: pytest.FixtureRequest) -> Iterator[GlanceFixture]:
    """Provide an embedded Glance with v1, v2 and both in turn: the test runs three times."""
    yield from _run(request, request.param)


@pytest.fixture
def glance_compat_service(glance_compat_each: GlanceFixture) -> ImageService:
    """Provide a glance_compat.ImageService for each of the three, as an ordinary member."""
    from glance_compat import ImageService

    return ImageService(glance_compat_each.session())
