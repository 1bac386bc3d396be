# SPDX-License-Identifier: Apache-2.0
"""The snippets for Cinder and Ironic on the page "Nova", on every server."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract.places import Place, place, real_place
from tests.contract.shape import DATA, FORMATS
from tests.contract.targets import Target

__all__ = ["place", "real_place"]

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets" / "services"


def snippet(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SNIPPETS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cinder(target: Target) -> Any:
    return snippet("cinder").GlanceImageService(target.service(extended=True))


def ironic(target: Target) -> Any:
    return snippet("ironic").GlanceImageService(target.service(extended=True))


def test_cinder_reads_image_locations(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    direct_url, locations = cinder(target).get_location(None, image_id)
    if target.is_v1:
        assert (direct_url, locations) == (None, [])
    else:
        assert [one["url"] for one in locations] == [direct_url]


def test_cinder_adds_a_location(place: Place, name: str) -> None:
    image_id = place.target.make(name=name)
    added = cinder(place.target).add_location(None, image_id, f"{place.source}/data")
    assert (added["status"], added["size"]) == ("active", len(DATA))


def test_cinder_lists_members(target: Target, name: str) -> None:
    image_id = target.make(name=name, visibility="shared")
    assert cinder(target).list_members(None, image_id) == []
    target.share(image_id, "other")
    [member] = cinder(target).list_members(None, image_id)
    assert member["member_id"] == target.projects["other"]
    assert member["status"] == (None if target.is_v1 else "pending")


def test_cinder_purges_properties_with_and_without_data(target: Target, name: str) -> None:
    image_id = target.make(name=name, properties={"old": "1"})
    meta = {"name": name, **FORMATS, "properties": {"new": "2"}}
    changed = cinder(target).update(None, image_id, meta, io.BytesIO(DATA))
    assert (changed["status"], changed["properties"]) == ("active", {"new": "2"})


def test_ironic_shows_image_by_href(target: Target, name: str) -> None:
    image_id, file = target.make(name=name, data=DATA), io.BytesIO()
    for href in (image_id, f"glance://{image_id}"):
        image = ironic(target).show(href)
        assert (image["id"], image["created_at"].tzinfo) == (image_id, None)
    ironic(target).download(f"glance://{image_id}", file)
    assert file.getvalue() == DATA


def test_ironic_refuses_undeployable_images(target: Target, name: str) -> None:
    queued = target.make(name=name)
    with pytest.raises(exceptions.ImageUnacceptable):
        ironic(target).show(f"glance://{queued}")
    for href in ("file:///etc/hosts", "glance://a/b", "glance://../v1", "http://x/v2/images/i"):
        with pytest.raises(exceptions.InvalidImageRef):
            ironic(target).show(href)


def test_page_includes_service_snippets() -> None:
    page = (SNIPPETS.parents[1] / "nova.rst").read_text()
    for path in SNIPPETS.glob("*.py"):
        assert f".. literalinclude:: snippets/services/{path.name}" in page
