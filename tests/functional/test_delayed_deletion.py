# SPDX-License-Identifier: Apache-2.0
"""Real servers with delayed deletion: a deleted image is gone at once, over every API."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from glance_compat import exceptions
from tests.contract import targets
from tests.contract.shape import DATA
from tests.contract.targets import Api, Kind, Release, Target
from tests.functional.cloud import Cloud, Layout, lifecycle
from tests.functional.cloud.topology import SERVERS, VARIANTS

pytestmark = pytest.mark.functional

#: The server, the API and the release of each case.
CASES: tuple[tuple[str, Api, Release], ...] = (
    ("pike-delayed", "v1", "pike"),
    ("pike-delayed", "v2", "pike"),
    ("33-delayed", "v2", "33"),
)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def target(request: pytest.FixtureRequest, cloud: Cloud) -> Iterator[Target]:
    name, api, release = request.param
    more = [one for one in VARIANTS if one.name == name]
    outcome = lifecycle.extend(Layout.from_environment(), print, (*SERVERS, *more))
    found = targets.real(Kind(name, api, release, region=name), Cloud(outcome, cloud.unavailable))
    target = dataclasses.replace(
        found,
        wide_url=found.url,
        prefer="1" if api == "v1" else "2",
        place={"endpoint_override": found.url},
    )
    yield target
    target.clean()


@pytest.mark.parametrize("user", ["demo", "admin"])
def test_image_that_is_pending_deletion_is_gone(target: Target, name: str, user: str) -> None:
    image_id = target.make(name=name, data=DATA)
    service = target.service(user)
    assert service.delete(None, image_id) is True
    assert service.delete(None, image_id, missing_ok=True) is True
    for call in (
        lambda: service.delete(None, image_id),
        lambda: service.show(None, image_id, show_deleted=False),
        lambda: service.update(None, image_id, {"name": "other"}),
        lambda: service.download(None, image_id),
        lambda: service.members(None, image_id),
    ):
        with pytest.raises(exceptions.ImageNotFound):
            call()
    assert service.detail(None, filters={"name": name}) == []
    if target.is_v1 and user == "admin":
        # Only v1 shows deleted images, and only to an admin.
        shown = service.show(None, image_id)
        assert (shown["deleted"], shown["status"]) == (True, "pending_delete")
        assert shown["deleted_at"] is not None
    else:
        with pytest.raises(exceptions.ImageNotFound):
            service.show(None, image_id)


def test_image_without_data_is_deleted_at_once(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    assert target.service().delete(None, image_id) is True
    with pytest.raises(exceptions.ImageNotFound):
        target.service().show(None, image_id)
    if target.is_v1:
        assert target.service("admin").show(None, image_id)["status"] == "deleted"
