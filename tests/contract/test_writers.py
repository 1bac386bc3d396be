# SPDX-License-Identifier: Apache-2.0
"""Concurrent writers: one acts between two requests of another."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

import pytest
import requests
import tenacity

from glance_compat import ImageService, Options, exceptions
from tests.contract.targets import Target, on_v2, only


def interrupted(
    target: Target, method: str, meanwhile: Callable[[], object], times: int = 1, **options: Any
) -> ImageService:
    """Return a service, and run a function after its requests with a method.

    :param times: number of requests after which the function runs.
    """
    left = [meanwhile] * times
    session = target.new_session()

    def interrupt(response: requests.Response, *args: object, **kwargs: object) -> None:
        if response.request.method == method and left:
            left.pop()()

    service = ImageService(
        session, **target.place, options=Options(**{"prefer": target.prefer, **options})
    )
    service.discover()
    session.session.hooks["response"].append(interrupt)
    return service


def remove(name: str) -> dict[str, str]:
    return {"op": "remove", "path": f"/{name}"}


def test_purge_survives_concurrent_property_removal(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"a": "1", "b": "2"})
    service = interrupted(
        target, "HEAD" if target.is_v1 else "GET", lambda: target.patch(image_id, remove("a"))
    )
    changed = service.update(None, image_id, {"properties": {"c": "3"}})
    assert changed["properties"] == {"c": "3"}
    assert target.service().show(None, image_id)["properties"] == {"c": "3"}


def test_update_preserves_concurrently_added_property(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"a": "1"})
    add = {"op": "add", "path": "/b", "value": "2"}
    service = interrupted(
        target, "HEAD" if target.is_v1 else "GET", lambda: target.patch(image_id, add)
    )
    whole = target.service().show(None, image_id)
    whole["properties"]["c"] = "3"
    service.update(None, image_id, whole, purge_props=False)
    shown = target.service().show(None, image_id)
    assert shown["properties"] == {"a": "1", "b": "2", "c": "3"}


def test_image_deleted_concurrently_is_not_found(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"a": "1"})
    service = interrupted(
        target,
        "HEAD" if target.is_v1 else "GET",
        lambda: target.send("DELETE", f"/v2/images/{image_id}"),
    )
    with pytest.raises(exceptions.ImageNotFound):
        service.update(None, image_id, {"properties": {"c": "3"}})


@on_v2
@pytest.mark.parametrize("verify", [True, False])
def test_concurrently_undone_change_is_repeated(target: Target, name: str, verify: bool) -> None:
    image_id = target.make(name=name, properties={"a": "1"})
    service = interrupted(
        target, "PATCH", lambda: target.patch(image_id, remove("b")), verify_updates=verify
    )
    service.update(None, image_id, {"properties": {"b": "2"}}, purge_props=False)
    expected = {"a": "1", "b": "2"} if verify else {"a": "1"}
    assert target.service().show(None, image_id)["properties"] == expected


@on_v2
def test_concurrently_undone_removal_is_repeated(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"a": "1", "b": "2"})
    add = {"op": "add", "path": "/a", "value": "again"}
    service = interrupted(
        target, "PATCH", lambda: target.patch(image_id, add), verify_updates=True
    )
    service.update(None, image_id, {"properties": {"b": "2"}}, purge_props=True)
    assert target.service().show(None, image_id)["properties"] == {"b": "2"}


@on_v2
def test_always_undone_change_is_a_conflict(target: Target, name: str) -> None:
    image_id = target.make(name=name)
    service = interrupted(
        target,
        "PATCH",
        lambda: target.patch(image_id, remove("b")),
        times=100,
        verify_updates=True,
    )
    with pytest.raises(exceptions.UpdateConflict) as caught:
        service.update(None, image_id, {"properties": {"b": "2"}}, purge_props=False)
    assert caught.value.image_id == image_id


@only(lambda kind: kind.region is not None or kind.name == "http-v2")
def test_concurrent_verifying_writers_lose_nothing(target: Target, name: str) -> None:
    wanted = {f"writer_{number}": str(number) for number in range(4)}
    image_id = target.make(name=name)
    service = target.service(verify_updates=True)

    # If several clients write at the same time, SQLite rejects some writes: status 500.
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(
            (exceptions.BadResponse, exceptions.UpdateConflict)
        ),
        stop=tenacity.stop_after_attempt(30),
        wait=tenacity.wait_random(0, 0.2),
    )
    def write(key: str) -> None:
        service.update(None, image_id, {"properties": {key: wanted[key]}}, purge_props=False)

    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(write, wanted))
    found = target.service().show(None, image_id)["properties"]
    # A writer that began earlier can undo an update that is not verified.
    assert found.items() <= wanted.items()
    if target.is_v1:
        assert found == wanted
    assert found
