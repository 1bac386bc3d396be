# SPDX-License-Identifier: Apache-2.0
"""A real Glance 33 one of whose stores cannot be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from glance_compat import exceptions
from tests.contract import targets
from tests.contract.places import patiently
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Kind, Target
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS

pytestmark = pytest.mark.functional

NAME = "33-stores"


@pytest.fixture
def target(cloud: Cloud) -> Iterator[Target]:
    """Return the server after its store "slow" has lost its folder."""
    layout = Layout.from_environment()
    more = [one for one in VARIANTS if one.name == NAME]
    found = Cloud(lifecycle.extend(layout, print, (*SERVERS, *more)), cloud.unavailable)
    target = targets.real(Kind(NAME, "v2", "33", region=NAME), found)
    folder = layout.data(NAME) / "slow"
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield target
    finally:
        away.rename(folder)
        target.clean()


def test_broken_store_is_named(target: Target, name: str) -> None:
    service, meta = target.service("admin", extended=True), {"name": name, **FORMATS}
    stored = service.import_image(None, meta, data=DATA, stores=["fast"])
    with pytest.raises(exceptions.ImportFailed) as caught:
        service.copy_to_stores(None, stored["id"], ["slow"], wait=True)
    assert caught.value.failed_stores == ("slow",)
    assert caught.value.reasons == ("Task failed due to Internal Error",)
    assert extended(service.show(None, stored["id"]))["stores"] == ["fast"]
    service.delete(None, stored["id"])

    with pytest.raises(exceptions.ImportFailed) as caught:
        service.import_image(None, meta, data=DATA, all_stores=True)
    assert caught.value.failed_stores == ("slow",)
    patiently(lambda: target.leftovers(name) == [])

    image = service.import_image(
        None, meta, data=DATA, all_stores=True, all_stores_must_succeed=False
    )
    assert extended(image)["stores"] == ["fast"]
    assert image["properties"]["os_glance_failed_import"] == "slow"
