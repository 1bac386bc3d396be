# SPDX-License-Identifier: Apache-2.0
"""The replacement has the names of Nova's own module."""

from __future__ import annotations

import pytest
from nova.image import glance as novas

from glance_compat.nova import glance as ours
from tests.nova.surface import SURFACE, found, spelt


@pytest.mark.parametrize("name", SURFACE)
def test_signatures_match_novas_module(name: str) -> None:
    assert spelt(found(novas, name)) == SURFACE[name]


def test_no_public_name_is_missing() -> None:
    def public(module: object) -> set[str]:
        own = getattr(module, "__name__", "")
        names = {name for name in vars(module) if not name.startswith("_")}
        return {
            name for name in names if getattr(getattr(module, name), "__module__", None) == own
        }

    assert public(novas) <= public(ours)
    for name in ("API", "GlanceImageServiceV2"):
        methods = {one for one in vars(getattr(novas, name)) if not one.startswith("_")}
        assert methods - set(vars(getattr(ours, name))) <= {"rbd_download"}
