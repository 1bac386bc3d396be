# SPDX-License-Identifier: Apache-2.0
"""The life cycle of one image, through every method, on every type of server."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import pytest

from glance_compat import exceptions
from tests.contract import shape
from tests.contract.shape import DATA, FORMATS, MD5
from tests.contract.targets import Target, everywhere


@everywhere
def test_image_life_cycle(target: Target, name: str) -> None:
    service = target.service()
    created = service.create(None, {"name": name, **FORMATS, "properties": {"a": "1"}})
    shape.check(created)
    queued = shape.new_image(target.projects["demo"], name, **FORMATS, properties={"a": "1"})
    assert shape.without_times(created) == queued
    assert service.show(None, created["id"]) == created
    assert service.detail(None, filters={"name": name}) == [created]

    changed = service.update(None, created["id"], {"min_ram": 7, "properties": {"b": "2"}})
    expected = {**queued, "min_ram": 7, "properties": {"b": "2"}}
    assert shape.without_times(changed) == expected
    assert service.show(None, created["id"]) == changed

    filled = service.update(None, created["id"], {}, data=io.BytesIO(DATA))
    expected = {**expected, "status": "active", "size": len(DATA), "checksum": MD5}
    assert shape.without_times(filled) == expected
    assert service.show(None, created["id"]) == filled
    assert b"".join(service.download(None, created["id"])) == DATA

    assert service.delete(None, created["id"]) is True
    with pytest.raises(exceptions.ImageNotFound):
        service.show(None, created["id"])
    assert service.detail(None, filters={"name": name}) == []


@everywhere
def test_times_come_from_the_server(target: Target, name: str) -> None:
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    created = target.service().create(None, {"name": name})
    after = datetime.datetime.now(datetime.timezone.utc)
    assert created["created_at"] is not None
    assert created["updated_at"] is not None
    assert before <= created["created_at"] <= created["updated_at"] <= after
    assert created["deleted_at"] is None


@everywhere
def test_image_with_data_is_active_immediately(target: Target, name: str, tmp_path: Path) -> None:
    service = target.service()
    created = service.create(None, {"name": name, **FORMATS}, data=DATA)
    shape.check(created)
    assert shape.without_times(created) == shape.new_image(
        target.projects["demo"], name, **FORMATS, status="active", size=len(DATA), checksum=MD5
    )
    assert service.show(None, created["id"]) == created
    assert service.detail(None, filters={"name": name}) == [created]
    path = tmp_path / "image"
    assert service.download(None, created["id"], dst_path=str(path)) is None
    assert path.read_bytes() == DATA


@everywhere
def test_image_needs_no_metadata(target: Target) -> None:
    created = target.service().create(None, {})
    shape.check(created)
    assert shape.without_times(created) == shape.new_image(target.projects["demo"], None)
    assert target.service().show(None, created["id"]) == created
