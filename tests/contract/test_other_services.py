# SPDX-License-Identifier: Apache-2.0
"""The snippets on the page "Other services", on every server."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from glance_compat import exceptions
from tests.contract.places import Place, patiently, place, real_place
from tests.contract.shape import DATA, FORMATS, extended
from tests.contract.targets import Target, on_33, on_v1

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
    service = cinder(place.target)
    service.add_location(None, image_id, f"{place.source}/data")
    patiently(lambda: place.target.service().show(None, image_id)["status"] == "active")
    assert place.target.service().show(None, image_id)["size"] == len(DATA)


def test_cinder_lists_stores(target: Target) -> None:
    stores = cinder(target).get_stores(None)
    wanted = ["fast", "slow"] if target.kind.release == "33" else []
    assert [one["id"] for one in stores] == wanted


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
    url = ironic(target).get_location(f"glance://{image_id}")
    assert (url is None) is target.is_v1


@on_33
def test_nova_copies_an_image_to_a_store(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    module = snippet("nova").ImageModule(target.service("admin", extended=True))
    for _ in range(2):
        module.copy_image_to_store(None, image_id, ["slow"])
        stored = extended(target.service("admin", extended=True).show(None, image_id))
        assert sorted(stored["stores"] or []) == ["fast", "slow"]


def test_nova_reads_and_adds_locations(place: Place, name: str) -> None:
    image_id = place.target.make(name=name)
    module = snippet("nova").ImageModule(place.target.service("admin"))
    assert module.locations_of(None, image_id) == []
    module.snapshot_at(None, image_id, f"{place.source}/data")
    patiently(lambda: place.target.service().show(None, image_id)["status"] == "active")
    [location] = module.locations_of(None, image_id)
    assert location["url"] == f"{place.source}/data"


@on_v1
def test_nova_reads_no_locations_over_v1(target: Target, name: str) -> None:
    image_id = target.make(name=name, data=DATA)
    assert snippet("nova").ImageModule(target.service()).locations_of(None, image_id) == []


def test_ironic_refuses_undeployable_images(target: Target, name: str) -> None:
    queued = target.make(name=name)
    with pytest.raises(exceptions.ImageUnacceptable):
        ironic(target).show(f"glance://{queued}")
    for href in ("file:///etc/hosts", "glance://a/b", "glance://../v1", "http://x/v2/images/i"):
        with pytest.raises(exceptions.InvalidImageRef):
            ironic(target).show(href)


def test_pages_include_service_snippets() -> None:
    docs = SNIPPETS.parents[1]
    text = "".join(
        (docs / name).read_text() for name in ("other-services.rst", "in-a-service.rst")
    )
    for path in SNIPPETS.iterdir():
        assert path.is_dir() or f".. literalinclude:: snippets/services/{path.name}" in text
