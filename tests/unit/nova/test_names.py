# SPDX-License-Identifier: Apache-2.0
"""The names and signatures of Nova 34's image module; compared with Nova itself in tests/nova."""

from __future__ import annotations

import inspect

import pytest

from glance_compat.nova import glance
from tests.nova.surface import SURFACE, found, spelt


@pytest.mark.parametrize("name", SURFACE)
def test_signatures_match_nova(name: str) -> None:
    assert spelt(found(glance, name)) == SURFACE[name]


def test_api_and_service_need_no_arguments() -> None:
    assert inspect.signature(glance.API).parameters == {}
    assert isinstance(glance.get_default_image_service(), glance.GlanceImageServiceV2)


def test_image_id_is_passed_on_unchanged() -> None:
    service, image_id = glance.get_remote_image_service(None, "some-id")
    assert isinstance(service, glance.GlanceImageServiceV2)
    assert image_id == "some-id"


def test_client_wrapper_refuses_calls() -> None:
    wrapper = glance.GlanceClientWrapper(endpoint="http://glance.invalid:9292")
    assert wrapper.api_server == "http://glance.invalid:9292"
    with pytest.raises(NotImplementedError, match="ImageService"):
        wrapper.call(None, 2, "get", args=("some-id",))
