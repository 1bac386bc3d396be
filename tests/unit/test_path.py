# SPDX-License-Identifier: Apache-2.0
"""The number of modules that a warm call enters, which a reader must follow."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

from glance_compat import ImageService
from glance_compat.fixture import GlanceFixture

FORMATS = {"disk_format": "raw", "container_format": "bare"}


def modules_entered(call: Callable[[], object]) -> set[str]:
    """Return the modules of the library, without the fixture, that run during a call."""
    entered: set[str] = set()

    def profile(frame: types.FrameType, event: str, argument: object) -> None:
        if event == "call":
            entered.add(str(frame.f_globals.get("__name__")))

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return {
        name
        for name in entered
        if name.startswith("glance_compat.") and not name.startswith("glance_compat.fixture")
    }


@pytest.mark.parametrize("sockets", [False, True], ids=["mounted", "sockets"])
@pytest.mark.parametrize("api", ["v1", "v2"])
def test_warm_calls_enter_few_modules(api: str, sockets: bool) -> None:
    with GlanceFixture(apis=(api,)) as glance:
        session = glance.session()
        if not sockets:
            glance.mount(session.session)
        service = ImageService(session, endpoint_override=glance.url)
        image_id = service.create(None, FORMATS, b"data")["id"]
        service.show(None, image_id)
        shown = modules_entered(lambda: service.show(None, image_id))
        created = modules_entered(lambda: service.create(None, FORMATS, b"data"))
    assert len(shown) <= 12, sorted(shown)
    assert len(created) <= 16, sorted(created)
