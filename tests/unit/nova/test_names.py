# SPDX-License-Identifier: Apache-2.0
"""The names and signatures of Nova 34's image module; compared with Nova itself in tests/nova."""

from __future__ import annotations

import inspect

import pytest

from glance_compat.nova import glance
from tests.nova.surface import SURFACE, found, spelt


@pytest.mark.parametrize("name", SURFACE)
def test_signatures_are_novas(name: str) -> None:
    assert spelt(found(glance, name)) == SURFACE[name]


def test_instances_cost_nothing() -> None:
    assert inspect.signature(glance.API).parameters == {}
    assert isinstance(glance.get_default_image_service(), glance.GlanceImageServiceV2)


def test_an_image_that_is_no_href_is_passed_on_as_it_is() -> None:
    service, image_id = glance.get_remote_image_service(None, "some-id")
    assert isinstance(service, glance.GlanceImageServiceV2)
    assert image_id == "some-id"


def test_the_wrapper_calls_nothing() -> None:
    wrapper = glance.GlanceClientWrapper(endpoint="http://glance.invalid:9292")
    assert wrapper.api_server == "http://glance.invalid:9292"
    with pytest.raises(NotImplementedError, match="ImageService"):
        wrapper.call(None, 2, "get", args=("some-id",))
